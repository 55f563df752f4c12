"""The form of Compose and its text change each other; mistakes, facts and meanings are shown next to their fields."""

from __future__ import annotations

from typing import Any

import pytest
from textual import events
from textual.widgets import Input, Static

from tests.tui.composing import OVERRIDES, claims, row, said, screen_of, settle, text_of, type_into
from tests.tui.conftest import pilot_of, screen_text
from tui.composing.draft import Draft
from tui.composing.start import TEMPLATE, preset
from tui.composing.toml_text import parsed

pytestmark = pytest.mark.usefixtures("at_once")

claim, test_in_one_app = claims()


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


@claim
async def a_field_goes_into_the_text(pilot):
    """What is typed is in the text at once, at its key, and the sweep still holds together."""
    for key, typed, path, value in FIELDS:
        screen_of(pilot).session.begin(Draft(TEMPLATE))
        await settle(pilot)
        await type_into(pilot, key, typed)
        found: Any = parsed(text_of(pilot))
        for part in path:
            found = found[part]
        assert found == value
        assert screen_of(pilot).session.outlook.summary, key


@claim
async def choices_go_into_the_text(pilot):
    """Ticks, choices and units by arrows and space; another unit takes the place of the first."""
    screen = screen_of(pilot)
    for key, keys in (
        ("algorithms", ["right", "space", "right", "space"]),
        ("goal.maximize", ["right"]),
        ("budget", ["right", "right"]),
        ("evaluation", ["right"]),
        ("evaluation.splits", ["right", "right", "space"]),
        ("evaluation.at_start", ["right"]),
        ("training.schedule", ["right"]),
        ("training.stop", ["left"]),
    ):
        screen.set_focus(
            row(pilot, key).parts[1] if key in ("budget", "evaluation") else row(pilot, key).first()
        )
        await pilot.press(*keys)
        await settle(pilot)
    tables = parsed(text_of(pilot))
    assert tables["algorithms"] == ["sgd", "momentum", "nesterov_momentum"]
    assert tables["goal"]["maximize"] is False
    assert tables["budget"] == {"epochs": 300}
    assert tables["evaluation"] == {"count": 10, "splits": ["val", "test"], "at_start": False}
    assert tables["training"] == {"schedule": "linear", "stop": "goal"}
    assert tables["search"]["momentum"] == {"scale": "reverse_log", "min": 0.8, "max": 0.999}
    assert screen.session.outlook.summary
    assert row(pilot, "search.learning_rate_decay_steps").display


@claim
async def an_algorithm_brings_the_momentum_it_needs(pilot):
    """Ticked in the form, it puts a momentum into a search that has none, and leaves one that is there as it is."""
    screen = screen_of(pilot)
    screen.set_focus(row(pilot, "algorithms").first())
    await pilot.press("right", "space")
    await settle(pilot)
    assert parsed(text_of(pilot))["search"]["momentum"] == {
        "scale": "reverse_log",
        "min": 0.8,
        "max": 0.999,
    }
    assert screen.session.outlook.summary
    await type_into(pilot, "search.momentum", "0.5")
    screen.set_focus(row(pilot, "algorithms").first())
    await pilot.press("right", "space")
    await settle(pilot)
    assert parsed(text_of(pilot))["search"]["momentum"] == {
        "scale": "reverse_log",
        "min": 0.5,
        "max": 0.999,
    }


@claim
async def every_way_of_a_metaparameter(pilot):
    """Through all ways and back: numbers that were typed come back with their way, and leaving it out removes the key."""
    screen, cycle = screen_of(pilot), row(pilot, "search.learning_rate").parts[0]
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


