"""Real training: the same steps to the goal, by the same trial, under the full budget and under every order of stopping early."""

from __future__ import annotations

from pathlib import Path

import pytest

from hvdsweep.curves import NEVER, steps_to_result
from hvdsweep.plan import make_plan
from hvdsweep.states import StopReason
from hvdsweep.stopping import beaten_at
from hvdsweep.store import TrialWriter, begin_run, connect, request_stop, save_plan, top_up
from hvdsweep.store.reader import open_reader
from hvdsweep.store.runs import new_gang
from hvdsweep.sweep import Overrides, load_sweep
from hvdsweep.training.gang import Gang
from hvdsweep.training.ranks import Ranks

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
    with open_reader(path) as reader:
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
