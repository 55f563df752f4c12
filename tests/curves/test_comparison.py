"""Goal sweeps, ratios of two curves, time and cost, and the gradient noise scale."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hvdsweep.curves import (
    Throughput,
    compare,
    goal_sweep,
    gradient_noise_scale,
    steps_to_result,
    time_to_goal,
)
from hvdsweep.errors import UserError

from . import oracle
from .oracle import Study, Trial


@given(oracle.workloads(), st.lists(oracle.goals, min_size=1, max_size=4), oracle.budgets)
def test_a_goal_sweep_is_one_curve_per_goal(studies, goals, step_budget):
    """Each row is the oracle's answer at that goal."""
    found = goal_sweep(oracle.table(studies), goals, step_budget=step_budget)
    for row, goal in zip(found.steps.tolist(), goals, strict=True):
        expected = oracle.steps_to_result(studies, goal, step_budget=step_budget)
        answers = [expected[size] for size in found.batch_sizes.tolist()]
        np.testing.assert_array_equal(row, [math.nan if a is None else a[0] for a in answers])


def result(columns: dict[int, list[int]], goal: float = 0.5):
    """Studies whose trials reach the goal at the given steps; 0: never."""
    studies = [
        Study(size, [Trial(n, [(s, 0.1)] if s else []) for n, s in enumerate(steps)])
        for size, steps in columns.items()
    ]
    return steps_to_result(oracle.table(studies), goal)


def test_ratio_at_the_common_batch_sizes():
    """Only batch sizes of both; inf where only the first reached, 0 where only the second did, NaN where neither."""
    first = result({1: [100], 2: [50], 4: [30], 8: [0], 16: [0]})
    second = result({2: [150], 4: [0], 8: [7], 16: [0], 32: [1]})
    found = compare(first, second)
    assert found.batch_sizes.tolist() == [2, 4, 8, 16]
    np.testing.assert_array_equal(found.ratio, [3.0, math.inf, 0.0, math.nan])


SIZES = (1, 2, 4, 8, 16, 32)


def searched(factor=1.0, only=SIZES):
    """Three trials per batch size, a few percent apart, about 1000 / B + 50 steps."""
    shift = (0.98, 1.01, 1.0, 0.99, 1.02, 1.0)
    return result(
        {
            size: [round(factor * one * more * (1000 / size + 50)) for more in (1.0, 1.02, 1.05)]
            for size, one in zip(SIZES, shift, strict=True)
            if size in only
        }
    )


def test_intervals_hold_all_ratios_together():
    """More batch sizes compared at once need wider intervals; where the interval leaves out 1 the two differ."""
    first, second = searched(), searched(0.5)
    found = compare(first, second)
    assert found.differs.all()
    assert (found.low < found.ratio).all()
    assert (found.ratio < found.high).all()
    assert (found.high < 1).all()
    narrow = compare(first, second, level=0.5)
    assert (narrow.high < found.high).all()
    fewer = compare(first, searched(0.5, only=(1, 2, 4, 8)))
    assert np.log(fewer.high / fewer.low)[0] != np.log(found.high / found.low)[0]


def test_a_workload_does_not_differ_from_itself():
    """Every interval of a table against itself holds 1."""
    same = searched()
    found = compare(same, same)
    assert (found.low < 1).all()
    assert (found.high > 1).all()
    assert not found.differs.any()


def test_no_interval_without_a_fit():
    """With fewer than three batch sizes the scatter of the best is unknown, so nothing is called different."""
    first, second = result({2: [100, 110], 4: [60, 70]}), result({2: [500, 510], 4: [300, 310]})
    found = compare(first, second)
    assert np.isnan(found.low).all()
    assert not found.differs.any()