@claim
async def the_text_changes_the_form(pilot):
    """Typing in the editor: fields, ticks, choices and ranges follow as soon as it is TOML."""
    screen = screen_of(pilot)
    screen.set_focus(screen.composer.editor)
    text = TEMPLATE.replace('["sgd"]', '["momentum"]').replace("value = 0.1", "value = 2e-1  # so")
    text = text.replace(
        "[search]\n",
        "[search]\nmomentum = 0.9\nweight_decay = { scale = 'choice', values = [0.0, 1e-4] }\n",
    )
    screen.composer.editor.load_text(text.replace('stop = "beaten"', 'stop = "goal"'))
    await settle(pilot)
    assert row(pilot, "goal.value").query_one(Input).value == "2e-1"
    assert row(pilot, "algorithms").held == ("momentum",)
    assert row(pilot, "training.stop").parts[0].value == "goal"
    assert row(pilot, "search.momentum").parts[0].value == "fixed"
    assert row(pilot, "search.weight_decay").parts[0].value == "choice"
    assert row(pilot, "search.weight_decay").held[-1] == "0.0, 1e-4"
    assert screen.session.outlook.summary
    await pilot.press("ctrl+home", "x")
    await settle(pilot)
    assert "xdataset" in screen.composer.draft.text
    assert row(pilot, "dataset").query_one(Input).value == ""


@claim
async def what_the_form_does_not_know_stays(pilot):
    """Comments, overrides, points and unknown keys are as they were after edits all over the form."""
    screen = screen_of(pilot)
    screen.session.begin(Draft(OVERRIDES))
    await settle(pilot)
    await type_into(pilot, "studies.trials", "20")
    await type_into(pilot, "goal.value", "0.5")
    await type_into(pilot, "search.learning_rate", "5", place=1)
    await type_into(pilot, "description", "mine")
    before = [line for line in OVERRIDES.splitlines() if line]
    after = [line for line in text_of(pilot).splitlines() if line]
    gone = [line.partition(" ")[0] for line in before if line not in after]
    assert gone == ["value", "trials", "learning_rate"]
    tables, old = parsed(text_of(pilot)), parsed(OVERRIDES)
    assert tables["budget"] == old["budget"]
    assert tables["search"]["override"] == old["search"]["override"]


@claim
async def a_comment_behind_a_value_survives_typing(pilot):
    """Selecting a field's text and typing another removes the value for a moment, and nothing else."""
    screen = screen_of(pilot)
    screen.session.begin(Draft(TEMPLATE.replace("value = 0.1", "value = 0.1   # below this")))
    await settle(pilot)
    await type_into(pilot, "goal.value", "0.3")
    assert "value = 0.3   # below this" in text_of(pilot)


@claim
async def what_only_the_text_can_say(pilot):
    """A range that the form has no way for is shown as it is written, cannot be turned, and stays."""
    text = TEMPLATE.replace('scale = "log"', 'scale = "lag"')
    screen_of(pilot).session.begin(Draft(text))
    await settle(pilot)
    cycle = row(pilot, "search.learning_rate").parts[0]
    assert (cycle.value, cycle.disabled) == ("in the TOML", True)
    assert "lag" in screen_text(pilot)
    assert '"lag" is no scale' in said(pilot, "search.learning_rate")
    await type_into(pilot, "studies.trials", "9")
    assert 'scale = "lag"' in text_of(pilot)


@claim
async def a_text_that_is_no_toml(pilot):
    """Line and column are shown, the form waits, nothing is lost, and undoing in the editor brings everything
    back."""
    screen = screen_of(pilot)
    screen.set_focus(screen.composer.editor)
    screen.composer.editor.move_cursor((6, 8))
    await pilot.press("equals_sign")
    await settle(pilot)
    assert screen.composer.form.disabled
    assert "line 7, column 9" in str(screen.query_one("#syntax", Static).content)
    assert "line 7, column 9" in screen_text(pilot)
    screen.set_focus(None)
    await pilot.press("ctrl+n")
    await settle(pilot)
    assert screen.focused is screen.composer.editor
    assert screen.composer.editor.cursor_location == (6, 8)
    await pilot.press("ctrl+z")
    await settle(pilot)
    assert text_of(pilot) == TEMPLATE
    assert not screen.composer.form.disabled
    assert screen.session.outlook.summary


@claim
async def undo_in_the_editor_takes_back_what_the_form_did(pilot):
    """Edits of the form are edits of the text: its undo takes them back, and the form follows."""
    screen = screen_of(pilot)
    await type_into(pilot, "studies.seed", "5")
    screen.set_focus(screen.composer.editor)
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


