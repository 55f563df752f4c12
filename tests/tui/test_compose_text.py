"""The text of a sweep edited in place: it says what was asked for, and nothing else of it changes."""

from __future__ import annotations

import copy
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui.composing.colours import coloured, key_lines
from tui.composing.draft import Draft
from tui.composing.toml_text import REMOVED, CannotEdit, Change, edited, parsed, value_at

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "examples").rglob("*.toml"), *(ROOT / "workloads/presets").rglob("*.toml")])

TEXT = """\
# A sweep.

dataset = "digits"   # 1,797 images
model = 'fc_128'
algorithm = "sgd"

[goal]               # to be reached
metric = "val/classification_error"
value = 1e-1         # strictly below

[budget]
steps = 2_000        # updates

[[budget.override]]
batch_sizes = [4, 8]
steps = 4000

[studies]
batch_sizes = [
    16,  # small
    64,
]
trials = 24

# Ranges.
[search]
learning_rate = { scale = "log", min = 1e-3, max = 10.0 }
momentum.scale = "reverse_log"
momentum.min = 0.8
momentum.max = 0.999

[search.weight_decay]
scale = "log"
min = 1e-6
max = 1e-3           # large
"""


def change(text: str, path: str, value: Any, *instead: str) -> str:
    """`text` after one change."""
    old = tuple(tuple(p.split(".")) for p in instead)
    return edited(text, [Change(tuple(path.split(".")), value, old)])


def comments(text: str) -> list[str]:
    return [
        line[start:end]
        for line in text.splitlines()
        for start, end, kind in coloured(line)
        if kind == "comment"
    ]


@pytest.mark.parametrize(
    ("path", "value", "before", "after"),
    [
        ("goal.value", 0.2, "value = 1e-1         # strictly below", "value = 0.2         # strictly below"),
        ("dataset", "mnist", 'dataset = "digits"   # 1,797', 'dataset = "mnist"   # 1,797'),
        ("search.learning_rate.max", 3, "min = 1e-3, max = 10.0 }", "min = 1e-3, max = 3 }"),
        ("search.momentum.min", 0.5, "momentum.min = 0.8", "momentum.min = 0.5"),
        ("search.weight_decay.max", 1, "max = 1e-3           # large", "max = 1           # large"),
        ("studies.trials", REMOVED, "trials = 24\n", ""),
        ("studies.seed", 7, "trials = 24\n", "trials = 24\nseed = 7\n"),
        ("model_options.dropout", 0.1, "model = 'fc_128'\n", "model = 'fc_128'\n"),
    ],
)
def test_one_change_touches_one_place(path, value, before, after):
    """Only the characters of the value change: other keys, their layout and their comments stay."""
    assert TEXT.count(before) == 1
    new = change(TEXT, path, value)
    if path != "model_options.dropout":
        assert new == TEXT.replace(before, after)
    assert value_at(tomllib.loads(new), tuple(path.split("."))) == (None if value is REMOVED else value)
    assert comments(new) == comments(TEXT)


def test_another_unit_takes_the_place_of_the_old_one():
    """`steps` becomes `examples` where it stood, with its comment; a third unit goes."""
    new = change(TEXT, "budget.examples", 5000, "budget.steps", "budget.epochs")
    assert new == TEXT.replace("steps = 2_000        #", "examples = 5000        #")
    both = change(TEXT, "budget.epochs", 3)
    assert (
        "steps" not in parsed(change(both, "budget.examples", 1, "budget.steps", "budget.epochs"))["budget"]
    )


def test_a_whole_range_replaces_its_parts():
    """A fixed value replaces dotted keys, or a separate table."""
    new = change(TEXT, "search.momentum", 0.9)
    assert parsed(new)["search"]["momentum"] == 0.9
    assert "momentum." not in new
    new = change(TEXT, "search.weight_decay", REMOVED)
    assert "weight_decay" not in new
    assert "learning_rate = { scale" in new


def test_new_keys_and_tables_come_where_one_would_write_them():
    """A file typed from scratch in any order is in the order of the reference."""
    draft = Draft("")
    for path, value in (
        ("search.momentum", 0.9),
        ("studies.trials", 3),
        ("goal.value", 0.1),
        ("model", "fc_16"),
        ("search.learning_rate", {"scale": "log", "min": 0.1, "max": 1}),
        ("studies.batch_sizes", [8]),
        ("dataset", "digits"),
        ("budget.steps", 10),
        ("goal.metric", "val/classification_error"),
        ("algorithms", ["sgd"]),
    ):
        assert draft.edit([Change(tuple(path.split(".")), value)])
    assert draft.text == (
        'dataset = "digits"\nmodel = "fc_16"\nalgorithms = ["sgd"]\n\n'
        '[goal]\nmetric = "val/classification_error"\nvalue = 0.1\n\n[budget]\nsteps = 10\n\n'
        "[studies]\nbatch_sizes = [8]\ntrials = 3\n\n"
        '[search]\nlearning_rate = { scale = "log", min = 0.1, max = 1 }\nmomentum = 0.9\n'
    )


