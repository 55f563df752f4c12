"""One's own figures show what `hvdsweep.curves` computes, for any workloads of any sweeps; the command draws them."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from hvdsweep import curves
from hvdsweep.archive import import_archive
from hvdsweep.cli import group
from hvdsweep.errors import UserError
from hvdsweep.figures.own import KINDS, USES, Ask, own_figure
from hvdsweep.opening import open_store
from hvdsweep.store.connection import connect
from hvdsweep.store.rows import WorkloadRow
from hvdsweep.store.store import Store
from hvdsweep.store.throughput import record_throughput
from tests.curves.database import write
from tests.curves.oracle import Study, Trial

FIRST = "cifar_10/resnet_8/nesterov_momentum"
SECOND = "cifar_10/resnet_8/sgd"


def rows(reader: Store, *names: str) -> list[WorkloadRow]:
    found = {row.name: row for row in reader.workloads()}
    return [found[name] for name in names]


def lines(reader: Store, kind: str, ask: Ask, *names: str) -> list[list[dict[str, Any]]]:
    """The series of every panel."""
    figure = own_figure(reader, kind, rows(reader, *names), ask)
    return [panel.to_json()["series"] for panel in figure.panels]


def test_curve(reader: Store) -> None:
    """Several workloads share a panel; each line is the curve's steps; one alone also has regions, fit and its best."""
    (panel,) = lines(reader, "curve", Ask(), FIRST, SECOND)
    for name, line in zip((FIRST, SECOND), panel, strict=True):
        curve = curves.curve(reader.workload_table(name))
        assert line["name"] == name
        assert line["y"] == [point.steps if point.reached else point.budget for point in curve.points]
    assert own_figure(reader, "curve", rows(reader, FIRST, SECOND)).title.endswith(f": {FIRST}, {SECOND}")
    (alone,) = own_figure(reader, "curve", rows(reader, FIRST)).panels
    assert alone.chart.bands
    assert "max useful" in alone.chart.annotations[0].text


def test_many_curves_get_a_panel_each(reader: Store) -> None:
    """All 35 workloads at once are 35 panels, titled by their names."""
    figure = own_figure(reader, "curve", reader.workloads())
    assert [panel.chart.title for panel in figure.panels] == [row.name for row in reader.workloads()]


def test_goals(reader: Store) -> None:
    """The goals asked for; without any, multiples of the workload's own."""
    (panel,) = lines(reader, "goals", Ask(goals=(0.5, 0.4)), FIRST)
    found = curves.goal_sweep(reader.workload_table(FIRST), [0.5, 0.4])
    for line, steps in zip(panel, found.steps, strict=True):
        shown = [y for y, censored in zip(line["y"], line["censored"], strict=True) if not censored]
        assert shown == steps[~np.isnan(steps)].tolist()
    (panel,) = lines(reader, "goals", Ask(), FIRST)
    assert [line["name"] for line in panel] == [
        "goal 0.24",
        "goal 0.27",
        "goal 0.3",
        "goal 0.375",
        "goal 0.48",
    ]
    (panel,) = lines(reader, "goals", Ask(), "open_images_v4/resnet_50/nesterov_momentum")
    assert [line["name"] for line in panel] == [
        "goal 0.387",
        "goal 0.344",
        "goal 0.31",
        "goal 0.248",
        "goal 0.194",
    ]


def test_metaparameters(reader: Store) -> None:
    """One panel per metaparameter; 1 - momentum instead of the momentum."""
    result = curves.steps_to_result(reader.workload_table(FIRST))
    panels = own_figure(reader, "metaparameters", rows(reader, FIRST)).panels
    titles = [panel.chart.y.title for panel in panels]
    assert titles == ["learning rate / (1 - momentum)", "label smoothing", "learning rate", "1 - momentum"]
    np.testing.assert_array_equal(panels[2].chart.series[0].y, curves.best_parameter(result, "learning_rate"))
    np.testing.assert_array_equal(panels[3].chart.series[0].y, 1 - curves.best_parameter(result, "momentum"))


def test_compare(reader: Store) -> None:
    """The ratio of steps with its intervals, at the batch sizes that both have."""
    _, (line,) = lines(reader, "compare", Ask(), FIRST, SECOND)
    first, second = (curves.steps_to_result(reader.workload_table(name)) for name in (FIRST, SECOND))
    found = curves.compare(first, second)
    assert line["x"] == found.batch_sizes.tolist()
    assert [y for y in line["y"] if y is not None] == pytest.approx(
        found.ratio[np.isfinite(found.ratio)].tolist()
    )


def test_best_error(reader: Store) -> None:
    """The best error, or one panel per kind of budget."""
    (panel,) = lines(reader, "best-error", Ask(), FIRST)
    best = curves.best_measurements(reader.workload_table(FIRST))
    assert panel[0]["y"] == best.value.tolist()
    figure = own_figure(
        reader, "best-error", rows(reader, FIRST), Ask(step_budgets=(1000, 20_000), epoch_budgets=(1,))
    )
    assert [[series.name for series in panel.chart.series] for panel in figure.panels] == [
        ["1k steps", "20k steps"],
        ["1 epochs"],
    ]


