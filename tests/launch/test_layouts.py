"""`--np auto` with fake gangs: who trains what, changes of layout, deaths and stops in the middle, the limit of slots."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from hvdsweep.launch.layouts import Layouts
from hvdsweep.launch.stored_sweep import StoredSweep, SweepView
from hvdsweep.layout import Shape, shapes_for
from hvdsweep.step_time import Expected, StepTimes
from hvdsweep.store.connection import connect
from hvdsweep.store.plans import save_plan
from hvdsweep.store.throughput import here_last, record_throughput, throughput
from tests.launch.conftest import Launched, Store
from tests.launch.fake_gang import losses_of
from tests.launch.plans import plan_of

Launch = Callable[..., Launched]
FINE: dict[str, float] = {}
SLOW = 0.001
"""Steps per second: a trial of 20 steps is worth every start of a gang."""
SMALL_ONE_LARGE_TWO = [(1, 1, 2, SLOW), (1, 2, 1, SLOW / 2), (2, 1, 2, SLOW), (2, 2, 1, SLOW * 4)]
"""(batch size, ranks, gangs, steps per second): batch size 1 is fastest on one rank, 2 on two."""


def ranks_of_trials(store: Store) -> list[tuple[int, int]]:
    """(batch size, ranks of the gang that trained it) of every finished trial."""
    return store.rows(
        "SELECT DISTINCT s.batch_size, g.np FROM trials t JOIN studies s ON s.id = t.study_id"
        " JOIN gangs g ON g.id = t.gang_id WHERE t.status = 'COMPLETE' ORDER BY 1, 2"
    )


def most_ranks(store: Store) -> int:
    """The most ranks that lived at the same time, by the starts and ends of their gangs."""
    gangs: list[tuple[float, float, int]] = store.rows("SELECT started, ended, np FROM gangs")
    return max(sum(np for started, ended, np in gangs if started <= moment < ended) for moment, _, _ in gangs)


def assert_all_trained(store: Store, trials: int, steps: int = 20) -> None:
    """Every trial is COMPLETE, with the losses that it has wherever it is trained."""
    rows = store.rows("SELECT id, seed FROM trials WHERE status = 'COMPLETE'")
    assert len(rows) == trials
    for trial, seed in rows:
        losses = [
            row[0] for row in store.rows("SELECT loss FROM losses WHERE trial_id = ? ORDER BY step", trial)
        ]
        np.testing.assert_array_equal(np.float32(losses), losses_of(seed, 1, steps))


def notes(events: Sequence[dict[str, Any]]) -> list[str]:
    """What launch noted, but for the cores of this machine, which may be one."""
    found = [event["message"] for event in events if event["event"] == "note"]
    return [note for note in found if "of this machine" not in note]


def test_every_batch_size_is_trained_by_its_ranks(launch: Launch, store: Store) -> None:
    """Two gangs of one rank for the small batch, then one gang of two for the large one; two slots are never exceeded."""
    code, events, err = launch([[FINE] * 4, [FINE] * 4], slots=2, speeds=SMALL_ONE_LARGE_TWO).end()
    assert (code, err) == (0, "")
    assert_all_trained(store, 8)
    assert ranks_of_trials(store) == [(1, 1), (2, 2)]
    assert most_ranks(store) <= 2
    assert notes(events) == [
        "Layout: 1 gang of 2 ranks for batch size 2, then 2 gangs of 1 rank for batch size 1.",
        "Layout of what is left: 2 gangs of 1 rank for batch size 1.",
    ]
    assert store.rows("SELECT np, gangs, slots FROM sweeps") == [(None, None, 2)]
    assert store.rows("SELECT batch_size, np, gangs FROM studies ORDER BY 1") == [(1, 1, 2), (2, 2, 1)]
    assert store.processes() == []


def test_gangs_that_leave_count_as_ended_well(launch: Launch, store: Store) -> None:
    """A change of layout is no failure: no gang is DEAD, no trial has a failed attempt."""
    launch([[FINE] * 4, [FINE] * 4], slots=2, speeds=SMALL_ONE_LARGE_TWO).end()
    assert store.rows("SELECT DISTINCT state FROM gangs") == [("STOPPED",)]
    assert store.rows("SELECT sum(attempts) FROM trials") == [(0,)]


def test_freed_slots_are_used_at_once(launch: Launch, store: Store) -> None:
    """Three slots, batch size 2 on two ranks: its gang starts while the last, long trial of the small batch runs."""
    speeds = [(1, 1, 3, SLOW), (1, 3, 1, SLOW), (2, 1, 3, SLOW), (2, 3, 1, SLOW * 20)]
    launched = launch([[FINE] * 3, [FINE, {"seconds": 2.0}, FINE]], slots=3, speeds=speeds)
    assert launched.end()[0] == 0
    assert_all_trained(store, 6)
    assert most_ranks(store) <= 3


def test_without_any_speed_small_trials_get_one_rank_each(launch: Launch, store: Store) -> None:
    """Nothing is measured: the rough estimate trains all on one rank, and no gang of two is ever started."""
    code, _, _ = launch([[FINE] * 3, [FINE] * 3], slots=2).end()
    assert code == 0
    assert store.rows("SELECT DISTINCT np FROM gangs") == [(1,)]


def test_a_replacement_is_left_to_gangs_that_still_live(launch: Launch, store: Store) -> None:
    """The last trial of the first phase diverges: its replacement is trained by the same gang, and then the layout changes."""
    studies = [[FINE] * 4, [FINE, {"diverge": 1, "seconds": 2.0}]]
    code, _, _ = launch(studies, replacements=2, slots=2, speeds=SMALL_ONE_LARGE_TWO).end()
    assert code == 0
    assert store.one("SELECT count(*) FROM trials WHERE status = 'COMPLETE'") == 6
    assert store.rows("SELECT np FROM gangs ORDER BY id") == [(2,), (1,), (1,)]
    assert ranks_of_trials(store) == [(1, 1), (2, 2)]
    assert most_ranks(store) <= 2


def planned(
    store: Store, speeds: Sequence[tuple[int, int, int, float]]
) -> tuple[Layouts, Callable[..., SweepView]]:
    """A choice for two studies of four trials of 20 steps on two slots, and views with so many PENDING trials of each."""
    plan = plan_of([FINE] * 4, [FINE] * 4)
    conn = connect(store.path, create=True)
    sweep = save_plan(conn, plan).sweep_id
    for batch_size, ranks, gangs, steps_per_second in speeds:
        speed = {"batch_size": batch_size, "np": ranks, "gangs": gangs}
        record_throughput(conn, workload="w", **speed, steps=1, seconds=1 / steps_per_second)
    stored = StoredSweep(conn, sweep)

    def view(*pending: int) -> SweepView:
        return SweepView({id: {"PENDING": n} for id, n in zip(stored.studies, pending, strict=True)}, {}, {})

    return Layouts(stored, plan, shapes_for(2)), view


def test_few_trials_left_are_trained_by_gangs_that_live(store: Store) -> None:
    """Four trials of batch size 2 are worth a change of gangs, a single one that is requeued later is not."""
    speeds = [(1, 1, 2, 2.0), (1, 2, 1, 0.1), (2, 1, 2, 1.0), (2, 2, 1, 4.0)]
    layouts, view = planned(store, speeds)
    layouts.choose(view(4, 4))
    assert store.rows("SELECT batch_size, np FROM studies ORDER BY 1") == [(1, 1), (2, 2)]
    layouts.choose(view(4, 0))
    assert layouts.current == Shape(1, 2)
    assert not layouts.is_over(view(2, 1))
    assert layouts.is_over(view(0, 1))
    layouts.choose(view(0, 1), warm=layouts.current)
    assert layouts.current == Shape(1, 2)
    assert store.rows("SELECT batch_size, np FROM studies ORDER BY 1") == [(1, 1), (2, 1)]


def test_speeds_that_trials_leave_change_the_choice(store: Store) -> None:
    """One rank was expected to be fastest for all; once trials have shown the opposite for batch size 2, two ranks train it."""
    layouts, view = planned(store, [(1, 1, 2, SLOW), (2, 1, 2, SLOW), (2, 2, 1, SLOW)])
    layouts.choose(view(4, 4))
    assert layouts.pending(view(4, 4)) == {1: 8}
    conn = connect(store.path)
    record_throughput(
        conn, workload="w", batch_size=2, np=1, gangs=2, steps=1, seconds=10 / SLOW, source="trial"
    )
    conn.close()
    layouts.choose(view(4, 3), warm=layouts.current)
    assert layouts.pending(view(4, 3)) == {1: 4, 2: 3}


def test_speeds_of_this_machine_count_before_those_of_others(store: Store) -> None:
    """A store that comes from another machine brings its speeds along; they serve until there are own ones."""
    conn = connect(store.path, create=True)
    for host, seconds in ((None, 1.0), ("elsewhere", 5.0)):
        record_throughput(
            conn, workload="w", batch_size=1, np=1, gangs=2, steps=1, seconds=seconds, host=host
        )
    assert StepTimes(here_last(throughput(conn))).known("w", 1, 1, 2) == Expected(1.0, "measured")
    conn.close()


@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_gang_killed_in_any_phase_is_replaced_by_one_of_its_size(
    launch: Launch, store: Store, batch_size: int
) -> None:
    """Its trial is trained again by as many ranks; the other phase is not disturbed."""
    studies = [[FINE, FINE], [FINE, FINE]]
    studies[batch_size - 1] = [FINE, {"seconds": 1.5}]
    launched = launch(studies, slots=2, speeds=SMALL_ONE_LARGE_TWO)
    query = (
        "SELECT g.pid FROM trials t JOIN studies s ON s.id = t.study_id JOIN gangs g ON g.id = t.gang_id"
        " WHERE s.batch_size = ? AND t.number = 1 AND t.status = 'RUNNING' AND t.steps > 0"
    )
    os.kill(launched.until(lambda: store.one(query, batch_size)), signal.SIGKILL)
    assert launched.end()[0] == 0
    assert_all_trained(store, 4)
    assert ranks_of_trials(store) == [(1, 1), (2, 2)]
    assert store.rows("SELECT sum(attempts) FROM trials") == [(1,)]
    assert most_ranks(store) <= 2


@pytest.mark.parametrize("again", [{"np": 1, "gangs": 2}, {"np": 2}, {"slots": 3}, {"slots": 2}])
def test_a_killed_run_continues_in_another_layout(
    launch: Launch, store: Store, again: dict[str, int]
) -> None:
    """The supervisor is killed while the large batch trains on two ranks; fixed ranks or other slots finish the sweep with the
    same losses, and of the earlier layout nothing binds them."""
    studies = [[FINE] * 3, [FINE, {"seconds": 3.0}, FINE]]
    launched = launch(studies, slots=2, speeds=SMALL_ONE_LARGE_TWO)
    launched.until(
        lambda: store.one("SELECT steps FROM trials WHERE number = 1 AND status = 'RUNNING' AND steps > 2")
    )
    launched.send(signal.SIGKILL)
    launched.process.wait()
    before = store.one("SELECT max(id) FROM gangs")
    assert launch(studies, **again).end()[0] == 0
    assert_all_trained(store, 6)
    if "slots" not in again:
        assert store.rows("SELECT DISTINCT np FROM gangs WHERE id > ?", before) == [(again["np"],)]
        assert store.rows("SELECT DISTINCT np, gangs FROM studies") == [(None, None)]


def test_a_stop_in_the_middle_gives_trials_back(launch: Launch, store: Store) -> None:
    """Ctrl-C in the second phase: exit 130, nothing RUNNING, no process left; the same command trains the rest."""
    studies = [[{"seconds": 20.0}, FINE], [FINE, FINE]]
    launched = launch(studies, slots=2, speeds=SMALL_ONE_LARGE_TWO)
    launched.until(
        lambda: store.one("SELECT steps FROM trials WHERE status = 'RUNNING' AND steps > 0 AND study_id = 1")
    )
    launched.send(signal.SIGINT)
    assert launched.end()[0] == 130
    assert "RUNNING" not in store.statuses()
    assert store.processes() == []
    assert store.one("SELECT state FROM sweeps") == "IDLE"


def test_where_no_gang_of_two_ranks_starts_one_rank_trains_all(launch: Launch, store: Store) -> None:
    """Horovod cannot join ranks here: after three tries the large batch is trained on one rank, with a warning."""
    code, events, _ = launch(
        [[FINE] * 2, [FINE] * 2],
        slots=2,
        speeds=SMALL_ONE_LARGE_TWO,
        environment={"FAKE_GANG": "stillborn 2"},
    ).end()
    assert code == 0
    assert_all_trained(store, 4)
    assert store.rows("SELECT np, count(*) FROM gangs WHERE state = 'DEAD' GROUP BY np") == [(2, 3)]
    assert any("No gang of 2 ranks could start" in note for note in notes(events))


def test_a_broken_environment_ends_the_run(launch: Launch, store: Store) -> None:
    """Where gangs of no size start, the run ends as it does without a layout."""
    code, _, _ = launch(
        [[FINE] * 2, [FINE] * 2], slots=2, speeds=SMALL_ONE_LARGE_TWO, environment={"FAKE_GANG": "stillborn"}
    ).end()
    assert code == 1
    assert store.statuses() == ["PENDING"] * 4
