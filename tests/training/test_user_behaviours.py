"""The user's code is proved once before any gang: code that would give wrong numbers is refused with a message."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import pytest

from hvdsweep.training.behaviour import _reads
from hvdsweep.training.content import model_content
from hvdsweep.training.data_behaviour import data_doubts
from hvdsweep.training.keras_settings import prepare_keras
from hvdsweep.training.network import Network
from hvdsweep.training.proof import prove
from hvdsweep.training.trial_rows import Rows
from hvdsweep.training.trial_rows import call as model_call
from tests.training import user_behaviours, user_data
from workloads.datasets import load_dataset
from workloads.usercode import describe

SOURCE = str(Path(__file__).parents[2])
MODULE = "tests.training.user_behaviours"
ROWS = Rows.of(load_dataset("digits"), 1)


def job(**changes: Any) -> dict[str, Any]:
    """The job of a sweep of digits with a user's model."""
    return {
        "source": SOURCE,
        "dataset": "digits",
        "dataset_options": {},
        "model": f"{MODULE}:plain",
        "model_options": {},
        "metaparameters": ["learning_rate"],
        "goal": {"metric": "val/classification_error"},
        "splits": ["val"],
        "batch_sizes": [8],
        **changes,
    }


@pytest.mark.parametrize("name", user_behaviours.REFUSED)
def test_behaviour_that_ranks_would_not_share_is_refused(name: str) -> None:
    """Random, stateful and batch-dependent layers, outputs that are no logits, parts that training would not read: one
    sentence names the function, the layer where it can be found, and a remedy."""
    found = prove(job(model=f"{MODULE}:{name}"))
    texts = [text for _, text in found.problems]
    assert texts
    assert all(text.startswith(f"{MODULE}:{name}: ") for text in texts)
    assert any(re.search(user_behaviours.REFUSED[name], text) for text in texts), texts


SEARCHED = {"recurrent": ["dropout"], "with_dropout": ["dropout", "label_smoothing", "weight_decay"]}
"""What these models read, so that a sweep may search it."""


@pytest.mark.parametrize("name", user_behaviours.TAKEN)
def test_models_that_are_as_they_should_be_are_taken(name: str) -> None:
    """No false alarm, and the hash of the model is known."""
    found = prove(job(model=f"{MODULE}:{name}", metaparameters=["learning_rate", *SEARCHED.get(name, [])]))
    assert found.problems == []
    assert len(found.content["model"]) == 16
    assert found.parameters is not None


