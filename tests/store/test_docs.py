"""`docs/store.md` is right: every table and column is explained, every query gives the right answer."""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hvdsweep.states import Status, StopReason
from hvdsweep.store.connection import connect
from hvdsweep.store.exchange import Final, TrialUpdate
from hvdsweep.store.lifecycle import begin_run
from hvdsweep.store.plans import save_plan

from .plans import Plan, Study, Trial, Workload, gang

DOCUMENT = (Path(__file__).parents[2] / "docs" / "store.md").read_text(encoding="utf-8")
QUERIES = {
    int(number): sql
    for number, sql in re.findall(
        r"^### (\d+)\. [^\n]*\n(?:(?!^###)[\s\S])*?```sql\n([\s\S]*?)```", DOCUMENT, re.MULTILINE
    )
}
METRIC = "val/classification_error"
GOAL = 0.3
STEPS = 60


@dataclass(frozen=True)
class Rates(Study):
    """Ten trials whose learning rates span 10^-3 to 10^1."""

    def trial_range(self, start: int, count: int) -> list[Trial]:
        rates = 10 ** np.linspace(-3, 0.9, 10)
        return [
            Trial(n, f"{self.batch_size}/{n}", n, {"learning_rate": float(rates[n])})
            for n in range(start, start + count)
        ]


@dataclass(frozen=True)
class Known:
    """One trial as the test made it, without a database."""

    id: int
    batch_size: int
    number: int
    learning_rate: float
    status: Status
    gang: int
    losses: np.ndarray
    table: dict[int, dict[str, float]]
    """Step -> metric -> value."""

    @property
    def errors(self) -> dict[int, float]:
        return {step: row[METRIC] for step, row in self.table.items()}

    @property
    def goal_step(self) -> int | None:
        return next((step for step, error in self.errors.items() if error < GOAL), None)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[sqlite3.Connection, list[Known]]:
    """Three studies of ten trials, written by two gangs through the real writer; times set to whole numbers afterwards."""
    path = tmp_path_factory.mktemp("docs") / "store.db"
    conn = connect(path, create=True)
    goal = {"metric": METRIC, "value": GOAL, "maximize": False}
    studies = [Rates(size, 10, 20, STEPS, goal=goal) for size in (8, 32, 128)]
    workload = Workload(studies, name="digits/fc_128/sgd", metric=METRIC, goal=GOAL)
    other = replace(workload, name="digits/fc_128/momentum", studies=[Rates(4, 1, goal=goal)])
    save_plan(conn, Plan([workload, other]))
    begin_run(conn, 1, np=2, gangs=2)
    random = np.random.default_rng(5)
    known = []
    with gang(path) as one, gang(path) as two:
        writers = [one, two]
        claims = [writer.commit(None, claim=True).claim for writer in writers]
        turn = 0
        while any(claims):
            turn = 1 - turn if claims[1 - turn] else turn
            claim, writer = claims[turn], writers[turn]
            size, rate = claim.definition["batch_size"], claim.metaparameters["learning_rate"]
            diverged = rate * 64 / size > 10
            # Trials of the largest batch never get below the goal.
            floor = 0.35 if size == 128 else 0.05
            speed = size * rate / (1 + rate) ** 2 / 40
            table = {}
            for step in range(0, STEPS + 1, 5):
                error = floor + (0.9 - floor) * np.exp(-speed * step) + random.normal(0, 0.02)
                table[step] = {METRIC: float(error), "train/classification_error": float(error / 2)}
            losses = np.exp(-speed * np.arange(STEPS)) + random.normal(0, 0.1, STEPS)
            status = Status.INFEASIBLE if diverged else Status.COMPLETE
            final = Final(status, StopReason.DIVERGED if diverged else StopReason.BUDGET, train_seconds=0.5)
            known.append(
                Known(claim.trial_id, size, claim.number, rate, status, writer.gang_id, losses, table)
            )
            update = TrialUpdate(claim.trial_id, losses, STEPS, measurements=list(table.items()), final=final)
            claims[turn] = writer.commit(update, claim=True).claim
    conn.execute("UPDATE trials SET started = 1000 * id, ended = 1000 * id + 2 + number")
    conn.execute("UPDATE trials SET attempts = 2, message = 'rank 1: Killed' WHERE id IN (3, 12)")
    known.sort(key=lambda trial: trial.id)
    return conn, known


def mine(known: list[Known]) -> dict[int, list[Known]]:
    """COMPLETE trials of the documented workload by batch size."""
    found = {8: [], 32: [], 128: []}
    for trial in known:
        if trial.status is Status.COMPLETE and trial.batch_size in found:
            found[trial.batch_size].append(trial)
    return found


def steps_to_goal(known: list[Known]) -> list[tuple]:
    steps = {
        b: min((t.goal_step for t in ts if t.goal_step is not None), default=None)
        for b, ts in mine(known).items()
    }
    return [(b, step, None if step is None else b * step) for b, step in steps.items()]


def best_trials(known: list[Known]) -> list[tuple]:
    rows = []
    for batch_size, trials in mine(known).items():
        reached = [(t.goal_step, t.number, t.learning_rate) for t in trials if t.goal_step is not None]
        if reached:
            step, number, rate = min(reached)
            rows.append((batch_size, number, step, rate))
    return rows


