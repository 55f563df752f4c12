"""The yardstick of benchmarks/training.py: the same trials as fast as one would write them by hand, without hvdsweep.

A Keras model, TensorFlow's own stateless dropout, EVERY updates per compiled call, an evaluation after each, the learning rate
as a tensor so that nothing is traced twice; under XLA with one rank, with Horovod's grouped allreduce in the loop with more.
No manager, no store, no sharding of odd batches, no check for divergence, no check that ranks agree. It prints the seconds
from before the first trace to the end of the last trial as JSON.

    python benchmarks/bare_loop.py TRIALS STEPS THREADS [EVERY]        (or the same under horovodrun)
"""

from __future__ import annotations

import json
import os
import sys
import time

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import horovod.tensorflow as hvd
import keras
import numpy as np
import tensorflow as tf

from workloads.datasets import load_dataset

BATCH, EVERY = 64, int(sys.argv[4]) if len(sys.argv) > 4 else 20


def main() -> None:
    trials, steps, threads = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    hvd.init()
    data = load_dataset("digits")
    ranks, rank = hvd.size(), hvd.rank()
    share = BATCH // ranks
    began = time.perf_counter()
    inputs = keras.Input((64,))
    hidden = keras.layers.Dense(128, activation="relu")
    output = keras.layers.Dense(10)
    model = keras.Model(inputs, output(hidden(inputs)))
    weights = [variable.value for variable in model.trainable_variables]
    velocities = [tf.Variable(tf.zeros_like(weight)) for weight in weights]
    x, y = tf.constant(data.train.features.reshape(-1, 64)), tf.constant(data.train.labels)
    vx = tf.constant(data.val.features.reshape(-1, 64)[rank::ranks])
    vy = tf.constant(data.val.labels[rank::ranks])

    def forward(batch, seed=None):
        h = hidden(batch)
        if seed is not None:
            keep = tf.random.stateless_uniform(tf.shape(h), seed) >= 0.4
            h = tf.where(keep, h / 0.6, 0.0)
        return output(h)

    def updates(rows, eta, gamma, seed, first):
        losses = tf.zeros([EVERY])

        def update(i, losses):
            batch, labels = tf.gather(x, rows[i]), tf.gather(y, rows[i])
            with tf.GradientTape() as tape:
                logits = forward(batch, tf.stack([seed + rank, first + i]))
                per_example = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
                loss = tf.reduce_sum(per_example) / BATCH
            gradients = tape.gradient(loss, weights)
            if ranks > 1:
                *gradients, loss = hvd.grouped_allreduce([*gradients, loss], op=hvd.Sum, name="bare")
                gradients = [tf.ensure_shape(g, w.shape) for g, w in zip(gradients, weights, strict=True)]
                loss = tf.ensure_shape(loss, [])
            for weight, velocity, gradient in zip(weights, velocities, gradients, strict=True):
                velocity.assign(gamma * velocity + gradient)
                weight.assign_sub(eta * (gradient + gamma * velocity))
            return i + 1, tf.tensor_scatter_nd_update(losses, [[i]], [loss])

        return tf.while_loop(lambda i, _: i < EVERY, update, (0, losses))[1]

    def evaluate():
        logits = forward(vx)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(vy, logits)
        wrong = tf.cast(tf.argmax(logits, -1, output_type=vy.dtype) != vy, tf.float32)
        return tf.stack([tf.reduce_sum(losses), tf.reduce_sum(wrong)]) / len(data.val)

    updates = tf.function(updates, jit_compile=ranks == 1)
    evaluate = tf.function(evaluate, jit_compile=True)
    total = tf.function(lambda sums: hvd.allreduce(sums, op=hvd.Sum, name="bare.evaluation"))
    seconds = []
    for trial in range(trials):
        start = time.perf_counter()
        keras.utils.set_random_seed(trial)
        draw = np.random.default_rng(trial)
        for variable, weight in zip(model.trainable_variables, weights, strict=True):
            limit = np.sqrt(6 / sum(weight.shape)) if weight.shape.rank == 2 else 0.0
            variable.assign(draw.uniform(-limit, limit, weight.shape).astype("float32"))
        for velocity in velocities:
            velocity.assign(tf.zeros_like(velocity))
        epochs = -(-steps * BATCH // len(x))
        order = np.concatenate([draw.permutation(len(x)) for _ in range(epochs)])[: steps * BATCH]
        order = order.reshape(steps, BATCH)[:, rank * share : (rank + 1) * share].astype("int32")
        eta, gamma, seed = tf.constant(0.05), tf.constant(0.9), tf.constant(trial)
        recorded = []
        for first in range(0, steps, EVERY):
            losses = updates(order[first : first + EVERY], eta, gamma, seed, tf.constant(first))
            metrics = evaluate()
            if ranks > 1:
                metrics = total(metrics)
            recorded.append((losses.numpy(), metrics.numpy()))
        seconds.append(time.perf_counter() - start)
    if rank == 0:
        text = json.dumps({"seconds": time.perf_counter() - began, "median_trial": float(np.median(seconds))})
        print("RESULT " + text, flush=True)


if __name__ == "__main__":
    main()
