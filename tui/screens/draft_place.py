"""A place that holds the draft of a sweep: form and text follow each other, the text is checked and kept as it is typed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Static, TextArea

from hvdsweep.store.status import SweepStatus
from tui.composing.draft import Draft
from tui.composing.kept import Shelf
from tui.composing.outlook import Guide, Inquiry, Outlook, guides, look, points_chart
from tui.composing.start import Start, template
from tui.screens.base import Place
from tui.snapshot import Snapshot
from tui.widgets.form import Form
from tui.widgets.form_editor import TomlEditor
from tui.widgets.form_options import OptionRows
from tui.widgets.form_outlook import OutlookView
from tui.widgets.form_row import FormRow
from tui.widgets.form_rows import LineRow, RanksRow
from tui.widgets.tabline import TabLine
from tui.words import count, plural

if TYPE_CHECKING:
    from hvdsweep.step_time import Speed
    from hvdsweep.store.store import Store

FREE = "↓ or tab goes to a field. There letters and digits are text; esc leaves it."
"""What stands in place of a field's meaning while none has the keyboard."""


class DraftPlace(Place):
    """The text is the truth. It is checked in a thread after every pause in typing, and kept in the state directory while it
    is unsaved. The panes are those of `ComposePanes`."""

    NEEDS_DATA = False
    REST: ClassVar[float] = 0.2
    """Seconds without a key before the text is checked."""

    def __init__(self) -> None:
        super().__init__()
        self.draft = Draft(template())
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

    def on_mount(self) -> None:
        self._shelf = Shelf(self.interface.state_directory)
        self.begin(template())
        self.work_out("guides", None, guides)
        self.work_out("kept", None, self._shelf.all)

    def on_unmount(self) -> None:
        self._keep_now()

    # What is composed

    @property
    def form(self) -> Form:
        return self.query_one(Form)

    @property
    def editor(self) -> TomlEditor:
        return self.query_one(TomlEditor)

    def begin(self, start: Start) -> None:
        """Compose from here on; what was composed before stays on the shelf if it was not saved."""
        self._keep_now()
        self.draft = Draft(start)
        self._draft_id = start.draft or self._shelf.new_id()
        self._on_shelf = start.draft is not None
        self.editor.begin(self.draft.text)
        self.query_one(OutlookView).clear()
        for key, text in (("np", start.np), ("gangs", start.gangs), ("slots", start.slots)):
            row = self.form.row(key)
            if isinstance(row, RanksRow):
                row.put(text)
        self._follow(all_rows=True)
        self._check()
        if start.remark:
            self.notify(start.remark, markup=False)

    def _follow(self, *, but: FormRow | None = None, all_rows: bool = False) -> None:
        """The form says what the text says; `but` is the row that just changed it (`Form.show`)."""
        readable = self.draft.tables is not None
        self.form.disabled = not readable
        if self.draft.tables is not None:
            self.form.show(self.draft.tables, but=but, all_rows=all_rows)
        self._entitle()

    def _entitle(self) -> None:
        """Say where the text is, and whether it is there as it stands."""
        draft = self.draft
        where = "no file yet" if draft.file is None else draft.file.name
        if draft.file is not None and draft.changed:
            where += ", not saved"
        self.query_one("#toml-pane").border_title = f"TOML · {where}"
        self.query_one("#tabs", TabLine).note = where

    @on(FormRow.Edited)
    def _edited(self, message: FormRow.Edited) -> None:
        message.stop()
        message.row.pending -= 1
        self._take_typed()
        if self.draft.edit(message.field, message.changes):
            if message.row.key == "algorithms":
                self.draft.add_momentum()
            self.editor.follow(self.draft.text)
            self._follow(but=message.row)
        else:
            self.notify("The text says this in its own way: change it in the TOML.", severity="warning")
            self._follow()
        self._soon()

    @on(FormRow.Left)
    def _left_row(self, message: FormRow.Left) -> None:
        message.stop()
        self._say_guide()
        row, tables = message.row, self.draft.tables
        if tables is not None and not (row.gone or row.typed_on or row.in_use):
            row.show(tables)

    @on(RanksRow.Typed)
    def _ranks(self, message: RanksRow.Typed) -> None:
        message.stop()
        message.row.pending -= 1
        setattr(self.draft, message.row.key, message.text)
        self._soon()

    @on(TextArea.Changed)
    def _retyped(self, event: TextArea.Changed) -> None:
        event.stop()
        if self._take_typed():
            self._soon()

    def _take_typed(self) -> bool:
        """Whether something was typed into the editor that the form does not know yet."""
        text = self.editor.text
        if text == self.draft.text:
            return False
        self.draft.retype(text)
        self._follow()
        return True

    @on(OptionRows.Arrived)
    def _options_arrived(self, message: OptionRows.Arrived) -> None:
        message.stop()
        if self.outlook is not None:
            self.form.mark(self.outlook.problems, self.outlook.warnings)

    # The check, in a thread

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
        self.work_out("outlook", inquiry, partial(look, inquiry))
        self._keep()

    def answer_outlook(self, about: Inquiry, value: Outlook) -> None:
        self.outlook = value
        self.form.mark(value.problems, value.warnings)
        self.form.facts(value.facts)
        for key, text in (
            ("name", value.name),
            ("studies.max_trials", value.max_trials),
        ):
            row = self.form.row(key)
            if isinstance(row, LineRow) and text:
                row.hint(text)
        self.editor.mark(
            [problem.key for problem in value.problems],
            [remark.key for remark in value.warnings],
            value.place,
        )
        syntax = self.query_one("#syntax", Static)
        said = value.problems[0].text if value.place is not None else ""
        syntax.update(said)
        syntax.set_class(bool(said), "-said")
        view = self.query_one(OutlookView)
        view.show(value)
        if view.study is not None:
            self._draw(*view.study)
        self._say_standing()
        if self._then is not None and value.inquiry == self._inquiry():
            then, self._then = self._then, None
            then()

    def answer_guides(self, about: object, value: dict[str, Guide]) -> None:
        self.form.guide(value)
        self._say_guide()

    @on(OutlookView.Wanted)
    def _study_wanted(self, message: OutlookView.Wanted) -> None:
        message.stop()
        self._draw(message.workload, message.batch_size)

    def _draw(self, workload: str, batch_size: int) -> None:
        study = self.outlook.study(workload, batch_size) if self.outlook is not None else None
        if study is not None:
            self.work_out("points", study.key, partial(points_chart, study))

    def answer_points(self, about: object, value: Any) -> None:
        self.query_one(OutlookView).draw(value)

    # What the store knows

    def show(self, snapshot: Snapshot) -> None:
        seen = [(sweep.id, sweep.live) for sweep in snapshot.sweeps]
        if seen != self._seen:
            self._seen = seen
            self.ask("known", None, _known)
        else:
            self._say_standing()

    def on_screen_resume(self) -> None:
        if self.snapshot is not None:
            self.ask("known", None, _known)

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
        verb = "extends" if wanted > sum(study.target_trials for study in sweep.studies) else "goes on with"
        return f"{verb} sweep {sweep.id}: {count(sweep.done)} of {plural(wanted, 'trial')} are trained", True

    def _say_standing(self) -> None:
        """The line beside the buttons."""
        outlook = self.outlook
        line = self.query_one("#standing", Static)
        if outlook is None:
            return line.update("")
        standing, ready = self._standing(outlook)
        if outlook.problems:
            said = plural(len(outlook.problems), "mistake")
            if outlook.place is not None:
                said = f"not TOML at line {outlook.place[0]}, column {outlook.place[1]}"
            line.update(
                Content.assemble((f"✗ {said}", "bold $error"), ("  ^n goes there", "$foreground-muted"))
            )
        elif outlook.unplanned:
            line.update(Content.styled(f"✗ {outlook.unplanned}", "$error"))
        else:
            line.update(
                Content.assemble(("✓ " if ready else "● ", "bold $success"), (standing, "$foreground"))
            )
        self.refresh_keys()

    def _say_guide(self) -> None:
        """What the reference says of the field with the keyboard."""
        row = self.form.current
        self.query_one("#guide", Static).update(
            row.meaning if row is not None else "" if self.typing else FREE
        )

    def _settled(self, then: Callable[[], object]) -> bool:
        """Whether all that was typed has come into the text; else `then` follows once it has."""
        if self.form.typed_on:
            self.call_after_refresh(then)
            return False
        self._take_typed()
        return True

    # The shelf

    def _title(self) -> str:
        outlook = self.outlook
        return outlook.name if outlook is not None and outlook.name else self.draft.name

    def _keep(self) -> None:
        """Keep what is not saved, in a thread."""
        if self.draft.changed:
            self._on_shelf = True
            self.work_out(
                "keep", None, partial(self._shelf.keep, self._draft_id, self.draft.start(), self._title())
            )
        elif self._on_shelf:
            self._on_shelf = False
            self.work_out("keep", None, partial(self._shelf.drop, self._draft_id))

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


def _known(reader: Store) -> tuple[tuple[Speed, ...], dict[str, int]]:
    return tuple(reader.throughput()), {sweep.key: sweep.id for sweep in reader.sweeps()}
