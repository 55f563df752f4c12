"""The running best answers every goal and every budget exactly as the full table of measurements would."""

from __future__ import annotations

import math
import sqlite3
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hvdsweep.opening import open_store
from hvdsweep.states import Status, StopReason
from hvdsweep.store.connection import connect
from hvdsweep.store.exchange import Final, TrialUpdate
from hvdsweep.store.maintenance import check, rebuild_running_best
from hvdsweep.store.records import strict_records

from .plans import gang, small_store, train_all

VALUES = st.one_of(
    # Few distinct values, so that ties and returns to an earlier best are common.
    st.sampled_from([0.0, -0.0, 0.1, 0.2, 0.25, 0.5, 1.0, 1e-300, -3.0]),
    st.floats(allow_nan=True, allow_infinity=True),
)
CURVES = st.lists(VALUES, max_size=25)


def first_beyond(curve: list[float], goal: float, maximize: bool, budget: float) -> int | None:
    """The slow and obvious answer: walk the whole table."""
    for step, value in enumerate(curve):
        if step > budget or not math.isfinite(value):
            continue
        if value > goal if maximize else value < goal:
            return step
    return None


@settings(max_examples=40)
@given(
    st.lists(st.tuples(CURVES, CURVES), min_size=1, max_size=4),
    st.lists(VALUES, min_size=1, max_size=5),
    st.data(),
)
def test_records_answer_any_goal_and_budget(curves, goals, data):
    """Through the writer in random pieces, for a minimised and a maximised metric, and after a rebuild."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        small_store(path, batch_sizes=(8,), trials=len(curves))
        with gang(path) as writer:
            for errors, accuracies in curves:
                claim = writer.commit(None, claim=True).claim
                rows = [
                    (step, {name: curve[step] for name, curve in named.items() if step < len(curve)})
                    for named in [{"val/error": errors, "val/accuracy": accuracies}]
                    for step in range(max(len(errors), len(accuracies)))
                ]
                cut = data.draw(st.integers(0, len(rows)))
                writer.commit(
                    TrialUpdate(claim.trial_id, np.ones(0), 0, measurements=rows[:cut]), claim=False
                )
                final = Final(Status.COMPLETE, StopReason.BUDGET)
                writer.commit(
                    TrialUpdate(claim.trial_id, np.ones(30), 30, measurements=rows[cut:], final=final),
                    claim=False,
                )
        conn = connect(path)
        assert check(conn) == []
        stored = conn.execute("SELECT * FROM running_best ORDER BY 1, 2, 3, 4").fetchall()
        rebuild_running_best(conn)
        assert conn.execute("SELECT * FROM running_best ORDER BY 1, 2, 3, 4").fetchall() == stored
        conn.close()
        with open_store(path) as reader:
            for i, metric in enumerate(("val/error", "val/accuracy")):
                if metric not in reader.metrics():
                    continue
                for maximize in (False, True):
                    table = reader.workload_table("set/net/sgd", metric, maximize=maximize)
                    for goal in goals:
                        for budget in (0, 3, math.inf):
                            expected = [first_beyond(pair[i], goal, maximize, budget) for pair in curves]
                            assert [answer(table, t, goal, budget) for t in range(len(curves))] == expected


def answer(table, trial: int, goal: float, budget: float) -> int | None:
    """The same from the records alone: the first within the budget that lies beyond the goal."""
    mine = slice(table.offsets[trial], table.offsets[trial + 1])
    steps, values = table.record_step[mine], table.record_value[mine]
    beyond = (values > goal if table.maximize else values < goal) & (steps <= budget)
    return int(steps[beyond][0]) if beyond.any() else None


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-5, 5).map(lambda v: round(v * 2) / 2)), max_size=60))
def test_strict_records_is_the_obvious_loop(rows):
    """Per group the values below all earlier ones, at once for all groups."""
    rows.sort(key=lambda row: row[0])
    expected, best = [], {}
    for group, value in rows:
        expected.append(value < best.get(group, math.inf))
        best[group] = min(value, best.get(group, math.inf))
    groups = np.array([row[0] for row in rows], np.int64)
    values = np.array([row[1] for row in rows], np.float64)
    assert strict_records(groups, values).tolist() == expected


def test_a_goal_turns_its_metric_round(path: Path, look: sqlite3.Connection):
    """A goal that maximises keeps that metric's records upwards; a question the other way is answered all the same."""
    small_store(
        path, batch_sizes=(8,), trials=1, goal={"metric": "val/error", "value": 0.5, "maximize": True}
    )
    look.execute("UPDATE workloads SET maximize = 1")
    train_all(path)
    values = look.execute('SELECT step, "val/error" FROM measurements ORDER BY step').fetchall()
    kept = look.execute(
        "SELECT maximize, step, value FROM running_best WHERE metric = 'val/error'"
    ).fetchall()
    best, upwards = -math.inf, []
    for step, value in values:
        if value > best:
            best = value
            upwards.append((1, step, value))
    assert kept == upwards
    with open_store(path) as reader:
        assert reader.workload_table("set/net/sgd").maximize
        down = reader.workload_table("set/net/sgd", maximize=False)
    lows = np.minimum.accumulate([value for _, value in values])
    expected = [value for i, (_, value) in enumerate(values) if i == 0 or value < lows[i - 1]]
    assert down.record_value.tolist() == expected
