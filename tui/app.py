"""The app: its screens, what they share, and the keys that work everywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.binding import Binding
from textual.geometry import Offset
from textual.message import Message
from textual.screen import Screen
from textual.theme import Theme

from tui import themes
from tui.actions import bindings, conditions
from tui.interface import Interface
from tui.screens import PLACES
from tui.screens.base import AppScreen
from tui.selection import Selection
from tui.snapshot import Snapshot
from tui.source import StoreSource, Trouble
from tui.widgets.header import Header
from tui.widgets.keybar import KeyBar

if TYPE_CHECKING:
    from textual.command import Provider


CONDITIONS = conditions("app")

STILL_SECONDS = 5.0
"""After this long without a key or the mouse, the interface counts as idle."""


def _commands() -> type[Provider]:
    from tui.palette import Commands

    return Commands


@dataclass
class Updated(Message):
    """The source has seen something new."""

    update: Snapshot | Trouble

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Updated)


class HvdsweepApp(Interface):
    """The interface over one source: the screen in view and the ways to others."""

    TITLE = "hvdsweep"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    COMMANDS = {_commands}  # noqa: RUF012
    BINDINGS: ClassVar[list[Any]] = [
        *bindings("app"),
        *(Binding(place.key, f"go('{place.name}')", place.title, show=False) for place in PLACES),
    ]
    CSS = """
    Toast { max-width: 70; }
    SearchIcon { display: none; }
    """

    def __init__(
        self,
        source: StoreSource,
        *,
        memory_file: Path | None = None,
        place: str = "sweeps",
        selection: Selection | None = None,
        plain_charts: bool = False,
        after_load: Callable[[], None] = lambda: None,
        when_still: Callable[[], None] = lambda: None,
    ) -> None:
        """See `Interface`. `after_load` is called whenever a further screen has been drawn,
        `when_still` again and again while nobody is at the keyboard or the mouse."""
        self._first = place
        self._after_load = after_load
        self._when_still = when_still
        self._touched = False
        """Whether the user has used the keyboard or the mouse in the last STILL_SECONDS."""
        self._pressed: tuple[float, Offset | None, Screen[Any] | None] = 0.0, None, None
        """When, where and on which screen the mouse was pressed."""
        super().__init__(source, memory_file=memory_file, selection=selection, plain_charts=plain_charts)
        for theme in themes.OURS:
            self.register_theme(theme)
        known = self.memory.theme in self.available_themes
        self.theme = self.memory.theme if self.memory.theme is not None and known else themes.DEFAULT

    def on_mount(self) -> None:
        self.source.listen(self._tell)
        self.theme_changed_signal.subscribe(self, self._on_theme)
        self.set_interval(STILL_SECONDS, self._look_for_hands)
        self.go(self._first)

    def _on_theme(self, theme: Theme) -> None:
        self.remember(theme=theme.name)
        if self.place is not None:
            self.place.receive(again=True)  # Marks of curves have colours of their own in light themes.

    def _look_for_hands(self) -> None:
        if not self._touched:
            self._when_still()
        self._touched = False

    def _tell(self, update: Snapshot | Trouble) -> None:
        """From any thread."""
        self.post_message(Updated(update))

    def on_unmount(self) -> None:
        self.source.close()
        self.jobs.close()

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.InputEvent):
            self._touched = True
            self.source.attend()
        if isinstance(event, events.MouseDown | events.MouseUp) and self._is_late(event):
            return
        await super().on_event(event)

    def _is_late(self, event: events.MouseDown | events.MouseUp) -> bool:
        """Whether it is part of a double click whose first click has opened or closed what lies under the mouse now."""
        before, place, screen = self._pressed
        soon = event.time - before <= self.CLICK_CHAIN_TIME_THRESHOLD
        late = soon and event.screen_offset == place and self.screen is not screen
        if not (late or event.is_forwarded):
            self._pressed = event.time, event.screen_offset, self.screen
        return late

    def on_key(self, event: events.Key) -> None:
        """A key that nothing has handled, before its binding is looked for."""
        screen = self.screen
        if not isinstance(screen, AppScreen) or screen.typing:
            return
        screen.keys.drop()
        if event.key not in screen.active_bindings and screen.keys.press(event.key):
            event.prevent_default()

    @property
    def place(self) -> AppScreen | None:
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, AppScreen)), None)

    def on_updated(self, message: Updated) -> None:
        self.latest = message.update
        if isinstance(message.update, Snapshot):
            self.snapshot = message.update
            self.begun -= {sweep.id for sweep in message.update.sweeps if sweep.live}
            self.call_after_refresh(self.jobs.watch)
        elif message.update.gone:
            self.snapshot = None
        for screen in self.screen_stack:
            if isinstance(screen, AppScreen):
                screen.receive()

    def go(self, name: str, selection: Selection | None = None) -> None:
        spec = next((place for place in PLACES if place.name == name), None)
        if spec is None:
            return
        if selection is not None:
            self.selection = selection
        if not self.is_screen_installed(name):
            self.install_screen(spec.load()(), name)
            self.call_after_refresh(self._after_load)
        # Above the place lie only dialogs and details of it.
        while len(self.screen_stack) > 2:
            self.pop_screen()
        if len(self.screen_stack) == 1:
            self.push_screen(name)
        elif self.screen is not self.get_screen(name):
            if isinstance(self.screen, AppScreen):
                self.screen.leave_field()
            self.switch_screen(name)
        elif isinstance(self.screen, AppScreen):
            self.screen.receive(again=True)

    def open_trial(self, trial: int) -> None:
        from tui.screens.trial import TrialScreen

        shown = self.place
        if not (isinstance(shown, TrialScreen) and shown.trial == trial):
            self.push_screen(TrialScreen(trial, "live" if shown is None else shown.tab))

    def action_go(self, name: str) -> None:
        self.go(name)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        when = CONDITIONS.get(action)
        return bool(getattr(self, when)) if when else True

    @property
    def can_go_back(self) -> bool:
        """Whether `esc` would do something."""
        return self.place is not None and self.place.way_back is not None

    @property
    def can_demo(self) -> bool:
        """Whether this is the moment for the demo: there is no sweep yet, and none is being started."""
        place = self.place
        if place is None or not place.NEEDS_DATA or self.pending is not None:
            return False
        if self.snapshot is not None:
            return not self.snapshot.sweeps
        return isinstance(self.latest, Trouble) and self.latest.gone

    def action_demo(self) -> None:
        """Start `hvdsweep demo` on this database, as a separate process, and watch it on Live."""

        def job() -> str:
            words = self.launch("digits", ["demo"])
            self.call_from_thread(self.go, "live")
            return words

        self.do(job)

    @property
    def can_fill(self) -> bool:
        """Whether a pane could have the whole screen."""
        place = self.place
        return place is not None and place.is_mounted and place.can_fill and not place.lacks_data

    def action_leave(self) -> None:
        place = self.place
        if place is not None and (leave := place.way_back) is not None:
            leave()
            place.keys.refresh()

    def action_full(self) -> None:
        if self.place is not None:
            self.place.fill()

    def action_help(self) -> None:
        from tui.screens.help import HelpScreen
        from tui.widgets.window import open_window

        if self.place is not None:
            open_window(self, HelpScreen(self.place))

    def on_header_picked(self, message: Header.Picked) -> None:
        self.go(message.name)

    def on_key_bar_picked(self, message: KeyBar.Picked) -> None:
        if self.place is not None:
            self.call_later(self.place.keys.perform, message.name)
