"""Checks of a sweep file across keys and against the catalogue of workloads. For search spaces see
`check_search`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hvdsweep.store.schema import LARGEST_STEP, naturally_maximised
from hvdsweep.sweep import user_code
from hvdsweep.sweep.check_search import check_search
from hvdsweep.sweep.findings import Findings
from hvdsweep.sweep.messages import Location, one_of
from hvdsweep.sweep.models import Budget, BudgetOverride, Sweep
from hvdsweep.sweep.resolve import dataset_info, every_for, most_trials, steps_for
from hvdsweep.sweep.trial_counts import DEFAULT, TrialsUntil
from hvdsweep.words import goal_problem

if TYPE_CHECKING:
    from workloads.catalogue import DatasetInfo

SPLITS = ("train", "val", "test")


def check(sweep: Sweep, unsound: Iterable[Location], source: str | None) -> Findings:
    """All mistakes and warnings in `sweep`. `source` is the directory of the file, which holds the user's
    modules."""
    findings = Findings(sweep, unsound)
    if sweep.name is not None and not sweep.name.isprintable():
        # The name appears in output and tables, and an escape sequence would reach the terminal.
        findings.wrong(("name",), sweep.name, "holds a line break or a control character; leave it out")
    elif sweep.name is not None and not sweep.name.strip():
        findings.wrong(("name",), sweep.name, "is blank; leave the key out, or fill it")
    _algorithms(findings)
    info = _dataset(findings, source)
    _model(findings, info, source)
    _evaluation(findings, info)
    _goal(findings, info)
    _budget(findings, info)
    _studies(findings, info)
    _steps(findings, info)
    _training(findings)
    check_search(findings, info)
    return findings


def _algorithms(findings: Findings) -> None:
    sweep = findings.sweep
    if sweep.algorithm is not None:
        findings.wrong(
            ("algorithm",), sweep.algorithm, "cannot be given together with algorithms; keep one of the two"
        )
    elif not sweep.algorithms:
        text = 'is missing; write for example `algorithms = ["sgd", "momentum"]`'
        findings.wrong(("algorithms",), None, text, needs=[("algorithm",)])
    for name in _repeated(sweep.algorithms):
        findings.wrong(("algorithms",), name, "is listed twice")


def _dataset(findings: Findings, source: str | None) -> DatasetInfo | None:
    """Check the data set; return its sizes and task, if known."""
    from workloads import catalogue

    sweep = findings.sweep
    _plain_options(findings, "dataset_options", sweep.dataset_options)
    if catalogue.is_user_code(sweep.dataset):
        if problem := user_code.problem_of(sweep.dataset, source):
            findings.wrong(("dataset",), sweep.dataset, problem)
        return None
    if problem := catalogue.check_dataset(sweep.dataset, {}):
        findings.wrong(("dataset",), sweep.dataset, _sentence(problem))
        return None
    if problem := catalogue.check_dataset(sweep.dataset, sweep.dataset_options):
        _wrong_option(findings, "dataset_options", sweep.dataset_options, problem)
        return catalogue.dataset_info(sweep.dataset)
    return dataset_info(sweep) if findings.sound(("dataset",)) else None


def _model(findings: Findings, info: DatasetInfo | None, source: str | None) -> None:
    from workloads import architectures, catalogue

    sweep = findings.sweep
    _plain_options(findings, "model_options", sweep.model_options)
    if catalogue.is_user_code(sweep.model):
        if problem := user_code.problem_of(sweep.model, source):
            findings.wrong(("model",), sweep.model, problem)
        return
    try:
        architectures.find(sweep.model)
    except KeyError as unknown:
        findings.wrong(("model",), sweep.model, _sentence(str(unknown)))
        return
    try:
        architectures.resolve(sweep.model, sweep.model_options)
    except ValueError as problem:
        _wrong_option(findings, "model_options", sweep.model_options, str(problem), needs=[("model",)])
        return
    if info is not None and (mismatch := catalogue.check_model(sweep.model, sweep.model_options, info)):
        findings.wrong(
            ("model",), sweep.model, f"does not fit: {mismatch}", needs=[("dataset",), ("model_options",)]
        )


def _wrong_option(
    findings: Findings, table: str, options: Mapping[str, Any], problem: str, needs: Iterable[Location] = ()
) -> None:
    """Report the catalogue's sentence `key: what is wrong`, at that key if it names one."""
    key, separator, text = problem.partition(": ")
    location: Location = (table, key) if separator and key in options else (table,)
    findings.wrong(location, None, text if len(location) == 2 else problem, needs=list(needs))


