"""How many jobs a sweep is split into, and how often a watcher asks for them."""

from __future__ import annotations

import pytest

from hvdsweep.batch import status
from hvdsweep.batch.submit import UNLIMITED_JOB_SECONDS, shards_for
from hvdsweep.plan import make_plan
from hvdsweep.sweep.load import Overrides, load_sweep

HOUR = 3600


@pytest.mark.parametrize(
    ("hours", "gangs", "job_seconds", "shards"),
    [
        (8.0, 1, 2 * HOUR, 8),
        (8.1, 1, 2 * HOUR, 9),
        (8.0, 2, 2 * HOUR, 4),
        (8.0, 1, 16 * HOUR, 1),
        (0.0, 4, HOUR, 1),
        (1e6, 1, HOUR, 12),
        (8.0, 1, None, 8 * 2 * HOUR // UNLIMITED_JOB_SECONDS),
    ],
)
def test_shards_fill_half_of_each_job(hours: float, gangs: int, job_seconds: int | None, shards: int) -> None:
    """At least one, and at most as many as the study with the fewest trials has: each has all batch sizes."""
    plan = make_plan(load_sweep("small/fc", Overrides(batch_sizes="8,16", trials={"8": 12, "16": 20})))
    assert shards_for(plan, hours, gangs, job_seconds) == shards


def test_watchers_do_not_all_ask_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time between two looks differs by up to JITTER either way."""
    drawn: list[tuple[float, float]] = []
    monkeypatch.setattr(status.random, "uniform", lambda low, high: drawn.append((low, high)) or high)
    assert status.rest_seconds() == pytest.approx(status.WATCH_SECONDS * (1 + status.JITTER))
    assert drawn == [(1 - status.JITTER, 1 + status.JITTER)]
    monkeypatch.undo()
    rests = {status.rest_seconds() for _ in range(100)}
    assert len(rests) > 90
    assert max(abs(rest / status.WATCH_SECONDS - 1) for rest in rests) <= status.JITTER
