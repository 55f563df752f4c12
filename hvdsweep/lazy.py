"""Cheap imports: public names of a package that are imported on first use; packages that others import for nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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


@contextmanager
def hidden(packages: tuple[str, ...]) -> Iterator[None]:
    """Inside the block these packages fail to import, as if not installed, unless they are imported already."""
    mine = [package for package in packages if package not in sys.modules]
    sys.modules.update(dict.fromkeys(mine))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for package in mine:
            del sys.modules[package]
