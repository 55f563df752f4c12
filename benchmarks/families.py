"""Seconds a training step takes, family by family, as ratios in one run on this machine.

    python benchmarks/families.py [--json FILE] [--seconds 2] [--rounds 5] [--only fc,lstm]

For every model family (the small presets' models, batch size 64, one rank) four programs take turns: hvdsweep's own training
loop as sweeps run it (rows of the shuffle, stateless dropout, checks for divergence, every loss recorded); the bare step, one
`tf.function` that gathers a batch and updates the weights of the same model; and `model.fit` of a plain Keras model of the same
architecture (keras.layers.Dropout, keras.layers.BatchNormalization), as Keras compiles it by default, and with `jit_compile` off
where that is faster. The ratio to `fit` is to the faster of the two.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import statistics
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.telling import parser_of

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from hvdsweep.training.network import Network
from hvdsweep.training.ranks import Ranks
from hvdsweep.training.study import Study
from hvdsweep.training.timing import Clock, endless
from workloads import architectures, catalogue, stateless
from workloads.datasets import load_dataset
from workloads.layers import apply_auxiliary
from workloads.models.noisy_quadratic import NoisyQuadratic, curvatures

BATCH = 64
TRIAL = {"learning_rate": 0.001, "momentum": 0.9}


class PlainQuadratic(NoisyQuadratic):
    """The noisy quadratic with random signs from Keras's own generator."""

    def __init__(self, dimension: int, **kwargs: Any) -> None:
        super().__init__(dimension, **kwargs)
        self.generator = keras.random.SeedGenerator(1)

    def call(self, inputs: Any, training: bool = False) -> Any:
        h = tf.constant(curvatures(self.dimension), tf.float32)
        w = self.w.value
        shape = (tf.shape(inputs)[0], self.dimension)
        signs = tf.where(keras.random.uniform(shape, seed=self.generator) < 0.5, -1.0, 1.0)
        noise = tf.linalg.matvec(signs, tf.sqrt(h) * w)
        return tf.stack([tf.zeros_like(noise) + 0.5 * tf.reduce_sum(h * tf.square(w)), noise], axis=1)


PLAIN = {
    "Dropout": keras.layers.Dropout,
    "GhostBatchNormalization": lambda ghost, keep: keras.layers.BatchNormalization(momentum=keep),
    "NoisyQuadratic": PlainQuadratic,
}
"""What stands in for our layers in the models that `fit` trains."""


def ours(dataset: Any, model: str, options: dict[str, Any]) -> Callable[[float], float]:
    """Seconds a step in the loop that trains the trials of a sweep."""
    definition = {
        "batch_size": BATCH,
        "steps": 1,
        "algorithm": "nesterov_momentum",
        "evaluation": {"every": 1, "splits": []},
        "goal": {"metric": "val/loss", "value": 0.0, "maximize": False},
        "micro_batch": None,
    }
    network = Network(dataset, model, options, None)
    study = Study(network, Ranks(), endless(definition), tuple(sorted(TRIAL)))

    def run(seconds: float) -> float:
        clock = Clock(seconds)
        study.train({"seed": 1, "metaparameters": TRIAL}, clock.record, lambda: None)
        assert clock.result is not None
        steps, taken = clock.result
        return taken / steps

    return run


def bare(dataset: Any, model: str, options: dict[str, Any]) -> Callable[[float], float]:
    """Seconds a step of the least program: gather a batch, gradient, update; compiled once, called once a step."""
    network = Network(dataset, model, options, None)
    x, y = tf.constant(dataset.train.features), tf.constant(dataset.train.labels)
    positions = tf.range(BATCH)

    @tf.function(jit_compile=network.compiles, autograph=False)
    def step(rows: Any, number: Any, eta: Any, gamma: Any) -> Any:
        inputs, labels = tf.gather(x, rows), tf.gather(y, rows)
        with stateless.scope(1, number, positions) as scope, tf.GradientTape() as tape:
            losses, weights = dataset.task.losses(network.model(inputs, training=True), labels)
            loss = tf.reduce_sum(losses) / tf.reduce_sum(weights)
        gradients = tape.gradient(loss, network.weights)
        for weight, velocity, gradient in zip(network.weights, network.velocities, gradients, strict=True):
            velocity.assign(gamma * velocity + gradient)
            weight.assign_sub(eta * (gradient + gamma * velocity))
        if scope.aux:
            apply_auxiliary(network.model, [total / BATCH for total in scope.aux])
        return loss

    draw = np.random.default_rng(1)
    eta, gamma = tf.constant(TRIAL["learning_rate"]), tf.constant(TRIAL["momentum"])

    def run(seconds: float) -> float:
        order, count, began, loss = draw.permutation(len(y)).astype(np.int32), 0, time.perf_counter(), None
        while (taken := time.perf_counter() - began) < seconds:
            start = count * BATCH % (len(y) - BATCH)
            loss = step(order[start : start + BATCH], tf.constant(count), eta, gamma)
            count += 1
        assert np.isfinite(float(loss))
        return taken / count

    return run


