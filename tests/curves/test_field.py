"""Views that papers use: against planted laws, scipy, the published table, and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hvdsweep.cli.at_budget import parse_budget
from hvdsweep.curves import curve
from hvdsweep.curves.costs import Throughput
from hvdsweep.curves.field import critical_by_budget, iso_loss, power_law, scaling_law, sensitivity
from hvdsweep.curves.measurements import best_under_budgets
from hvdsweep.errors import UserError
from hvdsweep.figures.field_panels import iso_loss_panel
from hvdsweep.published import curves as published_curves
from hvdsweep.states import Status
from hvdsweep.store.rows import WorkloadRow

from .oracle import Study, Trial
from .oracle import table as table_of

SIZES = [64, 256, 1024, 4096, 16384]


def planted(steps: dict[int, list[tuple[float, int]]], workload: str = "data/model/sgd"):
    """A table whose studies have one trial that gets below each value at its step."""
    studies = [
        Study(size, [Trial(0, [(step, value) for value, step in reached], steps=10**9)], train_steps=10**9)
        for size, reached in steps.items()
    ]
    return table_of(studies, workload=workload)


def test_b_crit_over_budgets_is_the_planted_law() -> None:
    """Goals whose hyperbolas are planted with B_crit = 3 E_min^0.5: a point for each goal, and that law."""
    goals = [0.8, 0.6, 0.4, 0.2]
    examples = [1e6, 4e6, 16e6, 64e6]
    steps = {
        size: [
            (goal - 1e-6, math.ceil(e_min / (3 * e_min**0.5) * (1 + 3 * e_min**0.5 / size)))
            for goal, e_min in zip(goals, examples, strict=True)
        ]
        for size in SIZES
    }
    found = critical_by_budget(planted(steps), goals)
    assert found.x == pytest.approx(examples, rel=0.01)
    assert found.batch_size == pytest.approx([3 * e_min**0.5 for e_min in examples], rel=0.02)
    assert found.law is not None
    assert found.law.exponent == pytest.approx(0.5, abs=0.01)
    assert found.law.coefficient == pytest.approx(3, rel=0.1)
    assert found.labels == ("0.8", "0.6", "0.4", "0.2")


def row(number: int, examples: int | None, weights: int | None) -> WorkloadRow:
    return WorkloadRow(number, 1, f"w{number}", "d", "m", "sgd", "val/error", 0.5, False, examples, weights)


def test_the_scaling_law_of_the_published_curves() -> None:
    """Five language models: critical batch sizes as printed, and the power law in the number of weights that scipy finds."""
    published = published_curves("zhang_2024")
    weights = [float(one.model[:-1]) * {"M": 1e6, "B": 1e9}[one.model[-1]] for one in published]
    curves = []
    for place, (one, size) in enumerate(zip(published, weights, strict=True)):
        made = curve(planted({b: [(0.4, s)] for b, s in one.steps.items()}), 0.5, reference_batch_size=256)
        curves.append((row(place, None, int(size)), one.model, made))
    found = scaling_law(curves)
    printed = [one.critical_batch_size for one in published]
    hyperbolic = [one.fit is not None and one.fit.knee == 1 for _, _, one in curves]
    assert np.array(found.batch_size)[hyperbolic] == pytest.approx(np.array(printed)[hyperbolic], rel=1e-4)
    line = stats.linregress(np.log(weights), np.log(found.batch_size))
    assert found.law is not None
    assert found.law.exponent == pytest.approx(line.slope)
    assert found.law.coefficient == pytest.approx(math.exp(line.intercept))
    assert (found.law.high or 0) - line.slope == pytest.approx(
        line.stderr * stats.t.ppf(0.975, len(weights) - 2)
    )


def test_what_has_no_place_on_a_scaling_law_is_named() -> None:
    """Sizes that do not differ, or are not known, are an error that names them."""
    made = curve(planted({size: [(0.4, 100 + 10**6 // size)] for size in SIZES}), 0.5)
    same = [(row(place, 1000, 10), "w", made) for place in (0, 1)]
    with pytest.raises(UserError, match="--against"):
        scaling_law(same)
    with pytest.raises(UserError, match="not known"):
        scaling_law([(row(0, None, 10), "w", made)], "data")


def test_power_laws_of_fractions() -> None:
    """Sizes below 1, as billions of tokens are, keep their fractions."""
    x = np.array([0.5, 1.7, 3.4, 8.0])
    found = power_law(x, 22.91 * x**0.47)
    assert found is not None
    assert (found.coefficient, found.exponent) == pytest.approx((22.91, 0.47))


def test_the_front_of_ranks_and_hours_is_that_of_a_loop() -> None:
    """No other choice is as fast on as few ranks; every choice left out is beaten by one that is there."""
    rng = np.random.default_rng(2)
    made = curve(planted({size: [(0.4, 100 + 10**6 // size)] for size in SIZES}), 0.5)
    speeds = [
        Throughput(size, ranks, ranks * float(rng.uniform(1, 5))) for size in SIZES for ranks in (1, 2, 4, 8)
    ]
    missed = curve(planted({size: [(0.6, 100)] for size in SIZES}), 0.5)
    for one, words in ((made, "no speed is known; imported sweeps"), (missed, "no goal was reached")):
        assert words in iso_loss_panel(iso_loss([one], []), "", "").chart.empty
    (found,) = iso_loss([made], speeds)
    steps = {point.batch_size: point.steps or 0 for point in made.points}
    every = [(steps[one.batch_size] / one.steps_per_second / 3600, one.np) for one in speeds]
    front = sorted(
        (hours, ranks)
        for hours, ranks in every
        if not any((h < hours and r <= ranks) or (h <= hours and r < ranks) for h, r in every)
    )
    assert list(zip(found.hours.tolist(), found.ranks.tolist(), strict=True)) == front
    assert len(front) > 2


@pytest.mark.parametrize("maximize", [False, True])
def test_sensitivity_is_the_lower_envelope(maximize: bool) -> None:
    """Per bin of half a doubling about the best trial's value the least loss above the study's best; diverged trials and those
    without a measurement count nowhere."""
    rng = np.random.default_rng(3)
    trials = [
        Trial(
            number,
            [(10, float(rng.random()))] if number % 7 else [],
            Status.INFEASIBLE if number % 5 == 0 else Status.COMPLETE,
            parameters={"learning_rate": float(10 ** rng.uniform(-2, 0))},
        )
        for number in range(40)
    ]
    table = table_of([Study(8, trials), Study(16, [])], maximize=maximize)
    (found,) = sensitivity(table, "learning_rate")
    sign = -1 if maximize else 1
    usable = [
        (sign * one.measurements[0][1], one.parameters["learning_rate"])
        for one in trials
        if one.status is Status.COMPLETE and one.measurements
    ]
    least, best = min(usable)
    expected: dict[int, float] = {}
    for loss, rate in usable:
        place = round(2 * math.log2(rate / best))
        expected[place] = min(expected.get(place, math.inf), loss - least)
    assert found.best == best
    assert found.ratio.tolist() == [2 ** (place / 2) for place in sorted(expected)]
    assert found.excess == pytest.approx([expected[place] for place in sorted(expected)])
    assert sum(found.trials) == len(usable)


def test_budgets_in_examples_are_those_of_a_loop() -> None:
    """At equal examples each batch size has the best measurement within that many examples, if it trained as many."""
    studies = [
        Study(size, [Trial(n, [(s, 1 / (1 + s + n)) for s in range(0, 101, 10)]) for n in range(2)])
        for size in (4, 8, 16)
    ]
    found = best_under_budgets(table_of(studies), examples=[200, 800])
    expected = [
        [
            min(
                value
                for trial in study.trials
                for step, value in trial.measurements
                if step * study.batch_size <= budget
            )
            if 100 * study.batch_size >= budget
            else math.nan
            for study in studies
        ]
        for budget in (200, 800)
    ]
    assert found.unit == "examples"
    np.testing.assert_array_equal(found.value, expected)


def test_budgets_are_read_from_words() -> None:
    """Numbers are steps; examples, samples, tokens and epochs are named; anything else is an error."""
    assert parse_budget("500") == ("steps", 500.0)
    assert parse_budget("64,000 examples") == ("examples", 64000.0)
    assert parse_budget("1e6 samples") == ("examples", 1e6)
    assert parse_budget("5 tokens") == ("tokens", 5.0)
    assert parse_budget("2.5epochs") == ("epochs", 2.5)
    for wrong in ("", "many", "-3", "5 words", "1e999 steps"):
        with pytest.raises(UserError, match="--at-budget"):
            parse_budget(wrong)
