"""Figures of your own workloads: one kind per question, for any workloads of any sweeps of a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from hvdsweep.curves import curve as curve_of_table
from hvdsweep.curves import steps_to_result
from hvdsweep.curves.field import critical_by_budget, evenly, iso_loss, scaling_law, sensitivity
from hvdsweep.curves.question import Question
from hvdsweep.curves.speeds import speeds, throughputs
from hvdsweep.errors import UserError
from hvdsweep.figures import panels, search_panels
from hvdsweep.figures.field_panels import iso_loss_panel, law_panel, sensitivity_panel
from hvdsweep.figures.figure import Figure, Panel
from hvdsweep.figures.source import FigureSource
from hvdsweep.tokens import tokens_for

if TYPE_CHECKING:
    from hvdsweep.curves import Curve, StepsToResult, WorkloadTable
    from hvdsweep.store.rows import WorkloadRow
    from hvdsweep.store.store import Store

GOALS = (0.8, 0.9, 1.0, 1.25, 1.6)
"""Default goals of `goals`, as multiples of the workload's own (or divisors, if it is maximised)."""

OVERLAID = 8
"""Up to so many workloads share one panel of `curve`; more get one each."""

SCATTERED = 9
"""Default number of batch sizes in `scatter`, spread over all."""


@dataclass(frozen=True)
class Ask(Question):
    """The question to each workload; None or empty takes the workload's own value."""

    goals: tuple[float, ...] = ()
    normalise: int | None = None
    batch_sizes: tuple[int, ...] = ()
    parameters: tuple[str, ...] = ()
    """Metaparameters to show, or to split by (the first)."""
    edges: tuple[float, ...] = ()
    """Ends of the intervals that a split makes of a metaparameter."""
    step_budgets: tuple[float, ...] = ()
    epoch_budgets: tuple[float, ...] = ()
    example_budgets: tuple[float, ...] = ()
    against: str | None = None
    """`data` or `model`: the size to which critical batch sizes are related."""
    examples: bool = False
    """Training examples instead of steps."""
    unit: str | None = None
    """`tokens`: examples are counted in tokens."""
    reference_batch_size: int | None = None
    """B0 of the critical batch size; None: the smallest that reached the goal."""

    @property
    def given(self) -> list[str]:
        """The fields that ask for something."""
        names = [field.name for field in fields(self) if getattr(self, field.name) != field.default]
        return [name for name in names if name in USES]

    @property
    def goal(self) -> float | None:
        """The first goal given."""
        return self.goals[0] if self.goals else None


def own_figure(reader: Store, kind: str, rows: Sequence[WorkloadRow], ask: Ask | None = None) -> Figure:
    """The figure `kind` of these workloads. UserError: no workload, no such kind, or a question without an answer."""
    if kind not in KINDS:
        raise UserError(
            f"figure: {kind}: no such kind. There are {', '.join(KINDS)}, and 1 to 11 of the paper."
        )
    ask = ask or Ask()
    _check_used(kind, ask)
    if not rows:
        raise UserError(f"figure: {kind}: name at least one workload")
    make, title, columns = KINDS[kind]
    made = make(FigureSource(reader), rows, ask)
    title = f"{title}: {', '.join(dict.fromkeys(row.name for row in rows))}"
    return Figure(kind, title, columns, tuple(made))


def _check_used(kind: str, ask: Ask) -> None:
    """UserError that names every option that this kind does not use, with the kinds that do."""
    problems = []
    for field in ask.given:
        option, kinds = USES[field]
        if kind not in kinds:
            problems.append(f"figure {kind}: {option}: does nothing here; it is for {', '.join(kinds)}")
        elif kind in ONE_OF.get(field, ()) and len(getattr(ask, field)) > 1:
            problems.append(f"figure {kind}: {option}: takes one value; give it once")
    if problems:
        raise UserError(*problems)


def names_of(reader: Store, rows: Sequence[WorkloadRow]) -> list[str]:
    """Names that distinguish the workloads: with the sweep's name if a name occurs twice."""
    names = [row.name for row in rows]
    if len(set(names)) == len(names):
        return names
    return [f"{name} ({sweep})" for name, sweep in zip(names, _sweeps_of(reader, rows), strict=True)]


