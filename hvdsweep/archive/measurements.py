"""Parses measurements.csv exactly: numpy's C reader takes many trials in one pass; files that it refuses go to a slow
reader that either parses them or reports the error and its line.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hvdsweep.store.schema import LARGEST_STEP

MISSING = frozenset(
    ["", "nan", "-nan", "+nan", "na", "n/a", "<na>", "#n/a", "null", "none", "#na", "-1.#ind", "1.#qnan"]
)
"""Words for a value that was not measured, as pandas reads them; compared without case."""

MOST_COLUMNS = 200
LONGEST_NAME = 200

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MeasuredTrial:
    """The measurements of one trial."""

    steps: Ints
    """[N], strictly ascending."""
    values: Floats
    """[K, N], one row per metric; NaN if missing or not a number."""


@dataclass(frozen=True)
class CsvText:
    """A file prepared for the fast reader: the columns, and the lines below with every gap filled."""

    columns: tuple[str, ...]
    """The header, with `step`."""
    body: bytes
    """Lines that all end in a line feed."""

    @property
    def lines(self) -> int:
        return self.body.count(b"\n")

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(name for name in self.columns if name != "step")


def split(text: bytes) -> CsvText:
    """Prepare a file; accepts any line end and any gap. ValueError: no header, or an invalid one."""
    if text.startswith(b"\xef\xbb\xbf"):
        text = text[3:]
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    header, _, body = text.lstrip(b"\n").partition(b"\n")
    columns = columns_of(header)
    if body and not body.endswith(b"\n"):
        body += b"\n"
    if b",," in body or b",\n" in body:
        # Twice, since the middle of ",,," belongs to two gaps.
        body = body.replace(b",,", b",nan,").replace(b",,", b",nan,").replace(b",\n", b",nan\n")
    return CsvText(columns, body)


@lru_cache(1000)  # the archive has a few different headers and very many files
def columns_of(line: bytes) -> tuple[str, ...]:
    """The columns of a header line. ValueError if they are not those of a table of measurements."""
    try:
        names = next(csv.reader([line.decode("utf-8")]), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"line 1: the header is not readable: {error}") from None
    names = [name.strip() for name in names]
    if "step" not in names:
        raise ValueError(f"line 1: no column named step; there is {', '.join(names)[:100] or 'nothing'}")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"line 1: the column {twice[:100]!r} is there twice")
    if len(names) > MOST_COLUMNS:
        raise ValueError(f"line 1: {len(names)} columns are more than the {MOST_COLUMNS} allowed")
    for name in names:
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise ValueError(
                f"line 1: {name[:60]!r} is no name for a metric: 1 to {LONGEST_NAME} printable characters"
            )
    return tuple(names)


def parse(texts: Sequence[CsvText]) -> list[MeasuredTrial | ValueError]:
    """The tables of several files, in order; a ValueError in place of a malformed one."""
    found: list[MeasuredTrial | ValueError] = [_NOTHING] * len(texts)
    by_columns: dict[tuple[str, ...], list[int]] = {}
    for index, text in enumerate(texts):
        by_columns.setdefault(text.columns, []).append(index)
    for columns, members in by_columns.items():
        group = [texts[index] for index in members]
        rows = _together(group, len(columns))
        tables = (_each(text) for text in group) if rows is None else _cut(group, rows)
        for index, table in zip(members, tables, strict=True):
            found[index] = table
    return found


_NOTHING = MeasuredTrial(np.empty(0, np.int64), np.empty((0, 0)))


def _together(texts: Sequence[CsvText], width: int) -> Floats | None:
    """[N, width] of all files together; None if any of them needs the slow reader."""
    body = b"".join(text.body for text in texts)
    if not body:
        return np.empty((0, width))
    try:
        # Correctly rounded, unlike pandas' default, so that an export writes the numbers that were read.
        rows = np.loadtxt(io.BytesIO(body), delimiter=",", comments=None, ndmin=2)
    except ValueError:
        return None
    if rows.shape != (body.count(b"\n"), width):
        return None
    return np.asarray(rows, np.float64)


def _cut(texts: Sequence[CsvText], rows: Floats) -> list[MeasuredTrial | ValueError]:
    """Split the rows of all files into one table each."""
    place = texts[0].columns.index("step")
    whole = rows[:, place]
    ends = np.cumsum([text.lines for text in texts])
    starts = np.concatenate(([0], ends[:-1])).astype(np.int64)
    with np.errstate(invalid="ignore"):
        sound = (whole >= 0) & (whole <= LARGEST_STEP) & (whole == np.floor(whole))
    fine = sound.copy()
    steps = np.where(fine, whole, 0).astype(np.int64)
    fine[1:] &= steps[1:] > steps[:-1]
    # The first row of a file has no predecessor, but its own checks still apply.
    first = starts[np.flatnonzero(ends > starts)]
    fine[first] = sound[first]
    columns = [index for index in range(rows.shape[1]) if index != place]
    values = np.ascontiguousarray(rows[:, columns].T)
    bad = np.concatenate(([0], np.cumsum(~fine)))
    tables: list[MeasuredTrial | ValueError] = []
    for text, start, end in zip(texts, starts.tolist(), ends.tolist(), strict=True):
        if bad[end] == bad[start]:
            tables.append(MeasuredTrial(steps[start:end], values[:, start:end]))
        else:
            tables.append(_each(text))
    return tables


def _each(text: CsvText) -> MeasuredTrial | ValueError:
    """Parse one file: quotes, blanks, rows out of order; or the error in it."""
    try:
        return _slowly(text)
    except ValueError as error:
        return error


def _slowly(text: CsvText) -> MeasuredTrial:
    try:
        decoded = text.body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 text: {error.reason} at byte {error.start}") from None
    place = text.columns.index("step")
    rows: dict[int, tuple[float, ...]] = {}
    reader = csv.reader(io.StringIO(decoded, newline=""))
    try:
        for fields in reader:
            if not any(field.strip() for field in fields):
                continue
            line = reader.line_num + 1
            if len(fields) != len(text.columns):
                raise ValueError(
                    f"line {line}: {len(fields)} fields, but the header has {len(text.columns)} columns"
                )
            numbers = [_number(field, name, line) for field, name in zip(fields, text.columns, strict=True)]
            step = numbers.pop(place)
            if not (0 <= step <= LARGEST_STEP and step == int(step)):
                raise ValueError(
                    f"line {line}: step: {fields[place][:40]!r} is not a whole number from 0 to {LARGEST_STEP}"
                )
            known = rows.setdefault(int(step), tuple(numbers))
            if not _same(known, numbers):
                raise ValueError(f"line {line}: step {int(step)} is there twice, with other values")
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num + 1}: {error}") from None
    steps = sorted(rows)
    values = np.array([rows[step] for step in steps], np.float64).reshape(len(steps), len(text.columns) - 1)
    return MeasuredTrial(np.array(steps, np.int64), np.ascontiguousarray(values.T))


def _number(field: str, column: str, line: int) -> float:
    word = field.strip()
    if word.lower() in MISSING:
        return math.nan
    try:
        if "_" in word:
            raise ValueError(word)
        return float(word)
    except ValueError:
        raise ValueError(f"line {line}: {column}: {field[:40]!r} is not a number") from None


def _same(first: Sequence[float], second: Sequence[float]) -> bool:
    return all(a == b or (a != a and b != b) for a, b in itertools.zip_longest(first, second))


def records(values: Floats, maximised: Sequence[bool]) -> npt.NDArray[np.bool_]:
    """[K, N], which values of one trial beat all earlier finite ones of their metric; only finite values can."""
    best = np.where(np.isfinite(values), values, np.inf)
    for row, maximise in enumerate(maximised):
        if maximise:
            best[row] = np.where(np.isfinite(values[row]), -values[row], np.inf)
    beats: npt.NDArray[np.bool_] = np.isfinite(best)
    np.logical_and(beats[:, 1:], best[:, 1:] < np.minimum.accumulate(best, axis=1)[:, :-1], out=beats[:, 1:])
    return beats
