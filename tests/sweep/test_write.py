"""A sweep written as TOML reads back as the same sweep; batch sizes in every notation mean what they say."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.store.schema import LONGEST_NAME
from hvdsweep.sweep.batch_sizes import format_batch_sizes, parse_batch_sizes
from hvdsweep.sweep.load import check_text, load_sweep
from hvdsweep.sweep.metaparameters import METAPARAMETERS
from hvdsweep.sweep.models import Sweep
from hvdsweep.sweep.write import sweep_toml, toml_key, toml_value
from tests.sweep.texts import GOOD, loaded

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))

numbers = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(min_size=1)
plain = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
metaparameters = st.one_of(
    numbers,
    st.fixed_dictionaries(
        {"scale": st.sampled_from(["linear", "log", "reverse_log"]), "min": numbers, "max": numbers}
    ),
    st.fixed_dictionaries(
        {"scale": st.just("integer"), "min": st.integers(), "max": st.integers(), "log": st.booleans()}
    ),
    st.fixed_dictionaries({"scale": st.just("choice"), "values": st.lists(numbers, min_size=1, max_size=3)}),
)
spaces = st.dictionaries(st.sampled_from(METAPARAMETERS), metaparameters, max_size=4)
batch_sizes = st.lists(st.integers(1, 2**30), min_size=1, max_size=5, unique=True)


@st.composite
def sweeps(draw: st.DrawFn) -> Sweep:
    """Sweeps with the right types; their meaning is not checked."""
    raw: dict[str, object] = {
        "dataset": draw(texts),
        "model": draw(texts),
        "algorithms": draw(st.lists(st.sampled_from(["sgd", "momentum", "nesterov_momentum"]), max_size=3)),
        "goal": {"metric": draw(st.text()), "value": draw(numbers)},
        "budget": {"steps": draw(st.integers(1, 2**32 - 1))},
        "studies": {"batch_sizes": draw(batch_sizes), "seed": draw(st.integers(0, 2**63 - 1))},
        "search": dict(draw(spaces)),
        "training": draw(
            st.sampled_from(
                [{}, {"stop": "beaten", "margin": 0.25}, {"schedule": "linear", "micro_batch": 8}]
            )
        ),
    }
    if draw(st.booleans()):
        raw["name"], raw["description"] = draw(st.text(min_size=1, max_size=LONGEST_NAME)), draw(st.text())
        raw["dataset_options"] = draw(st.dictionaries(st.text(), plain, max_size=3))
        raw["model_options"] = draw(st.dictionaries(texts, plain, max_size=2))
    if draw(st.booleans()):
        raw["search"]["override"] = [
            {"batch_sizes": draw(batch_sizes), **draw(spaces)} for _ in range(draw(st.integers(1, 2)))
        ]
        raw["budget"]["override"] = [{"batch_sizes": draw(batch_sizes), "epochs": draw(st.floats(1e-3, 1e6))}]
    if draw(st.booleans()):
        point = st.dictionaries(st.sampled_from(METAPARAMETERS), numbers, max_size=3)
        raw["search"]["points"] = draw(st.lists(point, min_size=1, max_size=3))
    if draw(st.booleans()):
        raw["evaluation"] = {"count": 3, "splits": ["val", "test"], "at_start": False}
        raw["infeasible"] = {"loss_above": draw(st.floats(1e-9, 1e9))}
    return Sweep.model_validate(raw)


@given(sweeps())
def test_round_trip(sweep):
    """Any sweep of the right types comes back from its TOML as an equal one."""
    assert Sweep.model_validate(tomllib.loads(sweep_toml(sweep))) == sweep


@given(st.dictionaries(st.text(), plain, max_size=4))
def test_values_and_keys_round_trip(table):
    """Any nesting of text, numbers, truth values, lists and tables, under any key, is written as TOML means
    it."""
    text = "".join(f"{toml_key(key)} = {toml_value(value)}\n" for key, value in table.items())
    assert tomllib.loads(text) == table


def test_special_numbers():
    """NaN and infinities are TOML's words; None cannot be written."""
    assert math.isnan(tomllib.loads(f"x = {toml_value(math.nan)}")["x"])
    assert tomllib.loads(f"x = {toml_value(-math.inf)}")["x"] == -math.inf
    assert toml_value(1e-05) == "1e-5"
    with pytest.raises(ValueError, match="no null"):
        toml_value(None)


