"""A key whose action cannot be done now: it waits for data that are on their way, and the footer says what it waits for or why
nothing happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from tui.actions import Action


class Pressed(Protocol):
    """The screen on which keys are pressed."""

    PLACE: ClassVar[str]

    @property
    def awaits_data(self) -> bool: ...
    @property
    def is_mounted(self) -> bool: ...
    @property
    def is_current(self) -> bool: ...
    @property
    def known_actions(self) -> tuple[Action, ...]: ...
    @property
    def doable_actions(self) -> tuple[Action, ...]: ...
    def perform(self, action: str) -> Any: ...
    def call_later(self, callback: Callable[..., Any], *args: Any) -> bool: ...


class HeldKey:
    """The last such key of one screen."""

    def __init__(self, screen: Pressed, say: Callable[[str], None], why: Callable[[str], str]) -> None:
        """`say` puts words into the footer; `why` has them for a condition that is not met."""
        self._screen = screen
        self._say = say
        self._why = why
        self._action: Action | None = None

    def press(self, key: str) -> bool:
        """A key was pressed that does nothing now; whether it belongs to an action of the screen."""
        self._action = next((one for one in self._screen.known_actions if key in one.keys), None)
        self.settle()
        return self._action is not None

    def drop(self) -> None:
        """Another key was pressed, or the screen was left."""
        self._action = None
        if self._screen.is_mounted:
            self._say("")

    def settle(self) -> None:
        """Do it where that has become possible; say why not where nothing more is awaited."""
        action, screen = self._action, self._screen
        if action is None or not screen.is_mounted or not screen.is_current:
            return
        if action in screen.doable_actions:
            self.drop()
            screen.call_later(screen.perform, action.id)
        elif screen.awaits_data:
            self._say(f"{action.key_names[0]} {action.label}: waiting for data …")
        else:
            self._action = None
            self._say(f"{action.key_names[0]} {action.label}: {self._why(action.when)}")
