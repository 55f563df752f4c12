"""Which trials of a plan each of N shards trains: every job computes the same answer."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path

from hvdsweep.batch.folder import BatchFolder
from hvdsweep.errors import UserError
from hvdsweep.layout import Shape
from hvdsweep.plan import Plan, StudyPlan, TrialPlan
from hvdsweep.plan_layout import forecast
from hvdsweep.step_time import StepTimes
from hvdsweep.store.shard_files import Exchange

MOST_SHARDS = 100_000

OFFSET = "HVDSWEEP_SHARD_OFFSET"
"""Environment variable that `--shard auto` adds to the array index, if one sweep is several arrays."""


@dataclass(frozen=True)
class Shard:
    """One part of a sweep."""

    index: int
    """Counted from 1."""
    of: int

    def __str__(self) -> str:
        return f"{self.index}/{self.of}"


Numbers = dict[tuple[str, int], tuple[tuple[int, ...], ...]]
"""(workload, batch size) -> for each shard the numbers of its trials, ascending."""


def partition(plan: Plan, shards: int, costs: Mapping[tuple[str, int], float] | None = None) -> Numbers:
    """Assign every trial of the plan to a shard, so that all shards have about the same work.

    `costs`: seconds of one trial of each (workload, batch size); else a rough estimate from the steps, the batch size
    and the number of weights. Each shard gets an equal number of each study's trials. The rest of each study, fewer
    trials than shards, goes to the shards with the least work so far, studies with long trials first.
    """
    # Without measured speeds: these differ between machines, but the parts must not.
    seconds = costs or {job.key: job.seconds[1] for job in forecast(plan, [Shape(1, 1)], StepTimes(())).jobs}
    order = sorted(plan.studies, key=lambda study: (-seconds[_name(study)], study.workload, study.batch_size))
    load = [0.0] * shards
    parts: Numbers = {}
    for rank, study in enumerate(order):
        whole, rest = divmod(study.target_trials, shards)
        numbers: list[list[int]] = [[] for _ in range(shards)]
        for number in range(whole * shards):
            numbers[(number + rank) % shards].append(number)
        idle = sorted(range(shards), key=lambda index: (load[index], index))[:rest]
        for number, index in enumerate(idle, start=whole * shards):
            numbers[index].append(number)
            load[index] += seconds[_name(study)]
        parts[_name(study)] = tuple(map(tuple, numbers))
    return parts


def _name(study: StudyPlan) -> tuple[str, int]:
    return study.workload, study.batch_size


@dataclass(frozen=True)
class ShardStudy(StudyPlan):
    """A study of which one shard trains some trials."""

    numbers: tuple[int, ...] = ()
    """Numbers of its trials, ascending."""
    planned: int = 0
    """Trials of the whole study, without replacements."""
    exchange: Exchange | None = field(default=None, compare=False, repr=False)

    @cached_property
    def trials(self) -> tuple[TrialPlan, ...]:
        """The trials of this shard."""
        every = self.trial_range(0, self.numbers[-1] + 1) if self.numbers else ()
        return tuple(every[number] for number in self.numbers)

    def next_numbers(self, taken: Collection[int], count: int) -> list[int]:
        """Up to `count` further numbers that this shard may train besides `taken`: its share, then replacements.

        A replacement of a diverged trial has the lowest number that no shard has, so that all shards together train
        what one machine would.
        """
        mine = [number for number in self.numbers if number not in taken][:count]
        if len(mine) < count and self.exchange is not None:
            left = range(self.planned, self.max_trials)
            mine += self.exchange.claim(self.key, left, taken, count - len(mine))
        return mine


@dataclass(frozen=True)
class ShardPlan(Plan):
    """The plan of one shard."""

    shard: Shard = Shard(1, 1)
    whole: Plan | None = field(default=None, compare=False, repr=False)
    """The plan of the whole sweep."""
    exchange: Exchange | None = field(default=None, compare=False, repr=False)

    @property
    def shard_json(self) -> str:
        """Stored in the shard's database: which part it is, and where shards exchange results."""
        assert self.whole is not None
        studies = [
            {"workload": study.workload, "batch_size": study.batch_size, "trials": study.target_trials}
            | {"max_trials": study.max_trials}
            for study in self.whole.studies
        ]
        note = {"index": self.shard.index, "of": self.shard.of, "studies": studies}
        repeats = [
            {"workload": study.workload, "batch_size": study.batch_size, "repeats": study.repeats}
            for study in self.whole.studies
            if study.repeats
        ]
        if repeats:
            note["repeats"] = repeats
        if self.exchange is not None:
            note["exchange"] = str(self.exchange.folder)
        return json.dumps(note)


