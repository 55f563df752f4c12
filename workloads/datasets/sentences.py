"""Sentences, one per line in text shards, as sub-word tokens: LM1B and Common Crawl. Training sentences are
streamed by number, the others are read at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from hvdsweep.errors import UserError
from workloads.catalogue import DatasetInfo
from workloads.datasets import files, subwords
from workloads.datasets.dataset import Dataset, Split
from workloads.datasets.tfrecords import kept

STRIDE = 64
"""The index stores the position of every 64th line: Common Crawl has 25.8 billion."""
VOCABULARY_SENTENCES = 1_000_000
"""Sentences from which a vocabulary is built: the first of the training shards."""
BLOCKS_AHEAD = 4


def load(info: DatasetInfo) -> Dataset:
    """Tokens int32 [n, length] with the next tokens as labels, -1 if the sentence has ended.

    Sentences are clipped to `length` tokens including the end, in training and (for one static shape) in evaluation.
    The first held-out shard validates, the second tests. The vocabulary is `vocabulary-<size>.txt` in the data set's
    folder, built on first use. Raises `UserError` for data that are missing or damaged.
    """
    home = files.HOMES[info.name]
    train, heldout = files.shards(home, 0), files.shards(home, 1)
    if len(heldout) < 2:
        raise UserError(
            f"{heldout[0]}: is the only held-out shard; one to validate and one to test are needed"
        )
    (length,) = info.input_shape
    vocabulary = vocabulary_of(files.folder_of(home), train, info.classes)
    stream = SentenceStream(lines_of(train), vocabulary, length)
    val, test = (_read_all(path, vocabulary, length) for path in heldout[:2])
    return Dataset.of(info, Split(stream, None), val, test)


def vocabulary_of(folder: Path, train: list[Path], size: int) -> subwords.Vocabulary:
    """The vocabulary of that size in the folder; if there is none, one is built from the first training sentences and
    stored there."""
    path = folder / f"vocabulary-{size}.txt"
    if path.is_file():
        vocabulary = subwords.load(path)
    else:
        sentences = itertools.islice(_sentences(train), VOCABULARY_SENTENCES)
        vocabulary = subwords.build(sentences, size)
        try:
            vocabulary.save(path)
        except OSError as error:
            raise UserError(
                f"{path}: cannot be written: {error.strerror}; make the folder writable once"
            ) from error
    if len(vocabulary) > size:
        raise UserError(
            f"{path}: holds {len(vocabulary)} tokens, more than {size}; delete it to have it built again"
        )
    return vocabulary


def _sentences(paths: list[Path]) -> Iterator[str]:
    for path in paths:
        with open(path, "rb") as stream:
            for line in stream:
                yield _text(line, path)


def _text(line: bytes, path: Path) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: a line is not UTF-8 ({error}); fetch this shard again") from error


@dataclass(frozen=True)
class Lines:
    """Lines of text files by number."""

    paths: list[Path]
    first: npt.NDArray[Any]
    """The number of each file's first line, then the number of all lines: int64 [files + 1]."""
    marks: npt.NDArray[Any]
    """Byte offset of every STRIDE-th line, file after file: int64."""
    mark: npt.NDArray[Any]
    """Where each file's offsets begin in `marks`: int64 [files]."""

    def __len__(self) -> int:
        return int(self.first[-1])

    def read(self, rows: npt.NDArray[Any]) -> list[str]:
        """The lines of these numbers, in this order."""
        found: list[str] = [""] * len(rows)
        order = np.argsort(rows, kind="stable")
        shard = np.searchsorted(self.first, rows[order], side="right") - 1
        for number in np.unique(shard):
            path = self.paths[number]
            with open(path, "rb") as stream:
                for place in order[shard == number]:
                    mark, skip = divmod(int(rows[place] - self.first[number]), STRIDE)
                    stream.seek(int(self.marks[self.mark[number] + mark]))
                    line = next(itertools.islice(stream, skip, None))
                    found[place] = _text(line, path)
        return found


def lines_of(paths: list[Path]) -> Lines:
    """Count and index the lines of files; the index is cached. Raises `UserError` for an empty file."""

    def count() -> tuple[npt.NDArray[Any], ...]:
        counts, marks = [], []
        for path in paths:
            number, offset, own = 0, 0, []
            with open(path, "rb") as stream:
                for line in stream:
                    if number % STRIDE == 0:
                        own.append(offset)
                    number += 1
                    offset += len(line)
            if number == 0:
                raise UserError(f"{path}: is empty; fetch this shard again")
            counts.append(number)
            marks.append(np.array(own, np.int64))
        return np.array(counts, np.int64), np.concatenate(marks)

    counts, marks = kept("lines", paths, count)
    first = np.concatenate([[0], np.cumsum(counts)])
    mark = np.concatenate([[0], np.cumsum(-(-counts // STRIDE))])[:-1]
    return Lines(paths, first, marks, mark)


def windows(
    sentences: Iterable[str], vocabulary: subwords.Vocabulary, length: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Features and labels int32 [n, length]: END, t1, t2, ... predicts t1, t2, ..., END; then padding and
    -1."""
    rows = [[*vocabulary.encode(sentence), subwords.END][:length] for sentence in sentences]
    features = np.full((len(rows), length), subwords.PADDING, np.int32)
    labels = np.full((len(rows), length), -1, np.int32)
    for number, tokens in enumerate(rows):
        labels[number, : len(tokens)] = tokens
        features[number, 0] = subwords.END
        features[number, 1 : len(tokens)] = tokens[:-1]
    return features, labels


def _read_all(path: Path, vocabulary: subwords.Vocabulary, length: int) -> Split:
    features, labels = windows(_sentences([path]), vocabulary, length)
    if not len(features):
        raise UserError(f"{path}: is empty; fetch this shard again")
    return Split(features, labels)


@dataclass(frozen=True)
class SentenceStream:
    """`Stream` of training sentences; nothing in them is random, so keys are not used."""

    lines: Lines
    vocabulary: subwords.Vocabulary
    length: int

    def __len__(self) -> int:
        return len(self.lines)

    def blocks(
        self, rows: Iterable[npt.NDArray[Any]], keys: Iterable[npt.NDArray[Any]] | None = None
    ) -> Iterator[tuple[Any, Any]]:
        """See `Stream.blocks`; reading and encoding run in a thread of tf.data."""
        problems: list[BaseException] = []

        def made() -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
            try:
                for block in rows:
                    yield windows(self.lines.read(np.asarray(block)), self.vocabulary, self.length)
            except BaseException as error:
                problems.append(error)
                raise

        spec = tf.TensorSpec([None, self.length], tf.int32)
        blocks = tf.data.Dataset.from_generator(made, output_signature=(spec, spec)).prefetch(BLOCKS_AHEAD)
        try:
            yield from blocks
        except tf.errors.OpError:
            # tf.data wraps the Python exception; the original says more.
            if problems and isinstance(problems[0], UserError):
                raise problems[0] from None
            raise
