"""The input of every analysis: one workload under one metric as flat arrays, checked once and never changed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from hvdsweep.errors import UserError
from hvdsweep.states import Status, StopReason

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint8]
_Item = TypeVar("_Item", bound=np.generic)

COMPLETE_ONLY: tuple[Status, ...] = (Status.COMPLETE,)
"""The trials that count in the paper (section 8, point 1 of the protocol)."""

LIVE: tuple[Status, ...] = (Status.COMPLETE, Status.RUNNING)
"""The trials that count in a live view: the records of a running trial are final too."""

_INTS = ("batch_sizes", "train_steps", "target_trials", "study", "trial_id", "number", "steps", "offsets")
_CODES = ("status", "stop_reason")


@dataclass(frozen=True, eq=False)
class WorkloadTable:
    """One workload under one metric: S studies, T trials sorted by (batch size, number), R records.

    A record is a finite measurement strictly better than every earlier one of its trial; those of trial i are
    `offsets[i]:offsets[i + 1]`. The records answer every goal and every budget exactly: the first measurement beyond a
    goal is always a record. Raises ValueError if the arrays contradict each other.
    """

    workload: str
    """Its name, `dataset/model/algorithm`."""
    metric: str
    """The measured column, e.g. `val/classification_error`."""
    maximize: bool
    """Whether larger is better; the records are kept in this direction."""
    goal: float | None
    """The sweep's own goal; None if it has none (imported data)."""
    train_examples: int | None
    """Examples of the training set, for epochs."""
    batch_sizes: Ints
    """[S], ascending."""
    train_steps: Ints
    """[S], the step budget; 0 if the budget was wall time."""
    target_trials: Ints
    """[S], the wanted number of trials that did not diverge; 0 if unknown."""
    study: Ints
    """[T], index into `batch_sizes`."""
    trial_id: Ints
    """[T], row of the store."""
    number: Ints
    """[T], number within the study: breaks ties, and defines the first `num_trials`."""
    status: Codes
    """[T], `Status`."""
    stop_reason: Codes
    """[T], `StopReason`."""
    steps: Ints
    """[T], updates made."""
    parameters: Mapping[str, Floats]
    """Metaparameter -> [T], NaN if a trial lacks it."""
    offsets: Ints
    """[T + 1], where each trial's records start."""
    record_step: Ints
    """[R]"""
    record_value: Floats
    """[R]"""
    margin: float | None = None
    """Share beyond the fewest steps to `goal` up to which beaten trials are trained; None if none are, or no further."""

    def __post_init__(self) -> None:
        for name in (*_INTS, "record_step"):
            self._freeze(name, np.asarray(getattr(self, name), np.int64))
        for name in _CODES:
            self._freeze(name, np.asarray(getattr(self, name), np.uint8))
        self._freeze("record_value", np.asarray(self.record_value, np.float64))
        parameters = {
            name: _frozen(np.asarray(values, np.float64)) for name, values in self.parameters.items()
        }
        object.__setattr__(self, "parameters", parameters)
        self._check()

    def _freeze(self, name: str, array: npt.NDArray[np.generic]) -> None:
        object.__setattr__(self, name, _frozen(array))

    def _check(self) -> None:
        studies, trials = len(self.batch_sizes), len(self.study)
        for name, size in {"train_steps": studies, "target_trials": studies, "offsets": trials + 1}.items():
            _require(
                len(getattr(self, name)) == size, f"{name}: length {len(getattr(self, name))}, not {size}"
            )
        for name in ("trial_id", "number", "status", "stop_reason", "steps"):
            _require(len(getattr(self, name)) == trials, f"{name}: not one value per trial ({trials})")
        for name, values in self.parameters.items():
            _require(len(values) == trials, f"parameters.{name}: not one value per trial ({trials})")
        _require(bool((np.diff(self.batch_sizes) > 0).all()), "batch_sizes: not strictly ascending")
        _require(studies == 0 or int(self.batch_sizes[0]) > 0, "batch_sizes: must be positive")
        if trials:
            _require(int(self.study.min()) >= 0 and int(self.study.max()) < studies, "study: out of range")
            same = self.study[1:] == self.study[:-1]
            ordered = np.where(same, self.number[1:] > self.number[:-1], self.study[1:] > self.study[:-1])
            _require(bool(ordered.all()), "trials: not sorted by (batch size, number), or a number twice")
        records = len(self.record_step)
        _require(len(self.record_value) == records, "record_value: not one value per record_step")
        ends = (int(self.offsets[0]), int(self.offsets[-1]))
        _require(
            ends == (0, records) and bool((np.diff(self.offsets) >= 0).all()), "offsets: do not span records"
        )
        if records:
            _require(
                bool(np.isfinite(self.record_value).all()), "record_value: only finite values are records"
            )
            later = self.record_trial[1:] == self.record_trial[:-1]
            grown = self.record_step[1:] > self.record_step[:-1]
            gain = np.greater if self.maximize else np.less
            better = gain(self.record_value[1:], self.record_value[:-1])
            _require(bool((grown | ~later).all()), "record_step: not strictly ascending within a trial")
            _require(bool((better | ~later).all()), "record_value: a record does not beat the one before it")

    # -- values that do not depend on the question, computed once --------------------------------------------------

    @cached_property
    def record_trial(self) -> Ints:
        """[R], the trial each record belongs to."""
        return _frozen(np.repeat(np.arange(len(self.study)), np.diff(self.offsets)))

    @cached_property
    def previous_value(self) -> Floats:
        """[R], the previous record of the same trial; the worst possible value for a trial's first."""
        previous = np.empty_like(self.record_value)
        previous[1:] = self.record_value[:-1]
        previous[self.offsets[:-1][np.diff(self.offsets) > 0]] = -np.inf if self.maximize else np.inf
        return _frozen(previous)

    @cached_property
    def next_step(self) -> Ints:
        """[R], the step of the next record of the same trial; the largest integer for a trial's last."""
        following = np.empty_like(self.record_step)
        following[:-1] = self.record_step[1:]
        following[self.offsets[1:][np.diff(self.offsets) > 0] - 1] = np.iinfo(np.int64).max
        return _frozen(following)

    @cached_property
    def study_starts(self) -> Ints:
        """[S + 1], index of each study's first trial."""
        return _frozen(np.searchsorted(self.study, np.arange(len(self.batch_sizes) + 1)))

    @cached_property
    def stopped(self) -> Bools:
        """[T], trials stopped before their budget because of the sweep's own goal."""
        return _frozen((self.stop_reason == StopReason.GOAL) | (self.stop_reason == StopReason.BEATEN))

    @cached_property
    def best_value(self) -> Floats:
        """[T], each trial's best measurement; NaN if it has none."""
        best = np.full(len(self.study), np.nan)
        some = np.diff(self.offsets) > 0
        best[some] = self.record_value[self.offsets[1:][some] - 1]
        return _frozen(best)

    @cached_property
    def effective_learning_rate(self) -> Floats:
        """[T], initial learning rate / (1 - momentum); momentum 0 if there is none (paper, section 8.6)."""
        rate = self.parameters.get("learning_rate")
        if rate is None:
            return _frozen(np.full(len(self.study), np.nan))
        momentum = np.nan_to_num(self.parameters.get("momentum", np.zeros(len(self.study))), nan=0.0)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return _frozen(rate / (1.0 - momentum))

    # -- parts of the table ----------------------------------------------------------------------------------------

    def trials_of(self, batch_size: int) -> Ints:
        """Indices of one study's trials. UserError if no study has this batch size."""
        index = self.study_of(batch_size)
        return np.arange(self.study_starts[index], self.study_starts[index + 1])

    def study_of(self, batch_size: int) -> int:
        """Index of the study with this batch size. UserError if there is none."""
        index = int(np.searchsorted(self.batch_sizes, batch_size))
        if index == len(self.batch_sizes) or self.batch_sizes[index] != batch_size:
            known = ", ".join(str(size) for size in self.batch_sizes)
            raise UserError(f"{self.workload}: batch size {batch_size}: no such study; there are {known}")
        return index

    def parameters_of(self, trial: int) -> dict[str, float]:
        """The metaparameters of one trial (an index, not a number)."""
        values = {name: float(column[trial]) for name, column in self.parameters.items()}
        return {name: value for name, value in values.items() if value == value}

    def counted(self, statuses: Sequence[Status] = COMPLETE_ONLY, num_trials: int | None = None) -> Bools:
        """[T], which trials count: those of `statuses`, and of each study only the first `num_trials` by number.

        UserError if a study has fewer than `num_trials` (paper, section 8, point 1).
        """
        counts = np.zeros(256, np.bool_)
        counts[list(statuses)] = True
        chosen = counts[self.status]
        if num_trials is None:
            return chosen
        if num_trials < 1:
            raise UserError(f"num_trials: {num_trials}: must be at least 1")
        cumulative = np.concatenate(([0], np.cumsum(chosen)))
        before = cumulative[self.study_starts]
        available = np.diff(before)
        words = " or ".join(status.name for status in statuses)
        short = [
            f"{self.workload}: batch size {size}: num_trials: {num_trials}: there are only {have} {words} trials; "
            f"ask for at most {have}, leave this batch size out, or train more"
            for size, have in zip(self.batch_sizes.tolist(), available.tolist(), strict=True)
            if have < num_trials
        ]
        if short:
            raise UserError(*short)
        rank = cumulative[:-1] - before[self.study]
        first: Bools = chosen & (rank < num_trials)
        return first

    def restrict(
        self, *, num_trials: int | None = None, statuses: Sequence[Status] = COMPLETE_ONLY
    ) -> WorkloadTable:
        """The table of the trials that count (see `counted`), every study kept."""
        return self.select(self.counted(statuses, num_trials))

    def select(self, trials: Bools | Ints) -> WorkloadTable:
        """The table of some trials (a mask [T] or ascending indices); every study is kept, even without trials."""
        kept = np.flatnonzero(trials) if trials.dtype == np.bool_ else np.asarray(trials, np.int64)
        lengths = np.diff(self.offsets)[kept]
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        rows = np.arange(offsets[-1]) + np.repeat(self.offsets[kept] - offsets[:-1], lengths)
        per_trial = ("study", "trial_id", "number", "status", "stop_reason", "steps")
        return replace(
            self,
            **{name: getattr(self, name)[kept] for name in per_trial},
            parameters={name: values[kept] for name, values in self.parameters.items()},
            offsets=offsets,
            record_step=self.record_step[rows],
            record_value=self.record_value[rows],
        )

    def drop(self, batch_sizes: Iterable[int]) -> WorkloadTable:
        """The table without the studies of these batch sizes; unknown ones are ignored."""
        unwanted = np.isin(self.batch_sizes, np.asarray(list(batch_sizes), np.int64))
        return self._studies(~unwanted)

    def keep(self, batch_sizes: Iterable[int]) -> WorkloadTable:
        """The table of only these batch sizes. UserError if one has no study."""
        kept = np.zeros(len(self.batch_sizes), np.bool_)
        kept[[self.study_of(size) for size in batch_sizes]] = True
        return self._studies(kept)

    def _studies(self, kept: Bools) -> WorkloadTable:
        table = self.select(kept[self.study])
        place = np.cumsum(kept) - 1
        per_study = ("batch_sizes", "train_steps", "target_trials")
        return replace(
            table, study=place[table.study], **{name: getattr(self, name)[kept] for name in per_study}
        )

    def split(
        self, name: str, *, missing: float | None = None, edges: Sequence[float] | None = None
    ) -> dict[float | tuple[float, float], WorkloadTable]:
        """One table per value of a metaparameter, or per interval [edge, next edge) (the last one closed).

        `missing` is the value for trials that lack it (the paper's Figure 7: label smoothing 0); without it they are
        left out. UserError if no trial has the metaparameter, or it has more than 20 values and no `edges` are given.
        """
        values = self.parameters.get(name)
        if values is None and missing is None:
            known = ", ".join(sorted(self.parameters)) or "none"
            raise UserError(f"{self.workload}: metaparameter {name!r}: no trial has it; there are {known}")
        column = np.full(len(self.study), np.nan) if values is None else values
        column = column if missing is None else np.where(np.isnan(column), missing, column)
        if edges is not None:
            if len(edges) < 2 or bool((np.diff(edges) <= 0).any()):
                raise UserError(f"edges: {list(edges)}: need at least two, strictly ascending")
            parts: dict[float | tuple[float, float], WorkloadTable] = {}
            for low, high in itertools.pairwise(edges):
                inside = (column >= low) & ((column <= high) if high == edges[-1] else (column < high))
                parts[float(low), float(high)] = self.select(inside)
            return parts
        distinct = np.unique(column[~np.isnan(column)])
        if len(distinct) > 20:
            raise UserError(
                f"{self.workload}: {name}: {len(distinct)} different values; give the edges of intervals"
            )
        return {float(value): self.select(column == value) for value in distinct}


def _frozen(array: npt.NDArray[_Item]) -> npt.NDArray[_Item]:
    view = array.view()
    view.flags.writeable = False
    return view


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ValueError(f"WorkloadTable: {problem}")
