"""What all screens share: header, footer, the message in place of missing data, narrow layouts, questions to the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Input, TextArea

from tui.actions import Action, actions_of
from tui.actions.reasons import CANCELLING, reason
from tui.questions import Questions
from tui.room import HEIGHTS, WIDTHS, classes_of
from tui.source import Trouble
from tui.widgets.header import Header
from tui.widgets.keybar import KeyBar
from tui.widgets.messages import KeysChanged
from tui.widgets.notice import Notice
from tui.widgets.panes import Panes

if TYPE_CHECKING:
    from hvdsweep.batch.status import BatchState
    from tui.interface import Interface
    from tui.snapshot import Snapshot
    from tui.widgets.chart import ChartView

Words = tuple[str, str, str]
"""Heading, text and hint of a notice."""

PINNED = ("help", "quit")
"""Actions whose keys stay at the right end of the footer."""


class AppScreen(Screen[None]):
    """A screen that one of the keys 1 to 6 opens. See the package's docstring for how to write one."""

    PLACE: ClassVar[str] = ""
    """Its name in the table of actions; for what a key opens also in `tui.screens.PLACES`."""
    NEEDS_DATA: ClassVar[bool] = True
    """Whether a message takes the place of the panes, and the keys do nothing, while no database can be read."""
    HELPS: ClassVar[tuple[str, ...]] = ("table", "log")
    """Widgets whose keys the help lists as well."""
    KEYS_OF: ClassVar[tuple[str, ...]] = ()
    """Widgets whose keys are bindings of the screen."""
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    DEFAULT_CSS = """
    AppScreen { layout: vertical; background: $background; overflow: hidden; }
    AppScreen > #body { height: 1fr; width: 100%; overflow: hidden; }
    AppScreen > #notice { display: none; }
    AppScreen.-absent > #notice { display: block; }
    AppScreen.-absent > #body { display: none; }
    AppScreen.-full .aside, AppScreen.-full .pane { display: none !important; }
    AppScreen.-full .pane.-filled {
        display: block !important; width: 1fr !important; height: 1fr !important; max-height: 100% !important;
        border: none !important;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self.tab = self.export_name = self.PLACE
        """The tab it belongs to (of a detail that of the place below), and what the files of its chart are called."""
        self._shown: object = None
        self.keys = ScreenKeys(self, *self.KEYS_OF)
        self.questions = Questions(self)

    @property
    def interface(self) -> Interface:
        return cast("Interface", self.app)

    @property
    def snapshot(self) -> Snapshot | None:
        """The latest one; None while nothing could be read."""
        return self.interface.snapshot

    @property
    def chart(self) -> ChartView | None:
        """The chart that the chart keys are about; None if there is none now."""
        return None

    @property
    def typing(self) -> bool:
        """Whether a field has the cursor: letters and digits are text then, not keys of the screen."""
        return isinstance(self.focused, Input | TextArea)

    def leave_field(self) -> None:
        """Take the cursor out of a field when the screen is left, so that its keys work on return."""
        if self.typing:
            self.set_focus(None)

    def compose(self) -> ComposeResult:
        yield Header(self.tab)
        with Container(id="body"):
            yield from self.compose_body()
        yield Notice(id="notice")
        yield KeyBar()

    def compose_body(self) -> ComposeResult:
        """The panes between header and footer."""
        yield from ()

    def show(self, snapshot: Snapshot) -> None:
        """Bring the panes up to date."""

    def show_jobs(self, jobs: BatchState | None) -> None:
        """Bring up to date what is shown of the jobs of a batch folder; None: there are none to show."""
        self.keys.refresh()

    @property
    def way_back(self) -> Callable[[], object] | None:
        """What leaves the thing that is open inside this screen: a pane, the cursor of the chart; None if nothing is."""
        if self.has_class("-full"):
            return self.fill
        if self.has_class("-side-over"):
            return self.query_one(Panes).action_side
        return self.chart.unread if self.chart is not None and self.chart.reading is not None else None

    @property
    def can_fill(self) -> bool:
        """Whether there are panes (of the class `pane`), one of which can have the whole screen."""
        return any(child.has_class("pane") for child in self.query_one("#body").children)

    def fill(self) -> None:
        """Give the whole screen to the pane with the keyboard, else to the main one, or take it back."""
        if not self.has_class("-full"):
            panes, inner = self.query(".pane"), self.focused
            if inner is None or not any(pane in inner.ancestors_with_self for pane in panes):
                inner = self.query_one(".pane.main")
            for pane in panes:
                pane.set_class(pane in inner.ancestors_with_self, "-filled")
        self.toggle_class("-full")
        self.keys.refresh()

    def receive(self, *, again: bool = False) -> None:
        """Show the app's latest update, if it is not shown yet (or, with `again`, even so)."""
        update = self.interface.latest
        if update is None or not self.is_mounted or ((update is self._shown) and not again):
            return
        self._shown = update
        header = self.query_one(Header)
        header.database = self.interface.source.path.name
        header.state, header.state_style = self.interface.state
        with self.app.batch_update():
            if self.snapshot is not None and self.snapshot is update:
                self.show(self.snapshot)
            self.notice_absence()
        self.keys.refresh()

    @property
    def absence(self) -> Words | None:
        """What to say in place of the panes; None if there is something to show in them."""
        update, pending = self.interface.latest, self.interface.pending_words
        if not self.lacks_data:
            return None
        if not isinstance(update, Trouble):
            return f"Reading {self.interface.source.path.name} …", "", ""
        if not update.gone:
            return update.heading, update.text, "This screen fills by itself as soon as it can be read."
        if pending:
            return "A sweep starts", pending, "This screen fills by itself."
        hint = (
            "Press 2 to compose a sweep, D to train the demo (up to three minutes), or run `hvdsweep launch` in another "
            "terminal; this screen fills by itself."
        )
        return update.heading, update.text, hint

    def notice_absence(self) -> None:
        """Show the panes, or what there is to say in their place."""
        words = self.absence
        self.set_class(words is not None, "-absent")
        if words is not None:
            self.query_one("#notice", Notice).say(*words)

    def failed(self, about: object, text: str) -> None:
        """A question could not be answered. Troubles with the store itself are reported by the watching thread."""
        if self.snapshot is not None:
            self.notify(text, severity="error", markup=False)

    def on_mount(self) -> None:
        self.notice_absence()
        self.receive()
        self.keys.refresh()

    def on_screen_resume(self) -> None:
        # Textual does so after it has given the widgets their sizes, when a screen comes back in another one.
        self.update_classes(classes_of(self.app.size), animate=False)
        # Another screen may have selected something else meanwhile.
        self.receive(again=True)
        if self.is_mounted:
            self.show_jobs(self.interface.jobs.state)

    @on(events.DescendantFocus)
    @on(events.DescendantBlur)
    @on(KeysChanged)
    def _keys_changed(self) -> None:
        self.keys.refresh()

    def on_screen_suspend(self) -> None:
        self.keys.drop()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.keys.allows(str(parameters[-1]) if action == "part" else action)

    async def action_part(self, name: str, action: str) -> None:
        """Have a part of the screen do an action of the table."""
        part = self.chart if name == "chart" else self.query_one(f"#{name}")
        if part is not None:
            await part.run_action(action)

    @property
    def lacks_data(self) -> bool:
        """Whether nothing can be done because no database can be read."""
        return self.snapshot is None and self.NEEDS_DATA

    @property
    def awaits_data(self) -> bool:
        """Whether something that the keys depend on is still on its way."""
        return self.questions.open or (self.NEEDS_DATA and self.interface.latest is None)


