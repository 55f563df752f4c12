"""The form of a data set for training: splits of examples, in memory or streamed by global index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from workloads.catalogue import DatasetInfo

if TYPE_CHECKING:
    from workloads.tasks import Task


class Stream(Protocol):
    """Examples that do not fit in memory, read by their global index."""

    def __len__(self) -> int: ...

    def blocks(
        self, rows: Iterable[npt.NDArray[Any]], keys: Iterable[npt.NDArray[Any]] | None = None
    ) -> Iterator[tuple[Any, Any]]:
        """For each array of example numbers int64 [n]: features [n, ...] and labels [n, ...] (arrays or eager
        tensors), in the given order. A block has at least one row.

        For training, pass as many `keys`, uint32 [n] for each block: `stateless.row_keys(scope,
        stateless.AUGMENTATION, np)` of the step that the block is for. Examples are then augmented as a
        function of their key; without keys they are prepared for evaluation. Reads ahead in the background,
        so both iterables are consumed some blocks ahead.
        """
        ...


@dataclass(frozen=True)
class Split:
    """Examples of one split."""

    features: npt.NDArray[Any] | Stream
    """[n, ...], or a stream of them."""
    labels: npt.NDArray[Any] | None
    """[n, ...]; None if `features` is a stream, which yields the labels too."""

    def __len__(self) -> int:
        return len(self.features)

    @property
    def in_memory(self) -> bool:
        """Whether the features and labels are arrays."""
        return isinstance(self.features, np.ndarray)


@dataclass(frozen=True)
class Dataset:
    """Everything that training needs from its data."""

    name: str
    task: Task
    train: Split
    val: Split
    test: Split | None
    input_shape: tuple[int, ...]
    """One example, without the batch axis."""
    classes: int
    """Classes, or size of the vocabulary."""
    augment: Callable[[Any, Any], Any] | None = None
    """augment(features [b, ...], keys uint32 [b]) -> features, in the graph, for training only. Its
    randomness is a function of the keys: `stateless.row_keys(scope, stateless.AUGMENTATION)`."""
    checksum: str | None = None
    """SHA-256 of the source of the examples, if the data set knows it."""
    given: str = "float32"
    """Type of the training features as the user's function returned them; they are trained as float32 or int32."""

    @classmethod
    def of(cls, info: DatasetInfo, train: Split, val: Split, test: Split | None, **also: Any) -> Dataset:
        """The splits of a built-in data set, with its name, task and sizes."""
        from workloads.tasks import task

        return cls(info.name, task(info.task), train, val, test, info.input_shape, info.classes, **also)

    @property
    def splits(self) -> dict[str, Split]:
        """The existing splits, by name."""
        every = {"train": self.train, "val": self.val, "test": self.test}
        return {name: split for name, split in every.items() if split is not None}

    @property
    def info(self) -> DatasetInfo:
        """The same facts that `catalogue.dataset_info` returns for a built-in data set."""
        return DatasetInfo(
            self.name,
            self.task.name,
            len(self.train),
            len(self.val),
            0 if self.test is None else len(self.test),
            self.input_shape,
            self.classes,
            in_memory=self.train.in_memory,
        )
