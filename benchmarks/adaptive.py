"""Trials in rounds (`trials = { least = 8, most = 64, until = 0.10 }`) against a fixed number of trials, by simulation.

    python benchmarks/adaptive.py [--json FILE] [--sweeps 300] [--until 0.1]

No training: every sweep is planted, ten batch sizes of one workload. A trial's steps to the goal grow quadratically, on a log
scale, with its distance from the best effective learning rate and momentum; how fast, and where the best lies, is drawn for
each batch size, and so is 3 % of scatter between trials; too large an effective learning rate diverges. The points, the rounds
and the intervals are the program's own; an evaluation comes every step.

Two fixed numbers are compared with. One is chosen beforehand, as a user has to: the least number that, given to every batch
size of every sweep, brings as large a share of the batch sizes within the share asked for as the rounds do (and, next to it,
95 % of them). The other is
chosen in hindsight, for each sweep alone: the least that makes its widest interval no wider than the rounds left it. Since an
interval's scatter is pooled over the batch sizes, rounds can hardly use fewer than that.

Bias: how often the best of a repeated search of the same size lies in the interval with which the rounds stopped (95 % is
wanted), and the half width that would hold it in 95 %; the steps found, against the median of such repeated searches. These
are drawn from 20,000 planted trials. Widening is off.
"""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.telling import parser_of
from hvdsweep.curves.resampling import LEVEL
from hvdsweep.curves.so_far import Searched, interval_widths
from hvdsweep.launch.rounds import Rounds
from hvdsweep.plan import Plan, StudyPlan, make_plan
from hvdsweep.store.trial_outcomes import StudyName, TrialOutcome
from hvdsweep.sweep.load import check_text

Floats = npt.NDArray[np.float64]

SWEEP = """
dataset = "digits"
model = "fc_128"
algorithms = ["momentum"]
[goal]
metric = "val/classification_error"
value = 0.05
[budget]
steps = 100000
[studies]
batch_sizes = "2^1..2^10"
trials = {{ least = {least}, most = {most}, until = {until} }}
seed = {seed}
[search]
learning_rate = {{ scale = "log", min = 1e-3, max = 10.0 }}
momentum = {{ scale = "reverse_log", min = 0.8, max = 0.999 }}
"""

SCATTER = 0.03
POOL = 20_000
REPEATED = 200
"""Searches drawn from them for each batch size."""


@dataclass(frozen=True)
class Planted:
    """One study's truth."""

    steps: float
    """At the best metaparameters."""
    rate: float
    """log10 of the best effective learning rate."""
    memory: float
    """log10 of the best 1 - momentum."""
    rate_width: float
    """Decades off the best at which steps have grown by a factor e."""
    memory_width: float

    def trials(self, points: list[dict[str, float]], scatter: Floats) -> Floats:
        """[n] steps to the goal; inf: never; NaN: diverged."""
        rate = np.log10([point["learning_rate"] for point in points])
        memory = np.log10([1 - point["momentum"] for point in points])
        off = (rate - memory - self.rate) / self.rate_width
        away = off**2 + ((memory - self.memory) / self.memory_width) ** 2
        steps = np.round(self.steps * np.exp(np.minimum(away, 50.0) + SCATTER * scatter))
        return np.where(off > 0.8, np.nan, np.where(steps > 30 * self.steps, np.inf, steps))


def planted(random: np.random.Generator, batch_size: int) -> Planted:
    """A scaling curve that bends at batch size 64, and optima and widths as they come."""
    return Planted(
        steps=200.0 * (1 + 64 / batch_size),
        rate=float(random.uniform(-0.8, 0.8)),
        memory=float(random.uniform(-2.2, -1.0)),
        rate_width=float(np.exp(random.normal(math.log(1.3), 0.35))),
        memory_width=float(np.exp(random.normal(math.log(2.5), 0.35))),
    )


def plan_of(seed: int, least: int, most: int, until: float) -> Plan:
    """The program's own plan of such a sweep."""
    checked = check_text(SWEEP.format(seed=seed, least=least, most=most, until=until), "planted.toml")
    assert checked.loaded is not None, checked.problems
    return make_plan(checked.loaded)


def outcomes_of(study: StudyPlan, steps: Floats) -> list[TrialOutcome]:
    """Trials as the store tells them."""
    return [
        TrialOutcome(
            number,
            "INFEASIBLE" if math.isnan(value) else "COMPLETE",
            "{}",
            int(value) if math.isfinite(value) else None,
            None,
            int(value) - 1 if math.isfinite(value) else None,
        )
        for number, value in enumerate(steps)
    ]


def counted(steps: Floats, target: int) -> tuple[Floats, int]:
    """Steps of the first `target` trials that did not diverge, and how many trials that takes."""
    fine = np.flatnonzero(~np.isnan(steps))[:target]
    return steps[fine], int(fine[-1]) + 1