class ScreenKeys:
    """What can be done on a screen now: its keys and the footer that names them. A key whose action cannot be done yet waits
    for data that are on their way; the footer says what it waits for or why nothing happens."""

    def __init__(self, screen: AppScreen, *widgets: str) -> None:
        """`widgets`: owners in the table of actions whose keys are bindings of the screen, too."""
        self._screen = screen
        place = screen.PLACE
        self._actions = {one.name: one for one in reversed(actions_of(place, "chart", *widgets))}
        self._opening = {one.name for one in actions_of(place) if one.opens_line}
        self._own = {one.name for one in actions_of(place, "chart")}
        self._waiting: Action | None = None

    def allows(self, command: str) -> bool:
        """Whether an action of the table can be done now."""
        screen, name = self._screen, command.partition("(")[0]
        if name in self._own and (not screen.is_mounted or screen.lacks_data):
            return False
        if name in self._opening and screen.typing:
            return False
        return name not in self._actions or self._is_possible(self._actions[name])

    def _is_possible(self, action: Action) -> bool:
        about = self._screen.chart if action.owner == "chart" else self._screen
        return about is not None and (not action.when or bool(getattr(about, action.when)))

    @property
    def possible(self) -> tuple[Action, ...]:
        """What can be done on this screen now."""
        screen = self._screen
        actions = () if screen.lacks_data else actions_of(screen.PLACE, "chart")
        return tuple(action for action in actions if self._is_possible(action))

    async def perform(self, command: str) -> None:
        """Do an action of the table as if its key were pressed."""
        mine = any(action.command == command for action in self.possible)
        await (self._screen if mine else self._screen.interface).run_action(command)

    def refresh(self) -> None:
        """Let the footer follow what can be done now; keys ask `allows` when they are pressed."""
        screen = self._screen
        if not screen.is_mounted:
            return
        bar = screen.query_one(KeyBar)
        mine = [action for action in self.possible if action.footer]
        ours = [action for action in screen.interface.possible_actions if action.footer]
        if screen.typing:
            mine, ours = _while_typing(mine), _while_typing(ours)
        screen.query_one(Header).typing = screen.typing
        back = [action for action in ours if action.id == "leave" and screen.typing]
        others = (action for action in ours if action.id not in PINNED and action not in back)
        bar.actions = (*back, *mine, *others)
        bar.pinned = tuple(action for action in ours if action.id in PINNED)
        self._settle()

    # A key that waits

    def press(self, key: str) -> bool:
        """A key was pressed that does nothing now; whether it belongs to an action that is possible at one time or another."""
        charts = ("chart",) if type(self._screen).chart is not AppScreen.chart else ()
        known = (
            one for one in actions_of(self._screen.PLACE, *charts, "app") if one.footer and one.id != "leave"
        )
        self._waiting = next((one for one in known if key in one.keys), None)
        self._settle()
        return self._waiting is not None

    def drop(self) -> None:
        """Another key was pressed, or the screen was left."""
        self._waiting = None
        if self._screen.is_mounted:
            self._say("")

    def _settle(self) -> None:
        """Do it where that has become possible; say why not where nothing more is awaited."""
        action, screen = self._waiting, self._screen
        if action is None or not screen.is_mounted or not screen.is_current:
            return
        name = f"{action.key_names[0]} {action.label}"
        if action in (*self.possible, *screen.interface.possible_actions):
            self.drop()
            screen.call_later(self.perform, action.command)
        elif screen.awaits_data:
            self._say(f"{name}: waiting for data …")
        else:
            self._waiting = None
            no_cancelling = action.when in CANCELLING and screen.interface.jobs.no_cancelling
            self._say(f"{name}: {no_cancelling or reason(screen.PLACE, action.when)}")

    def _say(self, words: str) -> None:
        self._screen.query_one(KeyBar).note = words


def _while_typing(actions: Sequence[Action]) -> list[Action]:
    """What the footer offers while a field has the cursor: keys that are no text there."""
    able = [able for action in actions if (able := action.while_typing) is not None]
    return [replace(action, label="Leave field") if action.id == "leave" else action for action in able]
