"""Launching and saving from Compose: by keys alone, by mouse alone, never over another program's changes."""

from __future__ import annotations

import dataclasses
from contextlib import closing

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input, OptionList, Static

from hvdsweep.errors import RunFailed
from hvdsweep.opening import open_store
from hvdsweep.plan import make_plan
from hvdsweep.store.connection import connect
from hvdsweep.store.plans import save_plan
from hvdsweep.store.throughput import record_throughput
from hvdsweep.sweep.load import load_sweep
from tests.tui.composing import row, screen_of, settle, type_into
from tests.tui.conftest import FakeSource, pilot_of, screen_text
from tests.tui.stores import snapshot_of
from tui import launching
from tui.composing.draft import Draft
from tui.composing.relatives import relatives
from tui.composing.start import TEMPLATE, file_at
from tui.composing.toml_text import parsed
from tui.launching import Launched
from tui.widgets.form_dialogs import ListDialog, SaveDialog

pytestmark = pytest.mark.usefixtures("at_once")


async def test_hours_come_from_measured_speeds(tmp_path, empty):
    """With measured throughput of this many ranks the plan says how long it takes: its steps divided by that speed."""
    db = tmp_path / "x.db"
    with closing(connect(db, create=True)) as conn:
        for size, speed in ((8, 100.0), (16, 50.0), (32, 25.0), (64, 20.0), (128, 10.0), (256, 5.0)):
            record_throughput(
                conn, workload="digits/fc_128/sgd", batch_size=size, np=1, gangs=1, host="here", steps=100,
                seconds=100 / speed, source="scale",
            )  # fmt: skip
    source = FakeSource(snapshot_of(db), db)
    async with pilot_of(source, place="compose") as pilot:
        seconds = sum(6 * 300 / speed for speed in (100, 50, 25, 20, 10, 5))
        assert seconds == 756
        await type_into(pilot, "np", "1")
        assert "12 min 36 s of training" in screen_text(pilot)
        await type_into(pilot, "gangs", "2")
        assert "6 min 18 s of training" in screen_text(pilot)
        await type_into(pilot, "np", "2")
        assert "no speed measured yet" in screen_text(pilot)


async def test_compose_and_launch_by_keys_alone(empty, launches, tmp_path):
    """From the first key to the Live screen: fields by arrows and Tab, a list by Enter, choices, the path, Enter."""
    async with pilot_of(empty, place="sweeps") as pilot:
        await pilot.press("2")
        await settle(pilot)
        await pilot.press("down", "down", "enter")  # the list of models
        await settle(pilot)
        assert isinstance(pilot.app.screen, ListDialog)
        await pilot.press(*"narrow")
        await pilot.press("enter")
        await settle(pilot)
        while screen_of(pilot).composer.form.current is not row(pilot, "algorithms"):
            await pilot.press("down")
        await pilot.press("right", "right", "space")
        while screen_of(pilot).composer.form.current is not row(pilot, "studies.batch_sizes"):
            await pilot.press("down")
        await pilot.press("1", "6", "comma", "6", "4", "enter", "2")
        while screen_of(pilot).composer.form.current is not row(pilot, "search.momentum"):
            await pilot.press("down")
        await pilot.press("left", "left", "left", "tab", "0", "full_stop", "9")
        while screen_of(pilot).composer.form.current is not row(pilot, "gangs"):
            await pilot.press("down")
        await pilot.press("2")
        while screen_of(pilot).composer.form.current is not row(pilot, "slots"):
            await pilot.press("down")
        await pilot.press("4", "ctrl+l")
        await settle(pilot)
        assert isinstance(pilot.app.screen, SaveDialog)
        await pilot.press("enter")
        await settle(pilot)
        assert launches == [[str(tmp_path / "digits.toml"), "--np", "auto", "--slots", "4"]]
        assert pilot.app.screen.PLACE == "live"
        tables = parsed((tmp_path / "digits.toml").read_text())
        assert tables["model"] == "simple_cnn_narrow"
        assert tables["algorithms"] == ["sgd", "nesterov_momentum"]
        assert tables["studies"]["batch_sizes"] == [16, 64]
        assert tables["studies"]["trials"] == 2
        assert tables["search"]["momentum"] == 0.9
        load_sweep(tmp_path / "digits.toml")


