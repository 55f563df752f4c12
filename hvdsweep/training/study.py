"""A study as this rank trains it: traced once, then one trial after another through the same functions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hvdsweep.states import Status, StopReason
from hvdsweep.stopping import beaten_at
from hvdsweep.training.batches import Shuffle
from hvdsweep.training.checkpoints import Keeper, Resume, State
from hvdsweep.training.evaluation import Evaluator, RanksDisagree
from hvdsweep.training.loop import Chunk, Loop, LoopRules, Words
from hvdsweep.training.network import Network
from hvdsweep.training.noise import Estimates, Halves, estimated_at, layer_names
from hvdsweep.training.ranks import Ranks
from hvdsweep.training.step import Share
from workloads import stateless

CALL_SECONDS = 0.5
"""Longest time of one compiled call, so that requests to stop are noticed and losses reach the store."""
MOST_STEPS_A_CALL = 2000
TABLE_BYTES = 4 << 20
"""Most memory for the example indices of one call."""
STREAM_BYTES = 64 << 20
"""Most memory for a streamed block of several batches."""
COMPILE_FROM = 4000
"""From so many updates in a study, compiling its loop with XLA pays. Measured on one core: compiling takes 0.4 s longer
than tracing alone for a small network and saves 0.1 ms a step; both grow with the model. The rule uses the plan, never
a clock, so that a trial has the same bits whenever it is trained."""
EARLY_END = 0.25
"""Expected share of its budget that a trial trains if trials end at the goal or when beaten."""


@dataclass(frozen=True)
class End:
    """How a trial ended; `status` RUNNING means that it was interrupted because rank 0 was asked to."""

    status: Status
    reason: StopReason
    steps: int
    """Updates made, the diverging one included."""
    message: str | None
    train_seconds: float
    """Seconds inside compiled training calls since the trial began or resumed here, without tracing and compiling; 0 if
    no other call was timed."""


Measurements = Sequence[tuple[int, dict[str, float]]]
"""(updates made, metric -> value), in ascending order."""
Record = Callable[[int, npt.NDArray[np.float32], Measurements, Estimates], bool]
"""record(first_step, losses, measurements, noise) stores rank 0's results; True: interrupt the trial."""
Beaten = Callable[[], "int | None"]
"""The fewest steps in which another trial of the study has reached the goal so far; None if none has."""