def test_stability(reader: Store) -> None:
    """Every bin with a trial is one mark, by its share of diverged trials; the file shows the same shares."""
    (panel,) = own_figure(reader, "stability", rows(reader, FIRST)).panels
    found = curves.stability_map(reader.workload_table(FIRST))
    assert sum(len(series) for series in panel.chart.series) == int((found.trials > 0).sum())
    assert len(panel.chart.series[0]) == int((found.share == 0).sum())
    assert panel.heat is not None
    np.testing.assert_array_equal(panel.heat.values, found.share)


def test_split(reader: Store) -> None:
    """By the values of a metaparameter, or by intervals of it."""
    figure = own_figure(reader, "split", rows(reader, FIRST), Ask(parameters=("label_smoothing",)))
    assert [series.name for series in figure.panels[0].chart.series] == [
        f"label_smoothing {v:g}" for v in (0, 0.01, 0.1)
    ]
    figure = own_figure(
        reader, "split", rows(reader, FIRST), Ask(parameters=("learning_rate",), edges=(1e-4, 1e-2, 1))
    )
    assert [series.name for series in figure.panels[1].chart.series] == [
        "learning_rate 0.0001 to 0.01",
        "learning_rate 0.01 to 1",
    ]


def test_best_of(reader: Store) -> None:
    """With all trials the best of k is the study's answer."""
    (panel,) = own_figure(reader, "best-of", rows(reader, FIRST)).panels
    result = curves.steps_to_result(reader.workload_table(FIRST))
    last = {series.name: series.y[-1] for series in panel.chart.series}
    for size, steps in zip(result.table.batch_sizes, result.steps, strict=True):
        if steps != curves.NEVER:
            assert last[f"batch size {size:,}"] == steps


def test_mine_against_published(tmp_path: Path, folder: Path) -> None:
    """Two sweeps with the same workload are distinguished by their names, overlaid and compared."""
    database = tmp_path / "x.db"
    for name in ("published", "mine"):
        import_archive(folder / FIRST, database, name=name, aside=False)
    found = run("compare", FIRST, "--sweep", "1", "--sweep", "2", "--json", database=database)
    overlay, ratio = json.loads(found.stdout)["panels"]
    assert [series["name"] for series in overlay["series"]] == ["published", "mine"]
    assert (overlay["title"], ratio["series"][0]["name"]) == (FIRST, "mine / published")
    assert set(ratio["series"][0]["y"]) == {1}


