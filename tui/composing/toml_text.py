"""TOML edited in place: a key's value changes, and every comment, blank line and other key stays as it was typed.

tomlkit reads the layout and writes it back; where a new key or table belongs is decided here. Every edit is checked by reading
the new text back; what cannot be edited so is refused, never mangled.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hvdsweep.sweep.write import toml_key, toml_value

Path = tuple[str, ...]
"""Where a value stands: ("search", "learning_rate", "min")."""

REMOVED = object()
"""As the value of a change: the key goes."""

KEPT = ("goal", "budget", "studies", "search")
"""Tables that every sweep needs: they stay when their last key goes."""


class CannotEdit(Exception):
    """The form cannot edit this notation."""


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
    """The tables of `text`, its floats as Literal. Raises TOMLDecodeError, or RecursionError if it is nested too deeply."""
    try:
        return tomllib.loads(text, parse_float=Literal)
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:
        # A whole number of thousands of digits, which Python does not read.
        raise tomllib.TOMLDecodeError(str(error)) from error


def value_at(tables: Any, path: Path) -> Any:
    """What stands at `path`; None if nothing does."""
    for part in path:
        if not isinstance(tables, Mapping) or part not in tables:
            return None
        tables = tables[part]
    return tables


def edited(text: str, changes: Sequence[Change]) -> str:
    """`text` with `changes` made, one after the other; new keys and tables are put in in the order of the models.

    `text` must be TOML. Raises CannotEdit if a change cannot be made without touching anything else.
    """
    from tomlkit.exceptions import TOMLKitError

    wanted = parsed(text)
    try:
        for change in changes:
            for step in _steps(wanted, change):
                before = value_at(wanted, step.path)
                for old in step.instead_of:
                    _put(wanted, old, REMOVED)
                _put(wanted, step.path, step.value)
                same = before is None if step.value is REMOVED else repr(before) == repr(step.value)
                if not same or step.instead_of:
                    text = _edit(text, step)
        found = parsed(text)
    except (tomllib.TOMLDecodeError, TOMLKitError) as error:
        raise CannotEdit(str(error)) from error
    if repr(_plain(found)) != repr(_plain(wanted)):
        raise CannotEdit("the text says it in another way")
    return text


def _plain(value: Any) -> Any:
    """A value that looks as every equal one does; a table that holds nothing is as good as none."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in sorted(value.items()) if entry != {}}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return float(value) if isinstance(value, float) else value


def _steps(tables: Any, change: Change) -> list[Change]:
    """A change as single ones: at most one key is replaced by another, the rest is set or removed."""
    there = [path for path in change.instead_of if value_at(tables, path) is not None]
    if there and change.value is not REMOVED and value_at(tables, change.path) is None:
        first = Change(change.path, change.value, (there[0],))
        return [first, *(Change(path, REMOVED) for path in there[1:])]
    return [*(Change(path, REMOVED) for path in there), Change(change.path, change.value)]


def _put(tables: dict[str, Any], path: Path, value: Any) -> None:
    """Make a change in the tables that were read."""
    holder: Any = tables
    for part in path[:-1]:
        if isinstance(holder, dict) and part not in holder and value is REMOVED:
            return
        holder = holder.setdefault(part, {}) if isinstance(holder, dict) else None
    if not isinstance(holder, dict):
        raise CannotEdit(f"{path[-1]} stands in what is no table")
    if value is REMOVED:
        holder.pop(path[-1], None)
    else:
        holder[path[-1]] = value


def _edit(text: str, change: Change) -> str:
    """One change to the text; the caller checks the result."""
    import tomlkit

    document = tomlkit.parse(text)
    old = change.instead_of[0] if change.instead_of else change.path
    table, (key, *inside) = _table_of(document, old)
    item, value = table.get(key), change.value
    if item is None and change.instead_of:
        raise CannotEdit(f"{key} stands inside another value")
    if item is None or _is_lines(item):
        if item is not None:
            # A table that is replaced as a whole: whatever says parts of it goes.
            del table[key]
        text = document.as_string()
        return text if value is REMOVED else _insert(text, change)
    if inside:
        # An inline table is written as a whole: it stands on one line, so it holds no comment of its own.
        tables = parsed(f"it = {item.as_string()}")
        _put(tables, ("it", *inside), value)
        value = tables["it"] or REMOVED
    if value is not REMOVED:
        # Blanks and comment around the value stay.
        holder = next(part for part in _parts(table) if key in part)
        holder._replace(key, change.path[-1] if change.instead_of else key, tomlkit.value(toml_value(value)))
        return document.as_string()
    del table[key]
    first = change.path[0]
    empty = first in document and not any(part.as_string().strip() for part in _parts(document[first]))
    if empty and table is not document and first not in KEPT:
        del document[first]
    return document.as_string()


