"""Checks of [search]: every metaparameter is inside its domain and on a possible scale, and none that the
algorithm needs is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvdsweep.sweep.findings import Findings
from hvdsweep.sweep.messages import Location, shown
from hvdsweep.sweep.metaparameters import (
    DECAY_METAPARAMETERS,
    DOMAINS,
    METAPARAMETERS,
    ChoiceRange,
    Domain,
    IntegerRange,
    ScaledRange,
)
from hvdsweep.sweep.resolve import given, steps_for

if TYPE_CHECKING:
    from hvdsweep.sweep.models import Sweep
    from workloads.catalogue import DatasetInfo

Given = float | ScaledRange | IntegerRange | ChoiceRange


def check_search(findings: Findings, info: DatasetInfo | None) -> None:
    """All mistakes and warnings in [search]."""
    search = findings.sweep.search
    for name, value in given(search).items():
        _metaparameter(findings, ("search", name), name, value)
    if search.points is not None:
        _points(findings)
    else:
        _complete(findings)
    _overrides(findings)
    _uses(findings, info)
    _decay_within_budget(findings, info)


def _metaparameter(findings: Findings, place: Location, name: str, value: Given) -> None:
    domain = DOMAINS[name]
    if isinstance(value, ChoiceRange):
        for entry in value.values:
            if problem := domain.problem(entry):
                findings.wrong((*place, "values"), entry, problem)
        for entry in sorted(set(value.values)):
            if value.values.count(entry) > 1:
                findings.wrong((*place, "values"), entry, "is listed twice")
    elif isinstance(value, ScaledRange | IntegerRange):
        _range(findings, place, domain, value)
    elif problem := domain.problem(value):
        findings.wrong(place, value, problem)


def _range(findings: Findings, place: Location, domain: Domain, value: ScaledRange | IntegerRange) -> None:
    low, high = (*place, "min"), (*place, "max")
    if value.scale == "log" and value.min <= 0:
        findings.wrong(low, value.min, "is not above 0 (log samples the logarithm of the value)")
    if value.scale == "reverse_log" and value.max >= 1:
        findings.wrong(high, value.max, "is not below 1 (reverse_log samples 1 - value on a log scale)")
    if isinstance(value, IntegerRange) and value.log and value.min < 1:
        findings.wrong(low, value.min, "is below 1, the least whole number of a log scale")
    if domain.whole and isinstance(value, ScaledRange):
        text = 'does not give whole numbers; use "integer", with log = true for a log scale'
        findings.wrong((*place, "scale"), value.scale, text)
    for where, end in ((low, value.min), (high, value.max)):
        if problem := domain.problem(end):
            findings.wrong(where, end, problem)
    if value.min == value.max:
        text = f"equals max; a metaparameter that is not searched is written `= {shown(value.min)}`"
        findings.wrong(low, value.min, text, needs=[high])
    elif value.min > value.max:
        findings.wrong(low, value.min, f"is above max {shown(value.max)}; swap them", needs=[high])


def _complete(findings: Findings) -> None:
    """Check that there is a learning rate, and a momentum if the algorithm has one."""
    search, sizes = findings.sweep.search, findings.sweep.studies.batch_sizes
    with_momentum = _with_momentum(findings.sweep)
    for name, wanted, example in (
        ("learning_rate", True, '{ scale = "log", min = 0.001, max = 10.0 }'),
        ("momentum", bool(with_momentum), '{ scale = "reverse_log", min = 0.8, max = 0.999 }'),
    ):
        if not wanted or getattr(search, name) is not None:
            continue
        overridden = _overridden(findings.sweep, name)
        if missing := [size for size in sizes if size not in overridden]:
            where = "" if not overridden else f" for batch size {missing[0]}"
            why = "" if name == "learning_rate" else f" ({', '.join(with_momentum)} needs it)"
            text = f"is missing{where}{why}; write for example `{name} = {example}`"
            findings.wrong(("search", name), None, text, needs=[("algorithms",), ("studies", "batch_sizes")])


def _with_momentum(sweep: Sweep) -> list[str]:
    """The sweep's algorithms that need a momentum."""
    return [name for name in sweep.algorithms if name != "sgd"]


def _overridden(sweep: Sweep, name: str) -> set[int]:
    """The batch sizes for which an override gives this metaparameter."""
    entries = [entry for entry in sweep.search.override if getattr(entry, name) is not None]
    return {size for entry in entries for size in entry.batch_sizes}