def test_the_text_is_laid_out_as_a_person_would():
    """Tables in the order of the reference, powers of two as a range, defaults left out: a text golden."""
    sweep = loaded(
        ("[8, 64, 512]", "[2, 4, 8, 16]"),
        ('algorithms = ["sgd", "momentum"]', 'algorithm = "momentum"'),
        ("[training]", "[[search.override]]\nmomentum = 0.5\nbatch_sizes = [2]\n[training]"),
    ).sweep
    assert sweep_toml(sweep) == (
        'dataset = "digits"\n'
        'model = "fc_128"\n'
        'algorithms = ["momentum"]\n'
        "\n"
        "[goal]\n"
        'metric = "val/classification_error"\n'
        "value = 0.05\n"
        "\n"
        "[budget]\n"
        "steps = 2000\n"
        "\n"
        "[evaluation]\n"
        "every = 20\n"
        "\n"
        "[studies]\n"
        'batch_sizes = "2^1..2^4"\n'
        "trials = 24\n"
        "seed = 1\n"
        "\n"
        "[search]\n"
        'learning_rate = { scale = "log", min = 0.001, max = 10.0 }\n'
        'momentum = { scale = "reverse_log", min = 0.8, max = 0.999 }\n'
        "\n"
        "[[search.override]]\n"
        "batch_sizes = [2]\n"
        "momentum = 0.5\n"
        "\n"
        "[training]\n"
        "micro_batch = 256\n"
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_right_and_round_trip(path):
    """Every example is a right sweep without warnings, opens with a comment, and survives being written and
    read."""
    found = load_sweep(path)
    assert found.warnings == ()
    assert path.read_text().startswith("# ")
    again = check_text(sweep_toml(found.sweep), path.name)
    assert again.loaded is not None
    assert again.loaded.sweep == found.sweep


def test_where_a_sweep_comes_from(tmp_path):
    """A file gives name, file and source; its own name wins; text alone is named after the file name it is
    given."""
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    found = load_sweep(path)
    assert (found.name, found.file, found.source) == ("mine", str(path), str(tmp_path))
    path.write_text('name = "yours"\n' + GOOD)
    assert load_sweep(path).name == "yours"
    assert loaded().name == "good"
    assert loaded().file is None


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("8", [8]),
        ("2^3", [8]),
        ("2^1..2^4", [2, 4, 8, 16]),
        ("8..64", [8, 16, 32, 64]),
        ("8..512 *4", [8, 32, 128, 512]),
        ("3..81*3", [3, 9, 27, 81]),
        ("5..5", [5]),
        ("64, 1,2^2..16", [1, 4, 8, 16, 64]),
        (" 2 ^ 1 .. 2 ^ 3 * 2 ", [2, 4, 8]),
        ("16 32 64", [16, 32, 64]),
        ("1 2^2  2^4", [1, 4, 16]),
    ],
)
def test_batch_sizes_as_written(text, sizes):
    """Numbers, powers, ranges with and without a factor, and lists of them, ascending."""
    assert parse_batch_sizes(text) == sizes


@pytest.mark.parametrize(
    "text", ["", "8..", "..8", "8,,9", "a", "-1", "1.5", "2^3^2", "8 *2", "8..64 *2 *2", "1,2,1", "2^31", "0"]
)
def test_batch_sizes_that_mean_nothing(text):
    """Anything else is refused."""
    with pytest.raises(ValueError, match=r".+"):
        parse_batch_sizes(text)


@given(st.integers(0, 25), st.integers(2, 20))
def test_powers_of_two_are_written_as_a_range(first, count):
    """Successive powers of two become a range that reads back; anything else does not."""
    sizes = [2**power for power in range(first, min(first + count, 31))]
    text = format_batch_sizes(sizes)
    assert (text is None) == (len(sizes) < 3)
    assert text is None or parse_batch_sizes(text) == sizes
    assert format_batch_sizes([*sizes, 2**31 - 1]) is None
