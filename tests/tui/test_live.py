"""The Live screen: gangs, losses, trials, logs and events of the selected sweep, by keys alone and by the mouse alone."""

from __future__ import annotations

import dataclasses
import shutil
import time
from pathlib import Path

import pytest

from hvdsweep.opening import open_store
from tests.limits import HANG_SECONDS
from tests.tui.conftest import FakeSource, pilot_of, screen_text, settle
from tests.tui.stores import snapshot_of
from tui.questions import REST
from tui.selection import Selection
from tui.widgets.chart import ChartView
from tui.widgets.logview import LogView
from tui.widgets.table import PAGE, Table
from tui.widgets.trials_table import _page

DIGITS = Selection(sweep=1)


def trials(pilot) -> Table:
    return pilot.app.screen.query_one("#trials", Table)


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 12)])
async def test_screen(source, golden, size):
    """Gangs and what they train, the loss of the trial in training, the table of trials."""
    async with pilot_of(source, place="live", selection=DIGITS, size=size) as pilot:
        assert screen_text(pilot) == golden


@pytest.mark.parametrize("pane", ["logs", "events"])
async def test_panes(source, golden, pane):
    """The log of rank 0, followed; events, newest first."""
    async with pilot_of(source, place="live", selection=DIGITS) as pilot:
        await pilot.press(*["right_square_bracket"] * (1 if pane == "logs" else 2))
        await settle(pilot)
        assert screen_text(pilot) == golden


async def test_without_a_selection_the_sweep_in_training_is_shown(source):
    """At first the screen shows the sweep that is being trained."""
    async with pilot_of(source, place="live") as pilot:
        assert "digits ● running" in screen_text(pilot)


async def test_the_chart_shows_exactly_the_losses_of_the_store(source, trained):
    """The series of the trial in training has every step and loss that the store holds."""
    with open_store(trained) as reader:
        running = next(row for row in reader.trials().rows if row.status.name == "RUNNING")
        steps, losses = reader.losses(running.id)
    async with pilot_of(source, place="live", selection=DIGITS) as pilot:
        (series,) = pilot.app.screen.query_one("#curves", ChartView).chart.series
        assert series.x.tolist() == steps.tolist()
        assert series.y.tolist() == losses.tolist()


async def test_a_filter_is_applied_as_it_is_typed(source):
    """Every valid text filters at once; an invalid one shows a message and changes nothing; esc removes the filter."""
    async with pilot_of(source, place="live", selection=DIGITS) as pilot:
        await pilot.press("slash", *"batch_size=16")
        await settle(pilot)
        assert trials(pilot).total == 8
        await pilot.press("space", *"status=x")
        await settle(pilot)
        assert "status=x: x: give PENDING or RUNNING" in screen_text(pilot)
        assert trials(pilot).total == 8
        await pilot.press("backspace", *"inf", "enter")
        await settle(pilot)
        assert trials(pilot).total == 1
        assert "▲ infeasible" in screen_text(pilot)
        assert "/batch_size=16 status=inf 1 trial" in screen_text(pilot)
        assert trials(pilot).has_focus
        await pilot.press("escape")
        await settle(pilot)
        assert trials(pilot).total == 24


async def test_an_empty_result_says_so(source):
    """If no trial matches, a message takes the place of the rows."""
    async with pilot_of(source, place="live", selection=DIGITS) as pilot:
        await pilot.press("slash", *"steps>1e9", "enter")
        await settle(pilot)
        assert "no trial matches the filter" in screen_text(pilot)


async def test_sorting_by_key_and_by_title(source, trained):
    """`s` goes from column to column, `S` turns round, a click on a title sorts by it, another turns it round."""
    with open_store(trained) as reader:
        best = [row.id for row in reader.trials(sort="best").rows if row.sweep_id == 1]
        worst = [row.id for row in reader.trials(sort="best", descending=True).rows if row.sweep_id == 1]

    def first(pilot) -> int:
        return int(trials(pilot).row(0).key)

    async with pilot_of(source, place="live", selection=DIGITS) as pilot:
        await pilot.press("s", "s", "s", "s", "s")
        await settle(pilot)
        assert trials(pilot).sorted_by == ("best", False)
        assert first(pilot) == best[0]
        await pilot.press("S")
        await settle(pilot)
        assert first(pilot) == worst[0]
        header = screen_text(pilot).splitlines()
        line = next(place for place, text in enumerate(header) if "goal at" in text)
        await pilot.click(offset=(header[line].index("trial") + 1, line))
        await settle(pilot)
        assert trials(pilot).sorted_by == ("id", False)
        assert first(pilot) == 1
        await pilot.click(offset=(header[line].index("trial") + 1, line))
        await settle(pilot)
        assert first(pilot) == 24


async def test_a_trial_by_its_number(source):
    """`:` asks for a number; anything else shows a message; esc closes."""
    async with pilot_of(source, place="live", selection=DIGITS) as pilot:
        await pilot.press("colon", *"x4")
        assert "give a trial's number" in screen_text(pilot)
        await pilot.press("home", "delete", "enter")
        await settle(pilot)
        assert "Trial 4" in screen_text(pilot)
        await pilot.press("escape")
        assert "Trials  Logs  Events" in screen_text(pilot)
        await pilot.press("colon", "escape")
        assert "go to trial" not in screen_text(pilot)


