"""Batch sizes as people write them: `[8, 16, 30]`, `"2^1..2^10"`, `"8..1024 *4"`, `"1,2,2^4..2^6"`, `"16 32 64"`."""

from __future__ import annotations

import re

LARGEST = 2**30
"""Largest batch size: rows of a global batch are counted in 32 bits."""

_TERM = re.compile(r"(?P<low>[^.*]+?)\s*(?:\.\.\s*(?P<high>[^.*]+?))?\s*(?:\*\s*(?P<factor>\S+))?")
_BETWEEN_NUMBERS = re.compile(r"(?<=[0-9])\s+(?=[0-9])")
_DASHED = re.compile(r"([0-9^]+)\s*(?:-|–|to|:)\s*([0-9^]+)")
_NUMBER = re.compile(r"(?:2\s*\^\s*(?P<power>\d{1,3})|(?P<plain>\d{1,18}))")


def parse_batch_sizes(text: str) -> list[int]:
    """The batch sizes that `text` names, ascending. Raises ValueError with one sentence per mistake, joined
    by "; ".

    Terms are separated by commas (numbers also by blanks): a number, a power `2^k`, or a range `low..high` that
    multiplies by 2 from term to term, or by F with `*F`. A range includes both ends.
    """
    sizes: list[int] = []
    problems: list[str] = []
    for term in _BETWEEN_NUMBERS.sub(",", text.strip()).split(","):
        try:
            sizes += _term(term.strip())
        except ValueError as problem:
            problems.append(str(problem))
    if problems:
        raise ValueError("; ".join(problems))
    return check_batch_sizes(sizes)


def check_batch_sizes(sizes: list[int]) -> list[int]:
    """`sizes` ascending. Raises ValueError with one sentence per mistake (too small, too large, listed
    twice)."""
    problems = [f"{size} is not at least 1" for size in sizes if size < 1]
    problems += [f"{size} is more than {LARGEST}" for size in sizes if size > LARGEST]
    problems += [f"{size} is listed twice" for size in sorted(set(sizes)) if sizes.count(size) > 1]
    if not sizes:
        problems.append("lists no batch size")
    if problems:
        raise ValueError("; ".join(problems))
    return sorted(sizes)


def format_batch_sizes(sizes: list[int]) -> str | None:
    """`2^a..2^b` for three or more successive powers of two; None for anything else."""
    first = sizes[0].bit_length() - 1 if sizes else 0
    if len(sizes) < 3 or sizes != [2**power for power in range(first, first + len(sizes))]:
        return None
    return f"2^{first}..2^{first + len(sizes) - 1}"


def _term(term: str) -> list[int]:
    if dashed := _DASHED.fullmatch(term):
        raise ValueError(f'"{term}" is no range; write {dashed[1]}..{dashed[2]}')
    match = _TERM.fullmatch(term)
    if match is None or (match["factor"] and not match["high"]):
        raise ValueError(f'"{term}" is neither a number, nor 2^k, nor a range like 2^1..2^10 or 8..1024 *2')
    low = _number(match["low"])
    if match["high"] is None:
        return [low]
    high = _number(match["high"])
    factor = _number(match["factor"]) if match["factor"] else 2
    if factor < 2:
        raise ValueError(f'"{term}" multiplies by {factor}; a range needs a factor of at least 2')
    if not 1 <= low <= high:
        raise ValueError(f'"{term}" does not run upwards from at least 1')
    if high > LARGEST:
        raise ValueError(f'"{term}" goes beyond {LARGEST}')
    sizes = [low]
    while sizes[-1] < high:
        sizes.append(sizes[-1] * factor)
    if sizes[-1] != high:
        raise ValueError(
            f'"{term}" misses its end: multiplying by {factor} gives {sizes[-2]} and then {sizes[-1]}; end at one of them'
        )
    return sizes


def _number(text: str) -> int:
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'"{text.strip()}" is not a whole number or a power of two like 2^10')
    return 2 ** int(match["power"]) if match["power"] else int(match["plain"])
