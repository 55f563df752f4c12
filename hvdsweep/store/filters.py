"""The filter language for trials: `learning_rate>=0.01 status=INFEASIBLE batch_size=64..512`, as a `TrialFilter`.

Terms are separated by spaces and all must hold. A term is NAME OPERATOR VALUE with `=`, `!=`, `<`, `<=`, `>` or `>=`, or a
bare word, which must occur in the workload's name. After `=` and `!=` a value may be a list (`64,128`) or a range with both
ends (`64..512`, `..512`, `64..`); numbers may be written as powers (`2^6`). A name that is no field is a metaparameter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import replace
from difflib import get_close_matches
from typing import TypeVar

from hvdsweep.errors import UserError
from hvdsweep.states import Status, StopReason
from hvdsweep.store.rows import Intervals, TrialFilter

Word = TypeVar("Word")

NUMBERS = {
    "trial": "id",
    "number": "number",
    "batch_size": "batch_size",
    "steps": "steps",
    "attempts": "attempts",
    "seconds": "seconds",
    "best": "best",
    "goal_step": "goal_step",
    "sweep": "sweep",
    "study": "study",
    "gang": "gang",
}
"""Numeric fields -> their names in `trial_pages`."""

WORDS = ("status", "stop", "workload")
"""Text fields; `stop` is why a trial ended."""

FIELDS = (*NUMBERS, *WORDS)

EXAMPLES = {"status": "COMPLETE", "stop": "goal", "workload": "sgd", "best": "..0.1"}
"""Field -> an example value, for messages; the others hold whole numbers."""

_TERM = re.compile(r'([A-Za-z_][\w./-]*)\s*(!=|>=|<=|=|<|>)\s*("[^"]*"|[^\s"]+)|(\S+)')
_POWER = re.compile(r"(\d{1,3})\^(\d{1,3})")

EVERYTHING = (-math.inf, math.inf)


def parse_filter(text: str, parameters: Collection[str] | None = None) -> TrialFilter:
    """The filter for `text`; an empty text matches all trials. UserError names every wrong term and the correction.

    `parameters`: the existing metaparameters, to detect a misspelt name; None accepts any.
    """
    found = TrialFilter()
    problems: list[str] = []
    for match in _TERM.finditer(text):
        name, operator, value, word = match.groups()
        try:
            found = (
                _with_word(found, word)
                if word is not None
                else _with(found, name, operator, value.strip('"'), parameters)
            )
        except ValueError as problem:
            problems.append(f"filter: {match[0]}: {problem}")
    if problems:
        raise UserError(*problems)
    return found


def _with_word(found: TrialFilter, word: str) -> TrialFilter:
    if re.search(r"[=<>!]", word):
        raise ValueError("is not NAME=VALUE; write, for example, batch_size=64..512")
    if word in FIELDS:
        raise ValueError(f"say what it should be, such as {word}={EXAMPLES.get(word, '8..64')}")
    return replace(found, words=(*found.words, word))


def _with(
    found: TrialFilter, name: str, operator: str, value: str, parameters: Collection[str] | None
) -> TrialFilter:
    if name == "workload":
        if operator != "=":
            raise ValueError("a workload can only be compared by =")
        return replace(found, words=(*found.words, value))
    if name == "status":
        chosen = _chosen(value, [status.name for status in Status], operator)
        statuses = [Status[word] for word in chosen]
        # Two terms about one field must both hold.
        return replace(found, statuses=_both(found.statuses, statuses, "status"))
    if name == "stop":
        chosen = _chosen(value, [reason.name for reason in StopReason], operator)
        reasons = [StopReason[word] for word in chosen]
        return replace(found, stop_reasons=_both(found.stop_reasons, reasons, "stop"))
    column = NUMBERS.get(name)
    if column is None:
        column = f"parameters.{_parameter(name.removeprefix('parameters.'), parameters)}"
    return replace(found, ranges=(*found.ranges, (column, _intervals(operator, value))))


def _both(before: tuple[Word, ...], now: list[Word], name: str) -> tuple[Word, ...]:
    kept = tuple(word for word in now if not before or word in before)
    if not kept:
        raise ValueError(f"nothing has such a {name}")
    return kept


def _chosen(value: str, words: list[str], operator: str) -> list[str]:
    if operator not in ("=", "!="):
        raise ValueError("words can only be compared by = and !=")
    named = []
    for part in value.upper().split(","):
        fitting = [word for word in words if word == part] or [
            word for word in words if part and word.startswith(part)
        ]
        if len(fitting) != 1:
            meant = fitting or get_close_matches(part, words, n=2, cutoff=0.5) or words
            raise ValueError(f"{part.lower() or 'nothing'}: give {' or '.join(meant)}")
        named += fitting
    return named if operator == "=" else [word for word in words if word not in named]


def _parameter(name: str, parameters: Collection[str] | None) -> str:
    if parameters is None or name in parameters:
        return name
    known = [*parameters, *FIELDS]
    close = get_close_matches(name, known, n=2, cutoff=0.6)
    raise ValueError(
        f"{name}: is not known; "
        + (f"did you mean {' or '.join(close)}?" if close else "there is " + ", ".join(known))
    )


def _intervals(operator: str, value: str) -> Intervals:
    low, high = EVERYTHING
    match operator:
        case ">=":
            return ((_number(value), high),)
        case "<=":
            return ((low, _number(value)),)
        case ">":
            return ((math.nextafter(_number(value), high), high),)
        case "<":
            return ((low, math.nextafter(_number(value), low)),)
        case "=":
            return tuple(_interval(part) for part in value.split(","))
    outside: list[tuple[float, float]] = []
    start = low
    for first, last in sorted(_interval(part) for part in value.split(",")):
        if first > start:
            outside.append((start, math.nextafter(first, low)))
        start = max(start, math.nextafter(last, high))
    return (*outside, (start, high))


def _interval(text: str) -> tuple[float, float]:
    first, dots, last = text.partition("..")
    if not dots:
        return _number(text), _number(text)
    low = _number(first) if first else -math.inf
    high = _number(last) if last else math.inf
    if low > high:
        raise ValueError(f"{text}: begins after it ends; write {last}..{first}")
    return low, high


def _number(text: str) -> float:
    power = _POWER.fullmatch(text)
    if power is not None:
        return float(int(power[1]) ** int(power[2]))
    try:
        number = float(text)
    except (ValueError, OverflowError):
        number = math.nan
    if math.isnan(number):
        raise ValueError(f"{text or 'nothing'}: is not a number, such as 64, 1e-3 or 2^6")
    return number


def finished_part(text: str, parameters: Collection[str] = ()) -> str:
    """A filter while it is typed: without a last word that may still become a field or a metaparameter."""
    before, _, word = text.rpartition(" ")
    return before if word and any(name.startswith(word) for name in (*FIELDS, *parameters)) else text
