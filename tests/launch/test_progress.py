"""What a person, a log file and a program get to see of a run."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from typing import Any

import pytest

from hvdsweep.launch.events import (
    EndEvent,
    Event,
    GangEvent,
    NoteEvent,
    PlanEvent,
    ProgressEvent,
    StudyProgress,
    SweepEvent,
    TrialEvent,
)
from hvdsweep.launch.progress import JsonLines, ProgressBars, ProgressLines, reporter, sentence

SWEEP = SweepEvent(
    sweep=1,
    name="n",
    file=None,
    store="/s.db",
    outcome="created",
    message="sweep 1 (n): new, 4 trials",
    trials=4,
    done=0,
    new=4,
    adopted=0,
    withdrawn=0,
    changed=[],
)
PLAN = PlanEvent(sweep=1, np=2, gangs=1, hosts=["localhost:2"], threads=1, studies=[])


def trial(status: str, **changes: Any) -> TrialEvent:
    fields: dict[str, Any] = {
        "sweep": 1,
        "trial": 5,
        "workload": "w",
        "batch_size": 8,
        "number": 3,
        "stop_reason": None,
        "steps": 0,
        "seconds": None,
        "attempts": 0,
        "message": None,
    }
    return TrialEvent(status=status, **{**fields, **changes})


def progress(
    done: int, running: int = 1, pending: int = 1, batch_size: int = 8, **changes: Any
) -> ProgressEvent:
    study = StudyProgress(
        workload="w",
        batch_size=batch_size,
        target=4,
        done=done,
        infeasible=1,
        set_aside=0,
        running=running,
        pending=pending,
        fraction=done / 4,
        eta_seconds=65.0,
    )
    return ProgressEvent(
        sweep=1, done=done, target=4, fraction=done / 4, eta_seconds=65.0, gangs=1, studies=[study], **changes
    )


def end(**changes: Any) -> EndEvent:
    fields: dict[str, Any] = {
        "sweep": 1,
        "state": "DONE",
        "exit_code": 0,
        "message": "every study has its trials",
        "seconds": 83.0,
        "done": 4,
        "target": 4,
        "infeasible": 1,
        "set_aside": [],
    }
    return EndEvent(**{**fields, **changes})


def lines(*events: Event, clock: list[float] | None = None) -> list[str]:
    out = io.StringIO()
    now = clock or [0.0]
    report = ProgressLines(out, clock=lambda: now[0])
    for event in events:
        report(event)
    return texts_of(out)


def texts_of(out: io.StringIO) -> list[str]:
    """Lines without times; the first of a day begins with the date, since a job's log takes the runs of several days."""
    lines = out.getvalue().splitlines()
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", lines[0])
    return [re.sub(r"^([\d-]{10} )?[\d:]{8} ", "", line) for line in lines]


@pytest.mark.parametrize(
    "event",
    [
        SWEEP,
        PLAN,
        trial("COMPLETE"),
        progress(1),
        end(),
        NoteEvent(level="info", message="ä"),
        GangEvent(sweep=1, gang=2, state="READY", pid=7, logs="/l"),
    ],
)
def test_every_event_is_one_line_of_json(event: Event) -> None:
    """Name, time and all fields, on one line that any JSON reader takes."""
    out = io.StringIO()
    JsonLines(out)(event)
    assert out.getvalue().count("\n") == 1
    record = json.loads(out.getvalue())
    assert record["event"] == event.event
    assert set(record) == {"event", *(field for field in event.__dataclass_fields__ if field != "event")}


def test_plain_lines_report_changes_of_state() -> None:
    """Starts, failures and the end are lines; trials that end normally are not."""
    said = lines(
        SWEEP,
        PLAN,
        trial("COMPLETE"),
        trial("INFEASIBLE"),
        trial("PENDING", attempts=1),
        trial("INCOMPLETE", attempts=3, message="rank 0: exit code 1\nboom"),
        end(exit_code=1),
    )
    assert said[0] == "sweep 1 (n): new, 4 trials"
    assert said[1].startswith("1 gang of 2 ranks, 1 thread per rank;")
    assert said[2] == "w, batch size 8, trial 3 goes back to the queue (failed attempts: 1)"
    assert said[3] == "w, batch size 8, trial 3 given up after 3 failed attempts: rank 0: exit code 1"


