"""One line of the table of actions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, cached_property

from textual.binding import Binding
from textual.keys import format_key


@dataclass(frozen=True)
class Action:
    """One thing the user can do."""

    id: str
    key: str
    """The keys as Textual's Binding takes them: `[`, `left,h`; no alt, no ctrl+shift: many terminals swallow them."""
    label: str
    """One or two words for the footer."""
    help: str
    """One sentence for the help screen and the palette."""
    owner: str = ""
    """What it belongs to: "app", a screen, "chart" or a widget."""
    part: str = ""
    """The part of the screen that does it: "chart", or the id of a widget; "" the owner itself."""
    when: str = ""
    """Attribute of the screen ("app": of the app; "chart": of the chart) that must be true; "" always."""
    footer: bool = True
    """Whether the footer shows it if there is room."""
    opens_line: bool = False
    """Whether it opens a line to type into: keys that arrive together with its own go into that line."""
    palette: bool = True
    """Whether the palette offers it; movements of a cursor are not worth it."""

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Textual's names of the keys."""
        return tuple(one.key for one in Binding.make_bindings([Binding(self.key, self.id)]))

    @property
    def name(self) -> str:
        """The id without arguments."""
        return self.id.partition("(")[0]

    @property
    def command(self) -> str:
        """What Textual runs."""
        return f"part({self.part!r}, {self.id!r})" if self.part else self.id

    @cached_property
    def while_typing(self) -> Action | None:
        """The same with the keys that are not text in a field; None if there are none."""
        keys = tuple(key for key in self.keys if not is_text(key))
        return replace(self, key=",".join(keys)) if keys else None

    @property
    def key_names(self) -> tuple[str, ...]:
        return tuple(map(key_name, self.keys))


def owned(owner: str, *actions: Action, part: str = "") -> tuple[Action, ...]:
    """Actions of one owner; `part` does those that name no other."""
    return tuple(replace(action, owner=owner, part=action.part or part) for action in actions)


def movement(id: str, key: str, label: str, help: str, when: str = "") -> Action:
    """An action that the help alone lists: its key is one that people try anyway."""
    return Action(id, key, label, help, when=when, footer=False, palette=False)


@cache
def key_name(key: str) -> str:
    """Textual's name of a key as the footer and the help say it: `?`, `↑`, `^p`, `⇧tab`."""
    *held, key = key.split("+")
    name = {"enter": "enter", "f1": "F1"}.get(key) or format_key(key)
    return "".join({"ctrl": "^", "shift": "⇧"}[one] for one in held) + name


def is_text(key: str) -> bool:
    """Whether a key types a character into a field."""
    return key == "space" or (len(name := key_name(key)) == 1 and name.isascii())
