"""The curve object: its points put together, its JSON and its CSV."""

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given

from hvdsweep.charts import Chart, Series, chart_csv
from hvdsweep.curves import LIVE, Region, Rules, curve, curve_json, to_csv
from hvdsweep.errors import UserError
from hvdsweep.figures import Figure, Panel
from hvdsweep.states import Status, StopReason
from hvdsweep.visible import visible

from . import oracle
from .oracle import Study, Trial


def planted(b_crit=100.0, s_min=200.0, sizes=(8, 16, 32, 64, 128, 256, 512, 1024, 2048)):
    """Studies of five trials each whose best follows the hyperbola, rounded to whole steps."""
    studies = []
    for size in sizes:
        best = round(s_min * (1 + b_crit / size))
        trials = [
            Trial(
                n,
                [(0, 0.9), (best + 10 * n, 0.4), (3 * best, 0.2)],
                steps=10_000,
                parameters={"learning_rate": 0.001 * size, "momentum": 0.9},
            )
            for n in range(5)
        ]
        trials.append(Trial(7, [], status=Status.INFEASIBLE, stop_reason=StopReason.DIVERGED))
        studies.append(Study(size, trials, train_steps=10_000, target_trials=5))
    return studies


def test_a_planted_curve_is_read_back():
    """Points, fit, regions and the useful batch size of a curve whose answer is known."""
    found = curve(oracle.table(planted()))
    assert found.steps == [round(200 * (1 + 100 / size)) for size in found.batch_sizes]
    assert [point.trial for point in found.points] == [0] * 9
    assert found.fit.b_crit.value == pytest.approx(100, rel=0.01)
    assert found.fit.s_min.value == pytest.approx(200, rel=0.01)
    # S <= 1.1 min S, min S = 210: B_crit / B <= 0.155, so the first power of two from 645 on.
    assert found.max_useful_batch_size == 1024
    assert not found.useful.at_least
    assert found.critical.batch_size == pytest.approx(8 + 0.2 * 108, rel=0.03)
    # The critical batch size may be below or above 32, the maximum useful one 512: larger batch sizes scatter more in ln S.
    kinds = [point.region for point in found.points]
    assert kinds == [
        *[Region.PERFECT] * 2,
        Region.UNDECIDED,
        *[Region.DIMINISHING] * 3,
        Region.UNDECIDED,
        *[Region.MAXIMAL] * 2,
    ]
    first = found.points[0]
    assert (first.trials, first.trials_reached, first.infeasible, first.trials_undecided) == (5, 5, 1, 0)
    assert first.examples == 8 * first.steps
    low, high = first.interval
    assert 0.9 * first.steps < low < first.steps < high < 1.1 * first.steps
    assert first.interval_of.startswith("the best of a repeated search")
    assert first.relative_width == (high - low) / (2 * first.steps)
    assert first.effective_learning_rate == pytest.approx(0.08)
    assert (first.best_value, first.best_step, first.best_trial) == (0.2, 3 * first.steps, 0)
    assert all(point.warnings == () for point in found.points)


def test_normalised_points():
    """Steps over those at the batch size asked for; one that did not reach the goal is refused."""
    found = curve(oracle.table(planted()), normalise=64)
    assert [point.normalised for point in found.points] == [
        pytest.approx(point.steps / found.points[3].steps) for point in found.points
    ]
    with pytest.raises(UserError, match="batch size 5"):
        curve(oracle.table(planted()), normalise=5)


def test_a_goal_that_no_trial_reached():
    """Every batch size stays, without steps, with its best; there is no fit and no useful batch size."""
    found = curve(oracle.table(planted()), 0.1)
    assert found.steps == [None] * 9
    assert (found.fit, found.max_useful_batch_size, found.critical, found.useful_interval) == (
        None,
        None,
        None,
        None,
    )
    assert {point.best_value for point in found.points} == {0.2}
    assert {point.budget for point in found.points} == {10_000}
    assert found.points[0].parameters == {"learning_rate": 0.008, "momentum": 0.9}


def test_running_trials_count_when_asked():
    """A live view may count what a running trial has already shown."""
    studies = [Study(4, [Trial(0, [(10, 0.1)], status=Status.RUNNING, stop_reason=StopReason.NONE)])]
    assert curve(oracle.table(studies)).steps == [None]
    assert curve(oracle.table(studies), statuses=LIVE).steps == [10]


