"""A gang: np ranks that train one trial after another until the store has no more for them.

Started on every rank by `horovodrun`. Rank 0 claims trials from the store and broadcasts them; each trial's end and the
next claim are one transaction. A gang without work waits outside any collective. Any failure that the ranks cannot
agree on ends the process: `horovodrun` then ends the other ranks, and the supervisor gives the trial to another gang.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hvdsweep import debug_log
from hvdsweep.repeats import FIRST_REPEAT
from hvdsweep.store.stages import BUILDING, COMPILING, Stages
from hvdsweep.training.agreement import agree
from hvdsweep.training.memory import is_short
from hvdsweep.training.rank import (
    ignore_stop_signals,
    join,
    redirect_output,
    run,
    watch_supervisor,
)
from hvdsweep.training.studies import TracedStudies

if TYPE_CHECKING:
    from hvdsweep.store.exchange import Claim, Reply
    from hvdsweep.store.writer import TrialWriter
    from hvdsweep.training.checkpoints import Keeper, Resume
    from hvdsweep.training.ranks import Ranks
    from hvdsweep.training.study import Study

log = logging.getLogger("hvdsweep.training.gang")

IDLE_SECONDS = 0.15
KEPT_STUDIES = 8
"""Studies that stay traced and compiled even when memory is short; otherwise all do."""
FLUSH_SECONDS = 1.0
"""Seconds between two commits of a running trial."""


def main(argv: list[str] | None = None) -> int:
    """Entry point of a rank; returns its exit code."""
    options = _parse(argv)
    ignore_stop_signals()
    # User code that reads a command line must not read this one.
    del sys.argv[1:]
    redirect_output(options.logs)
    debug_log.configure(os.environ.get(debug_log.VARIABLE))
    # The supervisor asks a hung gang for every thread's stack, in its log, before it ends the gang.
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    if options.supervisor:
        watch_supervisor(options.supervisor)
    stages = Stages(options.db, options.gang, active=os.environ.get("HOROVOD_RANK", "0") == "0")
    ranks = join(options.threads, stages)
    writer = None
    if ranks.is_first:
        from hvdsweep.store.writer import TrialWriter

        writer = TrialWriter(options.db, options.gang)
    print(f"rank {ranks.rank} of {ranks.size} on {socket.gethostname()}, pid {os.getpid()}", flush=True)
    with contextlib.ExitStack() as stack:
        if writer is not None:
            stack.callback(writer.close)
        Gang(ranks, writer, stages, db=options.db, checkpoint_every=options.checkpoint_every).work()
    return 0


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hvdsweep.training.gang", description=__doc__)
    parser.add_argument("--db", required=True)
    parser.add_argument("--sweep", type=int, required=True)
    parser.add_argument("--gang", type=int, required=True)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument(
        "--supervisor", default="", help="PID:START:BOOT@HOST of the process to live and die with"
    )
    parser.add_argument(
        "--threads", type=int, default=0, help="TensorFlow threads of this rank; 0 leaves it to TensorFlow"
    )
    parser.add_argument(
        "--checkpoint-every", type=float, default=0.0, help="seconds of training between checkpoints; 0: none"
    )
    return parser.parse_args(argv)


class Gang:
    """The loop of one rank: receive a message, act on it, report."""

    def __init__(
        self,
        ranks: Ranks,
        writer: TrialWriter | None,
        stages: Stages | None = None,
        *,
        db: str | os.PathLike[str] = "",
        checkpoint_every: float = 0.0,
    ) -> None:
        """`checkpoint_every`: seconds of training between two checkpoints of a trial, stored next to `db`; 0: none."""
        self._ranks = ranks
        self._db = db
        self._checkpoint_every = checkpoint_every
        self._stages = stages or Stages("", 0, active=False)
        self._writer = writer
        self._studies = TracedStudies(ranks)
        self._built: set[str] = set()
        """Definitions of the studies that are kept compiled, as rank 0 knows them."""
        self._refused: dict[str, str | None] = {}
        """Definition of a study -> why it cannot be trained (None: it can); the same on every rank."""

    def work(self) -> None:
        """Train claimed trials until the store asks to stop."""
        reply = self._writer.commit(None, claim=True) if self._writer else None
        while True:
            message = self._ranks.take(self._message(reply))
            if message["do"] == "stop":
                return
            if message["do"] == "wait":
                # Outside any collective: an idle gang may wait for a long time.
                time.sleep(IDLE_SECONDS)
                reply = self._writer.commit(None, claim=True) if self._writer else None
                continue
            reply = self._train(message, reply.claim if reply else None)

    def _message(self, reply: Reply | None) -> dict[str, Any] | None:
        """Rank 0's message to all ranks; None on the others."""
        if reply is None:
            return None
        claim = reply.claim
        if claim is None:
            return {"do": "stop" if reply.stop else "wait"}
        new = claim.definition_json not in self._built
        self._built.add(claim.definition_json)
        # Rank 0 decides for all ranks: one that rebuilds a study takes part in its checks again.
        forget = new and len(self._built) > KEPT_STUDIES and is_short()
        if forget:
            self._built = {claim.definition_json}
        return {
            "do": "train",
            "definition": claim.definition,
            "trial": {"seed": claim.seed, "metaparameters": claim.metaparameters},
            "trials": claim.target_trials,
            "new": new,
            "forget": forget,
            "resume": claim.checkpoint is not None,
        }

    def _train(self, message: dict[str, Any], claim: Claim | None) -> Reply | None:
        from hvdsweep.states import Status, StopReason

        if message["forget"]:
            log.info("memory is short: forgetting studies that were built before")
            self._studies.forget()
        names = tuple(sorted(message["trial"]["metaparameters"]))
        self._stages(BUILDING)
        study, failure = self._studies.get(message["definition"], names, trials=message["trials"])
        key = json.dumps(message["definition"], sort_keys=True)
        if message["new"]:
            self._refused[key] = agree(self._ranks, study, failure, message["definition"])
        if (refused := self._refused[key] or failure) is not None:
            steps = (claim.checkpoint or 0) if claim else 0
            return self._report(claim, None, Status.INCOMPLETE, StopReason.FAILED, steps, refused, None)
        assert study is not None
        log.info("trial %s: %s", claim.trial_id if claim else "of rank 0", message["trial"])
        resume = self._resume(study, claim) if message["resume"] else None
        self._stages(COMPILING)
        keeper = recorder = None
        if self._writer and claim:
            if self._checkpoint_every or claim.checkpoint is not None:
                from hvdsweep.training.checkpoints import Keeper

                keeper = Keeper(self._db, claim, self._checkpoint_every)
            done = resume.step if resume else 0
            recorder = Recorder(self._writer, claim, self._stages, keeper, done, study.layers)
        end = study.train(
            message["trial"],
            recorder.record if recorder else lambda first, losses, measurements, noise: False,
            self._beaten(claim),
            resume=resume,
            keeper=keeper,
        )
        log.info("trial ends %s (%s) after %d steps", end.status.name, end.reason.name, end.steps)
        if end.status is Status.RUNNING:
            if self._writer and recorder:
                recorder.release(end.steps)
                return self._writer.commit(None, claim=True)
            return None
        return self._report(
            claim, recorder, end.status, end.reason, end.steps, end.message, end.train_seconds
        )

    def _resume(self, study: Study, claim: Claim | None) -> Resume | None:
        """Where the trial resumes, on every rank; None if its checkpoint is refused. A collective."""
        from hvdsweep.store.checkpoints import Refused
        from hvdsweep.training.checkpoints import Resume, loaded

        content = answer = None
        if claim is not None and self._writer is not None:
            try:
                content = loaded(self._db, claim, study.state)
            except Refused as why:
                self._writer.begin_again(
                    claim.trial_id,
                    f"trial {claim.number}: its checkpoint at step {claim.checkpoint:,} {why}: it begins at its first step",
                )
            else:
                self._writer.note(
                    claim.trial_id, f"trial {claim.number} resumes at step {claim.checkpoint:,}"
                )
            answer = {"step": 0 if content is None else claim.checkpoint}
        step: int = self._ranks.take(answer)["step"]
        return Resume(step, self._ranks.share(content, study.state.size)) if step else None

    def _report(
        self,
        claim: Claim | None,
        recorder: Recorder | None,
        status: Any,
        reason: Any,
        steps: int,
        message: str | None,
        train_seconds: float | None,
    ) -> Reply | None:
        if self._writer is None or claim is None:
            return None
        from hvdsweep.store.exchange import Final, TrialUpdate

        final = Final(status, reason, message, train_seconds)
        if recorder is None:
            update = TrialUpdate(claim.trial_id, losses=np.empty(0, np.float32), steps=steps, final=final)
        else:
            update = recorder.update(steps, final)
        reply = self._writer.commit(update, claim=True)
        if recorder is not None and not reply.lost:
            recorder.clear()
        return reply

    def _beaten(self, claim: Claim | None) -> Callable[[], int | None]:
        writer = self._writer
        if writer is None or claim is None or claim.number >= FIRST_REPEAT:
            # A repeat runs to its end, however fast other trials are.
            return lambda: None
        goal = claim.definition["goal"]
        return lambda: writer.best_steps_to_goal(
            claim.study_id, goal["metric"], goal["value"], goal["maximize"]
        )


