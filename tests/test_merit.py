"""Order of merit: the choice among a study's points, by what has ended."""

from __future__ import annotations

import numpy as np
import pytest

from hvdsweep.merit import FinishedTrial, KnownTrials, PendingTrial, choose, position
from hvdsweep.search import Choice, Fixed, Range, Space

SPACE = Space({"learning_rate": Range("log", 0.001, 10.0), "momentum": Range("reverse_log", 0.5, 0.99)})
RATES = [0.001, 0.01, 0.1, 1.0, 10.0]


def pending(batch_size: int, points: list[dict[str, float]], space: Space = SPACE) -> list[PendingTrial]:
    return [PendingTrial(n, point, position(point, space, batch_size)) for n, point in enumerate(points)]


def ended(
    batch_size: int, number: int, goal: int | None, steps: int = 100, diverged: bool = False, **point: float
) -> FinishedTrial:
    """A trial that fell from 1.0 evenly, to 0.1 at its goal."""
    there = goal or 2 * steps
    records = tuple((step, 1.0 - 0.9 * step / there) for step in range(0, min(steps, there) + 1, 5))
    return FinishedTrial(
        number, point, position(point, SPACE, batch_size), goal or steps, diverged, goal, records
    )


def rates(batch_size: int) -> list[PendingTrial]:
    return pending(batch_size, [{"learning_rate": rate, "momentum": 0.9} for rate in RATES])


def test_without_knowledge_the_middle_comes_first():
    """The point nearest to the middle of its ranges, on their scales."""
    points = [
        {"learning_rate": rate, "momentum": 1 - 10**-p} for rate, p in ((0.001, 1.9), (0.15, 1.1), (9.0, 0.4))
    ]
    chosen = choose(pending(8, points), 8, [], SPACE)
    assert chosen.number == 1
    assert chosen.reason == "near the middle of its ranges, as nothing is known yet"


def test_a_listed_point_comes_in_its_turn():
    """Where nothing is searched and nothing known, the first of the list is next."""
    listed = Space({"momentum": Fixed(0.9)}, ({"learning_rate": 1.0}, {"learning_rate": 0.1}))
    points = listed.points(0, 0, 2)
    assert choose(pending(8, points, listed), 8, [], listed).number == 0


def test_the_best_of_a_neighbour_shows_the_way():
    """The point like the one that reached the goal soonest at twice the batch size, though its number is not the first."""
    known = [
        KnownTrials(
            16,
            500,
            [
                ended(16, n, goal, learning_rate=rate, momentum=0.9)
                for n, (rate, goal) in enumerate(((0.001, None), (1.0, 20), (10.0, 90)))
            ],
        )
    ]
    chosen = choose(rates(8), 8, known, SPACE)
    assert RATES[chosen.number] == 1.0
    assert "trial 1 of batch size 16 (learning_rate 1, momentum 0.9, 20 steps)" in chosen.reason


def test_diverged_trials_are_kept_away_from():
    """With learning rates 1 and 10 diverged and 0.1 slow, the next is not the largest."""
    trials = [
        ended(8, n, None, diverged=True, learning_rate=rate, momentum=0.9)
        for n, rate in enumerate((3.0, 10.0))
    ]
    trials.append(ended(8, 2, 80, learning_rate=0.1, momentum=0.9))
    left = pending(8, [{"learning_rate": rate, "momentum": 0.9} for rate in (8.0, 4.0, 0.2)])
    assert choose(left, 8, [KnownTrials(8, 100, trials)], SPACE).number == 2


def test_a_trial_cut_short_counts_by_how_far_it_came():
    """Of two trials stopped at the same step, the one that had come farther is the better neighbourhood."""
    best = ended(8, 0, 50, learning_rate=0.1, momentum=0.5)

    def cut(number: int, value: float, rate: float) -> FinishedTrial:
        point = {"learning_rate": rate, "momentum": 0.9}
        return FinishedTrial(
            number, point, position(point, SPACE, 8), 50, False, None, ((0, 1.0), (50, value))
        )

    left = pending(8, [{"learning_rate": rate, "momentum": 0.9} for rate in (0.0012, 8.0)])
    far, near = cut(1, 0.2, 0.001), cut(2, 0.9, 10.0)
    assert choose(left, 8, [KnownTrials(8, 100, [best, far, near])], SPACE).number == 0
    far, near = cut(1, 0.9, 0.001), cut(2, 0.2, 10.0)
    assert choose(left, 8, [KnownTrials(8, 100, [best, far, near])], SPACE).number == 1


def test_ties_go_to_the_smallest_number():
    """Equal points are taken in their order."""
    known = [KnownTrials(8, 100, [ended(8, 7, 20, learning_rate=0.1, momentum=0.9)])]
    left = pending(8, [{"learning_rate": 0.3, "momentum": 0.9}] * 3)
    assert choose(left, 8, known, SPACE).number == 0


@pytest.mark.parametrize(
    "odd", [{}, {"learning_rate": 0.0}, {"momentum": 1.0}, {"label_smoothing": 0.5, "learning_rate": 0.1}]
)
def test_odd_points_are_judged_too(odd: dict[str, float]):
    """No metaparameters, a learning rate of 0, a momentum of 1, a value that is none of a choice: still a choice."""
    space = Space({"label_smoothing": Choice((0.0, 0.1))})
    known = [KnownTrials(8, 100, [FinishedTrial(9, odd, position(odd, space, 8), 100, False, None, ())])]
    left = pending(8, [odd, {"learning_rate": 0.1}], space)
    assert choose(left, 8, known, space).number in (0, 1)


def test_other_metaparameters_count_by_their_place_in_the_range():
    """Of two dropouts, the one like the trial that was fast."""
    space = Space({"dropout": Range("linear", 0.0, 0.8)})

    def trial(number: int, dropout: float, goal: int) -> FinishedTrial:
        point = {"dropout": dropout}
        return FinishedTrial(number, point, position(point, space, 8), goal, False, goal, ((goal, 0.1),))

    left = pending(8, [{"dropout": 0.7}, {"dropout": 0.1}], space)
    assert choose(left, 8, [KnownTrials(8, 100, [trial(5, 0.15, 20), trial(6, 0.65, 90)])], space).number == 1


def test_what_is_far_away_is_not_looked_at():
    """A batch size five doublings away says nothing; the first choice is made as if nothing were known."""
    known = [KnownTrials(8 * 32, 500, [ended(8 * 32, 0, 20, learning_rate=10.0, momentum=0.9)])]
    assert choose(rates(8), 8, known, SPACE).reason.startswith("near the middle")


def test_a_large_workload_is_judged_by_a_bounded_number_of_trials(monkeypatch: pytest.MonkeyPatch):
    """20 batch sizes of 100 ended trials: the equations that are solved stay small enough for a write transaction."""
    random = np.random.default_rng(1)
    points = SPACE.points(1, 0, 100)
    known = [
        KnownTrials(
            2**k,
            500,
            [ended(2**k, n, int(random.integers(10, 400)), **point) for n, point in enumerate(points)],
        )
        for k in range(20)
    ]
    sizes = []
    solve = np.linalg.solve
    monkeypatch.setattr(np.linalg, "solve", lambda a, b: sizes.append(len(a)) or solve(a, b))
    choose(pending(1024, points), 1024, known, SPACE)
    assert sizes == [64 + 8 * 12]