def test_the_same_error_is_reported_once() -> None:
    """A model that cannot be built sets every trial aside for the same reason: one line, not one per trial."""
    said = lines(
        *(trial("INCOMPLETE", number=i, message="no such layer") for i in range(5)),
        trial("INCOMPLETE", message="other"),
    )
    assert said == [
        "w, batch size 8, trial 0 given up: no such layer",
        "w, batch size 8, trial 3 given up: other",
    ]


def test_plain_progress_is_not_repeated() -> None:
    """A changed progress at most every 5 s, after an hour every minute as an unchanged one; a finished study at once."""
    now = [0.0]
    out = io.StringIO()
    report = ProgressLines(out, clock=lambda: now[0])
    for second in range(130):
        now[0] = float(second)
        report(progress(min(3, second // 4)))
    report(progress(4, running=0, pending=0))
    said = texts_of(out)
    assert said[:3] == [
        "0 of 4 trials (0 %), about 1 min 05 s left; w, batch size 8: 0 of 4, 1 diverged",
        "1 of 4 trials (25 %), about 1 min 05 s left; w, batch size 8: 1 of 4, 1 diverged",
        "2 of 4 trials (50 %), about 1 min 05 s left; w, batch size 8: 2 of 4, 1 diverged",
    ]
    assert len(said) == 4 + 1 + 2
    assert said[-2] == "w, batch size 8: 4 of 4, 1 diverged"
    assert said[-1].startswith("4 of 4 trials (100 %)")
    for second in range(3600, 3720):
        now[0] = float(second)
        report(progress(second % 3))
    assert len(texts_of(out)) == len(said) + 2


def test_the_end_groups_equal_failures() -> None:
    """Seven trials with the same error are one entry; of their names only some are listed."""
    aside = [
        {"trial": i, "workload": "w", "batch_size": 8, "number": i, "message": "same\nwords"}
        for i in range(7)
    ]
    said = "\n".join(lines(end(exit_code=1, state="FAILED", set_aside=aside)))
    assert said.count("same") == 1
    assert "w 8 #0, w 8 #1, w 8 #2, w 8 #3, w 8 #4, w 8 #5 and 1 more" in said


def test_a_closed_pipe_does_not_end_a_run() -> None:
    """Once the pipe is closed the reporter stops writing instead of raising."""

    class Closed(io.StringIO):
        written = 0

        def write(self, text: str) -> int:
            self.written += 1
            raise BrokenPipeError

    for kind in (JsonLines, ProgressLines, ProgressBars):
        stream = Closed()
        report = kind(stream)
        for _ in range(3):
            report(SWEEP)
            report(progress(1))
        report.close()
        assert stream.written <= 1


def test_bars_show_what_is_trained() -> None:
    """The bars name sweep and study with numbers and times; the end of the run is a sentence below them."""
    out = io.StringIO()
    report = ProgressBars(out)
    for event in (SWEEP, PLAN, progress(1), trial("COMPLETE"), progress(2), end()):
        report(event)
    report.close()
    said = out.getvalue()
    assert "all studies" in said
    assert "1 min 05 s left" in said
    assert said.rstrip().endswith(
        "sweep 1 DONE: 4 of 4 trials done, 1 more diverged, 1 min 23 s: every study has its trials"
    )


def test_the_reporter_fits_the_stream() -> None:
    """--json: JSON on stdout; a terminal: bars; anything else: lines on stderr."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert isinstance(reporter(as_json=True, err=Terminal()), JsonLines)
    assert isinstance(reporter(as_json=False, err=Terminal()), ProgressBars)
    assert isinstance(reporter(as_json=False, err=io.StringIO()), ProgressLines)


def test_nothing_is_started_where_all_is_done() -> None:
    """The line about starting is printed only if something is left to train."""
    study = {"workload": "w", "batch_size": 8, "steps": 10, "target": 2, "done": 2}
    assert "starting" not in str(sentence(dataclasses.replace(PLAN, studies=[study])))
    assert "starting" in str(sentence(dataclasses.replace(PLAN, studies=[study, {**study, "done": 1}])))