@claim
async def no_text_whatsoever_breaks_the_form(pilot):
    """Every key of the file with a value of every wrong kind, one after the other: mistakes are shown, nothing fails."""
    from hvdsweep.sweep.models import KEYS
    from hvdsweep.sweep.write import toml_key, toml_value

    screen = screen_of(pilot)
    for shift in range(len(WRONG)):
        values = iter([*WRONG[shift:], *WRONG] * 9)
        texts = ["".join(f"{key} = {toml_value(next(values))}\n" for key in KEYS[""]), ""]
        for table in (table for table in KEYS if table and "." not in table):
            lines = [f"{toml_key(key)} = {toml_value(next(values))}\n" for key in KEYS[table]]
            texts[1] += f"[{table}]\n{''.join(lines)}"
        for text in texts:
            screen.composer.editor.load_text(text)
            await settle(pilot)
            assert screen.composer.draft.tables is not None
            assert screen.session.outlook.problems


@claim
async def options_come_and_go_with_the_model(pilot):
    """A model's own options are fields, with its defaults in the empty ones; other models have others."""
    await type_into(pilot, "model", "simple_cnn_narrow")
    keys = [one.key for one in screen_of(pilot).composer.form.rows if one.key.startswith("model_options")]
    assert keys == ["model_options.filters", "model_options.hidden", "model_options.dropout"]
    await type_into(pilot, "model_options.filters", "8, 16")
    assert parsed(text_of(pilot))["model_options"] == {"filters": [8, 16]}
    await type_into(pilot, "model_options.filters", "8")
    assert "is not a list of 2 whole numbers" in said(pilot, "model_options.filters")
    await type_into(pilot, "model_options.filters", "")
    assert "model_options" not in text_of(pilot)
    assert screen_of(pilot).session.outlook.summary
    screen_of(pilot).session.begin(preset("small/transformer"))
    await settle(pilot)
    assert row(pilot, "model_options.norm").parts[0].value in row(pilot, "model_options.norm").parts[0].words
    await type_into(pilot, "model", "fc_16")
    assert "no such option" in said(pilot, "model_options.layers") + said(pilot, "model")


@claim
async def facts_stand_beside_the_fields(pilot):
    """Sizes of data set and model, the batch sizes of a range, what is left out comes to."""
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


@claim
async def a_mistake_nowhere_in_the_form(pilot):
    """A key that does not exist is reported above the form."""
    screen_of(pilot).session.begin(Draft("colour = 1\n" + TEMPLATE))
    await settle(pilot)
    assert "colour: 1: no such key" in screen_text(pilot)


@claim
async def to_the_first_mistake(pilot):
    """ctrl+n brings the keyboard to the first field with a mistake; without one the key is not there."""
    assert "^n" not in screen_text(pilot).split("\n")[-1]
    await type_into(pilot, "training.micro_batch", "0")
    await type_into(pilot, "studies.seed", "-1")
    screen_of(pilot).set_focus(None)
    await pilot.press("ctrl+n")
    await settle(pilot)
    assert screen_of(pilot).composer.form.current is row(pilot, "studies.seed")
    assert "2 mistakes" in screen_text(pilot)


@claim
async def the_fastest_layout_is_the_default(pilot):
    """By default the ranks of every batch size are chosen, on all cores; fewer slots, and invalid numbers, are reported."""
    assert row(pilot, "np").query_one(Input).value == "auto"
    assert "2 slots" in screen_text(pilot)
    await type_into(pilot, "slots", "3")
    assert "3 slots" in screen_text(pilot)
    await type_into(pilot, "slots", "many")
    assert "many is not a whole number" in said(pilot, "slots")
    await type_into(pilot, "np", "all")
    assert "and not auto" in said(pilot, "np")


@claim
async def ranks_and_gangs_change_the_plan(pilot):
    """Shares of every batch and the advice follow; an invalid number is reported below the field."""
    await type_into(pilot, "np", "3")
    assert "2×3 2" in screen_text(pilot)
    assert "--gangs 3 --np 1" in screen_text(pilot)
    await type_into(pilot, "gangs", "two")
    assert "two is not a whole number" in said(pilot, "gangs")
    assert "✗ 1 mistake" in screen_text(pilot)