def _sweeps_of(reader: Store, rows: Sequence[WorkloadRow]) -> list[str]:
    """The names of the workloads' sweeps; their numbers if two have the same name."""
    sweeps = {sweep.id: sweep.name for sweep in reader.sweeps()}
    if len({sweeps[row.sweep_id] for row in rows}) < len({row.sweep_id for row in rows}):
        sweeps = {identity: f"sweep {identity}" for identity in sweeps}
    return [sweeps[row.sweep_id] for row in rows]


def _table(source: FigureSource, row: WorkloadRow, ask: Ask) -> WorkloadTable:
    return source.table(row, ask.metric, ask.maximize)


def _result(source: FigureSource, row: WorkloadRow, ask: Ask) -> StepsToResult:
    return steps_to_result(_table(source, row, ask), ask.goal, **ask.limits)


def _asked_curve(source: FigureSource, row: WorkloadRow, ask: Ask, goal: float | None) -> Curve:
    one = source.curve(row, goal, ask, normalise=ask.normalise, reference_batch_size=ask.reference_batch_size)
    return replace(one, tokens_per_example=tokens_for(source.reader, row, ask.unit))


def _curve(source: FigureSource, rows: Sequence[WorkloadRow], ask: Ask) -> list[Panel]:
    goals: Sequence[float | None] = ask.goals or (None,)
    examples = ask.examples or ask.unit is not None
    names = names_of(source.reader, rows)
    lines = [
        (
            _asked_curve(source, row, ask, goal),
            name if goal is None or len(goals) == 1 else f"{name}, {goal:g}",
        )
        for row, name in zip(rows, names, strict=True)
        for goal in goals
    ]
    if len(lines) <= OVERLAID:
        return [
            panels.own_steps_panel([one for one, _ in lines], [name for _, name in lines], examples=examples)
        ]
    return [
        replace(panel, chart=replace(panel.chart, title=name))
        for one, name in lines
        for panel in [panels.own_steps_panel([one], ["fewest steps"], examples=examples)]
    ]


def _goals(source: FigureSource, rows: Sequence[WorkloadRow], ask: Ask) -> list[Panel]:
    made = []
    for row, name in zip(rows, names_of(source.reader, rows), strict=True):
        table = _table(source, row, ask)
        goals = ask.goals
        if not goals:
            if table.goal is None:
                raise UserError(f"{row.name}: goals: the sweep names no goal; give some (--goal X --goal Y)")
            own, turned = table.goal, table.maximize
            goals = tuple(float(f"{own / share if turned else own * share:.3g}") for share in GOALS)
        curves = [
            curve_of_table(table, goal, resamples=0, normalise=ask.normalise, **ask.limits) for goal in goals
        ]
        labels = [f"goal {goal:g}" for goal in goals]
        made.append(panels.steps_panel(curves, labels, name, scaling=[], subtitle=table.metric, ordered=True))
    return made


def _metaparameters(source: FigureSource, rows: Sequence[WorkloadRow], ask: Ask) -> list[Panel]:
    made = []
    for row, name in zip(rows, names_of(source.reader, rows), strict=True):
        result = _result(source, row, ask)
        have = set(result.table.parameters)
        asked = list(ask.parameters)
        if not asked:
            asked = [search_panels.EFFECTIVE] if {"learning_rate", "momentum"} <= have else []
            asked += sorted(have - {"momentum"}) + ["one_minus_momentum"] * ("momentum" in have)
        made += [search_panels.metaparameter_panel(result, one, name) for one in asked]
    return made


def _scatter(source: FigureSource, rows: Sequence[WorkloadRow], ask: Ask) -> list[Panel]:
    made: list[Panel] = []
    for row, name in zip(rows, names_of(source.reader, rows), strict=True):
        table = _table(source, row, ask)
        every = table.batch_sizes.tolist()
        sizes = list(ask.batch_sizes) or [every[index] for index in evenly(len(every), SCATTERED)]
        for size in sizes:
            panel = search_panels.scatter_panel(
                table,
                size,
                ask.goal,
                f"Batch size {size:,}",
                step_budget=ask.step_budget,
                example_budget=ask.example_budget,
            )
            legend = False if made else panel.chart.legend
            made.append(replace(panel, heading=name, chart=replace(panel.chart, legend=legend)))
    return made


