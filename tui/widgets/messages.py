"""What messages of widgets have in common."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message
from textual.widget import Widget


class KeysChanged(Message):
    """What the keys do may be something else now: the screen brings its footer up to date."""


@dataclass
class WidgetMessage(Message):
    """A message about a widget; `@on(Table.Opened, "#trials")` handles that of one widget only."""

    widget: Widget

    @property
    def control(self) -> Widget:
        return self.widget
