"""The jobs of a batch folder on the Live screen, and the key that cancels them, with stand-ins for Slurm's programs."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.batch.cluster import StandIn
from tests.tui.conftest import FakeSource, pilot_of, screen_text, settle
from tests.tui.stores import snapshot_of
from tui.selection import Selection
from tui.widgets.table import Table

DIGITS = Selection(sweep=1)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """A scheduler on which shard 1 trains, shard 2 waits, and shard 3 has failed."""
    stand_in = StandIn(tmp_path / "slurm")
    stand_in.queue("77_1|RUNNING|2:03:04|node-17|None", "77_2|PENDING|4:00:00||Resources")
    monkeypatch.setenv("PATH", stand_in.path)
    return stand_in


@pytest.fixture
def source(trained: Path, tmp_path: Path) -> FakeSource:
    """The small store, as if it were what the shards of a batch folder hold."""
    folder = tmp_path / "digits.batch"
    (folder / "logs").mkdir(parents=True)
    record = {"name": "digits", "shards": 4, "jobs": [{"id": "77", "shards": "1-3", "offset": 0}]}
    (folder / "batch.json").write_text(json.dumps(record))
    (folder / "logs" / "0003.jobs").write_text("1000 77_3 start node-18 4 1 0\n1600 77_3 end 1\n")
    (folder / "logs" / "0003.log").write_text("error: the disk is full\n")
    return FakeSource(snapshot_of(trained), trained, path=folder)


@asynccontextmanager
async def watched(source: FakeSource, place: str = "live", **more: object) -> AsyncIterator[Pilot[None]]:
    """The interface once the scheduler has answered."""
    async with pilot_of(source, place=place, selection=DIGITS, **more) as pilot:
        await until(pilot, lambda: pilot.app.jobs.state is not None)
        yield pilot


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    """Let the interface work until something has come true."""
    for _ in range(20_000):
        if condition():
            break
        await pilot.pause(0.01)
    assert condition()
    await settle(pilot)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_screen(cluster: StandIn, source: FakeSource, golden, size) -> None:
    """One line a shard: what its job does, until when and where, why it waits, how it ended; one call of squeue for all."""
    async with watched(source, size=size) as pilot:
        assert screen_text(pilot) == golden
    assert len(cluster.asked("squeue")) == 1


async def test_a_job_is_cancelled_after_asking(cluster: StandIn, source: FakeSource) -> None:
    """`x` on a job, then `n`: nothing; `y`: that job alone, and the scheduler is asked again; of one that has ended nothing."""
    async with watched(source) as pilot:
        jobs = pilot.app.screen.query_one("#jobs", Table)
        await pilot.press("x")
        assert len(pilot.app.screen_stack) == 2
        jobs.focus()
        await pilot.press("down", "x")
        assert "Job 77_2, which trains shard 2." in screen_text(pilot)
        await pilot.press("n")
        await settle(pilot)
        assert cluster.asked("scancel") == []
        cluster.queue("77_1|RUNNING|2:03:04|node-17|None", "77_2|CANCELLED|4:00:00||None")
        await pilot.press("x", "y")
        await until(pilot, lambda: "■ cancelled" in screen_text(pilot))
        assert cluster.asked("scancel") == ["scancel 77_2"]
        await pilot.press("x")
        assert len(pilot.app.screen_stack) == 2


async def test_on_the_sweep_all_jobs_are_cancelled(cluster: StandIn, source: FakeSource) -> None:
    """`x` on Sweeps: those that wait or run, in one call; Slurm's words where it refuses."""
    cluster.answer("scancel", "echo 'scancel: error: Access denied' >&2; exit 1")
    async with watched(source, place="sweeps") as pilot:
        await pilot.press("x")
        assert "All 2 jobs of digits." in screen_text(pilot)
        await pilot.press("y")
        await until(pilot, lambda: "Access denied" in screen_text(pilot))
    assert cluster.asked("scancel") == ["scancel 77_1 77_2"]


async def test_a_scheduler_that_fails_is_named_and_one_that_hangs_blocks_nothing(
    cluster: StandIn, source: FakeSource, tmp_path: Path
) -> None:
    """squeue waits for a sign of the test: meanwhile the screen shows the sweep and answers keys. Then it fails: its words, and
    every shard all the same."""
    cluster.answer(
        "squeue", f"touch '{tmp_path}/asked'; read line <'{tmp_path}/sign'; echo 'no controller' >&2; exit 1"
    )
    os.mkfifo(tmp_path / "sign")
    async with pilot_of(source, place="live", selection=DIGITS) as pilot:
        await until(pilot, (tmp_path / "asked").exists)
        await pilot.press("colon")
        assert pilot.app.jobs.state is None
        assert "digits ● running" in screen_text(pilot)
        (tmp_path / "sign").write_text("go on\n")
        await until(pilot, lambda: pilot.app.jobs.state is not None)
        assert "squeue: no controller" in screen_text(pilot)
        assert [shard.state for shard in pilot.app.jobs.state.shards] == ["UNKNOWN"] * 4


async def test_without_slurm_the_folder_is_shown(
    source: FakeSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No sbatch on the path: no error; nothing is known of jobs, and none can be cancelled."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    async with watched(source) as pilot:
        pilot.app.screen.query_one("#jobs", Table).focus()
        await pilot.press("x")
        assert len(pilot.app.screen_stack) == 2
        assert "? unknown" in screen_text(pilot)
        assert "no Slurm on this machine" in screen_text(pilot)


@pytest.mark.parametrize("place", ["live", "sweeps"])
async def test_jobs_that_hvdsweep_did_not_submit_are_not_cancelled(source: FakeSource, place: str) -> None:
    """A folder without `batch.json`, for example of a PBS script: `x` names who can cancel its jobs."""
    (source.path / "batch.json").unlink()
    async with pilot_of(source, place=place, selection=DIGITS) as pilot:
        await until(pilot, lambda: bool(pilot.app.jobs.no_cancelling))
        await pilot.press("x")
        assert "cancel them with the scheduler's own" in screen_text(pilot)
