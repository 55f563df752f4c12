"""The part of the Live screen that lists trials: paged, sorted, filtered, and jumped to by number."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from textual import events, on
from textual.timer import Timer

from hvdsweep.errors import UserError
from hvdsweep.store.rows import TrialFilter, TrialPage
from tui.screens.log_pane import LogPane
from tui.trial_rows import TrialRows, columns_of, parameters_of
from tui.widgets.prompt import Prompt
from tui.widgets.table import Table

if TYPE_CHECKING:
    from hvdsweep.store.status import SweepStatus
    from hvdsweep.store.store import Store

REST = 20
"""A page of trials that took t seconds is not asked for again before 20 t: looking on must not cost the gangs their core."""


class TrialsPane(LogPane):
    """The trials of one sweep in the Table `#trials`, as far as they are in view, and the line `#prompt` that filters them."""

    def __init__(self) -> None:
        super().__init__()
        self.names: Mapping[str, str] = {}
        """Workload -> a short name."""
        self.filter_text = ""
        """What the trials are filtered by."""
        self._filter = TrialFilter()
        self._parameters: tuple[str, ...] = ()
        self._rows = TrialRows()
        self._page_cost = 0.0
        self._page_at = float("-inf")
        self._page_number = 0
        """The snapshot in whose time the last page was read."""
        self._page_due: Timer | None = None
        """Asks for what is in view as soon as the last page has rested."""

    @property
    def sweep(self) -> SweepStatus | None:
        """The sweep whose trials are listed."""
        return None

    def front(self, name: str) -> None:
        """Bring a pane to the front."""

    def note(self) -> None:
        """Say what is in view."""

    def open_trial(self, trial: int) -> None:
        self.interface.open_trial(trial)

    def on_mount(self) -> None:
        sort = self.interface.memory.layout.get("live.sort", "id")
        self.query_one("#trials", Table).sorted_by = (sort.removeprefix("-"), sort.startswith("-"))

    @property
    def prompt(self) -> Prompt:
        return self.query_one("#prompt", Prompt)

    def ask_page(self, *, again: bool = False, fresh: bool = False) -> None:
        """Ask for the trials in view. `again`: only because something was written; `fresh`: what is shown no longer holds."""
        sweep = self.sweep
        if sweep is None:
            return
        wait = self._page_at + REST * self._page_cost - time.monotonic()
        if again and wait > 0:
            # Perhaps nothing more is written: what was written last must be seen all the same.
            if self._page_due is None:
                self._page_due = self.set_timer(wait, partial(self.ask_page, again=True))
            return
        if self._page_due is not None:
            self._page_due.stop()
            self._page_due = None
        table = self.query_one("#trials", Table)
        where = replace(self._filter, sweep_id=sweep.id)
        # Until rows are known, the table may not even have its size yet.
        offset, limit = table.in_view if again and table.total else table.window
        number = 0 if self.snapshot is None else self.snapshot.number
        about = (where, table.sorted_by, offset, fresh, number)
        self.ask(self.answer_page, about, partial(_page, where, *table.sorted_by, offset, limit))

    def answer_page(self, about: tuple[Any, ...], value: tuple[TrialPage, float]) -> None:
        page, self._page_cost = value
        self._page_at = time.monotonic()
        *_, fresh, number = about
        again, self._page_number = number != self._page_number, number
        parameters = parameters_of(page.rows) or self._parameters
        table = self.query_one("#trials", Table)
        if parameters != self._parameters:
            self._parameters = parameters
            table.put_columns(columns_of(parameters))
        rows = self._rows.of(page.rows, parameters, self.names)
        table.put_page(page.offset, rows, page.total, fresh=fresh, again=again)
        table.empty = "no trial matches the filter" if self.filter_text else "no trials"
        self.note()

    @on(Table.Wanted, "#trials")
    def _wanted_rows(self) -> None:
        self.ask_page()

    @on(Table.Opened, "#trials")
    def _trial_opened(self, message: Table.Opened) -> None:
        self.open_trial(int(message.key))

    @on(Table.SortAsked, "#trials")
    def _sort_asked(self, message: Table.SortAsked) -> None:
        by, descending = self.query_one("#trials", Table).sorted_by
        self._sort(message.by, not descending if message.by == by else False)

    def action_sort(self) -> None:
        table = self.query_one("#trials", Table)
        names = [column.sort for column in table.columns]
        place = names.index(table.sorted_by[0]) if table.sorted_by[0] in names else -1
        self._sort(names[(place + 1) % len(names)], False)

    def action_reverse(self) -> None:
        by, descending = self.query_one("#trials", Table).sorted_by
        self._sort(by, not descending)

    def _sort(self, by: str, descending: bool) -> None:
        self.query_one("#trials", Table).sorted_by = (by, descending)
        self.interface.remember(layout=("live.sort", f"{'-' if descending else ''}{by}"))
        self.ask_page(fresh=True)

    def action_filter(self) -> None:
        self.front("trials")
        self.prompt.open(
            "filter", "filter", self.filter_text, "learning_rate>=0.01 status=INFEASIBLE batch_size=64..512"
        )
        self.refresh_keys()

    def action_jump(self) -> None:
        self.prompt.open("jump", "go to trial", "", "its number in the first column")
        self.refresh_keys()

    @on(Prompt.Typed)
    def _typed(self, message: Prompt.Typed) -> None:
        if message.purpose == "filter":
            from hvdsweep.store.filters import finished_part

            self.set_filter(finished_part(message.text, self._parameters))
        elif message.text and not message.text.strip().isdigit():
            self.prompt.wrong(f"{message.text}: give a trial's number")
        else:
            self.prompt.wrong("")

    @on(Prompt.Entered)
    def _entered(self, message: Prompt.Entered) -> None:
        message.stop()
        if message.purpose == "jump":
            if not message.text.strip().isdigit():
                return
            self.prompt.close()
            self.open_trial(int(message.text))
        else:
            self.set_filter(message.text)
            if self.prompt.has_class("-wrong"):
                return
            self.prompt.close()
        self.query_one("#trials", Table).focus()
        self.refresh_keys()

    def set_filter(self, text: str) -> None:
        """Filter by `text` as far as it can be understood; what cannot is said under the line."""
        from hvdsweep.store.filters import parse_filter

        try:
            self._filter = parse_filter(text, self._parameters or None)
        except UserError as error:
            self.prompt.wrong("\n".join(problem.removeprefix("filter: ") for problem in error.problems))
            return
        self.prompt.wrong("")
        self.filter_text = text.strip()
        self.note()
        self.ask_page(fresh=True)
        self.refresh_keys()

    def action_copy(self) -> None:
        table = self.query_one("#trials", Table)
        row = table.row(table.cursor)
        if row is not None:
            pairs = zip(table.columns, row.cells, strict=False)
            text = " ".join(
                f"{column.name.removeprefix('parameters.')}={cell}" for column, cell in pairs if str(cell)
            )
            self.app.copy_to_clipboard(text)
            self.notify(f"Copied trial {row.key}", markup=False)

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        # A filter that was left by a click elsewhere stays as far as it was understood.
        if self.prompt.purpose and event.widget in self.prompt.query("Input"):
            self.prompt.close()


def _page(
    where: TrialFilter, by: str, descending: bool, offset: int, limit: int, reader: Store
) -> tuple[TrialPage, float]:
    begun = time.monotonic()
    page = reader.trials(where, sort=by or "id", descending=descending, offset=offset, limit=limit)
    return page, time.monotonic() - begun