def _points(findings: Findings) -> None:
    sweep = findings.sweep
    search, points = sweep.search, sweep.search.points or []
    fixed: set[str] = set()
    for name, value in given(search).items():
        if isinstance(value, float | int):
            fixed.add(name)
        else:
            findings.wrong(
                ("search", name),
                None,
                "is a range, which search.points replaces; give a number, or leave it out",
            )
    if search.override:
        findings.wrong(
            ("search", "override"), None, "cannot be given together with search.points; keep one of the two"
        )
    if search.widen:
        text = "has nothing to widen: search.points replaces the ranges; leave it out"
        findings.wrong(("search", "widen"), True, text, needs=[("search", "points")])
    wanted = ["learning_rate"]
    wanted += ["momentum"] if _with_momentum(sweep) else []
    wanted += DECAY_METAPARAMETERS if sweep.training.schedule == "linear" else []
    everywhere = {name for point in points for name in point.model_dump(exclude_none=True)}
    for index, point in enumerate(points):
        place: Location = ("search", "points", index)
        values = point.model_dump(exclude_none=True)
        for name, value in values.items():
            if problem := DOMAINS[name].problem(value):
                findings.wrong((*place, name), value, problem)
        for name in METAPARAMETERS:
            if name in values or name in fixed:
                continue
            if name in wanted:
                text = f"is missing; give it here, or once for all points as search.{name}"
                findings.wrong(
                    (*place, name), None, text, needs=[("search", name), ("algorithms",), ("training",)]
                )
            elif name in everywhere:
                text = f"is missing, but another point has it; give it here too, or as search.{name}"
                findings.wrong((*place, name), None, text, needs=[("search", name)])


def _overrides(findings: Findings) -> None:
    sweep = findings.sweep
    seen: dict[tuple[str, int], int] = {}
    for index, override in enumerate(sweep.search.override):
        place: Location = ("search", "override", index)
        metaparameters = given(override)
        for name, value in metaparameters.items():
            _metaparameter(findings, (*place, name), name, value)
            for size in override.batch_sizes:
                first = seen.setdefault((name, size), index)
                if first != index:
                    text = f"is overridden for batch size {size} by search.override[{first}] already"
                    findings.wrong((*place, name), None, text)
        if not metaparameters:
            findings.wrong(place, None, "replaces nothing; give a metaparameter, for example learning_rate")
        if not set(override.batch_sizes) & set(sweep.studies.batch_sizes):
            text = "holds for none of the sweep's batch sizes"
            findings.doubtful((*place, "batch_sizes"), text, needs=[("studies", "batch_sizes")])


def _tables(findings: Findings) -> list[tuple[Location, set[str]]]:
    """Every table of [search] that gives metaparameters: its location, and their names."""
    search = findings.sweep.search
    tables: list[tuple[Location, set[str]]] = [(("search",), set(given(search)))]
    tables += [(("search", "override", i), set(given(entry))) for i, entry in enumerate(search.override)]
    tables += [
        (("search", "points", i), set(point.model_dump(exclude_none=True)))
        for i, point in enumerate(search.points or [])
    ]
    return tables


def _uses(findings: Findings, info: DatasetInfo | None) -> None:
    """Warn of metaparameters that are not used."""
    from workloads import architectures, catalogue

    sweep = findings.sweep
    try:
        own = catalogue.is_user_code(sweep.model)
        has_dropout = own or "dropout" in architectures.find(sweep.model).options
    except KeyError:
        has_dropout = True
    for place, names in _tables(findings):
        for name in DECAY_METAPARAMETERS:
            if name in names and sweep.training.schedule != "linear":
                text = 'has no meaning with a constant learning rate; set training.schedule = "linear", or leave it out'
                findings.wrong((*place, name), None, text, needs=[("training",)])
        if (
            "label_smoothing" in names
            and info is not None
            and info.task not in ("classification", "language_model")
        ):
            text = (
                f"moves probability between classes, and the task of {info.name} is {info.task}; leave it out"
            )
            findings.wrong((*place, "label_smoothing"), None, text, needs=[("dataset",)])
        if "dropout" in names and not has_dropout:
            text = f"has no meaning for {sweep.model}, a model without dropout; leave it out"
            findings.wrong((*place, "dropout"), None, text, needs=[("model",)])
        if "momentum" in names and sweep.algorithms == ["sgd"]:
            text = "is ignored by sgd, the only algorithm of this sweep"
            findings.doubtful((*place, "momentum"), text, needs=[("algorithms",), ("algorithm",)])


def _decay_within_budget(findings: Findings, info: DatasetInfo | None) -> None:
    sweep = findings.sweep
    decay = sweep.search.learning_rate_decay_steps
    place: Location = ("search", "learning_rate_decay_steps")
    needs: list[Location] = [("budget",), ("studies", "batch_sizes"), ("dataset",), ("dataset_options",)]
    if decay is None or sweep.training.schedule != "linear" or not findings.sound(place, *needs):
        return
    most = decay.max if isinstance(decay, IntegerRange | ScaledRange) else None
    if isinstance(decay, ChoiceRange):
        most = max(decay.values)
    elif isinstance(decay, float | int):
        most = decay
    train = info.train if info is not None else None
    steps = {size: steps_for(sweep, size, train) for size in sweep.studies.batch_sizes}
    overridden = _overridden(sweep, "learning_rate_decay_steps")
    cut = [
        size for size, count in steps.items() if size not in overridden and most is not None and most > count
    ]
    if cut:
        text = (
            f"up to {most:g} steps of decay, but the budget of batch size {cut[0]} ends after {steps[cut[0]]}"
        )
        findings.doubtful(place, text)
