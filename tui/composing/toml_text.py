"""TOML edited in place: a key's value changes, and every comment, blank line and other key stays as it was typed.

Every edit is checked by reading the new text back; what cannot be edited so is refused, never mangled.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hvdsweep.sweep.write import toml_key, toml_value
from tui.composing.toml_scan import CannotEdit, Entry, Path, Section, scanned

__all__ = ["REMOVED", "CannotEdit", "Change", "Literal", "Path", "edited", "parsed", "value_at"]

REMOVED = object()
"""As the value of a change: the key goes."""


class Literal(float):
    """A number that remembers how it was written: 1e-3 stays 1e-3 where its neighbour is edited."""

    text: str

    def __new__(cls, text: str) -> Literal:
        number = super().__new__(cls, text.replace("_", ""))
        number.text = text
        return number

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Change:
    """One value to write, or a key to remove."""

    path: Path
    value: Any
    instead_of: tuple[Path, ...] = ()
    """Keys of the same table that go; where the first of them stood, with its comment, the new one stands."""


def parsed(text: str) -> dict[str, Any]:
    """The tables of `text`, its floats as Literal. Raises TOMLDecodeError, or RecursionError where it is nested too deeply."""
    try:
        return tomllib.loads(text, parse_float=Literal)
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:
        # A whole number of thousands of digits, which Python does not read.
        raise tomllib.TOMLDecodeError(str(error)) from error


def value_at(tables: Any, path: Path) -> Any:
    """What stands at `path`; None where nothing does."""
    for part in path:
        try:
            tables = tables[part]
        except (KeyError, IndexError, TypeError):
            return None
    return tables


def edited(text: str, changes: Sequence[Change], order: Mapping[str, Sequence[str]]) -> str:
    """`text` with `changes` made, one after the other.

    `order`: table ("" for the top) -> its keys and tables in the order in which new ones are put in. `text` must be TOML. Raises
    CannotEdit where a change cannot be made without touching anything else.
    """
    wanted = parsed(text)
    for change in changes:
        for step in _steps(wanted, change):
            before = value_at(wanted, step.path)
            for old in step.instead_of:
                _put(wanted, old, REMOVED)
            _put(wanted, step.path, step.value)
            unchanged = before is None if step.value is REMOVED else _same(before, step.value)
            if not unchanged or step.instead_of:
                text = _edit(text, step, order)
    try:
        found = parsed(text)
    except tomllib.TOMLDecodeError as error:
        raise CannotEdit(str(error)) from error
    if not _same(found, wanted, exactly=False):
        raise CannotEdit("the text says it in another way")
    return text


def _same(one: Any, other: Any, *, exactly: bool = True) -> bool:
    """Whether two values are alike; a table that holds nothing is as good as none. `exactly`: 1.0 and 1e0 are not the same."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = {key for key, value in (*one.items(), *other.items()) if value != {}}
        return all(_same(one.get(key), other.get(key), exactly=exactly) for key in keys)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(
            _same(*pair, exactly=exactly) for pair in zip(one, other, strict=True)
        )
    if isinstance(one, float) and isinstance(other, float):
        return repr(one) == repr(other) if exactly else one == other or (one != one and other != other)
    return type(one) is type(other) and bool(one == other)


def _steps(tables: Any, change: Change) -> list[Change]:
    """A change as single ones: at most one key is replaced by another, the rest is set or removed."""
    there = [path for path in change.instead_of if value_at(tables, path) is not None]
    if there and change.value is not REMOVED and value_at(tables, change.path) is None:
        first = Change(change.path, change.value, (there[0],))
        return [first, *(Change(path, REMOVED) for path in there[1:])]
    return [*(Change(path, REMOVED) for path in there), Change(change.path, change.value)]


def _put(tables: dict[str, Any], path: Path, value: Any) -> None:
    holder: Any = tables
    for part in path[:-1]:
        if isinstance(holder, dict) and part not in holder:
            if value is REMOVED:
                return
            holder[part] = {}
        if not _holds(holder, part):
            raise CannotEdit(f"{part} stands in what is no table")
        holder = holder[part]
    if not isinstance(holder, dict):
        raise CannotEdit(f"{path[-1]} stands in what is no table")
    if value is REMOVED:
        holder.pop(path[-1], None)
    else:
        holder[path[-1]] = value


def _holds(holder: Any, part: str | int) -> bool:
    if isinstance(part, int):
        return isinstance(holder, list) and 0 <= part < len(holder)
    return isinstance(holder, dict) and part in holder


