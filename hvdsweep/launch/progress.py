"""Shows a run's progress: bars on a terminal, else lines (both on stderr), and JSON lines on stdout if requested."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO

from hvdsweep.launch.events import (
    EndEvent,
    Event,
    GangEvent,
    NoteEvent,
    PlanEvent,
    ProgressEvent,
    Reporter,
    StageEvent,
    StudyProgress,
    SweepEvent,
    TrialEvent,
)
from hvdsweep.launch.live_curve import LiveCurve, short_names
from hvdsweep.launch.rich_bars import bars_on, console_of
from hvdsweep.launch.starting import Starting
from hvdsweep.repeats import trial_name
from hvdsweep.store.stages import usually
from hvdsweep.visible import visible, visible_json
from hvdsweep.words import counted, duration

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress, TaskID

LINE_SECONDS = 5.0
"""Least time between two plain progress lines."""
QUIET_SECONDS = 60.0
"""Time between two plain progress lines if nothing has changed."""
MOST_BARS = 8
"""Most studies shown at once on a terminal."""


def reporter(
    *, as_json: bool, curve: bool = True, out: TextIO | None = None, err: TextIO | None = None
) -> Reporter:
    """A reporter: JSON lines if requested, bars if stderr is a terminal (with a `curve` below them), else lines."""
    out, err = out or sys.stdout, err or sys.stderr
    if as_json:
        return JsonLines(out)
    return ProgressBars(err, curve=curve) if err.isatty() else ProgressLines(err)


class _Writing(Reporter):
    """Stops writing once nobody reads: a closed pipe or terminal must not end a sweep."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._deaf = False
        self._last_words: set[str | None] = set()

    def __call__(self, event: Event) -> None:
        if self._deaf:
            return
        try:
            self._take(event)
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._deaf = True
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                self.full = error
            # Python would fail again at exit, on what is left in its buffer.
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)

    def _take(self, event: Event) -> None:
        raise AssertionError

    def _is_new(self, event: Event) -> bool:
        """False for a trial given up for a reason that was reported before: with a broken model all trials are."""
        if not isinstance(event, TrialEvent) or event.status != "INCOMPLETE":
            return True
        known = event.message in self._last_words
        self._last_words.add(event.message)
        return not known


class JsonLines(_Writing):
    """Every event as one line of JSON."""

    def _take(self, event: Event) -> None:
        self._stream.write(
            visible_json(json.dumps(event.record(), ensure_ascii=False, allow_nan=False)) + "\n"
        )


