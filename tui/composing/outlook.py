"""Checks and plans a sweep file as it is typed: mistakes by key, the plan for the chosen ranks, and facts about single keys.

Knows no Textual. It may take a while (pydantic, a plan): call it from a thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hvdsweep.words import counted
from tui.composing.draft import LAUNCH, Draft
from tui.launching import AUTO, MAXIMUM, ranks_of

if TYPE_CHECKING:
    from hvdsweep.charts import Axis, Chart
    from hvdsweep.plan import Plan, StudyPlan
    from hvdsweep.plan_summary import PlanSummary
    from hvdsweep.step_time import Speed
    from hvdsweep.store.store import Store
    from hvdsweep.sweep.load import Finding

FILE = "sweep.toml"
"""What the check calls the text."""

MOST_PASSES = 200_000
"""A plan whose steps are split into more passes than this in all is too large for a preview."""

SHOWN_POINTS = 200
"""Points of a study in the preview."""


@dataclass(frozen=True)
class Outlook:
    """What check and plan found."""

    draft: Draft
    """The draft as it was checked."""
    problems: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    place: tuple[int, int] | None = None
    """Line and column (from 1) where the text stops being TOML."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Key -> a few words about its value."""
    plan: Plan | None = None
    """None if there are mistakes in the text."""
    summary: PlanSummary | None = None
    """None if there are mistakes, or ranks or gangs are not numbers."""
    unplanned: str = ""
    """Why a text without a mistake has no summary."""
    sweep: int | None = None
    """The sweep of the database that it is."""

    @property
    def defaults(self) -> dict[str, str]:
        """Key -> its value where it is left out, which the rest of the text decides; "" while that is not known."""
        name, most = "", ""
        if self.plan is not None:
            name, most = self.plan.name, str(max(study.max_trials for study in self.plan.studies))
        return {"name": name, "studies.max_trials": most}


def look(draft: Draft, store: Store | None = None) -> Outlook:
    """Check a text and plan it, with the speeds and sweeps that the store knows."""
    from hvdsweep.plan import make_plan
    from hvdsweep.store.throughput import here_last
    from hvdsweep.sweep.load import check_text

    checked = check_text(draft.text, FILE, source=str(draft.directory), name=draft.name)
    ranks, facts = _ranks(draft), _facts(draft.tables or {})
    problems = (*checked.mistakes, *ranks)
    if checked.loaded is None:
        return Outlook(draft, problems, checked.doubts, checked.place, facts)
    plan = make_plan(checked.loaded)
    speeds = [] if store is None else here_last(store.throughput())
    sweeps = [] if store is None else store.sweeps()
    sweep = next((sweep.id for sweep in sweeps if sweep.key == plan.key), None)
    summary, unplanned = (None, "") if ranks else _summary(plan, draft, speeds)
    facts |= _resolved(plan)
    return Outlook(draft, problems, checked.doubts, None, facts, plan, summary, unplanned, sweep)


def _ranks(draft: Draft) -> tuple[Finding, ...]:
    """What is wrong with the options of the launch."""
    from hvdsweep.sweep.load import Finding

    found = []
    for key in LAUNCH:
        text = draft.shown[key]
        if ranks_of(text) is None and (key, text.strip()) not in (("np", AUTO), ("slots", "")):
            said = f"{text.strip() or 'nothing'} is not a whole number from 1 to {MAXIMUM:,}"
            said += ", and not auto" if key == "np" else ""
            found.append(Finding(key, said, f"{key}: {said}"))
    return tuple(found)


