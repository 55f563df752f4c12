"""The Scaling screen: curves of the store at any goal and budget, by keys alone and by the mouse alone."""

from __future__ import annotations

import dataclasses
import json
import shlex
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from textual import events
from textual.widgets import Input

from hvdsweep.cli import group
from hvdsweep.curves import LIVE, curve
from hvdsweep.opening import open_store
from hvdsweep.store.connection import connect
from hvdsweep.store.lifecycle import begin_run, new_gang
from tests.tui.conftest import FakeSource, pilot_of, screen_text, settle
from tests.tui.curve_store import SWEEP, train_all
from tests.tui.stores import snapshot_of
from tui.selection import Selection
from tui.widgets.chart import ChartView
from tui.widgets.prompt import Prompt
from tui.widgets.slider import Slider
from tui.widgets.table import Table

SGD, NESTEROV = "digits/fc_32/sgd", "digits/fc_32/nesterov_momentum"
NAMES = {SGD: "sgd", NESTEROV: "nesterov_momentum"}


def chart(pilot):
    return pilot.app.screen.query_one("#curve", ChartView).chart


def shown(pilot) -> dict[str, list[float]]:
    """Name of a curve -> its y values."""
    return {series.name: series.y.tolist() for series in chart(pilot).series}


def truth(path: Path, goal: float, *, examples: bool = False, **question) -> dict[str, list[float]]:
    """The same from the curves themselves."""
    found = {}
    with open_store(path) as reader:
        for name, short in NAMES.items():
            one = curve(reader.workload_table(name), goal, **question)
            found[short] = [
                float((p.steps if p.reached else p.budget) * (p.batch_size if examples else 1))
                for p in one.points
            ]
    return found


def slider(pilot, name: str) -> Slider:
    return pilot.app.screen.query_one(f"#{name}", Slider)


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 10)])
async def test_screen(curves, golden, size):
    """Goal and budgets, both curves, the current one's regions, fit and numbers; less where there is less room."""
    async with pilot_of(curves, place="scaling", size=size) as pilot:
        assert screen_text(pilot) == golden


async def test_the_table_takes_the_place_of_the_chart_where_it_is_narrow(curves, golden):
    """t shows workloads and numbers on 80 columns, esc brings the chart back."""
    async with pilot_of(curves, place="scaling", size=(80, 24)) as pilot:
        before = screen_text(pilot)
        await pilot.press("t")
        assert screen_text(pilot) == golden
        await pilot.press("escape")
        assert screen_text(pilot) == before


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (10, 4), (300, 90)])
async def test_any_size(curves, size):
    """No size is too small, whatever key is pressed."""
    async with pilot_of(curves, place="scaling", size=size) as pilot:
        await pilot.press("right", "t", "f", "m", "n", "left_square_bracket", "w", "a", "f", "t", "escape")
        await settle(pilot)
        assert len(screen_text(pilot).split("\n")) == size[1]


@pytest.mark.parametrize(
    "keys",
    [["left_square_bracket"], ["right_square_bracket"] * 3, ["left_curly_bracket", "right_square_bracket"]],
)
async def test_a_goal_moved_by_keys_gives_the_curves_at_that_goal(curves, planted, keys):
    """Both curves follow at once, and they are those of `hvdsweep.curves.curve` there."""
    async with pilot_of(curves, place="scaling") as pilot:
        assert shown(pilot) == truth(planted, 0.1)
        await pilot.press(*keys)
        await settle(pilot)
        goal = slider(pilot, "goal").value
        assert goal != 0.1
        assert shown(pilot) == truth(planted, goal)
        assert f"val/classification_error < {goal:g}" in screen_text(pilot)
        await pilot.press("r")
        await settle(pilot)
        assert shown(pilot) == truth(planted, 0.1)


