"""Foreign text made safe to show: names, messages, logs and paths may hold anything, escape sequences of a terminal included."""

from __future__ import annotations

import html
import re

_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters; ESC and CSI begin sequences that terminals obey
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that change the direction of what follows
    "\u2028\u2029\ufeff"
    "\ud800-\udfff]"  # bytes of a file name that are no UTF-8
)
_HIDDEN_BUT_LINES = re.compile(_HIDDEN.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))


def visible(text: str, *, lines: bool = False) -> str:
    """The text with everything a terminal might obey written out: `\\x1b[31m` in place of red. With `lines`, lines stay lines."""
    if text.isprintable() and text.isascii():
        return text
    if lines:
        text = text.replace("\t", "    ").replace("\r\n", "\n")
    return (_HIDDEN_BUT_LINES if lines else _HIDDEN).sub(_written_out, text)


def visible_json(text: str) -> str:
    """JSON whose strings hold nothing a terminal might obey: JSON itself escapes only what is below a blank."""
    return _HIDDEN_BUT_LINES.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def visible_html(text: str) -> str:
    """Text inside an element or an attribute: escaped, and with control characters written out."""
    return html.escape(visible(text, lines=True))


def _written_out(match: re.Match[str]) -> str:
    char = match[0]
    if "\udc80" <= char <= "\udcff":
        # How Python stands in for a byte that it could not decode.
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
