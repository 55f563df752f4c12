"""`--unit tokens`: all numbers of examples become tokens, and batch sizes are unchanged."""

import csv
import io
import json
import re
import sys

import pytest

from hvdsweep.cli import main
from hvdsweep.opening import open_store
from hvdsweep.store.connection import connect

from . import database
from .test_commands import planted

TEXT, IMAGES = "python_source/transformer/adam", "digits/fc_128/sgd"
LENGTH = 32


@pytest.fixture
def db(tmp_path):
    """A language workload with sequences of LENGTH tokens, and one of images."""
    path = database.write(tmp_path / "x.db", {TEXT: planted(), IMAGES: planted()})
    conn = connect(path)
    for name, options in ((TEXT, {"length": LENGTH}), (IMAGES, {})):
        definition = json.dumps({"dataset": name.partition("/")[0], "dataset_options": options})
        conn.execute(
            "UPDATE studies SET definition = ? WHERE workload_id = (SELECT id FROM workloads WHERE name = ?)",
            (definition, name),
        )
    conn.close()
    return path


@pytest.fixture
def run(db, monkeypatch, capsys):
    """Run a command on the database: (exit code, stdout, stderr)."""

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["hvdsweep", *map(str, arguments), "--db", str(db)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        return code, *capsys.readouterr()

    return command


def test_the_curve_in_tokens(run):
    """Title of column and axes, the values, E_min; the batch sizes and B_crit are the same."""
    code, out, err = run("curve", TEXT, "--unit", "tokens")
    assert (code, err) == (0, "")
    assert out.splitlines()[5].split()[:7] == ["batch", "size", "tokens", "95", "%", "interval", "steps"]
    assert out.splitlines()[6].split()[:2] == ["8", "691k"]
    assert "tokens to the goal" in out
    assert "batch size (sequences of 32 tokens)" in out
    samples, tokens = (
        json.loads(run("curve", TEXT, "--unit", unit, "--json")[1])[0] for unit in ("samples", "tokens")
    )
    assert (samples["unit"], samples["tokens_per_example"]) == ("samples", None)
    assert (tokens["unit"], tokens["tokens_per_example"]) == ("tokens", LENGTH)
    for one, other in zip(samples["points"], tokens["points"], strict=True):
        assert other == {**one, "examples": one["steps"] * one["batch_size"] * LENGTH}
    for name in ("value", "low", "high"):
        assert tokens["fit"]["e_min"][name] == samples["fit"]["e_min"][name] * LENGTH
        assert tokens["fit"]["b_crit"][name] == samples["fit"]["b_crit"][name]
    first = next(csv.DictReader(io.StringIO(run("curve", TEXT, "--unit", "tokens", "--csv")[1])))
    assert first["tokens"] == str(2700 * 8 * LENGTH)


def test_a_report_counts_in_tokens_by_itself(run):
    """Only the language workload; the other one keeps examples."""
    code, page, err = run("report", "--out", "-")
    assert (code, err) == (0, "")
    titles = re.findall("<th[^>]*>(examples|tokens)</th>", page)
    assert sorted(titles) == ["examples", "tokens"]
    assert f"{2700 * 8 * LENGTH:,}" in page
    assert f"{2700 * 8:,}" in page


@pytest.mark.parametrize(
    ("arguments", "axis"),
    [
        (("curve",), "y"),
        (("power-lines", "--goal", "0.5", "--goal", "0.3"), "x"),
        (("scaling-law", "--against", "data"), "x"),
    ],
)
def test_figures_in_tokens(run, arguments, axis):
    """Each axis that counts examples counts LENGTH times as many tokens, and says so."""
    kind, *options = arguments
    samples, tokens = (
        json.loads(run("figure", kind, TEXT, *options, "--unit", unit, "--json")[1])["panels"][0]
        for unit in ("samples", "tokens")
    )
    assert tokens[axis]["title"] == samples[axis]["title"].replace("examples", "tokens")
    assert "tokens" in tokens[axis]["title"]
    shown = samples["series"][0][axis]
    assert shown
    assert tokens["series"][0][axis] == pytest.approx([value * LENGTH for value in shown])


def test_budgets_in_tokens(run):
    """So many tokens are LENGTH times fewer examples: on the command line, and in best-error."""
    tokens = json.loads(run("curve", TEXT, "--at-budget", f"{64000 * LENGTH} tokens", "--json")[1])[0]
    examples = json.loads(run("curve", TEXT, "--at-budget", "64000 examples", "--json")[1])[0]
    (wanted,), (found,) = examples["at_budget"], tokens["at_budget"]
    assert found == {**wanted, "budget": 64000 * LENGTH, "unit": "tokens"}
    assert any(value is not None for value in found["values"])
    code, out, _ = run(
        "figure", "best-error", TEXT, "--at-examples", 64000 * LENGTH, "--unit", "tokens", "--json"
    )
    (series,) = json.loads(out)["panels"][0]["series"]
    assert (code, series["name"], series["y"]) == (0, "2.05M tokens", found["values"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("curve", IMAGES, "--unit", "tokens"), f"{IMAGES}: tokens: its examples are not sequences"),
        (("figure", "curve", "--unit", "tokens"), f"{IMAGES}: tokens: its examples are not sequences"),
        (("curve", IMAGES, "--at-budget", "1e6 tokens"), f"{IMAGES}: tokens: its examples are not sequences"),
        (("curve", TEXT, "--at-budget", "500", "--unit", "tokens"), "a budget names its own unit"),
        (("figure", "scatter", TEXT, "--unit", "tokens"), "--unit: does nothing here"),
        (("figure", "11", "--unit", "tokens"), "--unit: the paper's figures"),
    ],
)
def test_what_has_no_tokens_is_refused(run, arguments, words):
    """Refused with a message, and nothing is printed."""
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert words in err


def test_the_interface_counts_text_in_tokens(db):
    """By itself, as long as every workload of the chart has tokens."""
    from hvdsweep.curves.chart import curve_chart
    from hvdsweep.curves.question import Question
    from tui.curve_cache import CurveCache, TableWanted, read
    from tui.scaling_words import point_words, value_title

    with open_store(db) as reader:
        rows = {row.name: row for row in reader.workloads()}
        wanted = [TableWanted(row.id, row.name, row.sweep_id, None) for row in rows.values()]
        cache = CurveCache()
        cache.take(*read(wanted, reader))
    assert [cache.has_tokens(rows[name].id) for name in (TEXT, IMAGES)] == [True, False]
    curve = cache.curve(rows[TEXT].id, 0.5, Question(), tokens=True)
    assert value_title(curve, "examples") == "tokens"
    assert curve_chart([curve], examples=True).y.title == "tokens to the goal"
    assert "691k tokens (" in point_words("text", curve, curve.points[0], "examples")
    assert cache.curve(rows[TEXT].id, 0.5, Question()).unit == "samples"
