"""The trials of one sweep, as far as they are in view: paged, sorted and filtered by the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual import on
from textual.message import Message
from textual.timer import Timer

from hvdsweep.errors import UserError
from hvdsweep.store.filters import finished_part, parse_filter
from hvdsweep.store.rows import TrialFilter, TrialPage
from tui.questions import questions_of
from tui.trial_rows import columns_of, parameters_of
from tui.widgets.columns import row_of
from tui.widgets.prompt import Prompt
from tui.widgets.table import Table

if TYPE_CHECKING:
    from hvdsweep.store.store import Store
    from tui.interface import Interface


class TrialsTable(Table):
    """Asks for the pages that it needs."""

    class Paged(Message):
        """Trials have come, or the filter is another one."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(columns_of((), {}), empty="no trials", id=id)
        self.names: Mapping[str, str] = {}
        """Workload -> a short name."""
        self.filter_text = ""
        """What the trials are filtered by."""
        self._sweep: int | None = None
        self._number = 0
        """The latest snapshot."""
        self._filter = TrialFilter()
        self.parameters: tuple[str, ...] = ()
        """The metaparameters of the trials, as far as they are known."""
        self._page_number = 0
        """The snapshot in whose time the last page was read."""
        self._page_due: Timer | None = None
        """Asks for the rows in view once the pause after the last page is over."""

    def on_mount(self) -> None:
        sort = cast("Interface", self.app).memory.layout.get("live.sort", "id")
        self.sorted_by = (sort.removeprefix("-"), sort.startswith("-"))

    def follow(self, sweep: int | None, number: int, names: Mapping[str, str]) -> None:
        """Show the trials of a sweep as they are at a snapshot."""
        self._sweep, self._number, self.names = sweep, number, names
        if sweep is None:
            self.put(())
        else:
            self.ask_page(again=True)

    def ask_page(self, *, again: bool = False, fresh: bool = False) -> None:
        """Ask for the trials in view. `again`: only because something was written; `fresh`: what is shown no longer holds."""
        if self._sweep is None:
            return
        wait = questions_of(self).rest_of(self.answer_page)
        if again and wait > 0:
            # Perhaps nothing more is written: what was written last must be seen all the same.
            if self._page_due is None:
                self._page_due = self.set_timer(wait, partial(self.ask_page, again=True))
            return
        if self._page_due is not None:
            self._page_due.stop()
            self._page_due = None
        where = replace(self._filter, sweep_id=self._sweep)
        # Until rows are known, the table may not even have its size yet.
        offset, limit = self.in_view if again and self.total else self.window
        about = (where, self.sorted_by, offset, fresh, self._number)
        question = partial(_page, where, *self.sorted_by, offset, limit)
        questions_of(self).ask(self.answer_page, about, question)

    def answer_page(self, about: tuple[Any, ...], page: TrialPage) -> None:
        *_, fresh, number = about
        again, self._page_number = number != self._page_number, number
        parameters = parameters_of(page.rows) or self.parameters
        columns = columns_of(parameters, self.names)
        self.parameters = parameters
        self.put_columns(columns)
        rows = [row_of(columns, trial.id, trial) for trial in page.rows]
        self.put_page(page.offset, rows, page.total, fresh=fresh, again=again)
        self.empty = "no trial matches the filter" if self.filter_text else "no trials"
        self.post_message(self.Paged())

    @on(Table.Wanted)
    def _wanted_rows(self) -> None:
        self.ask_page()

    @on(Table.SortAsked)
    def _sort_asked(self, message: Table.SortAsked) -> None:
        by, descending = self.sorted_by
        self._sort(message.by, not descending if message.by == by else False)

    def action_sort(self) -> None:
        names = [column.sort for column in self.columns]
        place = names.index(self.sorted_by[0]) if self.sorted_by[0] in names else -1
        self._sort(names[(place + 1) % len(names)], False)

    def action_reverse(self) -> None:
        by, descending = self.sorted_by
        self._sort(by, not descending)

    def _sort(self, by: str, descending: bool) -> None:
        self.sorted_by = (by, descending)
        cast("Interface", self.app).remember(layout=("live.sort", f"{'-' if descending else ''}{by}"))
        self.ask_page(fresh=True)

    def filter(self, text: str) -> str:
        """Filter by `text`; what is wrong with it, where it cannot be understood."""
        try:
            self._filter = parse_filter(text, self.parameters or None)
        except UserError as error:
            return "\n".join(problem.removeprefix("filter: ") for problem in error.problems)
        self.filter_text = text.strip()
        self.post_message(self.Paged())
        self.ask_page(fresh=True)
        return ""

    def action_copy(self) -> None:
        row = self.row(self.cursor)
        if row is not None:
            pairs = zip(self.columns, row.cells, strict=False)
            words = (
                f"{column.sort.removeprefix('parameters.')}={cell}" for column, cell in pairs if str(cell)
            )
            self.app.copy_to_clipboard(" ".join(words))
            self.notify(f"Copied trial {row.key}", markup=False)


def _page(where: TrialFilter, by: str, descending: bool, offset: int, limit: int, store: Store) -> TrialPage:
    return store.trials(where, sort=by or "id", descending=descending, offset=offset, limit=limit)


class TrialsPrompt(Prompt):
    """Filters a table of trials."""

    @dataclass
    class Jumped(Message):
        """A trial was named."""

        trial: int

    def __init__(self, trials: TrialsTable, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._trials = trials

    def open_filter(self) -> None:
        example = "learning_rate>=0.01 status=INFEASIBLE batch_size=64..512"
        self.open("filter", "filter", self._trials.filter_text, example)

    def open_jump(self) -> None:
        self.open("jump", "go to trial", "", "its number in the first column")

    def filter(self, text: str) -> None:
        """Filter the trials; what cannot be understood is said under the line."""
        self.wrong(self._trials.filter(text))

    def leave(self) -> None:
        """Put the line away; the trials have the keyboard again."""
        self.close()
        self._trials.focus()

    def on_descendant_blur(self) -> None:
        # A filter that was left by a click elsewhere stays as far as it was understood.
        self.close()

    @on(Prompt.Typed)
    def _typed(self, message: Prompt.Typed) -> None:
        message.stop()
        entered, number = isinstance(message, Prompt.Entered), message.text.strip()
        if message.purpose == "filter":
            self.filter(message.text if entered else finished_part(message.text, self._trials.parameters))
        elif message.text and not number.isdigit():
            self.wrong(f"{message.text}: give a trial's number")
        else:
            self.wrong("")
        if entered and not self.has_class("-wrong") and (message.purpose == "filter" or number):
            self.leave()
            if message.purpose == "jump":
                self.post_message(self.Jumped(int(number)))
