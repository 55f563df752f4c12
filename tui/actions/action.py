"""One line of the table of actions."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Action:
    """One thing the user can do."""

    id: str
    keys: tuple[str, ...]
    """Textual's names of the keys; no alt, no ctrl+shift: many terminals swallow them."""
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

    @property
    def name(self) -> str:
        """The id without arguments."""
        return self.id.partition("(")[0]

    @property
    def command(self) -> str:
        """What Textual runs."""
        return f"part({self.part!r}, {self.id!r})" if self.part else self.id

    @property
    def while_typing(self) -> Action | None:
        """The same with the keys that are not text in a field; None if there are none."""
        keys = tuple(key for key in self.keys if len(key) > 1 and key not in TEXT_KEYS)
        return replace(self, keys=keys) if keys else None

    @property
    def key_names(self) -> tuple[str, ...]:
        """The keys as they are usually written."""
        return tuple(KEY_NAMES.get(key, key) for key in self.keys)


def owned(owner: str, *actions: Action, part: str = "") -> tuple[Action, ...]:
    """Actions of one owner; `part` does those that name no other."""
    return tuple(replace(action, owner=owner, part=action.part or part) for action in actions)


def movement(id: str, keys: tuple[str, ...], label: str, help: str, when: str = "") -> Action:
    """An action that the help alone lists: its key is one that people try anyway."""
    return Action(id, keys, label, help, when=when, footer=False, palette=False)


KEY_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "colon": ":",
    "escape": "esc",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "delete": "del",
    "f1": "F1",
    "ctrl+p": "^p",
    "ctrl+q": "^q",
    "ctrl+l": "^l",
    "ctrl+n": "^n",
    "ctrl+o": "^o",
    "ctrl+s": "^s",
    "ctrl+t": "^t",
    "shift+tab": "⇧tab",
    "shift+left": "⇧←",
    "shift+right": "⇧→",
    "shift+up": "⇧↑",
    "shift+down": "⇧↓",
    "comma": ",",
    "full_stop": ".",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "space": "space",
}
"""Textual's name of a key -> what the footer and the help say."""

TEXT_KEYS = {key for key, name in KEY_NAMES.items() if name.isascii() and len(name) == 1} | {"space"}
"""Named keys that type a character into a field."""
