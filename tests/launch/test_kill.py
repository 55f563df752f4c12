"""Real ranks through horovodrun, killed, stopped and interrupted at random moments: nothing is lost, doubled or left behind."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hvdsweep.store.checkpoints import files, folder_of
from tests.launch.conftest import Store, wait_for
from tests.limits import HANG_SECONDS

pytestmark = pytest.mark.horovod

TRIALS = 4
STEPS = 1500
SWEEP = f"""
dataset = "digits"
model = "fc_16"
algorithm = "sgd"
goal = {{ metric = "val/classification_error", value = 0.05 }}
budget = {{ steps = {STEPS} }}
evaluation = {{ every = 100 }}
studies = {{ batch_sizes = [16, 64], trials = {TRIALS // 2}, seed = 1 }}
[search]
learning_rate = {{ scale = "log", min = 0.03, max = 1.0 }}
"""

DEADLY = """
import os
import signal

import keras


def build(info, **options):
    # In a gang alone: what it does in the check before any gang is another test's.
    if os.environ.get("HOROVOD_RANK") == "1" and "HOROVOD_GLOO_RENDEZVOUS_ADDR" in os.environ:
        print("rank 1 says farewell", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return keras.Sequential([keras.Input(info.input_shape), keras.layers.Flatten(), keras.layers.Dense(info.classes)])
"""


class Sweep:
    """A sweep file and its database, launched as a user would."""

    def __init__(self, folder: Path, text: str = SWEEP) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.files: list[Path] = []
        if text:
            self.files.append(folder / "killed.toml")
            self.files[0].write_text(text)
        self.store = Store(folder / "sweep.db")
        self.process: subprocess.Popen[str] | None = None

    def start(self, *options: str) -> subprocess.Popen[str]:
        code = "from hvdsweep.cli import main; main()"
        command = [
            sys.executable,
            "-c",
            code,
            "launch",
            *map(str, self.files),
            "--db",
            str(self.store.path),
            "--json",
        ]
        with (self.folder / "launch.log").open("a") as log:
            self.process = subprocess.Popen(
                [*command, "--np", "2", *options], stdout=log, stderr=log, text=True, cwd=self.folder
            )
        return self.process

    def events(self) -> list[dict[str, Any]]:
        lines = (self.folder / "launch.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def training(self, since: str = "0") -> bool:
        """Whether a trial has been training long enough to have reached the store, with more steps than `since`."""
        return bool(
            self.store.one(f"SELECT count(*) FROM trials WHERE status = 'RUNNING' AND steps > {since}")
        )

    def ranks(self) -> list[int]:
        """Pids of the rank processes themselves, by rank."""
        found = {}
        for pid in self.store.processes():
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            ranks = [
                entry.removeprefix(b"HOROVOD_RANK=")
                for entry in environment
                if entry.startswith(b"HOROVOD_RANK=")
            ]
            if ranks and b"python" in os.path.basename(words[0]):
                found[int(ranks[0])] = pid
        return [found[rank] for rank in sorted(found)]

    def horovodrun(self) -> int:
        return int(self.store.one("SELECT pid FROM gangs ORDER BY id DESC LIMIT 1"))

    def done(self) -> int:
        return int(self.store.one("SELECT count(*) FROM trials WHERE status = 'COMPLETE'") or 0)

    def clear(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.store.processes():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Callable[..., Sweep]]:
    made: list[Sweep] = []

    def make(name: str, text: str = SWEEP) -> Sweep:
        made.append(Sweep(tmp_path / name, text))
        return made[-1]

    yield make
    for one in made:
        one.clear()


def test_whatever_is_killed_the_sweep_ends_as_if_nothing_had_been(sweep: Callable[..., Sweep]) -> None:
    """SIGKILL of a rank, of horovodrun and of the supervisor, a frozen rank, and SIGTERM to every process at once as some sites
    send it before a job ends, in random order at random moments.

    After each, no process is left that should not be, and trials resume from their checkpoints; in the end every trial is
    COMPLETE once, every loss, measurement and record equals those of an undisturbed sweep, bit for bit, and no checkpoint is
    left.
    """
    undisturbed = sweep("undisturbed")
    assert undisturbed.start().wait(HANG_SECONDS) == 0, undisturbed.events()[-1]
    assert undisturbed.store.processes() == []

    seed = int.from_bytes(os.urandom(4), "little")
    chance = random.Random(seed)
    disturbances = ["rank", "horovodrun", "freeze", "supervisor", "terminate"]
    chance.shuffle(disturbances)
    story = f"seed {seed}: {disturbances}"
    disturbed = sweep("disturbed")

    def start() -> subprocess.Popen[str]:
        return disturbed.start(
            "--max-attempts",
            "9",
            "--hang-timeout",
            "15",
            "--start-timeout",
            "300",
            "--checkpoint-every",
            "0.2s",
        )

    process = start()
    done_to_it = []
    saved = False
    for number, what in enumerate(disturbances):
        # One trial in between at most, so that there is something left to disturb.
        wait_for(lambda: disturbed.training() or disturbed.done() == TRIALS, f"training ({story})")
        if disturbed.done() == TRIALS:
            # Looking took longer here than training: nothing is left to disturb.
            break
        end_of_delay = time.monotonic() + chance.uniform(0.0, 0.5)
        wait_for(lambda end=end_of_delay: time.monotonic() >= end)
        if what == "freeze":
            # A gang frozen while it builds a study has as long as a start, which is minutes; one that trains has 15 s.
            wait_for(
                lambda: disturbed.training("coalesce(checkpoint, 0)") or disturbed.done() == TRIALS,
                f"steps ({story})",
            )
            if disturbed.done() == TRIALS:
                break
        gangs = disturbed.store.one("SELECT count(*) FROM gangs")
        done_to_it.append(what)
        if what == "rank":
            os.kill(chance.choice(disturbed.ranks()), signal.SIGKILL)
        elif what == "freeze":
            os.kill(chance.choice(disturbed.ranks()), signal.SIGSTOP)
        elif what == "horovodrun":
            os.kill(disturbed.horovodrun(), signal.SIGKILL)
        elif what == "supervisor":
            process.kill()
            process.wait()
            wait_for(lambda: not disturbed.store.processes(), f"the gang to follow its supervisor ({story})")
            process = start()
        else:
            trained, ended = disturbed.training(), disturbed.done()
            for pid in (*disturbed.store.processes(), process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            assert process.wait(HANG_SECONDS) == 130, story
            assert disturbed.store.processes() == [], story
            assert not disturbed.store.rows("SELECT id FROM trials WHERE status = 'RUNNING'"), story
            kept = disturbed.store.rows("SELECT id, checkpoint FROM trials WHERE checkpoint IS NOT NULL")
            there = [(file.trial_id, file.step) for file in files(disturbed.store.path)]
            assert sorted(kept) == sorted(there), story
            saved = bool(kept)
            # The trial that was trained has ended meanwhile, or was saved.
            assert saved or not trained or disturbed.done() > ended, story
            how = disturbed.store.one("SELECT state FROM gangs ORDER BY id DESC LIMIT 1")
            assert how == "STOPPED", story
            process = start()
        wait_for(
            lambda gangs=gangs: disturbed.store.one("SELECT count(*) FROM gangs") > gangs,
            f"another gang after disturbance {number} ({story})",
        )
    assert process.wait(HANG_SECONDS) == 0, (story, disturbed.events()[-1])
    assert disturbed.store.processes() == [], story
    expected, found = undisturbed.store.results(), disturbed.store.results()
    assert [row[3] for row in found["trials"]] == ["COMPLETE"] * TRIALS, story
    assert len(found["losses"]) == TRIALS * STEPS, story
    for table in expected:
        assert found[table] == expected[table], (story, table)
    assert not folder_of(disturbed.store.path).exists(), story
    said = [row[0] for row in disturbed.store.rows("SELECT message FROM events WHERE kind = 'checkpoint'")]
    assert said or not saved, story
    assert all(" resumes at step " in message for message in said), (story, said)
    # Only failures count as attempts: a killed rank, a killed horovodrun, a frozen rank; not what was asked for.
    failures = sum(what in ("rank", "horovodrun", "freeze") for what in done_to_it)
    assert disturbed.store.one("SELECT sum(attempts) FROM trials") == failures, story


def test_the_error_is_that_of_the_failing_rank(sweep: Callable[..., Sweep]) -> None:
    """A model that kills rank 1: the trial is given up, naming that rank, the signal and its last line; exit code 1."""
    deadly = sweep("deadly", SWEEP.replace('"fc_16"', '"deadly:build"').replace("trials = 3", "trials = 1"))
    (deadly.folder / "deadly.py").write_text(DEADLY)
    assert deadly.start("--max-attempts", "1", "--batch-sizes", "16").wait(HANG_SECONDS) == 1
    status, message = deadly.store.rows("SELECT status, message FROM trials")[0]
    assert status == "INCOMPLETE", deadly.events()
    assert message.startswith("rank 1: killed by SIGKILL")
    assert message.endswith("rank 1 says farewell")
    assert deadly.store.processes() == []
