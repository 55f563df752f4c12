"""A gang: np ranks that train one trial after another until the store has no more for them.

Started on every rank by `horovodrun`. Rank 0 claims trials from the store and tells the others; each trial's end and the next
claim are one transaction. A gang without work waits outside any collective. Any failure that the ranks cannot agree on ends
the process: `horovodrun` then ends the others, and the supervisor gives the trial to another gang.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from hvdsweep.store.writer import Claim, Reply, TrialWriter
    from hvdsweep.training.ranks import Ranks

IDLE_SECONDS = 0.15
FLUSH_SECONDS = 1.0
"""How often a running trial reaches the store: what a kill may lose of a trial that is run again anyway."""
KEPT_STUDIES = 8
"""Compiled studies kept warm, since several gangs may hand a study's last trials around."""


def main(argv: list[str] | None = None) -> int:
    """Entry point of a rank; returns its exit code."""
    options = _parse(argv)
    _redirect_output(options.logs)
    # The supervisor asks a hung gang where it stands before it ends it: every thread's stack, into the log.
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    if options.supervisor:
        threading.Thread(target=_watch_supervisor, args=(options.supervisor,), daemon=True).start()
    # horovodrun on other hosts, or an impatient terminal, may send SIGINT to the ranks; only the supervisor decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ranks = _join(options.threads)
    writer = None
    if ranks.is_first:
        from hvdsweep.store.writer import TrialWriter

        writer = TrialWriter(options.db, options.gang)
    print(f"rank {ranks.rank} of {ranks.size} on {socket.gethostname()}, pid {os.getpid()}", flush=True)
    with contextlib.ExitStack() as stack:
        if writer is not None:
            stack.callback(writer.close)
        Gang(ranks, writer).work()
    return 0


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="hvdsweep.training.gang", description=__doc__)
    parser.add_argument("--db", required=True)
    parser.add_argument("--sweep", type=int, required=True)
    parser.add_argument("--gang", type=int, required=True)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument(
        "--supervisor", default="", help="PID:STARTTIME@HOST of the process to live and die with"
    )
    parser.add_argument(
        "--threads", type=int, default=0, help="TensorFlow threads of this rank; 0 leaves it to TensorFlow"
    )
    return parser.parse_args(argv)


def _redirect_output(logs: Path) -> None:
    """All output goes to a file of this rank: horovodrun hangs on a byte that is not UTF-8."""
    logs.mkdir(parents=True, exist_ok=True)
    log = os.open(
        logs / f"rank-{os.environ.get('HOROVOD_RANK', '0')}.log",
        os.O_WRONLY | os.O_CREAT | os.O_APPEND,
        0o644,
    )
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def _watch_supervisor(identity: str) -> None:
    """End this rank when the supervisor is gone, however it went (on its own host; elsewhere horovodrun's ssh does it)."""
    process, _, host = identity.partition("@")
    pid, _, started = process.partition(":")
    if host != socket.gethostname():
        return
    while True:
        time.sleep(0.5)
        if start_time(int(pid)) != int(started):
            os.kill(os.getpid(), signal.SIGKILL)


