"""Real training: the same steps to the goal, by the same trial, under the full budget and under every order of stopping early."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from hvdsweep.curves import NEVER, steps_to_result
from hvdsweep.opening import open_store
from hvdsweep.plan import make_plan
from hvdsweep.states import StopReason
from hvdsweep.stopping import beaten_at
from hvdsweep.store.connection import connect
from hvdsweep.store.lifecycle import begin_run, new_gang, request_stop
from hvdsweep.store.plans import save_plan, top_up
from hvdsweep.store.writer import TrialWriter
from hvdsweep.sweep.load import Overrides, load_sweep
from hvdsweep.training import loop
from hvdsweep.training.gang import Gang
from hvdsweep.training.ranks import Ranks
from hvdsweep.training.studies import TracedStudies
from workloads import catalogue

SWEEPS = {
    "digits": """
dataset = "digits"
model = "fc_16"
algorithm = "sgd"
[goal]
metric = "val/classification_error"
value = 0.3
[budget]
steps = 80
[evaluation]
every = 5
[studies]
batch_sizes = [16, 64]
trials = 5
[search]
learning_rate = { scale = "log", min = 0.01, max = 3.0 }
""",
    "noisy_quadratic": """
dataset = "noisy_quadratic"
dataset_options = { dimension = 50 }
model = "noisy_quadratic"
algorithm = "momentum"
[goal]
metric = "val/loss"
value = 0.6
[budget]
steps = 80
[evaluation]
every = 4
[studies]
batch_sizes = [8, 64]
trials = 5
[search]
learning_rate = { scale = "log", min = 0.05, max = 2.0 }
momentum = { scale = "reverse_log", min = 0.5, max = 0.95 }
""",
}


@pytest.fixture(autouse=True)
def one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gang takes the networks of the one before it: tracing them takes most of the time."""
    kept = TracedStudies(Ranks())
    monkeypatch.setattr("hvdsweep.training.gang.TracedStudies", lambda ranks: kept)


def trained(folder: Path, name: str, stop: str, order: str, margin: float = 0.0):
    """The table of the workload after a gang of one rank has trained the sweep."""
    toml, path = folder / f"{name}.toml", folder / f"{name}-{stop}-{order}-{margin}.db"
    toml.write_text(SWEEPS[name] + (f'[training]\nstop = "beaten"\nmargin = {margin}\n' if margin else ""))
    plan = make_plan(load_sweep(toml, Overrides(stop=stop)))
    conn = connect(path, create=True)
    sweep = save_plan(conn, plan).sweep_id
    begin_run(conn, sweep, np=1, gangs=1, order=order)
    with TrialWriter(path, new_gang(conn, sweep, np=1)) as writer:
        commit = writer.commit

        def committing(update, *, claim, **more):
            reply = commit(update, claim=claim, **more)
            if claim and reply.claim is None and not reply.stop and not top_up(conn, sweep, plan):
                request_stop(conn, sweep)
            return reply

        writer.commit = committing
        Gang(Ranks(), writer).work()
    conn.close()
    with open_store(path) as reader:
        return reader.workload_table(reader.workloads()[0].name)


SMALL = {
    "small/simple_cnn": {"steps": 24, "batch_sizes": "64,256", "trials": 3, "goal": 0.5, "every": 2},
    "small/lstm": {"steps": 16, "batch_sizes": "32,128", "trials": 3, "goal": 3.6, "every": 4},
}
"""Presets of the two kinds of model, with budgets of seconds and goals that they reach in them, not always by the first trial."""


def tiny(folder: Path, name: str) -> Path:
    """A preset as a file with a goal and an evaluation spacing for a few steps."""
    text, wanted = catalogue.presets()[name].read_text(), SMALL[name]
    text = re.sub(r"(?m)^value = .*$", f"value = {wanted['goal']}", text)
    text = re.sub(r"(?m)^(every|count) = .*$", f"every = {wanted['every']}\nat_start = false", text)
    # Shorter sequences: tracing an LSTM takes most of the time.
    text = text.replace("length = 32", "length = 8")
    text = re.sub(r"(?m)^algorithms = .*$", 'algorithm = "nesterov_momentum"', text)
    file = folder / "tiny.toml"
    file.write_text(text)
    return file


