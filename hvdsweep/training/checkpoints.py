"""The state of a trial in training: copied on rank 0, written by a background thread, restored on every rank."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hvdsweep.store import checkpoints
from hvdsweep.store.exchange import Claim


class State:
    """All variables that training changes: weights, statistics, other state of the model, velocities."""

    def __init__(self, variables: Sequence[Any]) -> None:
        self._variables = variables
        self.form: checkpoints.Form = [
            (np.dtype(variable.dtype.as_numpy_dtype).name, tuple(variable.shape)) for variable in variables
        ]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(_bytes(variable) for variable in self._variables)

    def copy(self) -> list[npt.NDArray[Any]]:
        """The current values; training may change the variables afterwards."""
        return [np.array(variable.numpy()) for variable in self._variables]

    def restore(self, content: memoryview) -> None:
        """Set all variables to the bytes of their values, in order."""
        start = 0
        for variable in self._variables:
            end = start + _bytes(variable)
            values = np.frombuffer(content[start:end], variable.dtype.as_numpy_dtype)
            variable.assign(values.reshape(variable.shape))
            start = end


def _bytes(variable: Any) -> int:
    return int(np.prod(variable.shape, dtype=np.int64)) * int(variable.dtype.size)


@dataclass(frozen=True)
class Resume:
    """Where a trial resumes."""

    step: int
    """Updates already made."""
    content: memoryview
    """The state, for `State.restore`."""


def loaded(db: str | os.PathLike[str], claim: Claim, state: State) -> memoryview:
    """The content of a claimed trial's checkpoint. checkpoints.Refused if training cannot resume from it."""
    assert claim.checkpoint is not None
    form, content = checkpoints.load(db, claim.trial_id, claim.key, claim.checkpoint)
    if form != state.form:
        raise checkpoints.Refused("belongs to a model with other weights")
    return content


class Keeper:
    """Writes the checkpoints of one trial; only on rank 0."""

    def __init__(self, db: str | os.PathLike[str], claim: Claim, every: float) -> None:
        """`every`: seconds of training between two checkpoints; 0 makes none."""
        self._db = db
        self._claim = claim
        self._every = every
        self._latest = time.monotonic()
        self._thread: threading.Thread | None = None
        self._saved: tuple[int, float] | None = None
        self._problem: str | None = None
        self._files = claim.checkpoint is not None

    def due(self) -> bool:
        """Whether it is time for another checkpoint."""
        return bool(self._every) and not self._busy and time.monotonic() - self._latest >= self._every

    @property
    def _busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def save(self, step: int, state: list[npt.NDArray[Any]]) -> None:
        """Start writing the state after `step` updates, if checkpoints are wanted."""
        if not self._every:
            return
        self.wait()
        self._files, self._latest = True, time.monotonic()
        self._thread = threading.Thread(target=self._write, args=(step, state, time.time()), daemon=True)
        self._thread.start()

    def _write(self, step: int, state: list[npt.NDArray[Any]], now: float) -> None:
        claim = self._claim
        try:
            checkpoints.save(self._db, claim.trial_id, claim.key, step, state)
        except OSError as error:
            self._problem = f"trial {claim.number}: no checkpoint at step {step:,}: {error}"
            print(self._problem, flush=True)
        else:
            self._saved = step, now

    def wait(self) -> None:
        """Wait until the checkpoint being written is on disk, or has failed."""
        if self._thread is not None:
            self._thread.join()

    def take(self) -> tuple[int, float] | None:
        """(step, unix time) of a checkpoint written since the last call, or None."""
        if self._busy:
            return None
        saved, self._saved = self._saved, None
        return saved

    def take_problem(self) -> str | None:
        """Why a checkpoint could not be written; reported once."""
        problem, self._problem = self._problem, None
        return problem

    def clear(self, but: int | None = None) -> None:
        """Remove the trial's checkpoints, except the one at step `but`."""
        if self._files:
            self.wait()
            checkpoints.remove(self._db, self._claim.trial_id, but=but)
