"""The places for gangs, and their gangs: starts them, watches for signs of life, ends dead and unneeded ones."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from hvdsweep.launch.announce import Announcer
from hvdsweep.launch.failure_report import Death, death_of, hang_of
from hvdsweep.launch.gang import CommandBuilder, StartedGang
from hvdsweep.launch.horovodrun import gang_environment
from hvdsweep.launch.hosts import Host, is_here
from hvdsweep.launch.memory_kills import UNKNOWN, MemoryKills
from hvdsweep.launch.processes import Mark
from hvdsweep.launch.settings import Settings
from hvdsweep.launch.stored_sweep import StoredSweep, SweepView
from hvdsweep.process_id import ProcessId
from hvdsweep.store.checkpoints import being_written
from hvdsweep.store.events import event
from hvdsweep.store.lifecycle import gang_state, new_gang, requeue
from hvdsweep.store.stages import HOROVODRUN, usual_seconds

log = logging.getLogger(__name__)

GIVE_BACK_SECONDS = 5.0
"""Time in which gangs asked to leave can save their trials."""
JOB_SECONDS = 20.0
"""The same in a job of a scheduler: nobody waits at a terminal, and SIGKILL comes after 30 s or more (Slurm's KillWait)."""
CHECKPOINT_SECONDS = 60.0
"""The same time if a checkpoint is being written by then."""
TERMINATE_SECONDS = 2.0
"""Time from asking horovodrun to end its ranks to SIGKILL. Without a large checkpoint a stop takes at most 7 s."""
MOST_STARTUP_FAILURES = 3
"""A slot is given up after so many gangs in a row die in it before their first sign of life."""
MOST_BACKOFF_SECONDS = 30.0


@dataclass
class Slot:
    """A place for one gang."""

    hosts: tuple[Host, ...]
    np: int
    """Ranks of its gangs."""
    places: frozenset[tuple[str, int]]
    """(host, number) of each slot of the hosts that its gangs take. No two living gangs share one."""
    devices: tuple[str, ...] = ()
    """GPUs of this machine that its gangs may see; empty: as in the environment."""
    gang: StartedGang | None = None
    leaves_by: float | None = None
    """Deadline (monotonic) for a gang that was asked to leave."""
    ready: bool = False
    """Whether the gang has given its first sign of life."""
    stage: str | None = None
    """Stage of the gang's start, as last reported; None once it has made its first step."""
    memory_kills: MemoryKills | None = None
    """The counters when its gang started; None if it has ranks on other hosts, whose counters are not read."""
    usual: float | None = None
    """Seconds that similar starts took before."""
    sign: object = None
    """The gang's last state; a change is a sign of life."""
    seen: float = 0.0
    """When (monotonic) it last changed."""
    failures: int = 0
    """Gangs in a row that died without any trial ending in between."""
    startup_failures: int = 0
    """Gangs in a row that died before their first sign of life."""
    not_before: float = 0.0
    """Earliest time (monotonic) for a new gang."""

    @property
    def given_up(self) -> bool:
        """Whether no gang can start here."""
        return self.startup_failures >= MOST_STARTUP_FAILURES


class Slots:
    """All places of a run, and their gangs."""

    def __init__(
        self,
        stored: StoredSweep,
        announce: Announcer,
        settings: Settings,
        supervisor: ProcessId,
        store: str,
        environment: Mapping[str, str],
        build: CommandBuilder,
    ) -> None:
        self._stored = stored
        self._conn = stored.conn
        self._announce = announce
        self._settings = settings
        self._supervisor = supervisor
        self._store = store
        self._environment = environment
        self._build = build
        self.slots: list[Slot] = []
        self.threads = 1
        """Per rank."""
        self.starts: list[float] = []
        """Seconds from each gang's start to its first sign of life."""
        self.last_death: tuple[int, Path, Death] | None = None
        """Gang, its logs, how it ended."""
        self.unkillable_pids: list[int] = []
        """Pids that even SIGKILL did not end (stuck in the kernel)."""

    def living(self) -> list[int]:
        """The ids of the gangs that were started and are not known to have ended."""
        return [slot.gang.id for slot in self.slots if slot.gang is not None]

    def reset_heartbeats(self, now: float) -> None:
        """This process was suspended itself: count no silence before `now` (monotonic)."""
        for slot in self.slots:
            slot.seen = now

    def reset_failures(self) -> None:
        """A trial has ended normally: failures before it no longer count."""
        for slot in self.slots:
            slot.failures = 0

    def of(self, np: int) -> list[Slot]:
        """The slots for gangs of `np` ranks."""
        return [slot for slot in self.slots if slot.np == np]

    def start(self, wanted: int, np: int) -> None:
        """Start gangs of `np` ranks in free slots until `wanted` of them live."""
        now = time.monotonic()
        missing = wanted - sum(slot.gang is not None and slot.leaves_by is None for slot in self.of(np))
        taken = {place for slot in self.slots if slot.gang is not None for place in slot.places}
        for slot in self.of(np):
            if missing <= 0:
                return
            if slot.gang is None and not slot.given_up and now >= slot.not_before and not taken & slot.places:
                self._start(slot)
                missing -= 1

    def send_away(self, kept: Collection[int], view: SweepView) -> None:
        """End the gangs without a trial whose number of ranks is not in `kept`: the trials for their size are done."""
        now = time.monotonic()
        for slot in self.slots:
            gang = slot.gang
            if gang is None or slot.np in kept or slot.leaves_by is not None:
                continue
            row = view.gangs.get(gang.id)
            if row is not None and row.state == "STARTING":
                # It is importing TensorFlow and would not read the store for a long time.
                self._leave(slot, gang, None)
            elif row is not None and row.state == "IDLE":
                gang_state(self._conn, gang.id, "STOPPED")
                slot.leaves_by = now + GIVE_BACK_SECONDS

    def _leave(self, slot: Slot, gang: StartedGang, code: int | None) -> None:
        """End what is left of a gang that is to end; its trial is requeued without counting an attempt."""
        self.unkillable_pids += gang.reap()
        slot.gang, slot.leaves_by = None, None
        self._close(gang, code)

    def _start(self, slot: Slot) -> None:
        gang_id = new_gang(self._conn, self._stored.sweep, np=slot.np, stage=HOROVODRUN)
        logs = sweep_logs(self._store, self._stored.sweep) / f"gang-{gang_id}"
        mark = Mark(self._supervisor, self._stored.sweep, gang_id, self._store)
        environment = gang_environment(
            self._environment,
            size=slot.np,
            threads=self.threads,
            mark=str(mark),
            devices=slot.devices,
        )
        slot.ready = False
        here = all(is_here(host.name) for host in slot.hosts)
        slot.memory_kills = MemoryKills.now() if here else None
        try:
            slot.gang = StartedGang.start(
                gang_id,
                mark,
                logs,
                slot.hosts,
                environment.variables,
                self.threads,
                self._build,
                self._settings.checkpoint_every,
            )
        except OSError as error:
            # A limit of this machine, which may no longer hold a moment later.
            death = Death(f"cannot be started: {error.strerror}", str(error.filename or ""))
            self._failed(slot, gang_id, logs, death, time.monotonic())
            self._announce.warn(f"Gang {gang_id} {death.line}.")
            return
        slot.sign, slot.seen = None, slot.gang.started
        slot.stage, slot.usual = HOROVODRUN, usual_seconds(self._conn, self._settings.np)
        if environment.left_out:
            listed = "".join(f"{name}\n" for name in environment.left_out)
            (logs / "environment.txt").write_text(f"Not passed on to the ranks:\n{listed}", encoding="utf-8")
        gang_state(self._conn, gang_id, pid=slot.gang.process.pid)
        self._stored.set_logs(gang_id, str(logs))
        self._announce.gang(slot.gang, "STARTING")
        self._announce.stage(slot.gang, slot.stage, 0.0, slot.usual)

    def reap_dead(self, view: SweepView) -> bool:
        """End the gangs that have died or hang, and requeue their trials. Returns whether there were any."""
        now = time.monotonic()
        buried = False
        for slot in self.slots:
            gang = slot.gang
            if gang is None:
                continue
            code = gang.exit_code()
            if slot.leaves_by is not None:
                if code is not None or now > slot.leaves_by:
                    self._leave(slot, gang, code)
                continue
            silence = self._silence(slot, gang, view, now)
            if code is not None:
                log.warning("gang %d has ended by itself, exit code %d", gang.id, code)
                self.unkillable_pids += gang.reap()
                before = slot.memory_kills
                memory = UNKNOWN if before is None else MemoryKills.now().since(before)
                self._died(slot, gang, death_of(gang.logs, code, memory), now)
                buried = True
            elif silence > self._patience(slot, view):
                log.warning(
                    "gang %d hangs: no progress for %.0f s; last seen %s", gang.id, silence, slot.sign
                )
                gang.dump_stacks()
                self.unkillable_pids += gang.reap()
                self._died(slot, gang, hang_of(gang.logs, silence), now)
                buried = True
        return buried

    def _silence(self, slot: Slot, gang: StartedGang, view: SweepView, now: float) -> float:
        """Seconds since the gang's last sign of life, by this process's monotonic clock: the system clock may jump."""
        row = view.gangs.get(gang.id)
        sign = (row, view.trial_of(gang.id))
        if sign != slot.sign:
            slot.sign, slot.seen = sign, now
        if not slot.ready and row is not None and row.state != "STARTING":
            slot.ready, slot.startup_failures = True, 0
            self.starts.append(now - gang.started)
            self._announce.gang(gang, "READY", seconds=now - gang.started)
        if slot.stage is not None and row is not None and row.stage != slot.stage:
            slot.stage = row.stage
            self._announce.stage(gang, slot.stage, now - gang.started, slot.usual)
        return now - slot.seen

    def _patience(self, slot: Slot, view: SweepView) -> float:
        trial = view.trial_of(slot.gang.id) if slot.gang is not None else None
        if not slot.ready or (trial is not None and trial.steps <= (trial.checkpoint or 0)):
            return max(self._settings.hang_timeout, self._settings.start_timeout)
        return self._settings.hang_timeout

    def _died(self, slot: Slot, gang: StartedGang, death: Death, now: float) -> None:
        """All consequences of a gang's death; its processes are gone already."""
        most = self._settings.max_attempts
        self._failed(slot, gang.id, gang.logs, death, now)
        held = self._stored.running_of(gang.id)
        requeued, aside = requeue(self._conn, held, count_attempt=True, message=str(death), max_attempts=most)
        slot.gang = None
        log.info("trials of gang %d: %s back to the queue, %s given up", gang.id, requeued, aside)
        self._announce.gang(gang, "DEAD", seconds=now - gang.started, message=str(death))
        for trial in requeued:
            self._announce.report(self._stored.trial(trial))
        for trial in aside:
            words = f"given up after {most} attempts: {death.line}"
            event(self._conn, "trial", words, sweep_id=self._stored.sweep, gang_id=gang.id, trial_id=trial)

    def _failed(self, slot: Slot, gang: int, logs: Path, death: Death, now: float) -> None:
        """Record that a gang has died, or did not start, and when the next one may start in its place."""
        gang_state(self._conn, gang, "DEAD", message=str(death))
        event(self._conn, "gang", f"died: {death.line}", sweep_id=self._stored.sweep, gang_id=gang)
        slot.startup_failures += not slot.ready
        slot.failures += 1
        # The first time at once; gangs that die again and again must not take up the machine.
        wait = 0.5 * 2.0 ** (slot.failures - 2) if slot.failures > 1 else 0.0
        slot.not_before = now + min(MOST_BACKOFF_SECONDS, wait)
        log.warning(
            "gang %d failed (%d in a row, %d while starting): %s",
            gang,
            slot.failures,
            slot.startup_failures,
            death,
        )
        log.info("no gang there for %.1f s", slot.not_before - now)
        self.last_death = (gang, logs, death)

    def dismiss(self) -> None:
        """Let every gang know that nothing is left to train; each leaves when it next reads the store."""
        log.info("nothing is left to train: gangs %s may leave", self.living())
        for gang in self.living():
            gang_state(self._conn, gang, "STOPPED")

    def wait(self, impatient: Callable[[], bool], meanwhile: Callable[[], object]) -> None:
        """Wait until the gangs, already asked to leave, have left; then end what is left.

        `impatient` cuts the wait short; `meanwhile` is called often.
        """
        deadline = time.monotonic() + (JOB_SECONDS if self._settings.in_job else GIVE_BACK_SECONDS)
        latest = time.monotonic() + CHECKPOINT_SECONDS
        terminated = False
        rows = self._stored.view(self.living()).gangs
        for slot in self.slots:
            if slot.gang is not None and slot.gang.id in rows and rows[slot.gang.id].state == "STARTING":
                # It has no trial to save, and reads no request while it loads TensorFlow.
                self._leave(slot, slot.gang, None)
        while any(slot.gang is not None and slot.gang.exit_code() is None for slot in self.slots):
            if impatient():
                break
            if time.monotonic() > deadline:
                if terminated:
                    break
                if time.monotonic() < latest and being_written(self._store):
                    deadline += 1.0
                    continue
                log.warning("gangs %s did not leave in time: terminating them", self.living())
                for slot in self.slots:
                    if slot.gang is not None:
                        slot.gang.terminate()
                terminated, deadline = True, time.monotonic() + TERMINATE_SECONDS
            meanwhile()
            time.sleep(0.02)
        self.end_all()

    def end_all(self) -> None:
        """End every process of every gang now, and requeue their trials without counting an attempt."""
        ended = [(slot.gang, slot.gang.exit_code()) for slot in self.slots if slot.gang is not None]
        for gang, code in ended:
            log.info("ending gang %d, exit code %s", gang.id, code)
        for slot in self.slots:
            if slot.gang is not None:
                self.unkillable_pids += slot.gang.reap()
                slot.gang = None
        # The store comes last: if it fails, no process is left all the same.
        for gang, code in ended:
            self._close(gang, code)

    def _close(self, gang: StartedGang, code: int | None) -> None:
        """Store that a gang has ended normally; `code` is its exit code if it left on its own."""
        held = self._stored.running_of(gang.id)
        requeue(self._conn, held, count_attempt=False, message=None, max_attempts=1)
        message = None if code == 0 else "ended by its supervisor"
        gang_state(self._conn, gang.id, "STOPPED", message=message)
        self._announce.gang(gang, "STOPPED", seconds=time.monotonic() - gang.started, message=message)


def sweep_logs(store: str, sweep: int) -> Path:
    """The folder of a sweep's logs, next to the store: a file for each run, a folder for each gang."""
    return Path(f"{store}.logs", f"sweep-{sweep}")
