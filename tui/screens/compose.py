"""Compose: a sweep as a form and as TOML, each of which changes the other; beside them its plan as one types; save and launch."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import on
from textual.message import Message
from textual.widgets import Button, Static

from tui.actions import bindings, conditions
from tui.composing.start import Start
from tui.composing.words import rank_options
from tui.launching import Pending
from tui.screens.compose_panes import ComposePanes
from tui.selection import Selection
from tui.widgets.form_rows import LineRow
from tui.words import plural

if TYPE_CHECKING:
    from tui.composing.offers import Entry
    from tui.widgets.form_dialogs import Target


class Saved(Message):
    """From a thread: the text is in a file."""

    def __init__(self, path: Path, text: str, launched: bool) -> None:
        super().__init__()
        self.path = path
        self.text = text
        self.launched = launched


class ComposeScreen(ComposePanes):
    """Form, plan and TOML, and a line with what can be done."""

    PLACE = "compose"
    HELPS = ("form", "choice", "table")
    BINDINGS = [  # noqa: RUF012
        *bindings("compose", "chart"),
        # Before the widgets: keys that arrive in a burst must reach the field that the key before went to.
        *(replace(binding, priority=True) for binding in bindings("form")),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._conditions |= conditions("form")

    # Lists

    @on(LineRow.Opened)
    def _list_wanted(self, message: LineRow.Opened) -> None:
        message.stop()
        from tui.composing.offers import Entry
        from tui.widgets.form_dialogs import ListDialog

        row = message.row
        if row.choices is None:
            return
        entries = [Entry(value, value, about) for value, about in row.choices()]

        def as_typed(text: str) -> Entry | None:
            """What no entry matches may still be a value."""
            listed = any(text.lower() in f"{entry.words} {entry.about}".lower() for entry in entries)
            return None if listed else Entry(text, text, "as typed")

        dialog = ListDialog(
            row.label.capitalize(),
            entries,
            current=row.text.strip(),
            free=as_typed,
        )
        self.app.push_screen(dialog, lambda value: row.take(value) if value is not None else None)

    def action_start_from(self) -> None:
        from tui.composing.offers import offers

        if not self._settled(self.action_start_from):
            return
        self._keep_now()
        self.work_out("offers", None, partial(offers, self._shelf, self._draft_id, self.snapshot))

    def answer_offers(self, about: object, value: list[Entry]) -> None:
        from tui.composing.offers import typed
        from tui.widgets.form_dialogs import ListDialog

        dialog = ListDialog(
            "Start from", value, hint="type to narrow the list, or the path of a file", free=typed
        )
        self.app.push_screen(dialog, self._start_from)

    def _start_from(self, value: str | None) -> None:
        if value is None:
            return
        kind, _, name = value.partition(":")
        if kind == "sweep":
            from tui.composing.start import stored

            self.ask("start", value, partial(stored, int(name)))
        else:
            from tui.composing.offers import taken

            self.work_out("start", value, partial(taken, self._shelf, value))

    def answer_start(self, about: object, value: Start) -> None:
        self.begin(value)
        self.query_one("#kept", Static).remove_class("-said")
        self.bring("form")
        self.set_focus(None)

    def failed(self, name: str, about: object, text: str) -> None:
        if name != "known":
            self.notify(text, severity="error", markup=False, timeout=15)

    def on_click(self, event: Any) -> None:
        if event.widget is not None and event.widget.id == "kept":
            self.action_start_from()

    # Saving and launching

    @on(Button.Pressed, "#start")
    def _start_pressed(self) -> None:
        self.action_start_from()

    @on(Button.Pressed, "#save")
    def _save_pressed(self) -> None:
        self.action_save()

    @on(Button.Pressed, "#launch")
    def _launch_pressed(self) -> None:
        self.action_launch()

    def action_save(self) -> None:
        if not self._settled(self.action_save):
            return
        self._ask_path(launch="")

    def action_launch(self) -> None:
        """Save, unless it is saved as it stands, and launch; where there is a mistake, go there instead."""
        if not self._settled(self.action_launch):
            return None
        outlook = self.outlook
        if outlook is None or outlook.inquiry != self._inquiry():
            self._then = self.action_launch
            return self._check()
        if outlook.problems:
            self.notify(f"{plural(len(outlook.problems), 'mistake')} to mend first.", severity="warning")
            return self.action_mistake()
        standing, ready = self._standing(outlook)
        if not ready or outlook.summary is None:
            return self.notify(outlook.unplanned or f"This is {standing}.", severity="warning", markup=False)
        if self.draft.file is not None and not self.draft.changed:
            return self._write(self.draft.file, replace=True, launch=True)
        summary = outlook.summary
        self._ask_path(
            launch=f"{standing[:1].upper()}{standing[1:]}; {plural(summary.trials, 'trial')}, {summary.at_once}."
        )

    def _ask_path(self, *, launch: str) -> None:
        from tui.widgets.form_dialogs import SaveDialog

        outlook = self.outlook
        path = self.draft.file or _free(Path.cwd() / f"{_file_name(self._title())}.toml")
        mistakes = 0 if outlook is None else len(outlook.problems)
        dialog = SaveDialog(path, own=self.draft.file, launch=launch, mistakes=mistakes)
        self.app.push_screen(dialog, partial(self._path_given, launch=bool(launch)))

    def _path_given(self, target: Target | None, *, launch: bool) -> None:
        if target is not None:
            self._write(target.path, replace=target.replace, launch=launch)

    def _write(self, path: Path, *, replace: bool, launch: bool) -> None:
        """In a thread: write the text, then launch it."""
        draft, text = self.draft, self.draft.text
        before = draft.saved if path == draft.file else None
        app, name = self.interface, self._title()
        arguments = [str(path), *rank_options(draft.np, draft.gangs, draft.slots)]

        def job() -> str:
            from tui.composing.files import write

            write(path, text, replace=replace, before=before)
            self.post_message(Saved(path, text, False))
            if not launch:
                return f"Saved: {path}"
            from tui import launching

            launched = launching.spawn_launch(app.source.path, arguments, partial(app.launch_ended, 0, name))
            app.pending = Pending(name, launched.pid)
            self.post_message(Saved(path, text, True))
            return f"{name} starts as process {launched.pid}; it says what it does in {launched.log}."

        app.do(job)

    def on_saved(self, message: Saved) -> None:
        message.stop()
        if message.launched:
            sweep = None if self.outlook is None else self._sweep(self.outlook)
            return self.interface.go("live", Selection(sweep=None if sweep is None else sweep.id))
        moved = self.draft.file != message.path
        self.draft.written(message.path, message.text)
        self._keep()
        self._entitle()
        if moved:
            # The user's own modules are looked for beside the file.
            self._check()


def _free(path: Path) -> Path:
    """`digits-2.toml` where there is a `digits.toml`: the next name that no file has."""
    number, stem = 1, path.stem
    while path.exists():
        number += 1
        path = path.with_name(f"{stem}-{number}{path.suffix}")
    return path


def _file_name(title: str) -> str:
    """A name for a file from that of a sweep."""
    kept = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in title)
    return kept.strip("._") or "sweep"
