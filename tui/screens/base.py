"""What all screens share: header, footer, the message in place of missing data, narrow layouts, questions to the store."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events
from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen
from textual.widgets import Input, TextArea

from tui.actions import Action, actions_of, conditions
from tui.actions.reasons import CANCELLING, reason
from tui.questions import Questions, Then
from tui.room import HEIGHTS, WIDTHS, classes_of
from tui.source import Trouble
from tui.widgets.header import Header
from tui.widgets.keybar import KeyBar
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
    AppScreen.-full .aside { display: none; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._shown: object = None
        self.keys = ScreenKeys(self, *self.KEYS_OF)
        self.questions = Questions(self)

    @property
    def interface(self) -> Interface:
        """The app, by its own type."""
        return cast("Interface", self.app)

    @property
    def tab(self) -> str:
        """The tab it belongs to: of a detail that of the place below."""
        return self.PLACE

    @property
    def snapshot(self) -> Snapshot | None:
        """The latest one; None while nothing could be read."""
        return self.interface.snapshot

    @property
    def chart(self) -> ChartView | None:
        """The chart that the chart keys are about; None if there is none now."""
        return None

    @property
    def split(self) -> Panes | None:
        """Its main and side pane; None if it has none."""
        body = self.query_one("#body").children if self.is_mounted else ()
        return next((child for child in body if isinstance(child, Panes)), None)

    @property
    def typing(self) -> bool:
        """Whether a field has the cursor: letters and digits are text then, not keys of the screen."""
        return isinstance(self.focused, Input | TextArea)

    def leave_field(self) -> None:
        """Take the cursor out of a field when the screen is left, so that its keys work on return."""
        if self.typing:
            self.set_focus(None)

    @property
    def has_chart(self) -> bool:
        chart = self.chart
        return chart is not None and chart.chart is not None

    @property
    def is_zoomed(self) -> bool:
        chart = self.chart
        return chart is not None and not chart.view.follows

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
        self.refresh_keys()

    def go_back(self) -> bool:
        """Leave what is open inside this screen (a pane, the cursor of the chart); whether there was anything."""
        left = self.split is not None and self.split.go_back()
        left = left or (self.chart is not None and self.chart.unread())
        self.refresh_keys()
        return left

    @property
    def can_go_back(self) -> bool:
        """Whether `go_back` would do something."""
        if self.split is not None and self.split.can_go_back:
            return True
        return self.chart is not None and self.chart.reading is not None

    @property
    def can_fill(self) -> bool:
        """Whether `fill` would do something."""
        return self.split is not None

    def fill(self) -> None:
        """Give the whole screen to the pane with the keyboard, or take it back."""
        if self.split is not None:
            self.split.fill()
        self.refresh_keys()

    def action_side(self) -> None:
        """Fold the side pane away, or bring it back."""
        if self.split is not None:
            self.split.toggle_side()
        self.refresh_keys()

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
        self.refresh_keys()

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

    def failed(self, then: Then, about: object, text: str) -> None:
        """A question could not be answered. Troubles with the store itself are reported by the watching thread."""
        if self.snapshot is not None:
            self.notify(text, severity="error", markup=False)

    def on_mount(self) -> None:
        self.notice_absence()
        self.receive()
        self.refresh_keys()

    def on_screen_resume(self) -> None:
        # Textual does so after it has given the widgets their sizes, when a screen comes back in another one.
        self.update_classes(classes_of(self.app.size), animate=False)
        # Another screen may have selected something else meanwhile.
        self.receive(again=True)
        if self.is_mounted:
            self.show_jobs(self.interface.jobs.state)

    def on_descendant_focus(self) -> None:
        self.refresh_keys()

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        self.refresh_keys()

    def on_screen_suspend(self) -> None:
        self.keys.drop()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return self.keys.allows(action)

    def refresh_keys(self) -> None:
        """Let the footer follow what can be done now."""
        self.keys.refresh()

    @property
    def lacks_data(self) -> bool:
        """Whether nothing can be done because no database can be read."""
        return self.snapshot is None and self.NEEDS_DATA

    @property
    def awaits_data(self) -> bool:
        """Whether something that the keys depend on is still on its way."""
        return self.questions.open or (self.NEEDS_DATA and self.interface.latest is None)

    @property
    def has_charts(self) -> bool:
        """Whether there is a chart at one time or another."""
        return type(self).chart is not AppScreen.chart

    def on_chart_view_view_changed(self) -> None:
        self.refresh_keys()

    def on_chart_view_pointed(self) -> None:
        self.refresh_keys()

    def on_key_bar_picked(self, message: KeyBar.Picked) -> None:
        message.stop()
        self.call_later(self.perform, message.name)

    async def perform(self, action: str) -> None:
        """Do an action of the table as if its key were pressed."""
        ours = any(one.id == action for one in actions_of("app"))
        await self.run_action(f"app.{action}" if ours else action)

    def copy_command(self, words: Sequence[str]) -> None:
        """Copy a command for a shell, and say so."""
        command = shlex.join(words)
        self.app.copy_to_clipboard(command)
        self.notify(f"Copied: {command}", markup=False)

    def action_chart_log(self) -> None:
        if self.chart is not None:
            self.chart.toggle_log()

    def action_chart_zoom(self, way: int) -> None:
        if self.chart is not None:
            self.chart.zoom(2.0 if way > 0 else 0.5)
            self.refresh_keys()

    def action_chart_reset(self) -> None:
        if self.chart is not None:
            self.chart.fit()
            self.refresh_keys()

    @property
    def export_name(self) -> str:
        """What the files of an exported chart are called, after the database's name."""
        return self.PLACE

    def action_export(self) -> None:
        view = self.chart
        if view is not None and view.shown is not None:
            self.interface.export(view.shown, view.view, self.export_name)

    def action_chart_plain(self) -> None:
        from tui.widgets.chart import ChartView

        plain = not self.interface.plain_charts
        self.interface.remember(layout=("charts.plain", "yes" if plain else "no"))
        for chart in self.query(ChartView):
            chart.refresh()


class ScreenKeys:
    """What can be done on a screen now: its keys and the footer that names them. A key whose action cannot be done yet waits
    for data that are on their way; the footer says what it waits for or why nothing happens."""

    def __init__(self, screen: AppScreen, *widgets: str) -> None:
        """`widgets`: owners in the table of actions whose keys are bindings of the screen, too."""
        self._screen = screen
        place = screen.PLACE
        self._conditions = conditions(place, "chart", *widgets)
        self._opening = {action.id for action in actions_of(place) if action.opens_line}
        self._own = {action.id.partition("(")[0] for action in actions_of(place, "chart")}
        self._waiting: Action | None = None

    def allows(self, action: str) -> bool:
        """Whether an action of the table can be done now."""
        screen = self._screen
        if action in self._own and (not screen.is_mounted or screen.lacks_data):
            return False
        if action in self._opening and screen.typing:
            return False
        when = self._conditions.get(action)
        return bool(getattr(screen, when)) if when else True

    @property
    def possible(self) -> tuple[Action, ...]:
        """What can be done on this screen now."""
        screen = self._screen
        if screen.lacks_data:
            return ()
        owners = (screen.PLACE, *(("chart",) if screen.chart is not None else ()))
        return tuple(
            action for action in actions_of(*owners) if not action.when or getattr(screen, action.when)
        )

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
        charts = ("chart",) if self._screen.has_charts else ()
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
            screen.call_later(screen.perform, action.id)
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
