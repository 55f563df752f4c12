"""Many updates, and the evaluations between them, in one compiled call.

A call costs one to two milliseconds, a step of a small model a tenth of one. So a call covers as many updates and
evaluations as fit half a second. It ends early if the goal is reached, the trial is beaten, or its loss or weights are
not finite. What ends a call is computed from numbers that all ranks share, so all ranks end it at the same step.

A traced loop serves every batch size of a network and an algorithm: all that differs between studies is an argument.
XLA, which needs fixed shapes, compiles it again for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from hvdsweep.training.batches import Shuffle
from hvdsweep.training.evaluation import AGREEMENT, Evaluator
from hvdsweep.training.network import Network
from hvdsweep.training.noise import Estimates, Halves, NoiseEstimator, Probes, most_estimates
from hvdsweep.training.ranks import Ranks
from hvdsweep.training.step import Batch, Share, Update

NEVER = 2**24 - 1
"""A number of steps that no call makes, and that a float32 holds exactly."""


@dataclass(frozen=True)
class LoopRules:
    """What a study's loop evaluates, and when it ends; the same for all its trials."""

    batch_size: int
    steps: int
    """Updates in a trial's budget."""
    every: int
    """Updates between two evaluations; there is also one after the last update."""
    loss_above: float | None
    """A training loss above this is a divergence."""
    goal: float
    maximize: bool
    stop_at_goal: bool

    def next_evaluation(self, done: int) -> int:
        """The number of updates at the first evaluation after `done`."""
        return min((done // self.every + 1) * self.every, self.steps)

    def evaluations(self, done: int, updates: int) -> list[int]:
        """The numbers of updates at which evaluations happen within the `updates` after `done`."""
        last = min(done + updates, self.steps)
        found = list(range((done // self.every + 1) * self.every, last + 1, self.every))
        return [*found, self.steps] if last == self.steps and found[-1:] != [last] else found


@dataclass(frozen=True)
class Chunk:
    """The result of one call."""

    losses: npt.NDArray[np.float32]
    """Mean loss over the global batch of each update made, before that update."""
    finite: bool
    """Whether loss and all weights were finite after the last update; a call ends when they are not."""
    measurements: list[tuple[int, dict[str, float]]]
    """(updates made so far, metric -> value) for each evaluation in the call."""
    noise: Estimates
    """Estimates of the gradient noise scale, taken with the evaluations."""
    asked: bool
    """Whether rank 0 asked the gang to interrupt this trial."""
    kept: bool
    """Whether rank 0 makes a checkpoint after this call."""
    pace: int
    """Updates that rank 0 wants in the next call."""
    limit: int | None
    """The trial is beaten at the first evaluation after so many updates; rank 0's value, on every rank."""


@dataclass(frozen=True)
class Words:
    """What rank 0 sends to all ranks with the gradients of a call."""

    ask: bool = False
    """Interrupt this trial."""
    pace: int = 0
    """Updates in the next call."""
    limit: int | None = None
    """Updates after which the trial counts as beaten; None: never."""
    keep: bool = False
    """Make a checkpoint after this call; implied by `ask`."""

    def tensor(self, first_step: int) -> npt.NDArray[np.float32]:
        """float32 [3]; the limit counts from `first_step`, so that it is exact in a float32."""
        limit = NEVER if self.limit is None else min(max(self.limit - first_step, 0), NEVER)
        return np.array([2 if self.ask else int(self.keep), self.pace, limit], np.float32)


class Loop:
    """The compiled loop of one network and one algorithm."""

    def __init__(
        self,
        network: Network,
        ranks: Ranks,
        algorithm: str,
        names: tuple[str, ...],
        evaluation: Evaluator | None,
        metric: str,
        *,
        accumulate: bool,
        compiled: bool,
        noise: str = "",
    ) -> None:
        """`evaluation`: what is evaluated inside the loop (None: nothing); `metric` is the goal's. `accumulate`:
        whether a rank's share takes several passes. `compiled`: whether XLA compiles the loop. `noise`: estimate the
        gradient noise scale for all weights together ("model"), for each layer ("layers"), or not at all (empty)."""
        self.network = network
        self.ranks = ranks
        self.update = Update(network, ranks, algorithm, names, accumulate=accumulate)
        self.noise = NoiseEstimator(self.update, by_layer=noise == "layers") if noise else None
        self._probes = self.noise if evaluation is not None else None
        """The noise estimator, if the estimates are made inside the loop."""
        self.evaluation = evaluation
        self._metric = metric
        self.compiled = compiled
        self._called = False
        self._call = self._function()

    def _function(self) -> Any:
        signature = None if self._fixed_shapes else self._signature()
        return tf.function(
            self._run,
            input_signature=signature,
            jit_compile=self.compiled,
            autograph=False,
        )

    @property
    def _fixed_shapes(self) -> bool:
        """Whether shapes are traced as given: the user's own model may read its batch's static shape."""
        return self.network.own or not self.network.dataset.train.in_memory

    def _signature(self) -> list[Any]:
        features, labels = (
            tf.TensorSpec((None, *data.shape[1:]), data.dtype) for data in self.network.train_tensors
        )
        return [
            features,
            labels,
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((None, None), tf.bool),
            tf.TensorSpec((6,), tf.int32),
            tf.TensorSpec((len(self.update.names),), tf.float32),
            tf.TensorSpec((3,), tf.float64),
            tf.TensorSpec((3,), tf.float32),
            tf.TensorSpec((None,), tf.int32),
            *([tf.TensorSpec((None,), tf.int32)] if self._probes else []),
            *([tf.TensorSpec((None, None), tf.int32)] * 2 if self._probes else []),
            *([tf.TensorSpec((None, None), tf.bool)] if self._probes else []),
        ]

    def run(
        self,
        features: Any,
        labels: Any,
        rows: npt.NDArray[np.int64],
        share: Share,
        rules: LoopRules,
        *,
        seed: int,
        first_step: int,
        metaparameters: Any,
        words: Words | None,
        capacity: int,
        noise: tuple[Halves, Shuffle] | None = None,
    ) -> Chunk:
        """Make at most `len(rows)` updates, the first of them number `first_step + 1`.

        `rows` [n, share] index the examples of `features` and `labels`; n is at most `capacity`, the length that XLA is
        compiled for. `words`: rank 0's; None on the others. `noise`: what the noise scale is estimated on, if at all.
        """
        count = len(rows)
        room = capacity if self.compiled or self._fixed_shapes else count
        table = np.zeros((room, rows.shape[1]), np.int32)
        table[:count] = rows
        probes: Probes | None = None
        arrays: tuple[Any, ...] = ()
        if self._probes is not None and noise is not None:
            last = first_step // rules.every * rules.every
            most = most_estimates(room, rules.every)
            probes = Probes.of(*noise, rules.evaluations(first_step, count), last, most)
            arrays = (probes.after(first_step), probes.rows, noise[0].positions, noise[0].real)
        arguments = (
            features,
            labels,
            table,
            share.rows.reshape(share.layout).astype(np.int32),
            share.real.reshape(share.layout),
            np.array([count, first_step, seed, rules.every, rules.steps, rules.batch_size], np.int32),
            metaparameters,
            _thresholds(rules),
            np.zeros(3, np.float32) if words is None else words.tensor(first_step),
            np.zeros(room // rules.every + 2 if self.evaluation else 0, np.int32),
            *arrays,
        )
        try:
            results = self._call(*arguments)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
            # Some operations of a user's model do not compile under XLA. Compilation fails before anything has run.
            if self._called or not self.compiled:
                raise
            print(
                f"XLA cannot compile this model, training without it: {str(error).splitlines()[0]}",
                flush=True,
            )
            self.compiled = False
            self._call = self._function()
            results = self._call(*arguments)
        self._called = True
        made, losses, finite, evaluated, measured, heard, *sums = (result.numpy() for result in results)
        estimates = probes.estimates(first_step + int(made), finite, *sums) if probes else []
        return self._chunk(
            int(made), losses, bool(finite), measured[: int(evaluated)], heard, first_step, rules, estimates
        )

    def _chunk(
        self,
        made: int,
        losses: npt.NDArray[np.float32],
        finite: bool,
        measured: npt.NDArray[np.float64],
        heard: npt.NDArray[np.float32],
        first_step: int,
        rules: LoopRules,
        noise: Estimates,
    ) -> Chunk:
        measurements: list[tuple[int, dict[str, float]]] = []
        for step, row in zip(rules.evaluations(first_step, made), measured, strict=False):
            assert self.evaluation is not None
            measurements.append((step, self.evaluation.checked(row)))
        relative = int(heard[2])
        return Chunk(
            losses[:made],
            finite,
            measurements,
            noise,
            asked=bool(heard[0] > 1),
            kept=bool(heard[0] > 0),
            pace=int(heard[1]),
            limit=None if relative >= NEVER else first_step + relative,
        )

    def _run(
        self,
        features: Any,
        labels: Any,
        table: Any,
        positions: Any,
        real: Any,
        counts: Any,
        metaparameters: Any,
        thresholds: Any,
        words: Any,
        places: Any,
        *probes: Any,
    ) -> Any:
        """(updates made, losses, whether all stayed finite, evaluations made, their rows, the words received[, the sums of
        the noise scale's estimates])."""
        count, first_step, seed, every, steps, batch_size = tf.unstack(counts, num=6)
        layout = positions.shape if self._fixed_shapes else tf.shape(positions)
        room = tf.shape(table)[0]
        width = AGREEMENT + (len(self._names()) if self.evaluation else 0)

        def body(index: Any, losses: Any, _: Any, evaluated: Any, measured: Any, __: Any, ___: Any) -> Any:
            batch = Batch(features, labels, tf.reshape(table[index], layout), positions, real, batch_size)
            loss, finite, heard = self.update.apply(batch, seed, first_step + index, metaparameters, words)
            losses = tf.tensor_scatter_nd_update(losses, [[index]], [loss])
            finite &= tf.cast(loss, tf.float64) <= thresholds[0]
            done = first_step + index + 1
            going = finite
            if self.evaluation is not None:
                due = finite & ((done % every == 0) | (done >= steps))
                evaluated, measured, ended = tf.cond(
                    due,
                    lambda: self._evaluate(evaluated, measured, thresholds, heard, index + 1),
                    lambda: (evaluated, measured, tf.constant(False)),
                )
                going &= ~ended
            return index + 1, losses, finite, evaluated, measured, heard, going

        def updates(until: Any, *state: Any) -> Any:
            return tf.while_loop(lambda index, *rest: (index < until) & rest[-1], body, state)

        state = (
            0,
            tf.zeros([room]),
            tf.constant(True),
            0,
            tf.zeros([tf.shape(places)[0], width], tf.float64),
            tf.zeros([3]),
            tf.constant(True),
        )
        estimator = self._probes
        if estimator is None:
            return updates(count, *state)[:-1]
        ends, examples, probe_positions, probe_real = probes
        called = tf.function(updates, autograph=False, experimental_attributes={"_noinline": True})

        def estimate(number: Any, done: Any) -> Any:
            rows = tf.reshape(tf.gather(examples, number), tf.shape(probe_positions))
            batch = Batch(features, labels, rows, probe_positions, probe_real, batch_size)
            return estimator.traced(batch, seed, done, metaparameters)

        def stretch(number: Any, sums: Any, *state: Any) -> Any:
            """The updates until the next estimate, and it."""
            state = called(tf.minimum(ends[number], count), *state)
            index, finite = state[0], state[2]
            found = tf.cond(
                (index == ends[number]) & finite,
                lambda: estimate(number, first_step + index),
                lambda: tf.zeros([estimator.width], tf.float64),
            )
            # The next updates change the weights, so they wait.
            with tf.control_dependencies([found]):
                state = tuple(tf.identity(value) for value in state)
            return number + 1, tf.tensor_scatter_nd_update(sums, [[number]], [found]), *state

        # An estimate in the loop of the updates would cost time in each of them, even where none is due. That loop is a function
        # of its own: in the graph of the outer one it is not optimised, which made the step of a ResNet a tenth longer.
        none = tf.zeros([tf.shape(ends)[0], estimator.width], tf.float64)
        _, sums, *state = tf.while_loop(
            lambda _, __, index, *rest: (index < count) & rest[-1], stretch, (0, none, *state)
        )
        return *state[:-1], sums

    def _evaluate(self, evaluated: Any, measured: Any, thresholds: Any, heard: Any, since: Any) -> Any:
        """One evaluation in the loop. Returns whether it ends the call: the goal is reached, or the trial is beaten."""
        assert self.evaluation is not None
        row = self.evaluation.traced()
        measured = tf.tensor_scatter_nd_update(measured, [[evaluated]], [row])
        ended = tf.cast(since, tf.float32) >= heard[2]
        if self._metric in self.evaluation.names:
            value = row[AGREEMENT + self.evaluation.names.index(self._metric)]
            # thresholds: [loss above, goal, direction]; a direction of 0 never stops.
            ended |= (value - thresholds[1]) * thresholds[2] > 0.0
        return evaluated + 1, measured, ended

    def _names(self) -> tuple[str, ...]:
        """The metrics of the evaluation; traces it separately if that has not been done yet."""
        assert self.evaluation is not None
        if not self.evaluation.names:
            tf.function(self.evaluation.traced, autograph=False).get_concrete_function()
        return self.evaluation.names


def _thresholds(rules: LoopRules) -> npt.NDArray[np.float64]:
    above = np.inf if rules.loss_above is None else rules.loss_above
    direction = 0.0 if not rules.stop_at_goal else 1.0 if rules.maximize else -1.0
    return np.array([above, rules.goal, direction], np.float64)