def _best_error(source: FigureSource, rows: Sequence[WorkloadRow], ask: Ask) -> list[Panel]:
    if ask.unit is not None and not ask.example_budgets:
        raise UserError("figure best-error: --unit: counts budgets of data; give some (--at-examples N)")
    names = names_of(source.reader, rows)
    tables = [_table(source, row, ask).restrict(num_trials=ask.num_trials) for row in rows]
    if not (ask.step_budgets or ask.epoch_budgets or ask.example_budgets):
        return [panels.best_panel(tables, names, "Best error against batch size")]
    made = []
    for row, table, name in zip(rows, tables, names, strict=True):
        if ask.step_budgets:
            made.append(panels.budgets_panel(table, name, steps=ask.step_budgets))
        if ask.epoch_budgets:
            made.append(panels.budgets_panel(table, name, epochs=ask.epoch_budgets))
        if ask.example_budgets:
            made.append(
                panels.budgets_panel(
                    table,
                    name,
                    examples=ask.example_budgets,
                    tokens_per_example=tokens_for(source.reader, row, ask.unit),
                )
            )
    return made


def _stability(source: FigureSource, rows: Sequence[WorkloadRow], ask: Ask) -> list[Panel]:
    return [
        search_panels.stability_panel(_table(source, row, ask), parameter, name)
        for row, name in zip(rows, names_of(source.reader, rows), strict=True)
        for parameter in ask.parameters or ("learning_rate",)
    ]


def _split(source: FigureSource, rows: Sequence[WorkloadRow], ask: Ask) -> list[Panel]:
    if not ask.parameters:
        raise UserError("split: name the metaparameter to split by (--parameter NAME)")
    made = []
    for row, name in zip(rows, names_of(source.reader, rows), strict=True):
        table = _table(source, row, ask).restrict(num_trials=ask.num_trials)
        parts = table.split(ask.parameters[0], edges=ask.edges or None)
        labels = [
            f"{ask.parameters[0]} {value[0]:g} to {value[1]:g}"
            if isinstance(value, tuple)
            else f"{ask.parameters[0]} {value:g}"
            for value in parts
        ]
        made.append(panels.best_panel(list(parts.values()), labels, f"{name}: best"))
        curves = [
            curve_of_table(
                part, ask.goal, resamples=0, step_budget=ask.step_budget, example_budget=ask.example_budget
            )
            for part in parts.values()
        ]
        made.append(panels.steps_panel(curves, labels, f"{name}: steps", scaling=labels[:1]))
    return made


def _compare(source: FigureSource, rows: Sequence[WorkloadRow], ask: Ask) -> list[Panel]:
    if len(rows) < 2:
        raise UserError("compare: name two workloads, or two sweeps that have one (--sweep A --sweep B)")
    one = len({row.name for row in rows}) == 1
    # With a single workload the title names it, and the legend only the algorithm.
    names = _sweeps_of(source.reader, rows) if one else names_of(source.reader, rows)
    curves = [_asked_curve(source, row, ask, ask.goal) for row in rows]
    made = [panels.steps_panel(curves, names, rows[0].name if one else "Steps to the goal")]
    for curve, name in zip(curves[1:], names[1:], strict=True):
        made.append(panels.comparison_panel(curves[0].result, curve.result, (names[0], name)))
    return made


def _best_of(source: FigureSource, rows: Sequence[WorkloadRow], ask: Ask) -> list[Panel]:
    return [
        search_panels.best_of_panel(_result(source, row, ask), name)
        for row, name in zip(rows, names_of(source.reader, rows), strict=True)
    ]


def _power_lines(source: FigureSource, rows: Sequence[WorkloadRow], ask: Ask) -> list[Panel]:
    names = names_of(source.reader, rows)
    laws = [
        (
            name,
            critical_by_budget(
                _table(source, row, ask),
                ask.goals,
                num_trials=ask.num_trials,
                tokens_per_example=tokens_for(source.reader, row, ask.unit),
            ),
        )
        for row, name in zip(rows, names, strict=True)
    ]
    return [law_panel(laws, "B_crit over budgets", workloads=names)]


