"""The detail of a trial: facts, metaparameters, every metric with its chart, and why it failed."""

from __future__ import annotations

import pytest

from hvdsweep.opening import open_store
from tests.tui.conftest import pilot_of, screen_text, settle
from tui.selection import Selection
from tui.widgets.chart import ChartView
from tui.widgets.table import Table


async def opened(pilot, trial: int) -> None:
    pilot.app.open_trial(trial)
    await settle(pilot)


def of_status(trained, status: str) -> int:
    with open_store(trained) as reader:
        return next(row.id for row in reader.trials().rows if row.status.name == status)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
@pytest.mark.parametrize("status", ["COMPLETE", "INCOMPLETE"])
async def test_screen(source, trained, golden, size, status):
    """A trial that ended normally, and one that failed, with the last lines of its rank's log."""
    async with pilot_of(source, place="live", selection=Selection(sweep=1), size=size) as pilot:
        await opened(pilot, of_status(trained, status))
        assert screen_text(pilot) == golden


async def test_every_metric_has_its_chart(source, trained):
    """Going down the table of metrics shows exactly what the store holds of each; the goal is drawn on its own metric."""
    trial = of_status(trained, "COMPLETE")
    with open_store(trained) as reader:
        steps, losses = reader.losses(trial)
        measured = reader.measurements(trial)
    async with pilot_of(source, place="live") as pilot:
        await opened(pilot, trial)
        view = pilot.app.screen.query_one("#curve", ChartView)
        (series,) = view.chart.series
        assert (series.x.tolist(), series.y.tolist()) == (steps.tolist(), losses.tolist())
        for name, values in measured.values.items():
            await pilot.press("down")
            assert pilot.app.screen.query_one("#metrics", Table).key == name
            (series,) = view.chart.series
            assert (series.x.tolist(), series.y.tolist()) == (measured.steps.tolist(), values.tolist())
            assert len(view.chart.references) == (name == "val/classification_error")


async def test_a_trial_that_is_not_there(source):
    """A message with the way back, no traceback."""
    async with pilot_of(source, place="live") as pilot:
        await opened(pilot, 999)
        assert "No trial 999" in screen_text(pilot)
        await pilot.press("escape")
        await settle(pilot)
        assert "Trials  Logs  Events" in screen_text(pilot)


async def test_the_ends_of_a_study(source):
    """Before the first and after the last trial there is none; the screen stays."""
    async with pilot_of(source, place="live") as pilot:
        await opened(pilot, 1)
        await pilot.press("left_square_bracket")
        await settle(pilot)
        assert "No further trial" in screen_text(pilot)
        assert "Trial 1" in screen_text(pilot)


async def test_a_diverged_trial_ends_where_it_diverged(source, trained):
    """Its losses stop at the step that was not finite; best and last are of the finite ones."""
    trial = of_status(trained, "INFEASIBLE")
    async with pilot_of(source, place="live") as pilot:
        await opened(pilot, trial)
        shown = screen_text(pilot)
        assert "▲ infeasible" in shown
        assert "the loss of step 30 is nan" in shown
        row = pilot.app.screen.query_one("#metrics", Table).row(0)
        assert [str(cell) for cell in row.cells][4] == "30"
        assert "nan" not in [str(cell) for cell in row.cells]


async def test_copying_the_metaparameters(source):
    """With every digit."""
    async with pilot_of(source, place="live") as pilot:
        await opened(pilot, 1)
        await pilot.press("c")
        assert pilot.app.clipboard.startswith("learning_rate = 0.0")
        assert (
            float(pilot.app.clipboard.split(" = ")[1])
            == pilot.app.screen._findings.trial.parameters["learning_rate"]
        )
