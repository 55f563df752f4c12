"""Makes foreign text safe to show: names, messages, logs and paths may contain terminal escape sequences."""

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
    """The text, terminal control characters escaped: `\\x1b[31m` in place of red. With `lines`, newlines are kept."""
    if text.isprintable() and text.isascii():
        return text
    if lines:
        text = text.replace("\t", "    ").replace("\r\n", "\n")
    return (_HIDDEN_BUT_LINES if lines else _HIDDEN).sub(_written_out, text)


def visible_json(text: str) -> str:
    """JSON text with everything a terminal might obey escaped; JSON itself escapes only characters below a blank."""
    return _HIDDEN_BUT_LINES.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def visible_html(text: str) -> str:
    """Text for an HTML element or attribute: escaped, and control characters written out."""
    return html.escape(visible(text, lines=True))


def _written_out(match: re.Match[str]) -> str:
    char = match[0]
    if "\udc80" <= char <= "\udcff":
        # Python's stand-in for a byte that it could not decode.
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
