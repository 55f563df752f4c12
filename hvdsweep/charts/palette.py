"""The colour and marker of a series, fixed by its name, and the themes that map style keys to rich styles."""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

MARKERS = "●◆▲■✦▼✚▬"
OPEN_MARKERS = "○◇△□✧▽✛▭"
ASCII_MARKERS = "o*x#+@%&"
LETTERS = "abcdefghijklmnpqrstuvwyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
BOUND = "^"
SLOTS = len(MARKERS)

Theme = Mapping[str, str]
"""Style key -> rich style. Keys: title subtitle axis tick axis_title legend legend_off grid band_label band_edge
annotation reference goal empty cursor, s0 to s7 for series and band0 to band3 for backgrounds; an unknown key is taken
as a rich style itself. A cell on a band has the key ``"s3 on band0"``."""

TERMINAL: Theme = MappingProxyType(
    {
        "title": "bold", "subtitle": "dim", "axis": "dim", "tick": "", "axis_title": "italic", "legend": "",
        "legend_off": "dim strike", "grid": "dim", "band_label": "bold", "band_edge": "dim", "annotation": "bold",
        "reference": "dim", "goal": "bold red", "empty": "dim italic", "cursor": "reverse",
        "s0": "bright_blue", "s1": "yellow", "s2": "green", "s3": "magenta",
        "s4": "cyan", "s5": "red", "s6": "bright_green", "s7": "bright_magenta",
        "band0": "", "band1": "", "band2": "", "band3": "",
    }
)  # fmt: skip
"""The terminal's own sixteen colours, no backgrounds: safe on dark and light ones."""

DARK: Theme = MappingProxyType(
    {
        "title": "bold #f2f4f8", "subtitle": "#9aa5b1", "axis": "#5c6773", "tick": "#b8c2cc",
        "axis_title": "italic #9aa5b1", "legend": "#d5dce3", "legend_off": "strike #5c6773", "grid": "#47515c",
        "band_label": "#aab6c2", "band_edge": "#55606c", "annotation": "bold #f2f4f8", "reference": "#a3b1bf",
        "goal": "bold #ff6b6b", "empty": "italic #7b8794", "cursor": "reverse",
        "s0": "#4ea8ff", "s1": "#ffb347", "s2": "#3ddc97", "s3": "#ff7ac6",
        "s4": "#56d4e8", "s5": "#ff6f59", "s6": "#c3e34d", "s7": "#b490ff",
        "band0": "#14261f", "band1": "#2a2512", "band2": "#2b181b", "band3": "#182234",
    }
)  # fmt: skip
"""True colours on a dark background."""

LIGHT: Theme = MappingProxyType(
    {
        "title": "bold #101418", "subtitle": "#55606c", "axis": "#6b7681", "tick": "#36404a",
        "axis_title": "italic #55606c", "legend": "#20262c", "legend_off": "strike #98a2ad", "grid": "#b9c2cb",
        "band_label": "#4a5560", "band_edge": "#a3adb7", "annotation": "bold #101418", "reference": "#6b7681",
        "goal": "bold #c22032", "empty": "italic #6b7681", "cursor": "reverse",
        "s0": "#0b62c4", "s1": "#b25a00", "s2": "#0a7d4f", "s3": "#b3247f",
        "s4": "#007890", "s5": "#c23a1e", "s6": "#5d7300", "s7": "#6a3fc4",
        "band0": "#e3f3ea", "band1": "#fbf2d8", "band2": "#fbe6e4", "band3": "#e4ecfa",
    }
)  # fmt: skip
"""True colours on a light background."""

MONO: Theme = MappingProxyType(
    dict.fromkeys(TERMINAL, "")
    | {
        "title": "bold",
        "annotation": "bold",
        "goal": "bold",
        "cursor": "reverse",
        "subtitle": "dim",
        "grid": "dim",
    }
)
"""No colours (NO_COLOR): markers, dashes and words make the difference."""


def style_of(key: str, theme: Theme) -> str:
    """The rich style of a cell's key, such as ``"s3 on band0"``; "" is the terminal's default."""
    ink, _, ground = key.partition(" on ")
    style = theme.get(ink, ink)
    back = theme.get(ground, ground)
    return f"{style} on {back}".strip() if back else style


def slots(names: Iterable[str]) -> dict[str, int]:
    """A slot per name: the name's own by checksum, or the next free one if an earlier name has it.

    Appending a series never changes the look of those before it. Slot k has colour k % 8.
    """
    taken: set[int] = set()
    found: dict[str, int] = {}
    for name in names:
        if name in found:
            continue
        home, start = zlib.crc32(name.encode()) % SLOTS, len(taken) // SLOTS * SLOTS
        slot = next(
            start + (home + k) % SLOTS for k in range(SLOTS) if start + (home + k) % SLOTS not in taken
        )
        taken.add(slot)
        found[name] = slot
    return found


def color_key(slot: int) -> str:
    """The style key of a slot."""
    return f"s{slot % SLOTS}"


def marker_of(slot: int, given: str | None = None, *, ascii: bool = False) -> str:
    """The one-cell marker of a series: the given one if a terminal can show it in one cell, else its slot's. These are
    letters from the ninth on, so that no two of 58 are equal."""
    if given and (
        " " < given[0] <= "~" or (not ascii and unicodedata.east_asian_width(given[0]) not in "WF")
    ):
        return given[0]
    if slot >= SLOTS:
        return LETTERS[(slot - SLOTS) % len(LETTERS)]
    return (ASCII_MARKERS if ascii else MARKERS)[slot]


def opened(marker: str) -> str:
    """The form of a marker for a bound: open, or a caret if there is no open form."""
    place = MARKERS.find(marker)
    return OPEN_MARKERS[place] if place >= 0 else BOUND
