"""What can be done on a screen now: its keys, the footer that names them, and a key whose action cannot be done yet, which waits
for data that are on their way; the footer says what it waits for or why nothing happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from tui.actions import Action, actions_of, conditions
from tui.actions.reasons import CANCELLING, reason
from tui.widgets.header import Header
from tui.widgets.keybar import KeyBar

if TYPE_CHECKING:
    from tui.interface import Interface

PINNED = ("help", "quit")
"""Actions whose keys stay at the right end of the footer."""


class KeyedScreen(Protocol):
    """The screen on which keys are pressed."""

    PLACE: ClassVar[str]

    @property
    def interface(self) -> Interface: ...
    @property
    def lacks_data(self) -> bool: ...
    @property
    def awaits_data(self) -> bool: ...
    @property
    def chart(self) -> Any: ...
    @property
    def has_charts(self) -> bool: ...
    @property
    def typing(self) -> bool: ...
    @property
    def is_mounted(self) -> bool: ...
    @property
    def is_current(self) -> bool: ...
    def perform(self, action: str) -> Any: ...
    def query_one(self, selector: Any) -> Any: ...
    def call_later(self, callback: Callable[..., Any], *args: Any) -> bool: ...


class ScreenKeys:
    """The keys of one screen, and the last one that could not be done."""

    def __init__(self, screen: KeyedScreen, *widgets: str) -> None:
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