@pytest.mark.parametrize("name", user_behaviours.NUMBERED)
def test_whatever_number_the_code_computes_with_is_part_of_a_trials_identity(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal numbers give equal hashes, in graphs made twice; another number, from wherever, another one."""
    network = Network(load_dataset("digits"), f"{MODULE}:{name}", {}, SOURCE)
    again = Network(load_dataset("digits"), f"{MODULE}:{name}", {}, SOURCE)
    found = model_content(network)
    assert model_content(again) == found
    monkeypatch.setattr(user_behaviours, "NUMBER", 2.0)
    other = Network(load_dataset("digits"), f"{MODULE}:{name}", {}, SOURCE)
    assert model_content(other) != found


def test_a_dropout_that_the_model_switches_off_does_not_drop() -> None:
    """`training=False` in a call is followed, in training too."""
    model = Network(load_dataset("digits"), f"{MODULE}:dropout_left_out", {}, SOURCE).model
    assert not _reads(model, lambda rate: [model_call(model, ROWS, rates={"dropout": rate})[0]])


WARNED = {
    "initial_values": r"1 of 4 weights \(.*kernel\) have values of their own, from which every trial starts",
    "mixed_precision": "computes in float16 without scaling the loss",
    "own_metrics": "has a test_step of its own, which is not called",
}


@pytest.mark.parametrize("name", WARNED)
def test_what_is_allowed_but_may_surprise_is_a_warning(name: str) -> None:
    """Weights that no seed draws, gradients that vanish in float16."""
    found = prove(job(model=f"{MODULE}:{name}"))
    assert found.problems == []
    assert any(re.search(WARNED[name], warning) for warning in found.warnings), found.warnings


def test_settings_left_to_other_models_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy set where the data are loaded would hold for models that happen to be built after it."""
    set_policy = keras.config.set_dtype_policy
    plain = user_data.plain
    monkeypatch.setattr(user_data, "plain", lambda: set_policy("mixed_bfloat16") or plain())
    texts = [text for _, text in prove(job_of_data("plain")).problems]
    prepare_keras()
    assert any("sets the dtype policy mixed_bfloat16 for the whole process" in text for text in texts), texts


def test_operations_that_xla_lacks_are_trained_without_it() -> None:
    """A lookup table is one; most models are compiled."""
    digits = load_dataset("digits")
    assert not Network(digits, f"{MODULE}:lookup", {}, SOURCE).compiles
    assert Network(digits, f"{MODULE}:plain", {}, SOURCE).compiles


def test_messages_of_keras_are_shown_without_its_frame() -> None:
    """One line: no colours, no list of arguments, the cause first."""
    text = describe(
        ValueError(
            "Exception encountered when calling Odd.call().\n\n\x1b[1mno shape\x1b[0m\n\nArguments received by Odd"
        )
    )
    assert text == "ValueError: no shape"


DATA = "tests.training.user_data"


def job_of_data(name: str, **changes: Any) -> dict[str, Any]:
    """A built-in model on a user's data set."""
    return job(dataset=f"{DATA}:{name}", model="fc_4", **changes)


@pytest.mark.parametrize("name", user_data.REFUSED)
def test_data_that_ranks_would_not_share_are_refused(name: str) -> None:
    """Unseeded, split by rank, of varying shape, or no data: one sentence names the function and a remedy."""
    found = prove(job_of_data(name))
    (text,) = (text for _, text in found.problems)
    assert text.startswith(f"{DATA}:{name}: ")
    assert re.search(user_data.REFUSED[name], text)


TOGETHER = [
    ("in_bytes", "by_type", "by_type: gives other results for features of type uint8"),
    (
        "tokens",
        "small_table",
        "small_table: for example 11 of train, which holds 9, the model fails: InvalidArg",
    ),
    ("sentences", "masked", "masked: the output carries a mask"),
    ("plain", "changes_data", "changes_data: ValueError: .*read-only"),
]


@pytest.mark.parametrize(("data", "model", "says"), TOGETHER)
def test_models_that_do_something_else_with_their_data_are_refused(data: str, model: str, says: str) -> None:
    """Types that change what the code does, rare values, masks that are all ones, changes of the data themselves."""
    found = prove(job(dataset=f"{DATA}:{data}", model=f"{MODULE}:{model}"))
    texts = [text for _, text in found.problems]
    assert any(re.search(says, text) for text in texts), texts


def test_numbers_of_a_task_are_part_of_a_trials_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers that are in no array of the data."""
    one, same = (prove(job_of_data("factor_task")) for _ in range(2))
    assert one.problems == []
    monkeypatch.setattr(user_data, "FACTOR", 3.0)
    other = prove(job_of_data("factor_task"))
    assert one.content == same.content != other.content


def test_a_task_of_sequences_is_taken() -> None:
    """Its outputs have a place and a class for every token."""
    found = prove(job(dataset=f"{DATA}:phrases_task", model=f"{MODULE}:next_tokens"))
    assert found.problems == []
    assert set(found.content) == {"data", "model"}


def test_data_that_are_hardly_meant_are_a_warning() -> None:
    """Classes without training examples; examples that are measured and trained too."""
    assert data_doubts("mine", load_dataset("digits")) == []
    assert data_doubts("mine", load_dataset(f"{DATA}:hardly_meant")) == [
        "mine: train has examples of 2 of 3 classes only, none of class 0",
        "mine: 60 of 60 examples of val are in train too, so what is measured on them says little about new examples",
    ]


def test_data_have_a_hash_of_their_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal data have equal hashes, one changed number or label another; a built-in model has none."""
    one = prove(job_of_data("plain"))
    assert one.problems == []
    assert list(one.content) == ["data"]
    assert one.train_examples == 60
    assert prove(job_of_data("plain")).content == one.content
    for array, index, value in ((user_data.X, (3, 1), 9.0), (user_data.Y, 3, 1 - user_data.Y[3])):
        changed = array.copy()
        changed[index] = value
        with monkeypatch.context() as patch:
            patch.setattr(user_data, "X" if array is user_data.X else "Y", changed)
            assert prove(job_of_data("plain")).content != one.content


ASKED = [
    ("val/accuracy", "goal.metric", 'is not measured on .*; use "val/.*Accuracy is 1 - classification_error'),
    ("val/classification_eror", "goal.metric", "did you mean .*val/classification_error"),
    ("val/average_precision", "goal.metric", "is not measured"),
    ("val/top_5_error", "goal.metric", "is not measured"),
]


@pytest.mark.parametrize(("metric", "key", "says"), ASKED)
def test_a_goal_that_is_not_measured_is_refused(metric: str, key: str, says: str) -> None:
    """The message names the key, the metric, and those there are."""
    found = prove(job_of_data("plain", goal={"metric": metric}))
    ((where, text),) = found.problems
    assert where == key
    assert metric in text
    assert re.search(says, text)


def test_metrics_that_rank_a_split_may_be_goals() -> None:
    """Average precision belongs to a multilabel data set."""
    assert prove(job_of_data("multilabel", goal={"metric": "val/average_precision"})).problems == []


def test_a_split_that_the_data_do_not_have_is_refused() -> None:
    """Measuring it would be useless."""
    ((key, text),) = prove(job_of_data("plain", splits=["val", "test"])).problems
    assert (key, text) == (
        "evaluation.splits",
        f'"test" is listed, but {DATA}:plain returns no test examples',
    )


READ = [
    ({"model": f"{MODULE}:plain"}, ["dropout"], ["search.dropout"]),
    ({"model": "fc_4", "dataset": f"{DATA}:plain"}, ["dropout", "label_smoothing"], []),
    (
        {"model": "fc_4", "dataset": f"{DATA}:multilabel", "goal": {"metric": "val/average_precision"}},
        ["dropout", "label_smoothing"],
        ["search.label_smoothing"],
    ),
]


@pytest.mark.parametrize(("changes", "names", "unread"), READ)
def test_metaparameters_that_nothing_reads_are_refused(
    changes: dict[str, Any], names: list[str], unread: list[str]
) -> None:
    """Searching them would report a best value without meaning. Models that read them are SEARCHED above."""
    found = prove(job(**changes, metaparameters=["learning_rate", *names]))
    assert [key for key, _ in found.problems] == unread
    assert all("is read by nothing" in text for _, text in found.problems)


BUILT_IN = ["fc_4", "simple_cnn_narrow", "vgg_11", "lstm", "transformer_base", "resnet_8", "resnet_50"]


@pytest.mark.parametrize("model", BUILT_IN)
def test_built_in_models_read_the_dropout_that_they_offer(model: str) -> None:
    """What the catalogue says at planning, by behaviour: exactly those with the option `dropout` follow the metaparameter."""
    from hvdsweep.training.behaviour import unread_metaparameters
    from workloads import architectures
    from workloads.datasets import load_dataset
    from workloads.models import build_model

    architecture = architectures.find(model)
    small = {
        "filters": [2] * 8 if model == "vgg_11" else [2, 2, 2] if model == "resnet_8" else [2, 2],
        "hidden": 8,
        "embedding": 4,
        "projection": 4,
        "layers": 1,
        "width": 8,
        "heads": 2,
        "filter": 8,
        "blocks": [1, 1, 1, 1],
        "stem": "small",
    }
    tokens = architecture.reads == "tokens"
    dataset = load_dataset("python_source", {"length": 8}) if tokens else load_dataset("digits")
    options = {key: value for key, value in small.items() if key in architecture.options}
    built = build_model(model, dataset, options)
    unread = unread_metaparameters(built, dataset, {"dropout", "label_smoothing"})
    assert unread == ([] if "dropout" in architecture.options else ["dropout"])
