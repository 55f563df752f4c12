"""A plan in numbers, on np ranks and a number of gangs: trials, steps, the split of every batch, hours, and
advice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hvdsweep.layout import Shape, choose, in_one_shape, shapes_for
from hvdsweep.plan import Plan, StudyPlan, WorkloadPlan
from hvdsweep.plan_layout import Study, described, forecast, gangs_of, granule_of
from hvdsweep.split import micro_batches, split_batch
from hvdsweep.step_time import ALLREDUCE_SECONDS, Basis, Expected, Speed, StepTimes, rough_seconds
from hvdsweep.words import counted, duration


@dataclass(frozen=True)
class StudySummary:
    """One study on its ranks."""

    workload: str
    batch_size: int
    np: int
    """Ranks per trial."""
    gangs: int
    """Trials side by side."""
    trials: int
    """Trials that did not diverge: the study's target; if trained in rounds, before the first round."""
    max_trials: int
    steps: int
    """Per trial."""
    measurements: int
    """Per trial, the initial weights included."""
    examples: int
    """Over all trials and repeats, without replacements of diverged ones."""
    ranks: tuple[int, ...]
    """Examples of a batch that each rank takes; 0 for a rank without work."""
    passes: tuple[tuple[int, ...], ...]
    """For each rank, the sizes of the passes (micro-batches) that its share is accumulated over."""
    steps_per_second: float | None
    """Steps per second of one gang with this np: measured, or expected from measurements (`step_seconds`); None if
    nothing is known."""
    measured: bool
    """Whether the speed was measured at this batch size."""
    basis: Basis | None
    """Basis of the speed; `rough`, a guess from the number of weights, only under `--np auto`."""
    hours: float | None
    """Training time of the study on one gang, at that speed."""
    repeats: int = 0
    """Repeats of its best trial, after the search; in `examples` and `hours`, as if each took its whole budget."""
    most_trials: int | None = None
    """Most trials that did not diverge, if trained in rounds; None if `trials` is all."""


@dataclass(frozen=True)
class PhaseSummary:
    """Gangs of one size, and the studies that they train."""

    np: int
    gangs: int
    studies: tuple[Study, ...]
    """(workload, batch size)."""
    hours: float
    """From the start of the gangs to the end of their last trial."""


@dataclass(frozen=True)
class LayoutSummary:
    """The choice of `--np auto`, and how long the two plain layouts would take."""

    slots: int
    hours: float
    basis: Basis
    """The least certain basis of this layout's times."""
    phases: tuple[PhaseSummary, ...]
    """In training order."""
    plain: tuple[PhaseSummary, ...]
    """All gangs of one rank; one gang of all ranks."""


@dataclass(frozen=True)
class PlanSummary:
    """The whole plan on np ranks per trial, `gangs` trials side by side, or in the layout of `--np auto`."""

    name: str
    key: str
    file: str | None
    np: int | None
    gangs: int | None
    """None under `--np auto`, where every study has its own number."""
    layout: LayoutSummary | None
    """The layout under `--np auto`, else None."""
    workloads: int
    studies: tuple[StudySummary, ...]
    trials: int
    steps: int
    """Over all trials."""
    examples: int
    hours: float | None
    """Expected on all gangs: training steps only, without replacements; an upper limit if trials may end at the
    goal. None while the speed of some study is unknown. Under `--np auto` the layout's, with the start of gangs."""
    advice: str
    """Whether more ranks or more gangs make this plan finish sooner, and why."""
    warnings: tuple[str, ...]
    repeats: int = 0
    """Repeats of best trials, over all studies; included in steps, examples and hours."""
    most_trials: int | None = None
    """Over all studies, if some are trained in rounds; steps, examples and hours are those of `trials`."""
    most_hours: float | None = None
    """Expected if every study needed its most trials."""
    until: float | None = None
    """Share within which rounds of trials shall bring the steps to the goal."""
    fewest_evaluations: int | None = None
    """Before the goal, about: with fewer, their distance alone makes an interval wider than that."""

    @property
    def at_once(self) -> str:
        """How many trials train at the same time, and on how many ranks: `2 trials at a time on 1 rank each`."""
        if self.layout is not None:
            return f"{counted(self.layout.slots, 'slot')}, each batch size on the ranks that finish the sweep soonest"
        return f"{counted(self.gangs or 1, 'trial')} at a time on {counted(self.np or 1, 'rank')} each"

    def to_json(self) -> dict[str, Any]:
        """Plain values, nested as above."""
        return asdict(self)


def summarize(plan: Plan, np: int = 1, gangs: int = 1, throughput: Iterable[Speed] = ()) -> PlanSummary:
    """Add up `plan`. Measured `throughput` (in order of time: the last row of a kind counts) gives the
    expected hours."""
    times = StepTimes(throughput)
    studies = tuple(
        _study(
            study,
            granule_of(workload.model, study),
            Shape(np, gangs),
            times.known(workload.name, study.batch_size, np, gangs),
        )
        for workload in plan.workloads
        for study in workload.studies
    )
    hours = None
    if all(study.hours is not None for study in studies):
        hours = sum(study.hours or 0.0 for study in studies) / gangs
    return _plan(plan, studies, np, gangs, None, hours, advice(plan.workloads, np, gangs))