def _edit(text: str, change: Change, order: Mapping[str, Sequence[str]]) -> str:
    """One change to the text, as good as its layout allows; the caller looks whether it came out right."""
    sections = scanned(text)
    entries = [entry for section in sections for entry in section.entries]
    if change.instead_of:
        old = next((entry for entry in entries if entry.path == change.instead_of[0]), None)
        if old is None:
            raise CannotEdit(f"{change.instead_of[0][-1]} stands inside another value")
        key = old.prefix + toml_key(str(change.path[-1]))
        between = text[old.key_end : old.value_start]
        return text[: old.key_start] + key + between + _written(change) + text[old.value_end :]
    exact = next((entry for entry in entries if entry.path == change.path), None)
    if exact is not None:
        if change.value is REMOVED:
            return _without(text, sections, exact)
        return text[: exact.value_start] + _written(change) + text[exact.value_end :]
    # Inside an inline table, which is written anew as a whole: it stands on one line, so it holds no comment of its own.
    for entry in entries:
        depth = len(entry.path)
        if depth < len(change.path) and change.path[:depth] == entry.path:
            table = parsed(f"it = {text[entry.value_start : entry.value_end]}")
            _put(table, ("it", *change.path[depth:]), change.value)
            if not table["it"]:
                return _without(text, sections, entry)
            return text[: entry.value_start] + toml_value(table["it"]) + text[entry.value_end :]
    # A table that is replaced as a whole: whatever says parts of it goes.
    depth = len(change.path)
    for section in reversed(sections):
        if section.path[:depth] == change.path:
            text = text[: section.start] + text[section.end :]
            continue
        for entry in reversed(section.entries):
            if entry.path[:depth] == change.path:
                text = text[: entry.start] + text[entry.end :]
    return text if change.value is REMOVED else _insert(text, change, order)


def _written(change: Change) -> str:
    return toml_value(change.value)


def _without(text: str, sections: Sequence[Section], entry: Entry) -> str:
    """The text without an entry, and without its table if that holds nothing else and need not be there."""
    home = next(section for section in sections if entry in section.entries)
    rest = text[home.body : entry.start] + text[entry.end : home.end]
    if rest.strip() or not home.path or home.path[0] in ("goal", "budget", "studies", "search"):
        return text[: entry.start] + text[entry.end :]
    return text[: home.start] + text[home.end :]


def _insert(text: str, change: Change, order: Mapping[str, Sequence[str]]) -> str:
    """The text with a new key: behind the neighbour it belongs behind, in its table, or in a new table at its place."""
    newline = "\r\n" if "\r\n" in text else "\n"
    if text and not text.endswith("\n"):
        text += newline
    sections = scanned(text)
    table, key = change.path[:-1], str(change.path[-1])
    names = list(order.get(".".join(part for part in table if isinstance(part, str)), ()))

    def rank(name: object) -> int:
        return names.index(str(name)) if name in names else len(names)

    siblings = [
        entry for section in sections for entry in section.entries if entry.path[:-1] == table and entry.path
    ]
    if siblings:
        before = [entry for entry in siblings if rank(entry.path[-1]) <= rank(key)]
        neighbour = before[-1] if before else siblings[0]
        at = neighbour.end if before else _above(text, neighbour.start)
        line = f"{neighbour.prefix}{toml_key(key)} = {_written(change)}{newline}"
        return text[:at] + line + text[at:]
    line = f"{toml_key(key)} = {_written(change)}{newline}"
    home = next((section for section in sections if section.path == table), None)
    if home is not None and table:
        return text[: home.body] + line + text[home.body :]
    if home is not None:
        return _at_the_top(text, home.end, line, newline)
    return _new_table(text, sections, table, line, order, newline)


def _at_the_top(text: str, end: int, line: str, newline: str) -> str:
    """The first key of all: behind the comment that opens the file, before the first table and what is said above it."""
    end = _above(text, end)
    head, tail = text[:end].rstrip("\r\n"), text[end:]
    head = f"{head}{newline}{newline}" if head else ""
    return head + line + (newline + tail if tail else "")


def _new_table(
    text: str,
    sections: Sequence[Section],
    table: Path,
    line: str,
    order: Mapping[str, Sequence[str]],
    newline: str,
) -> str:
    tables = list(order.get("", ()))

    def rank(name: object) -> int:
        return tables.index(str(name)) if name in tables else len(tables)

    header = ".".join(toml_key(str(part)) for part in table)
    if any(isinstance(part, int) for part in table):
        raise CannotEdit(f"{header} is one of a list of tables")
    later = [section for section in sections if section.path and rank(section.path[0]) > rank(table[0])]
    at = _above(text, later[0].start) if later else len(text)
    head, tail = text[:at].rstrip("\r\n"), text[at:]
    block = f"[{header}]{newline}{line}"
    return (f"{head}{newline}{newline}" if head else "") + block + (newline + tail if tail else "")


def _above(text: str, at: int) -> int:
    """The start of the comment that stands right above the line at `at`; `at` itself where there is none."""
    while at > 0:
        start = text.rfind("\n", 0, at - 1) + 1
        if not text[start:at].lstrip().startswith("#"):
            break
        at = start
    return at
