"""Compose: a sweep as a form and as TOML, each of which changes the other; its plan as one types; save and launch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Button, Input, Static

from hvdsweep.store.status import SweepStatus
from tui.actions import bindings, conditions
from tui.composing.draft import Draft
from tui.composing.kept import Shelf
from tui.composing.outlook import Inquiry, Outlook, look, points_chart
from tui.composing.relatives import NOTHING_KNOWN, Relatives, known, relatives
from tui.composing.start import Start, template
from tui.composing.words import rank_options
from tui.launching import Pending
from tui.screens.base import Place, Then
from tui.selection import Selection
from tui.snapshot import Snapshot
from tui.widgets.chart import ChartView
from tui.widgets.composer import Composer
from tui.widgets.form import Form
from tui.widgets.form_editor import TomlEditor
from tui.widgets.form_outlook import OutlookView
from tui.widgets.form_row import Choice
from tui.widgets.form_rows import LineRow
from tui.widgets.typing import Field
from tui.words import count, plural

if TYPE_CHECKING:
    from hvdsweep.step_time import Speed
    from tui.composing.offers import Entry
    from tui.widgets.form_dialogs import Target


class Saved(Message):
    """From a thread: the text is in a file."""

    def __init__(self, path: Path, text: str, launched: bool) -> None:
        super().__init__()
        self.path = path
        self.text = text
        self.launched = launched


class ComposeScreen(Place):
    """The text is the truth. It is checked in a thread after every pause in typing, and kept in the state directory while it
    is unsaved."""

    PLACE = "compose"
    HELPS = ("form", "choice", "table")
    NEEDS_DATA = False
    REST: ClassVar[float] = 0.2
    """Seconds without a key before the text is checked."""
    AUTO_FOCUS = ""  # Digits and letters are keys of the screen until somebody goes to a field.
    BINDINGS = [  # noqa: RUF012
        *bindings("compose", "chart"),
        # Before the widgets: keys that arrive in a burst must reach the field that the key before went to.
        *(replace(binding, priority=True) for binding in bindings("form")),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._conditions |= conditions("form")
        self.composer = Composer(id="composer")
        self.outlook: Outlook | None = None
        """What the check said last; it may be about an earlier text."""
        self._shelf = Shelf(None)
        self._draft_id = ""
        self._on_shelf = False
        self._timer: Timer | None = None
        self._speeds: tuple[Speed, ...] = ()
        self._known: dict[str, int] = {}
        """Key of a sweep of the store -> its id."""
        self._seen: object = None
        self._then: Callable[[], object] | None = None
        """What was asked for while the check was under way."""

    def compose_body(self) -> ComposeResult:
        yield self.composer

    def on_mount(self) -> None:
        self._shelf = Shelf(self.interface.state_directory)
        self.begin(template())
        self.work_out(self.answer_kept, None, self._shelf.all)

    def on_unmount(self) -> None:
        self._keep_now()

    @property
    def draft(self) -> Draft:
        return self.composer.draft

    @property
    def form(self) -> Form:
        return self.composer.form

    @property
    def editor(self) -> TomlEditor:
        return self.composer.editor

    def begin(self, start: Start) -> None:
        """Compose from here on; what was composed before stays on the shelf if it was not saved."""
        self._keep_now()
        self.composer.begin(start)
        self._draft_id = start.draft or self._shelf.new_id()
        self._on_shelf = start.draft is not None
        self._check()
        if start.remark:
            self.notify(start.remark, markup=False)

    # The check, in a thread

    @on(Composer.Changed)
    def _soon(self) -> None:
        """Check once the reader pauses."""
        if self._timer is not None:
            self._timer.stop()
        if self.REST > 0:
            self._timer = self.set_timer(self.REST, self._check)
        else:
            self._check()

    def _inquiry(self) -> Inquiry:
        draft = self.draft
        return Inquiry(
            draft.text, draft.directory, draft.name, draft.np, draft.gangs, self._speeds, draft.slots
        )

    def _check(self) -> None:
        inquiry = self._inquiry()
        self.work_out(self.answer_outlook, inquiry, partial(look, inquiry))
        self._keep()

    def answer_outlook(self, about: Inquiry, value: Outlook) -> None:
        self.outlook = value
        self.composer.judge(value)
        view = self.query_one(OutlookView)
        if view.study is not None:
            self._draw(*view.study)
        self._say_standing()
        if self._then is not None and value.inquiry == self._inquiry():
            then, self._then = self._then, None
            then()

    @on(OutlookView.Wanted)
    def _study_wanted(self, message: OutlookView.Wanted) -> None:
        message.stop()
        self._draw(message.workload, message.batch_size)

    def _draw(self, workload: str, batch_size: int) -> None:
        study = self.outlook.study(workload, batch_size) if self.outlook is not None else None
        if study is not None:
            self.work_out(self.answer_points, study.key, partial(points_chart, study))

    def answer_points(self, about: object, value: Any) -> None:
        self.query_one(OutlookView).draw(value)

    # What the store knows

    def show(self, snapshot: Snapshot) -> None:
        seen = [(sweep.id, sweep.live) for sweep in snapshot.sweeps]
        if seen != self._seen:
            self._seen = seen
            self.ask(self.answer_known, None, known)
        else:
            self._say_standing()

    def on_screen_resume(self) -> None:
        if self.snapshot is not None:
            self.ask(self.answer_known, None, known)

    def answer_known(self, about: object, value: tuple[tuple[Speed, ...], dict[str, int]]) -> None:
        speeds, self._known = value
        if speeds != self._speeds:
            self._speeds = speeds
            self._check()
        elif self.outlook is not None:
            self._say_standing()

    def _sweep(self, outlook: Outlook) -> SweepStatus | None:
        """The sweep of the store that launching this would go on with."""
        if outlook.plan is None or self.snapshot is None:
            return None
        return self.snapshot.sweep(self._known.get(outlook.plan.key))

    def _standing(self, outlook: Outlook) -> tuple[str, bool]:
        """What launching this would begin or go on with, and whether it can be launched now."""
        if not outlook.sound or outlook.plan is None:
            return "", False
        sweep = self._sweep(outlook)
        if sweep is None:
            return "a new sweep", True
        if sweep.live:
            return f"sweep {sweep.id}, which is being trained now", False
        wanted = sum(study.target_trials for study in outlook.plan.studies)
        verb = "extends" if wanted > sum(study.target_trials for study in sweep.studies) else "resumes"
        return f"{verb} sweep {sweep.id}: {count(sweep.done)} of {plural(wanted, 'trial')} are trained", True

    def _say_standing(self) -> None:
        """The line beside the buttons."""
        outlook = self.outlook
        if outlook is None:
            return
        standing, ready = self._standing(outlook)
        if outlook.problems:
            said = plural(len(outlook.problems), "mistake")
            if outlook.place is not None:
                said = f"not TOML at line {outlook.place[0]}, column {outlook.place[1]}"
            words = Content.assemble((f"✗ {said}", "bold $error"), ("  ^n goes there", "$foreground-muted"))
        elif outlook.unplanned:
            words = Content.styled(f"✗ {outlook.unplanned}", "$error")
        else:
            words = Content.assemble(("✓ " if ready else "● ", "bold $success"), (standing, "$foreground"))
        self.query_one("#standing", Static).update(words)
        self.refresh_keys()

    # The shelf

    def _title(self) -> str:
        return self.outlook.name if self.outlook is not None and self.outlook.name else self.draft.name

    def _keep(self) -> None:
        """Keep what is not saved, in a thread."""
        if self.draft.changed:
            job = partial(self._shelf.keep, self._draft_id, self.draft.start(), self._title())
        elif self._on_shelf:
            job = partial(self._shelf.drop, self._draft_id)
        else:
            return
        self._on_shelf = self.draft.changed
        self.work_out(self.answer_keep, None, job)

    def answer_keep(self, about: object, value: None) -> None:
        """Nothing is to be said of it."""

    def _keep_now(self) -> None:
        """Keep it before it goes out of view."""
        if self._draft_id and self.draft.changed:
            self._shelf.keep(self._draft_id, self.draft.start(), self._title())

    def answer_kept(self, about: object, value: list[Any]) -> None:
        drafts = [kept for kept in value if kept.id != self._draft_id]
        line = self.query_one("#kept", Static)
        line.update(f"{plural(len(drafts), 'unsaved draft')} from before: ^o opens the list")
        line.set_class(bool(drafts), "-said")

    def on_click(self, event: Any) -> None:
        if event.widget is not None and event.widget.id == "kept":
            self.action_start_from()

    # Panes and keys

    @property
    def chart(self) -> ChartView | None:
        view = self.query_one("#points", ChartView) if self.is_mounted else None
        return view if view is not None and view.has_focus else None

    @property
    def can_fill(self) -> bool:
        # In a line or in the editor the key would be a letter.
        return self.is_mounted and self.composer.can_fill and not self.typing

    def fill(self) -> None:
        self.composer.fill(not self.composer.full)
        self.refresh_keys()

    @property
    def can_go_back(self) -> bool:
        chart = self.chart
        return self.is_mounted and (
            self.composer.full or self.typing or (chart is not None and chart.reading is not None)
        )

    def go_back(self) -> bool:
        if self.chart is not None and self.chart.unread():
            pass
        elif self.composer.full:
            self.composer.fill(False)
        elif self.typing:
            # The keys of the screen are letters and digits; Tab comes back to the field.
            self.leave_field()
        else:
            return False
        self.refresh_keys()
        return True

    def leave_field(self) -> None:
        if self.typing:
            self.composer.left(self.focused)
        super().leave_field()

    def on_descendant_focus(self) -> None:
        super().on_descendant_focus()
        self.composer.say_guide()

    @property
    def in_form(self) -> bool:
        """Whether the keyboard is in the form, or free to go there."""
        return self.is_mounted and (self.focused is None or self.form in self.focused.ancestors)

    @property
    def in_line(self) -> bool:
        """Whether it is in one that is typed into."""
        return self.in_form and isinstance(self.focused, Input | None)

    @property
    def has_mistake(self) -> bool:
        return self.outlook is not None and bool(self.outlook.problems)

    def action_pane(self) -> None:
        self.composer.next_pane()

    def action_row(self, way: int) -> None:
        if not self.composer.enter_again():
            self.form.move(way)

    def action_field(self, way: int) -> None:
        if not self.composer.enter_again():
            (self.focus_next if way > 0 else self.focus_previous)()

    def action_confirm(self) -> None:
        if self.composer.enter_again():
            return
        row = self.form.current
        if isinstance(row, LineRow) and row.choices:
            self._open_list(row)
        else:
            self.focus_next()

    def action_mistake(self) -> None:
        self.composer.go_to_mistake()

    # Lists

    @on(LineRow.Opened)
    def _list_wanted(self, message: LineRow.Opened) -> None:
        message.stop()
        self._open_list(message.row)

    @on(Choice.Opened)
    def _choice_opened(self, message: Choice.Opened) -> None:
        from tui.composing.offers import Entry
        from tui.widgets.form_dialogs import ListDialog

        message.stop()
        choice = message.choice
        dialog = ListDialog("Choose", [Entry(word, word) for word in choice.words], current=choice.word)
        self.app.push_screen(dialog, lambda word: setattr(choice, "word", word) if word is not None else None)

    def _open_list(self, row: LineRow) -> None:
        from tui.composing.offers import Entry
        from tui.widgets.form_dialogs import ListDialog

        entries = [Entry(value, value, about) for value, about in row.choices]

        def as_typed(text: str) -> Entry | None:
            """What no entry matches may still be a value."""
            listed = any(text.lower() in f"{entry.words} {entry.about}".lower() for entry in entries)
            return None if listed else Entry(text, text, "as typed")

        title = row.spec.label.strip().capitalize()
        dialog = ListDialog(title, entries, current=row.field.value.strip(), free=as_typed)
        self.app.push_screen(dialog, lambda value: row.choose(value) if value is not None else None)

    @on(Button.Pressed, "#start")
    def action_start_from(self) -> None:
        from tui.composing.offers import offers

        self.composer.take()
        self._keep_now()
        self.work_out(self.answer_offers, None, partial(offers, self._shelf, self._draft_id, self.snapshot))

    def answer_offers(self, about: object, value: list[Entry]) -> None:
        from tui.composing.offers import typed
        from tui.widgets.form_dialogs import ListDialog

        hint = "type to narrow the list, or the path of a file"
        self.app.push_screen(ListDialog("Start from", value, hint=hint, free=typed), self._start_from)

    def _start_from(self, value: str | None) -> None:
        kind, _, name = (value or "").partition(":")
        if kind == "sweep":
            from tui.composing.start import stored

            self.ask(self.answer_start, value, partial(stored, int(name)))
        elif kind:
            from tui.composing.offers import taken

            self.work_out(
                self.answer_start, value, partial(taken, self._shelf, str(value), self.interface.source.path)
            )

    def answer_start(self, about: object, value: Start) -> None:
        self.begin(value)
        self.query_one("#kept", Static).remove_class("-said")
        self.composer.bring("form")
        self.set_focus(None)

    @on(Field.FilePasted)
    def _file_pasted(self, message: Field.FilePasted) -> None:
        from tui.screens.dialogs import Confirm

        message.stop()
        start = Start(message.text.removeprefix("\ufeff"), name=self.draft.name)
        text = f"A whole TOML file was pasted ({plural(len(start.text.splitlines()), 'line')}). Load it in place of this sweep?"
        if self.draft.changed:
            text += " This draft is kept, and stays in the list of Start from."
        self.app.push_screen(
            Confirm("Load what was pasted", text, "Load"),
            lambda yes: self.answer_start(None, start) if yes else None,
        )

    def failed(self, then: Then, about: object, text: str) -> None:
        if then == self.answer_relatives:
            return self._ask_path(NOTHING_KNOWN, launch=bool(about))
        if then != self.answer_known:
            self.notify(text, severity="error", markup=False, timeout=15)

    # Saving and launching

    @on(Button.Pressed, "#save")
    def action_save(self) -> None:
        self.composer.take()
        self._look_for_relatives(launch=False)

    @on(Button.Pressed, "#launch")
    def action_launch(self) -> None:
        """Save, unless it is saved as it stands, and launch; where there is a mistake, go there instead."""
        self.composer.take()
        outlook = self.outlook
        if outlook is None or outlook.inquiry != self._inquiry():
            self._then = self.action_launch
            return self._check()
        if outlook.problems:
            self.notify(f"{plural(len(outlook.problems), 'mistake')} to correct first.", severity="warning")
            return self.action_mistake()
        standing, ready = self._standing(outlook)
        if not ready:
            return self.notify(outlook.unplanned or f"This is {standing}.", severity="warning", markup=False)
        if self.draft.file is not None and not self.draft.changed:
            return self._write(self.draft.file, replace=True, launch=True)
        self._look_for_relatives(launch=True)

    def _look_for_relatives(self, *, launch: bool) -> None:
        """Ask the store which sweeps came from files of this name, then the user for a path."""
        outlook = self.outlook
        plan = outlook.plan if outlook is not None and outlook.inquiry == self._inquiry() else None
        if self.snapshot is None:
            return self._ask_path(NOTHING_KNOWN, launch=launch)
        self.ask(self.answer_relatives, launch, partial(relatives, plan, self.draft.file, self._title()))

    def answer_relatives(self, about: object, value: Relatives) -> None:
        self._ask_path(value, launch=bool(about))

    def _ask_path(self, relatives: Relatives, *, launch: bool) -> None:
        from tui.widgets.form_dialogs import SaveDialog

        outlook = self.outlook
        path = relatives.free(self.draft.file, Path.cwd() / f"{_file_name(self._title())}.toml")
        what = ""
        if launch and outlook is not None and outlook.summary is not None:
            standing, summary = self._standing(outlook)[0], outlook.summary
            what = (
                f"{standing[:1].upper()}{standing[1:]}; {plural(summary.trials, 'trial')}, {summary.at_once}."
            )
        if outlook is not None and self._sweep(outlook) is None:
            what = "\n".join(part for part in (what, relatives.words) if part)
        mistakes = 0 if outlook is None else len(outlook.problems)
        dialog = SaveDialog(path, own=self.draft.file, what=what, launch=launch, mistakes=mistakes)
        self.app.push_screen(dialog, partial(self._path_given, launch=launch))

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

            write(path, text, replace=replace, before=before, database=app.source.path)
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
        self.composer.entitle()
        if moved:
            # The user's own modules are looked for beside the file.
            self._check()


def _file_name(title: str) -> str:
    """A name for a file from that of a sweep."""
    kept = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in title)
    return kept.strip("._") or "sweep"
