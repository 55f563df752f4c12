"""For any order of trials and number of gangs: the steps to the goal, and the trial, are those of the full budget."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvdsweep.curves import NEVER, steps_to_result
from hvdsweep.opening import open_store
from hvdsweep.states import Status, StopReason
from hvdsweep.store.maintenance import check

from .planted import EVERY, Fate, PlantedStudy, Player

BUDGET = 50
EVALUATIONS = st.integers(1, BUDGET // EVERY).map(lambda n: n * EVERY)
EARLY_DIVERGENCE = st.builds(Fate, diverges_at=st.integers(1, EVERY))
"""Before any trial can be stopped."""
SOUND = st.builds(Fate, goal_at=st.none() | EVALUATIONS)
ANY = st.builds(Fate, goal_at=st.none() | EVALUATIONS, diverges_at=st.none() | st.integers(1, BUDGET))


def studies_of(fates: st.SearchStrategy[Fate]) -> st.SearchStrategy[list[PlantedStudy]]:
    """One to three batch sizes of two to five trials, each with as many to replace diverged ones."""
    study = st.tuples(st.integers(2, 5)).flatmap(
        lambda t: st.tuples(st.just(t[0]), st.lists(fates, min_size=2 * t[0], max_size=2 * t[0]))
    )
    return st.lists(study, min_size=1, max_size=3).map(
        lambda drawn: [
            PlantedStudy(8 << index, fates, target, "beaten", steps=BUDGET)
            for index, (target, fates) in enumerate(drawn)
        ]
    )


def played(studies: Sequence[PlantedStudy], order: str | None, gangs: int = 1, seed: int = 0, **stop: object):
    """The player and the workload's table after a run in a separate store."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        changed = [replace(study, **stop) for study in studies]
        player = Player(path, changed, order, gangs, seed).play()
        with open_store(path) as reader:
            return player, reader.workload_table("set/net/sgd")


def answers(table) -> list[tuple[int, int] | None]:
    """(steps to the goal, number of the trial) of every study."""
    result = steps_to_result(table)
    return [
        None if trial == NEVER else (int(steps), int(table.number[trial]))
        for steps, trial in zip(result.steps, result.trial, strict=True)
    ]


RUNS = [
    ("plain", 1, "budget"),
    ("breadth", 3, "budget"),
    ("plain", 1, "beaten"),
    ("breadth", 1, "beaten"),
    ("merit", 1, "beaten"),
    ("merit", 3, "beaten"),
]


@settings(max_examples=25)
@given(studies_of(st.one_of(SOUND, SOUND, EARLY_DIVERGENCE)), st.integers(0, 99), st.sampled_from([0.0, 0.3]))
def test_no_order_and_no_stopping_changes_the_answer(studies, seed: int, margin: float):
    """`budget` in plain order, by definition; breadth first; `beaten` in plain, breadth-first and merit order; 1 and 3 gangs."""
    expected = [study.answer() for study in studies]
    for order, gangs, stop in RUNS:
        player, table = played(studies, order, gangs, seed, stop=stop, margin=margin)
        assert answers(table) == expected, (order, gangs, stop)
        assert len(player.choices) == len(set(player.choices)) == len(table.number)


@settings(max_examples=25)
@given(studies_of(ANY), st.integers(0, 99), st.sampled_from(["plain", "merit"]), st.sampled_from([1, 3]))
def test_late_divergence_is_all_that_can_change_it(studies, seed: int, order: str, gangs: int):
    """The answer is the best over the trials that did not diverge while they were trained; with none stopped that would have
    diverged later, it is that of the full budget."""
    _, table = played(studies, order, gangs, seed)
    for index, study in enumerate(studies):
        mine = [t for t in range(len(table.number)) if table.study[t] == index]
        ran = {int(table.number[t]): t for t in mine}
        sound = [n for n, t in ran.items() if table.status[t] == Status.COMPLETE]
        goals = [
            (fate.goal_at, n)
            for n in sound
            if (fate := study.fates[n]).goal_at is not None
            and (fate.diverges_at is None or fate.diverges_at > fate.goal_at)
        ]
        assert answers(table)[index] == min(goals, default=None)
        assert len(sound) == study.target_trials or len(ran) == study.max_trials
        if all(study.fates[n].diverges_at is None for n in sound):
            assert answers(table)[index] == study.answer()


