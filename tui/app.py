"""The app: one source, one snapshot, one selection, and a screen per place."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import App
from textual.binding import Binding
from textual.message import Message

from hvdsweep.errors import HvdsweepError
from tui import themes
from tui.actions import Action, actions_of, bindings, conditions
from tui.jobs import Jobs
from tui.launching import Pending
from tui.memory import Memory, remember, remembered
from tui.screens import PlaceSpec, offered
from tui.screens.base import AppScreen
from tui.selection import Selection
from tui.snapshot import Snapshot
from tui.source import Source, Trouble
from tui.widgets.header import Header

if TYPE_CHECKING:
    from textual.command import Provider

    from hvdsweep.charts import Chart, View
    from tui.curve_cache import CurveCache

log = logging.getLogger(__name__)

CONDITIONS = conditions("app")

STILL_SECONDS = 5.0
"""Without a key or the mouse for so long, the interface is only looked at."""


def _commands() -> type[Provider]:
    from tui.palette import Commands

    return Commands


class Updated(Message):
    """The source has seen something new."""

    def __init__(self, update: Snapshot | Trouble) -> None:
        super().__init__()
        self.update = update

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Updated)


class Done(Message):
    """A job in a thread has ended."""

    def __init__(self, text: str, failed: Callable[[], object] | None) -> None:
        super().__init__()
        self.text = text
        self.failed = failed
        """What to do about its failure; None where it went well."""


class LaunchEnded(Message):
    """A launch that was started from here has ended."""

    def __init__(self, sweep: int, name: str, code: int, words: str) -> None:
        super().__init__()
        self.sweep = sweep
        self.name = name
        self.code = code
        self.words = words


class HvdsweepApp(App[None]):
    """The interface over one source."""

    TITLE = "hvdsweep"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    COMMANDS = {_commands}  # noqa: RUF012
    BINDINGS: ClassVar[list[Any]] = [
        *bindings("app"),
        *(Binding(place.key, f"go('{place.name}')", place.title, show=False) for place in offered()),
    ]
    CSS = """
    Toast { max-width: 70; }
    SearchIcon { display: none; }
    """

    def __init__(
        self,
        source: Source,
        *,
        memory_file: Path | None = None,
        place: str = "sweeps",
        selection: Selection | None = None,
        plain_charts: bool = False,
        places: Sequence[PlaceSpec] | None = None,
        after_load: Callable[[], None] = lambda: None,
        when_still: Callable[[], None] = lambda: None,
    ) -> None:
        """`memory_file` None: nothing is remembered. `plain_charts`: ASCII, for fonts without braille.
        `places` None: those whose module is there. `after_load` is called whenever a further screen has been drawn,
        `when_still` again and again while nobody is at the keyboard or the mouse."""
        self.source = source
        self._plain_charts = plain_charts
        self.places = offered() if places is None else tuple(places)
        self.selection = selection or Selection()
        self.latest: Snapshot | Trouble | None = None
        """What the source said last."""
        self.snapshot: Snapshot | None = None
        """The last one; it stays while a trouble may pass."""
        self.pending: Pending | None = None
        """The last launch started from here, until it ends."""
        self.jobs = Jobs(self)
        self.begun: set[int] = set()
        """Sweeps asked to run whose supervisor has not signed in yet."""
        self.curve_cache: CurveCache | None = None
        """Tables of workloads and the goals asked about; made by the first screen that needs it."""
        self._exporting = threading.Lock()
        self._memory_file = memory_file
        self.memory = Memory() if memory_file is None else remembered(memory_file)
        self._first = place
        self._after_load = after_load
        self._when_still = when_still
        self._touched = False
        """Whether somebody was at the keyboard or the mouse in the last STILL_SECONDS."""
        # Textual's answer to NO_COLOR is grey; with the terminal's own colours asked for, it is no colour at all.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        for theme in themes.OURS:
            self.register_theme(theme)
        known = self.memory.theme in self.available_themes
        self.theme = self.memory.theme if self.memory.theme is not None and known else themes.DEFAULT

    def on_mount(self) -> None:
        self.source.listen(self._tell)
        self.theme_changed_signal.subscribe(self, lambda theme: self.remember(theme=theme.name))
        self.set_interval(STILL_SECONDS, self._look_for_hands)
        self.go(self._first)

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
        await super().on_event(event)

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
        """The screen in view, or the one under a dialog."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, AppScreen)), None)

    @property
    def state(self) -> tuple[str, str]:
        """What the header says of the database, and in which style."""
        if isinstance(self.latest, Trouble):
            return "✗ no data" if self.latest.gone else "✗ unreadable", "bold $error"
        if self.snapshot is None:
            return "…", "$foreground-muted"
        running = sum(sweep.live for sweep in self.snapshot.sweeps)
        if running:
            return f"● {running} training", "bold $success"
        return "○ at rest", "$foreground-muted"

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
        """Show a place, with something selected there if given."""
        spec = next((place for place in self.places if place.name == name), None)
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
        """Show one trial, over the screen in view."""
        from tui.screens.trial import TrialScreen

        self.push_screen(TrialScreen(trial, "live" if self.place is None else self.place.tab))

    def action_go(self, name: str) -> None:
        self.go(name)

    def select(self, selection: Selection) -> None:
        """Remember what the user looks at, for the other screens."""
        self.selection = selection

    @property
    def possible_actions(self) -> tuple[Action, ...]:
        """What can be done everywhere now."""
        return tuple(action for action in actions_of("app") if not action.when or getattr(self, action.when))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        when = CONDITIONS.get(action)
        return bool(getattr(self, when)) if when else True

    @property
    def can_go_back(self) -> bool:
        """Whether `esc` would do something."""
        return self.place is not None and self.place.can_go_back

    @property
    def pending_words(self) -> str | None:
        """About a launch that was started from here and that has no gang in the store yet."""
        if self.pending is None or (self.snapshot is not None and self.snapshot.gangs):
            return None
        return self.pending.words

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
            from tui.launching import spawn

            launched = spawn(self.source.path, ["demo"], partial(self.launch_ended, 0, "digits"))
            self.pending = Pending("digits", launched.pid)
            self.call_from_thread(self.go, "live")
            return f"digits starts as process {launched.pid}; its output goes to {launched.log}."

        self.do(job)

    @property
    def can_fill(self) -> bool:
        """Whether a pane could have the whole screen."""
        place = self.place
        return (
            place is not None
            and place.is_mounted
            and place.can_fill
            and (self.snapshot is not None or not place.NEEDS_DATA)
        )

    def action_leave(self) -> None:
        if self.place is not None:
            self.place.go_back()

    def action_full(self) -> None:
        if self.place is not None:
            self.place.fill()

    def action_help(self) -> None:
        from tui.screens.help import HelpScreen

        if self.place is not None:
            self.push_screen(HelpScreen(self.place))

    def action_palette(self) -> None:
        self.action_command_palette()

    def action_theme(self) -> None:
        self.search_themes()

    def do(self, job: Callable[[], str], failed: Callable[[], object] | None = None) -> None:
        """Run `job` in a thread, show the sentence it returns, and read the store again; `failed` first where it raises."""
        self.run_worker(partial(self._work, job, failed), thread=True, group="jobs")

    def _work(self, job: Callable[[], str], failed: Callable[[], object] | None) -> None:
        try:
            done = Done(job(), None)
        except HvdsweepError as error:
            log.warning("a job failed: %s", error)
            done = Done(str(error), failed or (lambda: None))
        self.post_message(done)

    def launch_ended(self, sweep: int, name: str, code: int, words: str) -> None:
        """From the thread that waits for a launch: it has ended."""
        if self.is_running:
            self.post_message(LaunchEnded(sweep, name, code, words))

    def on_launch_ended(self, message: LaunchEnded) -> None:
        self.pending = None
        self.begun.discard(message.sweep)
        self.source.nudge()
        if message.code == 0:
            self.notify(f"{message.name}: every study has its trials.", markup=False)
        elif message.code == 130:
            self.notify(f"{message.name} has stopped.", markup=False)
        else:
            self.notify(
                message.words or f"exit code {message.code}",
                title=f"{message.name} ended badly",
                severity="error",
                timeout=30,
                markup=False,
            )

    def on_done(self, message: Done) -> None:
        self.source.nudge()
        if message.failed is not None:
            message.failed()
            self.notify(message.text, severity="error", timeout=15, markup=False)
            if self.place is not None:
                self.place.refresh_keys()
        elif message.text:
            self.notify(message.text, markup=False)

    def on_header_picked(self, message: Header.Picked) -> None:
        self.go(message.place)

    def remember(self, *, theme: str | None = None, layout: tuple[str, str] | None = None) -> None:
        """Keep a choice for the next start."""
        new = self.memory
        if (theme is not None and theme != themes.DEFAULT) or new.theme is not None:
            new = replace(new, theme=theme or new.theme)
        if layout is not None:
            new = new.with_layout(*layout)
        if new != self.memory:
            self.memory = new
            if self._memory_file is not None:
                remember(self._memory_file, new)

    @property
    def state_directory(self) -> Path | None:
        """Where things are kept from one start to the next; None: nothing is."""
        return None if self._memory_file is None else self._memory_file.parent

    @property
    def plain_charts(self) -> bool:
        """Whether charts are to be drawn without braille."""
        return self._plain_charts or self.memory.layout.get("charts.plain") == "yes"

    def export(self, chart: Chart, view: View, name: str) -> None:
        """Write a chart as SVG, PNG and CSV into the folder of the database."""
        stem = self.source.path.with_name(f"{self.source.path.stem}-{name}")

        def job() -> str:
            from hvdsweep.figures.export import export_chart

            # One after the other: a free name is looked for before anything is written under it.
            with self._exporting:
                paths = export_chart(chart, stem, view)
            return f"Written: {', '.join(path.name for path in paths)} in {stem.parent}"

        self.notify("Writing the chart …", timeout=1.5)
        self.do(job)
