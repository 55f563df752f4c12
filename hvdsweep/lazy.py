"""Public names of a package that are imported on first use, so that importing the package itself is cheap."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def on_first_use(
    package: str, home: Mapping[str, Sequence[str]], aliases: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of `package`.

    `home`: module (relative, dots for deeper ones) -> the public names it holds; `aliases`: further public name -> one
    of those.
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