def test_an_interval_that_stopped_trials_leave_open():
    """Without a fit and with all others stopped when beaten, how far a repeated search would slip is not known."""
    trials = [Trial(0, [(20, 0.4)])] + [
        Trial(n, [(20, 0.9)], steps=21, stop_reason=StopReason.BEATEN) for n in range(1, 6)
    ]
    (point,) = curve(oracle.table([Study(4, trials)])).points
    assert (point.steps, point.trials_undecided, point.interval) == (20, 0, None)
    later = [*trials[:1], *(Trial(n, [(20 + n, 0.4)]) for n in range(1, 5)), trials[5]]
    (point,) = curve(oracle.table([Study(4, later)])).points
    # The upper end, step 23, could have been one of the stopped trial's steps from 22 on, after its 21: unknown.
    assert point.interval is None
    ended = [*later[:5], Trial(5, [(20, 0.9)], steps=100)]
    (point,) = curve(oracle.table([Study(4, ended)])).points
    # Of six trials the fourth: another search's best comes later in C(6, 4) / C(12, 4) = 3 % of all.
    assert (point.interval, point.interval_of.split(";")[0]) == (
        (0, 23),
        "the best of a repeated search with as many trials",
    )


def no_constant(name):
    raise AssertionError(f"{name} is no JSON")


@given(oracle.workloads(), oracle.goals, oracle.budgets)
def test_json_is_plain_for_any_table(studies, goal, step_budget):
    """Whatever the table, the JSON has the contract's keys, no NaN or Infinity, and steps exactly where reached."""
    found = curve(oracle.table(studies), goal, step_budget=step_budget, resamples=20)
    text = json.dumps(curve_json(found), allow_nan=False)
    plain = json.loads(text, parse_constant=no_constant)
    keys = {"workload", "metric", "goal", "maximize", "points", "fit", "max_useful_batch_size"}
    assert keys <= plain.keys()
    for point in plain["points"]:
        assert {"batch_size", "steps", "trial", "reached", "budget"} <= point.keys()
        assert (point["steps"] is not None) == point["reached"] == (point["trial"] is not None)
        if point["reached"]:
            if point["interval"] is not None:
                low, high = point["interval"]
                assert low <= point["steps"] <= (high or point["steps"])
                assert point["interval_of"]
            assert point["leans_on_stopped"] <= point["trials"] - point["trials_reached"]
            assert point["region"] is not None
        else:
            assert point["region"] is None
    if plain["max_useful_batch_size"] is not None:
        by_size = {point["batch_size"]: point["steps"] for point in plain["points"] if point["reached"]}
        useful = plain["max_useful"]
        assert useful["batch_size"] == plain["max_useful_batch_size"]
        assert useful["batch_size"] in by_size
        if useful["interval"] is None:
            # Without a fitted curve the rule is that of the points.
            assert by_size[useful["batch_size"]] <= 1.1 * min(by_size.values()) + 1e-9
        else:
            low, high = useful["interval"]
            assert low <= useful["batch_size"] <= (high or max(by_size))
            assert not useful["at_least"] or high is None


def test_csv_holds_the_points():
    """One row per batch size with a column per metaparameter; empty where there is no value."""
    studies = [*planted(sizes=(8, 16)), Study(32, [Trial(0, [(1, 0.9)], parameters={"dropout": 0.5})])]
    found = curve(oracle.table(studies))
    rows = list(csv.DictReader(io.StringIO(to_csv([found]))))
    assert [row["batch_size"] for row in rows] == ["8", "16", "32"]
    assert [row["steps"] for row in rows] == [str(s) for s in found.steps[:2]] + [""]
    assert [row["reached"] for row in rows] == ["true", "true", "false"]
    assert [row["learning_rate"] for row in rows] == ["0.008", "0.016", ""]
    assert [row["dropout"] for row in rows] == ["", "", "0.5"]
    assert rows[0]["interval_high"] == str(found.points[0].interval[1])
    assert rows[2]["warnings"] == "few_reached"


def test_csv_of_several_curves_has_one_header():
    """Curves with different metaparameters share one table."""
    one = curve(oracle.table(planted(sizes=(8, 16)), workload="a"))
    other = curve(
        oracle.table(
            [Study(1, [Trial(0, [(1, 0.1)], parameters={"dropout": 0.5})])], workload="b, with comma"
        )
    )
    rows = list(csv.DictReader(io.StringIO(to_csv([one, other]))))
    assert [row["workload"] for row in rows] == ["a", "a", "b, with comma"]
    assert rows[2]["dropout"] == "0.5"
    assert rows[0]["dropout"] == rows[2]["momentum"] == ""


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_a_csv_is_a_formula(begin):
    """Names from elsewhere that a spreadsheet would run are text in it; numbers stay numbers."""
    name = f"{begin}cmd|' /C calc'!A0"
    shown = visible(name) if begin in "\t\r" else f"'{name}"
    found = curve(oracle.table([Study(1, [Trial(0, [(1, 0.1)], parameters={name: -0.5})])], workload=name))
    (row,) = csv.DictReader(io.StringIO(to_csv([found]), newline=""))
    assert row["workload"] == shown
    assert row[shown] == "-0.5"
    chart = Chart((Series(name, [1.0], [-0.5]),), title=name)
    (point,) = csv.DictReader(io.StringIO(chart_csv(chart), newline=""))
    assert (point["series"], point["y"]) == (shown, "-0.5")
    figure = Figure("", "", 1, (Panel(chart, heading=name),))
    (point,) = csv.DictReader(io.StringIO(figure.to_csv(), newline=""))
    assert [point[key] for key in ("part", "panel", "series", "y")] == [shown, shown, shown, "-0.5"]


