"""The messages between a gang and the store: updates of a trial to the store, claimed trials to the gang."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hvdsweep.states import Status, StopReason


@dataclass(frozen=True)
class Claim:
    """A trial that this gang trains from now on."""

    trial_id: int
    study_id: int
    number: int
    seed: int
    metaparameters: dict[str, float]
    definition: dict[str, Any]
    """The study's definition: workload, batch size, budget, evaluation, goal."""
    definition_json: str
    """The same as stored: for equal texts the compiled functions can be reused."""
    target_trials: int = 1
    """Trials that the study shall have."""
    key: str | None = None
    """Hash of everything that determines its result."""
    checkpoint: int | None = None
    """The step of the checkpoint that it resumes from; None: from the first step."""


@dataclass(frozen=True)
class Final:
    """How a trial ended."""

    status: Status
    """COMPLETE, INFEASIBLE or INCOMPLETE."""
    stop_reason: StopReason
    message: str | None = None
    train_seconds: float | None = None
    """Seconds spent in training steps alone; feeds the `throughput` table."""


@dataclass
class TrialUpdate:
    """What happened to a trial since the last commit."""

    trial_id: int
    losses: npt.NDArray[np.floating[Any]]
    """[n], the losses of steps first_step, first_step + 1, ...; NaN is stored as NULL."""
    steps: int
    """Updates done so far."""
    first_step: int = 1
    measurements: Sequence[tuple[int, Mapping[str, float]]] = ()
    """(step, metric -> value) in ascending steps."""
    final: Final | None = None
    checkpoint: tuple[int, float] | None = None
    """(step, unix time) of a checkpoint that is on disk."""
    noise: Sequence[tuple[int, str, float, float]] = ()
    """(step, layer, |G|^2, tr Sigma): estimates of the gradient noise scale; the layer "" is all weights together."""


@dataclass(frozen=True)
class Reply:
    """The store's answer to a commit."""

    claim: Claim | None
    """The next trial; None if none was asked for or none is left."""
    stop: bool
    """The sweep or this gang is to stop: finish no trial, claim no trial."""
    lost: bool = False
    """The trial was taken from this gang, which was thought dead; nothing of the update was written."""
