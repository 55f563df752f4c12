"""The user's own data sets and models: what is accepted, and one clear message for everything else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from hvdsweep.errors import UserError
from hvdsweep.sweep.load import load_sweep
from workloads import layers, stateless
from workloads.datasets import Dataset, Split, load_dataset
from workloads.datasets import user as user_data
from workloads.models import build_model
from workloads.tasks import task

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_workload"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write a module of the user's; `module(text)` gives the directory to look in. Forgotten after the
    test."""
    known, path = set(sys.modules), list(sys.path)

    def write(text: str, name: str = "mine") -> str:
        (tmp_path / f"{name}.py").write_text(text)
        return str(tmp_path)

    yield write
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
    sys.path[:] = path


def returned(value: Any, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """The data set that a user's function returning `value` gives."""
    monkeypatch.setattr(user_data.usercode, "find", lambda name, source: lambda: value)
    return user_data.load("mine:load", {}, None)


def arrays(n: int = 6, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(n).random((n, 4)), np.arange(n) % classes


def test_the_example_is_short_and_loads() -> None:
    """The example's Python is at most 40 lines; its options reach both functions; its sweep file is right."""
    assert len((EXAMPLE / "rings.py").read_text().splitlines()) <= 40
    sweep = load_sweep(EXAMPLE / "sweep.toml").sweep
    dataset = load_dataset(sweep.dataset, {"points": 50}, str(EXAMPLE))
    assert (len(dataset.train), len(dataset.val), dataset.test) == (40, 10, None)
    assert (dataset.input_shape, dataset.classes, dataset.task.name) == ((2,), 3, "classification")
    model = build_model(sweep.model, dataset, {"units": 5}, str(EXAMPLE))
    assert model.layers[0].units == 5
    assert any(type(layer) is layers.Dropout for layer in model.layers)
    assert (model.granule, model.auxiliary, model.xla_on_cpu) == (1, [], True)


def test_plain_arrays_become_what_training_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists, doubles and bytes become float32 and int32; classes are counted over all splits."""
    x, y = arrays()
    dataset = returned({"train": (x.tolist(), y.tolist()), "val": (x, y), "test": (x, y + 1)}, monkeypatch)
    assert (dataset.train.features.dtype, dataset.train.labels.dtype) == (np.float32, np.int32)
    assert dataset.classes == 4
    assert dataset.info.metrics == ("cross_entropy_error", "classification_error")
    tokens = np.arange(12).reshape(2, 6)
    dataset = returned(
        {"train": (tokens, tokens - 1), "val": (tokens, tokens), "task": "language_model"}, monkeypatch
    )
    assert (dataset.classes, dataset.input_shape, dataset.train.features.dtype) == (12, (6,), np.int32)
    labels = np.eye(6, 5, dtype=bool)
    dataset = returned({"train": (x, labels), "val": (x, labels), "task": "multilabel"}, monkeypatch)
    assert (dataset.classes, dataset.info.metrics[1]) == (5, "average_precision")
    ready = Dataset("own", task("classification"), Split(x, y), Split(x, y), None, (4,), 3)
    taken = returned(ready, monkeypatch)
    assert (taken.name, taken.train.features.dtype, taken.train.labels.dtype) == ("own", np.float32, np.int32)


X, Y = arrays()
GOOD = {"train": (X, Y), "val": (X, Y)}
BAD_DATA: list[tuple[Any, str]] = [
    (None, "returned a NoneType, not a dict"),
    ({"train": (X, Y)}, "val missing"),
    ({**GOOD, "validation": (X, Y)}, "unknown key validation"),
    ({**GOOD, "task": "regression"}, "task: 'regression' is not one of"),
    ({**GOOD, "val": X}, "val: is not a pair"),
    ({**GOOD, "val": (X[:0], Y[:0])}, "val: has no examples"),
    ({**GOOD, "val": (X, Y[:3])}, "val: 6 examples but 3 labels"),
    ({**GOOD, "val": (X, 3)}, "val: 6 examples but 0 labels"),
    ({**GOOD, "val": (X[:, :2], Y)}, r"val: examples have shape \(2,\), those of train \(4,\)"),
    ({**GOOD, "val": (X, Y * 1.0)}, "val: labels are float64, .*a task of your own"),
    ({**GOOD, "val": (X, None)}, "val: labels are missing"),
    ({**GOOD, "train": (X.astype(str), Y)}, "features are <U"),
    ({**GOOD, "train": (np.where(X > 0.5, np.nan, X), Y)}, "train: features hold NaN"),
    ({**GOOD, "train": (X, np.eye(6)[Y].astype(int))}, "one class number per example"),
    ({**GOOD, "train": (X, Y - 1)}, "a label is -1"),
    (
        {"train": (X, Y + 1), "val": (X, Y + 1)},
        "labels are 1 to 3, and none is 0; .*`y - 1`; or return classes = 4",
    ),
    (
        {"train": (X, 4 * Y), "val": (X, 4 * Y)},
        r"labels are 0 to 8, and none is 1; .*`np.searchsorted\(names, y\)`",
    ),
    ({**GOOD, "train": (X, Y.astype(str))}, r"labels are <U21, .*`np.searchsorted\(names, y\)`"),
    ({**GOOD, "classes": 2}, "classes: 2, but a label is 2; at least 3"),
    ({**GOOD, "classes": "3"}, "classes: '3'"),
    ({"train": (X, Y * 0), "val": (X, Y * 0)}, "at least two classes"),
    ({**GOOD, "task": "language_model"}, "whole-number tokens"),
    ({**GOOD, "task": "multilabel"}, "multilabel needs labels"),
    (
        {"train": (X, np.eye(6, 3, dtype=int)), "val": (X, np.eye(6, 4, dtype=int)), "task": "multilabel"},
        "disagree on the number of classes",
    ),
    (
        {"train": ([[-1, 2]], [[0, 1]]), "val": ([[1, 2]], [[0, 1]]), "task": "language_model"},
        "negative tokens",
    ),
    (
        {"train": ([[1, 2]], [[0, -2]]), "val": ([[1, 2]], [[0, 1]]), "task": "language_model"},
        "a label is -2",
    ),
]


@pytest.mark.parametrize(("value", "message"), BAD_DATA, ids=[message for _, message in BAD_DATA])
def test_wrong_data_are_one_message(value: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mistake in what a function returns names the function, the split and what would be right."""
    with pytest.raises(UserError, match=rf"(?s)^mine:load: .*{message}"):
        returned(value, monkeypatch)


def test_code_that_cannot_be_found_or_fails_is_named(module: Any) -> None:
    """Missing module, missing function, failing import, failing call, missing dependency, hidden namesake."""
    source = module("import nowhere_to_be_found", "broken")
    cases = {
        "mine": "no module mine",
        "broken": "needs the module nowhere_to_be_found",
        "bad": r"importing bad failed: SyntaxError",
        "fails": r"ZeroDivisionError: division by zero \(.*fails\.py:2\)",
        "deep": r"JSONDecodeError: .*\(.*deep\.py:2\)",
        "json": "is hidden by another module",
        "leaves": r"importing leaves failed: SystemExit: 3 \(.*leaves\.py:2\): it calls exit; put what a script does",
        "interrupts": r"importing interrupts failed: KeyboardInterrupt \(.*interrupts\.py:1\)",
        "beyond": r"importing beyond failed: Own: an exception without words: its __str__ fails \(.*beyond\.py:3\)",
        "asks": r"importing asks failed: SystemExit: 2 \(.*asks\.py:4\): it reads a command line \(argparse\)",
    }
    module("import sys\nsys.exit(3)", "leaves")
    module("raise KeyboardInterrupt", "interrupts")
    module("class Own(BaseException):\n    def __str__(self): 1 / 0\nraise Own", "beyond")
    module(
        "import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('needed')\nparser.parse_args([])",
        "asks",
    )
    module("def f(:", "bad")
    module("def load():\n    1 / 0", "fails")
    module("import json\nvalue = json.loads('{')", "deep")
    module("def load(): ...", "json")
    for name, message in cases.items():
        with pytest.raises(UserError, match=message):
            load_dataset(f"{name}:load", {}, source)
    with pytest.raises(UserError, match=r"fails\.py has no function build"):
        build_model("fails:build", load_dataset("digits"), {}, source)
    with pytest.raises(UserError, match="is not `module:function`"):
        load_dataset("mine:", {}, source)
    with pytest.raises(UserError, match="unexpected keyword argument 'colour'"):
        load_dataset("fails:load", {"colour": 1}, source)


MODELS = {
    "no model": ("return 3", "returned a int, not a keras.Model"),
    "wrong size": (
        "return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4)])",
        r"\(2, 4\), not logits",
    ),
    "images": (
        "return keras.Sequential([keras.layers.Dense(10)])",
        r"\(2, 8, 8, 10\), not logits of shape \(2, 10\)",
    ),
    "softmax": (
        "return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(10, activation='softmax')])",
        "is a softmax; return logits",
    ),
    "untrainable": (
        "return keras.Sequential([keras.layers.Flatten(), keras.layers.Lambda(lambda x: x[:, :10])])",
        "nothing to train",
    ),
    "stateful": (
        "return keras.Sequential([keras.layers.Reshape((8, 8)), keras.layers.GRU(3, stateful=True), keras.layers.Dense(10)])",
        "layer gru.*: GRU begins a batch where the last one ended; .*leave stateful=True out",
    ),
    "float8": (
        "model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])\n"
        "    model.layers[-1].quantize('float8')\n    return model",
        "Dense has scales that only optimizers of Keras update",
    ),
    "wrong input": ("return keras.Sequential([keras.Input((3,)), keras.layers.Dense(10)])", "incompatible"),
}


@pytest.mark.parametrize("case", MODELS)
def test_wrong_models_are_one_message(case: str, module: Any) -> None:
    """Each model that cannot be trained fairly says why, and what to return instead."""
    body, message = MODELS[case]
    source = module(f"import keras\ndef build(dataset):\n    {body}\n")
    with pytest.raises(UserError, match=rf"(?s)^mine:build: .*{message}"):
        build_model("mine:build", load_dataset("digits"), {}, source)


def test_a_model_function_may_ask_for_what_it_needs(module: Any) -> None:
    """The whole data set, or only its shape and number of classes, by name; options as keywords."""
    text = "import keras\n" + "\n".join(
        f"def {name}({arguments}):\n    return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense({units})])\n"
        for name, arguments, units in (
            ("first", "data", "data.classes"),
            ("named", "dataset", "dataset.classes"),
            ("classes", "classes", "classes"),
            ("options", "classes, input_shape, extra=0", "classes + extra + 8 - input_shape[0]"),
        )
    )
    source = module(text)
    digits = load_dataset("digits")
    for name in ("first", "named", "classes", "options"):
        model = build_model(f"mine:{name}", digits, {}, source)
        assert model(digits.val.features[:3]).shape == (3, 10)
    with pytest.raises(UserError, match=r"\(2, 12\), not logits"):
        build_model("mine:options", digits, {"extra": 2}, source)


def test_ghost_normalisation_in_a_users_model(module: Any) -> None:
    """The layer offered instead of BatchNormalization sets the granule, and its statistics are found."""
    source = module(
        "import keras\nfrom workloads.layers import GhostBatchNormalization\n"
        "def build(classes):\n"
        "    body = keras.Sequential([keras.layers.Dense(5), GhostBatchNormalization(8)])\n"
        "    return keras.Sequential([keras.layers.Flatten(), body, GhostBatchNormalization(4), keras.layers.Dense(classes)])\n"
    )
    digits = load_dataset("digits")
    model = build_model("mine:build", digits, {}, source)
    assert model.granule == 8
    assert [layer.ghost_batch for layer in model.auxiliary] == [8, 4]
    with stateless.scope(1, 1, np.arange(16)) as scope:
        model(digits.train.features[:16], training=True)
    assert scope.aux_layers == model.auxiliary


def test_convolutions_say_that_xla_does_not_pay_on_a_cpu(module: Any) -> None:
    """Also in the user's nested models."""
    source = module(
        "import keras\ndef build(classes):\n"
        "    body = keras.Sequential([keras.layers.Conv2D(2, 3)])\n"
        "    return keras.Sequential([body, keras.layers.Flatten(), keras.layers.Dense(classes)])\n"
    )
    assert build_model("mine:build", load_dataset("digits"), {}, source).xla_on_cpu is False
    assert keras.backend.backend() == "tensorflow"