@contextlib.contextmanager
def plain_layers(family: Any) -> Iterator[None]:
    """The module of a family with Keras's own random layers instead of ours."""
    with contextlib.ExitStack() as stack:
        for name in PLAIN.keys() & vars(family).keys():
            stack.enter_context(mock.patch.object(family, name, PLAIN[name]))
        yield


def fit(dataset: Any, model: str, options: dict[str, Any], jit: bool | str) -> Callable[[float], float]:
    """Seconds a step of Keras's own loop."""
    chosen = architectures.resolve(model, options)
    family = importlib.import_module(f"workloads.models.{architectures.find(model).family}")
    with plain_layers(family):
        plain = family.build(chosen, dataset.input_shape, dataset.classes)
    if dataset.task.name == "noisy_quadratic":
        loss: Any = lambda labels, outputs: outputs[:, 0] + outputs[:, 1]  # noqa: E731
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(TRIAL["learning_rate"], TRIAL["momentum"], nesterov=True)
    plain.compile(optimizer=optimizer, loss=loss, jit_compile=jit)
    x, y = np.asarray(dataset.train.features), np.asarray(dataset.train.labels)
    steps = len(y) // BATCH
    x, y = x[: steps * BATCH], y[: steps * BATCH]

    def epochs(count: int) -> float:
        began = time.perf_counter()
        plain.fit(x, y, batch_size=BATCH, epochs=count, verbose=0)
        return (time.perf_counter() - began) / (count * steps)

    epochs(1)
    once = epochs(1)

    def run(seconds: float) -> float:
        return epochs(max(1, round(seconds / (once * steps))))

    return run


def family_figures(preset: Path, seconds: float, rounds: int) -> dict[str, float]:
    """Milliseconds a step, medians over rounds in which the programs take turns, and ratios of the medians."""
    said = tomllib.loads(preset.read_text())
    dataset = load_dataset(said["dataset"], said.get("dataset_options", {}))
    model, options = said["model"], said.get("model_options", {})
    programs = {
        "hvdsweep": ours(dataset, model, options),
        "bare step": bare(dataset, model, options),
        "fit": fit(dataset, model, options, "auto"),
        "fit without XLA": fit(dataset, model, options, False),
    }
    for run in programs.values():
        run(seconds / 4)
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds):
        for name, run in programs.items():
            times[name].append(run(seconds) * 1e3)
    figures = {f"{name}: ms a step": statistics.median(found) for name, found in times.items()}
    mine = figures["hvdsweep: ms a step"]
    figures["hvdsweep / bare step"] = mine / figures["bare step: ms a step"]
    figures["hvdsweep / fit"] = mine / min(figures["fit: ms a step"], figures["fit without XLA: ms a step"])
    return figures


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="families, separated by commas")
    options = parser.parse_args()
    presets = {n.removeprefix("small/"): p for n, p in catalogue.presets().items() if n.startswith("small/")}
    wanted = options.only.split(",") if options.only else list(presets)
    results: dict[str, dict[str, float]] = {}
    for name in wanted:
        results[name] = family_figures(presets[name], options.seconds, options.rounds)
        if len(results) == 1:
            print(f"{'':<18}" + "".join(f"{column:>26}" for column in results[name]))
        print(f"{name:<18}" + "".join(f"{value:>26.3f}" for value in results[name].values()), flush=True)
        keras.backend.clear_session()
        if options.json:
            known = json.loads(options.json.read_text()) if options.only and options.json.exists() else {}
            options.json.write_text(json.dumps({**known, **results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