def _is_lines(item: Any) -> bool:
    """Whether it is a table, or a list of them, in lines of its own."""
    from tomlkit.container import OutOfOrderTableProxy
    from tomlkit.items import AoT, Table

    return isinstance(item, AoT | Table | OutOfOrderTableProxy)


def _table_of(document: Any, path: Path) -> tuple[Any, Path]:
    """The innermost table in lines of its own that `path` leads into, and the rest of the path."""
    for at, part in enumerate(path[:-1]):
        inner = value_at(document, (part,))
        if not _is_lines(inner):
            return document, path[at:]
        document = inner
    return document, path[-1:]


def _parts(table: Any) -> list[Any]:
    """The containers of a table: several where it is written in parts."""
    from tomlkit.container import OutOfOrderTableProxy
    from tomlkit.items import Table

    tables = table._tables if isinstance(table, OutOfOrderTableProxy) else [table]
    return [one.value if isinstance(one, Table) else one for one in tables]


def _insert(text: str, change: Change) -> str:
    """The text with a new key: behind the neighbour it belongs behind, in its table, or in a new table at its place."""
    import tomlkit
    from tomlkit.items import Comment, SingleKey

    newline = "\r\n" if "\r\n" in text else "\n"
    if text and not text.endswith("\n"):
        text += newline
    document = tomlkit.parse(text)
    tables, key = change.path[:-1], change.path[-1]
    rank = _ranking(".".join(tables))
    table, rest = _table_of(document, change.path)
    bodies = [part.body for part in _parts(table)]
    siblings = [
        (body, at)
        for body in bodies
        for at, (name, item) in enumerate(body)
        if name is not None and not _is_lines(item)
    ]
    item = tomlkit.value(toml_value(change.value))
    item.trivia.trail = newline
    if len(rest) == 1 and siblings:
        before = [(body, at) for body, at in siblings if rank(body[at][0].key) <= rank(key)]
        body, at = before[-1] if before else siblings[0]
        item.trivia.indent = body[at][1].trivia.indent
        if before:
            at += 1
        while not before and at and isinstance(body[at - 1][1], Comment):
            at -= 1
    elif tables and len(rest) == 1 and not getattr(table, "is_super_table", bool)():
        body, at = bodies[0], 0
    else:
        line = f"{toml_key(key)} = {toml_value(change.value)}{newline}"
        return _new_lines(text, tables, line, newline)
    body.insert(at, (SingleKey(key), item))
    return document.as_string()


def _ranking(table: str) -> Callable[[str], int]:
    """Key of a table ("" for the top) -> its place among the others; unknown ones come last."""
    # Here, not above: the first screen needs no pydantic.
    from hvdsweep.sweep.models import KEYS

    names = list(KEYS.get(table, ()))
    return lambda name: names.index(str(name)) if name in names else len(names)


def _new_lines(text: str, table: Path, line: str, newline: str) -> str:
    """The text with the first key of a table (with its header), or with the first key of all, at its place.

    That is before the next table and the comment above that; the first key stands behind the comment that opens the file.
    """
    import tomlkit

    document, rank = tomlkit.parse(text), _ranking("")
    limit = rank(table[0]) if table else -1
    for at, (key, item) in enumerate(document.body):
        if key is not None and _is_lines(item) and not key.is_dotted() and rank(key.key) > limit:
            del document.body[at:]
            break
    end = len(document.as_string())
    while end > 0:
        start = text.rfind("\n", 0, end - 1) + 1
        if not text[start:end].lstrip().startswith("#") or end == len(text):
            break
        end = start
    header = ".".join(map(toml_key, table))
    head, tail = text[:end].rstrip("\r\n"), text[end:]
    block = (f"[{header}]{newline}" if table else "") + line
    return (f"{head}{newline}{newline}" if head else "") + block + (newline + tail if tail else "")