@claim
async def the_meaning_of_the_field_with_the_keyboard(pilot):
    """Below the form is the description of the sweep file's reference."""
    screen_of(pilot).set_focus(row(pilot, "training.micro_batch").first())
    await settle(pilot)
    assert "Examples per rank per pass" in screen_text(pilot)
    screen_of(pilot).set_focus(row(pilot, "gangs").first())
    await settle(pilot)
    assert "Trials trained at the same time" in screen_text(pilot)


@claim
async def a_burst_of_keys_reaches_the_fields_it_is_meant_for(pilot):
    """Keys that arrive at once, as over a slow connection: each goes where the ones before it led."""

    screen_of(pilot).set_focus(row(pilot, "studies.trials").first())
    await settle(pilot)
    for key, character in (("9", "9"), ("down", None), ("4", "4"), ("0", "0"), ("tab", "\t"), ("3", "3")):
        pilot.app.post_message(events.Key(key, character))
    await settle(pilot)
    studies = parsed(text_of(pilot))["studies"]
    assert (studies["trials"], studies["max_trials"], studies["repeats"]) == (9, 40, 3)


@claim
async def esc_leaves_a_field_and_tab_comes_back(pilot):
    """Outside of the fields the keys of the screens work: digits go to another screen."""
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


@claim
async def tab_goes_through_everything(pilot):
    """Forth through all fields, the plan, the editor and the buttons; back the same way."""
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


@claim
async def the_whole_screen_for_a_pane(pilot):
    """f from the plan gives it the whole screen, esc takes it back."""
    screen = screen_of(pilot)
    screen.set_focus(screen.query_one("#plan"))
    await pilot.press("f")
    await settle(pilot)
    assert "TOML" in screen_text(pilot).split("\n")[-1] or "dataset =" not in screen_text(pilot)
    assert "Workload" not in screen_text(pilot)
    await pilot.press("escape")
    await settle(pilot)
    assert "Workload" in screen_text(pilot)


@claim
async def a_list_takes_what_is_typed(pilot):
    """A value that the list does not have, and the field would accept, can be taken from the list."""
    screen_of(pilot).set_focus(row(pilot, "model").first())
    await pilot.press("enter")
    await settle(pilot)
    pilot.app.screen.query_one(Input).value = "fc_64"
    await settle(pilot)
    await pilot.press("enter")
    await settle(pilot)
    assert parsed(text_of(pilot))["model"] == "fc_64"
    assert screen_of(pilot).session.outlook.summary


@claim
async def what_was_typed_can_be_taken_back(pilot):
    """ctrl+z and ctrl+y in a field, letter by letter, and the text follows; another sweep is nothing to take back."""
    field = row(pilot, "studies.trials").first()
    screen_of(pilot).set_focus(field)
    await pilot.press("end", "ctrl+u", "1", "2")
    await pilot.press("ctrl+z", "ctrl+z", "ctrl+z")
    await settle(pilot)
    assert (field.value, parsed(text_of(pilot))["studies"]["trials"]) == ("6", 6)
    await pilot.press("ctrl+z", "ctrl+y", "ctrl+y", "ctrl+y", "ctrl+y")
    await settle(pilot)
    assert (field.value, parsed(text_of(pilot))["studies"]["trials"]) == ("12", 12)
    screen_of(pilot).set_focus(None)
    screen_of(pilot).session.begin(Draft(TEMPLATE))
    await settle(pilot)
    screen_of(pilot).set_focus(field)
    await pilot.press("ctrl+z")
    assert field.value == "6"