def test_the_interval_of_the_useful_batch_size_holds_it():
    """The curves that the data allow move the useful batch size; an open end where the largest may be it."""
    rng = np.random.default_rng(5)
    studies = [
        Study(
            size,
            [
                Trial(n, [(int(s), 0.1)], steps=10**6)
                for n, s in enumerate(1000 * (1 + 64 / size) * rng.lognormal(0.5, 0.6, 30))
            ],
            train_steps=10**6,
        )
        for size in (8, 16, 32, 64, 128, 256, 512, 1024)
    ]
    table = oracle.table(studies)
    found = curve(table, seed=1)
    low, high = found.useful_interval
    assert low <= found.max_useful_batch_size <= high
    assert low < high
    assert found.useful.interval == (low, None if high == float("inf") else high)


def test_the_rule_is_printed():
    """The JSON says by which rule the useful batch size was found."""
    plain = curve_json(curve(oracle.table(planted()), rules=Rules(useful_tolerance=0.25)))
    assert plain["max_useful_rule"] == "smallest B with S(B) <= 1.25 min S"
    assert plain["max_useful_batch_size"] == 512


def test_an_empty_table():
    """No studies at all: an empty curve, not a crash."""
    found = curve(oracle.table([]))
    assert (found.points, found.fit, found.max_useful_batch_size) == ((), None, None)
    assert json.loads(json.dumps(curve_json(found)))["points"] == []


def bowl(size, count, best):
    """Steps of so many trials, evenly spread in ln S up to exp(2) of the best possible: the best of more comes sooner."""
    return [
        Trial(n, [(round(best * np.exp(2 * (n + 1) / (count + 1))), 0.1)], steps=10**6) for n in range(count)
    ]


def test_batch_sizes_with_fewer_trials_are_compared_as_if_all_had_as_many():
    """The best of 4 trials is a third slower than the best of 16; without a correction B_crit would shift."""
    sizes = (8, 16, 32, 64, 128, 256, 512, 1024)
    studies = [
        Study(size, bowl(size, 16 if size < 200 else 4, 1000 * (1 + 100 / size)), train_steps=10**6)
        for size in sizes
    ]
    found = curve(oracle.table(studies))
    assert found.fit.trials == 16
    assert found.fit.hyperbola.b_crit.value == pytest.approx(100, rel=0.02)
    assert found.fit.s_min.low < 1000 * np.exp(2 / 17) < found.fit.s_min.high


@pytest.mark.parametrize("stop", [StopReason.BUDGET, StopReason.BEATEN])
def test_an_interval_is_open_where_another_search_may_not_reach_the_goal(stop):
    """If 2 of 16 trials reach the goal, another search of 16 does not in one of eight cases. Beaten trials might have
    reached it."""
    failed = [Trial(n, [(1, 0.9)], steps=1000, stop_reason=stop) for n in range(8, 16)]
    failed += [Trial(n, [(1, 0.9)], steps=1000, stop_reason=stop) for n in range(2, 8)]
    studies = [
        Study(
            size,
            sorted(
                [
                    *bowl(size, 8 if size > 8 else 2, 1000 * (1 + 100 / size)),
                    *failed[: 8 if size > 8 else 14],
                ],
                key=lambda trial: trial.number,
            ),
            train_steps=10**6,
        )
        for size in (8, 16, 32, 64, 128)
    ]
    first, *others = curve(oracle.table(studies)).points
    assert all(point.interval[0] < point.steps < point.interval[1] for point in others)
    assert first.interval[0] < first.steps
    assert (first.interval[1] is None) == (stop is StopReason.BUDGET)
    assert first.interval_of.endswith("it may not reach the goal") == (stop is StopReason.BUDGET)


def test_an_interval_reaches_to_the_evaluations_next_to_it():
    """With an evaluation every 25 steps, another search may reach the goal one evaluation earlier or later, however
    little trials scatter."""
    studies = [
        Study(
            size,
            [
                Trial(n, [(steps - 25, 0.9), (steps, 0.1)], steps=10**6)
                for n, steps in enumerate([25 * round(8 * (1 + 64 / size))] * 6)
            ],
            train_steps=10**6,
        )
        for size in (8, 16, 32, 64, 128, 256)
    ]
    for point in curve(oracle.table(studies)).points:
        assert point.interval[0] <= point.steps - 25
        assert point.interval[1] >= point.steps + 25
