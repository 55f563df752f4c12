"""What launching a draft would do: begin a new sweep, or resume or extend one of the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.words import count, plural

if TYPE_CHECKING:
    from tui.composing.outlook import Outlook
    from tui.snapshot import Snapshot


@dataclass(frozen=True)
class Standing:
    """What launching a draft would do."""

    words: str = ""
    ready: bool = False
    """Whether it can be launched now."""
    sweep: int | None = None
    """The sweep of the database that it is."""


def standing_of(outlook: Outlook, snapshot: Snapshot | None, known: Mapping[str, int]) -> Standing:
    """`known`: key of a sweep of the database -> its id."""
    if not outlook.sound or outlook.plan is None:
        return Standing()
    sweep = None if snapshot is None else snapshot.sweep(known.get(outlook.plan.key))
    if sweep is None:
        return Standing("a new sweep", True)
    if sweep.live:
        return Standing(f"sweep {sweep.id}, which is being trained now", False, sweep.id)
    wanted = sum(study.target_trials for study in outlook.plan.studies)
    verb = "extends" if wanted > sum(study.target_trials for study in sweep.studies) else "resumes"
    done = f"{count(sweep.done)} of {plural(wanted, 'trial')} are trained"
    return Standing(f"{verb} sweep {sweep.id}: {done}", True, sweep.id)
