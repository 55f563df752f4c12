"""Timing a gang: the clock starts when calls have their usual speed, and the loop is that of a sweep's trials."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.training.ranks import Ranks
from hvdsweep.training.timing import WARM_CALLS, WARM_SHARE, Clock, endless, time_cases
from tests.training.conftest import definition


class Steps:
    """A clock with given ticks."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@given(
    st.lists(st.tuples(st.integers(1, 50), st.floats(0.01, 2.0)), min_size=1, max_size=60),
    st.floats(0.5, 5.0),
)
def test_the_clock_counts_the_steps_of_the_calls_after_the_warm_ones(calls, wanted):
    """Compared with a simple count: warm-up until WARM_CALLS calls and WARM_SHARE of the time, then whole calls."""
    ticks = Steps()
    clock = Clock(wanted, ticks)
    times, done, first, stopped_at = [], [0], 1, None
    for count, seconds in calls:
        ticks.now += seconds
        times.append(ticks.now)
        done.append(done[-1] + count)
        stop = clock.record(first, np.zeros(count, np.float32), None, None)
        first += count
        if stop and stopped_at is None:
            stopped_at = len(times)
    warm = next(
        (n for n in range(WARM_CALLS, len(times) + 1) if times[n - 1] - times[0] >= WARM_SHARE * wanted), None
    )
    end = None
    if warm is not None:
        end = next(
            (n for n in range(warm + 1, len(times) + 1) if times[n - 1] - times[warm - 1] >= wanted), None
        )
    assert stopped_at == end
    if end is None:
        assert clock.result is None
    else:
        assert clock.result == (done[end] - done[warm], times[end - 1] - times[warm - 1])


def test_nothing_but_training_is_timed():
    """No evaluation, no goal and no divergence end the trial; what determines a step's work is left as it is."""
    before = definition(stop="goal", infeasible={"loss_above": 3.0})
    after = endless(before)
    assert after["steps"] == after["evaluation"]["every"] > 10**9
    assert not after["evaluation"]["at_start"]
    assert after["stop"] == "budget"
    assert after["infeasible"] == {"loss_above": None}
    same = ("dataset", "model", "algorithm", "batch_size", "micro_batch", "schedule")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}


def test_cases_are_timed_one_after_the_other():
    """Two real studies, alone: steps and seconds; one that cannot be built is reported and does not stop the rest."""
    cases = [
        {"definition": definition(batch_size=size), "metaparameters": {"learning_rate": 0.0}}
        for size in (8, 32)
    ]
    cases.insert(
        1, {"definition": definition(model="no_such_model"), "metaparameters": {"learning_rate": 0.0}}
    )
    told = []
    time_cases(Ranks(), cases, 0.05, told.append)
    assert [line["case"] for line in told] == [0, 1, 2]
    assert "error" in told[1]
    for line in (told[0], told[2]):
        assert line["steps"] > 0
        assert line["seconds"] >= 0.05
    assert json.dumps(told)


def test_the_loss_of_a_timed_trial_stays_where_it_was():
    """With a learning rate of 0 nothing is learned: time cannot depend on divergence."""
    from hvdsweep.training.studies import TracedStudies

    study, failure = TracedStudies(Ranks()).get(endless(definition()), ("learning_rate",), trials=1)
    assert failure is None
    losses: list[float] = []

    def record(first, more, measurements, noise):
        losses.extend(more.tolist())
        return len(losses) > 200

    end = study.train({"seed": 1, "metaparameters": {"learning_rate": 0.0}}, record, lambda: None)
    assert end.steps >= 200
    assert np.mean(losses[-50:]) == pytest.approx(np.mean(losses[:50]), rel=0.1)