def side_by_side(path: Path, plan, stop: str, order: str, gangs: int):
    """The table after so many gangs have trained the sweep, each in a thread; their calls into TensorFlow take turns."""
    conn = connect(path, create=True)
    sweep = save_plan(conn, plan).sweep_id
    begin_run(conn, sweep, np=1, gangs=gangs, order=order)
    ids = [new_gang(conn, sweep, np=1) for _ in range(gangs)]
    conn.close()
    turn = threading.Lock()

    def work(gang: int) -> None:
        with TrialWriter(path, gang) as writer, closing(connect(path)) as mine:
            commit = writer.commit

            def committing(update, *, claim, **more):
                reply = commit(update, claim=claim, **more)
                if claim and reply.claim is None and not reply.stop and not top_up(mine, sweep, plan):
                    left = mine.execute("SELECT 1 FROM trials WHERE status IN ('PENDING', 'RUNNING')")
                    if left.fetchone() is None:
                        request_stop(mine, sweep)
                return reply

            writer.commit = committing
            Gang(Ranks(), writer).work()

    run = loop.Loop.run

    def in_turn(self, *args, **more):
        with turn:
            return run(self, *args, **more)

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(gangs) as threads:
        patch.setattr(loop.Loop, "run", in_turn)
        if gangs > 1:
            patch.setattr("hvdsweep.training.gang.TracedStudies", TracedStudies)
        # Short calls, so that trials really run beside each other.
        patch.setattr("hvdsweep.training.study.MOST_STEPS_A_CALL", 4)
        for done in [threads.submit(work, gang) for gang in ids]:
            done.result()
    with open_store(path) as reader:
        return reader.workload_table(reader.workloads()[0].name)


def answers(table):
    result = steps_to_result(table)
    return [
        None if trial == NEVER else (int(steps), int(table.number[trial]))
        for steps, trial in zip(result.steps, result.trial, strict=True)
    ]


@pytest.mark.parametrize("name", SWEEPS)
def test_stopping_early_keeps_steps_to_the_goal(tmp_path: Path, name: str):
    """`budget` in plain order, `beaten` in plain order and by merit, and with a margin: one answer, ever fewer steps."""
    budget = trained(tmp_path, name, "budget", "plain")
    expected = answers(budget)
    assert None not in expected, "a sweep that answers nothing shows nothing"
    totals = []
    for order in ("plain", "merit"):
        table = trained(tmp_path, name, "beaten", order)
        assert answers(table) == expected
        assert (table.stop_reason == StopReason.BEATEN).any()
        totals.append(int(table.steps.sum()))
    assert max(totals) < int(budget.steps.sum())
    wide = trained(tmp_path, name, "beaten", "merit", margin=0.5)
    assert answers(wide) == expected
    for study, (steps, _) in enumerate(expected):
        mine = (wide.study == study) & (wide.stop_reason == StopReason.BEATEN)
        assert (wide.steps[mine] >= beaten_at(steps, 0.5)).all()


@pytest.mark.parametrize("name", SMALL)
def test_neither_order_nor_gangs_change_the_steps(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    """A convolutional and a language preset with tiny budgets: `budget` in plain order, `beaten` in plain order and by merit,
    with one gang and three side by side: the same steps to the goal for every batch size."""
    # Evaluations would take half of the time.
    monkeypatch.setitem(catalogue.PYTHON_SOURCE_TOKENS, "val", 2**12)
    file, wanted = tiny(tmp_path, name), SMALL[name]
    found = {}
    for stop, order, gangs in (
        ("budget", "plain", 1),
        ("beaten", "plain", 1),
        ("beaten", "merit", 1),
        ("beaten", "merit", 3),
    ):
        overrides = Overrides(wanted["trials"], wanted["batch_sizes"], wanted["steps"], stop)
        loaded = load_sweep(file, overrides)
        plan = make_plan(loaded)
        table = side_by_side(tmp_path / f"{stop}-{order}-{gangs}.db", plan, stop, order, gangs)
        found[stop, order, gangs] = answers(table)
    expected = found["budget", "plain", 1]
    assert None not in expected, "a sweep that answers nothing shows nothing"
    assert all(one == expected for one in found.values()), found
