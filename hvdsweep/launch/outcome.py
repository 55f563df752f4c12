"""How a run of a sweep ends."""

from __future__ import annotations

from dataclasses import dataclass

from hvdsweep.words import counted

STOPPED = 130
"""The exit code of a run that was asked to stop."""


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended."""

    state: str
    """DONE, FAILED, or IDLE (stopped with work left)."""
    exit_code: int
    message: str


def finished(aside: int, short: int) -> RunOutcome:
    """The outcome of a run with nothing left to train: `aside` trials were given up, `short` studies have too few that
    did not diverge."""
    if aside:
        was = "was" if aside == 1 else "were"
        return RunOutcome(
            "FAILED",
            1,
            f"{counted(aside, 'trial')} could not be trained and {was} given up; "
            "`hvdsweep launch --retry-incomplete` tries again",
        )
    if short:
        wants = "1 study has" if short == 1 else f"{short} studies have"
        return RunOutcome("DONE", 0, f"{wants} fewer trials than wanted, as too many diverged")
    return RunOutcome("DONE", 0, "every study has its trials")
