"""A study as this rank trains it: everything compiled once, then one trial after another through the same functions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from hvdsweep.states import Status, StopReason
from hvdsweep.training.batches import Shuffle
from hvdsweep.training.evaluation import Evaluation, RanksDisagree
from hvdsweep.training.network import Network
from hvdsweep.training.ranks import Ranks
from hvdsweep.training.step import TrainStep
from workloads import stateless

CHUNK_SECONDS = 0.5
"""One compiled call should take no longer than this, so that a request to stop is heard and losses reach the store."""
MOST_STEPS_A_CALL = 500
STREAM_BYTES = 64 << 20
"""A streamed block of several batches takes at most this much memory."""


@dataclass
class Progress:
    """What a trial has produced since it was last recorded."""

    first_step: int = 1
    losses: list[npt.NDArray[np.float32]] = field(default_factory=list)
    measurements: list[tuple[int, dict[str, float]]] = field(default_factory=list)


@dataclass(frozen=True)
class End:
    """How a trial ended; None as a reason of `status` RUNNING means that it was asked to give way."""

    status: Status
    reason: StopReason
    steps: int
    """Updates made, the diverging one included."""
    message: str | None
    train_seconds: float
    """Seconds inside compiled training calls."""


Record = Callable[[int, npt.NDArray[np.float32], "tuple[int, dict[str, float]] | None"], bool]
"""record(first_step, losses, measurement) keeps what rank 0 saw; True asks the gang to give the trial back."""
Beaten = Callable[[], "int | None"]
"""The fewest steps in which another trial of the study has reached the goal, so far."""


class Study:
    """One batch size of one workload, compiled for this rank."""

    def __init__(
        self, network: Network, ranks: Ranks, definition: dict[str, Any], names: tuple[str, ...]
    ) -> None:
        self.network = network
        self.ranks = ranks
        self.definition = definition
        self.batch_size: int = definition["batch_size"]
        self.steps: int = definition["steps"]
        evaluation = definition["evaluation"]
        self.every: int = evaluation["every"]
        self.at_start: bool = evaluation.get("at_start", True)
        micro_batch: int | None = definition.get("micro_batch")
        self.evaluation = Evaluation(network, ranks, evaluation["splits"], per_pass=micro_batch)
        train = network.dataset.train
        self._streamed = not isinstance(train.features, np.ndarray)
        self.train_step = TrainStep(
            network,
            ranks,
            self.batch_size,
            definition["algorithm"],
            micro_batch=micro_batch,
            capacity=self._capacity(train),
            metaparameters=names,
        )
        if not self._streamed:
            self._features, self._labels = tf.constant(train.features), tf.constant(train.labels)
        self._pace = 1
        self._verified = False

    def _capacity(self, train: Any) -> int:
        most = max(1, min(self.every, self.steps, MOST_STEPS_A_CALL))
        if not self._streamed:
            return most
        info = self.network.dataset
        example_bytes = 4 * int(np.prod(info.input_shape))
        return max(
            1, min(most, 8, STREAM_BYTES // max(1, example_bytes * self.batch_size // self.ranks.size))
        )

    def train(self, trial: dict[str, Any], record: Record, beaten: Beaten) -> End:
        """Train one trial to its end. The same on every rank; only rank 0's `record` and `beaten` have an effect."""
        seed: int = trial["seed"]
        self.network.reset(seed)
        if not self._verified:
            self._verify("before the first step")
        metaparameters = self.train_step.metaparameters(trial["metaparameters"])
        shuffle = Shuffle(len(self.network.dataset.train), seed)
        blocks = self._stream(shuffle, seed) if self._streamed else None
        limit = self.definition.get("infeasible", {}).get("loss_above")
        done, seconds = 0, 0.0
        if self.at_start:
            reached = self._evaluate(0, record, np.empty(0, np.float32), 1)
            if reached is not None:
                return End(Status.COMPLETE, reached, 0, None, seconds)
        ask = 0.0
        while done < self.steps:
            due = min((done // self.every + 1) * self.every, self.steps)
            count = min(due - done, self.train_step.capacity, self._pace if not self._streamed else due)
            began = time.perf_counter()
            if blocks is None:
                features, labels, rows = self._features, self._labels, self._rows(shuffle, done, count)
            else:
                features, labels, rows = next(blocks)
            chunk = self.train_step.run(
                features,
                labels,
                rows,
                seed=seed,
                first_step=done,
                metaparameters=metaparameters,
                ask=ask,
                pace=self._wanted_pace(),
            )
            took = time.perf_counter() - began
            seconds += took
            self._remember_pace(chunk.pace, took / count)
            first, done = done + 1, done + count
            lost = _first_divergence(chunk.losses, chunk.finite, limit)
            if lost is not None:
                record(first, chunk.losses[: lost + 1], None)
                step = first + lost
                return End(
                    Status.INFEASIBLE,
                    StopReason.DIVERGED,
                    step,
                    _divergence(chunk, lost, step, limit),
                    seconds,
                )
            if chunk.asked > 0:
                return End(Status.RUNNING, StopReason.NONE, done, None, seconds)
            if not self._verified:
                self._verify("after the first step")
                self._verified = True
            if done == due:
                reached = self._evaluate(done, record, chunk.losses, first)
                if reached is not None and (done < self.steps or reached is StopReason.GOAL):
                    return End(Status.COMPLETE, reached, done, None, seconds)
                ask = self._asked
                if self.definition["stop"] == "beaten" and done < self.steps:
                    best = beaten()
                    hopeless = best is not None and best <= done
                    # Rank 0 alone knows; the others hear it with the next call's gradients, or here where that is cheap.
                    if self.ranks.any(hopeless, name="beaten"):
                        return End(Status.COMPLETE, StopReason.BEATEN, done, None, seconds)
            else:
                ask = float(record(first, chunk.losses, None))
        return End(Status.COMPLETE, StopReason.BUDGET, self.steps, None, seconds)

    def _evaluate(
        self, step: int, record: Record, losses: npt.NDArray[np.float32], first: int
    ) -> StopReason | None:
        """Measure every split after `step` updates; GOAL where the sweep stops at its goal and this is it."""
        measured = self.evaluation.measure()
        self._asked = float(record(first, losses, (step, measured)))
        goal = self.definition["goal"]
        if self.definition["stop"] == "budget":
            return None
        value = measured[goal["metric"]]
        better = value > goal["value"] if goal["maximize"] else value < goal["value"]
        return StopReason.GOAL if better else None

    def _rows(self, shuffle: Shuffle, done: int, count: int) -> npt.NDArray[np.int64]:
        positions = (done + np.arange(count))[:, None] * self.batch_size + self.train_step.share.rows[None, :]
        return shuffle.at(positions)

    def _stream(self, shuffle: Shuffle, seed: int) -> Iterator[tuple[Any, Any, npt.NDArray[np.int64]]]:
        """Blocks of a streamed set in the order training asks for them; the stream reads ahead."""

        def counts() -> Iterator[tuple[int, int]]:
            done = 0
            while done < self.steps:
                due = min((done // self.every + 1) * self.every, self.steps)
                count = min(due - done, self.train_step.capacity)
                yield done, count
                done += count

        places = self.train_step.share.rows
        orders = (self._rows(shuffle, done, count).ravel() for done, count in counts())
        keys = (augmentation_keys(seed, done, count, places).ravel() for done, count in counts())
        stream = self.network.dataset.train.features
        for (_, count), (features, labels) in zip(counts(), stream.blocks(orders, keys), strict=True):
            yield features, labels, np.arange(count * len(places)).reshape(count, len(places))

    def _wanted_pace(self) -> int:
        return self._next_pace if self.ranks.is_first else 0

    _next_pace = 1
    _asked = 0.0

    def _remember_pace(self, agreed: int, seconds_a_step: float) -> None:
        """Rank 0 proposes how many updates the call after the next makes; all take the number that went round."""
        self._pace = max(1, agreed)
        wanted = CHUNK_SECONDS / max(seconds_a_step, 1e-6)
        # At most tenfold a call, since the first one also pays for compilation.
        self._next_pace = int(max(1, min(wanted, self._pace * 10, MOST_STEPS_A_CALL)))

    def _verify(self, when: str) -> None:
        mine = np.array([[self.network.fingerprint()]], np.int64)
        everyone = self.ranks.gather(mine, name="fingerprint").ravel()
        if len(set(everyone.tolist())) > 1:
            raise RanksDisagree(
                f"the ranks' weights differ {when} of a study: fingerprints {everyone.tolist()}"
            )


def augmentation_keys(
    seed: int, done: int, count: int, places: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint32]:
    """What a streamed example's augmentation is drawn from: uint32 [count, rows] for updates `done` (0-based) and on.

    They are the keys that the graph derives for sets in memory: of the seed, the update and the row of the global batch.
    """
    scopes = (stateless.Scope(seed, done + i, places, {}) for i in range(count))
    return np.stack([stateless.row_keys(scope, stateless.AUGMENTATION, np) for scope in scopes])


def _first_divergence(
    losses: npt.NDArray[np.float32], finite: npt.NDArray[np.bool_], limit: float | None
) -> int | None:
    bad = ~finite | ~np.isfinite(losses)
    if limit is not None:
        bad |= losses > limit
    return int(np.argmax(bad)) if bad.any() else None


def _divergence(chunk: Any, lost: int, step: int, limit: float | None) -> str:
    loss = float(chunk.losses[lost])
    if not np.isfinite(loss):
        return f"the loss of step {step} is {loss}"
    if not chunk.finite[lost]:
        return f"the weights are not finite after step {step}"
    return f"the loss of step {step} is {loss:g}, above the sweep's infeasible.loss_above = {limit:g}"
