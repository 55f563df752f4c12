"""Timing before the first layout of `--np auto`: what is timed, when it pays, and that the second launch needs none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from hvdsweep.launch.first_timing import MOST_SIZES, WORTH, wanted
from hvdsweep.layout import shapes_for
from hvdsweep.plan import make_plan
from hvdsweep.step_time import StepTimes
from hvdsweep.store.rows import ThroughputRow
from hvdsweep.sweep.load import load_sweep
from tests.launch.conftest import Store
from tests.limits import HANG_SECONDS
from tests.sweep.texts import edited

PROGRAM = Path(__file__).with_name("planted_launch.py")
SIZES = ("batch_sizes = [8, 64, 512]", 'batch_sizes = "2^3..2^9"')
LONG = ("steps = 2000", "steps = 1000000")
FEW = ("trials = 24", "trials = 2")


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(*changes: tuple[str, str]) -> Path:
        file = tmp_path / "sweep.toml"
        file.write_text(edited(*changes))
        return file

    return write


def speed(workload: str, batch_size: int, np: int) -> ThroughputRow:
    return ThroughputRow(0, 0.0, workload, batch_size, np, 1, None, 10, 1.0, 10.0, 10.0 * batch_size, "scale")


def test_a_few_batch_sizes_of_every_model_on_few_numbers_of_ranks(write: Callable[..., Path]) -> None:
    """Of seven batch sizes and two algorithms on 8 slots: four sizes, ends included, of one algorithm, on 1, 4 and 8 ranks."""
    found = wanted(make_plan(load_sweep(write(SIZES))), shapes_for(8), StepTimes([]), 1e9)
    assert [timing.np for timing in found] == [1, 4, 8]
    for timing in found:
        assert [case.batch_size for case in timing.cases] == [8, 32, 128, 512]
        assert len({case.workload for case in timing.cases}) == 1
        assert len(timing.cases) == MOST_SIZES


def test_what_is_known_is_not_timed_again(write: Callable[..., Path]) -> None:
    """A speed of the model on one rank leaves two ranks to be timed; speeds on both leave nothing."""
    plan, shapes = make_plan(load_sweep(write(SIZES))), shapes_for(2)
    name = plan.workloads[0].name
    one, two = speed(name, 64, 1), speed(name, 64, 2)
    assert [timing.np for timing in wanted(plan, shapes, StepTimes([one]), 1e9)] == [2]
    assert wanted(plan, shapes, StepTimes([one, two]), 1e9) == []


def test_timing_must_pay(write: Callable[..., Path]) -> None:
    """A sweep of a minute is not timed first; nor is one on a single slot, which has but one layout."""
    plan = make_plan(load_sweep(write(SIZES)))
    assert wanted(plan, shapes_for(2), StepTimes([]), 60.0) == []
    assert wanted(plan, shapes_for(2), StepTimes([]), WORTH * 62.0) != []
    assert wanted(plan, shapes_for(1), StepTimes([]), 1e9) == []


def run(file: Path, store: Store, **environment: str) -> Sequence[str]:
    """Notes of `--np auto --slots 2`, which must end well."""
    process = subprocess.run(
        [sys.executable, str(PROGRAM), str(store.path), str(file), "1", "2"],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        env={**os.environ, **environment},
    )
    assert process.returncode == 0, process.stderr
    events = [json.loads(line) for line in process.stdout.splitlines()]
    return [event["message"] for event in events if event["event"] == "note"]


def test_a_long_sweep_is_timed_once(write: Callable[..., Path], store: Store) -> None:
    """The first launch times both numbers of ranks, keeps the speeds, and lays out by them; the second times nothing."""
    file = write(LONG, FEW)
    notes = run(file, store, FAKE_TIMING="steep")
    # On a machine of one core a word about that comes first.
    assert any("timing steps on 1, 2 ranks first" in note for note in notes[:2])
    speeds = "SELECT np, batch_size FROM throughput WHERE source = 'scale' ORDER BY 1, 2"
    assert store.rows(speeds) == [(np, size) for np in (1, 2) for size in (8, 64, 512)]
    # The planted speed grows with the ranks, by more than trials side by side could make up for.
    assert any("1 gang of 2 ranks" in note for note in notes)
    file.write_text(file.read_text().replace("trials = 2", "trials = 3"))
    assert not any("timing" in note for note in run(file, store))


def test_a_timing_that_fails_is_a_note(write: Callable[..., Path], store: Store) -> None:
    """Ranks that die while they are timed: a note names the ranks, the sweep is trained all the same."""
    notes = run(write(LONG, FEW), store, FAKE_TIMING="crash 0")
    assert sum(note.startswith("Not timed on") for note in notes) == 2
    assert set(store.statuses()) == {"COMPLETE"}
    assert store.processes() == []