async def test_a_typed_goal(curves, planted):
    """v opens a line; every number typed takes effect at once; anything else gives a message and changes nothing."""
    async with pilot_of(curves, place="scaling") as pilot:
        await pilot.press("v", *["backspace"] * 3, *"0.25")
        await settle(pilot)
        assert shown(pilot) == truth(planted, 0.25)
        await pilot.press("x")
        await settle(pilot)
        assert "give a number" in screen_text(pilot)
        await pilot.press("backspace", "enter")
        await settle(pilot)
        assert shown(pilot) == truth(planted, 0.25)
        assert pilot.app.screen.query_one("#curve", ChartView).has_focus


async def test_the_mouse_moves_the_goal(curves, planted):
    """Clicks on the track and on its arrows, a drag and the wheel; a click on the value lets it be typed."""
    async with pilot_of(curves, place="scaling") as pilot:
        goals = {0.1}
        track, cells = slider(pilot, "goal")._track
        left = slider(pilot, "goal").gutter.left
        for offset in ((left + track + cells // 4, 0), (left + track - 2, 0), (left + track + cells, 0)):
            await pilot.click("#goal", offset=offset)
            await settle(pilot)
            goal = slider(pilot, "goal").value
            assert shown(pilot) == truth(planted, goal)
            goals.add(goal)
        await pilot.mouse_down("#goal", offset=(left + track + 2, 0))
        await pilot.hover("#goal", offset=(left + track + cells - 1, 0))
        await pilot.mouse_up("#goal", offset=(left + track + cells - 1, 0))
        await settle(pilot)
        # Its arrow brought it back where it had been: as many goals as places, but one.
        assert slider(pilot, "goal").value == slider(pilot, "goal").ladder[-1]
        assert len(goals) >= 3
        await pilot.click("#goal", offset=(left + 1, 0))
        assert pilot.app.screen.query_one(Prompt).purpose == "goal"


async def test_what_is_typed_in_one_burst_goes_into_the_line(curves):
    """Over a slow connection keys arrive together: the digits behind v are part of a goal, not keys of the screen."""
    async with pilot_of(curves, place="scaling") as pilot:
        screen = pilot.app.screen
        for key, character in (("v", "v"), ("0", "0"), ("full_stop", "."), ("3", "3")):
            pilot.app.post_message(events.Key(key, character))
        await settle(pilot)
        assert pilot.app.screen is screen
        assert screen.query_one(Input).value == "0.3"
        assert screen.goal(screen.row(screen.current)) == 0.3
        assert "val/classification_error <" in screen_text(pilot).splitlines()[2]
        await pilot.press("v")
        await settle(pilot)
        assert screen.query_one(Input).value == "0.3v"


@pytest.mark.parametrize(
    ("key", "times", "name"), [("comma", 8, "step_budget"), ("less_than_sign", 18, "example_budget")]
)
async def test_budgets_move_by_keys(curves, planted, key, times, name):
    """The curves are those within the budget; a batch size that no longer gets there is a bound at it."""
    async with pilot_of(curves, place="scaling") as pilot:
        await pilot.press(*[key] * times)
        await settle(pilot)
        budget = slider(pilot, name).value
        assert budget is not None
        assert shown(pilot) == truth(planted, 0.1, **{name: budget})
        assert any(series.censored.any() for series in chart(pilot).series)


async def test_measures(curves, planted):
    """m: examples, then seconds and rank-seconds where speeds are known, then steps again; tables say the same."""
    async with pilot_of(curves, place="scaling") as pilot:
        await pilot.press("m")
        await settle(pilot)
        assert shown(pilot) == truth(planted, 0.1, examples=True)
        await pilot.press("m")
        await settle(pilot)
        steps = truth(planted, 0.1)["sgd"]
        fastest = {16: 900 * 4 / 5, 64: 900 / 2}  # steps per second on four ranks, as stored
        expected = [steps[1] / fastest[16] * (5 * 1.25) / 5 / 1.25, steps[3] / fastest[64]]
        assert shown(pilot)["sgd"] == pytest.approx(expected)
        assert "seconds to the goal" in screen_text(pilot)
        await pilot.press("m")
        await settle(pilot)
        assert "rank-seconds to the goal" in screen_text(pilot)
        await pilot.press("m")
        await settle(pilot)
        assert shown(pilot) == truth(planted, 0.1)


async def test_normalised(curves, planted):
    """n divides by the smallest batch size that reached every goal shown."""
    async with pilot_of(curves, place="scaling") as pilot:
        await pilot.press("n")
        await settle(pilot)
        plain = truth(planted, 0.1)
        assert shown(pilot) == {
            name: pytest.approx([value / values[0] for value in values]) for name, values in plain.items()
        }


async def test_workloads_are_kept_in_the_chart_or_taken_out(curves):
    """w goes to the next workload, a takes the current one out of the chart."""
    async with pilot_of(curves, place="scaling") as pilot:
        assert set(shown(pilot)) == {"sgd", "nesterov_momentum"}
        await pilot.press("a", "w")
        await settle(pilot)
        assert set(shown(pilot)) == {"nesterov_momentum"}
        assert NESTEROV in screen_text(pilot)
        assert pilot.app.selection.workload == NESTEROV
        await pilot.press("w", "a")
        await settle(pilot)
        assert set(shown(pilot)) == {"sgd", "nesterov_momentum"}


async def test_what_is_selected_elsewhere_is_current_here(curves):
    """A study selected on another screen brings its workload here."""
    async with pilot_of(curves, place="scaling", selection=Selection(1, NESTEROV, 64)) as pilot:
        assert chart(pilot).title.startswith(NESTEROV)


async def test_keys_alone_lead_from_the_curve_to_a_trial(curves, planted):
    """Arrow keys read a point out, o opens the trial behind it."""
    with open_store(planted) as reader:
        point = curve(reader.workload_table(SGD), 0.1).points[2]
    async with pilot_of(curves) as pilot:
        await pilot.press("4")
        await settle(pilot)
        await pilot.press("right", "right", "right")
        await settle(pilot)
        assert f"sgd at 32: {point.steps} steps" in screen_text(pilot)
        await pilot.press("o")
        await settle(pilot)
        assert type(pilot.app.screen).__name__ == "TrialScreen"
        assert f"{point.trial_id}" in screen_text(pilot)


async def test_the_mouse_alone_leads_from_the_curve_to_a_trial(curves):
    """A tab, a workload, a point: clicks."""
    async with pilot_of(curves) as pilot:
        tab = screen_text(pilot).split("\n")[0].index("4 Scaling")
        await pilot.click(offset=(tab + 3, 0))
        await settle(pilot)
        await pilot.click("#workloads", offset=(8, 2))
        await settle(pilot)
        assert chart(pilot).title.startswith(NESTEROV)
        view = pilot.app.screen.query_one("#curve", ChartView)
        cell = view.frame().cell(16, shown(pilot)["nesterov_momentum"][1])
        await pilot.hover("#curve", offset=cell)
        await pilot.click("#curve", offset=cell, times=2)
        await settle(pilot)
        assert type(pilot.app.screen).__name__ == "TrialScreen"


async def test_cursors_of_chart_and_table_go_together(curves):
    """What is read out in the chart is the selected row, and the other way round."""
    async with pilot_of(curves, place="scaling") as pilot:
        await pilot.press("right", "right")
        await settle(pilot)
        table = pilot.app.screen.query_one("#numbers", Table)
        assert table.key == "16"
        table.focus()
        await pilot.press("down", "down")
        await settle(pilot)
        assert pilot.app.screen.query_one("#curve", ChartView).reading.x == 64


async def test_the_view_survives_new_data(curves, planted, tmp_path):
    """Zoomed in while the sweep is training: the window stays, the curve in it is the new one."""
    live = copied(planted, tmp_path)
    source = FakeSource(snapshot_of(live, live="planted"), live)
    async with pilot_of(source, place="scaling") as pilot:
        view = pilot.app.screen.query_one("#curve", ChartView)
        await pilot.press("plus", "plus")
        limits = view.frame().x_limits
        before = shown(pilot)
        with closing(connect(live)) as conn:
            # Every trial reaches the goal sooner.
            conn.execute("UPDATE best_records SET value = value * 0.7")
            conn.commit()
        pilot.app.screen.questions._rested.clear()
        source.put(snapshot_of(live, live="planted", number=2))
        await settle(pilot)
        assert shown(pilot) != before
        assert view.frame().x_limits == limits
        assert not view.view.follows


async def test_running_trials_count_while_a_sweep_is_trained(planted, tmp_path):
    """In a sweep in training the curve counts what running trials have shown; i leaves them out."""
    live = tmp_path / "live.db"
    from hvdsweep.plan import make_plan
    from hvdsweep.states import Status
    from hvdsweep.store.plans import save_plan
    from hvdsweep.sweep.load import check_text

    with closing(connect(live, create=True)) as conn:
        sweep = save_plan(conn, make_plan(check_text(SWEEP, "planted.toml").loaded)).sweep_id
        begin_run(conn, sweep, np=1, gangs=1)
        train_all(live, new_gang(conn, sweep, np=1), most=6)
        conn.execute(
            "UPDATE trials SET status = 'RUNNING' WHERE id IN (SELECT id FROM trials WHERE status = 'COMPLETE')"
        )
        conn.commit()
    source = FakeSource(snapshot_of(live, live="planted"), live)
    async with pilot_of(source, place="scaling", selection=Selection(1, SGD)) as pilot:
        with open_store(live) as reader:
            table = reader.workload_table(SGD)
        counted = [point.steps for point in curve(table, 0.1, statuses=LIVE).points]
        assert counted[0] is not None
        assert shown(pilot)["sgd"][0] == counted[0]
        await pilot.press("i")
        await settle(pilot)
        assert not any(value == value for value in shown(pilot)["sgd"])
        assert Status.RUNNING in LIVE


async def test_the_copied_command_prints_the_curve_in_view(curves, planted, monkeypatch):
    """Goal and budgets of the screen are in the command; its JSON has the points of the chart."""
    async with pilot_of(curves, place="scaling") as pilot:
        await pilot.press("left_square_bracket", *["comma"] * 4)
        await settle(pilot)
        copied = []
        monkeypatch.setattr(pilot.app, "copy_to_clipboard", copied.append)
        await pilot.press("c")
        await settle(pilot)
        words = shlex.split(copied[0])
        expected = shown(pilot)["sgd"]
    words[words.index("--db") + 1] = str(planted)
    result = CliRunner().invoke(group, [*words[1:], "--json"])
    assert result.exit_code == 0, result.output
    (one,) = json.loads(result.stdout)
    assert [point["steps"] or point["budget"] for point in one["points"]] == expected


async def test_views_in_place_of_the_curve(curves, planted, monkeypatch):
    """b: the best at equal steps, at equal examples, ranks against hours, as the copied commands print them; then the curve."""
    async with pilot_of(curves, place="scaling") as pilot:
        before, copied, seen = screen_text(pilot), [], []
        monkeypatch.setattr(pilot.app, "copy_to_clipboard", copied.append)
        for _ in range(3):
            await pilot.press("b", "c")
            await settle(pilot)
            seen.append(list(shown(pilot).values()))
        await pilot.press("b")
        await settle(pilot)
        assert screen_text(pilot).replace("Copied", "") != before
        assert shown(pilot) == truth(planted, 0.1)
        await pilot.press("b", "escape")
        await settle(pilot)
        assert shown(pilot) == truth(planted, 0.1)
    for command, lines in zip(copied[:2], seen[:2], strict=True):
        words = shlex.split(command)
        words[words.index("--db") + 1] = str(planted)
        result = CliRunner().invoke(group, [*words[1:], "--json"])
        assert result.exit_code == 0, result.output
        values = [one["values"] for one in json.loads(result.stdout)[0]["at_budget"]]
        assert values == [[None if value != value else value for value in line] for line in lines]
    words = shlex.split(copied[2])
    words[words.index("--db") + 1] = str(planted)
    result = CliRunner().invoke(group, [*words[1:], "--json"])
    assert result.exit_code == 0, result.output
    (panel,) = json.loads(result.stdout)["panels"]
    assert [line["y"] for line in panel["series"]] == seen[2]
    assert seen[2][-1] == [4, 2, 1]


async def test_a_goal_holds_on_the_other_screens(curves):
    """Chosen here, it is the one of the Metaparameters screen."""
    async with pilot_of(curves, place="scaling") as pilot:
        await pilot.press("left_square_bracket")
        await settle(pilot)
        goal = slider(pilot, "goal").value
        await pilot.press("5")
        await settle(pilot)
        assert f"< {goal:g}" in screen_text(pilot)


async def test_the_chart_takes_the_whole_screen(curves):
    """enter on the chart, esc back; the side pane folds away by t."""
    async with pilot_of(curves, place="scaling") as pilot:
        view = pilot.app.screen.query_one("#curve", ChartView)
        width = view.size.width
        await pilot.press("enter")
        await settle(pilot)
        assert view.size.width == 120
        await pilot.press("escape")
        await settle(pilot)
        assert view.size.width == width
        await pilot.press("t")
        await settle(pilot)
        assert view.size.width == 120


async def test_the_export_key_writes_what_is_seen(curves, planted, tmp_path, monkeypatch):
    """e writes SVG, PNG and CSV next to the database, and says where; the CSV has the curve's points."""
    curves.path = tmp_path / "hvdsweep.db"
    async with pilot_of(curves, place="scaling") as pilot:
        await pilot.press("e")
        await settle(pilot)
        steps = shown(pilot)["sgd"]
        assert "Written" in screen_text(pilot)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"hvdsweep-scaling.{kind}" for kind in ("csv", "png", "svg")]
    rows = [line.split(",") for line in (tmp_path / "hvdsweep-scaling.csv").read_text().splitlines()]
    assert [float(row[2]) for row in rows if row[0] == "sgd"] == steps
    assert (tmp_path / "hvdsweep-scaling.png").read_bytes().startswith(b"\x89PNG")


async def test_without_workloads_the_screen_says_what_to_do(golden):
    """An empty store is a sentence."""
    from tui.snapshot import Snapshot

    empty = Snapshot("/data/hvdsweep.db", 0.0, (), (), (), (), ())
    async with pilot_of(FakeSource(empty), place="scaling", size=(80, 24)) as pilot:
        assert "No curve yet" in screen_text(pilot)
        await pilot.press("m", "t", "left_square_bracket", "n", "w")


async def test_a_workload_without_measurements_is_no_trouble(planted, tmp_path):
    """A sweep that was only planned: no curve, no traceback."""
    from hvdsweep.plan import make_plan
    from hvdsweep.store.plans import save_plan
    from hvdsweep.sweep.load import check_text

    path = tmp_path / "planned.db"
    with closing(connect(path, create=True)) as conn:
        save_plan(conn, make_plan(check_text(SWEEP, "planted.toml").loaded))
    async with pilot_of(FakeSource(snapshot_of(path, live=""), path), place="scaling") as pilot:
        await pilot.press("left_square_bracket", "comma", "right")
        await settle(pilot)
        assert "no trial has been measured yet" in screen_text(pilot)
        await pilot.press("m", "m", "n")
        await settle(pilot)
        assert "the goal was not reached" in screen_text(pilot)


def copied(path: Path, folder: Path) -> Path:
    """A copy of a store at rest."""
    to = folder / path.name
    with closing(connect(path)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(path, to)
    return to


def test_goals_are_shared_by_workloads_of_one_goal():
    """Workloads with the same metric and goal move together; one with another goal is left alone."""
    from hvdsweep.store.rows import WorkloadRow
    from tui.screens.workload_screen import group_of

    row = WorkloadRow(1, 1, "a/b/c", "a", "b", "c", "val/error", 0.1, False, 100, 10)
    assert group_of(row) == group_of(dataclasses.replace(row, id=2, name="a/b/d"))
    assert group_of(row) != group_of(dataclasses.replace(row, goal=0.2))
    assert group_of(dataclasses.replace(row, goal=None)) != group_of(
        dataclasses.replace(row, goal=None, name="x")
    )
