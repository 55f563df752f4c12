"""What each character of a line of TOML is, for colouring: keys, tables, text, numbers, comments. A line at a time, so that the
text may be half-written. Textual's own colours need two compiled packages, tree-sitter and a grammar, and find no keys."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
      (?P<comment>\#.*)
    | (?P<table>^\s*\[\[?[^\]\n]*\]?\]?)
    | (?P<key>(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'))*(?=\s*=))
    | (?P<string>\"\"\".*?(?:\"\"\"|$)|'''.*?(?:'''|$)|"(?:[^"\\]|\\.)*"?|'[^']*'?)
    | (?P<word>\b(?:true|false)\b)
    | (?P<number>[+-]?\b[0-9][0-9A-Za-z_.:+-]*|[+-]?\b(?:inf|nan)\b)
    | (?P<mark>[=,{}\[\]])
    """,
    re.VERBOSE,
)


def coloured(line: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, what it is) of each part of a line: `comment`, `table`, `key`, `string`, `word`, `number` or `mark`."""
    for match in _TOKEN.finditer(line):
        yield match.start(), match.end(), str(match.lastgroup)


def key_lines(text: str) -> dict[str, int]:
    """`search.override[0].learning_rate` -> its line, of every table and key that begins a line of `text`, from 0."""
    found: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.split("\n")):
        start, end, kind = next(coloured(line), (0, 0, ""))
        name = line[start:end].strip(" \t[]").replace(" ", "").replace('"', "")
        if kind == "table":
            table = name
            if line.lstrip().startswith("[["):
                counts[name] = counts.get(name, -1) + 1
                table = f"{name}[{counts[name]}]"
            found[table] = number
        elif kind == "key":
            found[f"{table}.{name}" if table else name] = number
    return found
