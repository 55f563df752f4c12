"""A sweep as one self-contained HTML page: plan, curves, best metaparameters with warnings, provenance."""

from hvdsweep.report.page import report_page

__all__ = ["report_page"]