def test_a_comment_above_a_table_stays_above_it():
    """A table that comes before another comes before that one's comment too, and the first key after the opening comment."""
    new = change(TEXT, "evaluation.every", 5)
    assert "[evaluation]\nevery = 5\n\n[studies]" in new
    new = change(change(TEXT, "studies.trials", REMOVED), "training.stop", "goal")
    assert new.index("# Ranges.\n[search]") < new.index("[training]")
    assert change("# A note.\n\n# The goal.\n[goal]\n", "dataset", "digits") == (
        '# A note.\n\ndataset = "digits"\n\n# The goal.\n[goal]\n'
    )


def test_windows_lines_and_a_missing_last_newline():
    """Lines end as they did."""
    assert change("a = 1\r\nb = 2", "a", 3) == "a = 3\r\nb = 2"
    assert change("a = 1\r\nb = 2", "c", 3) == "a = 1\r\nb = 2\r\nc = 3\r\n"


def test_what_cannot_be_changed_is_refused():
    """A key inside a value that is no table."""
    with pytest.raises(CannotEdit):
        change(TEXT, "dataset.name", 1)
    with pytest.raises(CannotEdit):
        change(TEXT, "algorithm.x.y", 1)


def layouts() -> list[Path]:
    """Of the files that differ in nothing but their values, one each."""
    found: dict[object, Path] = {}
    for file in FILES:
        shape = [
            [
                (kind, line[start:end] * (kind in ("table", "key", "mark")))
                for start, end, kind in coloured(line)
            ]
            for line in file.read_text().splitlines()
        ]
        found.setdefault(str(shape), file)
    return list(found.values())


@pytest.mark.parametrize("file", layouts(), ids=lambda file: file.stem)
def test_every_value_of_every_shipped_file_can_be_changed(file):
    """Each key of each example and preset: replaced by a number, text, a table, removed; other lines keep comments."""
    text = file.read_text()
    for path in _paths(parsed(text)):
        for value in (7, "other", {"scale": "choice", "values": [0.5]}, REMOVED):
            wanted = copy.deepcopy(tomllib.loads(text))
            holder = wanted
            for part in path[:-1]:
                holder = holder[part]
            if value is REMOVED:
                del holder[path[-1]]
            else:
                holder[path[-1]] = value
            new = edited(text, [Change(path, value)])
            found = tomllib.loads(new)
            assert _without_empty(found) == _without_empty(wanted), path
            if isinstance(value, int):
                lost = len(comments(text)) - len(comments(new))
                assert lost == 0 or isinstance(value_at(parsed(text), path), dict | list)


def _paths(tables: dict[str, Any], prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for key, value in tables.items():
        found.append((*prefix, key))
        if isinstance(value, dict):
            found += _paths(value, (*prefix, key))
    return found


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _without_empty(entry) for key, entry in value.items()}
        return {key: entry for key, entry in kept.items() if entry != {}}
    return value


# A text of any layout, and a dictionary that is changed in the same way.

KEYS = ("a", "b", "c-d", '"e f"')
VALUES = (
    "1",
    "-2.5e3",
    '"x # y"',
    "'it''s'",
    "[1, 2]",
    "[\n  1,  # one\n  2\n]",
    "{ p = 1, q = 2.0 }",
    '"""m\nn"""',
    "true",
)
PLAIN = st.one_of(
    st.integers(-5, 5), st.sampled_from(["", "v # w", 'q"', [], [1]]), st.just({"p": 2}), st.just(REMOVED)
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    lines: list[str] = []
    used: set[str] = set()
    for header in ("", "[t]", "[t.u]", "[[l]]", "[[l]]"):
        if header and draw(st.booleans()):
            continue
        lines += [draw(st.sampled_from(["", "# above", "  "])), header] if header else []
        for key in draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=3)):
            dotted = draw(st.booleans()) and header != "[t]"
            value = draw(st.sampled_from(VALUES)).replace("''", "")
            space, note = draw(st.sampled_from([("", ""), ("  ", "  # note")]))
            lines.append(f"{space}{key}{'.z' if dotted else ''} = {value}{note}")
        used.add(header)
    return "\n".join(lines) + draw(st.sampled_from(["", "\n"]))


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(
    text=texts().filter(_is_toml),
    path=st.lists(
        st.sampled_from(["a", "b", "c-d", "e f", "t", "u", "z", "p", "new"]), min_size=1, max_size=3
    ),
    value=PLAIN,
)
def test_any_text_says_what_a_dictionary_would(text, path, value):
    """After a change the text reads as its tables with that change; where it cannot, it is refused and stays as it is."""
    wanted: Any = tomllib.loads(text)
    holder = wanted
    possible = True
    for part in path[:-1]:
        if not isinstance(holder, dict):
            possible = False
            break
        if part not in holder:
            holder[part] = {}
        holder = holder[part]
    possible = possible and isinstance(holder, dict)
    if possible and value is REMOVED:
        holder.pop(path[-1], None)
    elif possible:
        holder[path[-1]] = value
    try:
        new = edited(text, [Change(tuple(path), value)])
    except CannotEdit:
        return
    if possible:
        assert _without_empty(tomllib.loads(new)) == _without_empty(wanted)
    else:
        assert value is REMOVED
        assert new == text


