"""docs/design.md shows how to add things: every example is applied to a copy of the code as it is printed, and works there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tui.stores import small_store

ROOT = Path(__file__).parents[1]
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")

PROGRAM = '''
import asyncio, sys
from pathlib import Path
import numpy as np
from click.testing import CliRunner
from textual.widgets import Static

db = sys.argv[1]
SWEEP = """
dataset = "breast_cancer"
model = "fc_16"
algorithms = ["sgd", "signum"]
goal = { metric = "val/top_5_error", value = 0.1 }
budget = { steps = 10 }
studies = { batch_sizes = [8], trials = 2 }
[search]
learning_rate = { scale = "log", min = 1e-2, max = 1.0 }
momentum = 0.5
decoupled_weight_decay = 0.5
"""
# The sweep file takes all of them.
from hvdsweep.plan import make_plan
from hvdsweep.sweep.load import load_sweep
from hvdsweep.sweep.reference import reference
open("new.toml", "w").write(SWEEP)
plan = make_plan(load_sweep("new.toml"))
assert [workload.name for workload in plan.workloads] == ["breast_cancer/fc_16/sgd", "breast_cancer/fc_16/signum"]
assert all(study.trial(0).metaparameters["decoupled_weight_decay"] == 0.5 for study in plan.studies)
assert plan.workloads[0].train_examples == 419
assert "| `decoupled_weight_decay` |" in reference()

# Training computes them.
from hvdsweep.training.algorithms import descend
from hvdsweep.training.step import DEFAULTS, OPTIONAL
from workloads.datasets import load_dataset
from workloads.tasks import task
weight, gradient = np.array([2.0, -1.0]), np.array([1.0, -3.0])
new, _ = descend("sgd", weight, None, gradient, 0.1, {"decoupled_weight_decay": 0.5})
assert np.allclose(new, weight - 0.1 * gradient - 0.1 * 0.5 * weight)
assert DEFAULTS["decoupled_weight_decay"] == 0.0 and "decoupled_weight_decay" in OPTIONAL
new, velocity = descend("signum", weight, np.array([0.0, 8.0]), gradient, 0.1, {"momentum": 0.5})
assert np.allclose(velocity, [1.0, 1.0]) and np.allclose(new, weight - 0.1)
logits = np.random.default_rng(1).normal(size=(50, 10)).astype(np.float32)
labels = np.arange(50, dtype=np.int32) % 10
missed = [label not in np.argsort(-row)[:5] for row, label in zip(logits, labels)]
sums, weights = task("classification").metrics(logits, labels)["top_5_error"]
assert np.array_equal(sums, np.array(missed, np.float32)) and 0 < sum(missed) < 50 == np.sum(weights)
data = load_dataset("breast_cancer")
assert [len(split) for split in data.splits.values()] == [419, 75, 75]
assert data.train.features.shape == (419, 30) and set(data.test.labels) == {0, 1}

# The command lists the gangs of the database, the screen those that live.
from hvdsweep.cli import group
done = CliRunner().invoke(group, ["gangs", "--db", db])
assert done.exit_code == 0 and done.output.startswith("gang 1: "), done.output

from tui.app import HvdsweepApp
from tui.source import StoreSource
async def look():
    app = HvdsweepApp(StoreSource(Path(db)).start(), place="sweeps")
    async with app.run_test(size=(100, 30)) as pilot:
        for _ in range(600):
            await pilot.press("7")
            if app.snapshot is not None and app.screen.query("#gangs"):
                break
            await pilot.pause(0.05)
        await pilot.pause()
        return str(app.screen.query_one("#gangs", Static).content)
shown = asyncio.run(look())
assert shown.splitlines() == [line for line in done.output.splitlines() if "STOPPED" not in line], shown
print("every example works")
'''


def edits() -> list[tuple[str, str, str]]:
    """(file, old text, new text) of every example; a new file has no old text."""
    found = []
    for block in re.findall(r"```diff\n(.*?)```", DESIGN, re.DOTALL):
        first, *lines = block.splitlines()
        old = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "+")
        new = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "-")
        found.append((first[4:], old, new))
    return found


@pytest.mark.parametrize(
    ("file", "old", "new"), edits(), ids=lambda text: text.strip().splitlines()[0][:40] if text else ""
)
def test_every_example_finds_its_place(file: str, old: str, new: str) -> None:
    """The place of each change occurs exactly once in its file; a new file does not exist yet."""
    assert old != new
    if old:
        assert (ROOT / file).read_text(encoding="utf-8").count(old) == 1, f"{file}:\n{old}"
    else:
        assert not (ROOT / file).exists()


def test_what_is_added_works(tmp_path: Path) -> None:
    """All examples together: a sweep file takes them, training computes them, command and screen show what they should."""
    for package in ("hvdsweep", "workloads", "tui"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file, old, new in edits():
        target = tmp_path / file
        target.write_text(
            target.read_text(encoding="utf-8").replace(old, new, 1) if old else new, encoding="utf-8"
        )
    small_store(tmp_path / "gangs.db")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "gangs.db")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "every example works\n"
