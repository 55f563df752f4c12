"""What repeats of a best trial say: against scipy, numpy and a simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hvdsweep.curves.measurements import best_measurements
from hvdsweep.curves.outcomes import steps_to_result
from hvdsweep.curves.repeated import repeats_of, summary
from hvdsweep.curves.scaling_curve import curve_of
from hvdsweep.curves.written import point_json
from hvdsweep.repeats import repeat_number
from hvdsweep.states import Status

from .oracle import Study, Trial
from .oracle import table as table_of


@pytest.mark.parametrize("steps", [[120, 135, 110, 150, 125], [40, 61]])
def test_mean_and_interval_agree_with_scipy(steps: list[int]) -> None:
    """Mean and sample standard deviation are numpy's; the interval is scipy's t interval of ln(steps), about the mean."""
    found = summary(3, 100, steps, steps, 0.0, 0.95)
    low, high = stats.t.interval(0.95, len(steps) - 1, math.log(np.mean(steps)), stats.sem(np.log(steps)))
    assert found.mean == np.mean(steps)
    assert found.sd == pytest.approx(np.std(steps, ddof=1))
    assert found.interval == pytest.approx((math.exp(low), math.exp(high)))
    assert found.luck == pytest.approx(1 - 100 / np.mean(steps))


def test_equal_repeats_are_as_sure_as_their_evaluations() -> None:
    """All of 2 repeats at the same evaluation: an interval around them, above 0; none where evaluations are not known."""
    found = summary(3, 90, [100, 100], [100, 100], 10.0, 0.95).interval
    assert found is not None
    assert 0 < found[0] < 90
    assert found[1] > 100
    assert summary(3, 90, [100, 100], [100, 100], 0.0, 0.95).interval is None


def test_a_repeat_that_does_not_get_there_censors_the_mean() -> None:
    """It counts with the steps it trained, the mean is a lower bound, and there is neither deviation nor interval."""
    found = summary(3, 100, [120, -1], [120, 400], 5.0, 0.95)
    assert (found.mean, found.at_least, found.sd, found.interval, found.reached) == (
        260.0,
        True,
        None,
        None,
        1,
    )
    assert found.to_json()["steps"] == [120, None]


def test_one_repeat_has_no_interval() -> None:
    """A single repeat gives a mean, and neither deviation nor interval."""
    found = summary(3, 100, [120], [120], 5.0, 0.95)
    assert (found.mean, found.sd, found.interval) == (120.0, None, None)


@pytest.mark.parametrize(("repeats", "noise"), [(2, 0.02), (2, 0.3), (3, 0.02), (5, 0.1), (10, 0.02)])
def test_the_interval_holds_the_mean_over_seeds(repeats: int, noise: float) -> None:
    """Lognormal steps, evaluated every 5 steps: the interval holds their mean in 95 of 100, or more where the evaluations are
    coarser than the scatter; its lower end is above 0."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        true = 200 * np.exp(noise * rng.standard_normal(repeats))
        seen = (np.ceil(true / 5) * 5).astype(int).tolist()
        interval = summary(0, 150, seen, seen, 5.0, 0.95).interval
        assert interval is not None
        assert interval[0] > 0
        held += interval[0] <= 200 * math.exp(noise**2 / 2) <= interval[1]
    assert held / 400 >= 0.92
    assert noise < 0.1 or held / 400 <= 0.98


def _trial(number: int, reached: int | None, status: Status = Status.COMPLETE) -> Trial:
    return Trial(number, [(10, 0.9), *([(reached, 0.1)] if reached else [])], status=status)


def test_only_repeats_of_the_deciding_trial_count() -> None:
    """Repeats of a trial that was the best earlier do not count for the present best; a diverged repeat counts as one
    that did not reach the goal within the budget."""
    search = table_of([Study(8, [_trial(0, 60), _trial(1, 50)]), Study(16, [_trial(0, 30)])])
    again = table_of(
        [
            Study(
                8,
                [
                    _trial(repeat_number(0, 0), 20),
                    _trial(repeat_number(1, 0), 70),
                    _trial(repeat_number(1, 1), 40, Status.INFEASIBLE),
                ],
            ),
            Study(16, []),
        ]
    )
    result = steps_to_result(search, 0.5)
    first, second = repeats_of(result, again, 0.95)
    assert second is None
    assert first is not None
    assert (first.trial, first.steps, first.trained, first.at_least) == (1, (70, None), (100, 100), True)
    curve = curve_of(result, best_measurements(search), repeats=again)
    assert point_json(curve.points[0])["repeats"]["mean"] == 85.0
    assert curve.points[0].steps == 50
    assert repeats_of(result, None, 0.95) == [None, None]
