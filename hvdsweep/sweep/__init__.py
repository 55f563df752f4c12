"""The sweep file: TOML -> a typed, checked sweep, with every mistake in one go; and back to TOML."""

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
