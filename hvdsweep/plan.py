"""A sweep -> workloads -> studies -> trials: deterministic, and identified by content, not by file or path.

Equal keys mean equal results: a trial's key is a hash of everything that determines its losses, a sweep's of
everything that determines its trials. Adding trials or batch sizes leaves a sweep's key and all earlier trials
unchanged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from hvdsweep.identity import content_key, derived_seed, study_identity, sweep_identity
from hvdsweep.repeats import FIRST_REPEAT, repeat_number
from hvdsweep.search import Space
from hvdsweep.widening import Stretch, search_json, sequence_of

if TYPE_CHECKING:
    from hvdsweep.sweep.load import LoadedSweep
    from hvdsweep.sweep.models import Sweep


@dataclass(frozen=True)
class TrialPlan:
    """One training run."""

    number: int
    """Position in its study's sequence of points, from 0."""
    seed: int
    """In [0, 2^31): initial weights, order of examples, dropout."""
    metaparameters: dict[str, float]
    """Sorted by name."""
    key: str
    """sha256 (hexadecimal) of what determines its result."""


@dataclass(frozen=True)
class StudyPlan:
    """The search of one workload at one batch size."""

    workload: str
    batch_size: int
    """Global, over all ranks."""
    steps: int
    """Updates per trial."""
    target_trials: int
    """Trials that did not diverge; if the study is trained in rounds, before the first round."""
    max_trials: int
    """Trials in all, replacements of diverged ones included."""
    seed: int
    """The sweep's seed."""
    definition: dict[str, Any]
    """All that training needs, as JSON values."""
    space: Space
    """As the sweep file gives it."""
    most_trials: int | None = None
    """Trials that did not diverge, at most; None: as many as `target_trials`, and no rounds."""
    until: float | None = None
    """Relative precision to which the steps to the goal shall be known; None: the number of trials is fixed."""
    repeats: int = 0
    """How often its best trial is trained again with other seeds, once the search is finished."""
    widen: bool = False
    """Whether a range is widened if the best trial lies at its edge."""
    stretches: tuple[Stretch, ...] = ()
    """The wider spaces searched after the first, each from some trial number on (`hvdsweep.widening`)."""

    @property
    def search(self) -> dict[str, Any]:
        """The search as JSON values: the widest space so far."""
        return search_json(self.space, self.stretches)

    @cached_property
    def key(self) -> str:
        """sha256 of what determines its sequence of trials."""
        identity = study_identity(self.definition)
        return content_key({"study": identity, "seed": self.seed, "search": self.space.to_json()})

    @cached_property
    def trials(self) -> tuple[TrialPlan, ...]:
        """The first `target_trials` trials."""
        return self.trial_range(0, self.target_trials)

    def trial(self, number: int) -> TrialPlan:
        """Trial `number` (from 0), the same for any number of trials. Raises IndexError beyond the end of a list
        of points."""
        return self.trial_range(number, 1)[0]

    def trial_range(self, start: int, count: int) -> tuple[TrialPlan, ...]:
        """Trials start .. start + count - 1, computed together."""
        points = sequence_of(
            self.space, self.stretches, (self.seed, self.workload, self.batch_size), start, count
        )
        return tuple(self._trial(start + index, point) for index, point in enumerate(points))

    def next_numbers(self, taken: Collection[int], count: int) -> list[int]:
        """The `count` lowest numbers of trials that are not `taken`."""
        return list(islice((number for number in range(len(taken) + count) if number not in taken), count))

    def repeat(self, trial: int, index: int, metaparameters: Mapping[str, float]) -> TrialPlan:
        """Repeat `index` (from 0) of trial `trial`, which had these metaparameters: other initial weights, order of examples
        and dropout. No other trial beats it: with `stop = "beaten"` it ends at the goal or its budget."""
        return self._trial(repeat_number(trial, index), dict(sorted(metaparameters.items())))

    def _trial(self, number: int, metaparameters: dict[str, float]) -> TrialPlan:
        seed = derived_seed(31, self.seed, self.workload, self.batch_size, number)
        identity = study_identity(self.definition)
        if number >= FIRST_REPEAT and identity["stop"] == "beaten":
            identity["stop"] = "goal"
        key = content_key({"trial": identity, "seed": seed, "metaparameters": metaparameters})
        return TrialPlan(number, seed, metaparameters, key)


