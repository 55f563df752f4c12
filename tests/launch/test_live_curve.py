"""What stands under the bars of `launch`: gangs that start, and the curve as it is so far."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from hvdsweep.launch.events import GangEvent, ProgressEvent, StageEvent, StudyProgress, SweepEvent
from hvdsweep.launch.live_curve import LEAST_SECONDS, LiveCurve, short_names
from hvdsweep.launch.progress import ProgressBars, ProgressLines
from hvdsweep.launch.starting import Starting
from hvdsweep.states import Status, StopReason
from hvdsweep.store.connection import connect
from hvdsweep.store.exchange import Final, TrialUpdate
from hvdsweep.store.lifecycle import new_gang
from hvdsweep.store.plans import save_plan
from hvdsweep.store.writer import TrialWriter
from tests.launch.test_progress import texts_of
from tests.store.plans import plan


class Terminal(io.StringIO):
    """A terminal of UTF-8, as far as rich looks."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def stage(gang: int, words: str | None, seconds: float = 0.0, usual: float | None = None) -> StageEvent:
    return StageEvent(sweep=1, gang=gang, stage=words, seconds=seconds, usual_seconds=usual)


def progress() -> ProgressEvent:
    study = StudyProgress(
        workload="a/b/c", batch_size=2, target=1, done=0, infeasible=0, set_aside=0, running=1, pending=0,
        fraction=0.0, eta_seconds=None,
    )  # fmt: skip
    return ProgressEvent(sweep=1, done=0, target=1, fraction=0.0, eta_seconds=None, gangs=1, studies=[study])


def train(path: Path, steps_to_goal: dict[int, int]) -> None:
    """One trial per batch size; each reaches its study's goal after so many steps, 0: never."""
    conn = connect(path, create=True)
    save_plan(conn, plan(batch_sizes=tuple(steps_to_goal), trials=1))
    with TrialWriter(path, new_gang(conn, 1, np=1)) as writer:
        while claim := writer.commit(None, claim=True).claim:
            goal = claim.definition["goal"]
            reached = steps_to_goal[claim.definition["batch_size"]]
            worse, better = goal["value"] + 0.1, goal["value"] - 0.1
            values = [
                (step, {goal["metric"]: better if reached and step >= reached else worse})
                for step in range(41)
            ]
            final = Final(Status.COMPLETE, StopReason.BUDGET)
            writer.commit(
                TrialUpdate(claim.trial_id, np.ones(40, np.float32), 40, 1, values, final), claim=False
            )
    conn.close()


def test_the_curve_has_a_point_for_every_batch_size_that_reached_the_goal(tmp_path: Path) -> None:
    """Three batch sizes, one of which never reached it: two points, with their batch sizes on the axis."""
    train(tmp_path / "s.db", {2: 32, 4: 16, 8: 0})
    curve = LiveCurve(tmp_path / "s.db", 1)
    canvas = curve.canvas(80, 14)
    assert canvas is not None
    assert (canvas.width, canvas.height) == (80, 14)
    assert curve.points == 2
    assert "steps to the goal" in canvas.plain()
    curve.close()


def test_there_is_no_chart_without_a_point_room_or_store(tmp_path: Path) -> None:
    """Nothing reached the goal; a terminal of a few cells; a database that is gone: nothing, and no error."""
    train(tmp_path / "s.db", {2: 0})
    assert LiveCurve(tmp_path / "s.db", 1).canvas(80, 12) is None
    train(tmp_path / "t.db", {2: 5})
    assert LiveCurve(tmp_path / "t.db", 1).canvas(20, 12) is None
    assert LiveCurve(tmp_path / "t.db", 1).canvas(80, 3) is None
    assert LiveCurve(tmp_path / "none.db", 1).canvas(80, 12) is None