def start_time(pid: int) -> int | None:
    """When a process of this host started, in clock ticks since boot; None if there is none (or only its zombie)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] == "Z" else int(fields[19])


def _join(threads: int) -> Ranks:
    import tensorflow as tf

    from hvdsweep.training.ranks import Ranks

    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    ranks = Ranks.join()
    devices = tf.config.list_physical_devices("GPU")
    if devices:
        mine = devices[ranks.local_rank % len(devices)]
        tf.config.set_visible_devices(mine, "GPU")
        tf.config.experimental.set_memory_growth(mine, True)
    return ranks


class Gang:
    """The loop of one rank: hear what to do, do it, report."""

    def __init__(self, ranks: Ranks, writer: TrialWriter | None) -> None:
        self._ranks = ranks
        self._writer = writer
        self._studies: dict[str, Any] = {}
        self._networks: dict[str, Any] = {}
        self._datasets: dict[str, Any] = {}

    def work(self) -> None:
        """Train claimed trials until the store asks to stop."""
        reply = self._writer.commit(None, claim=True) if self._writer else None
        while True:
            message = self._ranks.take(_message(reply))
            if message["do"] == "stop":
                return
            if message["do"] == "wait":
                # Outside any collective: an idle gang may wait for long.
                time.sleep(IDLE_SECONDS)
                reply = self._writer.commit(None, claim=True) if self._writer else None
                continue
            reply = self._train(message, reply.claim if reply else None)

    def _train(self, message: dict[str, Any], claim: Claim | None) -> Reply | None:
        from hvdsweep.states import Status, StopReason

        study, failure = self._study(message["definition"], tuple(sorted(message["trial"]["metaparameters"])))
        if self._ranks.any(failure is not None, name="built") if message["new"] else failure is not None:
            reason = failure or "another rank could not build this study; see its log"
            return self._report(claim, None, Status.INCOMPLETE, StopReason.FAILED, 0, reason, None)
        recorder = Recorder(self._writer, claim) if self._writer and claim else None
        end = study.train(
            message["trial"],
            recorder.record if recorder else lambda first, losses, measurement: False,
            self._beaten(claim),
        )
        if end.status is Status.RUNNING:
            if self._writer and claim:
                self._writer.release(claim.trial_id)
                return self._writer.commit(None, claim=True)
            return None
        return self._report(
            claim, recorder, end.status, end.reason, end.steps, end.message, end.train_seconds
        )

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
        from hvdsweep.store.writer import Final, TrialUpdate

        final = Final(status, reason, message, train_seconds)
        if recorder is None:
            update = TrialUpdate(claim.trial_id, losses=np.empty(0, np.float32), steps=steps, final=final)
        else:
            update = recorder.update(steps, final)
        return self._writer.commit(update, claim=True)

    def _beaten(self, claim: Claim | None) -> Callable[[], int | None]:
        writer = self._writer
        if writer is None or claim is None:
            return lambda: None
        goal = claim.definition["goal"]
        return lambda: writer.best_steps_to_goal(
            claim.study_id, goal["metric"], goal["value"], goal["maximize"]
        )

    def _study(self, definition: dict[str, Any], names: tuple[str, ...]) -> tuple[Any, str | None]:
        """The compiled study, or the sentence that says why there is none. Failures are kept too: they would only repeat."""
        key = _study_key(definition, names)
        if key not in self._studies:
            while len(self._studies) >= KEPT_STUDIES:
                del self._studies[next(iter(self._studies))]
            try:
                from hvdsweep.training.study import Study

                self._studies[key] = (Study(self._network(definition), self._ranks, definition, names), None)
            except Exception as error:
                traceback.print_exc()
                sys.stderr.flush()
                self._studies[key] = (None, f"{type(error).__name__}: {error}")
        study: tuple[Any, str | None] = self._studies[key]
        return study

    def _network(self, definition: dict[str, Any]) -> Any:
        import json

        from hvdsweep.training.network import Network

        source = definition.get("source")
        dataset_key = json.dumps([definition["dataset"], definition.get("dataset_options"), source])
        key = json.dumps([dataset_key, definition["model"], definition.get("model_options")])
        if key not in self._networks:
            if dataset_key not in self._datasets:
                from workloads.datasets import load_dataset

                self._datasets[dataset_key] = load_dataset(
                    definition["dataset"], definition.get("dataset_options") or {}, source=source
                )
            self._networks[key] = Network(
                self._datasets[dataset_key],
                definition["model"],
                definition.get("model_options") or {},
                source,
            )
        return self._networks[key]


class Recorder:
    """What rank 0 keeps of a running trial between two commits."""

    def __init__(self, writer: TrialWriter, claim: Claim) -> None:
        self._writer = writer
        self._claim = claim
        self._first_step = 1
        self._losses: list[npt.NDArray[np.float32]] = []
        self._measurements: list[tuple[int, dict[str, float]]] = []
        self._flushed = time.monotonic()

    def record(
        self,
        first_step: int,
        losses: npt.NDArray[np.float32],
        measurement: tuple[int, dict[str, float]] | None,
    ) -> bool:
        """Keep these; once a second commit. True where the store asks to give the trial back."""
        if len(losses):
            self._losses.append(losses)
        if measurement is not None:
            self._measurements.append(measurement)
        now = time.monotonic()
        if now - self._flushed < FLUSH_SECONDS:
            return False
        self._flushed = now
        steps = first_step - 1 + len(losses)
        return self._writer.commit(self.update(steps, None), claim=False).stop

    def update(self, steps: int, final: Any) -> Any:
        """All that is kept, as one update; it is forgotten here."""
        from hvdsweep.store.writer import TrialUpdate

        losses = np.concatenate(self._losses) if self._losses else np.empty(0, np.float32)
        update = TrialUpdate(
            self._claim.trial_id,
            first_step=self._first_step,
            losses=losses,
            measurements=self._measurements,
            steps=steps,
            final=final,
        )
        self._first_step += len(losses)
        self._losses, self._measurements = [], []
        return update


_last_definition: list[str] = [""]


def _message(reply: Reply | None) -> dict[str, Any] | None:
    """Rank 0's word to all ranks; None on the others."""
    if reply is None:
        return None
    if reply.claim is not None:
        claim = reply.claim
        new = claim.definition_json != _last_definition[0]
        _last_definition[0] = claim.definition_json
        trial = {"seed": claim.seed, "metaparameters": claim.metaparameters}
        return {"do": "train", "definition": claim.definition, "trial": trial, "new": new}
    return {"do": "stop" if reply.stop else "wait"}


def _study_key(definition: dict[str, Any], names: tuple[str, ...]) -> str:
    import json

    return json.dumps([definition, names], sort_keys=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SystemExit:
        raise
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        # No clean shutdown: it would wait for ranks that are stuck in a collective with this one.
        os._exit(1)
