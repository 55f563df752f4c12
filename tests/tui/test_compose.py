"""The Compose screen: form and text change each other, mistakes stand beside their fields, and a sweep is launched by keys alone
and by mouse alone."""

from __future__ import annotations

import dataclasses
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input, OptionList, Static

from hvdsweep.errors import RunFailed
from hvdsweep.plan import make_plan
from hvdsweep.store import connect, save_plan
from hvdsweep.store.throughput import record_throughput
from hvdsweep.sweep import load_sweep
from tests.tui.conftest import FakeSource, pilot_of, screen_text
from tests.tui.stores import snapshot_of
from tui import launching
from tui.composing.start import TEMPLATE, Start, nothing, preset
from tui.composing.toml_text import parsed
from tui.launching import Launched
from tui.screens.compose import ComposeScreen
from tui.source import Trouble
from tui.widgets.form_controls import Cycle, Pick, Ticks
from tui.widgets.form_dialogs import ListDialog, SaveDialog
from tui.widgets.form_row import FormRow
from tui.widgets.table import Table

OVERRIDES = """\
# Fully connected nets: small batches want
# smaller learning rates.
dataset = "digits"
model = "fc_128"
algorithms = ["sgd", "nesterov_momentum"]

[goal]
metric = "val/classification_error"
value = 0.04   # reached strictly below

[budget]
steps = 400

[[budget.override]]
batch_sizes = [2]
steps = 2000

[[budget.override]]
batch_sizes = [4, 8]
steps = 1000

[studies]
batch_sizes = "2^1..2^6"
trials = 16

[search]
learning_rate = { scale = "log", min = 0.02, max = 2.0 }   # per example
momentum = { scale = "reverse_log", min = 0.5, max = 0.98 }

[[search.override]]
batch_sizes = [2, 4]
learning_rate = { scale = "log", min = 0.004, max = 0.4 }
"""

