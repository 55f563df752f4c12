"""Trains one sweep to its end: keeps its gangs busy, replaces diverged trials, leaves no process behind."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from hvdsweep.debug_log import run_log, run_log_file
from hvdsweep.errors import HvdsweepError, RunFailed
from hvdsweep.launch.announce import Announcer
from hvdsweep.launch.events import Reporter, TrialEvent
from hvdsweep.launch.first_timing import measure
from hvdsweep.launch.gang import CommandBuilder
from hvdsweep.launch.guard import guarded
from hvdsweep.launch.horovodrun import gang_command
from hvdsweep.launch.hosts import check_first_is_here
from hvdsweep.launch.layouts import Layouts
from hvdsweep.launch.machine import versions
from hvdsweep.launch.outcome import STOPPED, RunOutcome, finished
from hvdsweep.launch.outlook import OutlookReporter
from hvdsweep.launch.processes import kill_marked
from hvdsweep.launch.rounds import Rounds, decide
from hvdsweep.launch.settings import Settings
from hvdsweep.launch.sharing import share_out
from hvdsweep.launch.signals import StopSignals
from hvdsweep.launch.slots import Slots, sweep_logs
from hvdsweep.launch.stored_sweep import StoredSweep, SweepView
from hvdsweep.launch.sweeps import not_at_work
from hvdsweep.plan import Plan
from hvdsweep.process_id import ProcessId
from hvdsweep.store.claims import assign
from hvdsweep.store.connection import connect, error_for, heard
from hvdsweep.store.lifecycle import begin_run, end_run, heartbeat, recover, request_stop
from hvdsweep.store.plans import add_repeats, next_round, top_up
from hvdsweep.words import counted

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
BEAT_SECONDS = 1.0


class Supervisor:
    """One run of one sweep. `run` may be called once."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        sweep: int,
        plan: Plan,
        settings: Settings,
        reporter: Reporter | None = None,
        *,
        build: CommandBuilder = gang_command,
    ) -> None:
        """`build` makes a gang's command line (a test may replace the ranks by another program)."""
        self._store = os.path.realpath(path)
        self._sweep = sweep
        self._plan = plan
        self._settings = settings
        self._environment = dict(os.environ)
        self._me = ProcessId.current()
        self._conn: sqlite3.Connection = connect(self._store)
        self._file = os.stat(self._store)
        planned = {
            (workload.name, study.batch_size) for workload in plan.workloads for study in workload.studies
        }
        self._stored = StoredSweep(self._conn, sweep, planned)
        self._announce = Announcer(self._stored, reporter or Reporter())
        self._signals = StopSignals()
        self._build = build
        self._slots = Slots(
            self._stored, self._announce, settings, self._me, self._store, self._environment, build
        )
        self._rounds = Rounds(plan)
        self._outlook = OutlookReporter(self._stored, self._rounds.most)
        self._layouts: Layouts | None = None
        """Set under `--np auto`."""
        self._topped_up: Mapping[int, Mapping[str, int]] | None = None
        self._beaten = float("-inf")
        self._aside_in_a_row: list[TrialEvent] = []
        """Trials given up in a row: refused by their gang, or after too many crashes."""

    def run(self) -> RunOutcome:
        """Train until every study is complete, nothing more can be done, or the user asks to stop.

        No process of a gang is left in any case. RunFailed: another supervisor trains this sweep, or the store can no
        longer be written. UserError: the first host is not this machine.
        """
        settings = self._settings
        begun = time.monotonic()
        outcome = RunOutcome("FAILED", 1, "ended by an internal error")
        log_file = run_log_file(sweep_logs(self._store, self._sweep))
        with (
            contextlib.closing(self._conn),
            run_log(log_file),
            self._signals,
            guarded(),
            heard(self._announce.warn),
        ):
            log.info("sweep %d of %s, versions %s", self._sweep, self._store, versions())
            log.debug("settings %s", settings)
            if settings.hosts is not None:
                check_first_is_here(settings.hosts)
            auto = settings.slots is not None
            with not_at_work(self._conn, self._sweep):
                begin_run(
                    self._conn,
                    self._sweep,
                    np=None if auto else settings.np,
                    gangs=None if auto else settings.gangs,
                    slots=settings.slots,
                    versions=versions(),
                    order=settings.order,
                )
            try:
                try:
                    self._prepare()
                    outcome = self._train()
                except (HvdsweepError, sqlite3.Error, OSError) as error:
                    # A lock that another program holds, a full disk, another supervisor, a limit of this machine.
                    outcome = RunOutcome("FAILED", 1, str(self._known(error)))
                    raise
                finally:
                    self._end(outcome, time.monotonic() - begun)
            except (sqlite3.Error, OSError) as error:
                raise self._known(error) from error
        return outcome

    def _known(self, error: Exception) -> Exception:
        """The error as a message for the user."""
        if isinstance(error, sqlite3.Error):
            known = error_for(Path(self._store), error)
            return RunFailed(f"{self._store}: {error}." if known is error else str(known))
        if isinstance(error, OSError):
            return RunFailed(
                f"{error.filename or 'This machine'}: {error.strerror}. `hvdsweep doctor` checks it."
            )
        return error

    def _end(self, outcome: RunOutcome, seconds: float) -> None:
        """Leave nothing behind, and report the outcome."""
        self._slots.end_all()
        end_run(self._conn, self._sweep, outcome.state, outcome.message.partition("\n")[0], self._me)
        if self._slots.unkillable_pids:
            pids = ", ".join(map(str, self._slots.unkillable_pids))
            self._announce.warn(f"These processes could not be killed: {pids}.")
        self._announce.end(outcome.state, outcome.exit_code, outcome.message, seconds)

    def _prepare(self) -> None:
        """Clean up after an earlier run, and share out this machine."""
        settings, announce = self._settings, self._announce
        self._slots.unkillable_pids += kill_marked(
            lambda mark: (
                mark.store == self._store and mark.sweep == self._sweep and mark.supervisor != self._me
            )
        )
        self._stored.close_earlier_gangs()
        announce.recovered(recover(self._conn, self._sweep, retry_incomplete=settings.retry_incomplete))
        shared = share_out(settings, self._plan, self._environment, announce.warn)
        self._slots.slots, self._slots.threads = list(shared.slots), shared.threads
        if self._rounds.active:
            self._next_round()
        view = self._top_up(self._stored.view(()))
        self._stored.newly_ended(view)
        if settings.slots is None:
            assign(self._conn, self._sweep, {})
        else:
            self._layouts = Layouts(self._stored, self._plan, shared.shapes)
            self._layouts.choose(view)
            if timings := self._layouts.untimed():
                measure(
                    self._conn,
                    timings,
                    announce,
                    lambda: self._heartbeat() or self._signals.gestures > 0,
                    hosts=settings.hosts,
                    threads=self._slots.threads,
                    build=self._build,
                )
                self._layouts.choose(view)
            if self._layouts.words:
                announce.note(f"Layout: {self._layouts.words}.")
            self._outlook.gangs_of = self._layouts.gangs_of
        hosts = [
            ",".join(f"{host.name}:{host.slots}" for host in slot.hosts)
            for slot in self._slots.of(self._ranks)
        ]
        announce.plan(settings, hosts, self._slots.threads, view)

    @property
    def _ranks(self) -> int:
        """Ranks of the gangs being started."""
        return self._settings.np if self._layouts is None else self._layouts.current.np

    def _rearrange(self, view: SweepView) -> None:
        """Under `--np auto`: give the slots to gangs of another size once the current ones have nothing to begin."""
        if self._layouts is None:
            return
        if self._layouts.is_over(view) or self._layouts.is_outdated(view):
            before = self._layouts.current
            self._layouts.choose(view, warm=before, starts=self._slots.starts)
            if self._layouts.current != before:
                self._announce.note(f"Layout of what is left: {self._layouts.words}.")
        waited_for = {np for np, trials in self._layouts.pending(view).items() if trials}
        self._slots.send_away(waited_for | {self._ranks}, view)

    def _give_up_shape(self, view: SweepView) -> bool:
        """Under `--np auto`, if no gang of several ranks starts: reassign their trials; False if none are left."""
        if self._layouts is None or self._ranks == 1:
            return False
        failed = self._ranks
        self._layouts.give_up_current()
        self._layouts.choose(view)
        assert self._slots.last_death is not None
        self._announce.warn(
            f"No gang of {failed} ranks could start ({self._slots.last_death[2].line}). Other gangs train their trials: "
            f"{self._layouts.words}."
        )
        return True

    def _wanted(self, view: SweepView) -> int:
        """How many gangs there is work for."""
        if self._layouts is None:
            return view.count("PENDING", "RUNNING")
        busy = {trial.gang for trial in view.running.values()}
        training = sum(slot.gang is not None and slot.gang.id in busy for slot in self._slots.of(self._ranks))
        return self._layouts.pending(view).get(self._ranks, 0) + training

    def _train(self) -> RunOutcome:
        slots = self._slots
        latest = time.monotonic()
        while True:
            begun = time.monotonic()
            if self._lost():
                return RunOutcome(
                    "FAILED",
                    1,
                    f"{self._store} was deleted, moved or replaced during training. What it held is not in the new file. Do "
                    "not move a database while a sweep trains into it.",
                )
            if begun - latest > 2.0:
                # This process was suspended itself (with its machine, or by a debugger): silence proves nothing.
                log.warning("this process was held up for %.1f s", begun - latest)
                slots.reset_heartbeats(begun)
            view = self._top_up(self._stored.view(slots.living()))
            self._report_ended(view)
            if self._heartbeat() or self._signals.gestures or self._job_ends:
                return self._stop()
            if slots.reap_dead(view):
                latest = time.monotonic()
                continue
            open_trials = view.count("PENDING", "RUNNING")
            if not open_trials:
                if self._rounds.active and self._next_round():
                    continue
                if self._rounds.active and add_repeats(self._conn, self._sweep, self._plan):
                    continue
                return self._finish(view)
            most = self._settings.max_set_aside
            if most and len(self._aside_in_a_row) >= most:
                return self._give_up(
                    f"{counted(len(self._aside_in_a_row), 'trial')} in a row could not be trained. "
                    f"The last one: {self._aside_in_a_row[-1].message}\n"
                    "`hvdsweep logs` shows more; `hvdsweep launch --retry-incomplete` tries them again."
                )
            self._rearrange(view)
            here = slots.of(self._ranks)
            if all(slot.given_up for slot in here) and not self._give_up_shape(view):
                assert slots.last_death is not None
                gang, logs, death = slots.last_death
                return self._give_up(
                    f"No gang could start. Gang {gang} failed with: {death}\n"
                    f"Its logs: {logs}. `hvdsweep doctor` checks this machine."
                )
            slots.start(min(len(slots.of(self._ranks)), self._wanted(view)), self._ranks)
            self._outlook.update(view, len(slots.living()), self._announce.report)
            # Reading must not take the gangs' core, however many trials there are to count.
            pause = max(POLL_SECONDS, min(2.0, 20 * (time.monotonic() - begun)))
            latest = time.monotonic() + pause
            self._signals.rest(pause)

    @property
    def _job_ends(self) -> bool:
        """Whether the scheduler is about to end this job, by the system clock, which schedulers use."""
        return self._settings.stops_at is not None and time.time() >= self._settings.stops_at

    def _lost(self) -> bool:
        """Whether the store's path no longer leads to the open file, so that further results would be lost."""
        try:
            return not os.path.samestat(os.stat(self._store), self._file)
        except FileNotFoundError:
            return True

    def _top_up(self, view: SweepView) -> SweepView:
        """Replace diverged trials while their study may have more, and repeat the best trials of studies whose search
        has ended; returns the new view."""
        if self._topped_up == view.counts:
            return view
        self._topped_up = view.counts
        log.debug("trials by study and state: %s", view.counts)
        added = 0
        if self._stored.lacks_trials(view):
            added = top_up(self._conn, self._sweep, self._plan)
        if not self._rounds.active:
            # In rounds no search is finished before the last round.
            added += add_repeats(self._conn, self._sweep, self._plan)
        if added:
            log.info("%d trials added: replacements of diverged ones, repeats", added)
        return self._stored.view(self._slots.living()) if added else view

    def _next_round(self) -> bool:
        """Decide the next round once all trials of the last have ended, and add its trials; returns if there are any."""
        steps = decide(self._conn, self._sweep, self._rounds)
        before, self._plan = self._plan, self._rounds.plan
        log.info("next round: %s", "; ".join(step.message for step in steps) or "no more")
        if steps or self._plan != before:
            next_round(self._conn, self._sweep, self._plan, [step.message for step in steps])
            self._stored.reload()
            self._topped_up = None
        for step in steps:
            (self._announce.warn if step.warning else self._announce.note)(step.message)
        return self._plan != before

    def _heartbeat(self) -> bool:
        """Write the heartbeat to the store, once a second; returns whether the store requests a stop."""
        now = time.monotonic()
        if now - self._beaten < BEAT_SECONDS:
            return self._stored.request() == "stop"
        self._beaten = now
        return heartbeat(self._conn, self._sweep, self._me)

    def _report_ended(self, view: SweepView) -> None:
        for ended in self._stored.newly_ended(view):
            if ended.status == "INCOMPLETE":
                self._aside_in_a_row.append(ended)
            else:
                self._aside_in_a_row.clear()
                self._slots.reset_failures()
            self._announce.report(ended)

    def _finish(self, view: SweepView) -> RunOutcome:
        """Nothing is left to train: dismiss the gangs."""
        self._announce.report(self._outlook.progress(view, len(self._slots.living())))
        self._slots.dismiss()
        self._wait_for_gangs()
        short = self._stored.short(view)
        for study in short:
            done = view.counts[study.id].get("COMPLETE", 0)
            self._announce.warn(
                f"{study.workload}, batch size {study.batch_size}: {done} of {study.target} trials did not diverge, "
                f"and no more than {study.max_trials} may be tried. Search smaller learning rates, or allow more trials."
            )
        return finished(view.count("INCOMPLETE"), len(short))

    def _stop(self) -> RunOutcome:
        """A stop was requested: the gangs save their trials; those that do not are ended."""
        why = self._signals.name or ("the end of the job" if self._job_ends else "a request in the store")
        again = "" if self._settings.in_job else " Press Ctrl-C again to kill them now."
        self._announce.note(f"Stopping ({why}): waiting for gangs to save their trials.{again}")
        if self._stored.request() != "stop":
            request_stop(self._conn, self._sweep)
        # However long this took, the second gesture ends the wait.
        self._wait_for_gangs(heard=1 if self._signals.name else 0)
        return RunOutcome("IDLE", STOPPED, f"stopped by {why}; run the same command again to continue")

    def _give_up(self, why: str) -> RunOutcome:
        log.error("giving up: %s", why)
        self._slots.dismiss()
        self._wait_for_gangs()
        return RunOutcome("FAILED", 1, why)

    def _wait_for_gangs(self, heard: int | None = None) -> None:
        """Wait until they have left, or a gesture beyond those `heard` (None: all so far) asks to end them."""
        before = self._signals.gestures if heard is None else heard
        impatient = partial(self._signals.again, before, in_job=self._settings.in_job)
        self._slots.wait(impatient=impatient, meanwhile=self._heartbeat)