class Study:
    """One batch size of one workload, ready to train on this rank."""

    def __init__(
        self,
        network: Network,
        ranks: Ranks,
        definition: dict[str, Any],
        names: tuple[str, ...],
        *,
        trials: int = 1,
    ) -> None:
        """`names`: the metaparameters of its trials. `trials`: planned number, which decides whether XLA pays."""
        self.network = network
        self.ranks = ranks
        self.definition = definition
        evaluation, goal = definition["evaluation"], definition["goal"]
        self.rules = LoopRules(
            batch_size=definition["batch_size"],
            steps=definition["steps"],
            every=evaluation["every"],
            loss_above=definition.get("infeasible", {}).get("loss_above"),
            goal=goal["value"],
            maximize=goal["maximize"],
            stop_at_goal=definition["stop"] != "budget",
        )
        self.at_start: bool = evaluation.get("at_start", True)
        micro_batch: int | None = definition.get("micro_batch")
        self.share = Share.of(
            self.rules.batch_size,
            ranks,
            micro_batch,
            network.granule,
            padded=not network.penalties.by_rows,
        )
        splits = tuple(evaluation["splits"])
        self.evaluation = network.shared(
            ("evaluation", splits, micro_batch),
            lambda: Evaluator(network, ranks, splits, per_pass=micro_batch),
        )
        self._in_loop = self.evaluation.in_loop
        self._streamed = not network.dataset.train.in_memory
        noise = definition.get("noise_scale", "")
        self.halves = (
            Halves.of(network, ranks, self.rules.batch_size, self.rules.every, micro_batch) if noise else None
        )
        noise = noise if self.halves else ""
        self.layers = layer_names(network) if noise == "layers" else [""]
        """The layers that the noise scale is estimated for; [""]: all weights together."""
        accumulate = self.share.passes > 1
        compiled = ranks.size == 1 and network.compiles and self._updates(trials) >= COMPILE_FROM
        algorithm, metric = definition["algorithm"], goal["metric"]
        self.loop = network.shared(
            ("loop", algorithm, names, splits, micro_batch, metric, accumulate, compiled, noise),
            lambda: Loop(
                network,
                ranks,
                algorithm,
                names,
                self.evaluation if self._in_loop else None,
                metric,
                accumulate=accumulate,
                compiled=compiled,
                noise=noise,
            ),
        )
        self.state = State(network.changing(algorithm))
        self.capacity = self._capacity()
        self._pace = 1
        self._next_pace = 1
        self._ends = self.rules.steps
        """Updates that the last limit which went round leaves a trial: a call need not prepare more."""
        self._verified = False

    def _updates(self, trials: int) -> float:
        """Expected number of updates in the study."""
        return trials * self.rules.steps * (EARLY_END if self.rules.stop_at_goal else 1.0)

    def _capacity(self) -> int:
        rules, rows = self.rules, len(self.share.rows)
        most = max(1, min(rules.steps, MOST_STEPS_A_CALL, TABLE_BYTES // (4 * rows)))
        if not self._in_loop:
            most = min(most, rules.every)
        if self._streamed:
            example_bytes = 4 * int(np.prod(self.network.dataset.input_shape))
            batch_bytes = example_bytes * rules.batch_size // self.ranks.size
            most = min(most, rules.every, 8, STREAM_BYTES // max(1, batch_bytes))
        return max(1, most)

    def train(
        self,
        trial: dict[str, Any],
        record: Record,
        beaten: Beaten,
        *,
        resume: Resume | None = None,
        keeper: Keeper | None = None,
    ) -> End:
        """Train one trial to its end, on every rank; only rank 0's `record`, `beaten` and `keeper` are used.

        `resume`: where the trial was interrupted, the same on every rank. Raises RanksDisagree, on every rank, if the
        ranks' weights differ.
        """
        seed: int = trial["seed"]
        rules = self.rules
        self.network.reset(seed)
        if resume is not None:
            self.state.restore(resume.content)
        if not self._verified:
            self._verify("before the first step of a study")
        metaparameters = self.loop.update.metaparameters(trial["metaparameters"])
        shuffle = Shuffle(len(self.network.dataset.train), seed)
        start = 0 if resume is None else resume.step
        done, timed, seconds, ask = start, 0, 0.0, False
        blocks = self._stream(shuffle, seed, done) if self._streamed else None
        if self.at_start and not done:
            measured = self.evaluation.measure()
            ask = record(1, np.empty(0, np.float32), [(0, measured)], [])
            if self._reached(measured):
                return End(Status.COMPLETE, StopReason.GOAL, 0, None, seconds)
        while done < rules.steps:
            began = time.perf_counter()
            rows, features, labels = self._next_block(blocks, shuffle, done)
            chunk = self.loop.run(
                features,
                labels,
                rows,
                self.share,
                rules,
                seed=seed,
                first_step=done,
                metaparameters=metaparameters,
                words=self._words(ask, beaten, keeper),
                capacity=self.capacity,
                noise=(self.halves, shuffle) if self.halves else None,
            )
            took = time.perf_counter() - began
            made = len(chunk.losses)
            if self._verified:
                seconds, timed = seconds + took, timed + made
            self._remember_pace(chunk.pace, took / max(made, 1))
            if chunk.limit:
                self._ends = rules.next_evaluation(chunk.limit - 1)
            first, done = done + 1, done + made
            measurements = self._measurements(chunk, done)
            noise = chunk.noise if self._in_loop else self._noise(chunk, shuffle, seed, done, metaparameters)
            ask = record(first, chunk.losses, measurements, noise)
            if not self._verified:
                self._verify("after the first step")
                self._verified = True
            status, reason = self._ended(chunk, measurements, done)
            if status is Status.RUNNING and chunk.kept:
                # Save only a state that all ranks share: resuming from another would hide that they differ.
                self._verify("at a checkpoint")
                if keeper is not None:
                    keeper.save(done, self.state.copy())
            if status is not Status.RUNNING or chunk.asked:
                message = self._divergence(chunk, done) if status is Status.INFEASIBLE else None
                # A study's first call also traces and compiles: its updates count at the speed of the others.
                return End(status, reason, done, message, seconds * (done - start) / timed if timed else 0.0)
        raise AssertionError("a trial ends at its budget at the latest")

    def _next_block(
        self, blocks: Iterator[tuple[Any, Any, npt.NDArray[np.int64]]] | None, shuffle: Shuffle, done: int
    ) -> tuple[npt.NDArray[np.int64], Any, Any]:
        """The rows of the updates that the next call may make, and the tensors that they index."""
        if blocks is not None:
            features, labels, rows = next(blocks)
            return rows, features, labels
        # A repeat has no limit and trains beyond it.
        end = self._ends if done < self._ends else self.rules.steps
        count = min(end - done, self.capacity, self._pace)
        if not self._in_loop:
            count = min(count, self.rules.next_evaluation(done) - done)
        return self._rows(shuffle, done, count), *self.network.train_tensors

    def _measurements(self, chunk: Chunk, done: int) -> Measurements:
        """The evaluations of a call, or the one that is due after it."""
        due = done == self.rules.steps or done % self.rules.every == 0
        if self._in_loop or not chunk.finite or not due:
            return chunk.measurements
        return [(done, self.evaluation.measure())]

    def _noise(self, chunk: Chunk, shuffle: Shuffle, seed: int, done: int, metaparameters: Any) -> Estimates:
        """The estimate of the noise scale that is due after a call, if evaluations are outside the loop."""
        before = (done - 1) // self.rules.every * self.rules.every
        if self.halves is None or not chunk.finite or done != self.rules.next_evaluation(done - 1):
            return []
        if not estimated_at([done], before):
            return []
        (rows,) = self.halves.rows(shuffle, [done])
        features, labels = self.network.train_tensors if not self._streamed else (None, None)
        if self._streamed:
            keys = augmentation_keys(seed, done, 1, self.halves.positions.ravel().astype(np.int64))
            blocks = self.network.dataset.train.features.blocks(iter([rows]), iter(keys))
            features, labels = next(iter(blocks))
            rows = np.arange(len(rows))
        assert self.loop.noise is not None
        return [
            (
                done,
                self.loop.noise.measure(features, labels, rows, self.halves, seed, done, metaparameters),
            )
        ]

    def _ended(self, chunk: Chunk, measurements: Measurements, done: int) -> tuple[Status, StopReason]:
        """Whether the trial has ended `done` updates after its start, and why: the same on every rank."""
        if not chunk.finite:
            return Status.INFEASIBLE, StopReason.DIVERGED
        measured_now = bool(measurements) and measurements[-1][0] == done
        if measured_now and self._reached(measurements[-1][1]):
            return Status.COMPLETE, StopReason.GOAL
        if done >= self.rules.steps:
            return Status.COMPLETE, StopReason.BUDGET
        if measured_now and chunk.limit is not None and done >= chunk.limit:
            return Status.COMPLETE, StopReason.BEATEN
        return Status.RUNNING, StopReason.NONE

    def _reached(self, measured: dict[str, float]) -> bool:
        """Whether trials stop at the goal and this measurement is beyond it, strictly."""
        if not self.rules.stop_at_goal:
            return False
        value = measured[self.definition["goal"]["metric"]]
        return value > self.rules.goal if self.rules.maximize else value < self.rules.goal

    def _words(self, ask: bool, beaten: Beaten, keeper: Keeper | None) -> Words | None:
        """What rank 0 passes into the next call; None on the other ranks."""
        if not self.ranks.is_first:
            return None
        best = beaten() if self.definition["stop"] == "beaten" else None
        margin: float = self.definition.get("margin", 0.0)
        limit = None if best is None else beaten_at(best, margin)
        return Words(ask, self._next_pace, limit, keeper is not None and keeper.due())

    def _rows(self, shuffle: Shuffle, done: int, count: int) -> npt.NDArray[np.int64]:
        positions = (done + np.arange(count))[:, None] * self.rules.batch_size + self.share.rows[None, :]
        return shuffle.at(positions)

    def _stream(
        self, shuffle: Shuffle, seed: int, start: int
    ) -> Iterator[tuple[Any, Any, npt.NDArray[np.int64]]]:
        """Blocks of a streamed set for the updates after `start`, made on demand; the stream reads ahead."""

        def counts() -> Iterator[tuple[int, int]]:
            done = start
            while done < self.rules.steps:
                count = min(self.rules.next_evaluation(done) - done, self.capacity)
                yield done, count
                done += count

        places = self.share.rows
        orders = (self._rows(shuffle, done, count).ravel() for done, count in counts())
        keys = (augmentation_keys(seed, done, count, places).ravel() for done, count in counts())
        stream = self.network.dataset.train.features
        for (_, count), (features, labels) in zip(counts(), stream.blocks(orders, keys), strict=True):
            yield features, labels, np.arange(count * len(places)).reshape(count, len(places))

    def _remember_pace(self, agreed: int, seconds_a_step: float) -> None:
        """Rank 0 proposes the number of updates for the call after the next; all ranks use the number that it sends."""
        self._pace = max(1, agreed)
        wanted = CALL_SECONDS / max(seconds_a_step, 1e-6)
        # At most ten times the last call, since the first one also pays for compilation.
        self._next_pace = int(max(1, min(wanted, self._pace * 10, MOST_STEPS_A_CALL)))

    def _verify(self, when: str) -> None:
        if self.ranks.size == 1:
            return
        mine = np.array([[self.network.fingerprint()]], np.int64)
        everyone = self.ranks.gather(mine, name="fingerprint").ravel()
        if len(set(everyone.tolist())) > 1:
            raise RanksDisagree(f"the ranks' weights differ {when}: fingerprints {everyone.tolist()}")

    def _divergence(self, chunk: Chunk, step: int) -> str:
        loss = float(chunk.losses[-1])
        above = self.rules.loss_above
        if not np.isfinite(loss):
            return f"the loss of step {step} is {loss}"
        if above is not None and loss > above:
            return f"the loss of step {step} is {loss:g}, above the sweep's infeasible.loss_above = {above:g}"
        return f"the weights are not finite after step {step}"


def augmentation_keys(
    seed: int, done: int, count: int, places: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint32]:
    """Keys of streamed examples' augmentation: uint32 [count, rows], from update `done` (0-based) on.

    They equal the keys that the graph derives for in-memory sets: from seed, update and row of the global batch.
    """
    scopes = (stateless.Scope(seed, done + i, places, {}) for i in range(count))
    return np.stack([stateless.row_keys(scope, stateless.AUGMENTATION, np) for scope in scopes])
