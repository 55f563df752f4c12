"""What the numbers of a curve are worth: how often each printed interval holds what it is an interval of.

    python benchmarks/coverage.py [--json FILE] [--runs 400] [--only-given]

Searches of n trials are drawn again and again from workloads whose answers are known, and put through the product's own
`curve()`: the best steps are 60 (1 + (64 / B)^knee)^(1 / knee) for nine batch sizes from 4 to 1024, a trial is slower by
a bowl in two searched metaparameters, exp(2 (u^2 + v^2)) with u and v uniform in -1..1, and by seed noise (0.02, 0.1, 0.3 in
ln S), and the goal is noticed at an evaluation every 1 or 5 steps. n is 8, 16, 32 or 100; the knee 1 or 2, and 4 to see a
wrong formula noticed. In further settings the noise grows or shrinks 15-fold from the smallest batch size to the largest, or
batch sizes have 4 to 64 trials (`UNEVEN`), where "the best of n" is that of the median number. The medians of the best of n come
from 2,000 further searches.

Shares in percent, printed for each n over all other settings (mean, least, most), and kept for every setting in the JSON.
Then `REPLICATES`: replicates and searches of few batch sizes, with skewed or heavy tails, few evaluations, 5 to 50 trials,
points on no hyperbola or on no curve with a bend (upper ends only), or trials that miss the goal: how often the interval of
S(B) holds the best of a repeated search.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.telling import parser_of
from hvdsweep.curves import Curve, Rules, WorkloadTable, compare, curve, fit_exponent, steps_to_result
from hvdsweep.curves.decisions import log_critical
from hvdsweep.curves.knee import shape
from hvdsweep.curves.noise import noise_point
from hvdsweep.curves.outcomes import NO_LIMIT
from hvdsweep.curves.repeated import summary
from hvdsweep.curves.resampling import LEVEL, minimum_interval
from hvdsweep.curves.scaling import critical_batch_size, max_useful_batch_size, regions
from hvdsweep.states import Status

BATCH_SIZES = 2 ** np.arange(2, 11)
S_MIN, B_CRIT, BOWL = 60.0, 64.0, 2.0
GOAL = 0.2
TRIALS, KNEES, NOISES, SPACINGS = (8, 16, 32, 100), (1, 2), (0.02, 0.1, 0.3), (1, 5)
UNEVEN = (
    (4, 4, 8, 8, 16, 32, 32, 64, 64),
    (64, 64, 32, 32, 16, 8, 8, 4, 4),
    (64, 4, 16, 64, 4, 16, 64, 4, 16),
)
"""Trials of each batch size."""
REFERENCE = 2000
"""Searches behind the medians, and what a repeated search is drawn from."""


LATER = np.iinfo(np.int64).max
"""Steps in the place of a trial that a batch size does not have."""


@dataclass(frozen=True)
class Setting:
    """One kind of workload and of search."""

    trials: int
    knee: int
    noise: float
    """In ln S; where it changes, at the batch size in the middle."""
    spacing: int
    growth: float = 1.0
    """Noise at the largest batch size over that at the smallest."""
    counts: tuple[int, ...] = ()
    """Trials of each batch size, of which `trials` is the median; empty: `trials` each."""

    @property
    def kind(self) -> str:
        """What is not as in the other settings."""
        return ", uneven trials" if self.counts else ", noise changes 15-fold" if self.growth != 1 else ""

    @property
    def best(self) -> Any:
        """[S], steps at the optimum."""
        return S_MIN * (1 + (B_CRIT / BATCH_SIZES) ** self.knee) ** (1 / self.knee)

    def draw(self, rng: np.random.Generator, searches: int) -> Any:
        """[searches, S, n], steps at which each trial is seen to reach the goal; LATER for those beyond `counts`."""
        drawn = (searches, len(BATCH_SIZES), max(self.counts, default=self.trials))
        place = rng.uniform(-1, 1, (*drawn, 2))
        noise = self.noise * self.growth ** np.linspace(-0.5, 0.5, len(BATCH_SIZES))[:, None]
        slower = BOWL * (place**2).sum(axis=-1) + noise * rng.standard_normal(drawn)
        steps = np.ceil(self.best[:, None] * np.exp(slower) / self.spacing) * self.spacing
        # Never at the first evaluation, so that every trial has a record before it.
        steps = np.maximum(steps, 2 * self.spacing).astype(np.int64)
        if self.counts:
            steps[:, np.arange(drawn[-1]) >= np.array(self.counts)[:, None]] = LATER
        return steps

    def of_best(self, reference: Any) -> tuple[float, float]:
        """(B_crit, S_min) of the curve of this knee through the best of n, on average over searches [N, S]."""
        x, y = np.log(BATCH_SIZES), np.log(reference - self.spacing / 2).mean(axis=0)
        b = np.linspace(0, math.log(4000), 4000)
        rest = y - shape(x, b[:, None], float(self.knee))
        least = int(rest.var(axis=1).argmin())
        return math.exp(b[least]), math.exp(rest[least].mean())


def table_of(steps: Sequence[Any], spacing: int | Any, batch_sizes: Any = BATCH_SIZES) -> WorkloadTable:
    """The workload of one search: S studies' trials, each measured at step 0, before the goal, and beyond it; a trial of
    no steps misses it, one of LATER is left out. `spacing`: for all studies, or [S]."""
    steps = [trials[trials < LATER] for trials in steps]
    counts = [len(trials) for trials in steps]
    studies, flat = len(counts), np.concatenate(steps)
    study = np.repeat(np.arange(studies), counts)
    count, budget = len(flat), int(flat.max())
    missed = flat == 0
    seen = np.where(missed, budget, flat)
    before = seen - np.broadcast_to(spacing, studies)[study]
    values = np.tile([1.0, 0.5, 0.1], (count, 1))
    values[missed, 2] = 0.3
    return WorkloadTable(
        workload="simulated/bowl/search",
        metric="val/loss",
        maximize=False,
        goal=GOAL,
        train_examples=None,
        batch_sizes=np.asarray(batch_sizes),
        train_steps=np.full(studies, budget),
        target_trials=np.array(counts),
        study=study,
        trial_id=np.arange(count),
        number=np.concatenate([np.arange(trials) for trials in counts]),
        status=np.full(count, Status.COMPLETE),
        stop_reason=np.zeros(count, np.uint8),
        steps=np.full(count, budget),
        parameters={},
        offsets=np.arange(count + 1) * 3,
        record_step=np.stack((np.zeros_like(seen), before, seen), axis=1).ravel(),
        record_value=values.ravel(),
    )


class Shares:
    """Named shares of what was counted."""

    def __init__(self) -> None:
        self.found: dict[str, list[float]] = {}

    def add(self, name: str, held: bool | float | Iterable[bool]) -> None:
        values = [held] if isinstance(held, bool | float | np.bool_) else list(held)
        self.found.setdefault(name, []).extend(float(value) for value in values)

    def percent(self) -> dict[str, float]:
        return {name: 100 * float(np.mean(values)) for name, values in self.found.items()}


def inside(value: float, low: float | None, high: float | None) -> bool:
    """Whether an interval holds a value; an end of None is open."""
    return (low is None or low <= value) and (high is None or value <= high)


def measure(setting: Setting, runs: int, seed: int = 0) -> dict[str, float]:
    """Shares in percent of one setting."""
    growth = [] if setting.growth == 1 else [round(1000 * setting.growth)]
    rng = np.random.default_rng(
        [
            seed,
            setting.trials,
            setting.knee,
            round(1000 * setting.noise),
            setting.spacing,
            *growth,
            *setting.counts,
        ]
    )
    reference = setting.draw(rng, REFERENCE).min(axis=-1)
    median = np.median(reference, axis=0)
    even = replace(setting, counts=()).draw(rng, REFERENCE).min(axis=-1) if setting.counts else reference
    of_best = setting.of_best(even)
    critical = math.exp(
        float(log_critical(np.array([math.log(B_CRIT)]), np.array([float(setting.knee)]), 4.0, 0.2)[0])
    )
    useful = max_useful_batch_size(BATCH_SIZES, setting.best)
    truth = regions(BATCH_SIZES, setting.best)
    assert useful is not None
    shares = Shares()
    searches = setting.draw(rng, 2 * runs)
    for run in range(runs):
        table = table_of(searches[run], setting.spacing)
        found = curve(table)
        repeated = reference[rng.integers(REFERENCE)]
        _points(shares, found, median, repeated, searches[run])
        _fit(shares, found, setting, *of_best)
        if found.critical is not None:
            low, high = found.critical.interval or (None, None)
            shares.add("critical batch size: held", inside(critical, low, high))
            shares.add(
                "critical batch size: off by more than 2x",
                abs(math.log(found.critical.batch_size / critical)) > math.log(2),
            )
            shares.add("critical batch size: open above", high is None)
        if run % 4 == 0:
            raw = curve(table, rules=Rules(critical_from="points")).critical
            assert raw is not None
            assert raw.interval is not None
            shares.add("20 % rule on points: held", inside(critical, *raw.interval))
            shares.add(
                "20 % rule on points: off by more than 2x",
                abs(math.log(raw.batch_size / critical)) > math.log(2),
            )
            low, high = raw.interval
            again = critical_batch_size(BATCH_SIZES, repeated.astype(float))
            assert again is not None
            shares.add(
                "20 % rule on points: that of a repeated search held",
                inside(math.inf if again.at_least else again.batch_size, low, high),
            )
        _repeats(shares, setting, rng)
        _exponent(shares, setting, rng)
        _noise_scale(shares, rng)
        assert found.useful is not None
        assert found.useful.interval is not None
        shares.add(
            "maximum useful batch size: off by more than 2x",
            abs(math.log2(found.useful.batch_size / useful.batch_size)) > 1.5,
        )
        shares.add("maximum useful batch size: held", inside(useful.batch_size, *found.useful.interval))
        named = [point.region for point in found.points]
        shares.add(
            "regions: wrong", (str(a) not in ("undecided", str(b)) for a, b in zip(named, truth, strict=True))
        )
        shares.add("regions: undecided", (str(a) == "undecided" for a in named))
        raw_regions = regions(BATCH_SIZES, searches[run].min(axis=-1).astype(float))
        shares.add("regions on points: wrong", (a != b for a, b in zip(raw_regions, truth, strict=True)))
        other = steps_to_result(table_of(searches[runs + run], setting.spacing))
        shares.add("equal workloads: differs somewhere", bool(compare(found.result, other).differs.any()))
    return shares.percent()


def _points(shares: Shares, found: Curve, median: Any, repeated: Any, steps: Any) -> None:
    ends = [point.interval or (math.nan, math.nan) for point in found.points]
    shares.add(
        "S(B): best of a repeated search held", (inside(s, *e) for s, e in zip(repeated, ends, strict=True))
    )
    shares.add(
        "S(B): median of the best of n held", (inside(s, *e) for s, e in zip(median, ends, strict=True))
    )
    old = [minimum_interval(study) for study in steps]
    shares.add(
        "bootstrap: best of a repeated search held",
        (inside(s, *e) for s, e in zip(repeated, old, strict=True)),
    )
    shares.add(
        "bootstrap: median of the best of n held", (inside(s, *e) for s, e in zip(median, old, strict=True))
    )


def _repeats(shares: Shares, setting: Setting, rng: np.random.Generator) -> None:
    """Two, five and ten more seeds of one trial, which needs 200 steps in the median."""
    for count in (2, 5, 10):
        steps = 200 * np.exp(setting.noise * rng.standard_normal(count))
        seen = (np.ceil(steps / setting.spacing) * setting.spacing).astype(int).tolist()
        interval = summary(0, 150, seen, seen, float(setting.spacing), LEVEL).interval
        assert interval is not None
        shares.add(f"mean of {count} repeats: held", inside(200 * math.exp(setting.noise**2 / 2), *interval))


def _exponent(shares: Shares, setting: Setting, rng: np.random.Generator) -> None:
    """The best trial's learning rate, whose optimum grows as the batch size, where the range has a factor of 20 either way."""
    place = rng.uniform(-1, 1, (len(BATCH_SIZES), setting.trials, 2))
    slower = BOWL * (place**2).sum(axis=-1) + setting.noise * rng.standard_normal(place.shape[:-1])
    best = place[np.arange(len(BATCH_SIZES)), slower.argmin(axis=-1), 0]
    law = fit_exponent(BATCH_SIZES, BATCH_SIZES * np.exp(3 * best))
    assert law is not None
    shares.add("exponent of a metaparameter: held", inside(1.0, law.low, law.high))