def test_the_store_is_asked_once_a_second_at_most(tmp_path: Path) -> None:
    """In between the same chart is drawn, at any size: a resized terminal costs no question."""
    now = [0.0]
    train(tmp_path / "s.db", {2: 8})
    curve = LiveCurve(tmp_path / "s.db", 1, clock=lambda: now[0])
    assert curve.canvas(80, 12) is not None
    curve._read = lambda: pytest.fail("asked again")  # type: ignore[method-assign]
    now[0] = LEAST_SECONDS - 0.01
    smaller = curve.canvas(40, 8)
    assert smaller is not None
    assert (smaller.width, smaller.height) == (40, 8)
    asked = []
    curve._read = lambda: asked.append(1)  # type: ignore[method-assign, assignment, return-value]
    now[0] = LEAST_SECONDS
    curve.canvas(80, 12)
    assert asked == [1]


@pytest.mark.parametrize("curve", [True, False])
@pytest.mark.parametrize("width", [40, 80])
def test_the_curve_stands_under_the_bars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, curve: bool, width: int
) -> None:
    """On a terminal, unless --no-curve; in no more columns than there are."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("TERM", "xterm")
    train(tmp_path / "s.db", {2: 32, 4: 16})
    out = Terminal()
    report = ProgressBars(out, curve=curve)
    sweep = SweepEvent(
        sweep=1, name="s", file=None, store=str(tmp_path / "s.db"), outcome="created", message="new", trials=1,
        done=0, new=1, adopted=0, withdrawn=0, changed=[],
    )  # fmt: skip
    for event in (sweep, progress()):
        report(event)
    assert ("steps to the goal" in out.getvalue()) is curve
    report.close()


def test_a_resized_terminal_is_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change of size the bars are drawn on an empty screen, once; without one nothing is cleared."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    report = ProgressBars(out)
    report(progress())
    report(progress())
    assert "\x1b[2J" not in out.getvalue()
    report._console.size = (50, 20)
    report(progress())
    report(progress())
    before, _, after = out.getvalue().partition("\x1b[2J")
    assert "all studies" in before
    assert "all studies" in after
    assert "\x1b[2J" not in after
    report.close()


def test_gangs_that_start_are_named_with_their_stage() -> None:
    """Gangs at the same stage share a line; how long it took so far and usually takes; gone with the first step."""
    now = [100.0]
    starting = Starting(clock=lambda: now[0])
    starting.note(stage(1, "loading TensorFlow", 3.0, 11.6))
    starting.note(stage(2, "loading TensorFlow", 3.0, 11.6))
    starting.note(stage(3, "starting horovodrun"))
    now[0] = 101.0
    assert starting.lines() == [
        "gangs 1 and 2 start: loading TensorFlow, 4 s so far, usually 12 s",
        "gang 3 starts: starting horovodrun, 1 s so far, usually 10 to 45 s",
    ]
    starting.note(stage(1, None))
    starting.note(GangEvent(sweep=1, gang=3, state="DEAD", pid=1, logs="l"))
    assert starting.lines() == ["gang 2 starts: loading TensorFlow, 4 s so far, usually 12 s"]


def test_plain_lines_follow_the_first_gang_only() -> None:
    """Eight gangs go through the same stages: one of them is reported."""
    out = io.StringIO()
    report = ProgressLines(out)
    for gang, words, usual in (
        (1, "loading TensorFlow", None),
        (2, "compiling", None),
        (1, "compiling", 12.0),
    ):
        report(stage(gang, words, usual=usual))
    report(stage(1, None))
    assert texts_of(out) == [
        "gang 1: loading TensorFlow (from start to first step: usually 10 to 45 s)",
        "gang 1: compiling (from start to first step: usually 12 s)",
    ]


def test_names_are_shortened_to_what_differs() -> None:
    """Shared leading parts go; a single workload keeps its name."""
    assert short_names(["digits/fc/sgd", "digits/fc/momentum"]) == ["sgd", "momentum"]
    assert short_names(["digits/fc/sgd", "mnist/fc/sgd"]) == ["digits/fc/sgd", "mnist/fc/sgd"]
    assert short_names(["digits/fc/sgd"]) == ["digits/fc/sgd"]
