"""LM1B and Common Crawl as text shards: sub-words, clipping, lines by number, and damaged files."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.errors import UserError
from workloads import catalogue
from workloads.datasets import load_dataset, sentences, subwords

OPTIONS = {"vocabulary": 300, "length": 12}
LM1B = "1-billion-word-language-modeling-benchmark-r13output"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HVDSWEEP_DATA", str(tmp_path))
    return tmp_path


def text(count: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    words = ["the", "cat", "sat", "on", "mat", "naïve", "therefore", "cats", "."]
    return [" ".join(rng.choice(words, rng.integers(0, 9))) for _ in range(count)]


def write_lm1b(root: Path) -> dict[str, list[str]]:
    folder = root / "lm1b" / LM1B
    shards = {
        "training-monolingual.tokenized.shuffled/news.en-00001-of-00100": text(150, 1),
        "training-monolingual.tokenized.shuffled/news.en-00002-of-00100": text(64, 2),
        "heldout-monolingual.tokenized.shuffled/news.en.heldout-00000-of-00050": text(7, 3),
        "heldout-monolingual.tokenized.shuffled/news.en.heldout-00001-of-00050": text(5, 4),
        "heldout-monolingual.tokenized.shuffled/news.en.heldout-00002-of-00050": text(9, 5),
    }
    for name, lines in shards.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return shards


def sentence_of(vocabulary: subwords.Vocabulary, labels: np.ndarray) -> str:
    return vocabulary.decode(token for token in labels if token > subwords.END)


def test_lm1b_reads_its_shards(data: Path) -> None:
    """Training lines by number over both shards, the first two held-out shards to validate and test; every
    label is the next input, -1 after the end."""
    shards = list(write_lm1b(data).values())
    dataset = load_dataset("lm1b", OPTIONS)
    assert [len(split) for split in dataset.splits.values()] == [214, 7, 5]
    assert (dataset.classes, dataset.input_shape) == (300, (12,))
    vocabulary = subwords.load(data / "lm1b" / "vocabulary-300.txt")
    everything = shards[0] + shards[1]
    asked = [np.array([213, 0, 149, 150]), np.array([63, 64, 65, 0])]
    for rows, (features, labels) in zip(asked, dataset.train.features.blocks(asked), strict=True):
        features, labels = np.asarray(features), np.asarray(labels)
        for row, x, y in zip(rows, features, labels, strict=True):
            expected = [*vocabulary.encode(everything[row]), subwords.END][:12]
            assert y[: len(expected)].tolist() == expected
            assert (y[len(expected) :] == -1).all()
            assert x[: len(expected)].tolist() == [subwords.END, *expected[:-1]]
            assert (x[len(expected) :] == subwords.PADDING).all()
    decoded = [sentence_of(vocabulary, labels) for labels in dataset.val.labels]
    for ours, theirs in zip(decoded, shards[2], strict=True):
        assert ours == theirs if len(vocabulary.encode(theirs)) < 12 else theirs.startswith(ours)


def test_a_vocabulary_is_built_once_and_can_be_given(data: Path) -> None:
    """A file in the folder is used as it is; too large or damaged ones are refused by name."""
    write_lm1b(data)
    load_dataset("lm1b", OPTIONS)
    path = data / "lm1b" / "vocabulary-300.txt"
    before = path.stat().st_mtime_ns
    load_dataset("lm1b", OPTIONS)
    assert path.stat().st_mtime_ns == before
    tokens = len(subwords.load(path))
    path.rename(data / "lm1b" / "vocabulary-260.txt")
    with pytest.raises(UserError, match=rf"vocabulary-260\.txt: holds {tokens} tokens, more than 260"):
        load_dataset("lm1b", {**OPTIONS, "vocabulary": 260})
    path.write_text("a\nb\n")
    with pytest.raises(UserError, match=r"vocabulary-300\.txt: is no vocabulary"):
        load_dataset("lm1b", OPTIONS)
    path.write_bytes(b"")
    with pytest.raises(UserError, match="is no vocabulary"):
        load_dataset("lm1b", OPTIONS)


def test_common_crawl_is_the_same_from_plain_shards(data: Path) -> None:
    """Its own file names; too few held-out shards are named."""
    folder = data / "common_crawl"
    folder.mkdir()
    (folder / "train-00000-of-00001").write_text("\n".join(text(70, 1)))  # no line end at the end
    (folder / "heldout-00000-of-00002").write_text("a b\n")
    with pytest.raises(UserError, match="only held-out shard"):
        load_dataset("common_crawl", OPTIONS)
    (folder / "heldout-00001-of-00002").write_text("c\nd")
    dataset = load_dataset("common_crawl", OPTIONS)
    assert [len(split) for split in dataset.splits.values()] == [70, 1, 2]
    ((_, labels),) = dataset.train.features.blocks([np.array([69])])
    vocabulary = subwords.load(folder / "vocabulary-300.txt")
    assert text(70, 1)[69].startswith(sentence_of(vocabulary, np.asarray(labels)[0]))


@pytest.mark.parametrize("how", ["empty", "not utf-8", "empty heldout"])
def test_damaged_text_shards_are_found(how: str, data: Path) -> None:
    """Empty shards and bytes that are no text: the message names the shard."""
    write_lm1b(data)
    part = "heldout" if how == "empty heldout" else "train"
    path = next(iter(sorted((data / "lm1b").rglob(f"{part}*/news*"))))
    path.write_bytes(b"\xff\xfe bad\n" if how == "not utf-8" else b"")
    with pytest.raises(UserError, match=path.name):
        load_dataset("lm1b", OPTIONS)


def test_damage_found_while_streaming_is_the_same_message(data: Path) -> None:
    """A line that turns out not to be text stops the stream with the shard's name, not with tf.data's."""
    write_lm1b(data)
    dataset = load_dataset("lm1b", OPTIONS)
    path = sorted((data / "lm1b").rglob("training*/news*"))[1]
    size = path.stat().st_size
    path.write_bytes(b"\xff" * (size - 1) + b"\n")
    with pytest.raises(UserError, match=r"news\.en-00002-of-00100: a line is not UTF-8"):
        list(dataset.train.features.blocks([np.array([0]), np.array([150])]))


def test_missing_text_says_how_to_get_it(data: Path) -> None:
    """Archive, size and checksum of LM1B; the file names that Common Crawl needs."""
    with pytest.raises(UserError, match=r"(?s)statmt\.org.*1,792,209,805 bytes, sha256 01ba6038"):
        load_dataset("lm1b")
    with pytest.raises(UserError, match=r"train-\*-of-\*"):
        load_dataset("common_crawl")
    assert "vocabulary: 257" in str(catalogue.check_dataset("lm1b", {"vocabulary": 257}))


def slow_merges(lines: list[str], size: int) -> list[bytes]:
    """Byte-pair merges by counting all pairs again each time."""
    words = Counter(word for line in lines for word in line.split())
    split = {word: [bytes([b]) for b in word.encode() + b" "] for word in words}
    pieces = [bytes([i]) for i in range(256)]
    while len(pieces) + 2 < size:
        pairs: Counter[tuple[bytes, bytes]] = Counter()
        for word, count in words.items():
            for pair in pairwise(split[word]):
                pairs[pair] += count
        if not pairs or max(pairs.values()) < 2:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        if best[0] + best[1] not in pieces:
            pieces.append(best[0] + best[1])
        for word, parts in split.items():
            merged, at = [], 0
            while at < len(parts):
                joined = tuple(parts[at : at + 2]) == best
                merged.append(parts[at] + parts[at + 1] if joined else parts[at])
                at += 2 if joined else 1
            split[word] = merged
    return pieces


@given(st.lists(st.text("abc ", max_size=12), max_size=8), st.integers(258, 285))
def test_incremental_merges_are_those_of_counting_again(lines: list[str], size: int) -> None:
    """The heap of changed counts finds the same pieces in the same order."""
    assert subwords.build(lines, size).pieces == slow_merges(lines, size)


@given(st.text(max_size=40))
def test_any_text_survives_encoding(sentence: str) -> None:
    """Decoding returns the words, in any script; saving and loading changes nothing."""
    vocabulary = subwords.build(["the cat sat on the mat", "naïve the cats"], 290)
    encodable = sentence.encode("utf-8", "ignore").decode()
    assert vocabulary.decode(vocabulary.encode(encodable)) == " ".join(encodable.split())


def test_a_saved_vocabulary_is_the_same(tmp_path: Path) -> None:
    """Pieces with line ends, backslashes and bytes beyond ASCII come back."""
    vocabulary = subwords.Vocabulary([bytes([i]) for i in range(256)] + [b"\n\\n", b"\xff\x00", b"the "])
    vocabulary.save(tmp_path / "v.txt")
    assert subwords.load(tmp_path / "v.txt").pieces == vocabulary.pieces
    with pytest.raises(ValueError, match="258"):
        subwords.build([], 257)


def test_every_line_is_found_by_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Around every mark of the index, across files, empty lines included."""
    monkeypatch.setenv("HVDSWEEP_DATA", str(tmp_path))
    lines = [f"{i}" if i % 5 else "" for i in range(300)]
    for number, cut in enumerate((slice(0, 1), slice(1, 130), slice(130, 300))):
        (tmp_path / f"{number}.txt").write_text("\n".join(lines[cut]) + ("\n" if number != 1 else ""))
    found = sentences.lines_of(sorted(tmp_path.glob("*.txt")))
    assert len(found) == 300
    rows = np.random.default_rng(0).permutation(300)
    assert [line.strip() for line in found.read(rows)] == [lines[row] for row in rows]
