"""Proves the user's own code in one process, before any gang: imports it, calls it, and checks what it returned.

    python -m hvdsweep.training.proof JOB.json OUT.json

JOB holds what a sweep asks of its data set and model; OUT receives the result (`ProvedCode`). Faults are reported here, in
plain sentences, instead of in every rank of every gang.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch

from hvdsweep.errors import UserError
from hvdsweep.replacing import write_whole
from hvdsweep.training.rank import leave

TWICE_WITHIN = 20.0
"""A data set that loads within so many seconds is loaded twice, to check that it is the same."""


ANOTHER_RANK = {
    "HOROVOD_RANK": "1",
    "HOROVOD_SIZE": "2",
    "HOROVOD_LOCAL_RANK": "1",
    "HOROVOD_LOCAL_SIZE": "2",
}
"""The environment that horovodrun gives the second of two ranks."""


@dataclass
class ProvedCode:
    """The result of the proof."""

    problems: list[tuple[str, str]] = field(default_factory=list)
    """(key of the sweep file, sentence); the key is empty if the sentence names the user's function."""
    warnings: list[str] = field(default_factory=list)
    content: dict[str, str] = field(default_factory=dict)
    """`data` and `model`: hashes that every rank compares with its own; only for the user's own code."""
    train_examples: int | None = None
    parameters: int | None = None

    def wrong(self, text: str, key: str = "") -> None:
        self.problems.append((key, text))


def main(argv: list[str]) -> NoReturn:
    """Read the job, write the result."""
    job, out = json.loads(Path(argv[1]).read_text("utf-8")), Path(argv[2])
    # User code that reads a command line (argparse at import) must not read ours; the same holds on ranks.
    del sys.argv[1:]
    found = prove(job)
    write_whole(out, json.dumps(asdict(found)).encode())
    # Threads that the user's code has started may never end.
    leave(0)


def prove(job: dict[str, Any]) -> ProvedCode:
    """Load the data set and build the model; check those that are the user's own code."""
    from hvdsweep.training.keras_settings import prepare_keras
    from workloads.usercode import describe

    prepare_keras()
    found = ProvedCode()
    try:
        _prove(job, found)
    except UserError as error:
        for problem in error.problems:
            found.wrong(problem)
    except Exception as error:
        traceback.print_exc()
        found.wrong(f"{job['model']} on {job['dataset']}: {describe(error)}")
    return found


def _prove(job: dict[str, Any], found: ProvedCode) -> None:
    from hvdsweep.training.content import data_content, model_content
    from hvdsweep.training.data_behaviour import augment_problem, data_doubts, task_problem, type_problem
    from hvdsweep.training.keras_settings import changed_settings
    from workloads import usercode
    from workloads.datasets import load_dataset
    from workloads.tasks import TASKS

    own_data, own_model = ":" in job["dataset"], ":" in job["model"]

    def load() -> Any:
        return load_dataset(job["dataset"], job["dataset_options"], source=job["source"])

    began = time.monotonic()
    dataset = load()
    if own_model:
        usercode.find(job["model"], job["source"])
    if settings := changed_settings():
        found.wrong(
            f"{job['dataset'] if own_data else job['model']}: sets {' and '.join(settings)} for the whole process; set it inside "
            "the function that builds the model, or give its layers a dtype or data_format"
        )
    quick = time.monotonic() - began < TWICE_WITHIN
    found.train_examples = len(dataset.train)
    _check_asked(job, dataset, found)
    if own_data:
        found.warnings += data_doubts(job["dataset"], dataset)
        problem = augment_problem(job["dataset"], dataset)
        if problem is None and dataset.augment is not None:
            problem = type_problem(f"{job['dataset']}: augment", dataset, lambda x: _augmented(dataset, x))
        if problem is not None:
            found.wrong(problem)
            return
        found.content["data"] = usercode.call(job["dataset"], data_content, dataset)
    network = _network(job, dataset)
    if own_model and (problem := type_problem(job["model"], dataset, partial(network.model, training=False))):
        found.wrong(problem)
    if type(dataset.task) not in TASKS.values() and (problem := task_problem(job["dataset"], network)):
        found.wrong(problem)
    found.parameters = network.parameters
    _check_metrics(job, network, found)
    if own_model:
        _check_model(job, network, found)
    _check_metaparameters(job, network, found)
    with patch.dict(os.environ, ANOTHER_RANK):
        if own_data and quick and data_content(load()) != found.content["data"]:
            found.wrong(
                f"{job['dataset']}: gives other data when another rank calls it: seed what it draws inside the function (`rng "
                "= np.random.default_rng(0)`), and do not cut the data by rank (`x[rank::size]`): hvdsweep shares the batches "
                "out"
            )
        if "model" in found.content:
            again = _network(job, dataset)
            if {id(weight) for weight in again.weights} & {id(weight) for weight in network.weights}:
                found.wrong(
                    f"{job['model']}: uses the same layers or model in every call, so that a trial would start from what another "
                    "has trained; make them inside the function"
                )
            elif model_content(again) != found.content["model"]:
                found.wrong(
                    f"{job['model']}: gives another model, sets other weights or computes with other numbers when another rank "
                    "calls it: seed what it draws inside the function, or let layers draw it (add_weight); use neither clock nor "
                    "rank"
                )


