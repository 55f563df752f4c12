"""The sweep that is being composed: one text, which both form and editor change, and where it comes from."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tui.composing.start import Start
from tui.composing.toml_text import REMOVED, CannotEdit, Change, edited, parsed

LAUNCH = ("np", "gangs", "slots")
"""Options of the launch; not part of the text."""

NEED_MOMENTUM = ("momentum", "nesterov_momentum")

MOMENTUM = {"scale": "reverse_log", "min": 0.8, "max": 0.999}
"""The range that is added when an algorithm needs a momentum."""


class Draft:
    """A text and its tables. The text is what counts: the form shows its values and edits them in place."""

    def __init__(self, start: Start) -> None:
        self.text = start.text
        self.file = start.file
        """The file it was read from or written to last; None where there is none."""
        self.saved = start.text if start.draft is None else start.saved
        """The text as it was last saved or loaded."""
        self.np = start.np
        self.gangs = start.gangs
        self.slots = start.slots
        self.name = start.name
        """The sweep's name where the text gives none."""
        self.tables: dict[str, Any] | None = None
        """The text read; None while it is not TOML."""
        self._field = ""
        self._before = self.text
        self._read()

    @property
    def shown(self) -> dict[str, Any]:
        """All that the form shows: the tables, as far as they can be read, and the options of the launch."""
        return {**(self.tables or {}), **{name: getattr(self, name) for name in LAUNCH}}

    @property
    def changed(self) -> bool:
        """Whether something would be lost with it."""
        return self.text != self.saved

    @property
    def directory(self) -> Path:
        """Where `module:function` is looked for."""
        return Path.cwd() if self.file is None else self.file.parent

    def retype(self, text: str) -> None:
        """The text was changed by hand."""
        self.text = text
        self._field = ""
        self._read()

    def edit(self, field: str, changes: Sequence[Change]) -> bool:
        """Write a field's new value into the text; False where the text cannot be edited that way.

        All edits in one field start from the text as it was before the first, so that a comment survives an empty moment.
        """
        if field in LAUNCH:
            value = changes[0].value
            setattr(self, field, "" if value is REMOVED else str(value))
            return True
        if self.tables is None:
            return False
        # Here, not above: the first screen needs no pydantic.
        from hvdsweep.sweep.models import KEYS

        if field != self._field:
            self._field, self._before = field, self.text
        try:
            self.text = edited(self._before, changes, KEYS)
        except (CannotEdit, ValueError):
            try:
                self.text = edited(self.text, changes, KEYS)
            except (CannotEdit, ValueError):
                return False
        self._read()
        return True

    def add_momentum(self) -> bool:
        """Add a range for the momentum where an algorithm needs one and the text has none; whether the text has changed."""
        tables = self.tables or {}
        said = tables.get("algorithms", tables.get("algorithm"))
        names = said if isinstance(said, list) else [said]
        search = tables.get("search", {})
        if (
            not isinstance(search, dict)
            or {"momentum", "points"} & set(search)
            or not {*NEED_MOMENTUM} & {*map(str, names)}
        ):
            return False
        return self.edit("search.momentum", [Change(("search", "momentum"), MOMENTUM)])

    def start(self) -> Start:
        """What to start from to get this draft again."""
        return Start(
            self.text, self.name, self.file, self.np, self.gangs, self.slots, draft="", saved=self.saved
        )

    def written(self, file: Path, text: str) -> None:
        """`text` is in `file` now."""
        self.file, self.saved, self.name = file, text, file.stem

    def _read(self) -> None:
        try:
            self.tables = parsed(self.text)
        except (tomllib.TOMLDecodeError, RecursionError):
            self.tables = None
