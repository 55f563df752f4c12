"""From *Save and launch*, or the demo's key, to the first loss: there is always something that says what happens."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hvdsweep.cli.options import trials_of
from hvdsweep.demo import PARTS, launch_arguments, sweep_file
from tests.tui.conftest import FakeSource, pilot_of, screen_text, settle
from tests.tui.stores import snapshot_of
from tui import launching
from tui.gang_rows import gang_columns
from tui.launching import Launched, pending
from tui.source import Trouble
from tui.widgets.columns import row_of

NO_DATABASE = Trouble("No database yet", "x.db does not exist.", gone=True)


async def test_one_key_starts_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a database D starts `hvdsweep demo` on this one; the key is gone then, and the process is named."""
    started = []

    def spawn(db, arguments, ended=None):
        started.append((db, arguments))
        return Launched(4711, tmp_path / "log")

    monkeypatch.setattr(launching, "spawn", spawn)
    async with pilot_of(FakeSource(NO_DATABASE, path=tmp_path / "x.db")) as pilot:
        assert "D to train the demo" in screen_text(pilot)
        await pilot.press("D")
        await settle(pilot)
        assert started == [(tmp_path / "x.db", ["demo"])]
        assert "digits starts as process 4711" in screen_text(pilot)
        assert "usually 10 to 45 s" in screen_text(pilot)
        assert not pilot.app.can_demo
        await pilot.press("D")
        await settle(pilot)
        assert len(started) == 1


async def test_the_demo_is_for_the_first_time_only(source: FakeSource) -> None:
    """Where there is a sweep the key does nothing."""
    async with pilot_of(source) as pilot:
        assert not pilot.app.can_demo


async def test_an_empty_database_is_no_longer_than_the_launch(trained: Path) -> None:
    """The database is there, the sweep not yet: Live and Sweeps say which process prepares it."""
    empty = dataclasses.replace(snapshot_of(trained), sweeps=(), workloads=(), gangs=(), events=())
    source = FakeSource(empty, trained)
    for place in ("live", "sweeps"):
        async with pilot_of(source, place=place) as pilot:
            pilot.app.pending = pending("mine", 4711)
            pilot.app.place.receive(again=True)
            await settle(pilot)
            assert "mine starts as process 4711" in screen_text(pilot)


def test_a_gang_that_starts_shows_its_stage(trained: Path) -> None:
    """In the place of what it trains: the stage, how long it took so far, how long a start takes; not after its first step."""
    snapshot = snapshot_of(trained)
    gang = dataclasses.replace(
        snapshot.gangs[0], state="STARTING", trial_id=None, workload=None, steps=None, stage="loading TensorFlow",
        started=snapshot.time - 4, usual_start_seconds=12.2,
    )  # fmt: skip
    columns = gang_columns(snapshot.time, {})
    cells = [str(cell) for cell in row_of(columns, 1, gang).cells]
    assert "loading TensorFlow, 4 s so far, usually 12 s" in cells
    stepped = dataclasses.replace(gang, first_step=snapshot.time - 1)
    assert not any("loading" in str(cell) for cell in row_of(columns, 1, stepped).cells)


def test_the_demo_can_be_planned() -> None:
    """Both parts are the same sweep, of files that are there: the second adds the batch sizes that the first leaves out."""
    from hvdsweep.plan import make_plan
    from hvdsweep.sweep.load import Overrides, load_sweep

    assert sweep_file().is_file()
    plans = []
    for part in PARTS:
        asked = launch_arguments(part)
        plans.append(
            make_plan(
                load_sweep(
                    asked["workloads"][0],
                    Overrides(
                        trials=trials_of(asked["trials"]),
                        batch_sizes=asked["batch_sizes"],
                        stop=asked["stop"],
                    ),
                )
            )
        )
    assert plans[0].key == plans[1].key
    sizes = [
        {study.batch_size for workload in plan.workloads for study in workload.studies} for plan in plans
    ]
    assert sizes[0] < sizes[1]
    assert [part.np for part in PARTS] == [1, 2]
