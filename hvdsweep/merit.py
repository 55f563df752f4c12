"""Order of merit: which trial of a study to train next, judged by the trials that have ended.

A study's points are fixed by its seed; only their order is chosen here, so that a good one comes early and, with `stop
= "beaten"`, cuts the others short. The rule is a Gaussian process with fixed scales over the logarithm of the steps to
the goal. Two trials are similar if their effective learning rates, momenta and batch sizes are, on logarithmic scales.
The best learning rate is assumed to grow as batch size to the power `LEARNING_RATE_GROWTH`. The next trial is the one
with the fewest predicted steps, with a small bonus for uncertain points. The same ended trials give the same choice.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hvdsweep.search import Choice, Range, Space

Floats = npt.NDArray[np.float64]

LEARNING_RATE_GROWTH = 0.75
"""Between the linear (1) and the square-root (1/2) heuristic."""
LEARNING_RATE_LENGTH = 0.7
"""Length scale of ln(effective learning rate): a factor of 2."""
MOMENTUM_LENGTH = 2.0
"""Length scale of ln(1 - momentum), at equal effective learning rate: a factor of 7."""
UNIT_LENGTH = 0.7
"""Length scale of any other searched metaparameter, as a share of its range."""
BATCH_SIZE_LENGTH = 3.0
"""Doublings of the batch size over which knowledge of a point carries over."""
LEVEL_LENGTH = 2.0
"""Doublings of the batch size over which the level of the steps to the goal carries over."""
NOISE = 0.3
"""Standard deviation of ln(steps) between trials of the same metaparameters."""
OPTIMISM = 0.2
"""Standard deviations subtracted from the prediction."""
MOST_SLOWER = 1.5
"""Upper limit on how far ln(steps) of a trial cut short is put above the best trial's."""
DIVERGED = 3.0
"""A diverged trial counts as needing this many times its budget."""
NEVER_REACHED = 1.5
"""In a study where no trial reached the goal, the best one counts as needing this many times its budget."""
START = 0.5
"""If nothing is known, the point nearest to this share of every range comes first."""

FARTHEST = 4.0
"""Batch sizes at most so many doublings away are used."""
BEST_OF_OTHERS, FIRST_OF_OTHERS = 4, 8
"""Trials of another batch size that are used: those with the fewest steps, and the first of the rest by number."""
MOST_OF_OWN = 64
MOST_PENDING = 512
"""The next trial is chosen among the first so many PENDING trials, by number."""


@dataclass(frozen=True)
class FinishedTrial:
    """A trial that is COMPLETE or diverged."""

    number: int
    parameters: Mapping[str, float]
    position: Mapping[str, float]
    """See `position`."""
    steps: int
    """Updates made."""
    diverged: bool
    goal_step: int | None
    """Steps to the goal; None if it was not reached."""
    records: tuple[tuple[int, float], ...]
    """(step, value) of its running best, ascending in steps; values are negated if more is better."""


@dataclass(frozen=True)
class KnownTrials:
    """What is known of one batch size. Kept until another trial ends, because its properties are cached."""

    batch_size: int
    budget: int
    """Steps."""
    ended: Sequence[FinishedTrial]

    @cached_property
    def by_steps(self) -> list[tuple[float, FinishedTrial]]:
        """(ln(steps to the goal), trial), the fewest steps first."""
        return sorted(
            zip(_log_steps(self), self.ended, strict=True), key=lambda pair: (pair[0], pair[1].number)
        )

    @cached_property
    def for_others(self) -> list[tuple[float, FinishedTrial]]:
        """The trials by which other batch sizes are judged: the best, and the first of the rest by number."""
        best, rest = self.by_steps[:BEST_OF_OTHERS], self.by_steps[BEST_OF_OTHERS:]
        return best + sorted(rest, key=lambda pair: pair[1].number)[:FIRST_OF_OTHERS]


@dataclass(frozen=True)
class PendingTrial:
    """A trial that may be next."""

    number: int
    parameters: Mapping[str, float]
    position: Mapping[str, float]


@dataclass(frozen=True)
class NextTrial:
    """The trial that comes next."""

    number: int
    reason: str
    """For the user, without its rank: "predicted 92 steps; most like ..."."""


def position(parameters: Mapping[str, float], space: Space, batch_size: int) -> dict[str, float]:
    """A trial's coordinates, in length scales, by name of the metaparameter. Fixed and listed values other than
    learning rate and momentum have none."""
    place: dict[str, float] = {}
    momentum = parameters.get("momentum")
    faster = 0.0
    if momentum is not None:
        faster = -math.log(max(1.0 - momentum, 1e-12))
        place["momentum"] = faster / MOMENTUM_LENGTH
    for name, value in parameters.items():
        if name == "learning_rate":
            effective = math.log(max(value, 1e-30)) + faster
            place[name] = (effective - LEARNING_RATE_GROWTH * math.log(batch_size)) / LEARNING_RATE_LENGTH
        elif name != "momentum" and isinstance(dimension := space.dimensions.get(name), Range | Choice):
            unit = float(dimension.to_unit(value))
            place[name] = unit / UNIT_LENGTH if math.isfinite(unit) else 0.0
    return place