def _plain_options(findings: Findings, table: str, options: Mapping[str, Any]) -> None:
    for key, value in options.items():
        if not _is_plain(value):
            findings.wrong(
                (table, key), value, "is not made of text, finite numbers, true, false, lists and tables"
            )


def _is_plain(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(_is_plain(entry) for entry in value.values())
    if isinstance(value, list):
        return all(_is_plain(entry) for entry in value)
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def _evaluation(findings: Findings, info: DatasetInfo | None) -> None:
    evaluation = findings.sweep.evaluation
    if evaluation.every is not None and evaluation.count is not None:
        text = "cannot be given together with evaluation.every; keep one of the two"
        findings.wrong(("evaluation", "count"), evaluation.count, text, needs=[("evaluation", "every")])
    for name in _repeated(evaluation.splits):
        findings.wrong(("evaluation", "splits"), name, "is listed twice")
    if info is not None and "test" in evaluation.splits and info.test == 0:
        text = f"is listed, but {info.name} has no test examples"
        findings.wrong(("evaluation", "splits"), "test", text, needs=[("dataset",)])


def _goal(findings: Findings, info: DatasetInfo | None) -> None:
    goal, splits = findings.sweep.goal, findings.sweep.evaluation.splits
    place: Location = ("goal", "metric")
    split, slash, metric = goal.metric.partition("/")
    if not slash or not metric or split not in SPLITS:
        known = [f"{name}/{metric or split}" for name in SPLITS]
        findings.wrong(place, goal.metric, f"is not split/metric; {one_of(goal.metric, known)}")
        return
    if info is not None and metric not in info.metrics:
        known = [f"{split}/{name}" for name in info.metrics]
        text = f"is not measured on {info.name}; {one_of(goal.metric, known)}"
        findings.wrong(place, goal.metric, text, needs=[("dataset",)])
    if split not in splits:
        text = (
            f"is not measured: add {split} to evaluation.splits, or choose a metric of {' or '.join(splits)}"
        )
        findings.wrong(place, goal.metric, text, needs=[("evaluation", "splits")])
    _sense(findings, metric)


def _sense(findings: Findings, metric: str) -> None:
    """Check that the goal is not reached at once, or never."""
    goal, more_is_better = findings.sweep.goal, naturally_maximised(metric)
    known = more_is_better or metric in ("classification_error", "cross_entropy_error", "loss")
    metric_key: Location = ("goal", "metric")
    if known and goal.maximize is not None and goal.maximize != more_is_better:
        better = "more" if more_is_better else "less"
        findings.wrong(
            ("goal", "maximize"),
            goal.maximize,
            f"is the wrong way round: {better} {metric} is better; leave the key out",
            needs=[metric_key],
        )
    text = goal_problem(metric, goal.value, more_is_better)
    if text is not None:
        findings.wrong(("goal", "value"), goal.value, text, needs=[metric_key])


def _budget(findings: Findings, info: DatasetInfo | None) -> None:
    budget = findings.sweep.budget
    tables: list[tuple[Location, Budget | BudgetOverride]] = [(("budget",), budget)]
    tables += [(("budget", "override", index), entry) for index, entry in enumerate(budget.override)]
    for place, table in tables:
        amounts = {key: getattr(table, key) for key in ("steps", "examples", "epochs")}
        chosen = {key: value for key, value in amounts.items() if value is not None}
        needs = [(*place, key) for key in amounts]
        if not chosen:
            findings.wrong(place, None, "gives no amount; write steps, examples or epochs", needs=needs)
        elif len(chosen) > 1:
            last, kept = list(chosen)[-1], list(chosen)[:-1]
            text = f"cannot be given together with {' and '.join(kept)}; keep one of them"
            findings.wrong((*place, last), chosen[last], text, needs=needs)
        if info is None and "epochs" in chosen:
            text = "needs the size of the training set, which is not known before your data set is loaded; use steps or examples"
            findings.wrong((*place, "epochs"), chosen["epochs"], text, needs=[("dataset",)])
    seen: set[int] = set()
    for index, override in enumerate(budget.override):
        place = ("budget", "override", index, "batch_sizes")
        if twice := sorted(seen & set(override.batch_sizes)):
            findings.wrong(place, None, f"{twice[0]} has a budget from an earlier override already")
        seen |= set(override.batch_sizes)


def _studies(findings: Findings, info: DatasetInfo | None) -> None:
    sweep, studies = findings.sweep, findings.sweep.studies
    place: Location = ("studies", "trials")
    points = sweep.search.points
    if points is None and studies.trials is None:
        text = "is missing; write for example `trials = 24` (the paper trained 100 per batch size)"
        findings.wrong(place, None, text, needs=[("search", "points")])
    if isinstance(studies.trials, TrialsUntil):
        _trials_until(findings, studies.trials)
    elif isinstance(studies.trials, dict):
        _trial_numbers(findings, studies.trials)
    most = max(most_trials(sweep, size) for size in studies.batch_sizes)
    if points is not None and isinstance(studies.trials, int | dict) and most > len(points):
        text = f"is more than the {len(points)} of search.points; leave trials out"
        findings.wrong(place, most, text, needs=[("search", "points")])
    if studies.max_trials is not None and studies.max_trials < most:
        text = f"is below the {most} trials that each study needs; raise it or leave it out"
        findings.wrong(
            ("studies", "max_trials"), studies.max_trials, text, needs=[place, ("search", "points")]
        )
    if info is not None:
        sizes = ("studies", "batch_sizes")
        larger = [size for size in studies.batch_sizes if size > info.train]
        if larger:
            text = (
                f"{_some(larger)}: more than the {info.train} training examples of {info.name}; "
                "one batch then holds examples more than once"
            )
            findings.doubtful(sizes, text, needs=[("dataset",)])


def _trials_until(findings: Findings, trials: TrialsUntil) -> None:
    place: Location = ("studies", "trials")
    if findings.sweep.search.points is not None:
        text = "is for a search, and this sweep has search.points; give a number of them, or leave trials out"
        findings.wrong((*place, "until"), trials.until, text, needs=[("search", "points")])
    if trials.most < trials.least:
        text = f"is below least, {trials.least}; raise it"
        findings.wrong((*place, "most"), trials.most, text, needs=[(*place, "least")])


def _trial_numbers(findings: Findings, trials: Mapping[str, int]) -> None:
    place: Location = ("studies", "trials")
    sizes = findings.sweep.studies.batch_sizes
    needs: list[Location] = [("studies", "batch_sizes")]
    if DEFAULT not in trials and (missing := [size for size in sizes if str(size) not in trials]):
        text = f"gives no number for batch size {_some(missing)}; add `{DEFAULT} = 24`"
        findings.wrong(place, None, text, needs=needs)
    if others := [int(key) for key in trials if key != DEFAULT and int(key) not in sizes]:
        findings.doubtful(place, f"{_some(others)}: not among the sweep's batch sizes", needs=needs)


def _steps(findings: Findings, info: DatasetInfo | None) -> None:
    """Check batch size and budget together."""
    sweep = findings.sweep
    needs: list[Location] = [("budget",), ("studies", "batch_sizes"), ("dataset",), ("dataset_options",)]
    if not findings.sound(*needs):
        return
    train = info.train if info is not None else None
    steps = {size: steps_for(sweep, size, train) for size in sweep.studies.batch_sizes}
    none = [size for size, count in steps.items() if count < 1]
    if none:
        findings.wrong(
            ("budget",), None, f"is less than one step at batch size {_some(none)}; raise it, or give steps"
        )
    if too_long := [size for size, count in steps.items() if count > LARGEST_STEP]:
        findings.wrong(
            ("budget",), None, f"is more than {LARGEST_STEP} steps at batch size {_some(too_long)}; lower it"
        )
    short = [size for size, count in steps.items() if count < every_for(sweep, count)]
    if short and not none:
        fewest = min(steps[size] for size in short)
        text = f"is more than the {fewest} steps of batch size {_some(short)}; lower it, or give evaluation.count instead"
        findings.wrong(("evaluation", "every"), sweep.evaluation.every, text)


def _training(findings: Findings) -> None:
    training = findings.sweep.training
    if training.noise_layers and not training.noise_scale:
        text = "has no effect without noise_scale = true"
        findings.doubtful(("training", "noise_layers"), text, needs=[("training", "noise_scale")])
    if training.margin > 0 and training.stop != "beaten":
        text = f'has no effect with stop = "{training.stop}": only stop = "beaten" compares trials'
        findings.doubtful(("training", "margin"), text, needs=[("training", "stop")])


def _some(sizes: list[int]) -> str:
    return ", ".join(map(str, sizes[:4])) + (f" and {len(sizes) - 4} more" if len(sizes) > 4 else "")


def _repeated(names: Iterable[str]) -> list[str]:
    listed = list(names)
    return [name for name in dict.fromkeys(listed) if listed.count(name) > 1]


def _sentence(problem: str) -> str:
    """A catalogue's "no model named 'x'; did you mean y?" without the value, which the message already shows."""
    _, separator, remedy = problem.partition("; ")
    return f"is not known; {remedy}" if separator and problem.startswith("no ") else f": {problem}"
