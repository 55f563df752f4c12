"""Every mistake in a sweep file is one message with file, key, value and remedy; several come together;
nothing cascades."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.errors import UserError
from hvdsweep.sweep.load import Overrides, check_text, load_sweep
from hvdsweep.sweep.user_code import fingerprint
from tests.sweep.bad_inputs import BAD_INPUTS, Bad
from tests.sweep.texts import GOOD, edited


@pytest.mark.parametrize("bad", BAD_INPUTS, ids=lambda bad: f"{bad.key}: {bad.new or bad.old!r}"[:60])
def test_one_mistake_is_one_message(bad: Bad, tmp_path: Path):
    """The file is refused with exactly one sentence: file, key, and all that it must say; the exit code will
    be 2."""
    path = tmp_path / "bad.toml"
    path.write_text(edited((bad.old, bad.new)))
    with pytest.raises(UserError) as caught:
        load_sweep(path)
    assert caught.value.exit_code == 2
    assert len(caught.value.problems) == 1, caught.value.problems
    problem = caught.value.problems[0]
    assert problem.startswith(f"{path}: {bad.key}: ")
    rest = problem.removeprefix(f"{path}: {bad.key}: ")
    for fragment in bad.says:
        assert fragment in rest
    assert "\n" not in problem


def test_there_are_enough_bad_inputs():
    """At least 45 different mistakes are covered."""
    assert len({(bad.old, bad.new) for bad in BAD_INPUTS}) >= 45


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path):
    """As some editors on Windows write it: the file means the same as without."""
    path = tmp_path / "marked.toml"
    path.write_text(GOOD, encoding="utf-8-sig")
    assert load_sweep(path).sweep == check_text(GOOD, "good.toml").loaded.sweep


def test_own_code_may_be_in_any_encoding_python_reads(tmp_path: Path):
    """A module in Latin-1 that says so, and one with a byte order mark."""
    path = tmp_path / "good.toml"
    path.write_text(edited(('model = "fc_128"', 'model = "mine:build"')))
    code = '# -*- coding: latin-1 -*-\nNAME = "Größe"\ndef build(dataset): ...\n'
    for encoding, text in (("latin-1", code), ("utf-8-sig", code.partition("\n")[2])):
        (tmp_path / "mine.py").write_text(text, encoding=encoding)
        assert load_sweep(path).sweep.model == "mine:build"
        assert len(fingerprint("mine:build", str(tmp_path)) or "") == 16


def test_all_mistakes_at_once():
    """Mistakes of type, of name, of range and between keys come in one go, without consequences of one
    another."""
    text = edited(
        ('dataset = "digits"', 'dataset = "digits"\nxx = 1'),
        ('"sgd", "momentum"', '"sgd", "momentun"'),
        ("value = 0.05", "value = 5"),
        ("steps = 2000", "steps = 2.5"),
        ("every = 20", "every = 20\ncount = 10"),
        ("[8, 64, 512]", '"8..500"'),
        ("trials = 24", "trails = 24"),
        ("max = 0.999", "max = 1.0"),
        ("micro_batch = 256", 'stop = "gaol"'),
    )
    keys = sorted(problem.split(": ")[1] for problem in check_text(text, "f.toml").problems)
    assert keys == sorted(
        [
            "xx",
            "algorithms[1]",
            "goal.value",
            "budget.steps",
            "evaluation.count",
            "studies.batch_sizes",
            "studies.trails",
            "search.momentum.max",
            "training.stop",
        ]
    )


def test_an_empty_file_lists_everything_it_needs():
    """Each required key is one message with an example."""
    problems = check_text("", "f.toml").problems
    keys = [problem.split(": ")[1] for problem in problems]
    assert sorted(keys) == ["algorithms", "budget", "dataset", "goal", "model", "search", "studies"]
    assert all("is missing; write for example" in problem for problem in problems)


@pytest.mark.parametrize(
    ("overrides", "option", "says"),
    [
        (Overrides(trials=0), "--trials", "0 is below 1"),
        (Overrides(batch_sizes="8..500"), "--batch-sizes", "misses its end"),
        (Overrides(batch_sizes="eight"), "--batch-sizes", '"eight"'),
        (Overrides(steps=0), "--steps", "0 is below 1"),
        (Overrides(stop="gaol"), "--stop", 'did you mean "goal"'),
        (Overrides(seed=-1), "--seed", "-1 is below 0"),
    ],
)
def test_a_bad_option_is_named_as_an_option(overrides: Overrides, option: str, says: str):
    """Options go through the file's own validation, and the message names the option instead of the file's
    key."""
    problems = check_text(GOOD, "f.toml", overrides=overrides).problems
    assert len(problems) == 1
    assert problems[0].startswith(f"{option}: ")
    assert says in problems[0]


def test_an_option_that_clashes_with_the_file():
    """Fewer steps than evaluation.every: the message is about the file's key."""
    problems = check_text(GOOD, "f.toml", overrides=Overrides(steps=10)).problems
    assert len(problems) == 1
    assert problems[0].startswith("f.toml: evaluation.every: 20 is more than the 10 steps")


