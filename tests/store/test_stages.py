"""The stages of a gang's start, and how long a start usually takes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from hvdsweep.opening import open_store
from hvdsweep.store.connection import connect
from hvdsweep.store.lifecycle import gang_state, new_gang
from hvdsweep.store.stages import COMPILING, HOROVODRUN, TENSORFLOW, Stages, usual_seconds, usually

from .plans import small_store


@pytest.fixture
def conn(path: Path) -> sqlite3.Connection:
    small_store(path, batch_sizes=(2,), trials=1)
    return connect(path)


def gang_of(path: Path, gang: int) -> tuple[str | None, bool]:
    with open_store(path) as reader:
        (row,) = [row for row in reader.gangs() if row.id == gang]
        return row.stage, row.first_step is not None


def test_stages_are_seen_until_the_first_step(path: Path, conn: sqlite3.Connection) -> None:
    """Each stage replaces the previous one; after the first step there is none, and later calls change nothing."""
    gang = new_gang(conn, 1, np=1, stage=HOROVODRUN)
    assert gang_of(path, gang) == (HOROVODRUN, False)
    stages = Stages(path, gang)
    for stage in (TENSORFLOW, COMPILING):
        stages(stage)
        assert gang_of(path, gang) == (stage, False)
    stages.first_step()
    assert gang_of(path, gang) == (None, True)
    stages(COMPILING)
    assert gang_of(path, gang) == (None, True)


def test_other_ranks_write_nothing(path: Path, conn: sqlite3.Connection) -> None:
    """Only rank 0 has the store's file on its machine for sure."""
    gang = new_gang(conn, 1, np=2, stage=HOROVODRUN)
    stages = Stages(path, gang, active=False)
    stages(COMPILING)
    stages.first_step()
    assert gang_of(path, gang) == (HOROVODRUN, False)


def test_a_store_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    """Training does not depend on the stages shown to users."""
    Stages(tmp_path / "no" / "such.db", 1)(TENSORFLOW)


def test_a_gang_that_ended_is_at_no_stage(path: Path, conn: sqlite3.Connection) -> None:
    """A gang that died while starting is not shown as starting."""
    gang = new_gang(conn, 1, np=1, stage=TENSORFLOW)
    gang_state(conn, gang, "DEAD")
    assert gang_of(path, gang) == (None, False)


def test_the_usual_time_is_the_median_of_as_many_ranks(path: Path, conn: sqlite3.Connection) -> None:
    """Gangs that never made a step, and those of other sizes, do not count; nothing known gives the documented range."""
    assert usual_seconds(conn, 1) is None
    for np, seconds in ((1, 10.0), (1, 50.0), (1, 12.0), (1, None), (2, 100.0)):
        gang = new_gang(conn, 1, np=np)
        if seconds is not None:
            conn.execute("UPDATE gangs SET first_step = started + ? WHERE id = ?", (seconds, gang))
    assert usual_seconds(conn, 1) == pytest.approx(12.0, abs=1e-3)
    assert usual_seconds(conn, 2) == pytest.approx(100.0, abs=1e-3)
    assert usual_seconds(conn, 3) is None
    assert (usually(11.6), usually(None)) == ("usually 12 s", "usually 10 to 45 s")


def test_a_store_of_an_older_version_is_read(path: Path, conn: sqlite3.Connection) -> None:
    """A reader cannot migrate: without the columns a gang has no stage."""
    new_gang(conn, 1, np=1, stage=TENSORFLOW)
    for column in ("stage", "first_step"):
        conn.execute(f"ALTER TABLE gangs DROP COLUMN {column}")
    conn.execute("PRAGMA user_version = 2")
    with open_store(path) as reader:
        assert [(gang.stage, gang.first_step) for gang in reader.gangs()] == [(None, None)]
