"""Makes foreign text safe to show: names, messages, logs and paths may contain terminal escape sequences."""

from __future__ import annotations

import html
import re

UNSEEN = (
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that change the direction of what follows
    "\xad\u034f\u180e\u200b-\u200d\u2060-\u2065\u206a-\u206f"  # without width: two names would look the same
    "\u2028\u2029\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff"
)
"""Part of a regular expression: characters that are no control characters, but change what a terminal shows."""

_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters; ESC and CSI begin sequences that terminals obey
    f"{UNSEEN}"
    "\ud800-\udfff]"  # bytes of a file name that are no UTF-8
)
_HIDDEN_BUT_LINES = re.compile(_HIDDEN.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))


def visible(text: str, *, lines: bool = False) -> str:
    """The text, terminal control characters escaped: `\\x1b[31m` in place of red. With `lines`, newlines are kept."""
    if text.isprintable() and text.isascii():
        return text
    if lines:
        text = text.replace("\t", "    ").replace("\r\n", "\n")
    return (_HIDDEN_BUT_LINES if lines else _HIDDEN).sub(_written_out, text)


def visible_json(text: str) -> str:
    """JSON text with everything a terminal might obey escaped; JSON itself escapes only characters below a blank."""
    return _HIDDEN_BUT_LINES.sub(_in_json, text)


def _in_json(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))


def visible_html(text: str) -> str:
    """Text for an HTML element or attribute: escaped, and control characters written out."""
    return html.escape(visible(text, lines=True))


def csv_cell(value: object) -> object:
    """A value for a cell of CSV. A spreadsheet would run text that begins like a formula; an apostrophe makes it text there."""
    if isinstance(value, str):
        value = visible(value)
        return f"'{value}" if value[:1] in tuple("=+-@") else value
    return "" if value is None else str(value).lower() if isinstance(value, bool) else value


def _written_out(match: re.Match[str]) -> str:
    char = match[0]
    if "\udc80" <= char <= "\udcff":
        # Python's stand-in for a byte that it could not decode.
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