def _summary(plan: Plan, draft: Draft, speeds: Sequence[Speed]) -> tuple[PlanSummary | None, str]:
    from hvdsweep.launch.machine import cores, gpus
    from hvdsweep.plan_summary import summarize, summarize_auto

    auto = draft.np.strip() == AUTO
    np = ranks_of(draft.slots) or len(gpus()) or cores() if auto else ranks_of(draft.np) or 1
    passes = sum(max(np, -(-study.batch_size // study.definition["micro_batch"])) for study in plan.studies)
    if passes > MOST_PASSES:
        return (
            None,
            f"Plan too large to preview ({passes:,} passes a step, at most {MOST_PASSES:,}): raise the micro-batch.",
        )
    if auto:
        return summarize_auto(plan, np, None, speeds), ""
    return summarize(plan, np, ranks_of(draft.gangs) or 1, speeds), ""


def _facts(tables: Mapping[str, Any]) -> dict[str, str]:
    """Sizes of the data set and of the model, whatever else is wrong with the text."""
    from workloads import catalogue

    facts: dict[str, str] = {}
    name, model = str(tables.get("dataset")), str(tables.get("model"))
    options = {key: value for key, value in tables.items() if isinstance(value, dict)}
    with contextlib.suppress(KeyError, ValueError, TypeError):
        info = catalogue.dataset_info(name, options.get("dataset_options", {}))
        shape = "×".join(map(str, info.input_shape))
        what, kinds = {
            "language_model": (f"{shape} tokens", "words"),
            "noisy_quadratic": ("noise", "dimensions"),
        }.get(info.task, (shape, "classes"))
        facts["dataset"] = f"{info.train:,} examples of {what}, {info.classes:,} {kinds}"
        given = options.get("model_options", {})
        if catalogue.check_model(model, given, info) is None:
            weights = catalogue.parameter_count(model, info, given)
            facts["model"] = "" if weights is None else f"{weights:,} weights"
    return facts


def _resolved(plan: Plan) -> dict[str, str]:
    """The values that the plan uses for keys that are left out."""
    studies, definition = list(plan.studies), plan.definition
    sizes = definition["studies"]["batch_sizes"]
    facts = {
        "goal.value": f"reached strictly {'above' if plan.workloads[0].maximize else 'below'}",
        "studies.batch_sizes": f"{len(sizes)} from {_span(sizes)}" if len(sizes) > 2 else "",
    }
    if "count" in definition["evaluation"]:
        every = (study.definition["evaluation"]["every"] for study in studies)
        facts["evaluation"] = f"every {_span(every)} steps"
    if "steps" not in definition["budget"] or definition["budget"]["override"]:
        facts["budget"] = f"{_span(study.steps for study in studies)} steps"
    return facts


def _span(values: Iterable[int]) -> str:
    low, high = min(found := list(values)), max(found)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def points_chart(study: StudyPlan) -> Chart:
    """The first trials of a study: the learning rate against 1 - momentum, or against whatever else is searched."""
    from hvdsweep.charts import Axis, Chart, Series

    trials = study.trial_range(0, min(study.target_trials, SHOWN_POINTS))
    points = [trial.metaparameters for trial in trials]
    names = study.space.searched if study.space.listed is None else study.space.names
    varied = [name for name in names if len({point.get(name) for point in points}) > 1]
    others = [name for name in ("momentum", *varied) if name in varied and name != "learning_rate"]
    x_axis, xs = _axis(study, "learning_rate", points)
    if others:
        y_axis, ys = _axis(study, others[0], points)
    else:
        y_axis, ys = Axis("linear", title="trial"), [float(trial.number) for trial in trials]
    shown = counted(study.target_trials, "trial")
    if study.target_trials > len(trials):
        shown = f"{len(trials)} of {shown}"
    where = f"{study.workload.rpartition('/')[2]} at {study.batch_size:,}"
    return Chart(
        (Series(study.workload, xs, ys, line=False, marker="●"),),
        x_axis,
        y_axis,
        title=f"{where}: {shown}, {x_axis.title} × {y_axis.title}",
        legend=False,
    )


def _axis(study: StudyPlan, name: str, points: list[dict[str, float]]) -> tuple[Axis, list[float]]:
    """The axis on which a metaparameter is searched evenly, and its values there."""
    from hvdsweep.charts import Axis

    values = [point.get(name, float("nan")) for point in points]
    dimension = study.space.dimensions.get(name)
    scale = getattr(dimension, "scale", "linear")
    if name == "momentum" or scale == "reverse_log":
        return Axis("log10", title=f"1 - {name}"), [1.0 - value for value in values]
    positive = all(value > 0 for value in values)
    log = scale == "log" or getattr(dimension, "log", False) or name == "learning_rate"
    return Axis("log10" if log and positive else "linear", title=name.replace("_", " ")), values
