"""Before a study's first trial: check that all ranks have the data and the model that the study was planned with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from hvdsweep.training.content import contents

if TYPE_CHECKING:
    from hvdsweep.training.ranks import Ranks

SHARDED = (
    "Every rank needs all examples in one order: hvdsweep shares the batches out. Give a shuffle a seed, and do not cut the "
    "data by rank (`x[rank::size]`)"
)
REBUILT = "Give whatever `build` draws a seed, or let layers draw it (`add_weight`), whose initialisers follow the trial's seed"


def agree(ranks: Ranks, study: Any, failure: str | None, definition: Mapping[str, Any]) -> str | None:
    """Why this study cannot be trained, the same on every rank; None if it can.

    `failure`: why this rank could not build the study. A collective: every rank must call it, failed or not.
    """
    mine = ["", ""]
    if failure is None and (ranks.size > 1 or definition.get("content")):
        mine = [*contents(study.network)]
    words = np.zeros((1, 33), np.uint8)
    words[0, 0] = failure is not None
    text = "".join(mine).encode()
    words[0, 1 : 1 + len(text)] = np.frombuffer(text, np.uint8)
    every = ranks.gather(words, name="content")
    if every[:, 0].any():
        return failure or "another rank could not build this study; see its log"
    found = [(bytes(row[1:17]).decode(), bytes(row[17:]).decode()) for row in every]
    planned = definition.get("content") or {}
    return _of_data(definition["dataset"], [data for data, _ in found], planned.get("data")) or _of_model(
        definition["model"], [model for _, model in found], planned.get("model")
    )


def _of_data(name: str, found: list[str], planned: str | None) -> str | None:
    if len(set(found)) > 1:
        return f"{name}: the ranks have different data ({', '.join(found)}). {SHARDED}"
    if planned is not None and found[0] != planned:
        return (
            f"{name}: the data are not those that the sweep was planned with ({found[0]}, planned {planned}). {SHARDED}. If "
            "the data have changed, launch again: that begins a new sweep"
        )
    return None


def _of_model(name: str, found: list[str], planned: str | None) -> str | None:
    if len(set(found)) > 1:
        return f"{name}: the ranks have different models, or different weights in them ({', '.join(found)}). {REBUILT}"
    if planned is not None and found[0] != planned:
        return (
            f"{name}: the model or the weights that build sets are not those that the sweep was planned with ({found[0]}, "
            f"planned {planned}). {REBUILT}. If a file of weights has changed, launch again: that begins a new sweep"
        )
    return None
