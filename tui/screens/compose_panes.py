"""The panes of the Compose screen: form, plan and TOML, all at once or one at a time, and the keyboard's way through them."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Button, Input, Static, TextArea

from tui.screens.draft_place import DraftPlace
from tui.widgets.chart import ChartView
from tui.widgets.form import Form
from tui.widgets.form_editor import TomlEditor
from tui.widgets.form_outlook import OutlookView
from tui.widgets.form_row import FormRow
from tui.widgets.tabline import TabLine

PANES = {"form": "Form", "plan": "Plan", "toml": "TOML"}
"""Where there is room for one of them only, tabs name them."""


class ComposePanes(DraftPlace):
    """Form at the left, plan and TOML at the right; where there is little room, one of them under tabs; buttons below."""

    DEFAULT_CSS = """
    ComposePanes #tabs { display: none; }
    ComposePanes #panes { height: 1fr; }
    ComposePanes #form-pane { width: 61; height: 1fr; border-right: solid $border; }
    ComposePanes #kept { height: auto; padding: 0 1; background: $surface; color: $warning; display: none; }
    ComposePanes #kept.-said { display: block; }
    ComposePanes #kept.-said:hover { text-style: underline; }
    ComposePanes #guide { height: 2; padding: 0 1; color: $foreground-muted; background: $surface; }
    ComposePanes #others { width: 1fr; height: 1fr; }
    ComposePanes #plan-pane { height: 60%; }
    ComposePanes #toml-pane {
        height: 1fr; border-top: solid $border; border-title-color: $primary; border-title-style: bold;
    }
    ComposePanes #syntax { height: auto; padding: 0 1; background: $surface; color: $error; display: none; }
    ComposePanes #syntax.-said { display: block; }
    ComposePanes #bar { height: 1; background: $surface; }
    ComposePanes #standing { width: 1fr; padding: 0 1; height: 1; }
    ComposePanes #bar Button { margin: 0 0 0 1; min-width: 8; width: auto; padding: 0 1; }
    ComposePanes Form:disabled { opacity: 50%; }
    ComposePanes.-very-wide #others { layout: horizontal; }
    ComposePanes.-very-wide #plan-pane { height: 1fr; width: 1fr; }
    ComposePanes.-very-wide #toml-pane { height: 1fr; width: 1fr; border-top: none; border-left: solid $border; }

    ComposePanes.-narrow #tabs, ComposePanes.-tiny #tabs { display: block; }
    ComposePanes.-narrow #form-pane, ComposePanes.-tiny #form-pane, ComposePanes.-full #form-pane,
    ComposePanes.-narrow #plan-pane, ComposePanes.-tiny #plan-pane, ComposePanes.-full #plan-pane,
    ComposePanes.-narrow #toml-pane, ComposePanes.-tiny #toml-pane, ComposePanes.-full #toml-pane {
        display: none; width: 1fr; height: 1fr; border: none;
    }
    ComposePanes.-narrow #others, ComposePanes.-tiny #others, ComposePanes.-full #others { layout: vertical; }
    ComposePanes.-narrow.-form #others, ComposePanes.-tiny.-form #others, ComposePanes.-full.-form #others {
        display: none;
    }
    ComposePanes.-narrow.-form #form-pane, ComposePanes.-tiny.-form #form-pane, ComposePanes.-full.-form #form-pane,
    ComposePanes.-narrow.-plan #plan-pane, ComposePanes.-tiny.-plan #plan-pane, ComposePanes.-full.-plan #plan-pane,
    ComposePanes.-narrow.-toml #toml-pane, ComposePanes.-tiny.-toml #toml-pane, ComposePanes.-full.-toml #toml-pane {
        display: block;
    }
    ComposePanes.-low #guide { display: none; }
    ComposePanes.-tiny #standing { display: none; }
    """

    AUTO_FOCUS = ""  # Digits and letters are keys of the screen until somebody goes to a field.

    def __init__(self) -> None:
        super().__init__()
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

    # Panes

    def bring(self, name: str) -> None:
        """Put a pane in front, where one of them only is seen."""
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
        self.open(names[(names.index(self._pane_of(self.focused)) + 1) % len(names)])

    def open(self, name: str) -> None:
        """The same, and give it the keyboard."""
        self.bring(name)
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
        self.open(message.name)

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
        self.bring(self._pane_of(self.focused))
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
            self.leave_field()
        else:
            return False
        self.refresh_keys()
        return True

    def leave_field(self) -> None:
        if self.typing:
            self._left = self.focused
        super().leave_field()

    def _return(self) -> bool:
        """Go to the field that was left, or to the first one, unless something has the keyboard."""
        if self.focused is not None:
            return False
        left, self._left = self._left, None
        target = left if left is not None and left.focusable else self._target(self._front)
        self.set_focus(target)
        return True

    @property
    def in_form(self) -> bool:
        """Whether the keyboard is in the form, or free to go there."""
        return self.is_mounted and (self.form.current is not None or self.focused is None)

    @property
    def in_line(self) -> bool:
        """Whether it is in one that is typed into."""
        return (isinstance(self.focused, Input) or self.focused is None) and self.in_form

    def action_row(self, way: int) -> None:
        if not self._return():
            self.form.move(way)

    def action_field(self, way: int) -> None:
        if self._return():
            return
        if way > 0:
            self.focus_next()
        else:
            self.focus_previous()

    def action_confirm(self) -> None:
        if self._return():
            return
        row = self.form.current
        if row is None or not row.confirm():
            self.focus_next()

    @property
    def has_mistake(self) -> bool:
        return self.outlook is not None and bool(self.outlook.problems)

    def action_mistake(self) -> None:
        if self.draft.tables is None:
            self.open("toml")
            if self.outlook is not None and self.outlook.place is not None:
                line, column = self.outlook.place
                self.editor.move_cursor((line - 1, column - 1))
            return
        row = self.form.first_wrong()
        widget = None if row is None else row.first()
        if widget is None:
            self.open("toml")
        else:
            self.bring("form")
            self.call_after_refresh(self.set_focus, widget)
