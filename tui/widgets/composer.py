"""The panes of Compose: form, plan and TOML of one draft, all at once or one at a time. Keeps form and text in step."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Checkbox, Input, Static, TextArea

from tui.composing.draft import Draft
from tui.composing.outlook import Outlook
from tui.composing.relatives import Standing
from tui.composing.start import template
from tui.widgets.form import Form
from tui.widgets.form_editor import TomlEditor
from tui.widgets.form_outlook import OutlookView
from tui.widgets.form_row import Choice, FormRow
from tui.widgets.tabline import TabLine
from tui.words import plural

if TYPE_CHECKING:
    from tui.interface import Interface

PANES = {"form": "Form", "plan": "Plan", "toml": "TOML"}
"""Where there is room for one of them only, tabs name them."""

FREE = "↓ or tab goes to a field. There letters and digits are text; esc leaves it."
"""Shown instead of a field's meaning while no field has the keyboard."""


class Composer(Vertical):
    """Form at the left, plan and TOML at the right; if there is little room, one of them under tabs; buttons below."""

    DEFAULT_CSS = """
    Composer #tabs { display: none; }
    Composer #panes { height: 1fr; }
    Composer #form-pane { width: 61; height: 1fr; border-right: solid $border; }
    Composer #kept { width: 1fr; content-align: left middle; text-align: left; text-style: none; }
    Composer #kept { background: $surface; color: $warning; display: none; }
    Composer #kept.-said { display: block; }
    Composer #kept.-said:hover, Composer #kept:focus { text-style: underline; }
    Composer #guide { height: 3; padding: 0 1; color: $foreground-muted; background: $surface; }
    Composer #others { width: 1fr; height: 1fr; }
    Composer #plan-pane { height: 60%; }
    Composer #toml-pane { height: 1fr; border-top: solid $border; border-title-color: $primary; border-title-style: bold; }
    Composer #syntax { height: auto; padding: 0 1; background: $surface; color: $error; display: none; }
    Composer #syntax.-said { display: block; }
    Composer #bar { height: 1; background: $surface; }
    Composer #standing { width: 1fr; padding: 0 1; height: 1; }
    Composer #bar Button { margin: 0 0 0 1; min-width: 8; width: auto; padding: 0 1; }
    Composer Form:disabled { opacity: 50%; }
    Composer.-very-wide #others { layout: horizontal; }
    Composer.-very-wide #plan-pane { height: 1fr; width: 1fr; }
    Composer.-very-wide #toml-pane { height: 1fr; width: 1fr; border-top: none; border-left: solid $border; }
    Composer.-narrow #tabs, Composer.-tiny #tabs { display: block; }
    Composer.-single #form-pane, Composer.-single #plan-pane, Composer.-single #toml-pane {
        display: none; width: 1fr; height: 1fr; border: none;
    }
    Composer.-single #others { layout: vertical; }
    Composer.-single.-form #others { display: none; }
    Composer.-single.-form #form-pane, Composer.-single.-plan #plan-pane, Composer.-single.-toml #toml-pane { display: block; }
    Composer.-low #guide { display: none; }
    Composer.-tiny #standing { display: none; }
    """

    class Changed(Message):
        """The draft has changed."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="-form")
        self.draft = template()
        self.form = Form(id="form")
        self.editor = TomlEditor(id="toml")
        self.full = False
        """Whether one pane has the whole room though there is more."""
        self._front = "form"
        self._place: tuple[int, int] | None = None
        """Where the text stops being TOML, as the last check says."""

    @property
    def interface(self) -> Interface:
        return cast("Interface", self.app)

    def compose(self) -> ComposeResult:
        yield TabLine(list(PANES.items()), id="tabs")
        with Horizontal(id="panes"):
            with Vertical(id="form-pane"):
                yield Button(id="kept", compact=True, action="screen.start_from")
                yield self.form
                yield Static(id="guide")
            with Vertical(id="others"):
                yield OutlookView(id="plan-pane")
                with Vertical(id="toml-pane"):
                    yield self.editor
                    yield Static(id="syntax", markup=False)
        with Horizontal(id="bar"):
            yield Static(id="standing")
            yield Button("Start from", id="start", compact=True, action="screen.start_from")
            yield Button("Save", id="save", compact=True, action="screen.save")
            yield Button("Launch", "primary", id="launch", compact=True, action="screen.launch")

    # Form and text

    def begin(self, draft: Draft) -> None:
        """Compose from here on. A text that is no TOML has no fields, and shows none of the sweep before."""
        self.draft = draft
        self.editor.begin(self.draft.text)
        self.query_one(OutlookView).clear()
        self._follow(always=True)
        self.form.scroll_home(animate=False)

    def take(self) -> None:
        """Bring into the draft what was typed in the editor or chosen in the form, and show it in the other one."""
        retyped, ahead = self.editor.text != self.draft.text, [row for row in self.form.rows if row.is_ahead]
        if retyped:
            self.draft.retype(self.editor.text)
        refused = [row for row in ahead if not self.draft.edit(row.take())]
        if any(row.key == "algorithms" and row not in refused for row in ahead):
            self.draft.add_momentum()
        if refused:
            self.notify("The form cannot edit this notation; edit it in the TOML pane.", severity="warning")
        if retyped or ahead:
            self.editor.follow(self.draft.text)
            self._follow(always=bool(refused))
            self.post_message(self.Changed())

    def _follow(self, *, always: bool) -> None:
        """Show the text's values in the form, which is disabled while the text is not TOML."""
        readable = self.draft.tables is not None
        self.form.disabled = not readable
        if readable or always:
            self.form.show(self.draft.shown, always=always)
        self.entitle()

    def entitle(self) -> None:
        """Show the file's name, and whether the text has unsaved changes."""
        draft = self.draft
        where = "no file yet" if draft.file is None else draft.file.name
        if draft.file is not None and draft.changed:
            where += ", not saved"
        self.query_one("#toml-pane").border_title = f"TOML · {where}"
        self.query_one("#tabs", TabLine).note = where

    @on(Input.Changed)
    @on(Choice.Changed)
    @on(Checkbox.Changed)
    @on(TextArea.Changed)
    def _edited(self, event: Message) -> None:
        event.stop()
        self.take()

    @on(events.DescendantFocus)
    @on(events.DescendantBlur)
    def _row_focused(self, event: events.DescendantFocus | events.DescendantBlur) -> None:
        """A row that the keyboard enters or leaves shows the text's value."""
        row = next((node for node in event.widget.ancestors if isinstance(node, FormRow)), None)
        if row is not None and self.draft.tables is not None:
            row.follow(self.draft.shown)
        self.say_guide()

    # What the check says

    def judge(self, outlook: Outlook) -> None:
        """Show what the check says of the draft."""
        self._place = outlook.place
        self.form.mark(outlook)
        self.say_guide()
        for key, text in outlook.defaults.items():
            row = self.form.row(key)
            if row is not None:
                row.fields[0].placeholder = text or row.spec.hint
        self.editor.mark(outlook)
        syntax = self.query_one("#syntax", Static)
        said = outlook.problems[0].text if outlook.place is not None else ""
        syntax.update(said)
        syntax.set_class(bool(said), "-said")
        self.query_one(OutlookView).show(outlook)

    def say_standing(self, outlook: Outlook, standing: Standing) -> None:
        """The line at the left of the buttons: what launching would begin, or why it cannot be launched."""
        if outlook.problems:
            said = plural(len(outlook.problems), "mistake")
            if outlook.place is not None:
                said = f"not TOML at line {outlook.place[0]}, column {outlook.place[1]}"
            words = Content.assemble((f"✗ {said}", "bold $error"), ("  ^n goes there", "$foreground-muted"))
        elif outlook.unplanned:
            words = Content.styled(f"✗ {outlook.unplanned}", "$error")
        else:
            sign = "✓ " if standing.ready else "● "
            words = Content.assemble((sign, "bold $success"), (standing.words, "$foreground"))
        self.query_one("#standing", Static).update(words)

    def say_guide(self) -> None:
        """Show mistakes and meaning of the field with the keyboard; without one, the mistakes that belong to no field."""
        row = self.form.current
        wrong, doubtful, fact = ("\n".join(self.form.elsewhere), "", "") if row is None else row.sentences
        typing = isinstance(self.screen.focused, Input | TextArea)
        meaning = row.spec.meaning if row is not None else "" if typing or wrong else FREE
        styles = ("$error", "$warning", "$foreground", "$foreground-muted")
        said = zip((wrong, doubtful, fact, meaning), styles, strict=True)
        lines = [Content.styled(text, style) for text, style in said if text]
        self.query_one("#guide", Static).update(Content("\n").join(lines))

    # Panes

    def on_resize(self) -> None:
        for name in ("-very-wide", "-narrow", "-tiny", "-low"):
            self.set_class(self.screen.has_class(name), name)
        self._arrange()

    @property
    def can_fill(self) -> bool:
        """Whether there is room for more than one pane."""
        return not (self.has_class("-narrow") or self.has_class("-tiny"))

    def _arrange(self) -> None:
        self.set_class(self.full or not self.can_fill, "-single")
        for pane in PANES:
            self.set_class(pane == self._front, f"-{pane}")
        self.query_one("#tabs", TabLine).active = self._front

    def bring(self, name: str) -> None:
        """Put a pane in front, where one of them only is seen."""
        self._front = name
        self._arrange()

    def open(self, name: str) -> None:
        """The same, and give it the keyboard."""
        self.bring(name)
        if self.has_class("-single"):
            # A pane that was away can have the keyboard once it is there.
            self.call_after_refresh(self.screen.set_focus, self.target)
        else:
            self.screen.set_focus(self.target)

    @property
    def target(self) -> Widget | None:
        """Where the keyboard goes in the pane in front."""
        return {"toml": self.editor, "plan": self.query_one("#plan")}.get(self._front) or self.form.first()

    @property
    def pane(self) -> str:
        """The pane with the keyboard, or the one in front."""
        focused = (name for name in PANES if self.query_one(f"#{name}-pane").has_focus_within)
        return next(focused, self._front)

    def action_pane(self) -> None:
        names = list(PANES)
        self.open(names[(names.index(self.pane) + 1) % len(names)])

    def fill(self, full: bool) -> None:
        """Give the whole room to the pane with the keyboard, or take it back."""
        self.full = full
        self.bring(self.pane)

    @on(TabLine.Picked)
    def _tab_picked(self, message: TabLine.Picked) -> None:
        self.open(message.name)

    def action_mistake(self) -> None:
        row = None if self._place is not None or self.draft.tables is None else self.form.first_wrong()
        if row is not None:
            self.bring("form")
            self.call_after_refresh(self.screen.set_focus, row.first())
            return
        self.open("toml")
        if self._place is not None:
            self.editor.move_cursor((self._place[0] - 1, self._place[1] - 1))
