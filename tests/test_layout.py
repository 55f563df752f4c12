"""The choice of ranks per study, against a simulation of gangs that take trials one by one, and against trying everything."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.layout import SETUP_SECONDS, LayoutJob, Shape, choose, in_one_shape, shapes_for
from hvdsweep.plan_layout import steps_are_small
from tests.sweep.texts import planned

START, SETUP = 15.0, SETUP_SECONDS


def simulated(jobs: list[LayoutJob[int]], shapes: dict[int, Shape]) -> float:
    """Seconds of a layout: each shape's gangs start, then the one that is free first takes the next trial and compiles what it
    has not compiled yet."""
    total = 0.0
    groups: dict[Shape, list[LayoutJob[int]]] = defaultdict(list)
    for job in jobs:
        groups[shapes[job.key]].append(job)
    for shape, group in groups.items():
        queue = sorted((job.seconds[shape.np], job.key) for job in group for _ in range(int(job.trials)))
        free = [0.0] * shape.gangs
        compiled: set[tuple[int, int]] = set()
        while queue:
            seconds, key = queue.pop()
            gang = free.index(min(free))
            free[gang] += seconds + (SETUP if (gang, key) not in compiled else 0.0)
            compiled.add((gang, key))
        total += START + max(free) if group else 0.0
    return total


SLOTS = st.sampled_from([1, 2, 3, 4, 8])
STUDY = st.tuples(
    st.integers(1, 40),  # trials
    st.floats(0.1, 600.0),  # seconds on one rank
    st.floats(
        0.0, 1.2
    ),  # how well ranks share it: 1 is perfect, above 1 better than perfect (other compiled code)
    st.floats(0.0, 30.0),  # seconds that averaging adds
)


def planted(
    slots: int, studies: list[tuple[int, float, float, float]]
) -> tuple[list[LayoutJob[int]], tuple[Shape, ...]]:
    shapes = shapes_for(slots)
    jobs = [
        LayoutJob(
            key,
            trials,
            {shape.np: alone / shape.np**gain + (averaging if shape.np > 1 else 0.0) for shape in shapes},
        )
        for key, (trials, alone, gain, averaging) in enumerate(studies)
    ]
    return jobs, shapes


@given(SLOTS, st.lists(STUDY, min_size=1, max_size=4))
def test_the_choice_is_within_a_tenth_of_the_best_of_all(slots, studies):
    """Every study in every shape, simulated: the layout chosen takes at most 10 % longer than the best of them."""
    jobs, shapes = planted(slots, studies)
    chosen = simulated(jobs, choose(jobs, shapes, start=START).shapes)
    best = min(simulated(jobs, dict(enumerate(assigned))) for assigned in product(shapes, repeat=len(jobs)))
    assert chosen <= 1.1 * best + 1e-9


@given(SLOTS, st.lists(STUDY, min_size=1, max_size=12))
def test_the_choice_is_within_a_tenth_of_the_best_fixed_layout(slots, studies):
    """With more studies than can all be tried: at most 10 % longer than the best single shape."""
    jobs, shapes = planted(slots, studies)
    chosen = simulated(jobs, choose(jobs, shapes, start=START).shapes)
    fixed = min(simulated(jobs, {job.key: shape for job in jobs}) for shape in shapes)
    assert chosen <= 1.1 * fixed + 1e-9


def test_small_batches_get_one_rank_and_large_ones_all():
    """Two slots; a step of the small batch is slower on two ranks, of the large one more than twice as fast."""
    jobs = [LayoutJob("small", 40, {1: 20.0, 2: 60.0}), LayoutJob("large", 40, {1: 200.0, 2: 80.0})]
    layout = choose(jobs, shapes_for(2))
    assert layout.shapes == {"small": Shape(1, 2), "large": Shape(2, 1)}
    assert [phase.shape.np for phase in layout.phases] == [1, 2]


def test_a_change_of_shape_must_earn_its_start():
    """Where two ranks would save 10 s of a study and starting them takes 15 s, one rank trains it too; with 20 s they do."""
    small = LayoutJob("small", 40, {1: 20.0, 2: 60.0})
    for saved, np in ((10.0, 1), (20.0, 2)):
        large = LayoutJob("large", 4, {1: 50.0, 2: (100.0 - saved) / 4})
        assert choose([small, large], shapes_for(2)).shapes["large"].np == np


def test_gangs_that_live_already_cost_no_start():
    """With two ranks at work, what they do 10 s slower than one would stays with them; from nothing it does not."""
    jobs = [LayoutJob("a", 4, {1: 50.0, 2: 27.5})]
    assert choose(jobs, shapes_for(2)).shapes["a"].np == 1
    assert choose(jobs, shapes_for(2), warm=Shape(2, 1)).shapes["a"].np == 2


def test_few_long_trials_share_all_slots():
    """One trial on four slots: four ranks, although they are less than four times as fast."""
    jobs = [LayoutJob("a", 1, {1: 1000.0, 2: 600.0, 4: 400.0})]
    assert choose(jobs, shapes_for(4)).shapes["a"] == Shape(4, 1)


def test_the_shorter_phase_comes_first_and_living_gangs_before_it():
    """So that every batch size has a trial soonest."""
    jobs = [LayoutJob("a", 40, {1: 100.0, 2: 400.0}), LayoutJob("b", 20, {1: 400.0, 2: 20.0})]
    assert [phase.shape.np for phase in choose(jobs, shapes_for(2)).phases] == [2, 1]
    warm = choose(jobs, shapes_for(2), warm=Shape(1, 2))
    assert [phase.shape.np for phase in warm.phases] == [1, 2]


def test_a_study_without_trials_makes_no_phase_of_its_own():
    """It joins a shape that has work, where trials added later find gangs."""
    jobs = [LayoutJob("done", 0, {1: 100.0, 2: 1.0}), LayoutJob("left", 9, {1: 10.0, 2: 30.0})]
    layout = choose(jobs, shapes_for(2))
    assert layout.shapes == {"done": Shape(1, 2), "left": Shape(1, 2)}


def test_shapes_fill_the_slots():
    """For every number of gangs the most ranks; on several hosts no more gangs than the first one has slots."""
    assert shapes_for(1) == (Shape(1, 1),)
    assert shapes_for(2) == (Shape(1, 2), Shape(2, 1))
    assert shapes_for(8) == (Shape(1, 8), Shape(2, 4), Shape(4, 2), Shape(8, 1))
    assert shapes_for(7) == (Shape(1, 7), Shape(2, 3), Shape(3, 2), Shape(7, 1))
    assert shapes_for(8, first=4) == (Shape(1, 4), Shape(2, 4), Shape(4, 2), Shape(8, 1))


@given(st.integers(1, 200), st.data())
def test_no_shape_has_more_ranks_than_slots(slots, data):
    """Whatever the slots and hosts."""
    first = data.draw(st.integers(1, slots))
    assert all(shape.np * shape.gangs <= slots and shape.gangs <= first for shape in shapes_for(slots, first))


def test_one_shape_for_all():
    """What `--gangs 2 --np 1` takes: a start, a compilation a study and gang, and the trials shared by two gangs."""
    jobs = [LayoutJob("a", 4, {1: 10.0}), LayoutJob("b", 2, {1: 5.0})]
    layout = in_one_shape(jobs, Shape(1, 2), start=START)
    assert layout.seconds == pytest.approx(15 + 2 + 25)


def test_a_large_sweep_is_laid_out_at_once():
    """Three workloads of thirteen batch sizes on 64 slots: a layout of every study, not worse than all in one shape."""
    shapes = shapes_for(64)
    jobs = [
        LayoutJob((w, b), 100, {s.np: 30.0 * 2**b / (s.np**0.9) / 50 + 10.0 * (s.np > 1) for s in shapes})
        for w in range(3)
        for b in range(13)
    ]
    layout = choose(jobs, shapes)
    assert set(layout.shapes) == {job.key for job in jobs}
    assert layout.seconds <= min(in_one_shape(jobs, shape).seconds for shape in shapes)


def test_small_dense_steps_take_one_thread() -> None:
    """fc_128 at batch size 512 is small; a wider model, a convolution and a model of the user's own are not."""
    assert steps_are_small(planned())
    assert not steps_are_small(planned(('"fc_128"', '"fc_1024"')))
    assert not steps_are_small(planned(('"fc_128"', '"simple_cnn_base"')))
    own = replace(planned().workloads[0], model="own:build", parameters=None)
    assert not steps_are_small(replace(planned(), workloads=(own,)))
