"""`hvdsweep best`: the best metaparameters of every batch size, how they scale with it, and why they may not be the best."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hvdsweep.cli.options import GoalValue, db_option, json_option, print_json
from hvdsweep.cli.questions import answers, question_options
from hvdsweep.visible import visible

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from hvdsweep.curves import BestOf, Curve, PowerLaw
    from hvdsweep.curves.question import Question

EFFECTIVE = "effective_learning_rate"

KEPT = (
    "batch_size steps trial trial_id reached budget trials trials_reached infeasible best_value best_step best_trial"
    f" parameters {EFFECTIVE} leans_on_stopped trials_censored trials_stopped_early warnings"
).split()
"""What the JSON of a point holds of that of `curve`."""


@click.command()
@click.argument("workloads", nargs=-1, metavar="[WORKLOAD]...")
@db_option
@question_options
@click.option(
    "--goal", type=GoalValue(), metavar="X", help="Reached strictly below (above).  [default: the sweep's]"
)
@json_option
def best(
    workloads: tuple[str, ...],
    db: Path,
    sweep: int | None,
    question: Question,
    goal: float | None,
    as_json: bool,
) -> None:
    """Print the best metaparameters of every batch size, with warnings.

    The best trial is the one that reached the goal first; if none did, the one that came nearest.

    WORKLOAD is a workload's name, a part of it that fits no other, or a sweep file; without it, all in the database.
    """
    found, _ = answers(db, workloads, sweep, question, [] if goal is None else [goal])
    if as_json:
        print_json([_json(sweep_id, curve) for sweep_id, curve in found])
    else:
        click.echo("\n\n".join("\n".join(_lines(curve)) for _, curve in found))


def _values(curve: Curve, name: str) -> npt.NDArray[np.float64]:
    """[S], a metaparameter of each batch size's best trial if the goal was reached, else NaN (section 8.6)."""
    import numpy as np

    chosen = [
        (point.effective_learning_rate if name == EFFECTIVE else point.parameters.get(name))
        if point.reached
        else None
        for point in curve.points
    ]
    return np.array([math.nan if value is None else value for value in chosen], np.float64)


def _laws(curve: Curve) -> dict[str, PowerLaw]:
    """How the learning rates of the best trials grow with batch size."""
    from hvdsweep.curves import fit_exponent

    laws = {
        name: fit_exponent(curve.batch_sizes, _values(curve, name)) for name in ("learning_rate", EFFECTIVE)
    }
    return {name: law for name, law in laws.items() if law is not None}


def _best_of(curve: Curve, index: int) -> BestOf | None:
    """Steps of the best of k trials of one study, k doubling up to all of them."""
    import numpy as np

    from hvdsweep.curves import NEVER, best_of

    result = curve.result
    trials = result.counted & (result.table.study == index)
    steps = np.where(result.trial_steps[trials] == NEVER, np.inf, result.trial_steps[trials])
    n = len(steps)
    if n == 0:
        return None
    return best_of(steps, sorted({*(2**i for i in range(n.bit_length()) if 2**i <= n), max(n // 2, 1), n}))


def _json(sweep_id: int, curve: Curve) -> dict[str, Any]:
    from hvdsweep.curves import heuristics, point_json
    from hvdsweep.curves.curve_data import finite

    linear, root = heuristics(curve.result.table.batch_sizes, _values(curve, EFFECTIVE))
    points = []
    for index, point in enumerate(curve.points):
        plain = point_json(point)
        points.append(
            {name: plain[name] for name in KEPT}
            | {
                "linear_heuristic": finite(linear[index]),
                "square_root_heuristic": finite(root[index]),
                "best_of": _best_of_json(_best_of(curve, index)),
            }
        )
    return {
        "workload": curve.workload,
        "metric": curve.metric,
        "goal": finite(curve.goal),
        "maximize": curve.maximize,
        "sweep": sweep_id,
        "points": points,
        "scaling": {name: vars(law) for name, law in _laws(curve).items()},
    }


def _best_of_json(found: BestOf | None) -> dict[str, Any] | None:
    from hvdsweep.curves.curve_data import finite

    if found is None:
        return None
    return {
        "k": found.k.tolist(),
        "expected_steps": [finite(value) for value in found.expected],
        "median_steps": [finite(value) for value in found.quantiles[:, 1]],
        "probability": found.probability.tolist(),
    }


def _lines(curve: Curve) -> list[str]:
    from hvdsweep.cli.columns import table
    from hvdsweep.cli.curve_text import conditions
    from hvdsweep.curves import heuristics
    from hvdsweep.curves.chart import goal_text, warnings_of
    from hvdsweep.words import short, whole

    head = visible(f"{curve.workload}   {goal_text(curve)}{conditions(curve)}")
    names = sorted({name for point in curve.points for name in point.parameters})
    momentum = "momentum" in names
    linear, root = heuristics(curve.result.table.batch_sizes, _values(curve, EFFECTIVE))
    header = [
        "batch size",
        "steps",
        "trial",
        *names,
        *(["effective lr"] if momentum else []),
        "linear",
        "square root",
        "best",
        "half search",
    ]
    rows = []
    for index, point in enumerate(curve.points):
        shown = point.trial if point.reached else point.best_trial
        effective = point.effective_learning_rate
        rows.append(
            (
                whole(point.batch_size),
                whole(point.steps) if point.reached else f"> {whole(point.budget)}" if point.trials else "",
                "" if shown is None else str(shown),
                *(_number(point.parameters.get(name)) for name in names),
                *(["" if effective is None else short(effective)] if momentum else []),
                "" if math.isnan(linear[index]) else short(float(linear[index])),
                "" if math.isnan(root[index]) else short(float(root[index])),
                short(point.best_value),
                _half(curve, index),
            )
        )
    if not rows:
        return [head, "", "No studies yet."]
    lines = [head, "", *table(header, rows), ""]
    lines += [
        f"{name.replace('_', ' ')} of the best trials grows as {_law(law)}"
        for name, law in _laws(curve).items()
        if momentum or name != EFFECTIVE
    ]
    explained = {
        "linear": "linear, square root: the smallest batch size's effective learning rate, scaled by these heuristics",
        "half search": "half search: how many more steps the best of half as many trials takes on average, or how often it"
        " fails",
    }
    # A column without any entry is not shown.
    lines += [text for name, text in explained.items() if any(row[header.index(name)] for row in rows)]
    if lines[-1]:
        lines.append("")
    warnings = warnings_of([curve])
    return [*lines, *warnings] if warnings else lines[:-1]


def _half(curve: Curve, index: int) -> str:
    steps, found = curve.points[index].steps, _best_of(curve, index)
    if not steps or found is None or curve.points[index].trials < 2:
        return ""
    row = int((found.k == curve.points[index].trials // 2).argmax())
    if found.probability[row] < 0.995:
        return f"fails in {100 * (1 - found.probability[row]):.0f} %"
    return f"{100 * (float(found.expected[row]) / steps - 1):+.0f} %"


def _law(law: PowerLaw) -> str:
    from hvdsweep.curves.metaparameters import times_off

    spread = "" if law.low is None or law.high is None else f" ({law.low:.2f} to {law.high:.2f})"
    return (
        f"B^{law.exponent:.2f}{spread}; linear scaling is off by a factor of {times_off(law.linear_misfit)}, "
        f"square root by {times_off(law.square_root_misfit)} (rms)"
    )


def _number(value: float | None) -> str:
    # Momentum close to 1 needs the digits of 1 - momentum.
    if value is None:
        return ""
    return f"{value:.6g}" if 0.9 < value < 1 else f"{value:.4g}"