def choose(
    pending: Sequence[PendingTrial], batch_size: int, known: Sequence[KnownTrials], space: Space
) -> NextTrial:
    """The next of the `pending` trials (at least one, ascending numbers) of the study of `batch_size`."""
    pending = pending[:MOST_PENDING]
    if len(pending) == 1:
        return NextTrial(pending[0].number, "the last one left")
    trials, logs, sizes = _evidence(batch_size, known)
    if not trials:
        return _first(pending, space)
    names = sorted({name for one in pending for name in one.position})
    seen = _places([trial.position for trial in trials], names)
    wanted = _places([one.position for one in pending], names)
    doublings = np.log2(np.asarray(sizes, np.float64) / batch_size)
    level = float(logs.mean())
    covariance = _kernel(seen, seen, doublings, doublings) + NOISE**2 * np.eye(len(trials))
    across = _kernel(wanted, seen, np.zeros(len(pending)), doublings)
    solved = np.linalg.solve(covariance, np.column_stack([logs - level, across.T]))
    mean = level + across @ solved[:, 0]
    variance = 2.0 - np.einsum("ij,ji->i", across, solved[:, 1:])
    merit = mean - OPTIMISM * np.sqrt(np.maximum(variance, 0.0))
    if not np.isfinite(merit).all():
        return NextTrial(pending[0].number, "the first by number, as no prediction can be made")
    # Rounded, so that the last bits of another machine's exp cannot change the order of ties; the smallest number wins.
    index = int(np.argmin(np.round(merit, 9)))
    nearest = int(np.argmin(((seen - wanted[index]) ** 2).sum(axis=1) + (doublings / BATCH_SIZE_LENGTH) ** 2))
    like = _described(trials[nearest], sizes[nearest])
    return NextTrial(pending[index].number, f"predicted {math.exp(mean[index]):,.0f} steps; most like {like}")


def _first(pending: Sequence[PendingTrial], space: Space) -> NextTrial:
    """The first trial, when nothing is known."""
    searched = space.searched
    if not searched:
        return NextTrial(pending[0].number, "the first by number, as nothing is known yet")
    values = {name: [one.parameters.get(name, math.nan) for one in pending] for name in searched}
    units = np.array([space.dimensions[name].to_unit(values[name]) for name in searched])
    away = np.nan_to_num(np.round(((units - START) ** 2).sum(axis=0), 9), nan=np.inf)
    return NextTrial(
        pending[int(np.argmin(away))].number, "near the middle of its ranges, as nothing is known yet"
    )


def _evidence(batch_size: int, known: Sequence[KnownTrials]) -> tuple[list[FinishedTrial], Floats, list[int]]:
    """The trials to judge by, their ln(steps to the goal) (known or estimated), and their batch sizes."""
    trials: list[FinishedTrial] = []
    logs: list[float] = []
    sizes: list[int] = []
    for study in known:
        if abs(math.log2(study.batch_size / batch_size)) > FARTHEST or not study.ended:
            continue
        chosen = study.by_steps[:MOST_OF_OWN] if study.batch_size == batch_size else study.for_others
        for log, trial in chosen:
            trials.append(trial)
            logs.append(log)
            sizes.append(study.batch_size)
    return trials, np.asarray(logs, np.float64), sizes


def _log_steps(study: KnownTrials) -> list[float]:
    """ln(steps to the goal) of every ended trial of a study, estimated if not known.

    A trial that reached a value after c steps, and the study's best trial after b, is assumed to be c / b times slower.
    """
    reached = [trial for trial in study.ended if trial.goal_step is not None and not trial.diverged]
    best: FinishedTrial | None = None
    base = math.log(NEVER_REACHED * max(study.budget, 1))
    if reached:
        best = min(reached, key=lambda trial: (trial.goal_step, trial.number))
        base = math.log(max(best.goal_step or 0, 1))
    else:
        measured = [trial for trial in study.ended if trial.records and not trial.diverged]
        if measured:
            best = min(measured, key=lambda trial: (trial.records[-1][1], trial.number))
    # Values of the running best fall; negated they rise, as bisect needs.
    path = [-value for _, value in best.records] if best else []
    logs = []
    for trial in study.ended:
        if trial.diverged:
            log = math.log(DIVERGED * max(study.budget, 1))
        elif trial.goal_step is not None:
            log = math.log(max(trial.goal_step, 1))
        else:
            slower = MOST_SLOWER
            if best is not None and trial.records:
                # The first record of the best trial at or beyond the value.
                index = bisect_left(path, -trial.records[-1][1])
                step = best.records[min(index, len(path) - 1)][0]
                slower = min(MOST_SLOWER, math.log(max(trial.steps, 1) / max(step, 1)))
            log = max(base + max(slower, 0.0), math.log(trial.steps + 1))
        logs.append(log)
    return logs


def _places(positions: Sequence[Mapping[str, float]], names: Sequence[str]) -> Floats:
    return np.array([[place.get(name, 0.0) for name in names] for place in positions]).reshape(
        len(positions), len(names)
    )


def _kernel(one: Floats, other: Floats, doublings: Floats, others: Floats) -> Floats:
    """Covariance of ln(steps): that of the point plus that of the batch size's level; each has variance 1."""
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None, :] - 2.0 * one @ other.T
    apart = (doublings[:, None] - others[None, :]) ** 2
    covariance: Floats = np.exp(-0.5 * (np.maximum(squares, 0.0) + apart / BATCH_SIZE_LENGTH**2)) + np.exp(
        -0.5 * apart / LEVEL_LENGTH**2
    )
    return covariance


def _described(trial: FinishedTrial, batch_size: int) -> str:
    values = [f"{name} {trial.parameters[name]:.3g}" for name in sorted(trial.parameters)]
    if trial.diverged:
        outcome = "diverged"
    elif trial.goal_step is not None:
        outcome = f"{trial.goal_step:,} steps"
    else:
        outcome = f"not there after {trial.steps:,} steps"
    return f"trial {trial.number} of batch size {batch_size:,} ({', '.join([*values[:2], outcome])})"
