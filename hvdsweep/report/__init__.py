"""A sweep as one HTML page that needs nothing but itself: plan, curves, best metaparameters with warnings, provenance."""

from hvdsweep.report.page import report_page

__all__ = ["report_page"]
