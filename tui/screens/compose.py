"""Compose: a sweep as a form and as TOML, each of which edits the other; its plan while you type; save and launch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from tui.actions import bindings
from tui.screens.base import AppScreen
from tui.screens.compose_session import ComposeSession
from tui.widgets.chart import ChartView
from tui.widgets.composer import Composer
from tui.widgets.typing import Field


class ComposeScreen(AppScreen):
    """Checks the draft in a thread after every pause in typing, and keeps it in the state directory until it is saved."""

    PLACE = "compose"
    HELPS = ("form", "choice", "table")
    NEEDS_DATA = False
    KEYS_OF = ("form",)
    REST: ClassVar[float] = 0.2
    """Seconds without a key before the text is checked."""
    AUTO_FOCUS = ""  # Digits and letters are keys of the screen until the user goes to a field.
    BINDINGS = [  # noqa: RUF012
        *bindings("compose", "chart"),
        # Before the widgets: keys that arrive in a burst must reach the field that the key before went to.
        *(replace(binding, priority=True) for binding in bindings("form")),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.composer = Composer(id="composer")
        self.session = ComposeSession(self.composer, self.questions)
        self._timer: Timer | None = None
        self._left: Widget | None = None
        """The field that `esc` left."""

    def compose_body(self) -> ComposeResult:
        yield self.composer

    def on_mount(self) -> None:
        self.session.open()

    def on_unmount(self) -> None:
        self.session.keep(now=True)

    def notice_absence(self) -> None:
        super().notice_absence()
        self.session.follow(self.snapshot)

    def on_screen_resume(self) -> None:
        if self.session.outlook is not None:
            # Speeds may have been measured meanwhile.
            self.session.check()

    @on(Composer.Changed)
    def _soon(self) -> None:
        """Check once the user pauses."""
        if self._timer is not None:
            self._timer.stop()
        if self.REST > 0:
            self._timer = self.set_timer(self.REST, self._check)
        else:
            self._check()

    def _check(self) -> None:
        self.session.check()
        self.session.keep()

    def failed(self, about: object, text: str) -> None:
        self.notify(text, severity="error", markup=False, timeout=15)

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
        self.keys.refresh()

    @property
    def way_back(self) -> Callable[[], object] | None:
        if (way := super().way_back) is not None:
            return way
        if self.composer.full:
            return partial(self.composer.fill, False)
        # The keys of the screen are letters and digits; Tab comes back to the field.
        return self.leave_field if self.typing else None

    def leave_field(self) -> None:
        if self.typing:
            self._left = self.focused
        super().leave_field()

    def _enter(self) -> bool:
        """Go to the field that was left, or to the first one, unless something has the keyboard."""
        if self.focused is not None:
            return False
        left, self._left = self._left, None
        self.set_focus(left if left is not None and left.focusable else self.composer.target)
        return True

    @property
    def in_form(self) -> bool:
        """Whether the keyboard is in the form, or free to go there."""
        return self.is_mounted and (self.focused is None or self.composer.form in self.focused.ancestors)

    @property
    def in_line(self) -> bool:
        """Whether it is in one that is typed into."""
        return self.in_form and isinstance(self.focused, Input | None)

    @property
    def has_mistake(self) -> bool:
        outlook = self.session.outlook
        return outlook is not None and bool(outlook.problems)

    def action_row(self, way: int) -> None:
        if not self._enter():
            self.composer.form.move(way)

    def action_field(self, way: int) -> None:
        if not self._enter():
            (self.focus_next if way > 0 else self.focus_previous)()

    def action_confirm(self) -> None:
        row = self.composer.form.current
        if row is not None and row.choices:
            row.open_list()
        elif not self._enter():
            self.focus_next()

    def action_start_from(self) -> None:
        self.session.offer()

    @on(Field.FilePasted)
    def _file_pasted(self, message: Field.FilePasted) -> None:
        message.stop()
        self.session.pasted(message.text)

    def action_save(self) -> None:
        self.session.save()

    def action_launch(self) -> None:
        self.session.launch()