def test_files_that_cannot_be_read(tmp_path: Path):
    """Missing, a directory, not UTF-8, an unknown preset: one sentence each."""
    (tmp_path / "sweep.toml").write_text(GOOD)
    (tmp_path / "latin.toml").write_bytes("name = 'é'".encode("latin-1"))
    cases = {
        tmp_path / "sweeep.toml": "did you mean",
        tmp_path / "sweep.tml": "neither a TOML file nor a preset; did you mean .*sweep.toml",
        tmp_path / "none" / "x.toml": "no such file",
        tmp_path: "is a directory",
        tmp_path / "latin.toml": "not UTF-8",
        "mnist/no_such_model/sgd": "neither a TOML file nor a preset",
    }
    for path, says in cases.items():
        with pytest.raises(UserError, match=says) as caught:
            load_sweep(path)
        assert len(caught.value.problems) == 1
        assert str(path) in caught.value.problems[0]


UNREADABLE = {
    "broken": b"def build(:\n",
    "latin": b"# \xe9\xff\ndef build(dataset): ...\n",
    "coded": b"# coding: klingon\ndef build(dataset): ...\n",
    "nulls": b"def build(dataset): ...\n\0",
    "unfinished": b"def build(dataset):\n    return (\n",
    "nested": b"def build(dataset): ...\nx = " + b"(" * 300 + b")" * 300,
}
"""Modules that Python cannot read, by their names."""


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("own:build", None),
        ("own:other", "defines no other"),
        ("own:biuld", "did you mean build"),
        ("nowhere:build", "no module nowhere"),
        *((f"{name}:build", f"{name}.py cannot be read as Python") for name in UNREADABLE),
        ("own", "own"),
        ("own:build:twice", "is not module:function"),
        ("numpy:array", None),
        ("random:build", "random.py has the name of Python's own module random"),
        ("keras:build", "keras.py has the name of the package keras"),
    ],
)
def test_user_code_is_read_but_not_run(tmp_path: Path, name: str, says: str | None):
    """module:function is looked up in the source next to the file: a missing module or function is found without
    import."""
    (tmp_path / "own.py").write_text("raise SystemExit('was run')\ndef build(dataset): ...\n")
    for broken, content in UNREADABLE.items():
        (tmp_path / f"{broken}.py").write_bytes(content)
    for name_of_another in ("random", "keras"):
        (tmp_path / f"{name_of_another}.py").write_text("def build(dataset): ...\n")
    checked = check_text(edited(("fc_128", name)), "f.toml", source=str(tmp_path))
    if says is None:
        assert checked.problems == ()
    else:
        assert len(checked.problems) == 1
        assert checked.problems[0].startswith("f.toml: model: ")
        assert says in checked.problems[0]


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_module_that_user_code_imports_is_no_crash(tmp_path: Path, name: str):
    """It is part of the identity as it is, or refused with a message; importing it fails later."""
    (tmp_path / "own.py").write_text(f"def build(dataset):\n    import {name}\n")
    (tmp_path / f"{name}.py").write_bytes(UNREADABLE[name])
    with suppress(UserError):
        assert fingerprint("own:build", str(tmp_path)) is not None


def test_epochs_of_a_data_set_of_unknown_size(tmp_path: Path):
    """A budget in epochs needs the size of the training set, which is unknown for the user's own data set."""
    (tmp_path / "own.py").write_text("def load(): ...\n")
    text = edited(('"digits"', '"own:load"'), ("steps = 2000", "epochs = 3"))
    (problem,) = check_text(text, "f.toml", source=str(tmp_path)).problems
    assert problem.startswith("f.toml: budget.epochs: ")
    assert "use steps or examples" in problem


def test_label_smoothing_needs_classes():
    """A data set without classes refuses label smoothing."""
    text = edited(
        ('"digits"', '"noisy_quadratic"'),
        ("fc_128", "noisy_quadratic"),
        ("val/classification_error", "val/loss"),
        ("micro_batch = 256", ""),
        ("momentum = {", "label_smoothing = 0.1\nmomentum = {"),
    )
    (problem,) = check_text(text, "f.toml").problems
    assert problem.startswith("f.toml: search.label_smoothing: ")


