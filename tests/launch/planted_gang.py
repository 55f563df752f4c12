"""A gang without Horovod whose trials reach the goal at a step that their metaparameters plant; slow ones are cut short.

The best learning rate is PLANTED_BEST (default 0.1), whatever the batch size; steps grow with the distance from it. A trial
takes PLANTED_SECONDS (default 0).
"""

from __future__ import annotations

import math
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from hvdsweep.states import Status, StopReason
from hvdsweep.stopping import beaten_at
from hvdsweep.store.exchange import Claim, Final, TrialUpdate
from hvdsweep.store.writer import TrialWriter
from tests.launch import fake_gang

BEST = float(os.environ.get("PLANTED_BEST", "0.1"))


def goal_step(claim: Claim) -> int:
    """When the trial reaches the goal: 100 at the best learning rate of batch size 8, fewer for larger batches, and more
    with the distance from the best, in decades; small batches are the more sensitive."""
    batch_size = claim.definition["batch_size"]
    away = abs(math.log10(claim.metaparameters["learning_rate"] / BEST))
    noise = (claim.seed % 1000) / 1000 * 0.02
    return round(800 / batch_size * (1 + noise + away * 16 / batch_size))


def train(writer: TrialWriter, claim: Claim, ask: dict[str, float], attempts: int, trained: int) -> bool:
    """One trial in two commits; False where the gang was asked to stop between them."""
    steps, budget = goal_step(claim), claim.definition["steps"]
    metric, goal = claim.definition["goal"]["metric"], claim.definition["goal"]["value"]
    first = TrialUpdate(claim.trial_id, np.ones(1, np.float32), 1, measurements=[(1, {metric: goal + 0.5})])
    if writer.commit(first, claim=False).stop:
        writer.release(claim.trial_id)
        return False
    time.sleep(float(os.environ.get("PLANTED_SECONDS", "0")))
    end, reason = min(steps, budget), StopReason.BUDGET
    if claim.definition["stop"] == "beaten":
        best = writer.best_steps_to_goal(claim.study_id, metric, goal, claim.definition["goal"]["maximize"])
        limit = budget if best is None else beaten_at(best, claim.definition.get("margin", 0.0))
        if limit < end:
            end, reason = limit, StopReason.BEATEN
        elif steps <= budget:
            reason = StopReason.GOAL
    reached = [(end, {metric: goal / 2 if steps <= end else goal + 1 / steps})]
    final = Final(Status.COMPLETE, reason)
    losses = np.ones(end - 1, np.float32)
    writer.commit(TrialUpdate(claim.trial_id, losses, end, 2, reached, final), claim=False)
    return True


if __name__ == "__main__":
    fake_gang.train = train  # type: ignore[assignment]
    fake_gang.main()
