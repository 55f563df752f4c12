"""How fast a gang trains: runs the loop of a sweep's trials for some seconds on each of a list of studies.

`hvdsweep scale` starts it by `horovodrun` on every rank. Rank 0 appends one line of JSON per study to `--out` as soon
as it is known: {"case": n, "steps": ..., "seconds": ...} or {"case": n, "error": "..."}; first of all {"ready": ranks}.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvdsweep.training.rank import join, redirect_output, run, watch_supervisor

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from hvdsweep.training.ranks import Ranks

WARM_CALLS = 3
"""Least calls before the clock starts: the first one compiles, the next grow to their usual length."""
WARM_SHARE = 0.2
"""Least share of the asked time before the clock starts."""
ENDLESS = 2**30
"""Budget of a trial that is stopped long before; there is no evaluation either."""


def main(argv: list[str] | None = None) -> int:
    """Entry point of a rank; returns its exit code."""
    options = _parse(argv)
    redirect_output(options.logs)
    if options.supervisor:
        watch_supervisor(options.supervisor)
    # Only the supervisor decides about Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ranks = join(options.threads)

    def report(line: dict[str, Any]) -> None:
        if ranks.is_first:
            with options.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    report({"ready": ranks.size})
    cases = json.loads(options.cases.read_text(encoding="utf-8"))
    time_cases(ranks, cases, options.seconds, report)
    return 0


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hvdsweep.training.timing", description=__doc__)
    parser.add_argument(
        "--cases", type=Path, required=True, help="JSON: a list of definition and metaparameters"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("--supervisor", default="")
    parser.add_argument("--threads", type=int, default=0)
    return parser.parse_args(argv)


def time_cases(
    ranks: Ranks, cases: list[dict[str, Any]], seconds: float, report: Callable[[dict[str, Any]], None]
) -> None:
    """Time each case (`definition` as of a study, `metaparameters`) for `seconds`; `report` one line each."""
    from hvdsweep.training.studies import TracedStudies

    studies = TracedStudies(ranks)
    for number, case in enumerate(cases):
        definition = endless(case["definition"])
        names = tuple(sorted(case["metaparameters"]))
        study, failure = studies.get(definition, names, trials=1)
        if ranks.any(failure is not None, name="built") or study is None:
            report({"case": number, "error": failure or "another rank could not build this study"})
            continue
        clock = Clock(seconds)
        trial = {"seed": 1, "metaparameters": case["metaparameters"]}
        # Only rank 0 decides when the trial ends.
        record = clock.record if ranks.is_first else lambda *results: False
        end = study.train(trial, record, lambda: None)
        if clock.result is not None:
            steps, taken = clock.result
            report({"case": number, "steps": steps, "seconds": taken})
        else:
            report({"case": number, "error": end.message or "no step was timed"})


def endless(definition: dict[str, Any]) -> dict[str, Any]:
    """The study's definition reduced to training: no evaluation, no goal, no end."""
    return {
        **definition,
        "steps": ENDLESS,
        "stop": "budget",
        "evaluation": {**definition["evaluation"], "every": ENDLESS, "at_start": False},
        "infeasible": {"loss_above": None},
        "noise_scale": "",
    }


@dataclass
class Clock:
    """Counts a trial's updates once it runs at its usual speed; stops the trial after `wanted` seconds."""

    wanted: float
    now: Callable[[], float] = time.perf_counter
    result: tuple[int, float] | None = None
    """(updates, seconds) once they are known."""
    _first: float | None = field(default=None, init=False)
    _calls: int = field(default=0, init=False)
    _begun: tuple[int, float] | None = field(default=None, init=False)

    def record(
        self, first: int, losses: npt.NDArray[np.float32], measurements: object, noise: object
    ) -> bool:
        """Called after every compiled call; True if the trial is to end."""
        now, done = self.now(), first - 1 + len(losses)
        if self._first is None:
            self._first = now
        self._calls += 1
        if self._begun is None:
            if self._calls >= WARM_CALLS and now - self._first >= WARM_SHARE * self.wanted:
                self._begun = (done, now)
            return False
        steps, taken = done - self._begun[0], now - self._begun[1]
        if self.result is None and taken >= self.wanted and steps:
            self.result = (steps, taken)
        return self.result is not None


if __name__ == "__main__":
    run(main)
