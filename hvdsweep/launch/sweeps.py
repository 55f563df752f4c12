"""From a plan to a sweep in the store, and the sentence that says whether it is new, resumed or extended."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hvdsweep.batch.shards import ShardPlan
from hvdsweep.errors import RunFailed
from hvdsweep.identity import definition_diff
from hvdsweep.launch.events import SweepEvent
from hvdsweep.launch.rounds import Rounds, decide, resumed
from hvdsweep.launch.stored_sweep import StoredSweep
from hvdsweep.plan import Plan
from hvdsweep.states import OPEN
from hvdsweep.store.connection import transaction
from hvdsweep.store.liveness import WATCH_SECONDS, Occupant, TakenOver, vacant
from hvdsweep.store.plans import SavedSweep, record_round, save_plan
from hvdsweep.words import counted


def save(conn: sqlite3.Connection, plan: Plan) -> SavedSweep:
    """Make the store hold the plan. RunFailed if a supervisor is training the sweep, whose trials must not change."""
    row = conn.execute("SELECT id FROM sweeps WHERE key = ?", (plan.key,)).fetchone()
    if row is not None:
        with not_at_work(conn, row[0]):
            pass
    if isinstance(plan, ShardPlan):
        # Rounds are decided by the trials of all shards.
        return save_plan(conn, plan, plan.shard_json)
    plan, steps = resumed(conn, plan)
    saved = save_plan(conn, plan, may_grow=Rounds(plan).active)
    if news := [step.message for step in steps if not step.warning]:
        with transaction(conn):
            record_round(conn, saved.sweep_id, news)
    return saved


@contextmanager
def not_at_work(conn: sqlite3.Connection, sweep: int) -> Iterator[None]:
    """A write transaction while nobody trains the sweep. RunFailed, with the remedy, if a supervisor is active."""
    try:
        with vacant(conn, sweep, _announce_watch):
            yield
    except TakenOver as error:
        raise RunFailed(
            f"Sweep {sweep} is being trained already, by {error}. "
            "Watch it with `hvdsweep status --watch`; to train it from here, stop it there first (Ctrl-C)."
        ) from error


def _announce_watch(other: Occupant) -> None:
    print(
        f"{other} may still be training this sweep: watching its heartbeat for {WATCH_SECONDS:.0f} s ...",
        file=sys.stderr,
        flush=True,
    )


def introduce(
    conn: sqlite3.Connection, plan: Plan, saved: SavedSweep, store: str | os.PathLike[str]
) -> SweepEvent:
    """What the user should know about a sweep before its training begins."""
    rounds = Rounds(plan)
    decide(conn, saved.sweep_id, rounds)
    most, plan = rounds.most(), rounds.plan
    wanted = {
        (workload.name, study.batch_size): study.target_trials
        for workload in plan.workloads
        for study in workload.studies
    }
    target = sum(wanted.values())
    # A study with more trials than it needs, from an earlier plan, does not make up for another.
    stored = StoredSweep(conn, saved.sweep_id)
    view = stored.view(())
    done = sum(
        min(view.counts[study.id].get("COMPLETE", 0), wanted.get((study.workload, study.batch_size), 0))
        for study in stored.studies.values()
    )
    repeats = sum(counts.get(status, 0) for counts in view.repeats.values() for status in OPEN)
    changed = definition_diff(saved.previous, plan.definition) if saved.previous is not None else []
    return SweepEvent(
        sweep=saved.sweep_id,
        name=plan.name,
        file=plan.file,
        store=os.path.realpath(store),
        outcome=saved.outcome,
        message=message(saved, plan.name, done, target, changed, most, repeats, later=_later(plan)),
        trials=target,
        done=done,
        new=saved.new_trials,
        adopted=saved.adopted,
        withdrawn=saved.withdrawn,
        repeats=repeats,
        changed=changed,
    )


def _later(plan: Plan) -> int:
    return (
        sum(study.repeats for study in plan.whole.studies)
        if isinstance(plan, ShardPlan) and plan.whole
        else 0
    )


def message(
    saved: SavedSweep,
    name: str,
    done: int,
    target: int,
    changed: list[str],
    most: int | None = None,
    repeats: int = 0,
    later: int = 0,
) -> str:
    """One line about the sweep; further lines name the keys whose change made it a new one.

    `most`: most trials, if trained in rounds. `repeats` of best trials still to be trained. `later`: repeats of all
    shards, once they are merged.
    """
    head = f"sweep {saved.sweep_id} ({name}): "
    if saved.outcome == "created":
        text = f"new, {counted(target, 'trial')}"
    elif done >= target:
        text = f"all {counted(target, 'trial')} done already"
    elif saved.outcome == "extended":
        text = f"extended by {counted(saved.new_trials, 'trial')}; {done} of {counted(target, 'trial')} done, resuming"
    else:
        text = (
            f"{done} of {counted(target, 'trial')} done, resuming"
            if done
            else f"{counted(target, 'trial')}, none done yet"
        )
    if most is not None and most > target:
        text += f" (then rounds, up to {counted(most, 'trial')})"
    if repeats:
        text += f"; {counted(repeats, 'repeat')} of the best trials to train"
    if later:
        text += f"; {counted(later, 'repeat')} of the best trials come when the merged shards are launched"
    if saved.adopted:
        text += (
            f"; results of {counted(saved.adopted, 'trial')} taken over from another sweep of this database"
        )
    if saved.withdrawn:
        text += f"; {counted(saved.withdrawn, 'trial')} not begun withdrawn"
    if saved.outcome == "created" and changed:
        text += ". Not the sweep launched from here before, since its trials differ:"
        text += "".join(f"\n  {line}" for line in changed)
    return head + text
