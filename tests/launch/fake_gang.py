"""A gang without Horovod: one process that speaks the store's protocol and misbehaves as a trial's metaparameters say.

crash: raise in the middle of the trial. crash_until: the same on the first so many attempts. kill: SIGKILL oneself.
freeze: stop giving signs of life. refuse: set the trial aside oneself, as a gang that cannot build it. diverge: end INFEASIBLE.
seconds: take so long. seconds_once: the same on the first attempt. stubborn: do not answer a request to stop.
The whole gang, by FAKE_GANG in the environment: "stillborn" dies at once ("stillborn 2": only those of 2 ranks), "child" starts a
grandchild in a session of its own, "hurry" takes no time over its trials, "loading" never gets as far as the store.
FAKE_SECONDS: what every trial takes that does not say otherwise; "0 600": the gang's first trial no time, all others so long.
"""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import time
import traceback
from pathlib import Path

import numpy as np

from hvdsweep.states import Status, StopReason
from hvdsweep.store.exchange import Claim, Final, TrialUpdate
from hvdsweep.store.writer import TrialWriter

STEPS_A_COMMIT = 1


def losses_of(seed: int, first: int, count: int) -> np.ndarray:
    """The losses of steps first, first + 1, ...: a function of the trial alone."""
    return np.sin(seed + np.arange(first, first + count)).astype(np.float32)


def train(writer: TrialWriter, claim: Claim, ask: dict[str, float], attempts: int, trained: int) -> bool:
    """Train one trial; False where the gang was asked to stop and gave it back. `trained`: by this gang before."""
    budget = claim.definition["steps"]
    paces = os.environ.get("FAKE_SECONDS", "0").split()
    usual = float(paces[min(trained, len(paces) - 1)])
    seconds = ask.get("seconds", usual) + (ask.get("seconds_once", 0.0) if not attempts else 0.0)
    if "hurry" in os.environ.get("FAKE_GANG", ""):
        seconds = 0.0
    for first in range(1, budget + 1, STEPS_A_COMMIT):
        count = min(STEPS_A_COMMIT, budget + 1 - first)
        last = first + count - 1
        pause = seconds * count / budget
        while pause > 0.5:
            time.sleep(0.5)
            pause -= 0.5
            update = TrialUpdate(claim.trial_id, losses_of(0, 1, 0), first - 1, first)
            if writer.commit(update, claim=False).stop and "stubborn" not in ask:
                writer.release(claim.trial_id)
                return False
        time.sleep(pause)
        middle = first > budget // 2
        if middle and "diverge" in ask:
            final = Final(Status.INFEASIBLE, StopReason.DIVERGED, "loss is not finite")
            writer.commit(
                TrialUpdate(claim.trial_id, np.array([np.nan]), first, first, final=final), claim=False
            )
            return True
        if middle and "refuse" in ask:
            final = Final(Status.INCOMPLETE, StopReason.FAILED, f"trial {claim.number} cannot be built")
            writer.commit(TrialUpdate(claim.trial_id, losses_of(0, 1, 0), 0, final=final), claim=False)
            return True
        if middle and ("crash" in ask or attempts < ask.get("crash_until", 0)):
            raise RuntimeError(f"trial {claim.number} crashed on purpose")
        if middle and "kill" in ask:
            os.kill(os.getpid(), signal.SIGKILL)
        if middle and "freeze" in ask:
            os.kill(os.getpid(), signal.SIGSTOP)
        final = Final(Status.COMPLETE, StopReason.BUDGET) if last == budget else None
        update = TrialUpdate(
            claim.trial_id,
            losses_of(claim.seed, first, count),
            last,
            first,
            [(last, {"val/loss": 1.0 / last})],
            final,
        )
        reply = writer.commit(update, claim=False)
        if reply.stop and final is None and "stubborn" not in ask:
            writer.release(claim.trial_id)
            return False
    return True


def attempts_of(db: str, trial: int) -> int:
    conn = sqlite3.connect(db)
    try:
        return int(conn.execute("SELECT attempts FROM trials WHERE id = ?", (trial,)).fetchone()[0])
    finally:
        conn.close()


def np_of(db: str, gang: int) -> int:
    conn = sqlite3.connect(db)
    try:
        return int(conn.execute("SELECT np FROM gangs WHERE id = ?", (gang,)).fetchone()[0])
    finally:
        conn.close()


def work(options: argparse.Namespace) -> None:
    mood = os.environ.get("FAKE_GANG", "")
    if "stillborn" in mood and mood.partition(" ")[2] in ("", str(np_of(options.db, options.gang))):
        raise RuntimeError("libfake.so: cannot open shared object file")
    while "loading" in mood:
        time.sleep(600)
    if "child" in mood:
        hold = "import os, signal, time; os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(6000)"
        child = subprocess.Popen([sys.executable, "-c", hold])
        (Path(options.logs) / "child.pid").write_text(str(child.pid))
    trained = 0
    with TrialWriter(options.db, options.gang) as writer:
        while True:
            reply = writer.commit(None, claim=True)
            if reply.claim is None:
                if reply.stop:
                    return
                time.sleep(0.05)
            elif not train(
                writer,
                reply.claim,
                dict(reply.claim.metaparameters),
                attempts_of(options.db, reply.claim.trial_id),
                trained,
            ):
                return
            else:
                trained += 1


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--db", "--logs", "--supervisor"):
        parser.add_argument(name)
    for name in ("--sweep", "--gang", "--threads"):
        parser.add_argument(name, type=int)
    parser.add_argument("--checkpoint-every", type=float)
    options = parser.parse_args()
    try:
        work(options)
    except Exception:
        (Path(options.logs) / "rank-0.log").write_text(traceback.format_exc())
        # What horovodrun says when rank 0 exits with code 1.
        print("The first process to do so was:\nProcess name: 0\nExit code: 1\n", flush=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