async def test_keys_alone_lead_to_a_trial_and_back(source):
    """Down, enter, next, back: the keyboard is enough."""
    async with pilot_of(source, place="live", selection=DIGITS) as pilot:
        await pilot.press("down", "down", "enter")
        await settle(pilot)
        assert "Trial 3" in screen_text(pilot)
        await pilot.press("right_square_bracket")
        await settle(pilot)
        assert "Trial 4" in screen_text(pilot)
        await pilot.press("escape")
        await settle(pilot)
        assert trials(pilot).key == "3"


async def test_the_mouse_alone_leads_to_a_trial_and_back(source):
    """A double click opens, clicks on tabs, panes and keys of the footer do the rest."""
    async with pilot_of(source, place="sweeps") as pilot:
        shown = screen_text(pilot).splitlines()
        await pilot.click(offset=(shown[0].index("Live"), 0))
        await settle(pilot)
        shown = screen_text(pilot).splitlines()
        line = next(place for place, text in enumerate(shown) if "▲ infeasible" in text)
        await pilot.click(offset=(20, line), times=2)
        await settle(pilot)
        assert "the loss of step 30 is nan" in screen_text(pilot)
        shown = screen_text(pilot).splitlines()
        await pilot.click(offset=(shown[-1].index("Back"), len(shown) - 1))
        await settle(pilot)
        shown = screen_text(pilot).splitlines()
        line = next(place for place, text in enumerate(shown) if text.startswith(" Trials"))
        await pilot.click(offset=(shown[line].index("Events"), line))
        await settle(pilot)
        assert "killed by SIGKILL" in screen_text(pilot)


async def test_enter_on_a_gang_opens_the_trial_it_trains(source):
    """With the keyboard in the gangs, Enter is about the gang's trial."""
    async with pilot_of(source, place="live", selection=DIGITS) as pilot:
        pilot.app.screen.query_one("#gangs", Table).focus()
        await pilot.press("enter")
        await settle(pilot)
        assert "Trial 13" in screen_text(pilot)


async def test_the_log_of_another_rank_and_new_lines(trained, tmp_path, monkeypatch):
    """`o` shows the next log; what is written to it appears; a deleted log is no error."""
    folder = Path(shutil.copytree(f"{trained}.logs", tmp_path / "logs"))
    from hvdsweep.launch import logs

    real = logs.log_files
    monkeypatch.setattr(
        logs, "log_files", lambda log_dir: real(folder / Path(log_dir).name if log_dir else None)
    )
    source = FakeSource(snapshot_of(trained), trained)
    async with pilot_of(source, place="live", selection=DIGITS) as pilot:
        screen = pilot.app.screen
        await pilot.press("right_square_bracket")
        await settle(pilot)
        view = screen.query_one("#logs", LogView)
        assert view.lines[-1] == "step 39 of rank 0"
        assert "gang 1: rank-0.log · o for another" in screen_text(pilot)
        await pilot.press("o")
        await settle(pilot)
        assert list(view.lines) == ["hello from rank 1"]
        with (folder / "gang-1" / "rank-1.log").open("a") as file:
            file.write("more\n")
        view.look()
        await settle(pilot)
        assert list(view.lines) == ["hello from rank 1", "more"]
        (folder / "gang-1" / "rank-1.log").unlink()
        view.look()
        await settle(pilot)
        assert list(view.lines) == ["hello from rank 1", "more"]


async def test_a_gang_without_logs_here_says_so(source):
    """The second gang's logs are on another machine: a message takes their place."""
    async with pilot_of(source, place="live", selection=DIGITS) as pilot:
        await pilot.press("right_square_bracket")
        await settle(pilot)
        pilot.app.screen.query_one("#gangs", Table).focus()
        await pilot.press("down")
        await settle(pilot)
        assert "the logs of gang 2 are not on this machine" in screen_text(pilot)


async def test_a_pane_takes_the_whole_screen_and_gives_it_back(source):
    """`f` fills with the pane that has the keyboard: trials, chart or gangs; esc gives the others back."""
    async with pilot_of(source, place="live", selection=DIGITS, size=(100, 30)) as pilot:
        before = screen_text(pilot)
        for name, there, gone in (
            ("trials", "workload", "Loss of"),
            ("curves", "loss", "workload"),
            ("gangs", "state", "loss"),
        ):
            pilot.app.screen.query_one(f"#{name}").focus()
            await pilot.press("f")
            await settle(pilot)
            shown = screen_text(pilot)
            assert there in shown
            assert gone not in shown, name
            await pilot.press("escape")
            await settle(pilot)
        chart = pilot.app.screen.chart
        chart.focus()
        await pilot.press("right")
        assert chart.reading is not None
        await pilot.press("escape")
        assert chart.reading is None
        trials(pilot).focus()
        await settle(pilot)
        assert screen_text(pilot) == before


