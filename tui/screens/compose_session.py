"""What is done with a composed sweep from its start to its launch: kept as a draft, checked, saved to a file, launched."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from textual.widgets import Button

from hvdsweep.errors import HvdsweepError
from tui.composing.draft import Draft
from tui.composing.draft_store import DraftStore
from tui.composing.files import write
from tui.composing.outlook import Outlook, look
from tui.composing.relatives import NOTHING_KNOWN, Relatives, Standing, relatives, standing_of
from tui.composing.start import offers, stored, taken, template, typed
from tui.launching import rank_options
from tui.screens.dialogs import Confirm
from tui.selection import Selection
from tui.widgets.composer import Composer
from tui.widgets.form_dialogs import ListDialog, SaveDialog, Target
from tui.widgets.window import open_window
from tui.words import plural

if TYPE_CHECKING:
    from hvdsweep.store.store import Store
    from tui.composing.fields import Entry
    from tui.interface import Interface
    from tui.questions import Questions
    from tui.snapshot import Snapshot

Value = TypeVar("Value")


class ComposeSession:
    """One draft after another; the one before is kept in the state directory if it was not saved."""

    def __init__(self, composer: Composer, questions: Questions) -> None:
        self._composer = composer
        self._questions = questions
        self._drafts = DraftStore(None)
        self.outlook: Outlook | None = None
        """The latest result of the check; it may be about an earlier text."""
        self._seen: object = None
        """The sweeps that the store had at the latest check."""
        self._then: Callable[[], object] | None = None
        """What the user asked for while the check was running."""

    @property
    def _app(self) -> Interface:
        return self._composer.interface

    # Starting

    def open(self) -> None:
        """Begin with the template, and look for drafts from before."""
        self._drafts = DraftStore(self._app.state_directory)
        self.begin(template())
        self._questions.work_out(self.answer_kept, None, self._drafts.all)

    def begin(self, draft: Draft) -> None:
        """Compose from here on."""
        self.keep(now=True)
        self._composer.begin(draft)
        self.check()
        self.keep()
        if draft.remark:
            self._composer.notify(draft.remark, markup=False)

    def keep(self, *, now: bool = False) -> None:
        """Keep what is not saved, in a thread; or `now`, before it goes out of view."""
        job = self._drafts.follow(self._composer.draft)
        if job is not None and now:
            job()
        elif job is not None:
            self._questions.work_out(self.answer_keep, None, job)

    def answer_keep(self, about: object, value: None) -> None:
        """Nothing to show."""

    def answer_kept(self, about: object, value: list[tuple[float, Draft]]) -> None:
        others = sum(draft.id != self._composer.draft.id for _, draft in value)
        line = self._composer.query_one("#kept", Button)
        line.label = f"{plural(others, 'unsaved draft')} from before: ^o opens the list"
        line.set_class(bool(others), "-said")

    def offer(self) -> None:
        """Open the list of what to start from."""
        self._composer.take()
        self.keep(now=True)
        job = partial(offers, self._drafts, self._composer.draft.id, self._app.snapshot)
        self._questions.work_out(self.answer_offers, None, job)

    def answer_offers(self, about: object, value: list[Entry]) -> None:
        hint = "type to narrow the list, or the path of a file"
        open_window(self._app, ListDialog("Start from", value, hint=hint, free=typed), self._chosen)

    def _chosen(self, value: str | None) -> None:
        kind, _, name = (value or "").partition(":")
        if kind == "sweep":
            self._questions.ask(self.answer_start, value, partial(stored, int(name)))
        elif kind:
            job = partial(taken, self._drafts, str(value), self._app.source.path)
            self._questions.work_out(self.answer_start, value, job)

    def answer_start(self, about: object, value: Draft) -> None:
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
        open_window(self._app, dialog, lambda yes: self.answer_start(None, pasted) if yes else None)

    # Checking

    def check(self) -> None:
        """Check the draft as it is now."""
        draft = copy.copy(self._composer.draft)
        job = partial(self._asked, partial(look, draft), partial(look, draft))
        self._questions.work_out(self.answer_outlook, draft, job)

    def _asked(self, question: Callable[[Store], Value], alone: Callable[[], Value]) -> Value:
        """In a thread: the store's answer, or what can be said `alone` where it cannot be read."""
        if self._app.snapshot is not None:
            with contextlib.suppress(HvdsweepError):
                return self._app.source.ask(question)
        return alone()

    def answer_outlook(self, about: Draft, value: Outlook) -> None:
        self.outlook = value
        self._composer.judge(value)
        self._composer.say_standing(value, self.standing)
        if self._then is not None and self.current is not None:
            then, self._then = self._then, None
            then()

    @property
    def current(self) -> Outlook | None:
        """The result for the draft as it is now; None while that is not there."""
        found = self.outlook
        return found if found is not None and found.draft == self._composer.draft else None

    @property
    def standing(self) -> Standing:
        """What launching this would begin."""
        return standing_of(self.outlook, self._app.snapshot)

    def follow(self, snapshot: Snapshot | None) -> None:
        """What was read of the store just now; None: it is gone, or not there yet."""
        seen = None if snapshot is None else [(sweep.id, sweep.live) for sweep in snapshot.sweeps]
        if seen != self._seen:
            self._seen = seen
            self.check()
        elif self.outlook is not None:
            self._composer.say_standing(self.outlook, self.standing)

    # Saving and launching

    def save(self) -> None:
        """Ask where to save."""
        self._composer.take()
        self._ask_where(launch=False)

    def launch(self) -> None:
        """Save what is not saved, and launch; if there is a mistake, go there instead."""
        composer, standing = self._composer, self.standing
        composer.take()
        outlook, draft = self.current, composer.draft
        if outlook is None:
            self._then = self.launch
            return self.check()
        if outlook.problems:
            words = f"{plural(len(outlook.problems), 'mistake')} to correct first."
            composer.notify(words, severity="warning")
            return composer.action_mistake()
        if not standing.ready:
            words = outlook.unplanned or f"This is {standing.words}."
            return composer.notify(words, severity="warning", markup=False)
        if draft.file is not None and not draft.changed:
            return self._write(Target(draft.file, replace=True), launch=True)
        self._ask_where(launch=True)

    def _ask_where(self, *, launch: bool) -> None:
        """Ask the store which sweeps came from files of this name, then the user for a path."""
        plan, draft = None if self.current is None else self.current.plan, self._composer.draft
        question = partial(relatives, plan, draft.file, draft.title)
        job = partial(self._asked, question, lambda: NOTHING_KNOWN)
        self._questions.work_out(self.answer_relatives, launch, job)

    def answer_relatives(self, about: bool, value: Relatives) -> None:
        """Open the window that asks where to save, and says what launching would begin."""
        draft, outlook, standing = self._composer.draft, self.outlook, self.standing
        words = []
        if about and outlook is not None and outlook.summary is not None:
            summary, begins = outlook.summary, f"{standing.words[:1].upper()}{standing.words[1:]}"
            words.append(f"{begins}; {plural(summary.trials, 'trial')}, {summary.at_once}.")
        if outlook is not None and standing.sweep is None and value.words:
            words.append(value.words)
        path = value.free(draft.file, Path.cwd() / f"{_file_name(draft.title)}.toml")
        mistakes = 0 if outlook is None else len(outlook.problems)
        dialog = SaveDialog(path, own=draft.file, what="\n".join(words), launch=about, mistakes=mistakes)
        open_window(self._app, dialog, partial(self._write, launch=about))

    def _write(self, target: Target | None, *, launch: bool) -> None:
        """In a thread: write the text, then launch it."""
        if target is None:
            return
        app, draft = self._app, self._composer.draft
        path, text = target.path, draft.text
        before = draft.saved if path == draft.file else None
        arguments = ["launch", str(path), *rank_options(draft.np, draft.gangs, draft.slots)]

        def job() -> str:
            write(path, text, replace=target.replace, before=before, database=app.source.path)
            app.call_from_thread(self._saved, path, text)
            if not launch:
                return f"Saved: {path}"
            words = app.launch(draft.title, arguments)
            app.call_from_thread(lambda: app.go("live", Selection(sweep=self.standing.sweep)))
            return words

        app.do(job)

    def _saved(self, path: Path, text: str) -> None:
        draft = self._composer.draft
        moved = draft.file != path
        draft.written(path, text)
        self.keep()
        self._composer.entitle()
        if moved:
            # The user's own modules are looked for in the file's folder.
            self.check()


def _file_name(title: str) -> str:
    """A name for a file from that of a sweep."""
    kept = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in title)
    return kept.strip("._") or "sweep"
