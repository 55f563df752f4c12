"""The published database's layout: imports an archive of it into a store, and exports any sweep in it."""

from hvdsweep.archive.counts import StudyCount, study_counts
from hvdsweep.archive.exporting import ExportReport, export_studies
from hvdsweep.archive.importing import ImportReport, import_archive
from hvdsweep.archive.messages import ArchiveProblem
from hvdsweep.archive.published import SHA256

__all__ = [
    "SHA256",
    "ArchiveProblem",
    "ExportReport",
    "ImportReport",
    "StudyCount",
    "export_studies",
    "import_archive",
    "study_counts",
]