NO_STORE = Trouble("No database yet", "there is none", gone=True)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Texts are checked without a pause, and files go to a directory of the test's own."""
    monkeypatch.setattr(ComposeScreen, "REST", 0.0)
    monkeypatch.setattr("hvdsweep.launch.machine.cores", lambda: 2)
    monkeypatch.setattr("hvdsweep.launch.machine.gpus", lambda: ())
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The arguments of every launch, which is not made."""
    calls: list[list[str]] = []

    def spawn(db: Path, arguments: list[str], ended: Any = None) -> Launched:
        calls.append(list(arguments))
        return Launched(4711, db.with_name("launch.log"))

    monkeypatch.setattr(launching, "spawn_launch", spawn)
    return calls


@pytest.fixture
def empty() -> FakeSource:
    """No database yet."""
    return FakeSource(NO_STORE)


def screen_of(pilot: Pilot[None]) -> ComposeScreen:
    screen = pilot.app.screen_stack[1]
    assert isinstance(screen, ComposeScreen)
    return screen


def row(pilot: Pilot[None], key: str) -> FormRow:
    found = screen_of(pilot).form.row(key)
    assert found is not None
    return found


def said(pilot: Pilot[None], key: str) -> str:
    """What stands below a field."""
    parts = row(pilot, key).query(".said")
    return str(parts.first(Static).content) if parts and parts.first().display else ""


async def type_into(pilot: Pilot[None], key: str, text: str, place: int = 0) -> None:
    """Go to a field, and type in place of what is there."""
    field = list(row(pilot, key).query(Input))[place]
    screen_of(pilot).set_focus(field)
    field.value = text
    await settle(pilot)


async def settle(pilot: Pilot[None]) -> None:
    """Until all that was typed is in the text, checked and drawn."""
    await pilot.pause()
    for _ in range(2):
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()


def text_of(pilot: Pilot[None]) -> str:
    screen = screen_of(pilot)
    assert screen.draft.text == screen.editor.text
    return screen.draft.text


# What it shows


async def test_screen(empty, golden):
    """Form, plan and TOML side by side where there is room; else the form, and tabs for the others."""
    async with pilot_of(empty, place="compose", size=(200, 60)) as pilot:
        for size in ((200, 60), (120, 40), (80, 24), (40, 12)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
            assert screen_text(pilot) == golden


async def test_panes_behind_one_another(empty, golden):
    """At 80x24 ctrl+t goes through form, plan and TOML; each has the whole screen and the keyboard. What the form cannot show
    is named there, and said to be in the TOML."""
    async with pilot_of(empty, place="compose", size=(80, 24)) as pilot:
        screen = screen_of(pilot)
        screen.begin(Start(OVERRIDES))
        await settle(pilot)
        assert "(in the TOML)" in screen_text(pilot)
        for owner in ("plan", "toml", "dataset"):
            await pilot.press("ctrl+t")
            await settle(pilot)
            assert screen.focused.id == owner
            if owner != "dataset":
                assert screen_text(pilot) == golden


async def test_nothing_and_mistakes(empty, golden):
    """From nothing, every field that is needed says so, with an example, and none of the plan before is left. A mistake stands
    beside its field in the words of the check, with the plan before it greyed."""
    async with pilot_of(empty, place="compose") as pilot:
        screen = screen_of(pilot)
        screen.begin(nothing())
        await settle(pilot)
        assert screen_text(pilot) == golden
        screen.begin(Start(TEMPLATE))
        await settle(pilot)
        for key, text in (("goal.value", "5 %"), ("studies.batch_sizes", "8, 8"), ("model", "fc")):
            await type_into(pilot, key, text)
        assert screen_text(pilot) == golden


# Form and text


FIELDS = [
    ("dataset", "mnist", ("dataset",), "mnist"),
    ("model", "fc_32_16", ("model",), "fc_32_16"),
    ("model_options.dropout", "0.1", ("model_options", "dropout"), 0.1),
    ("goal.metric", "val/cross_entropy_error", ("goal", "metric"), "val/cross_entropy_error"),
    ("goal.value", "0.25", ("goal", "value"), 0.25),
    ("studies.batch_sizes", "8, 30", ("studies", "batch_sizes"), [8, 30]),
    ("studies.batch_sizes", "2^2..2^4", ("studies", "batch_sizes"), "2^2..2^4"),
    ("studies.trials", "12", ("studies", "trials"), 12),
    ("studies.max_trials", "40", ("studies", "max_trials"), 40),
    ("studies.seed", "7", ("studies", "seed"), 7),
    ("budget", "500", ("budget", "steps"), 500),
    ("evaluation", "25", ("evaluation", "every"), 25),
    ("search.learning_rate", "0.05", ("search", "learning_rate", "min"), 0.05),
    ("training.micro_batch", "64", ("training", "micro_batch"), 64),
    ("infeasible.loss_above", "100", ("infeasible", "loss_above"), 100),
    ("name", "my sweep", ("name",), "my sweep"),
    ("description", "of mine", ("description",), "of mine"),
]


async def test_a_field_goes_into_the_text(empty):
    """What is typed is in the text at once, at its key, and the sweep still holds together."""
    async with pilot_of(empty, place="compose") as pilot:
        for key, typed, path, value in FIELDS:
            screen_of(pilot).begin(Start(TEMPLATE))
            await settle(pilot)
            await type_into(pilot, key, typed)
            found: Any = parsed(text_of(pilot))
            for part in path:
                found = found[part]
            assert found == value
            assert screen_of(pilot).outlook.sound, key


async def test_choices_go_into_the_text(empty):
    """Ticks, choices and units by arrows and space; another unit takes the place of the first."""
    async with pilot_of(empty, place="compose") as pilot:
        screen = screen_of(pilot)
        for key, kind, keys in (
            ("algorithms", Ticks, ["right", "space", "right", "space"]),
            ("goal.maximize", Pick, ["right"]),
            ("budget", Pick, ["right", "right"]),
            ("evaluation", Pick, ["right"]),
            ("evaluation.splits", Ticks, ["right", "right", "space"]),
            ("evaluation.at_start", Pick, ["right"]),
            ("training.schedule", Pick, ["right"]),
            ("training.stop", Pick, ["left"]),
        ):
            screen.set_focus(row(pilot, key).query_one(kind))
            await pilot.press(*keys)
            await settle(pilot)
        tables = parsed(text_of(pilot))
        assert tables["algorithms"] == ["sgd", "momentum", "nesterov_momentum"]
        assert tables["goal"]["maximize"] is False
        assert tables["budget"] == {"epochs": 300}
        assert tables["evaluation"] == {"count": 10, "splits": ["val", "test"], "at_start": False}
        assert tables["training"] == {"schedule": "linear", "stop": "goal"}
        assert tables["search"]["momentum"] == {"scale": "reverse_log", "min": 0.8, "max": 0.999}
        assert screen.outlook.sound
        assert row(pilot, "search.learning_rate_decay_steps").display


async def test_an_algorithm_brings_the_momentum_it_needs(empty):
    """Ticked in the form, it puts a momentum into a search that has none, and leaves one that is there as it is."""
    async with pilot_of(empty, place="compose") as pilot:
        screen = screen_of(pilot)
        screen.set_focus(row(pilot, "algorithms").query_one(Ticks))
        await pilot.press("right", "space")
        await settle(pilot)
        assert parsed(text_of(pilot))["search"]["momentum"] == {
            "scale": "reverse_log",
            "min": 0.8,
            "max": 0.999,
        }
        assert screen.outlook.sound
        await type_into(pilot, "search.momentum", "0.5")
        screen.set_focus(row(pilot, "algorithms").query_one(Ticks))
        await pilot.press("right", "space")
        await settle(pilot)
        assert parsed(text_of(pilot))["search"]["momentum"] == {
            "scale": "reverse_log",
            "min": 0.5,
            "max": 0.999,
        }


async def test_every_way_of_a_metaparameter(empty):
    """Through all ways and back: numbers that were typed come back with their way, and leaving it out removes the key."""
    async with pilot_of(empty, place="compose") as pilot:
        screen, cycle = screen_of(pilot), row(pilot, "search.learning_rate").query_one(Cycle)
        await type_into(pilot, "search.learning_rate", "0.02", place=1)
        screen.set_focus(cycle)
        seen = []
        for _ in range(len(cycle.words)):
            await pilot.press("right")
            await settle(pilot)
            seen.append(parsed(text_of(pilot))["search"].get("learning_rate"))
        assert seen == [
            {"scale": "linear", "min": 0.01, "max": 0.02},
            {"scale": "reverse_log", "min": 0.01, "max": 0.02},
            {"scale": "integer", "min": 0.01, "max": 0.02},
            {"scale": "integer", "min": 0.01, "max": 0.02, "log": True},
            {"scale": "choice", "values": [0.01, 0.02]},
            None,
            0.01,
            {"scale": "log", "min": 0.01, "max": 0.02},
        ]


async def test_the_text_changes_the_form(empty):
    """Typing in the editor: fields, ticks, choices and ranges follow as soon as it is TOML."""
    async with pilot_of(empty, place="compose") as pilot:
        screen = screen_of(pilot)
        screen.set_focus(screen.editor)
        text = TEMPLATE.replace('["sgd"]', '["momentum"]').replace("value = 0.1", "value = 2e-1  # so")
        text = text.replace(
            "[search]\n",
            "[search]\nmomentum = 0.9\nweight_decay = { scale = 'choice', values = [0.0, 1e-4] }\n",
        )
        screen.editor.load_text(text.replace('stop = "beaten"', 'stop = "goal"'))
        await settle(pilot)
        assert row(pilot, "goal.value").query_one(Input).value == "2e-1"
        assert row(pilot, "algorithms").query_one(Ticks).value == ("momentum",)
        assert row(pilot, "training.stop").query_one(Pick).value == "goal"
        assert row(pilot, "search.momentum").query_one(Cycle).value == "fixed"
        assert row(pilot, "search.weight_decay").query_one(Cycle).value == "choice"
        assert row(pilot, "search.weight_decay").query(Input).first().value == "0.0, 1e-4"
        assert screen.outlook.sound
        await pilot.press("ctrl+home", "x")
        await settle(pilot)
        assert "xdataset" in screen.draft.text
        assert row(pilot, "dataset").query_one(Input).value == ""


async def test_what_the_form_does_not_know_stays(empty):
    """Comments, overrides, points and unknown keys are as they were after edits all over the form."""
    async with pilot_of(empty, place="compose") as pilot:
        screen = screen_of(pilot)
        begun = Start(OVERRIDES)
        screen.begin(begun)
        await settle(pilot)
        await type_into(pilot, "studies.trials", "20")
        await type_into(pilot, "goal.value", "0.5")
        await type_into(pilot, "search.learning_rate", "5", place=1)
        await type_into(pilot, "description", "mine")
        before = [line for line in begun.text.splitlines() if line]
        after = [line for line in text_of(pilot).splitlines() if line]
        gone = [line.partition(" ")[0] for line in before if line not in after]
        assert gone == ["value", "trials", "learning_rate"]
        tables, old = parsed(text_of(pilot)), parsed(begun.text)
        assert tables["budget"] == old["budget"]
        assert tables["search"]["override"] == old["search"]["override"]


async def test_a_comment_behind_a_value_survives_typing(empty):
    """Selecting a field's text and typing another removes the value for a moment, and nothing else."""
    async with pilot_of(empty, place="compose") as pilot:
        screen = screen_of(pilot)
        screen.begin(Start(TEMPLATE.replace("value = 0.1", "value = 0.1   # below this")))
        await settle(pilot)
        await type_into(pilot, "goal.value", "0.3")
        assert "value = 0.3   # below this" in text_of(pilot)


