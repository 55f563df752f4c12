"""What a plan amounts to on np ranks and so many gangs: trials, steps, the split of every batch, hours, and
advice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from hvdsweep.plan import Plan, StudyPlan, WorkloadPlan
from hvdsweep.split import micro_batches, split_batch
from hvdsweep.step_time import Timing, step_seconds

ALLREDUCE_SECONDS = 1.5e-3
"""What averaging gradients over two local ranks costs a step (measured over Gloo: 0.8 to 2 ms), whatever the
model."""
FLOPS_PER_SECOND = 1e10
"""Of one CPU core, roughly; a GPU is so much faster that even fewer splits pay."""


class Speed(Protocol):
    """A measured speed, as the store keeps it (`hvdsweep.store.rows.ThroughputRow`)."""

    @property
    def workload(self) -> str: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def np(self) -> int: ...
    @property
    def gangs(self) -> int: ...
    @property
    def steps_per_second(self) -> float: ...


@dataclass(frozen=True)
class StudySummary:
    """One study on np ranks."""

    workload: str
    batch_size: int
    trials: int
    """That did not diverge: the study's target."""
    max_trials: int
    steps: int
    """Per trial."""
    measurements: int
    """Per trial, the initial weights included."""
    examples: int
    """Over all trials, without replacements of diverged ones."""
    ranks: tuple[int, ...]
    """Examples of a batch that each rank takes; 0 for a rank that has nothing to do."""
    passes: tuple[tuple[int, ...], ...]
    """Of each rank: the sizes of the passes (micro-batches) its share is accumulated over."""
    steps_per_second: float | None
    """Of one gang with this np: measured, or expected from what was measured (`step_seconds`); None where
    nothing is known."""
    measured: bool
    """Whether the speed was measured at this very batch size."""
    hours: float | None
    """Training time of the study on one gang, at that speed."""


@dataclass(frozen=True)
class PlanSummary:
    """The whole plan on np ranks per trial, `gangs` trials side by side."""

    name: str
    key: str
    file: str | None
    np: int
    gangs: int
    workloads: int
    studies: tuple[StudySummary, ...]
    trials: int
    steps: int
    """Over all trials."""
    examples: int
    hours: float | None
    """Expected on all gangs: training steps alone, no replacements; at most that if trials may end at the
    goal. None as long as the speed of some study is unknown."""
    advice: str
    """Whether more ranks or more gangs make this plan finish sooner, and why."""
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values, nested as above."""
        return asdict(self)


def summarize(plan: Plan, np: int = 1, gangs: int = 1, throughput: Iterable[Speed] = ()) -> PlanSummary:
    """Add up `plan`. Measured `throughput` (in order of time: the last row of a kind counts) gives the
    expected hours."""
    speeds = [row for row in throughput if row.np == np and row.steps_per_second > 0]
    studies = tuple(
        _study(study, granule_of(workload.model, study), np, gangs, speeds)
        for workload in plan.workloads
        for study in workload.studies
    )
    hours = None
    if all(study.hours is not None for study in studies):
        hours = sum(study.hours or 0.0 for study in studies) / gangs
    return PlanSummary(
        name=plan.name,
        key=plan.key,
        file=plan.file,
        np=np,
        gangs=gangs,
        workloads=len(plan.workloads),
        studies=studies,
        trials=sum(study.trials for study in studies),
        steps=sum(study.trials * study.steps for study in studies),
        examples=sum(study.examples for study in studies),
        hours=hours,
        advice=advice(plan.workloads, np, gangs),
        warnings=plan.warnings,
    )


def granule_of(model: str, study: StudyPlan) -> int:
    """Rows that a model's layers look at together; 1 for the user's own model, whose granule only building it
    tells."""
    from workloads import architectures, catalogue

    if catalogue.is_user_code(model):
        return 1
    architecture = architectures.find(model)
    if "ghost_batch" not in architecture.options:
        return architecture.granule
    return int(study.definition["model_options"].get("ghost_batch", architecture.granule))


def advice(workloads: Sequence[WorkloadPlan], np: int, gangs: int) -> str:
    """One or two sentences on the choice between more ranks per trial and more trials side by side."""
    together = np * gangs
    if np == 1:
        side = "one trial at a time" if gangs == 1 else f"{gangs} trials side by side"
        return (
            f"Each trial trains on one rank, {side}: nothing is spent on averaging gradients. More ranks per trial (--np) "
            "pay only where a rank's share of one step takes several milliseconds, or where a model does not fit one device."
        )
    instead = f"--gangs {together} --np 1 trains {together} trials side by side on the same {together} ranks"
    known = [workload for workload in workloads if workload.parameters is not None]
    if not known:
        return (
            f"Averaging gradients over {np} ranks costs 1 to 2 ms a step here; unless a step takes much longer than that, "
            f"{instead} and finishes sooner."
        )
    sizes = sorted({study.batch_size for workload in known for study in workload.studies})
    gain = [size for size in sizes if any(_pays(workload, size, np) for workload in known)]
    if not gain:
        return (
            f"No batch size of this plan gives a rank enough to do: averaging gradients over {np} ranks costs about "
            f"{ALLREDUCE_SECONDS * 1e3:g} ms a step, more than it saves. {instead} and finishes sooner."
        )
    where = "every batch size" if gain == sizes else f"batch sizes from {gain[0]}"
    return (
        f"By a rough estimate {np} ranks speed up a single trial at {where}. Trials side by side need no averaging at all: "
        f"where memory allows, {instead} and finishes the whole plan sooner."
    )


def _pays(workload: WorkloadPlan, batch_size: int, np: int) -> bool:
    """Whether splitting a step saves more time than averaging costs: 6 flops per weight and example (forward
    and backward).

    A lower bound of the work for convolutions and sequences, which use a weight more than once.
    """
    share = split_batch(batch_size, np)[0]
    saved = 6 * (workload.parameters or 0) * (batch_size - (share[1] - share[0])) / FLOPS_PER_SECOND
    return saved > ALLREDUCE_SECONDS


def _study(study: StudyPlan, granule: int, np: int, gangs: int, speeds: Sequence[Speed]) -> StudySummary:
    shares = split_batch(study.batch_size, np, granule)
    passes = [micro_batches(share, study.definition["micro_batch"], granule) for share in shares]
    speed, measured = _speed(study, gangs, speeds)
    evaluation = study.definition["evaluation"]
    return StudySummary(
        workload=study.workload,
        batch_size=study.batch_size,
        trials=study.target_trials,
        max_trials=study.max_trials,
        steps=study.steps,
        measurements=-(-study.steps // evaluation["every"]) + bool(evaluation["at_start"]),
        examples=study.target_trials * study.steps * study.batch_size,
        ranks=tuple(stop - start for start, stop in shares),
        passes=tuple(tuple(stop - start for start, stop in rank) for rank in passes),
        steps_per_second=speed,
        measured=measured,
        hours=study.target_trials * study.steps / speed / 3600 if speed else None,
    )


def _speed(study: StudyPlan, gangs: int, speeds: Sequence[Speed]) -> tuple[float | None, bool]:
    """Steps per second of a study, and whether they were measured at its very batch size; with as many gangs if possible."""
    for rows in ([row for row in speeds if row.gangs == gangs], speeds):
        latest = {(row.workload, row.batch_size): row.steps_per_second for row in rows}
        own = latest.get((study.workload, study.batch_size))
        if own is not None:
            return own, True
        timings = [Timing(*key, 1 / speed) for key, speed in latest.items()]
        seconds = step_seconds(timings, study.workload, study.batch_size)
        if seconds is not None:
            return 1 / seconds, False
    return None, False
