"""The scaling curve of one workload as one public object: what the command line prints and the charts draw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hvdsweep.curves.fitted import ScalingFit
from hvdsweep.curves.intervals import OF_OPEN, OF_REPEATED, OF_UPPER_END, Interval, relative_width
from hvdsweep.curves.noise import CurveNoise, Estimates, curve_noise
from hvdsweep.curves.outcomes import StepsToResult
from hvdsweep.curves.repeated import Repeats
from hvdsweep.curves.scaling import Critical, Region, Rules, Useful
from hvdsweep.curves.warnings import CurveWarning
from hvdsweep.tokens import Unit


@dataclass(frozen=True)
class CurvePoint:
    """One batch size of a curve."""

    batch_size: int
    steps: int | None
    """Steps to the goal: the least over the trials; None if no trial reached it."""
    trial: int | None
    """Number of the trial that reached it first; ties: the smallest."""
    trial_id: int | None
    """The same trial's row in the store."""
    reached: bool
    budget: int
    """Steps within which the goal was reached or not: the study's budget, or the requested one if that is less."""
    examples: int | None
    """Training examples to the goal: steps x batch size."""
    interval: Interval | None
    """Where the best of a repeated search with as many trials would lie, see `hvdsweep.curves.intervals`. A lower end
    of 0: only the upper end is known. An upper end of None: another search may not reach the goal. None: not reached,
    reached before any training, a single trial, or nothing known."""
    perfect_scaling: float | None
    """Steps with perfect scaling from the smallest batch size."""
    overhead: float | None
    """Examples to the goal over those of the smallest batch size, less 1."""
    normalised: float | None
    """Steps over those at the requested batch size; None if none was requested."""
    region: Region | None
    trials: int
    """Trials that counted."""
    trials_reached: int
    """How many of them reached the goal."""
    infeasible: int
    """Trials of the study that diverged."""
    trials_undecided: int
    """Trials stopped because of the sweep's own goal that might have changed this answer; 0: nothing was lost."""
    trials_censored: int
    """Trials stopped because of the sweep's own goal before they reached this one; they might have reached it later."""
    trials_stopped_early: int
    """Trials that ended before their budget, at the sweep's own goal or beaten: they might have diverged later."""
    best_value: float | None
    """Best objective of the study within the budgets."""
    best_step: int | None
    best_trial: int | None
    """Number of the trial that measured it."""
    parameters: Mapping[str, float]
    """Metaparameters of the trial that reached the goal first; if none did, of the one with the best measurement."""
    effective_learning_rate: float | None
    """Initial learning rate / (1 - momentum) of that trial."""
    warnings: tuple[CurveWarning, ...]
    repeats: Repeats | None = None
    """The repeats of trial `trial`; None if there are none."""

    @property
    def interval_of(self) -> str | None:
        """What the interval is of, in words."""
        if self.interval is None:
            return None
        if self.interval[0] == 0:
            return OF_UPPER_END
        return OF_OPEN if self.interval[1] is None else OF_REPEATED

    @property
    def relative_width(self) -> float | None:
        """Half the interval's width relative to the steps: this point's uncertainty. None without an interval."""
        return relative_width(self.steps, self.interval)

    @property
    def standing(self) -> str:
        """The point's region in words, or why it has none."""
        if self.reached:
            return str(self.region) if self.steps else "reached at the start"
        if self.trials:
            return "not reached"
        return "all diverged" if self.infeasible else "not tried yet"


@dataclass(frozen=True, eq=False)
class Curve:
    """Steps to a goal against batch size, with everything derived from them."""

    workload: str
    metric: str
    goal: float
    maximize: bool
    points: tuple[CurvePoint, ...]
    """Ascending by batch size; every study of the table is here, reached or not."""
    fit: ScalingFit | None
    """None if fewer than three batch sizes reached the goal, or the curve does not bend."""
    no_fit: str | None
    """Why there is no fit; None if there is one, or none was asked for."""
    useful: Useful | None
    """The maximum useful batch size; None if no batch size reached the goal."""
    critical: Critical | None
    """Critical batch size at the rules' overhead over perfect scaling."""
    rules: Rules
    level: float
    """Level of the intervals."""
    step_budget: float | None
    example_budget: float | None
    num_trials: int | None
    normalise: int | None
    """The batch size whose steps are the divisor of `CurvePoint.normalised`."""
    result: StepsToResult
    """The arrays from which everything is derived."""
    noise: CurveNoise | None = None
    """The gradient noise scale of the best trials; None if it was not estimated."""
    tokens_per_example: int | None = None
    """Tokens per example if data are counted in tokens, else None. Batch sizes are always in examples."""

    @property
    def unit(self) -> Unit:
        """The unit in which data are counted."""
        return "samples" if self.tokens_per_example is None else "tokens"

    @property
    def data(self) -> str:
        """The unit as a column title."""
        return "examples" if self.tokens_per_example is None else "tokens"

    @property
    def per_example(self) -> int:
        """Units per example."""
        return self.tokens_per_example or 1

    def with_noise(self, estimates: Mapping[int, Estimates]) -> Curve:
        """The curve with the noise scale of its trials; `estimates` by trial id."""
        best = [
            (point.batch_size, point.steps, estimates[point.trial_id])
            for point in self.points
            if point.steps and point.trial_id is not None and point.trial_id in estimates
        ]
        return replace(self, noise=curve_noise(best, self.level)) if best else self

    @property
    def max_useful_batch_size(self) -> int | None:
        """The smallest batch size within the rule's tolerance of the fewest steps; None if none reached the goal."""
        return None if self.useful is None else self.useful.batch_size

    @property
    def useful_interval(self) -> tuple[float, float] | None:
        """Batch sizes that may be the maximum useful one; an upper end of inf is open. None if not known."""
        interval = None if self.useful is None else self.useful.interval
        if interval is None:
            return None
        return float(interval[0]), math.inf if interval[1] is None else float(interval[1])

    @property
    def batch_sizes(self) -> list[int]:
        return [point.batch_size for point in self.points]

    @property
    def steps(self) -> list[int | None]:
        return [point.steps for point in self.points]


def finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
