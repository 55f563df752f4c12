"""How long a test waits before it takes something for hung: the only limit there is, and never a measure of speed.

HVDSWEEP_TEST_PATIENCE multiplies it, for machines that are slower or busier still.
"""

from __future__ import annotations

import os
import re

HANG_SECONDS = 1200.0 * float(os.environ.get("HVDSWEEP_TEST_PATIENCE", "1"))
"""Starting two ranks takes 10 s on a quiet machine and some minutes on one core that others use as well."""

_PROGRESS = re.compile(r"^ *\d+%  ")


def without_progress(stderr: str) -> str:
    """What a command printed on stderr, less the progress lines that it prints when it takes more than a second."""
    return "".join(line for line in stderr.splitlines(keepends=True) if not _PROGRESS.match(line))