class Recorder:
    """What rank 0 holds of a running trial between two commits."""

    def __init__(
        self,
        writer: TrialWriter,
        claim: Claim,
        stages: Stages,
        keeper: Keeper | None = None,
        done: int = 0,
        layers: Sequence[str] = ("",),
    ) -> None:
        """`done`: updates the trial had made when this gang started it; `layers`: names of the layers that the noise
        scale is estimated for."""
        self._writer = writer
        self._layers = layers
        self._noise: list[tuple[int, str, float, float]] = []
        self._stages = stages
        self._claim = claim
        self._keeper = keeper
        self._first_step = done + 1
        self._losses: list[npt.NDArray[np.float32]] = []
        self._measurements: list[tuple[int, dict[str, float]]] = []
        self._flushed = time.monotonic()

    def record(
        self,
        first_step: int,
        losses: npt.NDArray[np.float32],
        measurements: Sequence[tuple[int, dict[str, float]]],
        noise: Sequence[tuple[int, npt.NDArray[np.float64]]] = (),
    ) -> bool:
        """Keep these, and commit once a second. True if the store asks to interrupt the trial."""
        if len(losses):
            self._losses.append(losses)
            self._stages.first_step()
        self._measurements += measurements
        for step, (squares, traces) in noise:
            layers = zip(self._layers, squares.tolist(), traces.tolist(), strict=True)
            self._noise += [(step, *estimate) for estimate in layers]
            if len(self._layers) > 1:
                self._noise.append((step, "", float(squares.sum()), float(traces.sum())))
        now = time.monotonic()
        if now - self._flushed < FLUSH_SECONDS:
            return False
        self._flushed = now
        steps = first_step - 1 + len(losses)
        update = self.update(steps, None)
        reply = self._writer.commit(update, claim=False)
        if not reply.lost:
            self._kept(update)
        return reply.stop

    def release(self, steps: int) -> None:
        """Return the trial to the queue, interrupted after `steps` updates, with its checkpoint."""
        if self._keeper is not None:
            self._keeper.wait()
        update = self.update(steps, None)
        if self._writer.release(self._claim.trial_id, update):
            self._kept(update)

    def clear(self) -> None:
        """The trial has ended: remove its checkpoints."""
        if self._keeper is not None:
            self._keeper.clear()

    def _kept(self, update: Any) -> None:
        """Once a newer checkpoint is in the store, remove the older ones."""
        if self._keeper is None:
            return
        if update.checkpoint is not None:
            self._keeper.clear(but=update.checkpoint[0])
        if problem := self._keeper.take_problem():
            self._writer.note(self._claim.trial_id, problem)

    def update(self, steps: int, final: Any) -> Any:
        """Everything collected, as one update; clears it here."""
        from hvdsweep.store.exchange import TrialUpdate

        losses = np.concatenate(self._losses) if self._losses else np.empty(0, np.float32)
        update = TrialUpdate(
            self._claim.trial_id,
            first_step=self._first_step,
            losses=losses,
            measurements=self._measurements,
            noise=self._noise,
            steps=steps,
            final=final,
            checkpoint=self._keeper.take() if self._keeper and final is None else None,
        )
        self._first_step += len(losses)
        self._losses, self._measurements, self._noise = [], [], []
        return update


if __name__ == "__main__":
    run(main)