def _noise_scale(shares: Shares, rng: np.random.Generator) -> None:
    """Eight estimates from halves of 32 examples in 500 dimensions; the noise scale is a quarter of that, as much, or 8 times."""
    for scale in (8, 32, 256):
        gradient = np.full(500, 1 / math.sqrt(500))
        noise = math.sqrt(scale / 500 / 32) * rng.standard_normal((2, 8, 500))
        first, second = gradient + noise
        squares, traces = (first * second).sum(axis=-1), ((first - second) ** 2).sum(axis=-1) * 16
        point = noise_point(64, 8, (np.full(8, 8), squares, traces), LEVEL)
        if point is not None and point.interval is not None:
            shares.add(f"noise scale of {scale}: held", inside(scale, *point.interval))


def _fit(shares: Shares, found: Curve, setting: Setting, b_crit: float, s_min: float) -> None:
    shares.add("fit found", found.fit is not None)
    if found.fit is None:
        return
    fit = found.fit
    shares.add("free knee chosen", fit.knee > 1)
    shares.add("B_crit: held", inside(B_CRIT, fit.b_crit.low, fit.b_crit.high))
    shares.add("B_crit of the best of n: held", inside(b_crit, fit.b_crit.low, fit.b_crit.high))
    shares.add("S_min of the best of n: held", inside(s_min, fit.s_min.low, fit.s_min.high))
    shares.add("E_min of the best of n: held", inside(s_min * b_crit, fit.e_min.low, fit.e_min.high))
    shares.add("knee: held", inside(setting.knee, *fit.knee_interval))
    shares.add("lack of fit taken for a wrong formula", fit.misfit)
    if fit.expected_scatter_percent:
        shares.add(
            "lack of fit over expected scatter", fit.lack_of_fit_percent / fit.expected_scatter_percent
        )
    if setting.knee == 1 and fit.hyperbola is not None:
        old = fit.hyperbola
        shares.add("hyperbola alone: S_min of the optimum held", inside(S_MIN, old.s_min.low, old.s_min.high))
        shares.add(
            "hyperbola alone: E_min of the optimum held",
            inside(S_MIN * B_CRIT, old.e_min.low, old.e_min.high),
        )
        shares.add("hyperbola alone: B_crit held", inside(B_CRIT, old.b_crit.low, old.b_crit.high))