async def test_what_only_the_text_can_say(empty):
    """A range that the form has no way for is shown as it is written, cannot be turned, and stays."""
    text = TEMPLATE.replace('scale = "log"', 'scale = "lag"')
    async with pilot_of(empty, place="compose") as pilot:
        screen_of(pilot).begin(Start(text))
        await settle(pilot)
        cycle = row(pilot, "search.learning_rate").query_one(Cycle)
        assert (cycle.value, cycle.disabled) == ("in the TOML", True)
        assert "lag" in screen_text(pilot)
        assert '"lag" is no scale' in said(pilot, "search.learning_rate")
        await type_into(pilot, "studies.trials", "9")
        assert 'scale = "lag"' in text_of(pilot)


async def test_a_text_that_is_no_toml(empty):
    """Line and column are said, the form waits, nothing is lost, and undoing in the editor brings all back."""
    async with pilot_of(empty, place="compose") as pilot:
        screen = screen_of(pilot)
        screen.set_focus(screen.editor)
        screen.editor.move_cursor((6, 8))
        await pilot.press("equals_sign")
        await settle(pilot)
        assert screen.form.disabled
        assert "line 7, column 9" in str(screen.query_one("#syntax", Static).content)
        assert "line 7, column 9" in screen_text(pilot)
        screen.set_focus(None)
        await pilot.press("ctrl+n")
        await settle(pilot)
        assert screen.focused is screen.editor
        assert screen.editor.cursor_location == (6, 8)
        await pilot.press("ctrl+z")
        await settle(pilot)
        assert text_of(pilot) == TEMPLATE
        assert not screen.form.disabled
        assert screen.outlook.sound