@dataclass(frozen=True)
class WorkloadPlan:
    """Data set, model and training algorithm, with a study per batch size."""

    name: str
    """`dataset/model/algorithm`."""
    dataset: str
    model: str
    algorithm: str
    metric: str
    goal: float
    maximize: bool
    train_examples: int | None
    """None for the user's own data set, whose size is known only once it is loaded."""
    parameters: int | None
    """Trainable weights; None for the user's own model."""
    studies: tuple[StudyPlan, ...]
    """By ascending batch size."""


@dataclass(frozen=True)
class Plan:
    """Everything a sweep is going to train."""

    name: str
    key: str
    """sha256 of what determines what its trials are."""
    file: str | None
    definition: dict[str, Any]
    """The sweep file's content in canonical form, as JSON values; `identity.definition_diff` compares two."""
    workloads: tuple[WorkloadPlan, ...]
    warnings: tuple[str, ...] = field(default=(), compare=False)
    """The sweep file's."""
    loaded: LoadedSweep | None = field(default=None, compare=False, repr=False)
    """What it was made from."""

    @property
    def studies(self) -> Iterator[StudyPlan]:
        """Every study, workload by workload."""
        return (study for workload in self.workloads for study in workload.studies)


def make_plan(loaded: LoadedSweep, content: Mapping[str, str] | None = None) -> Plan:
    """The plan of a sweep. Fast for any number of trials: points are computed when asked for.

    `content`: hashes of what the user's own code returns (`hvdsweep.launch.proof`), a part of each trial's identity.
    None: the hashes of the latest proof of the same code on this machine, if there was one.
    """
    from hvdsweep.sweep.proofs import remembered
    from hvdsweep.sweep.resolve import dataset_info, maximizes
    from workloads import catalogue

    sweep = loaded.sweep
    info = dataset_info(sweep)
    train = info.train if info is not None else None
    parameters = None
    if info is not None:
        parameters = catalogue.parameter_count(sweep.model, info, sweep.model_options)
    if content is None:
        content = remembered(loaded.sweep, loaded.source)
    definition = _sweep_definition(loaded, content)
    workloads = tuple(
        WorkloadPlan(
            name=workload_name(sweep, algorithm),
            dataset=sweep.dataset,
            model=sweep.model,
            algorithm=algorithm,
            metric=sweep.goal.metric,
            goal=sweep.goal.value,
            maximize=maximizes(sweep.goal),
            train_examples=train,
            parameters=parameters,
            studies=tuple(
                _study(loaded, definition, algorithm, batch_size, train)
                for batch_size in sweep.studies.batch_sizes
            ),
        )
        for algorithm in sweep.algorithms
    )
    key = content_key({"sweep": sweep_identity(definition)})
    return Plan(loaded.name, key, loaded.file, definition, workloads, loaded.warnings, loaded)


def workload_name(sweep: Sweep, algorithm: str) -> str:
    """`dataset/model/algorithm`."""
    return f"{sweep.dataset}/{sweep.model}/{algorithm}"


def _study(
    loaded: LoadedSweep, definition: Mapping[str, Any], algorithm: str, batch_size: int, train: int | None
) -> StudyPlan:
    from hvdsweep.sweep.resolve import every_for, max_trials, most_trials, space_for, steps_for, target_trials
    from hvdsweep.sweep.trial_counts import TrialsUntil

    sweep = loaded.sweep
    steps = steps_for(sweep, batch_size, train)
    study: dict[str, Any] = {
        "workload": workload_name(sweep, algorithm),
        "dataset": sweep.dataset,
        "dataset_options": sweep.dataset_options,
        "model": sweep.model,
        "model_options": sweep.model_options,
        "algorithm": algorithm,
        "source": loaded.source,
        "batch_size": batch_size,
        "steps": steps,
        "schedule": sweep.training.schedule,
        "evaluation": {
            "every": every_for(sweep, steps),
            "splits": list(sweep.evaluation.splits),
            "at_start": sweep.evaluation.at_start,
        },
        "goal": definition["goal"],
        "stop": sweep.training.stop,
        "infeasible": {"loss_above": sweep.infeasible.loss_above},
        "micro_batch": sweep.training.micro_batch,
        **_margin_of_studies(sweep),
        **_noise_of_studies(sweep),
    }
    for key in ("code", "content"):
        if key in definition:
            study[key] = definition[key]
    space = space_for(sweep, algorithm, batch_size, steps)
    trials = sweep.studies.trials
    until = trials.until if isinstance(trials, TrialsUntil) else None
    return StudyPlan(
        study["workload"],
        batch_size,
        steps,
        target_trials(sweep, batch_size),
        max_trials(sweep, batch_size),
        sweep.studies.seed,
        study,
        space,
        None if until is None else most_trials(sweep, batch_size),
        until,
        sweep.studies.repeats,
        sweep.search.widen,
    )