@dataclass(frozen=True)
class Replicates:
    """Replicates, or searches, of some batch sizes; in each repetition B_crit is the one in the middle."""

    name: str
    trials: Sequence[int | tuple[int, int]]
    """Of each batch size; (least, most) to draw them."""
    scatter: Any = 0.05
    """Standard deviation of ln S of a trial; or of each batch size."""
    tail: str = "normal"
    evaluations: int = 20
    """Before the goal."""
    knee: int = 1
    last: float = 1.0
    """Steps of the largest batch size over those of the curve."""
    bent: bool = True
    """Whether the curve has a bend; without one there is no fit, and only upper ends."""
    bend: float = 1.0
    """Steps of the others over those of the curve, either way."""
    within: float = math.inf
    """Trials slower than the best possible by more than this factor miss the goal."""

    def measure(self, runs: int, seed: int = 0) -> dict[str, Any]:
        """Shares in percent of batch sizes and of repeated searches, four for each search."""
        rng = np.random.default_rng([seed, *self.name.encode()])
        studies = len(self.trials)
        sizes = 256 * 4 ** np.arange(studies)
        middle = studies // 2 if self.bent else -1
        best = 2000 * (int(self.bent) + (sizes[middle] / sizes) ** self.knee) ** (1 / self.knee)
        best = best * self.bend ** np.sin(2.1 * np.arange(studies))
        best[-1] *= self.last
        spacing = np.round(best / self.evaluations).astype(int)
        held, below = np.zeros((2, studies)), 0.0
        for _ in range(runs):
            trials = [
                one if isinstance(one, int) else int(rng.integers(one[0], one[1] + 1)) for one in self.trials
            ]
            # Where the goal lies between two evaluations differs from workload to workload.
            steps = best * math.exp(rng.uniform(-1, 1) / self.evaluations)
            searches = [self._draw(rng, steps, trials, spacing) for _ in range(5)]
            for index, point in enumerate(curve(table_of(searches[0], spacing, sizes)).points):
                if point.interval is None:
                    continue
                end = point.interval[1] or math.inf
                again = [search[index][search[index] > 0].min(initial=NO_LIMIT) for search in searches[1:]]
                within = [point.interval[0] <= one <= end for one in again]
                held[:, index] += sum(within), len(within)
                below += sum(one < point.interval[0] for one in again)
        each = 100 * held[0] / held[1]
        return {
            "name": self.name,
            "held": 100 * held[0].sum() / held[1].sum(),
            "sooner": 100 * below / held[1].sum(),
            "least at one batch size": each.min(),
            "intervals": 25 * held[1].sum() / runs / studies,
        }

    def _draw(self, rng: np.random.Generator, steps: Any, trials: Sequence[int], spacing: Any) -> list[Any]:
        found = []
        for study, count in enumerate(trials):
            one = float(np.broadcast_to(self.scatter, len(steps))[study])
            draw = TAILS[self.tail](rng, count)
            seen = np.ceil(steps[study] * np.exp(one * draw) / spacing[study]) * spacing[study]
            seen = np.maximum(seen, 2 * spacing[study])
            found.append(np.where(one * draw > math.log(self.within), 0, seen).astype(np.int64))
        return found


