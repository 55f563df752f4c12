"""A sub-word vocabulary: built from text by byte-pair merges, stored in a file, applied by longest match.

Token 0 is padding, 1 the end of a sentence (and its start, as first input), then the 256 bytes, then merged
pieces. A word is its UTF-8 bytes and a final space, so any text can be encoded and decoded without loss but for
white space.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from hvdsweep.errors import UserError
from hvdsweep.replacing import write_whole

PADDING, END = 0, 1
_SPECIAL = 2
SMALLEST = _SPECIAL + 256
"""The smallest vocabulary: it needs every byte."""
_CACHED_WORDS = 1 << 20


class Vocabulary:
    """Pieces by token number."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces
        """The pieces of the tokens from 2 on."""
        self._token = {piece: number + _SPECIAL for number, piece in enumerate(pieces)}
        self._longest = max(len(piece) for piece in pieces)
        self._words: dict[str, tuple[int, ...]] = {}

    def __len__(self) -> int:
        return _SPECIAL + len(self.pieces)

    def encode(self, sentence: str) -> list[int]:
        """The tokens of a sentence, without its end."""
        return [token for word in sentence.split() for token in self._encode_word(word)]

    def decode(self, tokens: Iterable[int]) -> str:
        """The sentence of these tokens, words separated by single spaces."""
        data = b"".join(self.pieces[token - _SPECIAL] for token in tokens if token >= _SPECIAL)
        return data.decode("utf-8", errors="replace").removesuffix(" ")

    def _encode_word(self, word: str) -> tuple[int, ...]:
        known = self._words.get(word)
        if known is not None:
            return known
        data, at, tokens = word.encode() + b" ", 0, []
        while at < len(data):
            for end in range(min(len(data), at + self._longest), at, -1):
                token = self._token.get(data[at:end])
                if token is not None:
                    tokens.append(token)
                    at = end
                    break
        if len(self._words) >= _CACHED_WORDS:
            self._words.clear()
        self._words[word] = tuple(tokens)
        return self._words[word]

    def save(self, path: Path) -> None:
        """One piece a line, with Python's escapes for anything that is not printable ASCII."""
        lines = [piece.decode("latin-1").encode("unicode_escape") for piece in self.pieces]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, b"\n".join(lines) + b"\n")


def load(path: Path) -> Vocabulary:
    """The vocabulary in a file that `Vocabulary.save` wrote. Raises `UserError` if it is damaged."""
    try:
        lines = path.read_bytes().removesuffix(b"\n").split(b"\n")
        pieces = [line.decode("unicode_escape").encode("latin-1") for line in lines]
    except (OSError, UnicodeError) as error:
        raise UserError(f"{path}: is no vocabulary: {error}; delete it to have it built again") from error
    if pieces[:256] != [bytes([i]) for i in range(256)] or len(set(pieces)) != len(pieces) or b"" in pieces:
        raise UserError(
            f"{path}: is no vocabulary: it must begin with the 256 bytes and repeat nothing; delete it to have it built"
        )
    return Vocabulary(pieces)


def build(sentences: Iterable[str], size: int) -> Vocabulary:
    """Merge the most frequent neighbouring pieces (ties: the smaller pair of bytes) until there are `size`
    tokens, or nothing is left to merge twice. Raises ValueError below SMALLEST."""
    if size < SMALLEST:
        raise ValueError(f"a vocabulary needs at least {SMALLEST} tokens, not {size}")
    counts = Counter(word for sentence in sentences for word in sentence.split())
    words = [[bytes([byte]) for byte in word.encode() + b" "] for word in counts]
    weights = list(counts.values())
    pieces = [bytes([i]) for i in range(256)]
    known = set(pieces)
    pairs: Counter[tuple[bytes, bytes]] = Counter()
    holders: dict[tuple[bytes, bytes], set[int]] = defaultdict(set)
    for number, word in enumerate(words):
        for pair in pairwise(word):
            pairs[pair] += weights[number]
            holders[pair].add(number)
    heap = [(-count, pair) for pair, count in pairs.items()]
    heapq.heapify(heap)
    while len(pieces) + _SPECIAL < size and heap:
        count, pair = heapq.heappop(heap)
        if -count != pairs[pair]:  # its count has changed since; the newer entry is in the heap too
            continue
        if -count < 2:
            break
        merged = pair[0] + pair[1]
        if merged not in known:
            known.add(merged)
            pieces.append(merged)
        changed: set[tuple[bytes, bytes]] = set()
        for number in holders.pop(pair):
            word, weight = words[number], weights[number]
            for old in pairwise(word):
                pairs[old] -= weight
                changed.add(old)
            word = words[number] = _merge(word, pair, merged)
            for new in pairwise(word):
                pairs[new] += weight
                holders[new].add(number)
                changed.add(new)
        for each in changed:
            if pairs[each] > 0:
                heapq.heappush(heap, (-pairs[each], each))
        pairs[pair] = 0
    return Vocabulary(pieces)


def _merge(word: list[bytes], pair: tuple[bytes, bytes], merged: bytes) -> list[bytes]:
    out, at = [], 0
    while at < len(word):
        if at + 1 < len(word) and (word[at], word[at + 1]) == pair:
            out.append(merged)
            at += 2
        else:
            out.append(word[at])
            at += 1
    return out