@settings(max_examples=25)
@given(studies_of(SOUND), st.sampled_from([0.1, 0.25, 1.0]), st.sampled_from(["plain", "merit"]))
def test_the_margin_keeps_close_trials(studies, margin: float, order: str):
    """Every trial that reaches the goal within (1 + margin) times the fewest steps does so; none is stopped before."""
    _, table = played(studies, order, margin=margin)
    for index, study in enumerate(studies):
        best = study.answer()
        for t in (t for t in range(len(table.number)) if table.study[t] == index):
            goal = study.fates[int(table.number[t])].goal_at
            if best is not None and goal is not None and goal <= (1 + margin) * best[0] + 1e-9:
                assert (table.stop_reason[t], table.steps[t]) == (StopReason.GOAL, goal)
            if table.stop_reason[t] == StopReason.BEATEN:
                assert best is not None
                assert table.steps[t] >= (1 + margin) * best[0] - 1e-9


@settings(max_examples=15)
@given(
    studies_of(st.one_of(SOUND, EARLY_DIVERGENCE)), st.integers(1, 40), st.integers(1, 40), st.integers(0, 99)
)
def test_stopping_and_extending_change_nothing(studies, first: int, second: int, seed: int):
    """A sweep of two trials per study, stopped at any moment, extended, stopped again and finished: the same answer."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        begun = [replace(study, target_trials=2) for study in studies]
        Player(path, begun, "merit", 3, seed).play(first)
        Player(path, studies, "merit", 1, seed).play(second)
        Player(path, studies, None, 3, seed).play()
        with open_store(path) as reader:
            table = reader.workload_table("set/net/sgd")
    assert answers(table) == [study.answer() for study in studies]
    assert not (table.status == Status.PENDING).any()


@settings(max_examples=15)
@given(studies_of(ANY))
def test_the_order_of_merit_depends_on_what_has_ended_alone(studies):
    """The same run twice makes the same choices; a gang that starts late chooses as the one that has seen everything."""
    one, _ = played(studies, "merit")
    other, _ = played(studies, "merit")
    assert one.choices == other.choices
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        split = Player(path, studies, "merit").play(7)
        # What was given back is claimed again.
        interrupted = len(split.choices)
        rest = Player(path, studies, "merit").play()
        with open_store(path) as reader:
            assert reader.sweeps()
    assert split.choices + rest.choices[1:] == one.choices or interrupted == len(one.choices)


def test_a_tie_goes_to_the_smallest_number_though_it_trained_last(tmp_path: Path):
    """Trial 0, trained after a trial that reached the goal at step 20, reaches it at step 20 itself: it is the one reported."""
    fates = [Fate(goal_at=20), Fate(), Fate(goal_at=20), Fate(goal_at=25)]
    orders = set()
    for seed in range(12):
        study = PlantedStudy(8 + seed, fates, 4, "beaten")
        player = Player(tmp_path / f"{seed}.db", [study], "merit").play()
        numbers = [number for _, number in player.choices]
        orders.add(numbers.index(0) > numbers.index(2))
        with open_store(tmp_path / f"{seed}.db") as reader:
            assert answers(reader.workload_table("set/net/sgd")) == [(20, 0)]
    assert orders == {True, False}, "the tie is met in both orders"


def test_the_store_stays_sound(tmp_path: Path):
    """The store is consistent after a run by merit, and every trial has the reason for its choice."""
    import sqlite3

    fates = [Fate(goal_at=20), Fate(diverges_at=7), Fate(goal_at=45), Fate(), Fate(goal_at=10), Fate()]
    Player(
        tmp_path / "store.db", [PlantedStudy(size, fates, 4, "beaten") for size in (8, 16)], None, 2
    ).play()
    conn = sqlite3.connect(tmp_path / "store.db")
    assert check(conn) == []
    chosen = [row[0] for row in conn.execute("SELECT chosen FROM trials ORDER BY started, id")]
    conn.close()
    assert chosen[0].startswith("1st of 4: near the middle of its ranges")
    assert all("predicted" in reason or "last one left" in reason or "nothing" in reason for reason in chosen)


@pytest.mark.parametrize("stop", ["budget", "goal"])
def test_only_beaten_trials_are_ordered_by_merit_unasked(tmp_path: Path, stop: str):
    """Without --order, trials of a study are taken by number."""
    fates = [Fate(goal_at=20), Fate(goal_at=10), Fate(goal_at=5), Fate()]
    player = Player(tmp_path / "store.db", [PlantedStudy(8, fates, 4, stop)]).play()
    assert [number for _, number in player.choices] == [0, 1, 2, 3]
