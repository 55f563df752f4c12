"""What a sweep is composed from: unsaved drafts, the list of starts, a pasted file."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from textual.widgets import Button

from tui.composing.draft import Draft
from tui.composing.draft_store import DraftStore
from tui.composing.start import offers, stored, taken, template, typed
from tui.screens.checking import Checking
from tui.screens.dialogs import Confirm
from tui.widgets.composer import Composer
from tui.widgets.form_dialogs import ListDialog
from tui.widgets.window import open_window
from tui.words import plural

if TYPE_CHECKING:
    from tui.composing.fields import Entry


class Starting:
    """Begins with another draft; the one before is kept in the state directory if it was not saved."""

    def __init__(self, composer: Composer, checking: Checking) -> None:
        self._composer = composer
        self._checking = checking
        self._drafts = DraftStore(None)

    def open(self) -> None:
        """Begin with the template, and look for drafts from before."""
        self._drafts = DraftStore(self._composer.interface.state_directory)
        self.begin(template())
        self._composer.questions.work_out(self.answer_kept, None, self._drafts.all)

    def begin(self, draft: Draft) -> None:
        """Compose from here on."""
        self.keep(now=True)
        self._composer.begin(draft)
        self._checking.check()
        self.keep()
        if draft.remark:
            self._composer.notify(draft.remark, markup=False)

    # The drafts

    def keep(self, *, now: bool = False) -> None:
        """Keep what is not saved, in a thread; or `now`, before it goes out of view."""
        job = self._drafts.follow(self._composer.draft)
        if job is not None and now:
            job()
        elif job is not None:
            self._composer.questions.work_out(self.answer_keep, None, job)

    def answer_keep(self, about: object, value: None) -> None:
        """Nothing to show."""

    def answer_kept(self, about: object, value: list[tuple[float, Draft]]) -> None:
        others = sum(draft.id != self._composer.draft.id for _, draft in value)
        line = self._composer.query_one("#kept", Button)
        line.label = f"{plural(others, 'unsaved draft')} from before: ^o opens the list"
        line.set_class(bool(others), "-said")

    # Another start

    def offer(self) -> None:
        """Open the list of what to start from."""
        self._composer.take()
        self.keep(now=True)
        current, snapshot = self._composer.draft.id, self._composer.interface.snapshot
        job = partial(offers, self._drafts, current, snapshot)
        self._composer.questions.work_out(self.answer_offers, None, job)

    def answer_offers(self, about: object, value: list[Entry]) -> None:
        hint = "type to narrow the list, or the path of a file"
        dialog = ListDialog("Start from", value, hint=hint, free=typed)
        open_window(self._composer.interface, dialog, self._chosen)

    def _chosen(self, value: str | None) -> None:
        kind, _, name = (value or "").partition(":")
        if kind == "sweep":
            self._composer.questions.ask(self.answer_start, value, partial(stored, int(name)))
        elif kind:
            job = partial(taken, self._drafts, str(value), self._composer.interface.source.path)
            self._composer.questions.work_out(self.answer_start, value, job)

    def answer_start(self, about: Any, value: Draft) -> None:
        self.begin(value)
        self._composer.query_one("#kept").remove_class("-said")
        self._composer.bring("form")
        self._composer.screen.set_focus(None)

    def pasted(self, text: str) -> None:
        """Ask whether a TOML file that was pasted into a field takes the place of this sweep."""
        draft = self._composer.draft
        pasted = Draft(text.removeprefix("\ufeff"), name=draft.name)
        lines = plural(len(pasted.text.splitlines()), "line")
        asked = f"A whole TOML file was pasted ({lines}). Load it in place of this sweep?"
        if draft.changed:
            asked += " This draft is kept; Start from lists it."
        dialog = Confirm("Load the pasted file", asked, "Load")
        open_window(
            self._composer.interface, dialog, lambda yes: self.answer_start(None, pasted) if yes else None
        )
