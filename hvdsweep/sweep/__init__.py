"""The sweep file: TOML -> a typed, checked sweep, with every mistake in one go; and back to TOML.

Names are imported when they are first used: what only reads batch sizes or writes a TOML value loads no pydantic.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    for module, names in _HOME.items():
        if name in names:
            value = getattr(importlib.import_module(f"hvdsweep.sweep.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'hvdsweep.sweep' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
