"""Times left, against plain arithmetic."""

from __future__ import annotations

import pytest

from hvdsweep.launch.estimate import Pace, Work, remaining


def pace(*seconds: float, lost: float = 0.0) -> Pace:
    made = Pace()
    for one in seconds:
        made.add(one, complete=True)
    if lost:
        made.add(lost, complete=False)
    return made


def work(
    study: int, batch_size: int, trials: float, gangs: int = 0, workload: str = "w", steps: int = 100
) -> Work:
    return Work(study, workload, batch_size, steps, trials, gangs)


def test_the_first_trial_does_not_spoil_the_estimate() -> None:
    """A first trial that took ten times as long (it compiled) does not set the pace."""
    assert pace(10.0, 1.0).per_trial == 1.0
    assert pace(10.0, 1.0, 1.2).per_trial == 1.2
    assert Pace().per_trial is None


def test_diverged_trials_are_part_of_the_price() -> None:
    """Two trials of 3 s, and 2 s lost on a diverged one: 4 s per trial."""
    assert pace(3.0, 3.0, lost=2.0).per_trial == pytest.approx(4.0)


def test_what_is_left_is_shared_by_the_gangs() -> None:
    """10 trials of 2 s and 4 of 5 s on 2 gangs: 20 s; each study by the gangs that are on it."""
    each, total = remaining([work(1, 8, 10, gangs=2), work(2, 16, 4)], {1: pace(2.0), 2: pace(5.0)}, gangs=2)
    assert each == [10.0, 20.0]
    assert total == pytest.approx(20.0)


def test_one_trial_is_never_shared() -> None:
    """Half a trial of 60 s left takes 30 s however many gangs there are."""
    assert remaining([work(1, 8, 0.5, gangs=1)], {1: pace(60.0)}, gangs=8)[1] == pytest.approx(30.0)


def test_unknown_studies_are_judged_by_the_nearest_batch_size() -> None:
    """As fast per step as a larger batch size, slower in proportion than a smaller one; other workloads tell nothing."""
    works = [work(1, 64, 0), work(2, 256, 1), work(3, 16, 1, steps=300), work(4, 64, 1, workload="other")]
    each, total = remaining(works, {1: pace(2.0)}, gangs=1)
    assert each == [0.0, pytest.approx(8.0), pytest.approx(6.0), None]
    assert total is None


def test_nothing_left_takes_no_time() -> None:
    """All trials done: 0 s, also where nothing was ever measured."""
    assert remaining([work(1, 8, 0)], {}, gangs=1) == ([0.0], 0.0)