def _bowl(rng: np.random.Generator, count: int) -> Any:
    return BOWL * (rng.uniform(-1, 1, (count, 2)) ** 2).sum(axis=-1) + 0.1 * rng.standard_normal(count)


TAILS: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "normal": lambda rng, count: rng.standard_normal(count),
    "slow": lambda rng, count: 0.8 * rng.exponential(1, count) + 0.3 * rng.standard_normal(count),
    "fast": lambda rng, count: -rng.exponential(1, count),
    "t3": lambda rng, count: rng.standard_t(3, count) / 1.7,
    "outliers": lambda rng, count: np.where(rng.random(count) < 0.1, 4.0, 0.7) * rng.standard_normal(count),
    "bowl": _bowl,
}
"""Of ln S in units of its scatter: a long tail of slow trials, or of fast ones, or of both; a search."""

_ANY = (5, 50)
REPLICATES = (
    Replicates("3 batch sizes", 3 * [_ANY], 0.03),
    Replicates("4 batch sizes", 4 * [_ANY], 0.03),
    Replicates("6 batch sizes", 6 * [_ANY], 0.03),
    Replicates("slow tail", 5 * [_ANY], tail="slow"),
    Replicates("fast tail", 5 * [_ANY], tail="fast"),
    Replicates("Student's t of 3 degrees", 5 * [_ANY], tail="t3"),
    Replicates("one in ten far off", 5 * [_ANY], tail="outliers"),
    Replicates("one in ten far off, 10 evaluations", 5 * [_ANY], tail="outliers", evaluations=10),
    Replicates("twice the scatter", 5 * [_ANY], 0.1),
    Replicates("knee 2", 5 * [_ANY], evaluations=30, knee=2),
    Replicates("largest 1.3 times worse", 5 * [_ANY], 0.03, evaluations=30, last=1.3),
    Replicates("largest 1.5 times worse, fast tail", 4 * [_ANY], tail="fast", evaluations=50, last=1.5),
    Replicates("on no hyperbola, 15 % either way", 6 * [_ANY], 0.03, evaluations=30, bend=1.15),
    Replicates("scatter grows 10-fold", [20] * 5, (0.02, 0.03, 0.06, 0.1, 0.2), evaluations=50),
    Replicates("scatter shrinks 10-fold, fast tail", [20] * 5, (0.2, 0.1, 0.06, 0.03, 0.02), "fast", 50),
    Replicates("5, 50, 5, 50, 5 trials", [5, 50, 5, 50, 5], 0.1, evaluations=50),
    Replicates("50 to 5 trials, fast tail", [50, 50, 20, 10, 5], 0.1, "fast", 50),
    Replicates("5 to 50 trials, t of 3 degrees", [5, 10, 20, 50, 50], 0.1, "t3", 100),
    Replicates("searches of 64 to 4 trials", [64, 32, 16, 8, 4, 64], 1.0, "bowl", 100),
    Replicates("searches of 4 to 64 trials", [4, 8, 8, 16, 32, 64], 1.0, "bowl", 100),
    Replicates("searches of 16, a third reach the goal", [16] * 6, 1.0, "bowl", 100, within=2.3),
    Replicates("1 batch size, slow tail: upper end", [_ANY], tail="slow"),
    Replicates("2 batch sizes: upper ends", 2 * [_ANY], evaluations=100),
    Replicates("2 batch sizes, fast tail: upper ends", 2 * [_ANY], tail="fast", evaluations=100),
    Replicates("2 batch sizes, t of 3 degrees: upper ends", 2 * [_ANY], 0.1, "t3", 100),
    Replicates("2 searches of 16, a third reach it: upper ends", [16] * 2, 1.0, "bowl", 100, within=2.3),
    Replicates("no bend, 5 batch sizes: upper ends", 5 * [_ANY], evaluations=100, bent=False),
    Replicates("no bend, fast tail: upper ends", 5 * [_ANY], tail="fast", evaluations=100, bent=False),
    Replicates("searches of 16, one in eight reaches it", [16] * 6, 1.0, "bowl", 100, within=1.4),
)