def loss_curve(known: list[Known]) -> list[tuple]:
    losses = known[2].losses
    return [(i + 1, i + 10, losses[i : i + 10].mean()) for i in range(0, STEPS, 10)]


def diverged_share(known: list[Known]) -> list[tuple]:
    groups = defaultdict(list)
    for trial in known:
        groups[int(np.floor(np.log10(trial.learning_rate))), trial.batch_size].append(
            trial.status is Status.INFEASIBLE
        )
    return [(f"1e{power:+03d}", size, len(g), np.mean(g)) for (power, size), g in sorted(groups.items())]


def seconds(known: list[Known]) -> list[tuple]:
    groups = defaultdict(list)
    for trial in known:
        name = "digits/fc_128/sgd" if trial.batch_size != 4 else "digits/fc_128/momentum"
        groups[name, trial.batch_size].append(2 + trial.number)
    return [(*key, len(g), np.mean(g), STEPS * len(g) / sum(g)) for key, g in sorted(groups.items())]


def gangs(known: list[Known]) -> list[tuple]:
    rows = []
    for number in (1, 2):
        trials = [trial for trial in known if trial.gang == number]
        places = [trial.number for trial in trials]
        rows.append((number, 2, "IDLE", len(trials), STEPS * len(trials), min(places), max(places)))
    return rows


def best_in_budget(known: list[Known]) -> list[tuple]:
    return [
        (size, min(error for trial in trials for step, error in trial.errors.items() if step <= 40))
        for size, trials in mine(known).items()
    ]


def successes(known: list[Known]) -> list[tuple]:
    return [(size, len(ts), sum(t.goal_step is not None for t in ts)) for size, ts in mine(known).items()]


def noise(known: list[Known]) -> list[tuple]:
    ends = [(t, t.losses[-20:]) for t in known if t.status is Status.COMPLETE]
    return [(t.id, t.batch_size, end.mean(), end.std()) for t, end in ends]


def gap(known: list[Known]) -> list[tuple]:
    rows = [(trial.id, trial.table[STEPS]) for trial in known]
    return [(trial, STEPS, row[METRIC] - row["train/classification_error"]) for trial, row in rows]


def failures(known: list[Known]) -> list[tuple]:
    return [("digits/fc_128/sgd", t.batch_size, t.number, 2, "rank 1: Killed") for t in (known[2], known[11])]


def speeds(known: list[Known]) -> list[tuple]:
    return [(size, 2, 2, STEPS / 0.5, size * STEPS / 0.5) for size in (8, 32, 128)]


ANSWERS: dict[int, Callable[[list[Known]], list[tuple[Any, ...]]]] = {
    1: steps_to_goal,
    2: best_trials,
    3: loss_curve,
    4: diverged_share,
    5: seconds,
    6: gangs,
    7: best_in_budget,
    8: successes,
    9: noise,
    10: gap,
    11: failures,
    12: speeds,
}


def test_every_query_of_the_document_is_checked():
    """At least ten, and none without an answer here."""
    assert QUERIES.keys() == ANSWERS.keys()
    assert len(QUERIES) >= 10


@pytest.mark.parametrize("number", ANSWERS)
def test_the_answer_is_right(store: tuple[sqlite3.Connection, list[Known]], number: int):
    """The query as printed, against numpy over the numbers that went in."""
    conn, known = store
    rows, expected = conn.execute(QUERIES[number]).fetchall(), ANSWERS[number](known)
    assert len(rows) == len(expected) > 1
    for row, wanted in zip(rows, expected, strict=True):
        assert len(row) == len(wanted)
        for value, right in zip(row, wanted, strict=True):
            assert value == (pytest.approx(right, rel=1e-9) if isinstance(right, float) else right)


def test_the_answers_are_not_trivial(store: tuple[sqlite3.Connection, list[Known]]):
    """The planted store has what the queries are about: goals reached and missed, divergence at high rates only."""
    _, known = store
    steps = [row[1] for row in steps_to_goal(known)]
    assert steps[2] is None
    assert 0 < steps[1] < steps[0]
    shares = [row[3] for row in diverged_share(known)]
    assert 0 in shares
    assert max(shares) > 0.5
    assert len({row[1] for row in best_trials(known)}) > 1 or steps[0] != steps[1]


def test_every_table_and_column_is_explained(store: tuple[sqlite3.Connection, list[Known]]):
    """And none that does not exist: per heading, the names in the first column of its table are the columns."""
    conn, _ = store
    sections = dict(re.findall(r"^### ([a-z_]+)[^\n]*\n((?:(?!^##)[\s\S])*)", DOCUMENT, re.MULTILINE))
    tables = [
        row[0]
        for row in conn.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%sqlite%'"
        )
    ]
    assert sections.keys() == set(tables)
    for table in tables:
        cells = [line.split("|")[1] for line in sections[table].splitlines() if line.startswith("| `")]
        named = [
            name for cell in cells for name in re.findall(r"`([^`]+)`", re.sub(r"\(view:.*?\)", "", cell))
        ]
        columns = [row[1] for row in conn.execute(f"PRAGMA table_info({table})")]
        if table == "measurements":
            columns = ["trial_id", "step", f'"{METRIC}"']
        assert sorted(named) == sorted(columns), table
