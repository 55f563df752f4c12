"""Where everything stands in a text that is known to be TOML: its tables, keys and values, by offset."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass

Path = tuple[str | int, ...]
"""Where a value stands: ("search", "override", 0, "learning_rate")."""


class CannotEdit(Exception):
    """The text says this in a way that only a person can change."""


@dataclass(frozen=True)
class Entry:
    """One `key = value` of a text."""

    path: Path
    prefix: str
    """What is written before the last part of its key: `search.` of `search.momentum`."""
    start: int
    """Of its first line."""
    key_start: int
    key_end: int
    value_start: int
    value_end: int
    end: int
    """Behind the end of its last line."""


@dataclass(frozen=True)
class Section:
    """A `[table]`, or what stands before the first."""

    path: Path
    start: int
    """Of the line of its header."""
    body: int
    """Behind that line."""
    end: int
    entries: tuple[Entry, ...]


_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN = re.compile(r"[^,\]}#\r\n]*")
_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_REST = re.compile(r"[ \t]*(?:#[^\n]*)?\r?(?:\n|$)")


def scanned(text: str) -> list[Section]:
    """The tables of `text`, in its order, beginning with what stands before the first."""
    sections: list[Section] = []
    counts: dict[Path, int] = {}
    path: Path = ()
    start = body = at = 0
    entries: list[Entry] = []
    while True:
        blank = _BLANK.match(text, at)
        at = blank.end() if blank else at
        if at >= len(text):
            sections.append(Section(path, start, body, len(text), tuple(entries)))
            return sections
        line = text.rfind("\n", 0, at) + 1
        if text[at] == "[":
            sections.append(Section(path, start, body, line, tuple(entries)))
            path, at = _header(text, at, counts)
            start, body, entries = line, at, []
            continue
        names, key_end = _key(text, at)
        prefix = text[at:key_end].rstrip()
        prefix = prefix[: len(prefix) - len(_last_name(prefix))]
        value = _spaces(text, _spaces(text, key_end) + 1)
        value_end = _value(text, value)
        rest = _REST.match(text, value_end)
        end = rest.end() if rest else value_end
        entries.append(Entry((*path, *names), prefix, line, at, key_end, value, value_end, end))
        at = end


def _header(text: str, at: int, counts: dict[Path, int]) -> tuple[Path, int]:
    """The path of the table whose header begins at `at`, and the offset behind its line. `counts`: list of tables -> how many."""
    several = text.startswith("[[", at)
    names, at = _key(text, _spaces(text, at + 1 + several))
    path: Path = ()
    for index, name in enumerate(names):
        path = (*path, name)
        if several and index == len(names) - 1:
            counts[path] = counts.get(path, 0) + 1
        if path in counts:
            path = (*path, counts[path] - 1)
    at = text.index("]", at) + 1 + several
    rest = _REST.match(text, at)
    return path, rest.end() if rest else at


def _spaces(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t":
        at += 1
    return at


def _key(text: str, at: int) -> tuple[tuple[str, ...], int]:
    """The parts of a dotted key, and the offset behind it."""
    names: list[str] = []
    while True:
        at = _spaces(text, at)
        if text[at] in "\"'":
            end = _string(text, at)
            names.append(str(tomllib.loads(f"it = {text[at:end]}")["it"]))
        else:
            bare = _BARE.match(text, at)
            if bare is None:
                raise CannotEdit(f"a key was expected at {text[at : at + 20]!r}")
            end = bare.end()
            names.append(bare.group())
        dot = _spaces(text, end)
        if dot >= len(text) or text[dot] != ".":
            return tuple(names), end
        at = dot + 1


def _last_name(key: str) -> str:
    """The last part of a dotted key, as written."""
    start = at = 0
    while at < len(key):
        if key[at] in "\"'":
            at = _string(key, at)
        elif key[at] == ".":
            at = start = _spaces(key, at + 1)
        else:
            at += 1
    return key[start:]


def _value(text: str, at: int) -> int:
    """The offset behind the value that begins at `at`."""
    if text[at] in "\"'":
        return _string(text, at)
    if text[at] not in "[{":
        plain = _PLAIN.match(text, at)
        return at + len(plain.group().rstrip()) if plain else at
    close = "]" if text[at] == "[" else "}"
    inline = text[at] == "{"
    at += 1
    while True:
        blank = _BLANK.match(text, at)
        at = blank.end() if blank else at
        if text[at] == close:
            return at + 1
        if text[at] == ",":
            at += 1
            continue
        if inline:
            _, at = _key(text, at)
            at = _spaces(text, _spaces(text, at) + 1)
        at = _value(text, at)


def _string(text: str, at: int) -> int:
    quote = text[at]
    if text.startswith(quote * 3, at):
        at += 3
        while not text.startswith(quote * 3, at):
            at += 2 if quote == '"' and text[at] == "\\" else 1
        at += 3
        while text.startswith(quote, at):
            at += 1
        return at
    at += 1
    while text[at] != quote:
        at += 2 if quote == '"' and text[at] == "\\" else 1
    return at + 1
