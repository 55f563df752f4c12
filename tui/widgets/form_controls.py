"""Choices on one line: one of a few words, several of them, or one after another. All by arrow keys, space and mouse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from tui.actions import bindings


class Words(Widget, can_focus=True):
    """What the controls share: words beside one another, a cursor among them, and where each lies."""

    BINDINGS: ClassVar = [*bindings("choice")]
    DEFAULT_CSS = """
    Words { height: 1; width: auto; color: $foreground; }
    Words:disabled { color: $foreground-muted; }
    """

    hovered: reactive[int] = reactive(-1)

    class Changed(Message):
        """Another word is chosen."""

        def __init__(self, control: Words) -> None:
            super().__init__()
            self._control = control

        @property
        def control(self) -> Words:
            return self._control

    def __init__(self, words: Sequence[str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.words = tuple(words)
        self._at = 0
        """Where the cursor is."""

    def signed(self, index: int) -> str:
        """A word with the sign of its state."""
        raise NotImplementedError

    def is_chosen(self, index: int) -> bool:
        """Whether a word counts."""
        raise NotImplementedError

    def choose(self, index: int) -> None:
        """The reader wants this word, or no more."""
        raise NotImplementedError

    def _lengths(self) -> list[int]:
        return [len(self.signed(index)) for index in range(len(self.words))]

    def get_content_width(self, container: object, viewport: object) -> int:
        return sum(self._lengths()) + 2 * max(0, len(self.words) - 1)

    def render(self) -> Content:
        parts: list[Content] = []
        for index in range(len(self.words)):
            style = "$foreground" if self.is_chosen(index) else "$foreground-muted"
            if self.has_focus and index == self._at:
                style = "bold $block-cursor-foreground on $block-cursor-background"
                if self.app.no_color:
                    style = "bold reverse"
            elif index == self.hovered:
                style = "underline $foreground"
            parts.append(Content.styled(self.signed(index), style))
        return Content("  ").join(parts)

    def _word_at(self, x: int) -> int:
        start = 0
        for index, length in enumerate(self._lengths()):
            if start <= x < start + length:
                return index
            start += length + 2
        return -1

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self.hovered = self._word_at(event.x)

    def on_leave(self) -> None:
        self.hovered = -1

    def on_click(self, event: events.Click) -> None:
        self.clicked(event.x)

    def clicked(self, x: int) -> None:
        """The mouse was pressed in this column."""
        index = self._word_at(x)
        if index >= 0:
            self._at = index
            self.choose(index)
            self.refresh()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def action_step(self, way: int) -> None:
        self._at = (self._at + way) % max(1, len(self.words))
        self.refresh()

    def action_take(self) -> None:
        self.choose(self._at)
        self.refresh()


class Pick(Words):
    """One of a few words; arrows choose at once."""

    value: reactive[str] = reactive("", layout=True)
    """The chosen word; one that is not offered chooses none."""

    def signed(self, index: int) -> str:
        return f"{'●' if self.is_chosen(index) else '○'} {self.words[index]}"

    def is_chosen(self, index: int) -> bool:
        return self.words[index] == self.value

    def watch_value(self, value: str) -> None:
        if value in self.words:
            self._at = self.words.index(value)

    def choose(self, index: int) -> None:
        if self.words[index] != self.value:
            self.value = self.words[index]
            self.post_message(self.Changed(self))

    def action_step(self, way: int) -> None:
        super().action_step(way)
        self.choose(self._at)


class Ticks(Words):
    """Any number of a few words; space ticks."""

    value: reactive[tuple[str, ...]] = reactive(())
    """The ticked words, in the order of `words`; those that are not offered stay behind them."""

    def signed(self, index: int) -> str:
        return f"{'■' if self.is_chosen(index) else '□'} {self.words[index]}"

    def is_chosen(self, index: int) -> bool:
        return self.words[index] in self.value

    def choose(self, index: int) -> None:
        chosen = set(self.value) ^ {self.words[index]}
        others = tuple(word for word in self.value if word not in self.words)
        self.value = (*(word for word in self.words if word in chosen), *others)
        self.post_message(self.Changed(self))


class Cycle(Words):
    """One of several words of which only the chosen one is seen; arrows, or a click on either end, go to the next."""

    DEFAULT_CSS = """
    Cycle { width: 15; }
    """

    value: reactive[str] = reactive("")

    def signed(self, index: int) -> str:
        return self.words[index]

    def is_chosen(self, index: int) -> bool:
        return self.words[index] == self.value

    def get_content_width(self, container: object, viewport: object) -> int:
        return max(map(len, self.words), default=0) + 4

    def watch_value(self, value: str) -> None:
        if value in self.words:
            self._at = self.words.index(value)

    def render(self) -> Content:
        ends = "$accent" if self.has_focus else "$foreground-muted"
        style = "$foreground"
        if self.has_focus:
            style = "bold $block-cursor-foreground on $block-cursor-background"
            if self.app.no_color:
                style = "bold reverse"
        elif self.hovered >= 0:
            style = "underline $foreground"
        room = max(1, self.size.width - 4)
        return Content.assemble(("◂ ", ends), (f"{self.value:^{room}}"[:room], style), (" ▸", ends))

    def _word_at(self, x: int) -> int:
        return 0 if not self.disabled else -1

    def clicked(self, x: int) -> None:
        self.action_step(-1 if x < 2 else 1)

    def action_step(self, way: int) -> None:
        super().action_step(way)
        self.choose(self._at)

    def action_take(self) -> None:
        self.action_step(1)

    def choose(self, index: int) -> None:
        if self.words[index] != self.value:
            self.value = self.words[index]
            self.post_message(self.Changed(self))
