"""What a gang and the store say to each other: updates of a trial one way, claimed trials the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hvdsweep.states import Status, StopReason


@dataclass(frozen=True)
class Claim:
    """A trial that is now this gang's to train."""

    trial_id: int
    study_id: int
    number: int
    seed: int
    metaparameters: dict[str, float]
    definition: dict[str, Any]
    """The study's definition: workload, batch size, budget, evaluation, goal."""
    definition_json: str
    """The same as stored: equal texts mean that the compiled functions serve again."""
    target_trials: int = 1
    """Trials that the study is to have."""
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
    """What has happened to a trial since the last commit."""

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
    """(step, unix time) of a checkpoint that is on disk now."""
    noise: Sequence[tuple[int, str, float, float]] = ()
    """(step, layer, |G|^2, tr Sigma): estimates of the gradient noise scale; the layer "" is all weights together."""


@dataclass(frozen=True)
class Reply:
    """What the store answers to a commit."""

    claim: Claim | None
    """The next trial; None if none was asked for or none is left."""
    stop: bool
    """The sweep or this gang is asked to stop: finish nothing more, claim nothing more."""
    lost: bool = False
    """The trial was taken away from this gang (it was thought dead); nothing of the update was written."""