async def test_undo_in_the_editor_takes_back_what_the_form_did(empty):
    """Edits of the form are edits of the text: its undo takes them back, and the form follows."""
    async with pilot_of(empty, place="compose") as pilot:
        screen = screen_of(pilot)
        await type_into(pilot, "studies.seed", "5")
        screen.set_focus(screen.editor)
        for _ in range(4):
            await pilot.press("ctrl+z")
        await settle(pilot)
        assert text_of(pilot) == TEMPLATE
        assert row(pilot, "studies.seed").query_one(Input).value == "1"


WRONG = [
    "",
    "x",
    0,
    -1,
    1.5,
    True,
    [],
    [1, "a"],
    {},
    {"a b": 1, "c.d": {"e": [2]}},
    {"scale": 3},
    {"scale": "log", "min": []},
]


async def test_no_text_whatsoever_breaks_the_form(empty):
    """Every key of the file with a value of every wrong kind, one after the other: mistakes are said, nothing falls over."""
    from hvdsweep.sweep.models import KEYS
    from hvdsweep.sweep.write import toml_key, toml_value

    async with pilot_of(empty, place="compose") as pilot:
        screen = screen_of(pilot)
        for shift in range(len(WRONG)):
            values = iter([*WRONG[shift:], *WRONG] * 9)
            texts = ["".join(f"{key} = {toml_value(next(values))}\n" for key in KEYS[""]), ""]
            for table in (table for table in KEYS if table and "." not in table):
                lines = [f"{toml_key(key)} = {toml_value(next(values))}\n" for key in KEYS[table]]
                texts[1] += f"[{table}]\n{''.join(lines)}"
            for text in texts:
                screen.editor.load_text(text)
                await settle(pilot)
                assert screen.draft.tables is not None
                assert screen.outlook.problems