@claim
async def a_pasted_file_is_offered_to_be_loaded(pilot):
    """In any field; a refusal changes nothing, lines that are no TOML become one, and a mark of UTF-8 is no part of it. Most
    terminals send the ends of pasted lines as CR."""
    screen, field = screen_of(pilot), row(pilot, "goal.value").first()
    for key, text, ends in (("n", TEMPLATE, "\n"), ("y", OVERRIDES, "\r")):
        screen.set_focus(field)
        pilot.app.post_message(events.Paste("\ufeff" + OVERRIDES.replace("\n", ends)))
        await settle(pilot)
        assert "A whole TOML file was pasted" in screen_text(pilot)
        await pilot.press(key)
        await settle(pilot)
        assert text_of(pilot) == text
    screen.set_focus(row(pilot, "description").first())
    pilot.app.post_message(events.Paste("one\n  two three\n"))
    await settle(pilot)
    assert parsed(text_of(pilot))["description"] == "one two three"


@claim
async def rows_stay_where_they_are(pilot):
    """Mistakes come and go, and no row moves."""
    places = {one.key: one.virtual_region for one in screen_of(pilot).composer.form.rows}
    for key in (
        "dataset",
        "goal.value",
        "studies.batch_sizes",
        "studies.trials",
        "search.learning_rate",
        "np",
    ):
        await type_into(pilot, key, "no such")
    assert len(screen_of(pilot).session.outlook.problems) >= 5
    assert {
        one.key: one.virtual_region for one in screen_of(pilot).composer.form.rows if one.key in places
    } == places


@claim
async def a_text_that_is_no_toml_has_no_fields(pilot):
    """Begun with, it shows nothing of the sweep before; what is typed into the editor only makes the form wait."""
    for broken in ("= nothing", f"seed = {'9' * 4400}", f"a = {'[' * 2000}"):
        screen_of(pilot).session.begin(Draft(broken))
        await settle(pilot)
        fields = {one.key: field.value for one in screen_of(pilot).composer.form.rows for field in one.fields}
        assert {key: value for key, value in fields.items() if value} == {"np": "auto", "gangs": "1"}
        assert screen_of(pilot).composer.form.disabled
        assert screen_of(pilot).session.outlook.problems
        screen_of(pilot).session.begin(Draft(TEMPLATE))
        await settle(pilot)
    screen_of(pilot).set_focus(screen_of(pilot).composer.editor)
    await pilot.press("ctrl+home", "equals_sign")
    await settle(pilot)
    assert row(pilot, "model").fields[0].value == "fc_128"


@claim
async def numbers_for_single_batch_sizes(pilot):
    """A table typed into the field of the trials is one in the text."""
    await type_into(pilot, "studies.trials", "{ 64 = 9, default = 3 }")
    assert "trials = { 64 = 9, default = 3 }" in text_of(pilot)
    assert screen_of(pilot).session.outlook.summary


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
        screen.session.begin(Draft(OVERRIDES))
        await settle(pilot)
        assert "in the TOML: { batch_sizes = [2], steps = 2000 }" in screen_text(pilot)
        for owner in ("plan", "toml", "dataset"):
            await pilot.press("ctrl+t")
            await settle(pilot)
            assert screen.focused.id == owner
            if owner != "dataset":
                assert screen_text(pilot) == golden


async def test_nothing_and_mistakes(empty, golden):
    """From nothing, every field that is needed says so, with an example, and nothing of the earlier plan is left. A
    mistake is shown at its field in the words of the check, and the earlier plan is greyed."""
    async with pilot_of(empty, place="compose") as pilot:
        screen = screen_of(pilot)
        screen.session.begin(Draft(""))
        await settle(pilot)
        assert screen_text(pilot) == golden
        screen.session.begin(Draft(TEMPLATE))
        await settle(pilot)
        for key, text in (("goal.value", "5 %"), ("studies.batch_sizes", "8, 8"), ("model", "fc")):
            await type_into(pilot, key, text)
        assert screen_text(pilot) == golden


async def test_the_points_of_the_study_under_the_cursor(empty):
    """The preview is of the row with the cursor in the plan."""
    async with pilot_of(empty, place="compose", size=(120, 50)) as pilot:
        screen = screen_of(pilot)
        assert "sgd at 8: 6 trials" in screen_text(pilot)
        screen.set_focus(screen.query_one("#plan"))
        await pilot.press("down", "down")
        await settle(pilot)
        assert "sgd at 32: 6 trials" in screen_text(pilot)
