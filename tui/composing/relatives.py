"""Sweeps of the database that a draft is related to: the one it would resume, and those from files of the same name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hvdsweep.replacing import free_path
from hvdsweep.words import counted
from tui.words import count, plural

if TYPE_CHECKING:
    from hvdsweep.plan import Plan
    from hvdsweep.store.store import Store
    from tui.composing.outlook import Outlook
    from tui.snapshot import Snapshot

MOST_TRIALS = 20_000
"""In larger plans trials that are finished in other sweeps are not counted."""


@dataclass(frozen=True)
class Standing:
    """What launching a draft would do: begin a new sweep, or resume or extend one of the database."""

    words: str = ""
    ready: bool = False
    """Whether it can be launched now."""
    sweep: int | None = None
    """The sweep of the database that it is."""


def standing_of(outlook: Outlook | None, snapshot: Snapshot | None) -> Standing:
    """By the latest check, and the latest progress of the sweep that it has found."""
    if outlook is None or outlook.plan is None or outlook.summary is None:
        return Standing()
    sweep = None if snapshot is None else snapshot.sweep(outlook.sweep)
    if sweep is None:
        return Standing("a new sweep", True)
    if sweep.live:
        return Standing(f"sweep {sweep.id}, which is being trained now", False, sweep.id)
    wanted = sum(study.target_trials for study in outlook.plan.studies)
    verb = "extends" if wanted > sum(study.target_trials for study in sweep.studies) else "resumes"
    done = f"{count(sweep.done)} of {plural(wanted, 'trial')} are trained"
    return Standing(f"{verb} sweep {sweep.id}: {done}", True, sweep.id)


@dataclass(frozen=True)
class Relatives:
    """What the store knows of a draft that would be a new sweep."""

    files: frozenset[Path] = frozenset()
    """Files from which other sweeps were launched: they are not written over."""
    words: str = ""
    """Why it is a new sweep, and what happens to the trials of the earlier one; "" if there is none."""

    def free(self, own: Path | None, other: Path) -> Path:
        """Where to save: the draft's own file, unless another sweep came from it; else `digits-2.toml`, which is no file yet."""
        return own if own is not None and own not in self.files else free_path(own or other, self.files)


NOTHING_KNOWN = Relatives()


def relatives(plan: Plan | None, file: Path | None, name: str, store: Store) -> Relatives:
    """The relatives of a draft: `plan` is what it plans (None if it has mistakes), `file` where it is, `name` its name."""
    from hvdsweep.identity import definition_diff

    rows = store.rows(
        "SELECT id, name, key, file, definition FROM sweeps WHERE source = 'launch' ORDER BY id DESC"
    )
    others = [row for row in rows if plan is None or row[2] != plan.key]
    mine = {row[3] for row in rows} - {row[3] for row in others}
    files = frozenset(Path(row[3]) for row in others if row[3] and row[3] not in mine)
    came = [row for row in others if row[3] and Path(row[3]) == file] or [
        row for row in others if row[1] == name
    ]
    if plan is None or len(others) < len(rows) or not came:
        return Relatives(files)
    sweep, before, _, origin, written = came[0]
    differ = definition_diff(json.loads(written), plan.definition)
    words = [
        f"Not sweep {sweep} ({Path(origin).name if origin else before}), since other values make other trials:"
    ]
    words += [f"  {line}" for line in differ[:5]]
    words += [f"  and {counted(len(differ) - 5, 'other key')}"] if len(differ) > 5 else []
    return Relatives(files, "\n".join([*words, _fate(store, sweep, plan)]))


def _fate(store: Store, sweep: int, plan: Plan) -> str:
    """What happens to the trials of the earlier sweep."""
    finished = "t.status IN ('COMPLETE', 'INFEASIBLE')"
    trials = (
        "SELECT t.key, " + finished + ", t.stop_reason FROM trials t JOIN studies s ON s.id = t.study_id "
        "JOIN workloads w ON w.id = s.workload_id WHERE w.sweep_id = ? AND (" + finished + " OR t.steps > 0)"
    )
    rows = store.rows(trials, (sweep,))
    done = sum(row[1] for row in rows)
    partly = f" and {counted(len(rows) - done, 'partly trained one')}" if len(rows) > done else ""
    stay = f"Its {counted(done, 'finished trial')}{partly} stay in the database"
    asked = set(_keys(plan))
    # A beaten trial was stopped because of others in its study: its result holds only there.
    shared = sum(bool(row[1]) and row[2] != "beaten" and row[0] in asked for row in rows)
    if shared:
        return f"{stay}; {shared} of them are the same here and are not trained again."
    return f"{stay}; none of them is the same here." if done else f"{stay}."


def _keys(plan: Plan) -> Iterator[str]:
    """The keys of the trials that are planned."""
    studies = list(plan.studies)
    if sum(study.target_trials for study in studies) <= MOST_TRIALS:
        for study in studies:
            yield from (trial.key for trial in study.trial_range(0, study.target_trials))
