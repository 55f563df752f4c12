"""The ranks of a gang as one object: this rank's number, sums over ranks, messages from rank 0.

Every collective has an explicit name that is the same on all ranks, and only one eager collective runs at a time:
Horovod matches collectives by name, so anything else can hang a gang. With one rank nothing is exchanged and Horovod is
not called.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

_MESSAGE_BYTES = 8192
_SHARED_BYTES = 64 << 20
"""Largest size of one broadcast."""


class Ranks:
    """A gang as seen from one of its ranks. `Ranks()` is a gang of one rank, without Horovod."""

    def __init__(self, rank: int = 0, size: int = 1, local_rank: int = 0, horovod: Any = None) -> None:
        self.rank = rank
        self.size = size
        self.local_rank = local_rank
        self._hvd = horovod

    @classmethod
    def join(cls) -> Ranks:
        """Join the gang that `horovodrun` started this process for."""
        import horovod.tensorflow as hvd

        hvd.init()
        return cls(hvd.rank(), hvd.size(), hvd.local_rank(), hvd)

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0, which alone uses the store."""
        return self.rank == 0

    def sum_in_graph(self, tensors: Sequence[Any], name: str) -> list[Any]:
        """The tensors summed over all ranks: one grouped allreduce, usable inside a `tf.function`."""
        if self.size == 1:
            return list(tensors)
        reduced = self._hvd.grouped_allreduce(
            list(tensors), op=self._hvd.Sum, name=name, ignore_name_scope=True
        )
        return [tf.ensure_shape(new, old.shape) for new, old in zip(reduced, tensors, strict=True)]

    def gather(self, array: np.ndarray[Any, Any], name: str) -> np.ndarray[Any, Any]:
        """The ranks' arrays joined along the first axis, in the order of the ranks (eager)."""
        if self.size == 1:
            return array
        gathered: np.ndarray[Any, Any] = self._hvd.allgather(tf.constant(array), name=name).numpy()
        return gathered

    def any(self, flag: bool, name: str = "any") -> bool:
        """Whether the flag is set on at least one rank (eager)."""
        if self.size == 1:
            return flag
        return bool(
            self._hvd.allreduce(tf.constant([float(flag)]), op=self._hvd.Sum, name=name).numpy()[0] > 0
        )

    def share(self, content: memoryview | None, size: int) -> memoryview:
        """Rank 0's `size` bytes on every rank (eager), in broadcasts of bounded length."""
        if self.size == 1:
            assert content is not None
            return content
        received = np.zeros(size, np.uint8)
        if content is not None:
            received[:] = np.frombuffer(content, np.uint8)
        for start in range(0, size, _SHARED_BYTES):
            piece = received[start : start + _SHARED_BYTES]
            piece[:] = self._hvd.broadcast(tf.constant(piece), 0, name="shared").numpy()
        return received.data

    def take(self, message: dict[str, Any] | None) -> dict[str, Any]:
        """Rank 0's message on every rank (eager): JSON in one broadcast of a fixed size, or two if it is long."""
        if self.size == 1:
            assert message is not None
            return message
        text = json.dumps(message).encode() if self.is_first else b""
        first = np.zeros(_MESSAGE_BYTES, np.uint8)
        room = _MESSAGE_BYTES - 8
        if self.is_first:
            first[:8] = np.frombuffer(len(text).to_bytes(8, "little"), np.uint8)
            first[8 : 8 + min(len(text), room)] = np.frombuffer(text[:room], np.uint8)
        first = self._hvd.broadcast(tf.constant(first), 0, name="message").numpy()
        length = int.from_bytes(first[:8].tobytes(), "little")
        received = first[8 : 8 + min(length, room)].tobytes()
        if length > room:
            rest = np.zeros(length - room, np.uint8)
            if self.is_first:
                rest[:] = np.frombuffer(text[room:], np.uint8)
            received += self._hvd.broadcast(tf.constant(rest), 0, name="message.rest").numpy().tobytes()
        decoded: dict[str, Any] = json.loads(received)
        return decoded
