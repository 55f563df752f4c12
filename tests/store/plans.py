"""Plans made by hand, as simple as the store allows, and a gang that trains them by drawing numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hvdsweep.repeats import repeat_number
from hvdsweep.states import Status, StopReason
from hvdsweep.store.connection import connect
from hvdsweep.store.exchange import Claim, Final, TrialUpdate
from hvdsweep.store.lifecycle import begin_run, end_run, new_gang
from hvdsweep.store.plans import save_plan
from hvdsweep.store.writer import TrialWriter
from tests.plans import GOAL, FixedStudy, Plan, Trial, Workload

from .trained import train_claims


@dataclass(frozen=True)
class Study(FixedStudy):
    batch_size: int
    target_trials: int = 3
    max_trials: int = 6
    steps: int = 40
    seed: int = 1
    search: Mapping[str, Any] = field(
        default_factory=lambda: {"learning_rate": {"scale": "log", "min": 0.001, "max": 1.0}}
    )
    goal: Mapping[str, Any] = field(default_factory=lambda: GOAL)
    repeats: int = 0

    @property
    def definition(self) -> Mapping[str, Any]:
        return {"workload": "w", "batch_size": self.batch_size, "steps": self.steps, "goal": self.goal}

    @property
    def trials(self) -> Sequence[Trial]:
        return self.trial_range(0, self.target_trials)

    def trial_range(self, start: int, count: int) -> Sequence[Trial]:
        return [
            Trial(
                n,
                f"{self.batch_size}/{self.steps}/{n}",
                100 + n,
                {"learning_rate": 10.0 ** -(n % 4), "momentum": n / 10},
            )
            for n in range(start, start + count)
        ]

    def repeat(self, trial: int, index: int, metaparameters: Mapping[str, float]) -> Trial:
        number = repeat_number(trial, index)
        return Trial(
            number, f"{self.batch_size}/{self.steps}/{number}", 1000 + 10 * trial + index, metaparameters
        )


def plan(batch_sizes: Sequence[int] = (8, 16), trials: int = 3, **changes: Any) -> Plan:
    """One workload with these studies."""
    studies = {
        name: changes.pop(name) for name in ("max_trials", "steps", "goal", "repeats") if name in changes
    }
    return Plan([Workload([Study(size, trials, **studies) for size in batch_sizes])], **changes)


def gang(path: Path, sweep_id: int = 1) -> TrialWriter:
    """A new gang of the sweep, and its writer."""
    conn = connect(path)
    gang_id = new_gang(conn, sweep_id, np=2)
    conn.close()
    return TrialWriter(path, gang_id)


def outcome(claim: Claim, status: Status = Status.COMPLETE) -> TrialUpdate:
    """A whole trial, its numbers drawn from its seed and batch size: losses, and an evaluation every 4 steps."""
    random = np.random.default_rng([claim.seed, claim.definition["batch_size"]])
    steps = claim.definition["steps"]
    measurements = [
        (step, {"val/error": float(random.random()), "val/accuracy": float(random.random())})
        for step in range(0, steps + 1, 4)
    ]
    reason = StopReason.BUDGET if status is Status.COMPLETE else StopReason.DIVERGED
    losses = random.random(steps, np.float32)
    return TrialUpdate(
        claim.trial_id,
        losses,
        steps,
        measurements=measurements,
        final=Final(status, reason, train_seconds=2.0),
    )


def train_all(path: Path, sweep_id: int = 1, diverging: Sequence[int] = ()) -> dict[int, TrialUpdate]:
    """Train the whole sweep with one gang; trials of the numbers `diverging` diverge. Returns what was written."""
    conn = connect(path)
    begin_run(conn, sweep_id, np=2, gangs=1, versions={"hvdsweep": "1"})
    gang_id = new_gang(conn, sweep_id, np=2)
    conn.close()
    written = train_claims(
        path,
        gang_id,
        lambda claim, place: outcome(
            claim, Status.INFEASIBLE if claim.number in diverging else Status.COMPLETE
        ),
    )
    conn = connect(path)
    end_run(conn, sweep_id, "DONE")
    conn.close()
    return written


def small_store(path: Path, **changes: Any) -> int:
    """A store with one saved plan; the sweep's id."""
    conn = connect(path, create=True)
    saved = save_plan(conn, plan(**changes))
    conn.close()
    return saved.sweep_id
