"""Ranks compare the results of the user's code before they train: all refuse with the same message, or none does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hvdsweep.training.agreement import agree

DEFINITION = {"dataset": "own:load", "model": "own:build"}
A, B = "a" * 16, "b" * 16


class Gang:
    """Ranks whose gathering gives what `agree` of each rank sent."""

    def __init__(self, *ranks: tuple[str, str] | str) -> None:
        self.ranks = ranks
        """(data, model) of each rank, or why it failed."""

    def words(self, definition: dict[str, Any]) -> list[str | None]:
        """What `agree` gives on every rank."""
        sent: list[Any] = []
        for rank in range(len(self.ranks)):
            self._agree(rank, definition, sent.append)
        every = np.concatenate(sent)
        return [self._agree(rank, definition, lambda words: every) for rank in range(len(self.ranks))]

    def _agree(self, rank: int, definition: dict[str, Any], exchange: Any) -> str | None:
        ranks: Any = SimpleNamespace(
            size=len(self.ranks), gather=lambda words, name: self._gathered(exchange, words)
        )
        mine = self.ranks[rank]
        if isinstance(mine, str):
            return agree(ranks, None, mine, definition)
        network = SimpleNamespace(shared=lambda key, make: mine)
        return agree(ranks, SimpleNamespace(network=network), None, definition)

    @staticmethod
    def _gathered(exchange: Any, words: Any) -> Any:
        found = exchange(words)
        return words if found is None else found


CASES: list[tuple[Gang, dict[str, str] | None, str | None]] = [
    (Gang((A, B)), None, None),
    (Gang((A, B), (A, B), (A, B)), None, None),
    (Gang((A, B), (A, B)), {"data": A, "model": B}, None),
    (Gang((A, B), (B, B)), None, "own:load: the ranks have different data"),
    (Gang((A, B), (A, B), (A, A)), None, "own:build: the ranks have different models, or different weights"),
    (Gang((A, B)), {"data": B}, "own:load: the data are not those that the sweep was planned with"),
    (Gang((A, B), (A, B)), {"model": A}, "own:build: the model or the weights that build sets are not those"),
]


@pytest.mark.parametrize(("gang", "planned", "says"), CASES)
def test_every_rank_comes_to_the_same_words(
    gang: Gang, planned: dict[str, str] | None, says: str | None
) -> None:
    """Equal data and models train; if one differs from another rank, or from the plan, all refuse with a remedy."""
    words = gang.words({**DEFINITION, **({"content": planned} if planned else {})})
    assert len(set(words)) == 1
    if says is None:
        assert words[0] is None
    else:
        assert words[0] is not None
        assert words[0].startswith(says)
        assert "seed" in words[0]


def test_one_rank_that_cannot_build_stops_all() -> None:
    """That rank reports the error, the others that a rank failed. No rank is left waiting in a collective."""
    words = Gang((A, B), "UserError: no file", (A, B)).words(DEFINITION)
    assert words[1] == "UserError: no file"
    assert words[0] == words[2] == "another rank could not build this study; see its log"
