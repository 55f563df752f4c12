"""Questions about an imported archive are answered as a slow reading of its files by pandas answers them (section 8)."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep import curves
from hvdsweep.archive import import_archive
from hvdsweep.errors import UserError
from hvdsweep.opening import open_store
from hvdsweep.states import Status
from hvdsweep.store.goal_answers import answer_at_goal
from hvdsweep.store.store import Store
from tests.archive import slow
from tests.archive.generator import files, planted, write_folder

NAMES = (
    "mnist/simple_cnn_base/nesterov_momentum",
    "mnist/simple_cnn_base/sgd",
    "mnist_subsets/mnist_6875/simple_cnn_base/nesterov_momentum",
    "open_images_v4/resnet_50/nesterov_momentum",
    "solution_quality/mnist/simple_cnn_base/nesterov_momentum",
)


def metric_of(workload: str, split: str = "val") -> str:
    return f"{split}/average_precision" if workload.startswith("open") else f"{split}/classification_error"


def steps_of(result: curves.StepsToResult) -> dict[int, tuple[int, int]]:
    """Batch size -> (steps, number of the trial), as the slow reading has it."""
    table = result.table
    return {
        int(size): (int(result.steps[index]), int(table.number[result.trial[index]]))
        for index, size in enumerate(table.batch_sizes)
        if result.reached[index]
    }


@given(
    st.sampled_from(NAMES),
    st.floats(0, 1),
    st.none() | st.integers(0, 900),
    st.none() | st.integers(0, 50_000),
    st.none() | st.integers(1, 4),
    st.sampled_from(["val", "test"]),
)
def test_steps_to_result(
    imported: Path, folder: Path, workload: str, goal: float, step_budget: int | None, example_budget: int | None,
    num_trials: int | None, split: str,
) -> None:  # fmt: skip
    """Steps to any goal, under any budgets, of any number of trials: the step and the trial; from arrays and from SQL."""
    maximize = workload.startswith("open")
    metric = metric_of(workload, split)
    if workload.startswith("solution") and split == "test":
        return
    with open_store(imported) as reader:
        row = next(row for row in reader.workloads() if row.name == workload)
        asked = {"step_budget": step_budget, "example_budget": example_budget, "num_trials": num_trials}
        try:
            _, table = slow.load_workload(folder / workload, num_trials=num_trials)
        except ValueError:
            with pytest.raises(UserError, match="there are only"):
                curves.steps_to_result(reader.workload_table(workload, metric), goal, **asked)
            return
        result = curves.steps_to_result(reader.workload_table(workload, metric), goal, **asked)
        quick = answer_at_goal(reader, row, goal, metric=metric, **asked)
    table = slow.within(table, step_budget, example_budget)
    wanted = slow.steps_to_result(table, metric, goal, maximize)
    assert steps_of(result) == wanted
    assert quick is None or steps_of(quick[0]) == wanted


@pytest.mark.parametrize("records", [True, False])
@pytest.mark.parametrize("workload", NAMES)
def test_best_measurement(tmp_path: Path, folder: Path, workload: str, records: bool) -> None:
    """The best value of every study with its step and trial, with or without its records kept."""
    import_archive(folder / workload, tmp_path / "x.db", all_records=records, aside=False)
    maximize = workload.startswith("open")
    for split in ("val",) if workload.startswith("solution") else ("val", "train"):
        metric = metric_of(workload, split)
        _, table = slow.load_workload(folder / workload)
        for budget in (None, 100, 0):
            with open_store(tmp_path / "x.db") as reader:
                best = curves.best_measurements(reader.workload_table(workload, metric), step_budget=budget)
            found = {
                int(size): (float(best.value[i]), int(best.step[i]), int(best.table.number[best.trial[i]]))
                for i, size in enumerate(best.table.batch_sizes)
                if best.trial[i] != curves.NEVER
            }
            assert found == slow.best_measurement(slow.within(table, budget), metric, maximize)


@pytest.mark.parametrize("workload", NAMES)
def test_budget_lines(reader: Store, folder: Path, workload: str) -> None:
    """A batch size enters a line only if its training steps reach the budget; wall-time studies enter none (8.8)."""
    metric, maximize = metric_of(workload), workload.startswith("open")
    documents, table = slow.load_workload(folder / workload)
    found = reader.workload_table(workload, metric)
    examples = found.train_examples
    assert examples is not None
    for steps, epochs in (([0, 100, 500, 901], None), (None, [0.001, 0.05, 10.0])):
        lines = curves.best_under_budgets(found, steps=steps, epochs=epochs)
        for row, budget in enumerate(steps or epochs or []):
            inside = slow.within(table, budget) if steps else slow.within(table, None, budget * examples)
            wanted = slow.best_measurement(inside, metric, maximize)
            for column, size in enumerate(found.batch_sizes.tolist()):
                limit = budget if steps else budget * examples / size
                enters = documents[size]["train_steps"] >= limit and size in wanted
                got = lines.value[row, column]
                assert got == wanted[size][0] if enters else math.isnan(got)


def test_metaparameters(reader: Store, folder: Path) -> None:
    """The effective learning rate of the trial that reached the goal first, and the two heuristics from there (8.6)."""
    workload, goal = NAMES[0], 0.3
    documents, table = slow.load_workload(folder / workload)
    first = slow.steps_to_result(table, metric_of(workload), goal)
    rates = {}
    for size, (_, trial) in first.items():
        parameters = documents[size]["trials"][trial]["parameters"]
        rates[size] = parameters["learning_rate"] / (1 - parameters["momentum"])
    result = curves.steps_to_result(reader.workload_table(workload, metric_of(workload)), goal)
    found = curves.best_parameter(result, "effective_learning_rate")
    sizes = result.table.batch_sizes
    assert {int(size): rate for size, rate in zip(sizes, found, strict=True) if not math.isnan(rate)} == rates
    linear, root = curves.heuristics(sizes, found)
    start = min(rates)
    np.testing.assert_allclose(linear, [rates[start] * size / start for size in sizes])
    np.testing.assert_allclose(root, [rates[start] * math.sqrt(size / start) for size in sizes])


def test_scatter(reader: Store, folder: Path) -> None:
    """Each trial of a study: reached, not reached, infeasible; the steps-to-result trial is the star (8.7)."""
    workload, goal, size = NAMES[0], 0.3, 16
    metric = metric_of(workload)
    documents, table = slow.load_workload(folder / workload, ("COMPLETE", "INFEASIBLE"))
    points = curves.scatter(reader.workload_table(workload, metric), size, goal)
    trials = documents[size]["trials"]
    complete = table[table["trial_id"].map(lambda trial: trials.get(trial, {}).get("status") == "COMPLETE")]
    _, star = slow.steps_to_result(complete[complete["batch_size"] == size], metric, goal)[size]
    wanted = {}
    for trial, document in trials.items():
        values = table[(table["batch_size"] == size) & (table["trial_id"] == trial)][metric]
        reached = any(math.isfinite(value) and value < goal for value in values)
        outcome = curves.Outcome.REACHED if reached else curves.Outcome.NOT_REACHED
        outcome = curves.Outcome.BEST if trial == star else outcome
        wanted[trial] = curves.Outcome.INFEASIBLE if document["status"] == "INFEASIBLE" else outcome
    assert dict(zip(points.number.tolist(), points.outcome.tolist(), strict=True)) == wanted
    by_number = dict(
        zip(
            points.number.tolist(),
            zip(points.learning_rate, points.one_minus_momentum, strict=True),
            strict=True,
        )
    )
    for trial, document in trials.items():
        parameters = document["parameters"]
        assert by_number[trial] == (parameters["learning_rate"], 1 - parameters["momentum"])


def test_split(reader: Store, folder: Path) -> None:
    """Split by a metaparameter, a trial without it counting as 0, as Figure 7 does."""
    workload, goal = NAMES[0], 0.4
    metric = metric_of(workload)
    documents, table = slow.load_workload(folder / workload)
    parts = reader.workload_table(workload, metric).split("label_smoothing", missing=0.0)
    for value, part in parts.items():
        kept = {
            (size, trial)
            for size, document in documents.items()
            for trial, metadata in document["trials"].items()
            if metadata["parameters"].get("label_smoothing", 0.0) == value
        }
        rows = table[[pair in kept for pair in zip(table["batch_size"], table["trial_id"], strict=True)]]
        assert steps_of(curves.steps_to_result(part, goal)) == slow.steps_to_result(rows, metric, goal)


def test_infeasible_share(reader: Store, folder: Path) -> None:
    """The stability map counts the trials of the files."""
    workload = NAMES[0]
    documents, _ = slow.load_workload(folder / workload, ("COMPLETE", "INFEASIBLE"))
    edges = [1e-4, 1e-2, 1e-1, 10.0]
    found = curves.stability_map(reader.workload_table(workload), "learning_rate", edges)
    for column, document in enumerate(documents.values()):
        for row in range(3):
            rates = [
                (metadata["status"] == "INFEASIBLE")
                for metadata in document["trials"].values()
                if edges[row] <= metadata["parameters"]["learning_rate"] < edges[row + 1]
            ]
            assert (found.infeasible[row, column], found.trials[row, column]) == (sum(rates), len(rates))


@given(st.integers(0, 10**6))
def test_any_archive(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """Whatever was planted, steps and best values agree for every workload, and ties go to the smallest trial."""
    tmp_path = tmp_path_factory.mktemp("any")
    studies = planted(seed, trials=4, wide=seed % 3 == 0)
    root = write_folder(tmp_path, files(studies))
    import_archive(root, tmp_path / "x.db", aside=False)
    with open_store(tmp_path / "x.db") as reader:
        for workload in {study.workload for study in studies}:
            metric, maximize = metric_of(workload), workload.startswith("open")
            try:
                _, table = slow.load_workload(root / workload)
            except ValueError:
                continue  # pandas has nothing to concatenate
            found = reader.workload_table(workload, metric)
            assert len(found.study) == sum(
                len(study.trials) for study in studies if study.workload == workload
            )
            for goal in (0.05, 0.3, 0.7):
                wanted = slow.steps_to_result(table, metric, goal, maximize)
                assert steps_of(curves.steps_to_result(found, goal)) == wanted
            counted = int((found.status == Status.COMPLETE).sum())
            assert (
                counted == len(set(zip(table["batch_size"], table["trial_id"], strict=True))) or counted > 0
            )