async def click_entry(pilot: Pilot[None], value: str) -> None:
    """Click one entry of the list that is open."""
    options = pilot.app.screen.query_one(OptionList)
    index = options.get_option_index(value)
    await pilot.click(options, offset=(4, index - int(options.scroll_y)))
    await settle(pilot)


async def test_compose_and_launch_by_mouse_alone(empty, launches, tmp_path):
    """Tab, list, tick, choice, range, buttons: no key is pressed."""
    async with pilot_of(empty, place="sweeps") as pilot:
        await pilot.click("Header", offset=(12, 0))
        await settle(pilot)
        await pilot.click(row(pilot, "model").query_one(".list"))
        await settle(pilot)
        await click_entry(pilot, "resnet_8")
        await pilot.click("#algorithms-momentum")
        screen_of(pilot).composer.form.scroll_end(animate=False)  # As the wheel does.
        await settle(pilot)
        await pilot.click("#training-stop")
        await settle(pilot)
        await click_entry(pilot, "goal")
        cycle = row(pilot, "search.momentum").parts[0]
        assert cycle.value == "reverse_log"
        await pilot.click(cycle)
        await settle(pilot)
        await click_entry(pilot, "linear")
        await pilot.click("#launch")
        await settle(pilot)
        await pilot.click(pilot.app.screen.query_one("#ok", Button))
        await settle(pilot)
        assert launches == [[str(tmp_path / "digits.toml"), "--np", "auto"]]
        assert pilot.app.screen.PLACE == "live"
        tables = parsed((tmp_path / "digits.toml").read_text())
        assert (tables["model"], tables["algorithms"]) == ("resnet_8", ["sgd", "momentum"])
        assert tables["training"] == {"stop": "goal"}
        assert tables["search"]["momentum"] == {"scale": "linear", "min": 0.8, "max": 0.999}
        load_sweep(tmp_path / "digits.toml")


async def test_what_is_typed_last_is_launched(empty, launches, tmp_path):
    """ctrl+l in the same burst as a digit launches with that digit."""
    async with pilot_of(empty, place="compose") as pilot:
        screen_of(pilot).set_focus(row(pilot, "studies.trials").first())
        await pilot.press("7", "ctrl+l")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert len(launches) == 1
        assert parsed((tmp_path / "digits.toml").read_text())["studies"]["trials"] == 7


async def test_a_mistake_is_not_launched(empty, launches):
    """The keyboard goes to it instead."""
    async with pilot_of(empty, place="compose") as pilot:
        await type_into(pilot, "studies.trials", "none")
        screen_of(pilot).set_focus(None)
        await pilot.press("ctrl+l")
        await settle(pilot)
        assert screen_of(pilot).composer.form.current is row(pilot, "studies.trials")
        assert launches == []


async def test_saved_as_it_stands_it_is_launched_at_once(empty, launches, tmp_path):
    """A text that is in its file needs no question."""
    async with pilot_of(empty, place="compose") as pilot:
        await pilot.press("ctrl+s")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert (tmp_path / "digits.toml").read_text() == TEMPLATE
        await pilot.press("ctrl+l")
        await settle(pilot)
        assert len(launches) == 1


async def test_a_file_changed_elsewhere_is_not_launched(empty, launches, tmp_path):
    """What would be trained is what is shown, or nothing."""
    async with pilot_of(empty, place="compose") as pilot:
        await pilot.press("ctrl+s")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        (tmp_path / "digits.toml").write_text("# mine now")
        await pilot.press("ctrl+l")
        await settle(pilot)
        assert launches == []
        assert "another program" in screen_text(pilot)
        assert (tmp_path / "digits.toml").read_text() == "# mine now"


