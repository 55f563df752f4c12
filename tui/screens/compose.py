"""Compose: a sweep as a form and as TOML, each of which edits the other; its plan while you type; save and launch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.timer import Timer
from textual.widgets import Button, Input, Static

from tui.actions import bindings, conditions
from tui.composing.draft import Draft
from tui.composing.draft_store import DraftStore, OpenDraft
from tui.composing.outlook import Inquiry, Outlook, look
from tui.composing.relatives import NOTHING_KNOWN, Relatives, known, relatives
from tui.composing.standing import Standing, standing_of
from tui.composing.start import Start, template
from tui.questions import Then
from tui.screens.base import AppScreen
from tui.screens.saving import ask_path, write
from tui.selection import Selection
from tui.snapshot import Snapshot
from tui.widgets.chart import ChartView
from tui.widgets.composer import Composer
from tui.widgets.form import Form
from tui.widgets.form_dialogs import Target
from tui.widgets.form_editor import TomlEditor
from tui.widgets.form_rows import LineRow
from tui.widgets.typing import Field
from tui.words import plural

if TYPE_CHECKING:
    from hvdsweep.step_time import Speed
    from tui.composing.offers import Entry


class ComposeScreen(AppScreen):
    """Checks the draft in a thread after every pause in typing, and keeps it in the state directory until it is saved."""

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
        self.composer = Composer(self.questions, id="composer")
        self.outlook: Outlook | None = None
        """The latest result of the check; it may be about an earlier text."""
        self._drafts = DraftStore(None)
        self._open: OpenDraft | None = None
        self._timer: Timer | None = None
        self._speeds: tuple[Speed, ...] = ()
        self._known: dict[str, int] = {}
        """Key of a sweep of the store -> its id."""
        self._seen: object = None
        self._then: Callable[[], object] | None = None
        """What the user asked for while the check was running."""

    def compose_body(self) -> ComposeResult:
        yield self.composer

    def on_mount(self) -> None:
        self._drafts = DraftStore(self.interface.state_directory)
        self.begin(template())
        self.work_out(self.answer_kept, None, self._drafts.all)

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
        """Compose from here on; what was composed before is kept if it was not saved."""
        self._keep_now()
        self.composer.begin(start)
        self._open = OpenDraft(self._drafts, start)
        self._check()
        if start.remark:
            self.notify(start.remark, markup=False)

    # The check, in a thread

    @on(Composer.Changed)
    def _soon(self) -> None:
        """Check once the user pauses."""
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
        self._say_standing()
        if self._then is not None and value.inquiry == self._inquiry():
            then, self._then = self._then, None
            then()

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

    @property
    def standing(self) -> Standing:
        """What launching this would begin."""
        return (
            standing_of(self.outlook, self.snapshot, self._known) if self.outlook is not None else Standing()
        )

    def _say_standing(self) -> None:
        """The line at the left of the buttons."""
        if self.outlook is not None:
            self.composer.say_standing(self.outlook, self.standing)
            self.refresh_keys()

    # The drafts

    def _title(self) -> str:
        return self.outlook.name if self.outlook is not None and self.outlook.name else self.draft.name

    def _keep(self) -> None:
        """Keep what is not saved, in a thread."""
        if (job := self._keeping()) is not None:
            self.work_out(self.answer_keep, None, job)

    def _keeping(self) -> Callable[[], None] | None:
        return None if self._open is None else self._open.kept(self.draft, self._title())

    def answer_keep(self, about: object, value: None) -> None:
        """Nothing is shown of it."""

    def _keep_now(self) -> None:
        """Keep it before it goes out of view."""
        if (job := self._keeping()) is not None:
            job()

    def answer_kept(self, about: object, value: list[Any]) -> None:
        drafts = [kept for kept in value if self._open is None or kept.id != self._open.id]
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
            row.open_list()
        else:
            self.focus_next()

    def action_mistake(self) -> None:
        self.composer.go_to_mistake()

    # Another start

    @on(Button.Pressed, "#start")
    def action_start_from(self) -> None:
        from tui.composing.offers import offers

        self.composer.take()
        self._keep_now()
        current = "" if self._open is None else self._open.id
        self.work_out(self.answer_offers, None, partial(offers, self._drafts, current, self.snapshot))

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
                self.answer_start, value, partial(taken, self._drafts, str(value), self.interface.source.path)
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
        lines = plural(len(start.text.splitlines()), "line")
        text = f"A whole TOML file was pasted ({lines}). Load it in place of this sweep?"
        if self.draft.changed:
            text += " This draft is kept; Start from lists it."
        dialog = Confirm("Load the pasted file", text, "Load")
        self.app.push_screen(dialog, lambda yes: self.answer_start(None, start) if yes else None)

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
        """Save what is not saved, and launch; where there is a mistake, go there instead."""
        self.composer.take()
        outlook = self.outlook
        if outlook is None or outlook.inquiry != self._inquiry():
            self._then = self.action_launch
            return self._check()
        if outlook.problems:
            self.notify(f"{plural(len(outlook.problems), 'mistake')} to correct first.", severity="warning")
            return self.action_mistake()
        if not self.standing.ready:
            text = outlook.unplanned or f"This is {self.standing.words}."
            return self.notify(text, severity="warning", markup=False)
        if self.draft.file is not None and not self.draft.changed:
            return self._path_given(Target(self.draft.file, replace=True), launch=True)
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
        then = partial(self._path_given, launch=launch)
        title, standing = self._title(), self.standing
        ask_path(
            self.interface, self.draft, title, self.outlook, standing, relatives, launch=launch, then=then
        )

    def _path_given(self, target: Target | None, *, launch: bool) -> None:
        if target is not None:
            launched = self._launched if launch else None
            write(self.interface, self.draft, self._title(), target, saved=self._saved, launched=launched)

    def _launched(self) -> None:
        self.interface.go("live", Selection(sweep=self.standing.sweep))

    def _saved(self, path: Path, text: str) -> None:
        moved = self.draft.file != path
        self.draft.written(path, text)
        self._keep()
        self.composer.entitle()
        if moved:
            # The user's own modules are looked for in the file's folder.
            self._check()