def test_time_and_cost():
    """S / speed and N times that; the last speed counts, batch sizes that did not reach are left out."""
    costs = time_to_goal(
        {32: 1000, 64: 600, 128: None},
        [
            Throughput(32, 1, 5.0),
            Throughput(32, 1, 10.0),
            Throughput(32, 4, 20.0),
            Throughput(64, 4, 10.0),
            Throughput(128, 8, 99.0),
            Throughput(64, 1, 0.0),
            Throughput(256, 1, 1.0),
        ],
    )
    found = [(c.batch_size, c.np, c.seconds, c.worker_seconds) for c in costs.choices]
    assert found == [(32, 1, 100.0, 100.0), (32, 4, 50.0, 200.0), (64, 4, 60.0, 240.0)]
    assert (costs.fastest, costs.cheapest) == (costs.choices[1], costs.choices[0])
    assert costs.frontier == (costs.choices[1], costs.choices[0])


def test_no_speed_no_cost():
    """Without measured speeds there are neither times nor costs."""
    costs = time_to_goal({1: 5}, [])
    assert (costs.choices, costs.fastest, costs.cheapest, costs.frontier) == ((), None, None, ())


@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 2, 4]),
            st.integers(1, 4),
            st.sampled_from([2.0, 4.0, 8.0, 10.0]) | st.floats(0.1, 100),
        ),
        max_size=12,
    )
)
@example([(1, 1, 2.0), (1, 2, 4.0)])  # the same cost, one in half the time
def test_the_frontier_by_its_definition(rows):
    """On the frontier: exactly the choices that no other beats in both time and cost."""
    costs = time_to_goal({1: 90, 2: 50, 4: 30}, [Throughput(*row) for row in rows])
    pairs = {(c.seconds, c.worker_seconds) for c in costs.choices}
    best = {p for p in pairs if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in pairs)}
    assert {(c.seconds, c.worker_seconds) for c in costs.frontier} == best


@given(st.floats(0.1, 100), st.floats(0.1, 1e4), st.integers(1, 64), st.integers(2, 16))
def test_noise_scale_of_exact_expectations(gradient_squared, trace, small, ranks):
    """E|G_b|^2 = |G|^2 + tr(Sigma) / b: from exact expectations the formulas give back both."""
    large = small * ranks
    expected = [gradient_squared + trace / batch for batch in (small, large)]
    found = gradient_noise_scale([expected[0]] * 3, [expected[1]] * 3, small, large)
    assert found.gradient_squared == pytest.approx(gradient_squared, rel=1e-6)
    assert found.trace == pytest.approx(trace, rel=1e-6)
    assert found.value == pytest.approx(trace / gradient_squared, rel=1e-6)
    assert found.steps == 3


def test_noise_scale_from_simulated_gradients():
    """Gaussian gradients with a known noise scale: averaged separately, 4,000 steps find it within 5 %."""
    rng = np.random.default_rng(0)
    gradient, deviation, small, ranks = np.full(50, 0.2), 1.5, 8, 4
    per_rank = gradient + deviation / math.sqrt(small) * rng.standard_normal((4000, ranks, 50))
    small_squared = (per_rank[:, 0] ** 2).sum(axis=1)
    large_squared = (per_rank.mean(axis=1) ** 2).sum(axis=1)
    found = gradient_noise_scale(small_squared, large_squared, small, small * ranks)
    assert found.value == pytest.approx(50 * deviation**2 / (50 * 0.04), rel=0.05)


def test_noise_scale_without_an_answer():
    """A negative estimate of |G|^2 leaves no scale; steps that are not finite are left out; batches must differ."""
    drowned = gradient_noise_scale([10.0, math.nan], [1.0, 1.0], 1, 2)
    assert drowned.gradient_squared < 0
    assert math.isnan(drowned.value)
    assert drowned.steps == 1
    assert gradient_noise_scale([], [], 1, 2).steps == 0
    with pytest.raises(UserError, match="need 0 < small < large"):
        gradient_noise_scale([1.0], [1.0], 2, 2)
    with pytest.raises(UserError, match="one of each per step"):
        gradient_noise_scale([1.0], [1.0, 2.0], 1, 2)