def _margin(sweep: Sweep) -> dict[str, float]:
    """`training.margin` if it has an effect; otherwise definitions and keys equal those of a file without the key."""
    training = sweep.training
    return {"margin": training.margin} if training.stop == "beaten" and training.margin > 0 else {}


def _noise(sweep: Sweep) -> dict[str, bool]:
    """`training.noise_scale` and `noise_layers` if they are set."""
    training = sweep.training
    found = {"noise_scale": training.noise_scale, "noise_layers": training.noise_layers}
    return {key: True for key, value in found.items() if value}


def _noise_of_studies(sweep: Sweep) -> dict[str, str]:
    """What the gradient noise scale is estimated for: all weights together ("model"), or every layer too."""
    if not sweep.training.noise_scale:
        return {}
    return {"noise_scale": "layers" if sweep.training.noise_layers else "model"}


def _margin_of_studies(sweep: Sweep) -> dict[str, float]:
    """The margin that trials are stopped by: where they come in rounds, wide enough to see how certain the best is."""
    from hvdsweep.curves.so_far import least_margin
    from hvdsweep.sweep.trial_counts import TrialsUntil

    trials, training = sweep.studies.trials, sweep.training
    if training.stop != "beaten" or not isinstance(trials, TrialsUntil):
        return _margin(sweep)
    return {"margin": max(training.margin, least_margin(trials.until))}


def _sweep_definition(loaded: LoadedSweep, content: Mapping[str, str]) -> dict[str, Any]:
    from hvdsweep.sweep.models import DEFAULT_COUNT
    from hvdsweep.sweep.resolve import max_trials_json, maximizes, search_json, trials_json
    from hvdsweep.sweep.user_code import fingerprint
    from workloads import catalogue

    sweep = loaded.sweep
    code = {
        name: fingerprint(name, loaded.source)
        for name in (sweep.dataset, sweep.model)
        if catalogue.is_user_code(name)
    }
    budget = sweep.budget.model_dump(exclude_none=True, exclude={"override"})
    budget["override"] = {
        str(size): entry.model_dump(exclude_none=True, exclude={"batch_sizes"})
        for entry in sweep.budget.override
        for size in entry.batch_sizes
    }
    search = search_json(sweep.search)
    search["override"] = {str(size): {} for entry in sweep.search.override for size in entry.batch_sizes}
    for entry in sweep.search.override:
        for size in entry.batch_sizes:
            search["override"][str(size)] |= search_json(entry)
    if sweep.search.points is not None:
        search["points"] = [point.model_dump(exclude_none=True) for point in sweep.search.points]
    if sweep.search.widen:
        search["widen"] = True
    evaluation = sweep.evaluation
    when = {"every": evaluation.every} if evaluation.every else {"count": evaluation.count or DEFAULT_COUNT}
    return {
        "name": loaded.name,
        "description": sweep.description,
        "dataset": sweep.dataset,
        "dataset_options": sweep.dataset_options,
        "model": sweep.model,
        "model_options": sweep.model_options,
        "algorithms": list(sweep.algorithms),
        **({"code": code} if code else {}),
        **({"content": dict(content)} if content else {}),
        "goal": {"metric": sweep.goal.metric, "value": sweep.goal.value, "maximize": maximizes(sweep.goal)},
        "budget": budget,
        "evaluation": {**when, "splits": sorted(evaluation.splits), "at_start": evaluation.at_start},
        "studies": {
            "batch_sizes": list(sweep.studies.batch_sizes),
            "trials": trials_json(sweep),
            "max_trials": max_trials_json(sweep),
            "seed": sweep.studies.seed,
            **({"repeats": sweep.studies.repeats} if sweep.studies.repeats else {}),
        },
        "search": search,
        "training": {
            "schedule": sweep.training.schedule,
            "stop": sweep.training.stop,
            "micro_batch": sweep.training.micro_batch,
            **_margin(sweep),
            **_noise(sweep),
        },
        "infeasible": {"loss_above": sweep.infeasible.loss_above},
    }
