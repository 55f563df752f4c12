"""The form of a sweep: a row for every key of the sweep file, as `composing.fields` finds them in its models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from tui.composing.fields import FieldSpec, option_fields, path_of, sections
from tui.composing.toml_text import value_at
from tui.widgets.form_row import FormRow

if TYPE_CHECKING:
    from hvdsweep.sweep.load import Finding
    from tui.composing.outlook import Outlook


class OptionRows(Vertical):
    """The options of a model or a data set: other rows for each model or data set."""

    DEFAULT_CSS = "OptionRows { height: auto; width: 1fr; }"

    def __init__(self, table: str) -> None:
        super().__init__(id=table)
        self._table = table
        self._specs: list[FieldSpec] = []

    def compose(self) -> ComposeResult:
        yield from map(FormRow, self._specs)

    async def follow(self, tables: Mapping[str, Any]) -> bool:
        """Show the rows for these tables; whether they have changed."""
        specs = option_fields(self._table, tables)
        if specs == self._specs:
            return False
        self._specs = specs
        await self.recompose()
        for row in self.query(FormRow):
            row.follow(tables)
        return True


class Form(VerticalScroll, can_focus=False):
    """All rows: `show` brings in the text's values, `mark` the findings of the check."""

    DEFAULT_CSS = """
    Form { height: 1fr; width: 1fr; scrollbar-size-vertical: 1; }
    Form .heading { height: 1; border-top: solid $border; border-title-color: $primary; border-title-style: bold; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._outlook: Outlook | None = None
        self.elsewhere: tuple[str, ...] = ()
        """Findings about keys that no row shows."""

    def compose(self) -> ComposeResult:
        for title, specs in sections():
            heading = Static(classes="heading")
            heading.border_title = title
            yield heading
            for spec in specs:
                yield OptionRows(spec.key) if spec.kind == "options" else FormRow(spec)

    @property
    def rows(self) -> Iterator[FormRow]:
        """All rows, from top to bottom."""
        parts = (part.children if isinstance(part, OptionRows) else (part,) for part in self.children)
        return (row for row in chain(*parts) if isinstance(row, FormRow) and row.is_mounted)

    def row(self, key: str) -> FormRow | None:
        return next((row for row in self.rows if row.key == key), None)

    def show(self, tables: Mapping[str, Any], *, always: bool = False) -> None:
        """Show these values; `always`: also in fields that were just typed into, since this is another sweep."""
        from hvdsweep.sweep.metaparameters import DECAY_METAPARAMETERS

        linear = value_at(tables, ("training", "schedule")) == "linear"
        for row in self.rows:
            row.follow(tables, always=always)
            if row.key.removeprefix("search.") in DECAY_METAPARAMETERS:
                row.display = linear or value_at(tables, path_of(row.key)) is not None
        for options in self.query(OptionRows):
            self.call_later(self._change_options, options, tables)

    async def _change_options(self, options: OptionRows, tables: Mapping[str, Any]) -> None:
        if await options.follow(tables) and self._outlook is not None:
            self.mark(self._outlook)

    def mark(self, outlook: Outlook) -> None:
        """Show every finding at its field, and a fact at fields without one."""
        self._outlook = outlook
        said: dict[tuple[FormRow, bool], list[str]] = {}
        elsewhere: list[str] = []
        for finding in (*outlook.problems, *outlook.warnings):
            row = self.row_about(finding.key)
            if row is not None:
                said.setdefault((row, finding in outlook.problems), []).append(_within(row, finding))
            elif finding.key:
                elsewhere.append(f"{finding.key}: {finding.text}")
        for row in self.rows:
            wrong, doubtful = ("\n".join(said.get((row, wrong), ())) for wrong in (True, False))
            row.say(wrong, doubtful, outlook.facts.get(row.key, ""))
        self.elsewhere = tuple(elsewhere)

    def row_about(self, key: str) -> FormRow | None:
        """The row that a key of a message belongs to: the closest one above it, else the first one below it."""
        if not key:
            return None
        rows, prefixes = list(self.rows), {key[:at] for at, sign in enumerate(key) if sign in ".["} | {key}
        above = [(len(own), row) for row in rows for own in row.spec.keys if own in prefixes]
        below = (row for row in rows if row.display and row.key.startswith(f"{key}."))
        row = max(above, key=lambda entry: entry[0])[1] if above else next(below, None)
        if row is not None:
            row.display = True
        return row

    def first_wrong(self) -> FormRow | None:
        return next((row for row in self.rows if row.has_class("-wrong")), None)

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


def _within(row: FormRow, finding: Finding) -> str:
    """A finding's text, with the part of its key that the row does not name."""
    if finding.key in row.spec.keys or row.key.startswith(finding.key):
        return finding.text
    return f"{finding.key.removeprefix(row.key).lstrip('.')}: {finding.text}"
