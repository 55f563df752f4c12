"""The sweep file: TOML -> a typed, checked sweep, with every mistake at once; and back to TOML.

Names are imported on first use: code that only reads batch sizes or writes a TOML value does not load pydantic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvdsweep.lazy import on_first_use

if TYPE_CHECKING:
    from hvdsweep.sweep.batch_sizes import format_batch_sizes, parse_batch_sizes
    from hvdsweep.sweep.load import Checked, LoadedSweep, Overrides, check_text, load_sweep
    from hvdsweep.sweep.models import Sweep
    from hvdsweep.sweep.write import sweep_toml

__all__ = [
    "Checked",
    "LoadedSweep",
    "Overrides",
    "Sweep",
    "check_text",
    "format_batch_sizes",
    "load_sweep",
    "parse_batch_sizes",
    "sweep_toml",
]

_HOME = {
    "batch_sizes": ("format_batch_sizes", "parse_batch_sizes"),
    "load": ("Checked", "LoadedSweep", "Overrides", "check_text", "load_sweep"),
    "models": ("Sweep",),
    "write": ("sweep_toml",),
}
"""Module -> the public names it holds."""

__getattr__, __dir__ = on_first_use(__name__, _HOME)