def test_dropout_needs_a_model_with_dropout():
    """A model without dropout refuses the metaparameter."""
    text = edited(("fc_128", "resnet_8"), ("momentum = {", "dropout = 0.1\nmomentum = {"))
    (problem,) = check_text(text, "f.toml").problems
    assert problem.startswith("f.toml: search.dropout: has no meaning for resnet_8")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([("512]", "2048]")], "studies.batch_sizes: 2048: more than the 1297 training examples"),
        ([('"sgd", "momentum"', '"sgd"')], "search.momentum: is ignored by sgd"),
        (
            [("[training]", "[[search.override]]\nbatch_sizes = [9]\nmomentum = 0.5\n[training]")],
            "none of the sweep's",
        ),
        (
            [
                ("[training]", '[training]\nschedule = "linear"'),
                ("momentum = {", "learning_rate_decay_steps = 3000\nmomentum = {"),
            ],
            "up to 3000 steps of decay",
        ),
    ],
)
def test_what_is_allowed_but_doubtful_is_a_warning(changes, says):
    """Warnings do not refuse the sweep and come back with it."""
    checked = check_text(edited(*changes), "f.toml")
    assert checked.loaded is not None
    assert len(checked.warnings) == 1
    assert says in checked.warnings[0]
    assert checked.loaded.warnings == checked.warnings


def test_an_option_that_narrows_the_sweep_does_not_doubt_the_file():
    """--batch-sizes may leave out the batch sizes of an override without a warning."""
    text = edited(("[training]", "[[search.override]]\nbatch_sizes = [512]\nmomentum = 0.5\n[training]"))
    assert check_text(text, "f.toml", overrides=Overrides(batch_sizes="8")).warnings == ()


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3000)
    | st.floats(allow_nan=True)
    | st.sampled_from(["log", "val", "2^3", "", "x:y"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["scale", "min", "max", "values", "steps"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "dataset", "dataset_options", "model", "model_options", "algorithms", "algorithm", "goal", "goal.metric",
                    "goal.value", "goal.maximize", "budget", "budget.steps", "budget.epochs", "budget.override",
                    "evaluation", "evaluation.every", "evaluation.count", "evaluation.splits", "studies",
                    "studies.batch_sizes", "studies.trials", "studies.seed", "studies.max_trials", "search",
                    "search.learning_rate", "search.momentum", "search.points", "search.override", "search.dropout",
                    "search.learning_rate_decay_steps", "training", "training.schedule", "training.stop", "infeasible",
                ]
            ),
            junk,
        ),
        min_size=1,
        max_size=4,
    )
)  # fmt: skip
def test_any_junk_is_either_a_sweep_or_a_list_of_sentences(changes):
    """Whatever value a key has, the check gives a sweep or sentences of one line, never a traceback."""
    import tomllib

    from hvdsweep.sweep.write import toml_key, toml_value

    raw = tomllib.loads(GOOD)
    for key, value in changes:
        table, _, name = key.rpartition(".")
        holder = raw.get(table) if table else raw
        if isinstance(holder, dict) and value is not None:
            holder[name] = value
    try:
        text = "\n".join(f"{toml_key(key)} = {toml_value(value)}" for key, value in raw.items())
    except ValueError:
        return
    checked = check_text(text, "f.toml")
    assert (checked.loaded is None) == bool(checked.problems)
    for mistake in checked.mistakes:
        assert mistake.sentence == ": ".join(filter(None, ("f.toml", mistake.key, mistake.text)))
    assert all(problem.startswith("f.toml: ") and "\n" not in problem for problem in checked.problems)


def test_the_exit_code_is_2_and_stdout_stays_empty(tmp_path: Path):
    """A UserError that reaches the command line goes to stderr, one line per mistake, with exit code 2."""
    path = tmp_path / "bad.toml"
    path.write_text(edited(("steps = 2000", "steps = 0"), ("trials = 24", "trials = 0")))
    code = (
        "import click, sys; from hvdsweep import cli; from hvdsweep.sweep.load import load_sweep\n"
        f"cli.group.add_command(click.Command('check', callback=lambda: load_sweep({str(path)!r})))\n"
        "cli.COMMANDS.clear(); cli.LazyGroup.get_command = lambda s, c, n: s.commands.get(n)\n"
        "sys.argv = ['hvdsweep', 'check']; cli.main()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stdout == ""
    assert len(run.stderr.splitlines()) == 2


def test_a_thousand_mistakes_and_endless_values_stay_readable():
    """The first of them, how many more there are, and the beginning of each."""
    problems = [f"f.toml: key {number}: {'x' * 10**5}" for number in range(1000)]
    lines = str(UserError(*problems)).splitlines()
    assert len(lines) < 50
    assert lines[-1].endswith("960 more")
    assert lines[0].startswith("f.toml: key 0: x")
    assert all(len(line) < 5000 for line in lines)