def _replicates(index: int, runs: int, seed: int) -> dict[str, Any]:
    return REPLICATES[index].measure(runs, seed)


def settings(knees: Iterable[int] = KNEES) -> Iterator[Setting]:
    """All settings of these knees."""
    for trials, knee, noise, spacing in itertools.product(TRIALS, knees, NOISES, SPACINGS):
        yield Setting(trials, knee, noise, spacing)


def main() -> None:
    """The command line."""
    parser = parser_of(__doc__)
    parser.add_argument("--runs", type=int, default=400, help="searches per setting")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--only-given", action="store_true", help="only knee 1, noise 0.1, evaluation every 5 steps"
    )
    options: argparse.Namespace = parser.parse_args()
    chosen = [*settings(), *(one for one in settings((4,)) if (one.noise, one.spacing) == (0.1, 5))]
    changing = itertools.product(TRIALS, KNEES, (15, 1 / 15))
    chosen += [Setting(trials, knee, 0.08, 1, growth) for trials, knee, growth in changing]
    chosen += [
        Setting(16, knee, 0.1, spacing, counts=counts)
        for counts, knee, spacing in itertools.product(UNEVEN, KNEES, SPACINGS)
    ]
    if options.only_given:
        chosen = [one for one in chosen if (one.knee, one.noise, one.spacing) == (1, 0.1, 5)]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with ProcessPoolExecutor(2) as pool:
        count = len(chosen)
        found = list(pool.map(measure, chosen, [options.runs] * count, [options.seed] * count))
        others = range(0 if options.only_given else len(REPLICATES))
        replicates = list(pool.map(partial(_replicates, runs=options.runs, seed=options.seed), others))
    names = list(dict.fromkeys(name for shares in found for name in shares))
    for knee, kind in sorted({(one.knee, one.kind) for one in chosen}):
        print(
            f"knee {knee}{kind}: percent, mean (least to most)" + "".join(f"{f'n = {n}':>18}" for n in TRIALS)
        )
        for name in names:
            cells = []
            for trials in TRIALS:
                values = [
                    shares[name]
                    for one, shares in zip(chosen, found, strict=True)
                    if (one.trials, one.knee, one.kind) == (trials, knee, kind) and name in shares
                ]
                cells.append(
                    f"{np.mean(values):.0f} ({min(values):.0f} to {max(values):.0f})" if values else ""
                )
            if any(cells):
                print(f"  {name:<46}" + "".join(f"{cell:>18}" for cell in cells))
    for row in replicates:
        print(f"  {row['name']:<46}" + "".join(f"  {name} {row[name]:.1f}" for name in row if name != "name"))
    if options.json:
        kept = {
            "python": platform.python_version(),
            "runs": options.runs,
            "settings": [
                {**vars(one), **{name: round(value, 2) for name, value in shares.items()}}
                for one, shares in zip(chosen, found, strict=True)
            ],
            "replicates": [
                {name: value if name == "name" else round(value, 2) for name, value in row.items()}
                for row in replicates
            ],
        }
        options.json.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
