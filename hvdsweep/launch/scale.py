"""Measures how training speeds up with ranks: a short-lived gang per number of ranks times the studies in turn.

Every speed is yielded as soon as it is known, so it is kept if the rest is cancelled.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvdsweep.errors import HvdsweepError, UserError
from hvdsweep.launch.failure_report import death_of, hang_of
from hvdsweep.launch.gang import CommandBuilder
from hvdsweep.launch.guard import guarded
from hvdsweep.launch.horovodrun import gang_command, gang_environment, threads_per_rank
from hvdsweep.launch.hosts import Host, allot, as_started, crowding, is_here
from hvdsweep.launch.machine import cores, gpus
from hvdsweep.launch.processes import Mark, running
from hvdsweep.process_id import ProcessId

if TYPE_CHECKING:
    from hvdsweep.plan import Plan

MODULE = "hvdsweep.training.timing"
POLL_SECONDS = 0.1
PATIENCE_SECONDS = 600.0
"""Silence, beyond the seconds requested, after which a gang counts as hung: it compiles between two answers."""


@dataclass(frozen=True)
class Case:
    """One thing to time."""

    workload: str
    batch_size: int
    definition: Mapping[str, Any]
    """The study's definition, in the form that training reads."""
    metaparameters: Mapping[str, float]


@dataclass(frozen=True)
class Timed:
    """A measured speed."""

    workload: str
    batch_size: int
    np: int
    steps: int
    seconds: float
    host: str
    """The first host."""

    @property
    def steps_per_second(self) -> float:
        return self.steps / self.seconds

    @property
    def examples_per_second(self) -> float:
        return self.steps * self.batch_size / self.seconds


@dataclass(frozen=True)
class Failed:
    """A case that could not be measured."""

    np: int
    case: Case | None
    """None: all remaining cases on so many ranks."""
    message: str


@dataclass(frozen=True)
class Now:
    """The progress of the whole measurement."""

    done: int
    total: int
    np: int
    doing: Case | None
    """The case being timed; None while ranks start."""
    seconds_left: float


def cases_of(plan: Plan, batch_sizes: Sequence[int] | None = None) -> list[Case]:
    """The studies of a plan as cases to time: all, or those of some batch sizes. UserError for an unknown batch size.

    Metaparameters are those of each study's first trial, but with a learning rate of 0: time must not depend on whether
    training diverges.
    """
    have = sorted({study.batch_size for study in plan.studies})
    unknown = sorted(set(batch_sizes or ()) - set(have))
    if unknown:
        known = ", ".join(map(str, have))
        raise UserError(
            f"--batch-sizes: {', '.join(map(str, unknown))}: not in {plan.file or plan.name}, which has {known}"
        )
    cases = []
    for study in plan.studies:
        if batch_sizes is None or study.batch_size in batch_sizes:
            metaparameters = {**study.trial(0).metaparameters, "learning_rate": 0.0}
            cases.append(Case(study.workload, study.batch_size, study.definition, metaparameters))
    return cases


@dataclass
class ScalePace:
    """How long starting ranks and timing a case have taken so far, to estimate the rest."""

    seconds: float
    """Requested per case."""
    starts: list[float] = field(default_factory=list)
    cases: list[float] = field(default_factory=list)

    def left(self, starts: float, cases: float) -> float:
        """Seconds for so many starts of ranks and so many cases."""
        start = sum(self.starts) / len(self.starts) if self.starts else 12.0
        case = sum(self.cases) / len(self.cases) if self.cases else 1.2 * self.seconds + 3.0
        return starts * start + cases * case