async def test_options_come_and_go_with_the_model(empty):
    """A model's own options are fields, with its defaults in the empty ones; other models have others."""
    async with pilot_of(empty, place="compose") as pilot:
        await type_into(pilot, "model", "simple_cnn_narrow")
        keys = [one.key for one in screen_of(pilot).form.rows if one.key.startswith("model_options")]
        assert keys == ["model_options.filters", "model_options.hidden", "model_options.dropout"]
        await type_into(pilot, "model_options.filters", "8, 16")
        assert parsed(text_of(pilot))["model_options"] == {"filters": [8, 16]}
        await type_into(pilot, "model_options.filters", "8")
        assert "is not a list of 2 whole numbers" in said(pilot, "model_options.filters")
        await type_into(pilot, "model_options.filters", "")
        assert "model_options" not in text_of(pilot)
        assert screen_of(pilot).outlook.sound
        screen_of(pilot).begin(preset("small/transformer"))
        await settle(pilot)
        assert isinstance(row(pilot, "model_options.norm").query_one(Pick), Pick)
        await type_into(pilot, "model", "fc_16")
        assert "no such option" in said(pilot, "model_options.layers") + said(pilot, "model")


# Checking


async def test_facts_stand_beside_the_fields(empty):
    """Sizes of data set and model, the batch sizes of a range, what is left out comes to."""
    async with pilot_of(empty, place="compose") as pilot:
        text = screen_text(pilot)
        for words in (
            "1,297 examples of 8×8×1, 10 classes",
            "9,610 weights",
            "6 from 8 to 256",
            "reached strictly below",
        ):
            assert words in text
        await type_into(pilot, "studies.trials", "5")
        assert row(pilot, "studies.max_trials").query_one(Input).placeholder == "20"


async def test_a_mistake_nowhere_in_the_form(empty):
    """A key that does not exist is said above the form."""
    async with pilot_of(empty, place="compose") as pilot:
        screen_of(pilot).begin(Start("colour = 1\n" + TEMPLATE))
        await settle(pilot)
        assert "colour: 1: no such key" in screen_text(pilot)


async def test_to_the_first_mistake(empty):
    """ctrl+n brings the keyboard to the first field with a mistake; without one the key is not there."""
    async with pilot_of(empty, place="compose") as pilot:
        assert "^n" not in screen_text(pilot).split("\n")[-1]
        await type_into(pilot, "training.micro_batch", "0")
        await type_into(pilot, "studies.seed", "-1")
        screen_of(pilot).set_focus(None)
        await pilot.press("ctrl+n")
        await settle(pilot)
        assert screen_of(pilot).form.current is row(pilot, "studies.seed")
        assert "2 mistakes" in screen_text(pilot)


async def test_the_fastest_layout_is_the_default(empty):
    """Ranks of every batch size are found by itself, on all cores; fewer slots, and what is no number, are said."""
    async with pilot_of(empty, place="compose") as pilot:
        assert row(pilot, "np").query_one(Input).value == "auto"
        assert "2 slots" in screen_text(pilot)
        await type_into(pilot, "slots", "3")
        assert "3 slots" in screen_text(pilot)
        await type_into(pilot, "slots", "many")
        assert "many is not a whole number" in said(pilot, "slots")
        await type_into(pilot, "np", "all")
        assert "and not auto" in said(pilot, "np")


async def test_ranks_and_gangs_change_the_plan(empty):
    """Shares of every batch and the advice follow; what is no number is said below the field."""
    async with pilot_of(empty, place="compose") as pilot:
        await type_into(pilot, "np", "3")
        assert "2×3 2" in screen_text(pilot)
        assert "--gangs 3 --np 1" in screen_text(pilot)
        await type_into(pilot, "gangs", "two")
        assert "two is not a whole number" in said(pilot, "gangs")
        assert "✗ Ranks per trial and trials side by side are whole numbers" in screen_text(pilot)


