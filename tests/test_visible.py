"""Foreign text cannot steer a terminal."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.cli.streams import guarded
from hvdsweep.launch.logs import plain
from hvdsweep.visible import visible, visible_html, visible_json

HOSTILE = {
    "a colour": "\x1b[31m",
    "a title": "\x1b]0;owned\x07",
    "a cleared screen": "\x1b[2J\x1b[H",
    "an eight-bit sequence": "\x9b2J",
    "a bell": "\x07",
    "a backspace": "abc\x08\x08\x08",
    "an overwritten line": "bad\rgood",
    "a turned direction": "\u202egnp.exe",
    "a byte that is no text": "\udcff",
    "a null": "\x00",
    "a blank without width": "a\u200bb\u2060c\xadd",
    "letters joined for the eye": "a\u200db\u200cc",
    "tags that nothing shows": "a\U000e0041",
    "a link": "\x1b]8;;http://example.org\x1b\\text\x1b]8;;\x1b\\",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_a_terminal_would_obey_is_written_out(text):
    """In names, in lines of text, in logs, in JSON, in HTML, and at the last gate before the terminal."""
    buffer = io.BytesIO()
    owner = io.TextIOWrapper(buffer, encoding="utf-8", errors="surrogateescape")
    stream = guarded(owner)
    stream.write(text)
    stream.flush()
    gate = buffer.getvalue().decode("utf-8", "surrogateescape").replace("\x1b[31m", "").replace("\r", "")
    for shown in (visible(text), visible(text, lines=True), plain(text), visible_html(text)):
        assert shown.isprintable(), repr(shown)
    said = visible_json(json.dumps(text, ensure_ascii=False))
    assert said.isprintable()
    assert json.loads(said) == text
    assert gate.isprintable() or text == "\udcff", repr(gate)


@given(st.text())
def test_any_text_becomes_printable(text):
    """No control character is left but the ends of lines, where these are wanted; JSON keeps its value."""
    assert "\x1b" not in visible(text)
    assert "\n" not in visible(text)
    assert all(ord(char) >= 0x20 or char == "\n" for char in visible(text, lines=True))
    assert json.loads(visible_json(json.dumps(text, ensure_ascii=False))) == text


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_ordinary_text_is_left_alone(text):
    """Letters, digits, punctuation and signs of every script."""
    assert visible(text) == text


def test_the_gate_lets_our_own_output_pass():
    """Colours and what bars of progress are made of."""
    ours = "\x1b[1;31mred\x1b[0m\x1b[?25l\x1b[2K\x1b[1A\x1b[?25h\r\n\tplain \u2588 text\n"
    buffer = io.BytesIO()
    owner = io.TextIOWrapper(buffer, encoding="utf-8")
    stream = guarded(owner)
    stream.write(ours)
    stream.flush()
    assert buffer.getvalue().decode() == ours
