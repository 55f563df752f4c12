"""What checking a sweep found: mistakes and warnings, without those that only follow from another mistake."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from hvdsweep.sweep.messages import Location, Problem, shown
from hvdsweep.sweep.models import Sweep


class Findings:
    """Collects problems of a sweep whose keys at `unsound` hold stand-ins, because what the file says there
    is wrong."""

    def __init__(self, sweep: Sweep, unsound: Iterable[Location]) -> None:
        self.sweep = sweep
        self.problems: list[Problem] = []
        """Mistakes, in the order found."""
        self.warnings: list[Problem] = []
        """What is allowed but probably not meant."""
        self._unsound = set(unsound)

    def sound(self, *locations: Location) -> bool:
        """Whether all that is said at (and under) these places was said rightly, as far as known by now."""
        return not any(_overlap(place, bad) for place in locations for bad in self._unsound)

    def wrong(
        self, location: Location, value: object, text: str, *, needs: Collection[Location] = ()
    ) -> None:
        """A mistake at `location`; dropped where it, or what it was concluded from, is not sound.

        The sentence is `value text`; without a value (None) `text` alone.
        """
        if self.sound(location, *needs):
            before = "" if value is None else f"{shown(value)}{'' if text.startswith(':') else ' '}"
            self.problems.append(Problem(location, before + text))
            self._unsound.add(location)

    def doubtful(self, location: Location, text: str, *, needs: Collection[Location] = ()) -> None:
        """A warning at `location`, under the same condition."""
        if self.sound(location, *needs):
            self.warnings.append(Problem(location, text))


def _overlap(one: Location, other: Location) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]