# A draft: typing in one field is one edit.


def test_a_comment_outlives_a_moment_without_its_value():
    """Clearing a field and typing again keeps the comment behind the old value."""
    draft = Draft(TEXT)
    path = ("goal", "value")
    for value in (REMOVED, 0, 0.0, 0.05):
        assert draft.edit([Change(path, value)])
    assert draft.text == TEXT.replace("1e-1 ", "0.05 ")


def test_another_field_in_between_is_another_edit():
    """What was typed in one field stays when one comes back to another."""
    draft = Draft(TEXT)
    draft.edit([Change(("goal", "value"), 5)])
    draft.edit([Change(("studies", "trials"), 6)])
    draft.edit([Change(("goal", "value"), 7)])
    assert (draft.tables["goal"]["value"], draft.tables["studies"]["trials"]) == (7, 6)
    draft.retype(draft.text.replace("trials = 6", "trials = 60"))
    draft.edit([Change(("goal", "value"), 8)])
    assert (draft.tables["goal"]["value"], draft.tables["studies"]["trials"]) == (8, 60)


def test_while_the_text_is_no_toml_no_field_changes_it():
    """The text that is half-written by hand stays as it is."""
    draft = Draft(TEXT)
    draft.retype("value = = 3")
    assert draft.tables is None
    assert not draft.edit([Change(("goal", "value"), 5)])
    assert draft.text == "value = = 3"


def test_a_text_is_changed_until_it_is_saved(tmp_path):
    """Only what was typed counts as something that could be lost."""
    draft = Draft(TEXT)
    assert not draft.changed
    draft.edit([Change(("studies", "seed"), 3)])
    assert draft.changed
    draft.written(tmp_path / "x.toml", draft.text)
    assert not draft.changed
    assert (draft.name, draft.directory) == ("x", tmp_path)
    draft.retype(draft.text + "# more\n")
    assert draft.changed


@pytest.mark.parametrize("file", FILES[:6], ids=lambda file: file.stem)
def test_colours_cover_a_line_without_overlap(file):
    """The parts of a line follow one another, and comments reach its end."""
    for line in file.read_text().splitlines():
        parts = list(coloured(line))
        assert all(first[1] <= second[0] for first, second in pairwise(parts))
        assert all(end == len(line) for _, end, kind in parts if kind == "comment")


def test_colours_of_a_line():
    """Keys, tables, text, numbers, words and comments are distinguished, also in a half-written line."""
    line = 'momentum = { scale = "log", min = 1e-3, on = true } # note = "x"'
    said = [(line[start:end], kind) for start, end, kind in coloured(line) if kind != "mark"]
    assert said == [
        ("momentum", "key"),
        ("scale", "key"),
        ('"log"', "string"),
        ("min", "key"),
        ("1e-3", "number"),
        ("on", "key"),
        ("true", "word"),
        ('# note = "x"', "comment"),
    ]
    assert [kind for _, _, kind in coloured("[[search.override]]")] == ["table"]
    assert [kind for _, _, kind in coloured('name = "half')] == ["key", "mark", "string"]


def test_keys_are_found_in_their_lines():
    """Tables, dotted keys and lists of tables; what stands inside a value is no key of a line."""
    lines = TEXT.split("\n")
    found = key_lines(TEXT)
    for name, begins in (
        ("goal", "[goal]"),
        ("goal.value", "value = 1e-1"),
        ("budget.override[0]", "[[budget.override]]"),
        ("budget.override[0].steps", "steps = 4000"),
        ("studies.trials", "trials = 24"),
        ("search.momentum.max", "momentum.max"),
        ("search.weight_decay.min", "min = 1e-6"),
    ):
        assert lines[found[name]].startswith(begins)
    assert "search.learning_rate.min" not in found
