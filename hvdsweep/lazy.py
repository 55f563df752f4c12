"""Public names of a package that are imported when they are first used, so that importing the package loads next to nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def on_first_use(
    package: str, home: Mapping[str, Sequence[str]], aliases: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of `package`.

    `home` names for each of its modules (relative, dots for deeper ones) the public names it holds; `aliases` maps
    further public names to those.
    """
    modules = {name: module for module, names in home.items() for name in names}
    further = dict(aliases or {})

    def get(name: str) -> Any:
        wanted = further.get(name, name)
        if wanted not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{modules[wanted]}"), wanted)
        setattr(sys.modules[package], name, value)
        return value

    def listing() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules, *further})

    return get, listing
