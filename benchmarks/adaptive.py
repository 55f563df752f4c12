"""Trials in rounds (`trials = { least = 8, most = 64, until = 0.10 }`) against a fixed number of trials, by simulation.

    python benchmarks/adaptive.py [--json FILE] [--sweeps 300] [--until 0.1]

No training: every sweep is planted, ten batch sizes of one workload. A trial's steps to the goal grow quadratically, on a log
scale, with its distance from the best effective learning rate and momentum; how fast, and where the best lies, is drawn for
each batch size, and so is 3 % of scatter between trials; too large an effective learning rate diverges. The points, the rounds
and the intervals are the program's own. The fixed number is the least with which every batch size of the same sweep has an
interval no wider than the widest that the rounds ended with.

The estimator (half of the trials) and the growth of a round (half as many again) were chosen among six combinations on the
sweeps of seeds 0 to 39, which the default leaves out. The planted steps are quadratic in two searched metaparameters, which is
what the estimator assumes; widening is off.

Bias: what the interval said when the rounds stopped, against the interval of the best of a repeated search of the same size,
computed from 20,000 planted trials; and the steps found, against the median of such repeated searches.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.telling import parser_of
from hvdsweep.curves.certainty import relative_half_width
from hvdsweep.curves.resampling import LEVEL
from hvdsweep.launch.rounds import Rounds
from hvdsweep.plan import Plan, StudyPlan, make_plan
from hvdsweep.store.trial_outcomes import StudyName, TrialOutcome
from hvdsweep.sweep import check_text

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
        )
        for number, value in enumerate(steps)
    ]


def counted(steps: Floats, target: int) -> tuple[Floats, int]:
    """Steps of the first `target` trials that did not diverge, and how many trials that takes."""
    fine = np.flatnonzero(~np.isnan(steps))[:target]
    return steps[fine], int(fine[-1]) + 1


def true_half_width(pool: Floats, trials: int) -> tuple[float, float]:
    """Of the best of so many trials drawn from the `pool`: half the width of its interval, and its median."""
    ordered = np.sort(pool[~np.isnan(pool)])

    def quantile(p: float) -> float:
        return float(ordered[min(int(len(ordered) * (1 - (1 - p) ** (1 / trials))), len(ordered) - 1)])

    low, high = quantile((1 - LEVEL) / 2), quantile((1 + LEVEL) / 2)
    return (math.sqrt(high / low) - 1 if math.isfinite(high) else math.inf), quantile(0.5)


def one_sweep(seed: int, least: int, most: int, until: float) -> dict[str, Any]:
    """Trials of both ways, and how right the intervals were where each stopped."""
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
    targets = [study.target_trials for study in after.studies]
    ends = [counted(values, target) for values, target in zip(steps, targets, strict=True)]
    widths = [relative_half_width(found) for found, _ in ends]
    widest = max(widths)
    fixed = next(
        n
        for n in range(least, most + 1)
        if n == most or max(relative_half_width(counted(values, n)[0]) for values in steps) <= widest
    )
    space = studies[0].space
    pool_points = space.points(seed + 10**6, 0, POOL)
    pools = [true.trials(pool_points, random.standard_normal(POOL)) for true in truth]
    stopped = [index for index, width in enumerate(widths) if width <= until]
    fixed_ends = [counted(values, fixed) for values in steps]

    def judged(ends: list[tuple[Floats, int]]) -> list[dict[str, float]]:
        found = []
        for index in stopped:
            values = ends[index][0]
            width, median = true_half_width(pools[index], len(values))
            found.append(
                {
                    "claimed": relative_half_width(values),
                    "true": width,
                    "off": math.log(float(values.min()) / median),
                }
            )
        return found

    return {
        "trials": sum(targets),
        "with diverged": sum(number for _, number in ends),
        "fixed": fixed * len(studies),
        "fixed with diverged": sum(number for _, number in fixed_ends),
        "rounds": 1 + len({step.target for step in steps_of_rounds}),
        "within": len(stopped) / len(studies),
        "rounds judged": judged(ends),
        "fixed judged": judged(fixed_ends),
    }


def summary(sweeps: list[dict[str, Any]], until: float) -> dict[str, float]:
    """The figures of many sweeps."""

    def over(key: str, value: Callable[[dict[str, float]], float]) -> float:
        return statistics.fmean(value(study) for sweep in sweeps for study in sweep[key])

    def total(key: str) -> float:
        return float(sum(sweep[key] for sweep in sweeps))

    return {
        "sweeps": len(sweeps),
        "trials a study": total("trials") / len(sweeps) / 10,
        "fixed number of trials a study": total("fixed") / len(sweeps) / 10,
        "trials, rounds / fixed": total("trials") / total("fixed"),
        "the same with diverged ones": total("with diverged") / total("fixed with diverged"),
        "median over sweeps": statistics.median(sweep["trials"] / sweep["fixed"] for sweep in sweeps),
        "share of studies within": statistics.fmean(sweep["within"] for sweep in sweeps),
        "claimed half width": over("rounds judged", lambda study: study["claimed"]),
        "true half width": over("rounds judged", lambda study: study["true"]),
        "true half width is above the share asked for": over(
            "rounds judged", lambda study: study["true"] > until
        ),
        "true half width is above 1.5 times the share asked for": over(
            "rounds judged", lambda study: study["true"] > 1.5 * until
        ),
        "steps against repeated searches": math.exp(over("rounds judged", lambda study: study["off"])) - 1,
        "fixed: claimed half width": over("fixed judged", lambda study: study["claimed"]),
        "fixed: true half width": over("fixed judged", lambda study: study["true"]),
        "fixed: steps against repeated searches": math.exp(over("fixed judged", lambda study: study["off"]))
        - 1,
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
    figures = summary(sweeps, options.until)
    for name, value in figures.items():
        print(f"{name:<58}{value:>10.3f}")
    if options.json:
        options.json.write_text(
            json.dumps({name: round(value, 4) for name, value in figures.items()}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