class Scale:
    """Times cases on one number of ranks after another."""

    def __init__(
        self,
        cases: Sequence[Case],
        counts: Sequence[int],
        *,
        seconds: float,
        hosts: Sequence[Host] | None = None,
        threads: int | None = None,
        patience: float = PATIENCE_SECONDS,
        environment: Mapping[str, str] | None = None,
        build: CommandBuilder = gang_command,
    ) -> None:
        self.cases = tuple(cases)
        self.counts = tuple(counts)
        self.seconds = seconds
        self._hosts = None if hosts is None else tuple(hosts)
        self._threads = threads
        self._patience = patience
        self._environment = os.environ if environment is None else environment
        self._build = build
        self._pace = ScalePace(seconds)
        self._done = 0

    def warnings(self) -> list[str]:
        """What makes speeds lower than they could be: ranks that share slots, cores or GPUs."""
        count, devices = cores(), len(gpus(self._environment))
        found = [warning for np in self.counts for warning in crowding(self._hosts, np, 1, count, devices)]
        return list(dict.fromkeys(found))

    def run(self, stop: Callable[[], bool]) -> Iterator[Timed | Failed | Now]:
        """Measure all; yields each result as soon as it is known, and ten times a second the progress.

        Once `stop` returns true the ranks are ended and the rest is skipped. No process is left in any case.
        """
        for place, np in enumerate(self.counts):
            if stop():
                return
            try:
                with tempfile.TemporaryDirectory(prefix="hvdsweep-scale-") as folder, guarded():
                    yield from self._time(np, Path(folder), len(self.counts) - place - 1, stop)
            except (OSError, HvdsweepError) as error:
                yield Failed(np, None, str(error))
            self._done = (place + 1) * len(self.cases)

    def _time(
        self, np: int, folder: Path, later: int, stop: Callable[[], bool]
    ) -> Iterator[Timed | Failed | Now]:
        """Time all cases on `np` ranks; `later`: how many numbers of ranks still follow."""
        hosts = allot(as_started(self._hosts or (Host("localhost", np),)), np, 1)[0]
        answers = _Answers(folder / "answers.jsonl")
        begun = heard = time.monotonic()
        ready, answered = False, 0
        why: str | None = None
        with self._started(np, hosts, folder) as process:
            while True:
                ended = process.poll()
                # Checked before the answers are read, so that nothing written before the end is missed.
                for answer in answers.new():
                    now = time.monotonic()
                    if "ready" in answer:
                        ready = True
                        self._pace.starts.append(now - begun)
                    else:
                        answered = answer["case"] + 1
                        self._pace.cases.append(now - heard)
                        yield self._result(np, hosts, answer)
                    heard = now
                if ended is not None:
                    why = None if ended == 0 else str(death_of(folder, ended))
                    break
                if stop():
                    return
                silence = time.monotonic() - heard
                if silence > self._patience + self.seconds:
                    why = str(hang_of(folder, silence))
                    break
                yield self._now(np, ready, answered, later, silence)
                time.sleep(POLL_SECONDS)
        if answered < len(self.cases):
            yield Failed(np, None, why or "the ranks ended before all was timed")

    def _started(
        self, np: int, hosts: Sequence[Host], folder: Path
    ) -> AbstractContextManager[subprocess.Popen[bytes]]:
        here = sum(host.slots for host in hosts if is_here(host.name))
        threads = self._threads or threads_per_rank(cores(), here)
        given = folder / "cases.json"
        written = [
            {"definition": dict(case.definition), "metaparameters": dict(case.metaparameters)}
            for case in self.cases
        ]
        given.write_text(json.dumps(written), encoding="utf-8")
        mark = Mark(ProcessId.current(), 0, 0, str(folder))
        arguments = [
            *("--cases", str(given), "--out", str(folder / "answers.jsonl"), "--seconds", str(self.seconds)),
            *("--logs", str(folder), "--supervisor", str(mark.supervisor), "--threads", str(threads)),
        ]
        variables = gang_environment(self._environment, size=np, threads=threads, mark=str(mark)).variables
        return running(self._build(hosts, MODULE, arguments), variables, folder / "horovodrun.log")

    def _result(self, np: int, hosts: Sequence[Host], answer: Mapping[str, Any]) -> Timed | Failed:
        case = self.cases[answer["case"]]
        if "error" in answer:
            return Failed(np, case, answer["error"])
        import platform

        name = hosts[0].name
        host = platform.node() if is_here(name) else name
        return Timed(case.workload, case.batch_size, np, answer["steps"], answer["seconds"], host)

    def _now(self, np: int, ready: bool, answered: int, later: int, silence: float) -> Now:
        cases = len(self.cases)
        doing = self.cases[answered] if ready and answered < cases else None
        starts, left = later + (not ready), cases - answered + later * cases
        # The current case or start counts less the longer it has been running.
        seconds = self._pace.left(starts, left)
        under_way = self._pace.left(int(not ready), int(doing is not None))
        seconds -= min(silence, 0.9 * under_way)
        return Now(self._done + answered, cases * len(self.counts), np, doing, seconds)


class _Answers:
    """The lines that rank 0 has written since the last read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def new(self) -> list[dict[str, Any]]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                text = file.read()
        except OSError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        return [json.loads(line) for line in whole.splitlines()]