def widths_of(studies: list[StudyPlan], found: list[Floats]) -> list[float]:
    """Half the width of each study's printed interval, as a share."""
    searched = []
    for study, values in zip(studies, found, strict=True):
        steps = [int(value) if math.isfinite(value) else None for value in values]
        before = [None if value is None else value - 1 for value in steps]
        searched.append(Searched(study.batch_size, study.steps, steps, before, 1))
    return [width.relative for width in interval_widths(searched)]


def one_sweep(seed: int, least: int, most: int, until: float) -> dict[str, Any]:
    """Trials of both ways, and how right the intervals were where the rounds stopped."""
    random = np.random.default_rng(seed)
    plan = plan_of(seed, least, most, until)
    studies = list(plan.studies)
    truth = [planted(random, study.batch_size) for study in studies]
    steps, outcomes = [], {}
    for study, true in zip(studies, truth, strict=True):
        points = [trial.metaparameters for trial in study.trial_range(0, study.max_trials)]
        steps.append(true.trials(points, random.standard_normal(len(points))))
        name: StudyName = (study.workload, study.batch_size)
        outcomes[name] = outcomes_of(study, steps[-1])
    rounds = Rounds(plan)
    steps_of_rounds = rounds.advance(outcomes)
    after: Plan = rounds.plan  # type: ignore[assignment]
    ends = [counted(values, study.target_trials) for values, study in zip(steps, after.studies, strict=True)]
    widths = widths_of(studies, [found for found, _ in ends])
    fixed = [widths_of(studies, [counted(values, n)[0] for values in steps]) for n in range(least, most + 1)]
    pool_points = studies[0].space.points(seed + 10**6, 0, POOL)
    judged = []
    for true, (found, _), width in zip(truth, ends, widths, strict=True):
        pool = true.trials(pool_points, random.standard_normal(POOL))
        pool = pool[~np.isnan(pool)]
        if width <= until:
            repeated = random.choice(pool, (REPEATED, len(found))).min(axis=1)
            judged.append((width, np.log(repeated / found.min())))
    return {
        "trials": sum(len(found) for found, _ in ends),
        "with diverged": sum(number for _, number in ends),
        "fixed": [sum(width <= until for width in row) for row in fixed],
        "hindsight": next((least + at for at, row in enumerate(fixed) if max(row) <= max(widths)), most),
        "rounds": max(Counter(step.study for step in steps_of_rounds).values(), default=0),
        "within": sum(width <= until for width in widths),
        "judged": judged,
    }


def summary(sweeps: list[dict[str, Any]], least: int) -> dict[str, float]:
    """The figures of many sweeps of ten batch sizes."""

    def mean(key: str) -> float:
        return statistics.fmean(sweep[key] for sweep in sweeps)

    by_number = np.array([sweep["fixed"] for sweep in sweeps]).mean(axis=0)

    def first(within: float) -> int:
        enough = np.flatnonzero(by_number >= within)
        return least + (int(enough[0]) if len(enough) else len(by_number) - 1)

    beforehand, most_of_them = first(mean("within")), first(9.5)
    judged = [study for sweep in sweeps for study in sweep["judged"]]
    off = np.array([study[1] for study in judged])
    widths = np.array([study[0] for study in judged])
    return {
        "sweeps": len(sweeps),
        "trials a study": mean("trials") / 10,
        "fixed number chosen beforehand": beforehand,
        "trials, rounds / chosen beforehand": mean("trials") / 10 / beforehand,
        "fixed number for 95 % of the studies": most_of_them,
        "trials, rounds / that": mean("trials") / 10 / most_of_them,
        "fixed number chosen in hindsight, mean": mean("hindsight"),
        "trials, rounds / chosen in hindsight": mean("trials") / 10 / mean("hindsight"),
        "diverged trials for each that counts": mean("with diverged") / mean("trials") - 1,
        "rounds": mean("rounds"),
        "share of studies within": mean("within") / 10,
        "half width printed": float(widths.mean()),
        "half width that would hold 95 %": math.sinh(float(np.quantile(np.abs(off), LEVEL))),
        "best of a repeated search held": float((np.abs(off) <= np.arcsinh(widths)[:, None]).mean()),
        "steps against repeated searches": math.exp(-float(np.median(off, axis=1).mean())) - 1,
    }


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--sweeps", type=int, default=300)
    parser.add_argument("--first", type=int, default=40, help="seed of the first sweep")
    parser.add_argument("--until", type=float, default=0.10)
    parser.add_argument("--least", type=int, default=8)
    parser.add_argument("--most", type=int, default=64)
    options = parser.parse_args()
    sweeps = [
        one_sweep(seed, options.least, options.most, options.until)
        for seed in range(options.first, options.first + options.sweeps)
    ]
    figures = summary(sweeps, options.least)
    for name, value in figures.items():
        print(f"{name:<58}{value:>10.3f}")
    if options.json:
        options.json.write_text(
            json.dumps({name: round(value, 4) for name, value in figures.items()}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