async def test_the_points_of_the_study_under_the_cursor(empty):
    """The preview is of the row with the cursor in the plan."""
    async with pilot_of(empty, place="compose", size=(120, 50)) as pilot:
        screen = screen_of(pilot)
        assert "sgd at 8: 6 trials" in screen_text(pilot)
        screen.set_focus(screen.query_one("#plan", Table))
        await pilot.press("down", "down")
        await settle(pilot)
        assert "sgd at 32: 6 trials" in screen_text(pilot)


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


# Launching


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
        while screen_of(pilot).form.current is not row(pilot, "algorithms"):
            await pilot.press("down")
        await pilot.press("right", "right", "space")
        while screen_of(pilot).form.current is not row(pilot, "studies.batch_sizes"):
            await pilot.press("down")
        await pilot.press("1", "6", "comma", "6", "4", "enter", "2")
        while screen_of(pilot).form.current is not row(pilot, "search.momentum"):
            await pilot.press("down")
        await pilot.press("left", "left", "left", "tab", "0", "full_stop", "9")
        while screen_of(pilot).form.current is not row(pilot, "gangs"):
            await pilot.press("down")
        await pilot.press("2")
        while screen_of(pilot).form.current is not row(pilot, "slots"):
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


async def test_a_list_takes_what_is_typed(empty):
    """A value that the list does not have, and the field would accept, can be taken from the list."""
    async with pilot_of(empty, place="compose") as pilot:
        screen_of(pilot).set_focus(row(pilot, "model").first())
        await pilot.press("enter")
        await settle(pilot)
        pilot.app.screen.query_one(Input).value = "fc_64"
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert parsed(text_of(pilot))["model"] == "fc_64"
        assert screen_of(pilot).outlook.sound


async def click_word(pilot: Pilot[None], key: str, word: str, kind: type = Ticks) -> None:
    """Click one word of a choice."""
    control = row(pilot, key).query_one(kind)
    x = 0
    for index, text in enumerate(control.words):
        if text == word:
            break
        x += len(control.signed(index)) + 2
    await pilot.click(control, offset=(x, 0))
    await settle(pilot)


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
        await click_word(pilot, "algorithms", "momentum")
        await click_word(pilot, "training.stop", "goal", Pick)
        cycle = row(pilot, "search.momentum").query_one(Cycle)
        assert cycle.value == "reverse_log"
        await pilot.click(cycle, offset=(0, 0))
        await settle(pilot)
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
        assert screen_of(pilot).form.current is row(pilot, "studies.trials")
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
        assert "changed elsewhere" in screen_text(pilot)
        assert (tmp_path / "digits.toml").read_text() == "# mine now"


async def test_a_launch_that_cannot_be_started(empty, monkeypatch, tmp_path):
    """The words come, the file is saved, and one stays where one is."""

    def spawn(*_: object) -> Launched:
        raise RunFailed("no process can be started")

    monkeypatch.setattr(launching, "spawn_launch", spawn)
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
            "goes on": "✓ goes on with sweep 1: 0 of 36 trials are trained",
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


# Saving


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
            assert "holds something else" in str(pilot.app.screen.query_one(".outlook", Static).content)
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
            assert says in str(pilot.app.screen.query_one(".outlook", Static).content)
            assert pilot.app.screen.query_one("#ok", Button).disabled
            await pilot.press("enter")
            assert isinstance(pilot.app.screen, SaveDialog)


async def test_a_text_with_mistakes_can_be_saved(empty, tmp_path):
    """It says that it cannot be launched; the ending .toml need not be typed."""
    async with pilot_of(empty, place="compose") as pilot:
        await type_into(pilot, "studies.trials", "none")
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert "Still with 1 mistake" in screen_text(pilot)
        pilot.app.screen.query_one(Input).value = "half"
        await pilot.press("enter")
        await settle(pilot)
        assert 'trials = "none"' in (tmp_path / "half.toml").read_text()
        assert "half.toml" in screen_text(pilot)


# Drafts


