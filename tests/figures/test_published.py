"""Figures 1 to 11 against a slow reading of the archive by pandas: every number of every panel."""

from __future__ import annotations

import functools
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hvdsweep.archive import import_archive
from hvdsweep.charts import frame_of
from hvdsweep.charts.frame import View
from hvdsweep.figures import paper, published
from hvdsweep.figures.figure import Panel
from hvdsweep.figures.published import paper_figure
from hvdsweep.opening import open_store
from hvdsweep.store.connection import connect
from hvdsweep.store.store import Store
from tests.archive import slow
from tests.archive.generator import files, write_folder
from tests.figures import archive

STATUSES = ("COMPLETE", "INFEASIBLE")
PLANTED = 3
"""Trials that every study of the planted archive has at least."""


@pytest.fixture(params=[PLANTED, None], ids=["first 3 trials", "all trials"])
def trials(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int | None:
    """How many trials count: the catalogue's 100 replaced by what the archive has, or left, so that all count."""
    if request.param is not None:
        fewer = {
            name: replace(
                figure,
                panels=tuple(
                    replace(
                        panel,
                        series=tuple(
                            replace(series, trials=series.trials and request.param) for series in panel.series
                        ),
                    )
                    for panel in figure.panels
                ),
            )
            for name, figure in paper.figures().items()
        }
        monkeypatch.setattr(published, "figures", lambda: fewer)
    found: int | None = request.param
    return found


def drawn(reader: Store, name: str) -> list[dict[str, Any]]:
    """The panels' JSON."""
    panels: list[dict[str, Any]] = json.loads(
        json.dumps(paper_figure(reader, name).to_json(), allow_nan=False)
    )["panels"]
    return panels


def points(series: dict[str, Any]) -> dict[int, float]:
    """Batch size -> y of what was reached."""
    hidden = series["censored"] or [False] * len(series["x"])
    return {
        x: y
        for x, y, censored in zip(series["x"], series["y"], hidden, strict=True)
        if y is not None and not censored
    }


load = functools.cache(slow.load_workload)
"""The slow reading, once per workload."""


def steps(folder: Path, series: paper.PaperSeries, goal: float, trials: int | None) -> dict[int, int]:
    """Batch size -> steps, slowly."""
    _, table = load(folder / series.workload, num_trials=trials if series.trials else None)
    return {
        size: step
        for size, (step, _) in slow.steps_to_result(table, series.metric, goal, series.maximize).items()
    }


@pytest.mark.parametrize("name", ["1", "3", "4", "5", "6"])
def test_steps(reader: Store, folder: Path, trials: int | None, name: str) -> None:
    """Steps of every line, normalised where the panel is, and perfect scaling from the smallest batch size (8.5)."""
    for panel, shown in zip(paper.figures()[name].panels, drawn(reader, name), strict=True):
        base = panel.options.get("normalise")
        assert [series["name"] for series in shown["series"]] == (
            [series.label for series in panel.series] if len(panel.series) > 1 else ["fewest steps"]
        )
        for series, line in zip(panel.series, shown["series"], strict=True):
            assert series.goal is not None
            wanted = steps(folder, series, series.goal, trials)
            unit = wanted[base] if base else 1
            assert points(line) == {
                size: pytest.approx(step / unit, rel=1e-12) for size, step in wanted.items()
            }
        scaled = next(
            s for s in panel.series if len(panel.series) == 1 or s.label == panel.options["scaling"]
        )
        assert scaled.goal is not None
        wanted = steps(folder, scaled, scaled.goal, trials)
        first, last, unit = min(wanted), max(wanted), wanted[base] if base else 1
        (line,) = [line for line in shown["references"] if line["label"] == "perfect scaling"]
        assert line["points"] == [
            [first, pytest.approx(wanted[first] / unit)],
            [last, pytest.approx(wanted[first] * first / last / unit)],
        ]


def test_goals(reader: Store, folder: Path, trials: int | None) -> None:
    """Figure 2: one line per goal."""
    for panel, shown in zip(paper.figures()["2"].panels, drawn(reader, "2"), strict=True):
        for goal, line in zip(panel.options["goals"], shown["series"], strict=True):
            assert points(line) == steps(folder, panel.series[0], goal, trials)
        assert shown["references"] == []


def test_split(reader: Store, folder: Path, trials: int | None) -> None:
    """Figure 7: label smoothing, 0 where a trial has none; best error on the left, steps on the right."""
    best, fewest = drawn(reader, "7")
    series = paper.figures()["7"].panels[0].series[0]
    documents, table = load(folder / series.workload, num_trials=trials)
    for value, left, right in zip((0.0, 0.01, 0.1), best["series"], fewest["series"], strict=True):
        chosen = [
            documents[size]["trials"][trial]["parameters"].get("label_smoothing", 0.0) == value
            for size, trial in zip(table["batch_size"], table["trial_id"], strict=True)
        ]
        rows = table[chosen]
        assert left["name"] == right["name"] == f"Label Smoothing = {value:.2f}"
        assert points(left) == {
            size: found[0] for size, found in slow.best_measurement(rows, series.metric).items()
        }
        assert points(right) == {
            size: found[0] for size, found in slow.steps_to_result(rows, series.metric, 0.25).items()
        }


def test_learning_rates(reader: Store, folder: Path, trials: int | None) -> None:
    """Figure 8: the effective learning rate of the fastest trial, and both heuristics from the smallest batch size."""
    for panel, shown in zip(paper.figures()["8"].panels, drawn(reader, "8"), strict=True):
        series = panel.series[0]
        assert series.goal is not None
        documents, table = load(folder / series.workload, num_trials=trials)
        wanted = {}
        for size, (_, trial) in slow.steps_to_result(
            table, series.metric, series.goal, series.maximize
        ).items():
            parameters = documents[size]["trials"][trial]["parameters"]
            wanted[size] = pytest.approx(parameters["learning_rate"] / (1 - parameters["momentum"]))
        (line,) = shown["series"]
        assert points(line) == wanted
        smallest = min(wanted)
        start = points(line)[smallest]
        for label, power in (("linear heuristic", 1.0), ("square-root heuristic", 0.5)):
            (reference,) = [one for one in shown["references"] if one["label"] == label]
            for size, value in reference["points"]:
                assert value == pytest.approx(start * (size / smallest) ** power)


@pytest.mark.parametrize("name", ["9", "10"])
def test_scatter(reader: Store, folder: Path, name: str) -> None:
    """Figures 9 and 10: each trial by what became of it within the budget, and the star on the fastest."""
    for panel, shown in zip(paper.figures()[name].panels, drawn(reader, name), strict=True):
        series, size = panel.series[0], panel.options["batch_size"]
        assert series.goal is not None
        documents, table = load(folder / series.workload, STATUSES)
        found = documents[size]["trials"]
        mine = slow.within(
            table[table["batch_size"] == size],
            panel.options.get("step_budget"),
            panel.options.get("example_budget"),
        )
        complete = mine[[found[trial]["status"] == "COMPLETE" for trial in mine["trial_id"]]]
        star = slow.steps_to_result(complete, series.metric, series.goal).get(size, (0, None))[1]
        groups: dict[str, set[tuple[float, float]]] = {
            key: set() for key in ("diverged", "goal not reached", "goal reached", "fewest steps")
        }
        for trial, metadata in found.items():
            values = mine[mine["trial_id"] == trial][series.metric]
            group = "goal reached" if (values < series.goal).any() else "goal not reached"
            group = "diverged" if metadata["status"] == "INFEASIBLE" else group
            place = (metadata["parameters"]["learning_rate"], 1 - metadata["parameters"]["momentum"])
            groups["fewest steps" if trial == star else group].add(place)
        assert {one["name"]: set(zip(one["x"], one["y"], strict=True)) for one in shown["series"]} == groups


def test_budgets(reader: Store, folder: Path) -> None:
    """Figure 11: a batch size enters a line only if its budget allows; its best error within that budget (8.8)."""
    compared = 0
    for panel, shown in zip(paper.figures()["11"].panels, drawn(reader, "11"), strict=True):
        series, options = panel.series[0], panel.options
        documents, table = load(folder / series.workload)
        for line, budget in zip(shown["series"], options.get("steps") or options["epochs"], strict=True):
            in_steps = "steps" in options
            inside = (
                slow.within(table, budget)
                if in_steps
                else slow.within(table, None, budget * options["examples"])
            )
            best = slow.best_measurement(inside, series.metric)
            wanted = {
                size: best[size][0]
                for size, document in documents.items()
                if document["train_steps"] >= (budget if in_steps else budget * options["examples"] / size)
                and size in best
            }
            assert points(line) == wanted
            compared += len(wanted)
    assert compared > 50


def test_every_panel_has_data(reader: Store) -> None:
    """The archive has all workloads, so no panel is empty; the figures have as many panels as the paper's."""
    panels = {name: drawn(reader, name) for name in published.figures()}
    assert [len(panels[str(name)]) for name in range(1, 12)] == [9, 3, 6, 3, 3, 2, 2, 9, 12, 4, 8]
    assert [panel["title"] for found in panels.values() for panel in found if panel["empty"]] == []


def test_fewer_trials_than_the_paper_counts_are_noted(reader: Store) -> None:
    """Where a study has fewer trials than the paper counts, all count, and the figure says for which workload; the warnings of
    nine panels are one line that counts them."""
    figure = paper_figure(reader, "1")
    *notes, warnings = figure.notes
    assert len(notes) == 2
    assert any("common_crawl" in note and "50 complete trials, so all count" in note for note in notes)
    panel = figure.panels[0].chart
    assert warnings.startswith(f"warnings: {panel.title} {len(panel.warnings)}, ")


def test_without_data(tmp_path: Path, reader: Store) -> None:
    """A store without a workload has a panel that says so; lines that a panel lacks are named below it."""
    path = tmp_path / "empty.db"
    connect(path, create=True).close()
    with open_store(path) as empty:
        for name in published.figures():
            for panel in drawn(empty, name):
                assert panel["empty"]
                assert all(f"no data of {workload}" in panel["notes"][0] for workload in panel["workloads"])
    conn = connect(reader.path)
    conn.execute("UPDATE workloads SET name = 'gone' WHERE name = 'imagenet/vgg_11/nesterov_momentum'")
    try:
        panel = drawn(reader, "3")[1]
        assert [series["name"] for series in panel["series"]] == ["ResNet-50"]
        assert "no data of imagenet/vgg_11/nesterov_momentum" in panel["notes"]
        assert drawn(reader, "1")[7]["empty"]
    finally:
        conn.execute("UPDATE workloads SET name = 'imagenet/vgg_11/nesterov_momentum' WHERE name = 'gone'")
        conn.close()


def test_never_reached(reader: Store, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A goal that no trial reaches leaves every batch size as not reached, at its budget; a normalised line says why not."""
    figure = paper.figures()["1"]
    panel = figure.panels[2]
    hard = replace(panel, series=(replace(panel.series[0], goal=-1.0),))
    norm = replace(hard, options={"normalise": 2, "scaling": "x"})
    monkeypatch.setattr(published, "figures", lambda: {"1": replace(figure, panels=(hard, norm))})
    first, second = drawn(reader, "1")
    (line,) = first["series"]
    assert all(line["censored"])
    documents, _ = load(folder / panel.series[0].workload)
    assert line["y"] == [document["train_steps"] for document in documents.values()]
    assert second["empty"]
    assert "batch size 2 has no steps to divide by" in second["notes"][0]


def test_goals_of_the_catalogue() -> None:
    """The goals of Figure 1 as the paper states them."""
    wanted = {
        "mnist/simple_cnn_base": ("val/classification_error", 0.01),
        "fashion_mnist/simple_cnn_base": ("val/classification_error", 0.1),
        "cifar_10/resnet_8": ("val/classification_error", 0.3),
        "imagenet/resnet_50": ("val/classification_error", 0.25),
        "open_images_v4/resnet_50": ("val/average_precision", 0.31),
        "lm1b/transformer_base": ("val/cross_entropy_error", 3.9),
        "common_crawl/transformer_base": ("val/cross_entropy_error", 3.9),
        "imagenet/vgg_11": ("val/classification_error", 0.35),
        "lm1b/lstm": ("val/cross_entropy_error", 3.9),
    }
    found = paper.goals()
    assert {
        name: (found[f"{name}/nesterov_momentum"].metric, found[f"{name}/nesterov_momentum"].value)
        for name in wanted
    } == wanted
    assert found["open_images_v4/resnet_50/nesterov_momentum"].maximize
    assert found.keys() == paper.published_studies().keys()
    assert not any(math.isnan(goal.value) for goal in found.values())


def moved(tmp_path: Path, factor: float, name: str) -> list[Panel]:
    """The panels with data of a figure, of one workload whose steps and learning rates are so many times the usual."""
    made = [study for study in archive.studies() if study.workload.startswith("lm1b/lstm/")]
    made += [study for study in archive.studies() if study.workload.startswith("lm1b/transformer_base/")]
    for trial in (trial for study in made for trial in study.trials):
        trial.parameters["learning_rate"] *= factor
        trial.steps = round(trial.steps * factor)
        trial.rows = [(round(step * factor), values) for step, values in trial.rows]
    import_archive(write_folder(tmp_path / name, files(made)), tmp_path / f"{name}.db", aside=False)
    with open_store(tmp_path / f"{name}.db") as reader:
        return [panel for panel in paper_figure(reader, name).panels if not panel.empty]


def test_no_step_lies_beyond_the_axes(tmp_path: Path) -> None:
    """The paper's ends of an axis are moved outwards if a point of your own sweep would lie beyond them."""
    lstm = next(panel for panel in moved(tmp_path, 1e3, "1") if panel.chart.title == "LSTM on LM1B")
    low, high = frame_of(lstm.chart, 120, 40, View()).y_limits
    assert low <= 8192
    assert high > float(np.nanmax(lstm.chart.series[0].y)) > 2097152


def test_trials_beyond_the_axes_are_counted(tmp_path: Path) -> None:
    """A scatter shows the paper's part of the space, and says how many trials lie outside."""
    for panel in moved(tmp_path, 1e3, "9"):
        low, high = panel.chart.x.limits
        rates = np.concatenate([series.x for series in panel.chart.series])
        beyond = int(((rates < low) | (rates > high)).sum())
        assert beyond > 0
        assert panel.chart.subtitle.endswith(f", {beyond} beyond the axes")