def summarize_auto(
    plan: Plan, slots: int, first: int | None = None, throughput: Iterable[Speed] = ()
) -> PlanSummary:
    """The same for `--np auto --slots SLOTS`, with the layout it would choose; `first` of the slots are on the first host."""
    shapes = shapes_for(slots, first)
    expected = forecast(plan, shapes, StepTimes(throughput))
    chosen = choose(expected.jobs, shapes)
    shape_of = chosen.shapes
    seconds = {job.key: job.seconds for job in expected.jobs}
    studies = tuple(
        _study(
            study,
            granule_of(workload.model, study),
            shape := shape_of[key := (workload.name, study.batch_size)],
            Expected(seconds[key][shape.np] / study.steps, expected.bases[key, shape.np]),
        )
        for workload in plan.workloads
        for study in workload.studies
    )
    every = tuple(job.key for job in expected.jobs)
    layout = LayoutSummary(
        slots=slots,
        hours=chosen.seconds / 3600,
        basis=expected.basis([(key, shape.np) for key, shape in shape_of.items()]),
        phases=tuple(
            PhaseSummary(phase.shape.np, phase.shape.gangs, phase.keys, phase.seconds / 3600)
            for phase in chosen.phases
        ),
        plain=tuple(
            PhaseSummary(shape.np, shape.gangs, every, in_one_shape(expected.jobs, shape).seconds / 3600)
            for shape in dict.fromkeys((shapes[0], shapes[-1]))
        ),
    )
    return _plan(plan, studies, None, None, layout, layout.hours, layout_advice(layout))


def _plan(
    plan: Plan,
    studies: tuple[StudySummary, ...],
    np: int | None,
    gangs: int | None,
    layout: LayoutSummary | None,
    hours: float | None,
    said: str,
) -> PlanSummary:
    most_trials = most_hours = None
    if any(study.most_trials is not None for study in studies):
        most_trials = sum(study.most_trials or study.trials for study in studies)
        work = sum(study.hours or 0.0 for study in studies)
        if hours is not None and work:
            most_work = sum(
                (study.hours or 0.0)
                / (study.trials + study.repeats)
                * ((study.most_trials or study.trials) + study.repeats)
                for study in studies
            )
            most_hours = hours * most_work / work
    until = next((study.until for study in plan.studies if study.until is not None), None)
    evaluations = None
    if until is not None:
        from hvdsweep.curves.so_far import fewest_evaluations

        evaluations = fewest_evaluations(until, max(len(workload.studies) for workload in plan.workloads))
    return PlanSummary(
        name=plan.name,
        key=plan.key,
        file=plan.file,
        np=np,
        gangs=gangs,
        layout=layout,
        workloads=len(plan.workloads),
        studies=studies,
        trials=sum(study.trials for study in studies),
        steps=sum((study.trials + study.repeats) * study.steps for study in studies),
        examples=sum(study.examples for study in studies),
        hours=hours,
        advice=said,
        warnings=plan.warnings,
        repeats=sum(study.repeats for study in studies),
        most_trials=most_trials,
        most_hours=most_hours,
        until=until,
        fewest_evaluations=evaluations,
    )


def layout_advice(layout: LayoutSummary) -> str:
    """The chosen layout, how long the plain layouts would take, and how certain that is."""
    phases = [(Shape(phase.np, phase.gangs), phase.studies) for phase in layout.phases]
    text = f"Fastest on {counted(layout.slots, 'slot')}: {described(phases)}."
    others = [
        f"{gangs_of(Shape(plain.np, plain.gangs))} throughout: {duration(plain.hours * 3600)}"
        for plain in layout.plain
        if len(phases) > 1 or Shape(plain.np, plain.gangs) != phases[0][0]
    ]
    text += f" Expected: {duration(layout.hours * 3600)}"
    text += f" ({'; '.join(others)})." if others else "."
    if layout.basis == "rough":
        text += (
            " Nothing of this model was measured yet, so this is a rough estimate from its number of weights; "
            "`hvdsweep scale` measures it."
        )
    return text


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
    """Whether splitting a step saves more time than averaging costs."""
    start, stop = split_batch(batch_size, np)[0]
    alone = rough_seconds(batch_size, 1, workload.parameters)
    return rough_seconds(stop - start, np, workload.parameters) < alone


def _study(study: StudyPlan, granule: int, shape: Shape, expected: Expected | None) -> StudySummary:
    shares = split_batch(study.batch_size, shape.np, granule)
    passes = [micro_batches(share, study.definition["micro_batch"], granule) for share in shares]
    evaluation = study.definition["evaluation"]
    return StudySummary(
        workload=study.workload,
        batch_size=study.batch_size,
        np=shape.np,
        gangs=shape.gangs,
        trials=study.target_trials,
        max_trials=study.max_trials,
        steps=study.steps,
        measurements=-(-study.steps // evaluation["every"]) + bool(evaluation["at_start"]),
        examples=(study.target_trials + study.repeats) * study.steps * study.batch_size,
        ranks=tuple(stop - start for start, stop in shares),
        passes=tuple(tuple(stop - start for start, stop in rank) for rank in passes),
        steps_per_second=None if expected is None else 1 / expected.seconds,
        measured=expected is not None and expected.basis == "measured",
        basis=None if expected is None else expected.basis,
        hours=None
        if expected is None
        else (study.target_trials + study.repeats) * study.steps * expected.seconds / 3600,
        repeats=study.repeats,
        most_trials=study.most_trials,
    )