async def test_a_launch_that_cannot_be_started(empty, monkeypatch, tmp_path):
    """The words come, the file is saved, and one stays where one is."""

    def spawn(*_: object) -> Launched:
        raise RunFailed("no process can be started")

    monkeypatch.setattr(launching, "spawn", spawn)
    async with pilot_of(empty, place="compose") as pilot:
        await pilot.press("ctrl+l")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert "no process can be started" in screen_text(pilot)
        assert pilot.app.screen is screen_of(pilot)
        assert (tmp_path / "digits.toml").exists()


@pytest.mark.parametrize("state", ["new", "grows", "goes on", "trained now"])
async def test_what_a_launch_would_begin(tmp_path, launches, state):
    """A new sweep, more trials of one of the database, the rest of one; one that is being trained is left alone."""
    db, file = tmp_path / "x.db", tmp_path / "mine.toml"
    trials = "trials = 5" if state == "grows" else "trials = 6"
    seed = "seed = 2" if state == "new" else "seed = 1"
    file.write_text(TEMPLATE.replace("trials = 6", trials).replace("seed = 1", seed))
    with closing(connect(db, create=True)) as conn:
        save_plan(conn, make_plan(load_sweep(file)))
    snapshot = snapshot_of(db)
    if state == "trained now":
        sweeps = tuple(dataclasses.replace(sweep, live=True, state="RUNNING") for sweep in snapshot.sweeps)
        snapshot = dataclasses.replace(snapshot, sweeps=sweeps)
    async with pilot_of(FakeSource(snapshot, db), place="compose") as pilot:
        words = {
            "new": "✓ a new sweep",
            "grows": "✓ extends sweep 1: 0 of 36 trials are trained",
            "goes on": "✓ resumes sweep 1: 0 of 36 trials are trained",
            "trained now": "● sweep 1, which is being trained now",
        }
        assert words[state] in screen_text(pilot)
        await pilot.press("ctrl+l")
        await settle(pilot)
        if state == "trained now":
            assert pilot.app.screen is screen_of(pilot)
            return
        await pilot.press("enter")
        await settle(pilot)
        assert len(launches) == 1
        assert pilot.app.selection.sweep == (None if state == "new" else 1)


async def test_another_file_is_not_overwritten_silently(empty, tmp_path):
    """Enter warns and goes to the button; only the button replaces, and esc leaves the file alone."""
    target = tmp_path / "digits.toml"
    target.write_text("theirs")
    async with pilot_of(empty, place="compose") as pilot:
        for last, content in (("escape", "theirs"), ("enter", TEMPLATE)):
            await pilot.press("ctrl+s")
            await settle(pilot)
            assert pilot.app.screen.query_one(Input).value.endswith("digits-2.toml")
            pilot.app.screen.query_one(Input).value = "digits.toml"
            await settle(pilot)
            assert "already exists with other content" in str(
                pilot.app.screen.query_one(".problem", Static).content
            )
            await pilot.press("enter")
            await settle(pilot)
            assert isinstance(pilot.app.screen, SaveDialog)
            assert target.read_text() == "theirs"
            await pilot.press(last)
            await settle(pilot)
            assert target.read_text() == content


async def test_paths_that_are_none(empty):
    """One sentence, and neither button nor Enter does anything."""
    async with pilot_of(empty, place="compose") as pilot:
        await pilot.press("ctrl+s")
        await settle(pilot)
        for typed, says in (
            ("", "Give the name of a file"),
            (".", "is a directory"),
            ("no/such/x.toml", "There is no directory"),
            ("~nobody-of-that-name/x", "Give the name of a file"),
        ):
            pilot.app.screen.query_one(Input).value = typed
            await settle(pilot)
            assert says in str(pilot.app.screen.query_one(".problem", Static).content)
            assert pilot.app.screen.query_one("#ok", Button).disabled
            await pilot.press("enter")
            assert isinstance(pilot.app.screen, SaveDialog)