async def test_nothing_typed_is_lost(empty, tmp_path):
    """Left without saving, a draft is offered when one comes back, by word above the form and in the list, and is whole."""
    memory = tmp_path / "state" / "tui.json"
    async with pilot_of(empty, place="compose", memory_file=memory) as pilot:
        await type_into(pilot, "studies.trials", "11")
        await type_into(pilot, "np", "3")
        text = text_of(pilot)
    async with pilot_of(empty, place="compose", memory_file=memory) as pilot:
        assert "1 unsaved draft from before" in screen_text(pilot)
        assert text_of(pilot) == TEMPLATE
        await pilot.click("#kept")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert text_of(pilot) == text
        assert screen_of(pilot).draft.np == "3"
        assert row(pilot, "np").query_one(Input).value == "3"
        assert "unsaved draft" not in screen_text(pilot)
        await pilot.press("ctrl+s")
        await settle(pilot)
        await pilot.press("enter")
        await settle(pilot)
    assert list((tmp_path / "state" / "drafts").iterdir()) == []


async def test_a_draft_is_kept_while_it_is_typed(empty, tmp_path):
    """Already before one leaves: an interface that is killed has lost nothing; and gone once undone."""
    memory = tmp_path / "state" / "tui.json"
    async with pilot_of(empty, place="compose", memory_file=memory) as pilot:
        await type_into(pilot, "studies.trials", "11")
        (kept,) = (tmp_path / "state" / "drafts").glob("*.json")
        assert "trials = 11" in json.loads(kept.read_text())["text"]
        await type_into(pilot, "studies.trials", "6")
        assert list((tmp_path / "state" / "drafts").glob("*.json")) == []


