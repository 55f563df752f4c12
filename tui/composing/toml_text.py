"""TOML edited in place: a key's value changes, and every comment, blank line and other key stays as it was typed.

tomlkit reads the layout and writes it back; where a new key or table belongs is decided here. Every edit is checked by reading
the new text back; what cannot be edited so is refused, never mangled.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hvdsweep.sweep.write import toml_key, toml_value

Path = tuple[str | int, ...]
"""Where a value stands: ("search", "override", 0, "learning_rate")."""

Body = list[Any]
"""(key, item) of a table as tomlkit holds it; blank lines and comments have no key."""

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
    from tomlkit.exceptions import TOMLKitError

    wanted = parsed(text)
    try:
        for change in changes:
            for step in _steps(wanted, change):
                before = value_at(wanted, step.path)
                for old in step.instead_of:
                    _put(wanted, old, REMOVED)
                _put(wanted, step.path, step.value)
                unchanged = before is None if step.value is REMOVED else _same(before, step.value)
                if not unchanged or step.instead_of:
                    text = _edit(text, step, order)
        found = parsed(text)
    except (tomllib.TOMLDecodeError, TOMLKitError) as error:
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
    """Make a change in the tables that were read."""
    holder: Any = tables
    for part in path[:-1]:
        if isinstance(holder, dict) and part not in holder:
            if value is REMOVED:
                return
            holder[part] = {}
        try:
            holder = holder[part]
        except (IndexError, TypeError):
            raise CannotEdit(f"{part} stands in what is no table") from None
    if not isinstance(holder, dict):
        raise CannotEdit(f"{path[-1]} stands in what is no table")
    if value is REMOVED:
        holder.pop(path[-1], None)
    else:
        holder[path[-1]] = value


def _edit(text: str, change: Change, order: Mapping[str, Sequence[str]]) -> str:
    """One change to the text; the caller checks the result."""
    import tomlkit
    from tomlkit.items import SingleKey

    document = tomlkit.parse(text)
    top = document.body
    place = _entry(top, change.instead_of[0] if change.instead_of else change.path)
    if place is None:
        if change.instead_of:
            raise CannotEdit(f"{change.instead_of[0][-1]} stands inside another value")
        # A table that is replaced as a whole: whatever says parts of it goes.
        _drop(top, change.path)
        text = document.as_string()
        return text if change.value is REMOVED else _insert(text, change, order)
    body, at, inside = place
    key, item = body[at]
    value = change.value
    if inside:
        # An inline table is written as a whole: it stands on one line, so it holds no comment of its own.
        table = parsed(f"it = {item.as_string()}")
        _put(table, ("it", *inside), value)
        value = table["it"] or REMOVED
    elif change.instead_of:
        written = key.as_string()
        key = SingleKey(str(change.path[-1]), sep=written[len(written.rstrip()) :] + key.sep)
    if value is not REMOVED:
        body[at] = (key, _item(value, item.trivia))
        return document.as_string()
    del body[at]
    for index, (name, left) in enumerate(top):
        if name is not None and name.key == change.path[0] and body is not top and name.key not in KEPT:
            if not left.as_string().strip():
                del top[index]
            break
    return document.as_string()


def _item(value: Any, trivia: Any) -> Any:
    """A value as tomlkit holds it, with the blanks and the comment of `trivia` around it."""
    import tomlkit

    item = tomlkit.value(toml_value(value))
    for name in ("indent", "comment_ws", "comment", "trail"):
        setattr(item.trivia, name, getattr(trivia, name))
    return item


def _inner(item: Any, path: Path) -> tuple[Body, Path] | None:
    """The body of a table and what is left of the path into it; None for what is no table in lines of its own."""
    from tomlkit.items import AoT, Table

    if isinstance(item, AoT):
        number = path[0] if path else None
        return (item.body[number].value.body, path[1:]) if isinstance(number, int) else None
    return (item.value.body, path) if isinstance(item, Table) else None


def _is_lines(item: Any) -> bool:
    """Whether it is a table, or a list of them, in lines of its own."""
    from tomlkit.items import AoT, Table

    return isinstance(item, AoT | Table)


def _entry(body: Body, path: Path) -> tuple[Body, int, Path] | None:
    """The `key = value` that says what stands at `path`: its body, its place there, and the rest of the path inside the value."""
    for at, (key, item) in enumerate(body):
        if not path or key is None or key.key != path[0]:
            continue
        if not _is_lines(item):
            return body, at, path[1:]
        inner = _inner(item, path[1:])
        found = _entry(*inner) if inner else None
        if found:
            return found
    return None


def _bodies(body: Body, path: Path) -> Iterator[Body]:
    """The bodies of the table at `path`: several where it is written in parts or with dotted keys."""
    if not path:
        yield body
        return
    for key, item in body:
        inner = _inner(item, path[1:]) if key is not None and key.key == path[0] else None
        if inner:
            yield from _bodies(*inner)


def _drop(body: Body, path: Path) -> None:
    """Take out every table, and every dotted key, at or under `path`."""
    for at in range(len(body) - 1, -1, -1):
        key, item = body[at]
        if key is None or key.key != path[0]:
            continue
        inner = _inner(item, path[1:])
        if len(path) > 1 and inner:
            _drop(*inner)
        if len(path) == 1 or (inner and not inner[0]):
            del body[at]


def _insert(text: str, change: Change, order: Mapping[str, Sequence[str]]) -> str:
    """The text with a new key: behind the neighbour it belongs behind, in its table, or in a new table at its place."""
    import tomlkit
    from tomlkit.items import SingleKey, Trivia

    newline = "\r\n" if "\r\n" in text else "\n"
    if text and not text.endswith("\n"):
        text += newline
    document = tomlkit.parse(text)
    table, key = change.path[:-1], str(change.path[-1])
    rank = _ranking(order, ".".join(part for part in table if isinstance(part, str)))
    bodies = list(_bodies(document.body, table))
    siblings = [
        (body, at)
        for body in bodies
        for at, (name, item) in enumerate(body)
        if name is not None and not _is_lines(item)
    ]
    indent = ""
    if siblings:
        before = [(body, at) for body, at in siblings if rank(body[at][0].key) <= rank(key)]
        body, at = before[-1] if before else siblings[0]
        indent = body[at][1].trivia.indent
        if before:
            at += 1
        while not before and at and isinstance(body[at - 1][1], tomlkit.items.Comment):
            at -= 1
    elif table and bodies and not _is_implied(document.body, table):
        body, at = bodies[0], 0
    else:
        line = f"{toml_key(key)} = {toml_value(change.value)}{newline}"
        return _new_lines(text, table, line, newline, _ranking(order, ""))
    body.insert(at, (SingleKey(key), _item(change.value, Trivia(indent, "", "", newline))))
    return document.as_string()


def _is_implied(body: Body, table: Path) -> bool:
    """Whether a table has no header of its own, only tables in it."""
    for key, item in body:
        if key is not None and key.key == table[0] and _is_lines(item):
            inner = _inner(item, table[1:])
            return (
                _is_implied(*inner) if inner and inner[1] else bool(getattr(item, "is_super_table", bool)())
            )
    return False


def _ranking(order: Mapping[str, Sequence[str]], table: str) -> Any:
    """Key of a table -> its place among the others; unknown ones come last."""
    names = list(order.get(table, ()))
    return lambda name: names.index(str(name)) if name in names else len(names)


def _new_lines(text: str, table: Path, line: str, newline: str, rank: Any) -> str:
    """The text with the first key of a table (with its header), or with the first key of all, at its place.

    That is before the next table and the comment above that; the first key stands behind the comment that opens the file.
    """
    import tomlkit

    if any(isinstance(part, int) for part in table):
        raise CannotEdit(f"{table[0]} is a list of tables")
    document, limit = tomlkit.parse(text), rank(table[0]) if table else -1
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
    header = ".".join(toml_key(str(part)) for part in table)
    head, tail = text[:end].rstrip("\r\n"), text[end:]
    block = (f"[{header}]{newline}" if table else "") + line
    return (f"{head}{newline}{newline}" if head else "") + block + (newline + tail if tail else "")
