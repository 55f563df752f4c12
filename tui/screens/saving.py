"""Saving and launching the composed sweep: the path, the file, the process, and what happens to an earlier sweep of the file."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tui.composing.files import write
from tui.composing.relatives import NOTHING_KNOWN, Relatives, relatives
from tui.launching import rank_options
from tui.screens.checking import Checking
from tui.screens.starting import Starting
from tui.selection import Selection
from tui.widgets.composer import Composer
from tui.widgets.form_dialogs import SaveDialog, Target
from tui.widgets.window import open_window
from tui.words import plural


class Saving:
    """Writes the draft to a file that the user names, and launches it."""

    def __init__(self, composer: Composer, checking: Checking, starting: Starting) -> None:
        self._composer = composer
        self._checking = checking
        self._starting = starting

    def save(self) -> None:
        """Ask where to save."""
        self._composer.take()
        self._look_for_relatives(launch=False)

    def launch(self) -> None:
        """Save what is not saved, and launch; if there is a mistake, go there instead."""
        composer, standing = self._composer, self._checking.standing
        composer.take()
        outlook, draft = self._checking.current, composer.draft
        if outlook is None:
            return self._checking.afterwards(self.launch)
        if outlook.problems:
            composer.notify(
                f"{plural(len(outlook.problems), 'mistake')} to correct first.", severity="warning"
            )
            return composer.action_mistake()
        if not standing.ready:
            text = outlook.unplanned or f"This is {standing.words}."
            return composer.notify(text, severity="warning", markup=False)
        if draft.file is not None and not draft.changed:
            return self._write(Target(draft.file, replace=True), launch=True)
        self._look_for_relatives(launch=True)

    def _look_for_relatives(self, *, launch: bool) -> None:
        """Ask the store which sweeps came from files of this name, then the user for a path."""
        outlook, draft = self._checking.current, self._composer.draft
        if self._composer.interface.snapshot is None:
            return self.answer_relatives(launch, NOTHING_KNOWN)
        plan = None if outlook is None else outlook.plan
        question = partial(relatives, plan, draft.file, draft.title)
        self._composer.questions.ask(self.answer_relatives, launch, question)

    def answer_relatives(self, about: bool, value: Relatives) -> None:
        """Open the window that asks where to save, and says what launching would begin."""
        draft, outlook, standing = self._composer.draft, self._checking.outlook, self._checking.standing
        words = []
        if about and outlook is not None and outlook.summary is not None:
            summary, begins = outlook.summary, f"{standing.words[:1].upper()}{standing.words[1:]}"
            words.append(f"{begins}; {plural(summary.trials, 'trial')}, {summary.at_once}.")
        if outlook is not None and standing.sweep is None and value.words:
            words.append(value.words)
        path = value.free(draft.file, Path.cwd() / f"{_file_name(draft.title)}.toml")
        mistakes = 0 if outlook is None else len(outlook.problems)
        dialog = SaveDialog(path, own=draft.file, what="\n".join(words), launch=about, mistakes=mistakes)
        open_window(self._composer.interface, dialog, partial(self._write, launch=about))

    def _write(self, target: Target | None, *, launch: bool) -> None:
        """In a thread: write the text, then launch it."""
        if target is None:
            return
        app, draft = self._composer.interface, self._composer.draft
        path, text = target.path, draft.text
        before = draft.saved if path == draft.file else None
        arguments = ["launch", str(path), *rank_options(draft.np, draft.gangs, draft.slots)]

        def job() -> str:
            write(path, text, replace=target.replace, before=before, database=app.source.path)
            app.call_from_thread(self._saved, path, text)
            if not launch:
                return f"Saved: {path}"
            words = app.launch(draft.title, arguments)
            app.call_from_thread(self._launched)
            return words

        app.do(job)

    def _saved(self, path: Path, text: str) -> None:
        draft = self._composer.draft
        moved = draft.file != path
        draft.written(path, text)
        self._starting.keep()
        self._composer.entitle()
        if moved:
            # The user's own modules are looked for in the file's folder.
            self._checking.check()

    def _launched(self) -> None:
        self._composer.interface.go("live", Selection(sweep=self._checking.standing.sweep))


def _file_name(title: str) -> str:
    """A name for a file from that of a sweep."""
    kept = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in title)
    return kept.strip("._") or "sweep"
