"""A checked sweep at one batch size: steps, measurements, search space, number of trials."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from hvdsweep.search import Choice, Dimension, Fixed, Range, Space
from hvdsweep.store.schema import naturally_maximised
from hvdsweep.sweep.metaparameters import (
    DECAY_METAPARAMETERS,
    METAPARAMETERS,
    ChoiceRange,
    IntegerRange,
    Metaparameters,
    ScaledRange,
)
from hvdsweep.sweep.models import DEFAULT_COUNT, MAX_TRIALS_FACTOR, Budget, BudgetOverride, Goal, Sweep
from hvdsweep.sweep.trial_counts import DEFAULT, TrialsUntil

if TYPE_CHECKING:
    from workloads.catalogue import DatasetInfo


def dataset_info(sweep: Sweep) -> DatasetInfo | None:
    """Sizes and task of a built-in data set; None for the user's own, known only once it is loaded."""
    from workloads import catalogue

    if catalogue.is_user_code(sweep.dataset):
        return None
    return catalogue.dataset_info(sweep.dataset, sweep.dataset_options)


def maximizes(goal: Goal) -> bool:
    """Whether more is better for the goal's metric."""
    if goal.maximize is not None:
        return goal.maximize
    return naturally_maximised(goal.metric)


def budget_of(sweep: Sweep, batch_size: int) -> Budget | BudgetOverride:
    """The table that sets how long trials of this batch size train."""
    for override in sweep.budget.override:
        if batch_size in override.batch_sizes:
            return override
    return sweep.budget


def steps_for(sweep: Sweep, batch_size: int, train_examples: int | None) -> int:
    """Steps of a trial: never more examples than the budget gives, so 0 if it is smaller than one batch.

    Raises ValueError for a budget in epochs of a data set of unknown size.
    """
    budget = budget_of(sweep, batch_size)
    if budget.steps is not None:
        return budget.steps
    if budget.examples is not None:
        return budget.examples // batch_size
    if budget.epochs is None or train_examples is None:
        raise ValueError("a budget in epochs needs the size of the training set")
    return int(Fraction(str(budget.epochs)) * train_examples // batch_size)


def every_for(sweep: Sweep, steps: int) -> int:
    """Steps between measurements, at least 1."""
    if sweep.evaluation.every is not None:
        return sweep.evaluation.every
    return max(1, -(-steps // (sweep.evaluation.count or DEFAULT_COUNT)))


def target_trials(sweep: Sweep, batch_size: int) -> int:
    """Trials of a study that did not diverge; if it is trained in rounds, before the first round."""
    points, trials = sweep.search.points, sweep.studies.trials
    if isinstance(trials, TrialsUntil):
        return trials.least
    if isinstance(trials, dict):
        return trials.get(str(batch_size), trials.get(DEFAULT, 1))
    return trials or (len(points) if points else 1)


def most_trials(sweep: Sweep, batch_size: int) -> int:
    """Most trials of a study that did not diverge."""
    trials = sweep.studies.trials
    return trials.most if isinstance(trials, TrialsUntil) else target_trials(sweep, batch_size)


def max_trials(sweep: Sweep, batch_size: int) -> int:
    """Most trials of a study, replacements of diverged ones included; never more than a list has
    points."""
    limit = sweep.studies.max_trials or MAX_TRIALS_FACTOR * most_trials(sweep, batch_size)
    return limit if sweep.search.points is None else min(limit, len(sweep.search.points))


def trials_json(sweep: Sweep) -> int | dict[str, Any]:
    """`studies.trials` as JSON values, defaults filled in."""
    trials = sweep.studies.trials
    if isinstance(trials, TrialsUntil):
        return trials.model_dump()
    if isinstance(trials, dict):
        return dict(sorted(trials.items()))
    return target_trials(sweep, 1)


def max_trials_json(sweep: Sweep) -> int | None:
    """`studies.max_trials`; None if it is left to its default, which differs from batch size to batch size."""
    if isinstance(sweep.studies.trials, dict):
        return sweep.studies.max_trials
    return max_trials(sweep, 1)


def search_json(table: Metaparameters) -> dict[str, Any]:
    """The metaparameters of a table, as JSON of `Space`."""
    return {name: dimension(value).to_json() for name, value in given(table).items()}


def given(table: Metaparameters) -> dict[str, float | ScaledRange | IntegerRange | ChoiceRange]:
    """The metaparameters of a table, in the order of the file's reference."""
    values = {name: getattr(table, name) for name in METAPARAMETERS}
    return {name: value for name, value in values.items() if value is not None}


def space_for(sweep: Sweep, algorithm: str, batch_size: int, steps: int) -> Space:
    """The space of one study: [search], its overrides for this batch size, and the defaults of a linear
    schedule."""
    metaparameters = given(sweep.search)
    for override in sweep.search.override:
        if batch_size in override.batch_sizes:
            metaparameters |= given(override)
    dimensions = {name: dimension(value) for name, value in metaparameters.items()}
    listed = None
    if sweep.search.points is not None:
        listed = tuple(point.model_dump(exclude_none=True) for point in sweep.search.points)
    elif sweep.training.schedule == "linear":
        dimensions = _decay_defaults(steps) | dimensions
    space = Space(dimensions, listed)
    return space.without(("momentum",)) if algorithm == "sgd" else space


def dimension(value: float | ScaledRange | IntegerRange | ChoiceRange) -> Dimension:
    """A metaparameter of the file as a dimension of a search space. Raises ValueError for an impossible
    range."""
    if isinstance(value, ScaledRange):
        return Range(value.scale, value.min, value.max)
    if isinstance(value, IntegerRange):
        return Range("integer", float(value.min), float(value.max), value.log)
    if isinstance(value, ChoiceRange):
        return Choice(tuple(float(entry) for entry in value.values))
    return Fixed(float(value))


def _decay_defaults(steps: int) -> dict[str, Dimension]:
    """The paper's spaces for ResNet-50 (section 2): T from half the budget to all of it."""
    half = max(1, -(-steps // 2))
    whole: Dimension = Range("integer", float(half), float(steps)) if half < steps else Fixed(float(half))
    return dict(zip(DECAY_METAPARAMETERS, (Range("log", 1e-4, 0.1), whole), strict=True))