@pytest.mark.parametrize(
    ("kind", "ask", "names", "message"),
    [
        ("nonsense", Ask(), (FIRST,), "nonsense: no such kind. There are curve, goals,"),
        ("curve", Ask(), (), "name at least one workload"),
        ("compare", Ask(), (FIRST,), "name two workloads"),
        ("split", Ask(), (FIRST,), "name the metaparameter to split by"),
        ("split", Ask(parameters=("nothing",)), (FIRST,), "'nothing': no trial has it"),
        ("stability", Ask(parameters=("nothing",)), (FIRST,), "'nothing': no trial has it"),
        ("scatter", Ask(batch_sizes=(3,)), (FIRST,), "batch size 3: no such study"),
        (
            "scatter",
            Ask(num_trials=3),
            (FIRST,),
            "figure scatter: --num-trials: does nothing here; it is for curve, ",
        ),
        (
            "curve",
            Ask(parameters=("x",)),
            (FIRST,),
            "--parameter: does nothing here; it is for metaparameters, stability,",
        ),
        ("split", Ask(parameters=("a", "b")), (FIRST,), "--parameter: takes one value"),
        ("compare", Ask(goals=(0.3, 0.4)), (FIRST, SECOND), "--goal: takes one value"),
        ("best-error", Ask(unit="tokens"), (FIRST,), "--unit: counts budgets of data"),
        ("curve", Ask(metric="val/nothing"), (FIRST,), "was never measured"),
        ("curve", Ask(num_trials=1000), (FIRST,), "there are only"),
        ("curve", Ask(normalise=3), (FIRST,), "batch size 3 has no steps to divide by"),
    ],
)
def test_questions_without_an_answer(
    reader: Store, kind: str, ask: Ask, names: tuple[str, ...], message: str
) -> None:
    """What cannot be drawn is refused in a sentence that says what is wrong."""
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        own_figure(reader, kind, rows(reader, *names), ask)


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Two workloads of different data and models whose trials all differ, with measured speeds."""

    def studies(least: int) -> list[Study]:
        found = []
        for size in (8, 16, 32, 64, 128):
            best = least * (1 + 100 // size)
            trials = [
                Trial(
                    4 - n,
                    [
                        (0, 0.9),
                        (best + 30 * n, 0.45),
                        (3 * best + 160 - 40 * n, 0.35),
                        (8 * best, 0.2 + 0.01 * n),
                    ],
                    steps=5000,
                    parameters={"learning_rate": 0.01 * (5 - n), "momentum": 0.1 * n},
                )
                for n in range(5)
            ]
            found.append(Study(size, trials, train_steps=5000, target_trials=5))
        return found

    path = tmp_path_factory.mktemp("varied") / "x.db"
    write(path, {"a/b/sgd": studies(200), "a/b/momentum": studies(100)}, goal=0.5)
    with closing(connect(path)) as conn:
        conn.execute("UPDATE workloads SET train_examples = 1000 * id, parameters = 10 * id * id")
        for size, ranks in itertools.product((8, 128), (1, 2)):
            for name in ("a/b/sgd", "a/b/momentum"):
                record_throughput(
                    conn, workload=name, batch_size=size, np=ranks, gangs=1, steps=1, seconds=size**2
                )
    with open_store(path) as reader:
        yield reader


ASKED: dict[str, dict[str, Any]] = {
    "goals": {"goals": (0.4,)},
    "step_budget": {"step_budget": 500.0},
    "example_budget": {"example_budget": 13_000.0},
    "num_trials": {"num_trials": 2},
    "normalise": {"normalise": 8},
    "reference_batch_size": {"reference_batch_size": 32},
    "batch_sizes": {"batch_sizes": (16,)},
    "parameters": {"parameters": ("momentum",)},
    "edges": {"edges": (0.0, 0.15, 1.0)},
    "step_budgets": {"step_budgets": (300.0,)},
    "epoch_budgets": {"epoch_budgets": (10.0,)},
    "example_budgets": {"example_budgets": (9000.0,)},
    "against": {"against": "model"},
    "examples": {"examples": True},
}


@pytest.mark.parametrize("field", ASKED)
def test_an_option_changes_the_figure_or_is_refused(varied: Store, field: str) -> None:
    """The kinds for which an option is there draw something else with it; all others name it and those kinds."""
    option, kinds = USES[field]
    for kind in KINDS:
        usual: dict[str, Any] = {
            "split": {"parameters": ("learning_rate",)},
            "scaling-law": {"against": "data"},
        }
        base = Ask(**usual.get(kind, {}))
        asked = replace(base, **ASKED[field])
        if kind not in kinds:
            with pytest.raises(
                UserError, match=f"figure {kind}: {option}: does nothing here; it is for {kinds[0]}"
            ):
                own_figure(varied, kind, varied.workloads(), asked)
            continue
        before, after = (own_figure(varied, kind, varied.workloads(), one).to_json() for one in (base, asked))
        assert before != after, kind


def test_options_of_own_figures_are_refused_for_those_of_the_paper(published: tuple[Path, Path]) -> None:
    """All of them at once."""
    found = run("1", "--goal", "0.1", "--maximize", "--unit", "tokens", database=published[1])
    assert "figure 1: --maximize, --goal, --unit: the paper's figures have" in str(found.exception)


def run(*arguments: str, database: Path) -> Result:
    return CliRunner().invoke(group, ["figure", *arguments, "--db", str(database)], standalone_mode=False)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "scaling-law"])
def test_command(published: tuple[Path, Path], tmp_path: Path, kind: str) -> None:
    """Every kind from the command line: text on stdout, a file, and JSON that holds the same series."""
    database = published[1]
    asked = [kind, FIRST, SECOND]
    if kind == "split":
        asked += ["--parameter", "momentum", "--edge", "0", "--edge", "0.5", "--edge", "1"]
    out = tmp_path / "a.png"
    found = run(*asked, "--out", str(out), "--dpi", "30", "--json", database=database)
    assert found.exception is None
    assert out.stat().st_size > 1000
    document = json.loads(found.stdout)
    assert document["figure"] == kind
    text = run(*asked, database=database)
    assert KINDS[kind][1] in text.stdout
    for panel in document["panels"]:
        assert panel["title"][:12] in text.stdout
    header, *points = csv.reader(io.StringIO(run(*asked, "--csv", database=database).stdout))
    assert header == ["part", "panel", "series", "x", "y", "y_low", "y_high", "censored"]
    assert len(points) == sum(len(one["x"]) for panel in document["panels"] for one in panel["series"])


def test_command_of_the_paper(published: tuple[Path, Path]) -> None:
    """`figure 1` has nine panels and refuses workloads; elsewhere a part of a name is enough."""
    found = run("1", "--json", database=published[1])
    assert len(json.loads(found.stdout)["panels"]) == 9
    assert "figure 1: WORKLOAD: the paper's" in str(run("1", FIRST, database=published[1]).exception)
    found = run("curve", "lm1b/lstm", "--json", database=published[1])
    assert json.loads(found.stdout)["panels"][0]["workloads"] == ["lm1b/lstm/nesterov_momentum"]


def test_sweep_of_a_figure(tmp_path: Path, folder: Path) -> None:
    """A figure of the paper from one sweep alone shows only what that sweep has."""
    database = tmp_path / "x.db"
    import_archive(folder / FIRST, database, name="one", aside=False)
    import_archive(folder / SECOND, database, name="two", aside=False)
    with open_store(database) as reader:
        from hvdsweep.figures.published import paper_figure

        assert [len(p.chart.series) for p in paper_figure(reader, "4").panels][2] == 2
        assert [len(p.chart.series) for p in paper_figure(reader, "4", 1).panels][2] == 1
