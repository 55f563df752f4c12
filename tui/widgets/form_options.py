"""The options of a model or a data set: one row for each that it takes, and for each that the text gives."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from textual.containers import Vertical
from textual.message import Message

from tui.composing.words import words_of
from tui.widgets.form_row import FormRow
from tui.widgets.form_rows import LineRow, PickRow

PLAIN = re.compile(r"[A-Za-z0-9_-]+")
"""Names of options that are offered as fields; others are left to the text."""

KINDS = {"count": "number", "counts": "numbers", "rate": "number"}
"""Kind of a model's option -> kind of its field."""


class OptionRows(Vertical):
    """Rows that come and go with the name they belong to."""

    DEFAULT_CSS = """
    OptionRows { height: auto; width: 1fr; }
    OptionRows FormRow .label { color: $foreground-muted 60%; padding-left: 3; }
    """

    class Arrived(Message):
        """Other rows are there now."""

    def __init__(self, table: str) -> None:
        """`table`: `model_options` or `dataset_options`."""
        super().__init__(id=table)
        self._table = table
        self._made: tuple[object, ...] = ()

    def show(self, tables: Mapping[str, Any]) -> None:
        """Follow the text."""
        owner = str(tables.get(self._table.removesuffix("_options"), ""))
        given = tables.get(self._table)
        options = self._options(owner)
        known = dict(options)
        there = tuple(given) if isinstance(given, Mapping) else ()
        others = tuple(name for name in there if name not in known and PLAIN.fullmatch(name))
        if (options, others) == self._made:
            return
        self._made = (options, others)
        rows = [self._row(name, *known.get(name, ("any", ""))) for name in (*known, *others)]
        for row in self.query(FormRow):
            row.gone = True
        self.remove_children()
        self.mount(*rows)
        self.call_after_refresh(self._begin, rows, tables)

    def _begin(self, rows: Sequence[FormRow], tables: Mapping[str, Any]) -> None:
        for row in rows:
            if row.is_mounted and not row.gone:
                row.show(tables)
        self.post_message(self.Arrived())

    def _row(self, name: str, kind: str, hint: str) -> FormRow:
        key, label = f"{self._table}.{name}", name.replace("_", " ")
        if kind == "flag":
            return PickRow(key, label, ("true", "false"), default=hint, values={"true": True, "false": False})
        if "|" in kind:
            return PickRow(key, label, tuple(kind.split("|")), default=hint)
        return LineRow(key, label, KINDS.get(kind, "any"), hint=hint, short=kind in ("count", "rate"))

    def _options(self, owner: str) -> tuple[tuple[str, tuple[str, str]], ...]:
        """Name -> (kind, default in words) of what is known of this model or data set."""
        from workloads import architectures, catalogue

        if self._table == "dataset_options":
            return tuple((name, ("number", "")) for name in catalogue.dataset_option_names(owner))
        try:
            options = architectures.find(owner).options
        except KeyError:
            return ()
        return tuple((name, (option.kind, words_of(option.default))) for name, option in options.items())