def _scaling_law(source: FigureSource, rows: Sequence[WorkloadRow], ask: Ask) -> list[Panel]:
    names = names_of(source.reader, rows)
    curves = [
        (row, name, _asked_curve(source, row, ask, ask.goal)) for row, name in zip(rows, names, strict=True)
    ]
    law = scaling_law(curves, ask.against)
    return [
        law_panel(
            [("critical batch size", law)], f"Critical batch size against {law.x_title}", workloads=names
        )
    ]


def _iso_loss(source: FigureSource, rows: Sequence[WorkloadRow], ask: Ask) -> list[Panel]:
    measured = speeds(source.reader.throughput())
    made = []
    for row, name in zip(rows, names_of(source.reader, rows), strict=True):
        curves = [_asked_curve(source, row, ask, goal) for goal in ask.goals or (None,)]
        made.append(iso_loss_panel(iso_loss(curves, throughputs(measured, row.name)), name, name))
    return made


def _sensitivity(source: FigureSource, rows: Sequence[WorkloadRow], ask: Ask) -> list[Panel]:
    made = []
    for row, name in zip(rows, names_of(source.reader, rows), strict=True):
        table = _table(source, row, ask)
        for parameter in ask.parameters or tuple(sorted(table.parameters)):
            found = sensitivity(table, parameter, num_trials=ask.num_trials)
            title = f"{name}: {parameter.replace('_', ' ')}"
            made.append(sensitivity_panel(found, parameter, table.metric, title, name))
    return made


Maker = Callable[[FigureSource, Sequence["WorkloadRow"], Ask], list[Panel]]

KINDS: Mapping[str, tuple[Maker, str, int]] = {
    "curve": (_curve, "Steps to the goal against batch size", 3),
    "goals": (_goals, "Steps to several goals", 3),
    "metaparameters": (_metaparameters, "Metaparameters of the best trials", 3),
    "scatter": (_scatter, "Learning rate against 1 - momentum", 3),
    "best-error": (_best_error, "Best error against batch size", 2),
    "stability": (_stability, "Where trials diverge", 2),
    "split": (_split, "Split by a metaparameter", 2),
    "compare": (_compare, "Side by side", 2),
    "power-lines": (_power_lines, "Critical batch size over several budgets", 1),
    "scaling-law": (_scaling_law, "Critical batch size against the size of data or model", 1),
    "iso-loss": (_iso_loss, "Ranks against hours to the same loss", 2),
    "sensitivity": (_sensitivity, "What a metaparameter costs off its best value", 2),
    "best-of": (_best_of, "Whether the search was long enough", 2),
}
"""Kind -> (function that makes its panels, title, panels side by side)."""

_STEPS = ("curve", "goals", "metaparameters", "split", "compare", "best-of", "scaling-law", "iso-loss")
"""Kinds that show steps to a goal within budgets and numbers of trials."""

USES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "metric": ("--metric", tuple(KINDS)),
    "maximize": ("--maximize", tuple(KINDS)),
    "goals": ("--goal", (*_STEPS, "scatter", "power-lines")),
    "step_budget": ("--step-budget", (*_STEPS, "scatter")),
    "example_budget": ("--example-budget", (*_STEPS, "scatter")),
    "num_trials": ("--num-trials", (*_STEPS, "best-error", "power-lines", "sensitivity")),
    "normalise": ("--normalise", ("curve", "goals", "compare")),
    "reference_batch_size": ("--reference-batch-size", ("scaling-law",)),
    "batch_sizes": ("--batch-size", ("scatter",)),
    "parameters": ("--parameter", ("metaparameters", "stability", "split", "sensitivity")),
    "edges": ("--edge", ("split",)),
    "step_budgets": ("--steps", ("best-error",)),
    "epoch_budgets": ("--epochs", ("best-error",)),
    "example_budgets": ("--at-examples", ("best-error",)),
    "against": ("--against", ("scaling-law",)),
    "unit": ("--unit", ("curve", "best-error", "power-lines", "scaling-law")),
    "examples": ("--examples", ("curve",)),
}
"""Field of Ask -> its option, and the kinds that use it."""

ONE_OF: Mapping[str, tuple[str, ...]] = {
    "goals": ("metaparameters", "scatter", "split", "compare", "best-of", "scaling-law"),
    "parameters": ("split",),
}
"""Options that may be repeated -> kinds that take one."""