def _augmented(dataset: Any, features: Any) -> Any:
    import tensorflow as tf

    return dataset.augment(features, tf.cast(tf.range(len(features)), tf.uint32))


def _network(job: dict[str, Any], dataset: Any) -> Any:
    from hvdsweep.training.network import Network

    return Network(dataset, job["model"], job["model_options"], job["source"])


def _check_asked(job: dict[str, Any], dataset: Any, found: ProvedCode) -> None:
    for split in job["splits"]:
        if split not in dataset.splits:
            found.wrong(
                f'"{split}" is listed, but {job["dataset"]} returns no {split} examples', "evaluation.splits"
            )
    larger = [size for size in job["batch_sizes"] if size > len(dataset.train)]
    if larger:
        found.warnings.append(
            f"studies.batch_sizes: {larger[0]} is more than the {len(dataset.train)} training examples of {job['dataset']}; "
            "one batch then holds examples more than once"
        )


def _check_metrics(job: dict[str, Any], network: Any, found: ProvedCode) -> None:
    """Check that the task measures the goal's metric."""
    from hvdsweep.sweep.messages import one_of
    from hvdsweep.training.trial_rows import Rows, call

    task, metric = network.dataset.task, job["goal"]["metric"]
    rows = Rows.of(network.dataset, network.granule)
    outputs, _ = call(network.model, rows, training=False)
    names = list(task.metrics(outputs, rows.labels))
    ranked = task.ranking(outputs, rows.labels)
    if ranked is not None:
        names += list(task.finish(*(part.numpy() for part in ranked)))
    split, _, name = metric.partition("/")
    if name not in names:
        known = [f"{split}/{one}" for one in names]
        text = f'"{metric}" is not measured on {job["dataset"]}; {one_of(metric, known)}'
        if "accuracy" in name:
            text += (
                ". Accuracy is 1 - classification_error: a goal of 95 % is classification_error below 0.05"
            )
        found.wrong(text, "goal.metric")


def _check_model(job: dict[str, Any], network: Any, found: ProvedCode) -> None:
    from hvdsweep.training.behaviour import behaviour_problems, is_own, without_influence
    from hvdsweep.training.content import model_content

    name, model = job["model"], network.model
    for problem in behaviour_problems(name, network):
        found.wrong(problem)
    if not found.problems:
        found.content["model"] = model_content(network)
        drawn = []
        for seed in (1, 1, 2):
            network.reset(seed)
            drawn.append([variable.numpy() for variable in model.weights])
        others = [v.path for v, one, two, _ in zip(model.weights, *drawn, strict=True) if (one != two).any()]
        if others:
            found.wrong(
                f"{name}: the initialiser of {others[0]} gives other values for the same seed; let it draw with keras.random "
                "and its attribute `seed`"
            )
        same = [v.path for v, one, _, other in zip(model.weights, *drawn, strict=True) if _given(one, other)]
        if same:
            found.warnings.append(
                f"{name}: {len(same)} of {len(model.weights)} weights ({', '.join(same[:3])}) have values of their own, from "
                "which every trial starts; the trial's seed draws the others"
            )
        if any(str(layer.compute_dtype) == "float16" for layer in model._flatten_layers()):
            found.warnings.append(
                f"{name}: computes in float16 without scaling the loss, so gradients below 6e-8 become 0; bfloat16 keeps them"
            )
        if idle := without_influence(model, network.dataset):
            found.warnings.append(
                f"{name}: {len(idle)} of {len(model.trainable_variables)} trainable weights have no influence on the output "
                f"({', '.join(idle[:3])})"
            )
    measuring = [method for method in ("test_step", "compute_metrics", "evaluate") if is_own(model, method)]
    if measuring:
        found.warnings.append(
            f"{name}: {type(model).__name__} has a {measuring[0]} of its own, which is not called: the task's metrics are "
            "measured"
        )
    if getattr(model, "compiled", False) and getattr(model, "optimizer", None) is not None:
        found.warnings.append(
            f"{name}: the model is compiled; its optimizer and loss are not used: the sweep's algorithms and the task's loss are"
        )


def _given(one: Any, other: Any) -> bool:
    """Whether a weight holds the same numbers for two seeds, and more than one number, or 0 and 1 (biases of gates)."""
    return bool(
        (one == other).all() and one.size and (one != one.flat[0]).any() and ((one != 0) & (one != 1)).any()
    )


def _check_metaparameters(job: dict[str, Any], network: Any, found: ProvedCode) -> None:
    """Check that something uses the metaparameters of [search]; searching them would otherwise be useless."""
    from hvdsweep.training.behaviour import unread_metaparameters

    if found.problems:
        return
    reasons = {
        "dropout": f"the model {job['model']} has no Dropout layer that follows it (keras.layers.Dropout does)",
        "label_smoothing": f"the loss of the task {network.dataset.task.name} does not",
    }
    for name in unread_metaparameters(network.model, network.dataset, set(job["metaparameters"])):
        found.wrong(f"is read by nothing: {reasons[name]}; leave it out", f"search.{name}")


if __name__ == "__main__":
    main(sys.argv)
