"""Fifty kills and pauses of any process of a sweep at random instants: the finished store is the same, bit for bit."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.attacks import SLOW
from tests.launch.conftest import wait_for
from tests.launch.test_kill import SWEEP, Sweep
from tests.limits import HANG_SECONDS

pytestmark = [pytest.mark.horovod, SLOW]

ROUNDS = int(os.environ.get("HVDSWEEP_ATTACKS", "50"))
LONG = SWEEP.replace("steps = 1500", "steps = 24000")

VICTIMS = ("rank", "horovodrun", "shell", "supervisor", "any")


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Callable[..., Sweep]]:
    made: list[Sweep] = []

    def make(name: str, text: str = LONG) -> Sweep:
        made.append(Sweep(tmp_path / name, text))
        return made[-1]

    yield make
    for one in made:
        one.clear()


def victim(chance: random.Random, what: str, sweep: Sweep, supervisor: int) -> int | None:
    """A process of that kind; None where there is none at this instant."""
    gang = sweep.store.processes()
    ranks = sweep.ranks()
    runs = [pid for pid in gang if pid == sweep.horovodrun()]
    kinds = {
        "rank": ranks,
        "horovodrun": runs,
        "shell": [pid for pid in gang if pid not in (*ranks, *runs)],
        "supervisor": [supervisor],
        "any": [*gang, supervisor],
    }
    return chance.choice(kinds[what]) if kinds[what] else None


def test_fifty_kills_change_nothing(sweep: Callable[..., Sweep]) -> None:
    """SIGKILL, or SIGSTOP and SIGCONT up to two seconds later, of a rank, horovodrun, the shells and helpers between them, the
    supervisor, or any of them, whatever they are doing. A killed supervisor's gang ends, and launching again continues.
    """
    undisturbed = sweep("undisturbed")
    assert undisturbed.start().wait(HANG_SECONDS) == 0
    seed = int(os.environ.get("HVDSWEEP_ATTACK_SEED", "0")) or int.from_bytes(os.urandom(4), "little")
    chance, story = random.Random(seed), [f"seed {seed}"]
    disturbed = sweep("disturbed")

    def start() -> subprocess.Popen[str]:
        return disturbed.start("--max-attempts", "99", "--hang-timeout", "15", "--checkpoint-every", "0.2s")

    process = start()
    for _ in range(ROUNDS):
        if chance.random() < 0.7:
            # The other kills meet gangs that start, as most do on a busy machine.
            wait_for(lambda p=process: p.poll() is not None or disturbed.training(), f"training ({story})")
        if process.poll() == 0:
            break
        if process.poll() == 1:
            # Gangs that are killed while they start, one after the other, make it give up.
            assert "could start" in str(disturbed.events()[-2:]), (story, disturbed.events()[-3:])
            story.append("gave up")
            process = start()
            continue
        until = time.monotonic() + chance.choice((0.5, 2, 8)) * chance.random()
        wait_for(lambda until=until: time.monotonic() >= until)
        what = chance.choice(VICTIMS)
        pid = victim(chance, what, disturbed, process.pid)
        if pid is None:
            continue
        pause = chance.random() < 0.3
        story.append(f"{'STOP' if pause else 'KILL'} {what}")
        print(story[-1], disturbed.done(), flush=True)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP if pause else signal.SIGKILL)
            if pause:
                until = time.monotonic() + 2 * chance.random()
                wait_for(lambda until=until: time.monotonic() >= until)
                os.kill(pid, signal.SIGCONT)
        if not pause and pid == process.pid:
            process.wait()
            wait_for(lambda: not disturbed.store.processes(), f"the gang to follow its supervisor ({story})")
            process = start()
    if process.wait(HANG_SECONDS) == 1:
        process = start()
    assert process.wait(HANG_SECONDS) == 0, (story, disturbed.events()[-3:])
    assert disturbed.store.processes() == [], story
    expected, found = undisturbed.store.results(), disturbed.store.results()
    for table in expected:
        assert found[table] == expected[table], (story, table)
