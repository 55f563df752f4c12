"""Searches that grow: the points of a study's later trials, which come from a wider space.

A study's trials 0, 1, ... are points of its own quasi-random sequence in the sweep file's space. If a range was widened
at trial n, trials n, n + 1, ... are points of a second sequence, in the wider space. Its first points leave out those
inside the former space, which the earlier trials have searched; this applies to as many points as the wider space would
have had by then at the same density. So earlier trials keep their points, and the whole is as dense as one search of
the wider space.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from hvdsweep.identity import canonical_json, derived_seed
from hvdsweep.search import WIDENED, Range, Space

MOST_WIDENINGS = 3
"""Per study."""

EDGE = 0.05
"""A best trial is at the edge of a range if it lies within this share of the scaled range from its end."""

LONGEST_SKIP = 100_000
"""Most points of a wider space's sequence that are searched for points outside the former space."""


@dataclass(frozen=True)
class Stretch:
    """A wider space, and the number of the first trial that comes from it."""

    first: int
    space: Space

    def to_json(self) -> dict[str, Any]:
        return {"first": self.first, "search": self.space.to_json()}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Stretch:
        """Read the result of `to_json`. KeyError or ValueError for anything else."""
        return cls(int(written["first"]), Space.from_json(written["search"]))


def sequence_of(
    space: Space, stretches: Sequence[Stretch], seed: tuple[Any, ...], start: int, count: int
) -> list[dict[str, float]]:
    """Points start .. start + count - 1 of a study that begins in `space` and continues in `stretches` (ascending)."""
    points: list[dict[str, float]] = []
    stages = [Stretch(0, space), *stretches]
    for index, stage in enumerate(stages):
        end = stages[index + 1].first if index + 1 < len(stages) else math.inf
        low, high = max(start, stage.first), min(start + count, end)
        if low >= high:
            continue
        number = int(high - low)
        if index == 0:
            points += space.points(derived_seed(64, *seed), low, number)
        else:
            own = derived_seed(64, *seed, "widened", index)
            points += _widened(stages[index - 1].space, stage, own, low - stage.first, number)
    return points


def new_points(former: Space, stretch: Stretch, seed: tuple[Any, ...], index: int) -> int:
    """How many trials bring the new part of a wider space (the `index`-th, from 1) to the former density."""
    return len(_outside(*_frozen(former, stretch), derived_seed(64, *seed, "widened", index))[0])


def _widened(former: Space, stretch: Stretch, seed: int, start: int, count: int) -> list[dict[str, float]]:
    outside, looked = _outside(*_frozen(former, stretch), seed)
    low = min(start, len(outside))
    indices = list(outside[low : start + count])
    points = [stretch.space.points(seed, index, 1)[0] for index in indices]
    rest = count - len(points)
    if rest:
        points += stretch.space.points(seed, looked + max(start - len(outside), 0), rest)
    return points


def _frozen(former: Space, stretch: Stretch) -> tuple[str, str, int]:
    return canonical_json(former.to_json()), canonical_json(stretch.space.to_json()), stretch.first


@lru_cache(maxsize=256)
def _outside(former_json: str, wider_json: str, first: int, seed: int) -> tuple[tuple[int, ...], int]:
    """Indices of the wider sequence's points outside the former space, and the number of points examined."""
    import json

    former, wider = Space.from_json(json.loads(former_json)), Space.from_json(json.loads(wider_json))
    looked = min(math.ceil(first * _ratio(former, wider) - 1e-9), LONGEST_SKIP)
    found = [
        index
        for index, point in enumerate(wider.points(seed, 0, looked))
        if not all(_holds(former, name, value) for name, value in point.items())
    ]
    return tuple(found), looked


def _holds(space: Space, name: str, value: float) -> bool:
    dimension = space.dimensions[name]
    return not isinstance(dimension, Range) or dimension.min <= value <= dimension.max


def _ratio(former: Space, wider: Space) -> float:
    """Volume of the wider space over that of the former, each on its scales."""
    ratio = 1.0
    for name, dimension in wider.dimensions.items():
        before = former.dimensions[name]
        if isinstance(dimension, Range) and isinstance(before, Range):
            ratio *= dimension.length / before.length
    return ratio


def widened_at(space: Space, best: Mapping[str, float]) -> tuple[Space, tuple[str, ...]] | None:
    """The space with every range widened that has `best` at its edge, and a description; None if none can be."""
    from hvdsweep.curves.remedies import widened

    if space.listed is not None:
        return None
    dimensions = dict(space.dimensions)
    changes = []
    for name, dimension in space.dimensions.items():
        value = best.get(name)
        if not isinstance(dimension, Range) or value is None or space.boundary_distance(name, value) >= EDGE:
            continue
        wider = widened(name, dimension, lower=float(dimension.to_unit(value)) < 0.5)
        if wider is not None:
            dimensions[name] = wider
            changes.append(
                f"{name} from {dimension.min:g} .. {dimension.max:g} to {wider.min:g} .. {wider.max:g}"
                f" (best {value:.4g})"
            )
    return (replace(space, dimensions=dimensions), tuple(changes)) if changes else None


def search_json(space: Space, stretches: Sequence[Stretch]) -> dict[str, Any]:
    """The search of a study as stored: the widest space, and if it was widened, the history of that."""
    if not stretches:
        return space.to_json()
    return {**stretches[-1].space.to_json(), WIDENED: [stretch.to_json() for stretch in stretches]}


def stretches_of(search: Mapping[str, Any]) -> tuple[Stretch, ...]:
    """The wider spaces in the result of `search_json`."""
    return tuple(Stretch.from_json(entry) for entry in search.get(WIDENED, ()))
