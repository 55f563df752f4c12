"""Compose: a sweep as a form and as TOML, each of which changes the other; beside them its plan as one types; save and launch."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Input, Static, TextArea

from tui.actions import bindings, conditions
from tui.composing.start import Start
from tui.screens.draft_place import DraftPlace
from tui.selection import Selection
from tui.widgets.chart import ChartView
from tui.widgets.form import Form
from tui.widgets.form_editor import TomlEditor
from tui.widgets.form_outlook import OutlookView
from tui.widgets.form_row import FormRow
from tui.widgets.form_rows import LineRow
from tui.widgets.tabline import TabLine
from tui.words import plural

if TYPE_CHECKING:
    from tui.composing.offers import Entry
    from tui.widgets.form_dialogs import Target

PANES = {"form": "Form", "plan": "Plan", "toml": "TOML"}
"""Where there is room for one of them only, tabs name them."""


class Saved(Message):
    """From a thread: the text is in a file."""

    def __init__(self, path: Path, text: str, launched: bool) -> None:
        super().__init__()
        self.path = path
        self.text = text
        self.launched = launched


class ComposeScreen(DraftPlace):
    """Form, plan and TOML, and a line with what can be done."""

    PLACE = "compose"
    HELPS = ("form", "choice", "table")
    BINDINGS = [  # noqa: RUF012
        *bindings("compose", "chart"),
        # Before the widgets: keys that arrive in a burst must reach the field that the key before went to.
        *(replace(binding, priority=True) for binding in bindings("form")),
    ]
    DEFAULT_CSS = """
    ComposeScreen #tabs { display: none; }
    ComposeScreen #panes { height: 1fr; }
    ComposeScreen #form-pane { width: 61; height: 1fr; border-right: solid $border; }
    ComposeScreen #kept { height: auto; padding: 0 1; background: $surface; color: $warning; display: none; }
    ComposeScreen #kept.-said { display: block; }
    ComposeScreen #kept.-said:hover { text-style: underline; }
    ComposeScreen #guide { height: 2; padding: 0 1; color: $foreground-muted; background: $surface; }
    ComposeScreen #others { width: 1fr; height: 1fr; }
    ComposeScreen #plan-pane { height: 60%; }
    ComposeScreen #toml-pane {
        height: 1fr; border-top: solid $border; border-title-color: $primary; border-title-style: bold;
    }
    ComposeScreen #syntax { height: auto; padding: 0 1; background: $surface; color: $error; display: none; }
    ComposeScreen #syntax.-said { display: block; }
    ComposeScreen #bar { height: 1; background: $surface; }
    ComposeScreen #standing { width: 1fr; padding: 0 1; height: 1; }
    ComposeScreen #bar Button { margin: 0 0 0 1; min-width: 8; width: auto; padding: 0 1; }
    ComposeScreen Form:disabled { opacity: 50%; }
    ComposeScreen.-very-wide #others { layout: horizontal; }
    ComposeScreen.-very-wide #plan-pane { height: 1fr; width: 1fr; }
    ComposeScreen.-very-wide #toml-pane { height: 1fr; width: 1fr; border-top: none; border-left: solid $border; }

    ComposeScreen.-narrow #tabs, ComposeScreen.-tiny #tabs { display: block; }
    ComposeScreen.-narrow #form-pane, ComposeScreen.-tiny #form-pane, ComposeScreen.-full #form-pane,
    ComposeScreen.-narrow #plan-pane, ComposeScreen.-tiny #plan-pane, ComposeScreen.-full #plan-pane,
    ComposeScreen.-narrow #toml-pane, ComposeScreen.-tiny #toml-pane, ComposeScreen.-full #toml-pane {
        display: none; width: 1fr; height: 1fr; border: none;
    }
    ComposeScreen.-narrow #others, ComposeScreen.-tiny #others, ComposeScreen.-full #others { layout: vertical; }
    ComposeScreen.-narrow.-form #others, ComposeScreen.-tiny.-form #others, ComposeScreen.-full.-form #others {
        display: none;
    }
    ComposeScreen.-narrow.-form #form-pane, ComposeScreen.-tiny.-form #form-pane, ComposeScreen.-full.-form #form-pane,
    ComposeScreen.-narrow.-plan #plan-pane, ComposeScreen.-tiny.-plan #plan-pane, ComposeScreen.-full.-plan #plan-pane,
    ComposeScreen.-narrow.-toml #toml-pane, ComposeScreen.-tiny.-toml #toml-pane, ComposeScreen.-full.-toml #toml-pane {
        display: block;
    }
    ComposeScreen.-low #guide { display: none; }
    ComposeScreen.-tiny #standing { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._conditions |= conditions("form")
        self._left: Widget | None = None
        """The field that `esc` left."""
        self._front = "form"
        self.add_class("-form")

    def compose_body(self) -> ComposeResult:
        yield TabLine(list(PANES.items()), id="tabs")
        with Horizontal(id="panes"):
            with Vertical(id="form-pane"):
                yield Static(id="kept", markup=False)
                yield Form(id="form")
                yield Static(id="guide", markup=False)
            with Vertical(id="others"):
                yield OutlookView(id="plan-pane")
                with Vertical(id="toml-pane"):
                    yield TomlEditor(id="toml")
                    yield Static(id="syntax", markup=False)
        with Horizontal(id="bar"):
            yield Static(id="standing", markup=False)
            yield Button("Start from", id="start", compact=True)
            yield Button("Save", id="save", compact=True)
            yield Button("Launch", id="launch", variant="primary", compact=True)

    def on_mount(self) -> None:
        first = next(self.form.rows).first()
        if first is not None:
            self.set_focus(first)

    # Panes

    def _bring(self, name: str) -> None:
        if name != self._front:
            self._front = name
            for pane in PANES:
                self.set_class(pane == name, f"-{pane}")
            self.query_one("#tabs", TabLine).active = name

    def _target(self, name: str) -> Widget | None:
        if name == "toml":
            return self.editor
        if name == "plan":
            return self.query_one("#plan")
        row = next((row for row in self.form.rows if row.display), None)
        return None if row is None else row.first()

    def _pane_of(self, widget: Widget | None) -> str:
        """The pane that holds a widget."""
        ids = (
            []
            if widget is None
            else [node.id for node in widget.ancestors_with_self if isinstance(node, Widget)]
        )
        return next((name for name in PANES if f"{name}-pane" in ids), self._front)

    def action_pane(self) -> None:
        names = list(PANES)
        self._open(names[(names.index(self._pane_of(self.focused)) + 1) % len(names)])

    def _open(self, name: str) -> None:
        self._bring(name)
        if not (self.has_class("-narrow") or self.has_class("-tiny") or self.has_class("-full")):
            self._enter(name)
        else:
            # A pane that was away can have the keyboard once it is there.
            self.call_after_refresh(self._enter, name)

    def _enter(self, name: str) -> None:
        target = self._target(name)
        if target is not None:
            self.set_focus(target)

    @on(TabLine.Picked)
    def _tab_picked(self, message: TabLine.Picked) -> None:
        self._open(message.name)

    @on(FormRow.Focused)
    def _row_focused(self, message: FormRow.Focused) -> None:
        message.stop()
        self._say_guide()

    @property
    def chart(self) -> ChartView | None:
        view = self.query_one("#points", ChartView) if self.is_mounted else None
        return view if view is not None and view.has_focus else None

    @property
    def can_fill(self) -> bool:
        # In a line or in the editor the key would be a letter.
        typing = isinstance(self.focused, Input | TextArea)
        return not (self.has_class("-narrow") or self.has_class("-tiny") or typing)

    def fill(self) -> None:
        self._bring(self._pane_of(self.focused))
        self.toggle_class("-full")
        self.refresh_keys()

    @property
    def can_go_back(self) -> bool:
        return self.is_mounted and (
            self.has_class("-full")
            or isinstance(self.focused, Input | TextArea)
            or (self.chart is not None and self.chart.reading is not None)
        )

    def go_back(self) -> bool:
        if self.chart is not None and self.chart.unread():
            pass
        elif self.has_class("-full"):
            self.remove_class("-full")
        elif isinstance(self.focused, Input | TextArea):
            # The keys of the screen are letters and digits; Tab comes back to the field.
            self._left = self.focused
            self.set_focus(None)
        else:
            return False
        self.refresh_keys()
        return True

    @property
    def in_form(self) -> bool:
        """Whether the keyboard is in a field."""
        return self.is_mounted and self.form.current is not None

    @property
    def in_line(self) -> bool:
        """Whether it is in one that is typed into."""
        return isinstance(self.focused, Input) and self.in_form

    def action_row(self, way: int) -> None:
        self.form.move(way)

    def action_field(self, way: int) -> None:
        left, self._left = self._left, None
        if self.focused is None and left is not None and left.focusable:
            self.set_focus(left)
        elif way > 0:
            self.focus_next()
        else:
            self.focus_previous()

    def action_confirm(self) -> None:
        row = self.form.current
        if row is None or not row.confirm():
            self.focus_next()

    @property
    def has_mistake(self) -> bool:
        return self.outlook is not None and bool(self.outlook.problems)

    def action_mistake(self) -> None:
        if self.draft.tables is None:
            self._open("toml")
            if self.outlook is not None and self.outlook.place is not None:
                line, column = self.outlook.place
                self.editor.move_cursor((line - 1, column - 1))
            return
        row = self.form.first_wrong()
        widget = None if row is None else row.first()
        if widget is None:
            self._open("toml")
        else:
            self._bring("form")
            self.call_after_refresh(self.set_focus, widget)

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
        dialog = ListDialog(row.label.capitalize(), entries, current=row.text.strip())
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
        self._open("form")

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
        ranks = f"{plural(summary.gangs, 'trial')} at a time on {plural(summary.np, 'rank')} each"
        self._ask_path(
            launch=f"{standing[:1].upper()}{standing[1:]}; {plural(summary.trials, 'trial')}, {ranks}."
        )

    def _ask_path(self, *, launch: str) -> None:
        from tui.widgets.form_dialogs import SaveDialog

        outlook = self.outlook
        path = self.draft.file or Path.cwd() / f"{_file_name(self._title())}.toml"
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
        arguments = [str(path), "--np", draft.np.strip(), "--gangs", draft.gangs.strip()]

        def job() -> str:
            from tui.composing.files import write

            write(path, text, replace=replace, before=before)
            self.post_message(Saved(path, text, False))
            if not launch:
                return f"Saved: {path}"
            from tui import launching

            launched = launching.spawn_launch(app.source.path, arguments, partial(app.launch_ended, 0, name))
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


def _file_name(title: str) -> str:
    """A name for a file from that of a sweep."""
    kept = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in title)
    return kept.strip("._") or "sweep"
