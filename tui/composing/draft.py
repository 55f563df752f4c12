"""The sweep that is being composed: one text, which both form and editor change, and where it comes from."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tui.composing.toml_text import REMOVED, CannotEdit, Change, edited, parsed
from tui.launching import AUTO

LAUNCH = ("np", "gangs", "slots")
"""Options of the launch; not part of the text."""

NEED_MOMENTUM = {"momentum", "nesterov_momentum"}

MOMENTUM = {"scale": "reverse_log", "min": 0.8, "max": 0.999}
"""The range that is added when an algorithm needs a momentum."""


@dataclass
class Draft:
    """A text and its tables. The text is what counts: the form shows its values and edits them in place."""

    text: str
    name: str = "sweep"
    """The sweep's name where the text gives none."""
    file: Path | None = None
    """The file it was read from or written to last; None if there is none."""
    np: str = AUTO
    """Ranks per trial, as typed."""
    gangs: str = "1"
    """Trials side by side, as typed; nothing if ranks are `auto`."""
    slots: str = ""
    """Ranks at once where ranks are `auto`, as typed; empty: all cores or GPUs."""
    id: str = field(default="", compare=False)
    """In the store of drafts; "" while it was never stored."""
    saved: str | None = field(default=None, compare=False)
    """The text as it was last saved or loaded."""
    remark: str = field(default="", compare=False)
    """A notice for the user."""
    tables: dict[str, Any] | None = field(default=None, init=False, compare=False)
    """The text read; None while it is not TOML."""

    def __post_init__(self) -> None:
        self.saved = self.text if self.saved is None else self.saved
        self._before = self.text
        self.retype(self.text)

    @property
    def shown(self) -> dict[str, Any]:
        """All that the form shows: the tables, as far as they can be read, and the options of the launch."""
        return {**(self.tables or {}), **{name: getattr(self, name) for name in LAUNCH}}

    @property
    def title(self) -> str:
        """The sweep's name."""
        return str((self.tables or {}).get("name") or self.name)

    @property
    def changed(self) -> bool:
        """Whether it has changes that are not saved."""
        return self.text != self.saved

    @property
    def directory(self) -> Path:
        """Where `module:function` is looked for."""
        return Path.cwd() if self.file is None else self.file.parent

    def retype(self, text: str) -> None:
        """The text was changed by hand."""
        self._edited: object = None
        self._read(text)

    def edit(self, changes: Sequence[Change]) -> bool:
        """Write new values into the text; False if it cannot be edited that way.

        All edits of one key start from the text as it was before the first, so that a comment survives an empty moment.
        """
        if not changes:
            return True
        path, value = changes[0].path, changes[0].value
        if path[0] in LAUNCH:
            setattr(self, str(path[0]), "" if value is REMOVED else str(value))
            return True
        if self.tables is None:
            return False
        if path != self._edited:
            self._edited, self._before = path, self.text
        for text in (self._before, self.text):
            try:
                self._read(edited(text, changes))
            except (CannotEdit, ValueError):
                continue
            return True
        return False

    def add_momentum(self) -> None:
        """Add a range for the momentum where an algorithm needs one and the text has none."""
        tables = self.tables or {}
        algorithms, search = tables.get("algorithms"), tables.get("search", {})
        needed = isinstance(algorithms, list) and NEED_MOMENTUM & {*map(str, algorithms)}
        if needed and isinstance(search, dict) and not {"momentum", "points"} & set(search):
            self.edit([Change(("search", "momentum"), MOMENTUM)])

    def written(self, file: Path, text: str) -> None:
        """`text` is in `file` now."""
        self.file, self.saved, self.name = file, text, file.stem

    def _read(self, text: str) -> None:
        self.text = text
        try:
            self.tables = parsed(text)
        except (tomllib.TOMLDecodeError, RecursionError):
            self.tables = None
