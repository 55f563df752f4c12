"""Trials that one gang trains through the real store, with whatever results a test gives them: no training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hvdsweep.store.exchange import Claim, TrialUpdate
from hvdsweep.store.writer import TrialWriter


def train_claims(
    path: Path, gang: int, outcome: Callable[[Claim, int], TrialUpdate], most: int | None = None
) -> dict[int, TrialUpdate]:
    """The gang's trials, one claim after another, up to `most` of them; trial id -> what was written of it.

    `outcome`: the result of a claim, and of which by place (0, 1, ...). One that has not ended is the gang's last.
    """
    written: dict[int, TrialUpdate] = {}
    with TrialWriter(path, gang) as writer:
        claim = writer.commit(None, claim=True).claim
        while claim is not None:
            update = written[claim.trial_id] = outcome(claim, len(written))
            last = update.final is None or len(written) == most
            claim = writer.commit(update, claim=not last).claim
    return written