async def test_a_text_with_mistakes_can_be_saved(empty, tmp_path):
    """It says that it cannot be launched; the ending .toml need not be typed."""
    async with pilot_of(empty, place="compose") as pilot:
        await type_into(pilot, "studies.trials", "none")
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert "1 mistake left: it can be saved but not launched." in screen_text(pilot)
        pilot.app.screen.query_one(Input).value = "half"
        await pilot.press("enter")
        await settle(pilot)
        assert 'trials = "none"' in (tmp_path / "half.toml").read_text()
        assert "half.toml" in screen_text(pilot)


async def test_a_file_that_was_launched_is_not_written_over(tmp_path, launches):
    """A new sweep of a launched file gets a file of its own: the dialog names the keys that differ, old and new, and what
    becomes of the trials that are finished or partly trained."""
    db, file = tmp_path / "x.db", tmp_path / "digits.toml"
    file.write_text(TEMPLATE)
    with closing(connect(db, create=True)) as conn:
        save_plan(conn, make_plan(load_sweep(file)))
        conn.execute("UPDATE trials SET status = 'COMPLETE' WHERE id <= 12")
        conn.execute("UPDATE trials SET steps = 7 WHERE id = 13")
        conn.commit()
    async with pilot_of(FakeSource(snapshot_of(db), db), place="compose") as pilot:
        for key, typed, says in (
            (
                "budget",
                "400",
                ("budget.steps: 300 -> 400", "12 finished trials", "1 partly trained one", "none of them"),
            ),
            ("studies.seed", "2", ("studies.seed: 1 -> 2", "12 finished trials")),
        ):
            screen_of(pilot).session.begin(file_at(file))
            await settle(pilot)
            await type_into(pilot, key, typed)
            await pilot.press("ctrl+l")
            await settle(pilot)
            assert pilot.app.screen.query_one(Input).value == str(tmp_path / "digits-2.toml")
            outlook = str(pilot.app.screen.query_one(".problem", Static).content)
            assert "A new sweep; 36 trials" in outlook
            assert all(words in outlook for words in says), outlook
            await pilot.press("escape")
            await settle(pilot)
        # More trials are the same sweep: they are written where it is.
        screen_of(pilot).session.begin(file_at(file))
        await settle(pilot)
        await type_into(pilot, "studies.trials", "7")
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert pilot.app.screen.query_one(Input).value == str(file)
        await pilot.press("escape")
        # A name that a launched file had is not proposed, whether that file is there still or not.
        file.unlink()
        screen_of(pilot).session.begin(Draft(TEMPLATE.replace("steps = 300", "steps = 500"), name="digits"))
        await settle(pilot)
        await pilot.press("ctrl+l")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert launches == [[str(tmp_path / "digits-2.toml"), "--np", "auto"]]
        assert not file.exists()


def test_trials_that_are_the_same_in_the_new_sweep_are_counted(tmp_path):
    """With another margin of `beaten`, or with another goal metric of a sweep that does not stop there, trials stay the same."""
    db, file = tmp_path / "x.db", tmp_path / "digits.toml"
    text = TEMPLATE.replace('stop = "beaten"', 'stop = "budget"')
    file.write_text(text)
    with closing(connect(db, create=True)) as conn:
        save_plan(conn, make_plan(load_sweep(file)))
        conn.execute("UPDATE trials SET status = 'COMPLETE' WHERE id <= 12")
        conn.commit()
    file.write_text(text.replace("[budget]", "[budget]\noverride = [{ batch_sizes = [256], steps = 400 }]"))
    plan = make_plan(load_sweep(file))
    with open_store(db) as reader:
        found = relatives(plan, file, "digits", reader)
    assert "12 of them are the same here and are not trained again" in found.words
