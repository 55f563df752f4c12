"""The form of a sweep: a row for every key of the sweep file, as `composing.fields` finds them in its models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from tui.composing.fields import FieldSpec, option_fields, sections
from tui.composing.toml_text import value_at
from tui.widgets.form_row import FormRow
from tui.widgets.form_rows import row_of

if TYPE_CHECKING:
    from tui.composing.outlook import Remark


class Heading(Static):
    """A rule with a name."""

    DEFAULT_CSS = """
    Heading { height: 1; border-top: solid $border; border-title-color: $primary; border-title-style: bold; }
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self.border_title = title


class OptionRows(Vertical):
    """The options of a model or a data set: other rows for each model or data set."""

    DEFAULT_CSS = "OptionRows { height: auto; width: 1fr; }"

    def __init__(self, table: str) -> None:
        super().__init__(id=table)
        self.rows: list[FormRow] = []
        self._table = table
        self._specs: list[FieldSpec] = []

    async def follow(self, tables: Mapping[str, Any]) -> bool:
        """Show the rows for these tables; whether they have changed."""
        specs = option_fields(self._table, tables)
        changed = specs != self._specs
        if changed:
            self._specs, self.rows = specs, []
            await self.remove_children()
            self.rows = [row_of(spec) for spec in specs]
            await self.mount(*self.rows)
            for row in self.rows:
                row.follow(tables)
        return changed


class Form(VerticalScroll, can_focus=False):
    """All rows: `show` brings in the text's values, `mark` the findings of the check."""

    DEFAULT_CSS = "Form { height: 1fr; width: 1fr; scrollbar-size-vertical: 1; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._parts: list[FormRow | OptionRows] = []
        self._marks: tuple[Sequence[Remark], Sequence[Remark], Mapping[str, str]] = (), (), {}
        self.elsewhere: tuple[str, ...] = ()
        """Findings about keys that no row shows."""

    def compose(self) -> ComposeResult:
        for heading, specs in sections():
            yield Heading(heading)
            for spec in specs:
                part = OptionRows(spec.key) if spec.kind == "options" else row_of(spec)
                self._parts.append(part)
                yield part

    @property
    def rows(self) -> Iterator[FormRow]:
        """All rows, from top to bottom."""
        rows = (part.rows if isinstance(part, OptionRows) else (part,) for part in self._parts)
        return (row for row in chain(*rows) if row.ready)

    def row(self, key: str) -> FormRow | None:
        """The row of a key."""
        return next((row for row in self.rows if row.key == key), None)

    def show(self, tables: Mapping[str, Any], *, always: bool = False) -> None:
        """Show these values; `always`: also in fields that were just typed into, since this is another sweep."""
        from hvdsweep.sweep.metaparameters import DECAY_METAPARAMETERS

        linear = value_at(tables, ("training", "schedule")) == "linear"
        for row in self.rows:
            row.follow(tables, always=always)
            if row.key.removeprefix("search.") in DECAY_METAPARAMETERS:
                row.display = linear or value_at(tables, tuple(row.key.split("."))) is not None
        for part in self._parts:
            if isinstance(part, OptionRows):
                self.call_later(self._change_options, part, tables)

    async def _change_options(self, options: OptionRows, tables: Mapping[str, Any]) -> None:
        if await options.follow(tables):
            self.mark(*self._marks)

    def mark(self, problems: Sequence[Remark], warnings: Sequence[Remark], facts: Mapping[str, str]) -> None:
        """Show every finding at its field, and a fact at fields without one."""
        self._marks = problems, warnings, facts
        wrong: dict[FormRow, list[str]] = {}
        doubtful: dict[FormRow, list[str]] = {}
        elsewhere: list[str] = []
        for remarks, found in ((problems, wrong), (warnings, doubtful)):
            for remark in remarks:
                row = self.row_about(remark.key)
                if row is not None:
                    found.setdefault(row, []).append(_within(row, remark))
                elif remark.key:
                    elsewhere.append(f"{remark.key}: {remark.text}")
        for row in self.rows:
            fact = facts.get(row.key, "") if row.spec.kind not in ("space", "note") else None
            row.say("\n".join(wrong.get(row, ())), "\n".join(doubtful.get(row, ())), fact)
        self.elsewhere = tuple(elsewhere)

    def row_about(self, key: str) -> FormRow | None:
        """The row that a key of a message belongs to: the closest one above it, else the first one below it."""
        if not key:
            return None
        rows, prefixes = list(self.rows), {key[:at] for at, sign in enumerate(key) if sign in ".["} | {key}
        about = [(len(own), row) for row in rows for own in row.spec.keys if own in prefixes]
        best = max(about, key=lambda entry: entry[0])[1] if about else None
        if best is None:
            below = (row for row in rows if row.display and row.key.startswith(f"{key}."))
            best = next(below, None)
        if best is not None and not best.display:
            best.display = True
        return best

    def first_wrong(self) -> FormRow | None:
        """The first row with a mistake."""
        return next((row for row in self.rows if row.has_class("-wrong") and row.display), None)

    @property
    def current(self) -> FormRow | None:
        """The row with the keyboard."""
        return next((row for row in self.rows if row.has_focus_within), None)

    def first(self) -> Widget | None:
        """Where the keyboard goes first."""
        return next((row.first() for row in self.rows if row.display), None)

    def move(self, way: int) -> None:
        """The keyboard goes to a row above or below."""
        rows = [row for row in self.rows if row.display and row.first() is not None]
        at = next((index for index, row in enumerate(rows) if row.has_focus_within), None)
        target = 0 if at is None else at + way
        if 0 <= target < len(rows):
            self.screen.set_focus(rows[target].first())


def _within(row: FormRow, remark: Remark) -> str:
    """A finding's text, with the part of its key that the row does not name."""
    if remark.key in row.spec.keys:
        return remark.text
    rest = next((remark.key[len(own) :] for own in row.spec.keys if remark.key.startswith(own)), "")
    return f"{rest.lstrip('.')}: {remark.text}" if rest else remark.text