async def test_starting_from_something_else_keeps_the_draft(empty, tmp_path):
    """What was composed before is in the list."""
    memory = tmp_path / "state" / "tui.json"
    async with pilot_of(empty, place="compose", memory_file=memory) as pilot:
        await type_into(pilot, "studies.trials", "11")
        await start_from(pilot, "nothing")
        assert text_of(pilot) == ""
        await pilot.press("ctrl+o")
        await settle(pilot)
        assert "Drafts that were not saved" in screen_text(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert "trials = 11" in text_of(pilot)


# Starting from


async def start_from(pilot: Pilot[None], words: str) -> None:
    """Choose from the list what these words narrow it to."""
    await pilot.press("ctrl+o")
    await settle(pilot)
    assert isinstance(pilot.app.screen, ListDialog)
    pilot.app.screen.query_one(Input).value = words
    await settle(pilot)
    await pilot.press("enter")
    await settle(pilot)


async def test_starting_from_a_preset(empty):
    """Its text with its comments; the sweep is named after it."""
    async with pilot_of(empty, place="compose") as pilot:
        await start_from(pilot, "mnist fc_1024/sgd")
        assert text_of(pilot) == preset("mnist/fc_1024/sgd").text
        assert "mnist/fc_1024/sgd" in screen_text(pilot)
        assert "no file yet" in screen_text(pilot)


async def test_starting_from_a_file(empty, tmp_path):
    """By its path; it is saved there again without a question."""
    path = tmp_path / "deep" / "mine.toml"
    path.parent.mkdir()
    path.write_text(TEMPLATE)
    async with pilot_of(empty, place="compose") as pilot:
        await start_from(pilot, "deep/mine.toml")
        assert "mine.toml" in screen_text(pilot)
        await type_into(pilot, "studies.trials", "4")
        assert "not saved" in screen_text(pilot)
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert "is written anew" in screen_text(pilot)
        await pilot.press("enter")
        await settle(pilot)
        assert parsed(path.read_text())["studies"]["trials"] == 4


async def test_starting_from_a_sweep_of_the_database(source):
    """The small store's "short" sweep was never in a file: its text is what the store keeps, and says so."""
    async with pilot_of(source, place="compose") as pilot:
        await start_from(pilot, "short")
        assert parsed(text_of(pilot))["model"] == "fc_16"
        assert "From what the database keeps of sweep 2" in screen_text(pilot)
        assert "goes on with sweep 2" in screen_text(pilot)


async def test_a_file_that_is_in_the_list_already(empty, tmp_path):
    """Its whole name typed is that entry, not a second one."""
    (tmp_path / "mine.toml").write_text(TEMPLATE)
    async with pilot_of(empty, place="compose") as pilot:
        await start_from(pilot, "mine.toml")
        assert screen_of(pilot).draft.file == tmp_path / "mine.toml"


async def test_leaving_the_list_changes_nothing(empty):
    """esc."""
    async with pilot_of(empty, place="compose") as pilot:
        await pilot.press("ctrl+o")
        await settle(pilot)
        await pilot.press("down", "down", "escape")
        await settle(pilot)
        assert text_of(pilot) == TEMPLATE


async def test_the_list_of_starts(empty, golden):
    """Headings, what can be begun with, and a line that narrows it."""
    async with pilot_of(empty, place="compose") as pilot:
        await pilot.press("ctrl+o")
        await settle(pilot)
        pilot.app.screen.query_one(Input).value = "lm1b"
        for size in ((120, 40), (80, 24), (40, 10)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
            assert screen_text(pilot) == golden


# Keys


async def test_esc_leaves_a_field_and_tab_comes_back(empty):
    """Outside of the fields the keys of the screens work: digits go to another screen."""
    async with pilot_of(empty, place="compose") as pilot:
        screen = screen_of(pilot)
        field = row(pilot, "studies.trials").first()
        screen.set_focus(field)
        await pilot.press("escape")
        assert screen.focused is None
        await pilot.press("tab")
        assert screen.focused is field
        await pilot.press("escape", "1")
        await settle(pilot)
        assert pilot.app.screen.PLACE == "sweeps"
        await pilot.press("2")
        await settle(pilot)
        assert pilot.app.screen is screen


async def test_tab_goes_through_everything(empty):
    """Forth through all fields, the plan, the editor and the buttons; back the same way."""
    async with pilot_of(empty, place="compose") as pilot:
        screen = screen_of(pilot)
        screen.set_focus(row(pilot, "dataset").first())
        there, seen = screen.focused, []
        while True:
            seen.append(screen.focused.id)
            await pilot.press("tab")
            if screen.focused is there:
                break
        assert seen[-6:] == ["plan", "points", "toml", "start", "save", "launch"]
        assert len(seen) == len(set(seen))
        await pilot.press("shift+tab")
        assert screen.focused.id == "launch"


async def test_the_whole_screen_for_a_pane(empty):
    """f from the plan gives it the whole screen, esc takes it back."""
    async with pilot_of(empty, place="compose") as pilot:
        screen = screen_of(pilot)
        screen.set_focus(screen.query_one("#plan", Table))
        await pilot.press("f")
        await settle(pilot)
        assert "TOML" in screen_text(pilot).split("\n")[-1] or "dataset =" not in screen_text(pilot)
        assert "Workload" not in screen_text(pilot)
        await pilot.press("escape")
        await settle(pilot)
        assert "Workload" in screen_text(pilot)


async def test_the_meaning_of_the_field_with_the_keyboard(empty):
    """Below the form stands what the reference of the sweep file says of it."""
    async with pilot_of(empty, place="compose") as pilot:
        screen_of(pilot).set_focus(row(pilot, "training.micro_batch").first())
        await settle(pilot)
        assert "Examples per rank per pass" in screen_text(pilot)
        screen_of(pilot).set_focus(row(pilot, "gangs").first())
        await settle(pilot)
        assert "Trials trained at the same time" in screen_text(pilot)


async def test_a_burst_of_keys_reaches_the_fields_it_is_meant_for(empty):
    """Keys that arrive at once, as over a slow connection: each goes where the ones before it led."""
    async with pilot_of(empty, place="compose") as pilot:
        from textual import events

        screen_of(pilot).set_focus(row(pilot, "studies.trials").first())
        await settle(pilot)
        for key, character in (("9", "9"), ("down", None), ("4", "4"), ("0", "0"), ("tab", "\t"), ("3", "3")):
            pilot.app.post_message(events.Key(key, character))
        await settle(pilot)
        studies = parsed(text_of(pilot))["studies"]
        assert (studies["trials"], studies["max_trials"], studies["seed"]) == (9, 40, 3)