def part_of(plan: Plan, shard: Shard, exchange_folder: Path | None = None) -> ShardPlan:
    """The plan of one shard. Studies without a trial in it are left out.

    For trials in rounds the shards train the first round, and the merged sweep decides the others.
    """
    exchange = None
    if exchange_folder is not None:
        exchange = Exchange(exchange_folder / plan.key[:16], shard.index)
    numbers = partition(plan, shard.of)
    workloads = []
    for workload in plan.workloads:
        studies = []
        for study in workload.studies:
            mine = numbers[_name(study)][shard.index - 1]
            if mine:
                values = {one.name: getattr(study, one.name) for one in fields(StudyPlan)}
                values |= {"target_trials": len(mine), "most_trials": None, "until": None, "widen": False}
                # Only all shards together determine the best trial: the merged sweep is launched for its repeats.
                values["repeats"] = 0
                studies.append(
                    ShardStudy(**values, numbers=mine, planned=study.target_trials, exchange=exchange)
                )
        if studies:
            workloads.append(replace(workload, studies=tuple(studies)))
    values = {one.name: getattr(plan, one.name) for one in fields(Plan)}
    values["workloads"] = tuple(workloads)
    return ShardPlan(**values, shard=shard, whole=plan, exchange=exchange)


def parse_shard(
    text: str, folder: BatchFolder | None = None, environment: Mapping[str, str] = os.environ
) -> Shard:
    """Parse `K/N`, or `auto`: from the array job of this process, and from the number of shards in the folder if it has
    one.

    UserError if neither is available.
    """
    count = folder.count if folder is not None else None
    if text == "auto":
        return _from_environment(environment, count)
    index, slash, total = text.partition("/")
    if not (slash and _is_number(index) and _is_number(total)):
        raise UserError(f"--shard: {text}: is neither K/N (3/16: the third of 16 parts) nor auto.")
    shard = Shard(int(index), int(total))
    if not 1 <= shard.index <= shard.of <= MOST_SHARDS:
        raise UserError(
            f"--shard: {text}: K counts from 1 to N, and N is at most {MOST_SHARDS:,}. Give 1/{total} to {total}/{total}."
        )
    if count is not None and count != shard.of:
        raise UserError(
            f"--shard: {text}: {folder.record if folder else ''} says that there are {count} shards. Give K/{count}."
        )
    return shard


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(MOST_SHARDS))


@dataclass(frozen=True)
class _Array:
    """How a scheduler numbers the jobs of an array: names of environment variables."""

    index: str
    first: str | int = 1
    last: str | None = None
    count: str | None = None
    step: str | None = None

    @property
    def as_words(self) -> str:
        """The number of the shard, as a shell writes it."""
        return f"$(({self.index} + 1))" if self.first == 0 else f"${self.index}"


ARRAYS = (
    _Array(
        "SLURM_ARRAY_TASK_ID",
        first="SLURM_ARRAY_TASK_MIN",
        count="SLURM_ARRAY_TASK_COUNT",
        step="SLURM_ARRAY_TASK_STEP",
    ),
    _Array("PBS_ARRAY_INDEX"),
    _Array("LSB_JOBINDEX", last="LSB_JOBINDEX_END", step="LSB_JOBINDEX_STEP"),
    _Array("SGE_TASK_ID", first="SGE_TASK_FIRST", last="SGE_TASK_LAST", step="SGE_TASK_STEPSIZE"),
    _Array("JOB_COMPLETION_INDEX", first=0),
)
"""Slurm, PBS, LSF, Grid Engine, Kubernetes (which counts from 0)."""


def _from_environment(environment: Mapping[str, str], count: int | None) -> Shard:
    def number(name: str | int | None, default: int | None = None) -> int | None:
        text = str(name) if isinstance(name, int) else environment.get(name or "", "")
        return int(text) if _is_number(text) else default

    for array in ARRAYS:
        index = number(array.index)
        # LSF sets 0, and Grid Engine `undefined`, in jobs that are not arrays.
        if index is None or (array.index == "LSB_JOBINDEX" and index == 0):
            continue
        if count is not None:
            # Jobs of a folder have the numbers of its shards, also if only some shards are submitted again.
            index += number(OFFSET, 0) or 0
            shard = Shard(index + (array.first == 0), count)
        else:
            step = max(number(array.step, 1) or 1, 1)
            first, last, total = number(array.first, 1) or 0, number(array.last), number(array.count)
            if total is None and last is not None:
                total = (last - first) // step + 1
            if total is None:
                raise UserError(
                    f"--shard: auto: {array.index} is {index}, but the scheduler does not say how many jobs there are. "
                    f"Give --shard {array.as_words}/N."
                )
            shard = Shard((index - first) // step + 1, total)
        if not 1 <= shard.index <= shard.of <= MOST_SHARDS:
            raise UserError(
                f"--shard: auto: {array.index} is {environment[array.index]}, which is none of {shard.of} shards. "
                "Give --shard K/N."
            )
        return shard
    names: Sequence[str] = [array.index for array in ARRAYS]
    raise UserError(
        f"--shard: auto: none of {', '.join(names[:-1])} and {names[-1]} is set: this is no array job. Give --shard K/N."
    )