class ProgressLines(_Writing):
    """A line per change of state, and one about the progress: every few seconds at first, every minute after an hour."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._clock = clock
        self._begun = clock()
        self._day = ""
        self._printed = float("-inf")
        self._said = ""
        self._finished: set[tuple[str, int]] | None = None
        self._followed: int | None = None
        """The gang whose start is reported: only the first, since the others take as long."""

    def _take(self, event: Event) -> None:
        if isinstance(event, StageEvent):
            self._stage(event)
            return
        if isinstance(event, ProgressEvent):
            self._progress(event)
            return
        text = sentence(event)
        if text is not None and self._is_new(event):
            self._line(text)

    def _stage(self, event: StageEvent) -> None:
        if self._followed is None:
            self._followed = event.gang
        if event.gang == self._followed and event.stage is not None:
            usual = usually(event.usual_seconds)
            self._line(f"gang {event.gang}: {event.stage} (from start to first step: {usual})")

    def _progress(self, event: ProgressEvent) -> None:
        finished = {(study.workload, study.batch_size) for study in event.studies if _is_finished(study)}
        if self._finished is not None:
            for study in event.studies:
                if (study.workload, study.batch_size) in finished - self._finished:
                    self._line(visible(_study_line(study)))
        self._finished = finished
        working = [_study_line(study) for study in event.studies if study.running]
        said = "; ".join([_overall(event), *working[:3]])
        now = self._clock()
        often = min(QUIET_SECONDS, max(LINE_SECONDS, (now - self._begun) / 60))
        if now - self._printed >= (often if said != self._said else QUIET_SECONDS):
            self._printed, self._said = now, said
            self._line(visible(said))

    def _line(self, text: str) -> None:
        # A job's log takes the runs of several days.
        day, moment = time.strftime("%Y-%m-%d %H:%M:%S").split()
        self._stream.write(f"{moment if day == self._day else f'{day} {moment}'} {text}\n")
        self._day = day


class ProgressBars(_Writing):
    """Progress bars at the bottom of a terminal: the sweep, and the studies in training."""

    def __init__(self, stream: TextIO, *, curve: bool = False) -> None:
        super().__init__(stream)
        self._console = console_of(stream)
        self._starting = Starting()
        self._wants_curve = curve
        self._curve: LiveCurve | None = None
        self._names: dict[str, str] = {}
        """Workload -> a name that distinguishes it within the sweep: a terminal is narrow."""
        self._bars: Progress | None = None
        self._whole: TaskID | None = None
        self._drawn_at: tuple[int, int] | None = None
        self._tasks: dict[tuple[str, int], TaskID] = {}

    def _take(self, event: Event) -> None:
        self._starting.note(event)
        if isinstance(event, SweepEvent) and self._wants_curve:
            self._curve = LiveCurve(event.store, event.sweep)
        if isinstance(event, PlanEvent):
            workloads = list(dict.fromkeys(study["workload"] for study in event.studies))
            self._names = dict(zip(workloads, short_names(workloads), strict=True))
        if isinstance(event, ProgressEvent):
            self._show(event)
            return
        if isinstance(event, EndEvent):
            self._end_bars()
        # A sentence per gang and trial would move the bars all the time; only problems get a line.
        if isinstance(event, GangEvent) and event.state != "DEAD":
            return
        text = sentence(event)
        if text is not None and self._is_new(event):
            trouble = (isinstance(event, NoteEvent) and event.level == "warning") or (
                isinstance(event, EndEvent) and event.exit_code == 1
            )
            self._console.print(
                text, style="yellow" if trouble else None, markup=False, highlight=False, soft_wrap=True
            )

    def _show(self, event: ProgressEvent) -> None:
        bars = self._bars
        if bars is None:
            bars = self._bars = bars_on(self._console, self._below)
            self._whole = bars.add_task("all studies", total=1.0, detail="", eta="")
            bars.start()
        assert self._whole is not None
        bars.update(
            self._whole,
            completed=event.fraction,
            detail=f"{event.done}/{_planned(event)}",
            eta=_left(event.eta_seconds),
        )
        shown = sorted(event.studies, key=lambda study: (not study.running, _is_finished(study)))[:MOST_BARS]
        active = {(study.workload, study.batch_size) for study in shown if study.running}
        for study in event.studies:
            key = (study.workload, study.batch_size)
            if key in active and key not in self._tasks:
                self._tasks[key] = bars.add_task(
                    visible(f"{self._names.get(study.workload, study.workload)} {study.batch_size}"),
                    total=1.0,
                    detail="",
                    eta="",
                )
            if key in self._tasks:
                diverged = f" +{study.infeasible} diverged" if study.infeasible else ""
                bars.update(
                    self._tasks[key],
                    completed=study.fraction,
                    detail=f"{study.done}/{study.target}{diverged}",
                    eta=_left(study.eta_seconds),
                    visible=key in active,
                )
        if self._drawn_at not in (None, size := self._console.size):
            # The terminal wrapped or cut the lines, so the position of the bars is unknown: start on an empty screen.
            bars.stop()
            self._console.clear()
            bars.start()
        self._drawn_at = size
        bars.refresh()

    def _below(self) -> Iterator[RenderableType]:
        """The lines below the bars: starting gangs, then the curve, as large as there is room."""
        from rich.text import Text

        lines = [Text(line, overflow="ellipsis", no_wrap=True) for line in self._starting.lines()]
        yield from lines
        if self._curve is None:
            return
        columns, rows = self._console.size
        bars = 1 + sum(self._bars.tasks[task].visible for task in self._tasks.values()) if self._bars else 1
        canvas = self._curve.canvas(
            columns - 1,
            rows - bars - len(lines) - 2,
            ascii=not self._console.encoding.lower().startswith("utf"),
            color=not self._console.no_color,
        )
        if canvas is not None:
            yield Text()
            yield canvas.text() if not self._console.no_color else Text(canvas.plain())

    def _end_bars(self) -> None:
        if self._bars is not None:
            for task in self._tasks.values():
                self._bars.update(task, visible=False)
            self._bars.refresh()
            self._bars.stop()
        self._bars, self._whole, self._tasks = None, None, {}
        if self._curve is not None:
            self._curve.close()
        self._curve = None

    def close(self) -> None:
        """Restore the terminal."""
        if not self._deaf:
            self._end_bars()


def sentence(event: Event) -> str | None:
    """The text for the user of an event; None if it has none."""
    text = _sentence(event)
    return None if text is None else visible(text, lines=True)


def _sentence(event: Event) -> str | None:
    match event:
        case SweepEvent():
            return event.message
        case PlanEvent():
            if event.np is None or event.gangs is None:
                what = counted(event.slots or 1, "slot")
            else:
                what = f"{counted(event.gangs, 'gang')} of {counted(event.np, 'rank')}"
            where = (
                ""
                if all(host.startswith("localhost") for host in event.hosts)
                else f" on {' and '.join(event.hosts)}"
            )
            # If all trials are done no gang is started.
            left = not event.studies or any(
                study["done"] < study["target"] or study.get("repeats_done", 0) < study.get("repeats", 0)
                for study in event.studies
            )
            return f"{what}, {counted(event.threads, 'thread')} per rank{where}{'; starting takes some seconds' if left else ''}"
        case GangEvent():
            return _gang(event)
        case TrialEvent() if event.status == "INCOMPLETE":
            after = f" after {event.attempts} failed attempts" if event.attempts else ""
            return f"{_trial(event)} given up{after}: {_indented(event.message)}"
        case TrialEvent() if event.status == "PENDING":
            return f"{_trial(event)} goes back to the queue (failed attempts: {event.attempts})"
        case NoteEvent():
            return f"warning: {event.message}" if event.level == "warning" else event.message
        case EndEvent():
            lines = [
                f"sweep {event.sweep} {event.state}: {event.done} of {event.target} trials"
                + (
                    f" and {event.repeats_done} of {counted(event.repeats, 'repeat')}"
                    if event.repeats
                    else ""
                )
                + " done"
                + (f", {event.infeasible} more diverged" if event.infeasible else "")
                + f", {duration(event.seconds)}: {event.message}"
            ]
            return "\n".join(lines + _set_aside(event))
        case _:
            return None


def _gang(event: GangEvent) -> str | None:
    after = f" after {event.seconds:.1f} s" if event.seconds is not None else ""
    if event.state == "STARTING":
        return f"gang {event.gang} starts (pid {event.pid}, logs in {event.logs})"
    if event.state == "READY":
        return f"gang {event.gang} is ready{after}"
    if event.state == "DEAD":
        return f"gang {event.gang} died{after}: {_indented(event.message)}"
    return None


def _trial(event: TrialEvent) -> str:
    return f"{event.workload}, batch size {event.batch_size}, trial {trial_name(event.number)}"


def _set_aside(event: EndEvent) -> list[str]:
    """The trials given up, a handful of them, grouped by error."""
    by_words: dict[str, list[str]] = {}
    for trial in event.set_aside:
        words = (trial["message"] or "no message").strip()
        by_words.setdefault(words, []).append(
            f"{trial['workload']} {trial['batch_size']} #{trial_name(trial['number'])}"
        )
    lines = []
    for words, trials in list(by_words.items())[:5]:
        named = ", ".join(trials[:6]) + (f" and {len(trials) - 6} more" if len(trials) > 6 else "")
        lines.append(f"  given up: {named}: {_indented(words)}")
    if len(by_words) > 5:
        lines.append(f"  and {len(by_words) - 5} other failures")
    return lines


def _indented(text: str | None) -> str:
    return (text or "no message").replace("\n", "\n    ")


def _overall(event: ProgressEvent) -> str:
    left = _left(event.eta_seconds)
    repeats = f", {event.repeats_done} of {counted(event.repeats, 'repeat')}" if event.repeats else ""
    return f"{event.done} of {_planned(event)} trials{repeats} ({100 * event.fraction:.0f} %)" + (
        f", {left}" if left else ""
    )


def _planned(event: ProgressEvent) -> str:
    """The trials planned so far, and the most there may be in the end."""
    return f"{event.target}" + (f" to {event.most}" if event.most and event.most > event.target else "")


def _study_line(study: StudyProgress) -> str:
    parts = [f"{study.workload}, batch size {study.batch_size}: {study.done} of {study.target}"]
    if study.infeasible:
        parts.append(f"{study.infeasible} diverged")
    if study.repeats:
        parts.append(f"{study.repeats_done} of {counted(study.repeats, 'repeat')}")
    if study.set_aside:
        parts.append(f"{study.set_aside} given up")
    return ", ".join(parts)


def _is_finished(study: StudyProgress) -> bool:
    return not study.running and not study.pending


def _left(seconds: float | None) -> str:
    return "" if not seconds else f"about {duration(seconds)} left"