async def test_a_study_chosen_elsewhere_is_the_filter_here(source):
    """Enter on a study of the Sweeps screen shows its trials alone."""
    async with pilot_of(source) as pilot:
        pilot.app.screen.query_one("#studies", Table).focus()
        await pilot.press("down", "enter")
        await settle(pilot)
        assert "/workload=digits/fc_32/sgd batch_size=64 4 trials" in screen_text(pilot)


async def test_what_is_written_meanwhile_appears(source, trained, monkeypatch):
    """A new snapshot changes gangs and the tab line, and asks for the trials in view again."""
    monkeypatch.setattr("tui.questions.REST", 0.0)
    async with pilot_of(source, place="live", selection=DIGITS) as pilot:
        asked = len(source.asked)
        snapshot = snapshot_of(trained, number=2)
        gangs = (dataclasses.replace(snapshot.gangs[0], steps=200), *snapshot.gangs[1:])
        source.put(dataclasses.replace(snapshot, gangs=gangs))
        await settle(pilot)
        assert "100%" in screen_text(pilot)
        assert len(source.asked) >= asked + 2


async def test_the_first_trials_come_all_at_once(source):
    """What is in view is there with the first answer, though the question was asked before the table had its size."""
    async with pilot_of(source, place="live", selection=DIGITS) as pilot:
        questions = [timed.args[-1] for timed in source.asked]
        first = next(question for question in questions if getattr(question, "func", None) is _page)
        assert first.args[-1] >= PAGE
        assert trials(pilot).row(23) is not None


async def test_a_big_store_is_not_asked_without_rest(source, trained):
    """After a page that took a second, snapshots do not ask for it again within twenty."""
    async with pilot_of(source, place="live", selection=DIGITS) as pilot:
        screen = pilot.app.screen
        screen.questions._rested[trials(pilot).answer_page] = time.monotonic() + REST
        names: list[str] = []
        real = screen.questions.ask
        screen.questions.ask = lambda then, about, question: (
            names.append(then.__name__),
            real(then, about, question),
        )
        for number in range(2, 12):
            source.put(snapshot_of(trained, number=number))
            await settle(pilot)
        assert "answer_losses" in names
        assert "answer_page" not in names


async def test_what_was_written_last_is_seen_though_nothing_follows(source, trained):
    """The last snapshot of a sweep comes during the pause after a costly page: the trials are asked for after the pause."""
    async with pilot_of(source, place="live", selection=DIGITS) as pilot:
        screen = pilot.app.screen
        screen.questions._rested[trials(pilot).answer_page] = time.monotonic() + 0.5
        names: list[str] = []
        real = screen.questions.ask
        screen.questions.ask = lambda then, about, question: (
            names.append(then.__name__),
            real(then, about, question),
        )
        source.put(snapshot_of(trained, number=2))
        await settle(pilot)
        assert "answer_page" not in names
        deadline = time.monotonic() + HANG_SECONDS
        while "answer_page" not in names and time.monotonic() < deadline:
            await pilot.pause(0.05)
        assert names.count("answer_page") == 1


async def test_no_sweep_at_all(trained):
    """An empty store gives a message, no error."""
    empty = dataclasses.replace(snapshot_of(trained), sweeps=(), workloads=(), gangs=(), events=())
    async with pilot_of(FakeSource(empty, trained), place="live") as pilot:
        assert "no sweep yet" in screen_text(pilot)


async def test_copying_a_trial(source):
    """`c` copies the row as name=value pairs to the clipboard."""
    async with pilot_of(source, place="live", selection=DIGITS) as pilot:
        await pilot.press("c")
        assert pilot.app.clipboard.startswith("id=1 workload=sgd batch_size=16 status=✓ complete steps=200")


async def test_memory_stays_flat(source, trained):
    """A hundred snapshots with growing steps leave no more objects behind than fifty did."""
    import gc

    async def watched(numbers) -> int:
        for number in numbers:
            snapshot = snapshot_of(trained, number=number)
            gangs = (dataclasses.replace(snapshot.gangs[0], steps=120 + number % 80), *snapshot.gangs[1:])
            source.put(dataclasses.replace(snapshot, gangs=gangs, time=snapshot.time + number))
            await settle(pilot)
        source.asked.clear()
        gc.collect()
        return len(gc.get_objects())

    async with pilot_of(source, place="live", selection=DIGITS) as pilot:
        await watched(range(2, 20))
        before = await watched(range(20, 45))
        after = await watched(range(45, 95))
        assert after < before * 1.01 + 500


async def test_a_trial_without_losses_yet_leaves_those_before_it_in_sight(source, trained):
    """Trials of a moment: the gang has claimed the next one, which has no loss yet; the picture stays and says so."""
    async with pilot_of(source, place="live", selection=DIGITS) as pilot:
        view = pilot.app.screen.query_one("#curves", ChartView)
        before = view.chart.series
        assert before
        snapshot = snapshot_of(trained, number=2)
        gangs = (dataclasses.replace(snapshot.gangs[0], trial_id=20, steps=0), *snapshot.gangs[1:])
        source.put(dataclasses.replace(snapshot, gangs=gangs))
        await settle(pilot)
        assert view.chart.series == before
        assert "Losses of the previous trials" in screen_text(pilot)
