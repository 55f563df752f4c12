"""The Metaparameters screen: every trial's outcome, how the best learning rate grows, and warnings that are acted upon."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest

from hvdsweep.curves import Outcome, curve, heuristics, scatter
from hvdsweep.curves.field import sensitivity
from hvdsweep.curves.remedies import widened
from hvdsweep.curves.search_chart import OUTCOMES, best_rates
from hvdsweep.launch.sweeps import save
from hvdsweep.opening import open_store
from hvdsweep.plan import make_plan
from hvdsweep.search import Space
from hvdsweep.store.connection import connect
from hvdsweep.sweep.load import load_sweep
from tests.tui.conftest import FakeSource, pilot_of, screen_text, settle
from tests.tui.curve_store import SWEEP
from tests.tui.stores import snapshot_of
from tui.curve_cache import CurveCache
from tui.launching import Changes, Launched
from tui.selection import Selection
from tui.widgets.chart import ChartView
from tui.widgets.chips import Chips
from tui.widgets.remedy import _decided
from tui.widgets.table import Table

SGD, NESTEROV = "digits/fc_32/sgd", "digits/fc_32/nesterov_momentum"
ON_NESTEROV = Selection(1, NESTEROV, 64)


def search(pilot):
    return pilot.app.screen.query_one("#search", ChartView).chart


def warnings(pilot) -> Table:
    return pilot.app.screen.query_one("#warnings", Table)


@pytest.fixture
def narrow(tmp_path) -> FakeSource:
    """A finished sweep whose best learning rates lie at the lower end of a range that begins too high."""
    from tests.tui.curve_store import train_all

    text = SWEEP.replace("min = 1e-3", "min = 0.9").replace('"2^3..2^8"', "[32, 128]").replace("1000", "200")
    text = text.replace("trials = 6", "trials = 24")
    file = tmp_path / "narrow.toml"
    file.write_text(text.replace('name = "planted"', 'name = "narrow"'))
    path = tmp_path / "hvdsweep.db"
    plan = make_plan(load_sweep(file))
    with closing(connect(path, create=True)) as conn:
        sweep = save(conn, plan).sweep_id
        from hvdsweep.store.lifecycle import begin_run, end_run, new_gang

        begin_run(conn, sweep, np=2, gangs=1)
        train_all(path, new_gang(conn, sweep, np=2))
        end_run(conn, sweep, "DONE", "every study has its trials")
    return FakeSource(snapshot_of(path, live=""), path, path)


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 10)])
async def test_screen(curves, golden, size):
    """The search of one batch size, the best rates, the warnings; the first alone where there is less room."""
    async with pilot_of(curves, place="metaparameters", selection=ON_NESTEROV, size=size) as pilot:
        assert screen_text(pilot) == golden


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (10, 4), (300, 90)])
async def test_any_size(curves, size):
    """No size is too small, whatever key is pressed."""
    async with pilot_of(curves, place="metaparameters", size=size) as pilot:
        await pilot.press("right", "t", "f", "m", "right_square_bracket", "w", "f", "t", "escape")
        await settle(pilot)
        assert len(screen_text(pilot).split("\n")) == size[1]


async def test_every_trial_is_shown_by_its_outcome(curves, planted):
    """At each batch size the series are those of `hvdsweep.curves.scatter`, point for point."""
    with open_store(planted) as reader:
        table = reader.workload_table(NESTEROV)
    async with pilot_of(curves, place="metaparameters", selection=ON_NESTEROV) as pilot:
        sizes = pilot.app.screen.query_one("#batch_size", Chips)
        for _ in range(len(table.batch_sizes)):
            found = scatter(table, int(sizes.taken), 0.1)
            for outcome, word, _, _ in OUTCOMES:
                series = next(one for one in search(pilot).series if one.name == word)
                here = found.outcome == outcome
                assert sorted(zip(series.x, series.y, strict=True)) == sorted(
                    zip(found.learning_rate[here], found.one_minus_momentum[here], strict=True)
                )
            await pilot.press("right_square_bracket")
            await settle(pilot)
        assert sizes.taken == "64"
        await pilot.press("left_square_bracket")
        await settle(pilot)
        assert sizes.taken == "32"


async def test_the_best_rates_are_drawn_with_both_heuristics(curves, planted):
    """Effective learning rates of the steps-to-result trials; lines in proportion and by the square root."""
    with open_store(planted) as reader:
        one = curve(reader.workload_table(NESTEROV), 0.1)
    rates = best_rates(one)
    assert rates.value.tolist() == [point.effective_learning_rate for point in one.points]
    linear, root = heuristics(rates.batch_sizes, rates.value)
    async with pilot_of(curves, place="metaparameters", selection=ON_NESTEROV) as pilot:
        shown = pilot.app.screen.query_one("#rates", ChartView).chart
        assert shown.series[0].y.tolist() == rates.value.tolist()
        ends = {line.label: line.points[-1][1] for line in shown.references}
        assert ends == {"linear scaling": linear[-1], "square root": root[-1]}


async def test_what_lies_against_the_learning_rate(curves, planted):
    """m: 1 - momentum, then the best measurement, then steps; without momentum it begins with the measurement."""
    async with pilot_of(curves, place="metaparameters", selection=ON_NESTEROV) as pilot:
        titles = []
        for _ in range(3):
            titles.append(search(pilot).y.title)
            await pilot.press("m")
            await settle(pilot)
        assert titles == [
            "1 - momentum",
            "best val/classification_error",
            "steps to the goal (▲ ×: steps done)",
        ]
        assert search(pilot).y.title == "1 - momentum"
        await pilot.press("w")
        await settle(pilot)
        assert search(pilot).title.startswith("sgd")
        assert search(pilot).x.title == "learning rate"


async def test_sensitivity_in_place_of_the_search(curves, planted):
    """s: what each batch size loses off its best learning rate, then the search again; m leads back, too."""
    async with pilot_of(curves, place="metaparameters") as pilot:
        before = search(pilot)
        await pilot.press("s")
        await settle(pilot)
        with open_store(planted) as reader:
            found = sensitivity(reader.workload_table("digits/fc_32/sgd"), "learning_rate")
        assert [series.y.tolist() for series in search(pilot).series] == [
            one.excess.tolist() for one in found
        ]
        await pilot.press("s")
        await settle(pilot)
        assert search(pilot) == before
        await pilot.press("s", "m")
        await settle(pilot)
        assert search(pilot).x.title == "learning rate"


async def test_a_trial_is_read_out_and_opened(curves, planted):
    """A key describes the trial of the star; o opens it."""
    with open_store(planted) as reader:
        table = reader.workload_table(NESTEROV)
        point = next(p for p in curve(table, 0.1).points if p.batch_size == 64)
    async with pilot_of(curves, place="metaparameters", selection=ON_NESTEROV) as pilot:
        view = pilot.app.screen.query_one("#search", ChartView)
        view.read_point("fewest steps", 0)
        await settle(pilot)
        assert f"trial {point.trial}: reached in {point.steps} steps" in screen_text(pilot)
        await pilot.press("o")
        await settle(pilot)
        assert type(pilot.app.screen).__name__ == "TrialScreen"


async def test_the_mouse_alone(curves):
    """Tab, workload, batch size, a point: clicks lead to a trial."""
    async with pilot_of(curves) as pilot:
        tab = screen_text(pilot).split("\n")[0].index("5 Meta")
        await pilot.click(offset=(tab + 3, 0))
        await settle(pilot)
        lines = screen_text(pilot).split("\n")
        await pilot.click(offset=(lines[1].index("nesterov") + 2, 1))
        await settle(pilot)
        assert search(pilot).title.startswith("nesterov_momentum at")
        await pilot.click(offset=(screen_text(pilot).split("\n")[2].index(" 128") + 2, 2))
        await settle(pilot)
        assert search(pilot).title.startswith("nesterov_momentum at 128")
        view = pilot.app.screen.query_one("#search", ChartView)
        star = next(series for series in view.chart.series if series.name == "fewest steps")
        cell = view.frame().cell(float(star.x[0]), float(star.y[0]))
        await pilot.hover("#search", offset=cell)
        await pilot.click("#search", offset=cell, times=2)
        await settle(pilot)
        assert type(pilot.app.screen).__name__ == "TrialScreen"


async def test_warnings_are_those_of_the_curve(narrow):
    """A row per warning; the selected one in full, with what the key does; its batch size comes into view."""
    with open_store(narrow.store) as reader:
        searches = {s.batch_size: s.search for s in reader.studies() if s.workload == NESTEROV}
        points = curve(reader.workload_table(NESTEROV), 0.1, searches=searches).points
    messages = [warning.message for point in points for warning in point.warnings]
    assert any("lower end of its range" in message for message in messages)
    async with pilot_of(narrow, place="metaparameters", selection=ON_NESTEROV) as pilot:
        table = warnings(pilot)
        shown = [str(table.row(place).cells[1]).removeprefix("⚠ ") for place in range(table.total)]
        assert shown == messages
        table.focus()
        await pilot.press("G")
        await settle(pilot)
        assert pilot.app.screen.query_one("#batch_size", Chips).taken == table.key.split()[0]


async def test_warnings_of_trials_without_learning_rates(narrow, monkeypatch):
    """The cursor stays where it is put, and the screen comes to rest: no redraw asks for the next."""
    take = CurveCache.take

    def without_rates(self, loaded, speeds):
        take(self, loaded, speeds)
        for one in loaded.values():
            others = {name: values for name, values in one.table.parameters.items() if name == "momentum"}
            object.__setattr__(one.table, "parameters", others)

    monkeypatch.setattr(CurveCache, "take", without_rates)
    async with pilot_of(narrow, place="metaparameters", selection=ON_NESTEROV) as pilot:
        table = warnings(pilot)
        table.focus()
        await pilot.press("down")
        await settle(pilot)
        assert table.cursor == 1 < table.total
        assert "the trials have no learning rates" in screen_text(pilot)


async def test_a_warning_is_answered_by_a_changed_sweep(narrow, tmp_path, monkeypatch):
    """x shows the wider range, the file and the trials; the file is written next to the original and launched."""
    launched = []

    def spawn(db, arguments, ended=None):
        launched.append((db, arguments))
        return Launched(4711, Path(f"{db}.logs/launch.log"))

    monkeypatch.setattr("tui.launching.spawn", spawn)
    before = make_plan(load_sweep(tmp_path / "narrow.toml"))
    old = {(s.workload, s.batch_size): s.search for s in before.studies}
    async with pilot_of(narrow, place="metaparameters", selection=ON_NESTEROV) as pilot:
        table = warnings(pilot)
        place = next(p for p in range(table.total) if "lower end" in str(table.row(p).cells[1]))
        table.focus()
        table.cursor = place
        await settle(pilot)
        size = int(table.key.split()[0])
        name = str(table.row(place).cells[1]).split()[2]
        space = Space.from_json(old[NESTEROV, size])
        range_ = space.dimensions[name]
        wider = widened(name, range_, lower=True)
        await pilot.press("x")
        await settle(pilot)
        text = screen_text(pilot)
        assert f"{name} from {range_.min:g} .. {range_.max:g} to {wider.min:g} .. {wider.max:g}" in text
        assert "A new sweep; sweep 1 stays as it is" in text
        assert not (tmp_path / "narrow-extended.toml").exists()
        await pilot.press("enter")
        await settle(pilot)
    file = tmp_path / "narrow-extended.toml"
    assert launched == [(narrow.store, ["launch", str(file), "--np", "2", "--gangs", "1"])]
    after = make_plan(load_sweep(file))
    for study in after.studies:
        expected = dict(old[study.workload, study.batch_size])
        if study.batch_size == size and name in expected:
            expected[name] = wider.to_json()
        assert study.search == expected
    shared = {t.key for s in before.studies for t in s.trials} & {
        t.key for s in after.studies for t in s.trials
    }
    kept = [s for s in before.studies if s.batch_size != size or name not in s.search]
    assert len(shared) == sum(len(s.trials) for s in kept)


@pytest.mark.parametrize("extends", [True, False])
def test_an_extension_is_begun_once(extends):
    """An extension marks its sweep as begun, so that it cannot be started twice; a new sweep, and one only written, do not."""
    app, proposal = Mock(), SimpleNamespace(extends=extends, sweep=3, name="narrow")
    _decided(app, proposal, Changes(2, 1))
    _decided(app, proposal, False)
    assert [call.args[0] for call in app.begin.call_args_list] == [3] * extends
    assert app.do.call_count == 2 - extends


async def test_only_write(narrow, tmp_path, monkeypatch):
    """The other button writes the file and launches nothing; the same again gets another name."""
    monkeypatch.setattr("tui.launching.spawn", lambda *a, **k: pytest.fail("launched"))
    async with pilot_of(narrow, place="metaparameters", selection=ON_NESTEROV) as pilot:
        for _ in range(2):
            await pilot.press("X")
            await settle(pilot)
            await pilot.click("#write")
            await settle(pilot)
    assert {path.name for path in tmp_path.glob("*.toml")} == {
        "narrow.toml",
        "narrow-extended.toml",
        "narrow-extended-2.toml",
    }


async def test_cancelling_writes_nothing(narrow, tmp_path):
    """esc, and the window is gone."""
    async with pilot_of(narrow, place="metaparameters", selection=ON_NESTEROV) as pilot:
        await pilot.press("X")
        await settle(pilot)
        assert "Extend narrow" in screen_text(pilot)
        await pilot.press("escape")
        await settle(pilot)
        assert "Extend narrow" not in screen_text(pilot)
    assert not list(tmp_path.glob("*-extended*"))


async def test_a_sweep_in_training_is_not_extended(narrow):
    """The key is hidden, and does nothing."""
    narrow.put(snapshot_of(narrow.store, live="narrow"))
    async with pilot_of(narrow, place="metaparameters", selection=ON_NESTEROV) as pilot:
        assert "x Extend" not in screen_text(pilot)
        await pilot.press("x", "X")
        await settle(pilot)
        assert "Extend narrow" not in screen_text(pilot)


async def test_without_workloads_the_screen_says_so():
    """An empty store shows a sentence, for every key."""
    from tui.snapshot import Snapshot

    empty = Snapshot("/data/hvdsweep.db", 0.0, (), (), (), (), ())
    async with pilot_of(FakeSource(empty), place="metaparameters", size=(80, 24)) as pilot:
        assert "No search yet" in screen_text(pilot)
        await pilot.press("m", "t", "left_square_bracket", "x", "X", "w", "o")


def test_outcomes_differ_without_colour():
    """Every outcome has its own marker, in plain characters too."""
    markers = [marker for _, _, marker, _ in OUTCOMES]
    assert len(set(markers)) == len(Outcome) == len(markers)
    assert np.unique([name for _, name, _, _ in OUTCOMES]).size == len(Outcome)


def test_changed_presets_are_written_to_the_database_folder(tmp_path):
    """A preset lies inside the package: the changed sweep goes to the database's folder."""
    from tui.remedying import _free_path

    db = tmp_path / "db" / "hvdsweep.db"
    db.parent.mkdir()
    preset = tmp_path / "presets" / "mnist.toml"
    preset.parent.mkdir()
    preset.write_text("")
    assert _free_path(str(preset), "mnist/x", db) == db.parent / "mnist-extended.toml"
    assert _free_path(None, "mnist/x", db) == db.parent / "mnist_x-extended.toml"
    own = tmp_path / "own.toml"
    assert _free_path(str(own), "own", db) == tmp_path / "own-extended.toml"
    shutil.copy(preset, tmp_path / "own-extended.toml")
    assert _free_path(str(own), "own", db) == tmp_path / "own-extended-2.toml"
