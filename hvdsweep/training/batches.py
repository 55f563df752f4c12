"""Which examples are in which batch: sampled without replacement, reshuffled every epoch, determined by the seed alone.

Training consumes one endless stream of positions; position p belongs to epoch p // N and takes that epoch's permutation at
p % N. A batch of size B at step t (0-based) is the positions tB .. tB + B - 1, so a batch may straddle two epochs and every
example is used exactly once per epoch. Ranks take their rows from the same stream, so np cannot change a batch.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]

TABLE_LIMIT = 1 << 24
"""Sets with more examples are permuted by arithmetic instead of a table: a table of 2^24 int32 takes 64 MiB per epoch."""
_KEPT_EPOCHS = 4
_KEPT_EXAMPLES = 1 << 20
"""Of small sets more epochs are kept, up to so many examples: one call of the loop may cover a hundred epochs."""


class Shuffle:
    """The order in which a trial visits its training examples."""

    def __init__(self, examples: int, seed: int, *, table_limit: int = TABLE_LIMIT) -> None:
        if examples < 1:
            raise ValueError(f"a training set needs at least one example, not {examples}")
        self.examples = examples
        self.seed = seed
        self._by_table = examples <= table_limit
        self._tables: OrderedDict[int, npt.NDArray[Any]] = OrderedDict()

    def at(self, positions: IntArray) -> IntArray:
        """The examples (0 .. N-1) at these positions of the stream; any shape."""
        first, last = int(positions.min()) // self.examples, int(positions.max()) // self.examples
        if first == last:
            return self._permuted(first, positions - first * self.examples)
        # Training asks in ascending order, where sorting is one look. Epoch by epoch, each in one piece.
        order = np.argsort(positions, axis=None, kind="stable")
        ordered = positions.ravel()[order]
        starts = self.examples * np.arange(first, last + 1)
        pieces = np.split(ordered, np.searchsorted(ordered, starts[1:]))
        result = np.empty_like(ordered)
        result[order] = np.concatenate(
            [
                self._permuted(first + number, piece - start)
                for number, (piece, start) in enumerate(zip(pieces, starts, strict=True))
                if piece.size
            ]
        )
        return result.reshape(positions.shape)

    def _permuted(self, epoch: int, index: IntArray) -> IntArray:
        if not self._by_table:
            return feistel(index, self.examples, self.seed, epoch)
        table = self._tables.get(epoch)
        if table is None:
            generator = np.random.Generator(np.random.Philox(key=np.array([self.seed, epoch], np.uint64)))
            table = generator.permutation(self.examples).astype(np.int32)
            self._tables[epoch] = table
            while len(self._tables) > max(_KEPT_EPOCHS, _KEPT_EXAMPLES // self.examples):
                self._tables.popitem(last=False)
        return table[index].astype(np.int64)


def feistel(index: IntArray, size: int, seed: int, epoch: int, rounds: int = 6) -> IntArray:
    """A keyed permutation of 0 .. size-1, evaluated only at `index`: a Feistel network, walked until in range.

    The network permutes the next even power of two, at most 4 * size, so a walk takes at most four rounds on average.
    """
    half = max((size - 1).bit_length() + 1, 2) // 2
    mask = np.uint64((1 << half) - 1)
    keys = np.random.Generator(np.random.Philox(key=np.array([seed, epoch], np.uint64))).integers(
        0, 1 << 63, rounds, dtype=np.uint64
    )

    def scramble(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        left, right = values >> np.uint64(half), values & mask
        for key in keys:
            # One round of the splitmix64 finaliser is the round function.
            mixed = (right + key) * np.uint64(0xBF58476D1CE4E5B9)
            mixed ^= mixed >> np.uint64(27)
            mixed *= np.uint64(0x94D049BB133111EB)
            left, right = right, left ^ ((mixed >> np.uint64(31)) & mask)
        return (left << np.uint64(half)) | right

    with np.errstate(over="ignore"):
        values = scramble(index.astype(np.uint64).ravel())
        outside = np.flatnonzero(values >= size)
        while outside.size:
            values[outside] = scramble(values[outside])
            outside = outside[values[outside] >= size]
    return values.astype(np.int64).reshape(index.shape)
