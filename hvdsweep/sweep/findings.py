"""What checking a sweep found: mistakes and warnings, except those that only follow from another mistake."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from hvdsweep.sweep.messages import Location, Problem, shown
from hvdsweep.sweep.models import Sweep


class Findings:
    """Collects problems of a sweep. Keys at `unsound` hold stand-ins, because the values in the file are
    wrong."""

    def __init__(self, sweep: Sweep, unsound: Iterable[Location]) -> None:
        self.sweep = sweep
        self.problems: list[Problem] = []
        """Mistakes, in the order found."""
        self.warnings: list[Problem] = []
        """What is allowed but probably a mistake."""
        self._unsound = set(unsound)

    def sound(self, *locations: Location) -> bool:
        """Whether no mistake has been found so far at (or under) these locations."""
        return not any(_overlap(place, bad) for place in locations for bad in self._unsound)

    def wrong(
        self, location: Location, value: object, text: str, *, needs: Collection[Location] = ()
    ) -> None:
        """A mistake at `location`; dropped if that, or a location in `needs`, has a mistake already.

        The sentence is `value text`; without a value (None) `text` alone.
        """
        if self.sound(location, *needs):
            before = "" if value is None else f"{shown(value)}{'' if text.startswith(':') else ' '}"
            self.problems.append(Problem(location, before + text))
            self._unsound.add(location)

    def doubtful(self, location: Location, text: str, *, needs: Collection[Location] = ()) -> None:
        """A warning at `location`; dropped under the same condition."""
        if self.sound(location, *needs):
            self.warnings.append(Problem(location, text))


def _overlap(one: Location, other: Location) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
