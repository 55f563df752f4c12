"""Stopping trials early, their order and the number of gangs change no answer, in sweeps as `hvdsweep launch` trains them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hvdsweep.curves import steps_to_result
from hvdsweep.opening import open_store
from hvdsweep.plan import make_plan
from hvdsweep.sweep.load import Overrides, load_sweep
from tests.limits import HANG_SECONDS

pytestmark = [
    pytest.mark.horovod,
    pytest.mark.skipif(
        not os.environ.get("HVDSWEEP_SLOW_TESTS"), reason="minutes; set HVDSWEEP_SLOW_TESTS=1 to run it"
    ),
]

SWEEPS = {
    str(Path(__file__).parents[2] / "examples" / "digits.toml"): ("2^2..2^10", 8),
    "small/noisy_quadratic": ("4,16,64,256", 8),
    "small/simple_cnn": ("16,64,256", 6),
    "small/transformer": ("64,256", 4),
}
"""Batch sizes and trials of each."""
WAYS = {
    "budget, plain": ("--stop", "budget", "--order", "plain"),
    "beaten, plain": ("--stop", "beaten", "--order", "plain"),
    "beaten, merit": ("--stop", "beaten", "--order", "merit"),
    "beaten, merit, three gangs": ("--stop", "beaten", "--order", "merit", "--gangs", "3"),
}


def trained(name: str, way: str, db: Path):
    """(workload, batch size, steps to the goal, number of the best trial), and the steps that were trained."""
    sizes, trials = SWEEPS[name]
    program = str(Path(sys.executable).with_name("hvdsweep"))
    # One thread in every way: other numbers of threads round differently, which may carry an error across the goal.
    limits = ("--threads", "1", "--batch-sizes", sizes, "--trials", str(trials))
    ran = subprocess.run(
        [program, "launch", "--np", "1", "--db", str(db), *limits, *WAYS[way], name],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    found, steps = [], 0
    with open_store(db) as reader:
        for workload in make_plan(load_sweep(name, Overrides(trials, sizes))).workloads:
            table = reader.workload_table(workload.name)
            result = steps_to_result(table)
            steps += int(table.steps.sum())
            found += [
                (workload.name, int(size), int(result.steps[place]), int(table.number[result.trial[place]]))
                for place, size in enumerate(table.batch_sizes)
                if result.trial[place] >= 0
            ]
    return found, steps


@pytest.mark.parametrize("name", SWEEPS, ids=[Path(name).stem for name in SWEEPS])
def test_one_answer_however_it_is_trained(tmp_path: Path, name: str):
    """The full budget in plain order, and `beaten` in plain order, by merit, and by merit with three gangs at a time: the same
    trial reaches the goal in the same steps at every batch size, in fewer steps altogether."""
    expected, full = trained(name, "budget, plain", tmp_path / "budget.db")
    assert expected, "a sweep that answers nothing shows nothing"
    for number, way in enumerate(WAYS):
        if way != "budget, plain":
            found, steps = trained(name, way, tmp_path / f"{number}.db")
            assert found == expected, way
            assert steps < full, way
