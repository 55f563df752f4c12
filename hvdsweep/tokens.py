"""Tokens as a unit of data: tokens per example of a language workload, from the data set's options in the store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from hvdsweep.errors import UserError

if TYPE_CHECKING:
    from hvdsweep.store.reader import Reader
    from hvdsweep.store.rows import WorkloadRow

Unit = Literal["samples", "tokens"]
DATA_UNITS: tuple[Unit, ...] = ("samples", "tokens")


def tokens_per_example(reader: Reader, workload: WorkloadRow) -> int | None:
    """The length of the sequences that a language workload trains on, padding included. None if examples are not
    sequences of tokens, or the length is not known: imported sweeps, the user's own data sets."""
    rows = reader.rows("SELECT definition FROM studies WHERE workload_id = ? LIMIT 1", (workload.id,))
    definition = json.loads(rows[0][0]) if rows else {}
    if "dataset_options" not in definition:
        return None
    from workloads import catalogue

    try:
        info = catalogue.dataset_info(definition["dataset"], definition["dataset_options"])
    except (KeyError, ValueError):
        return None
    return info.input_shape[0] if info.task == "language_model" else None


def tokens_for(reader: Reader, workload: WorkloadRow, unit: str | None) -> int | None:
    """Tokens per example if the unit is tokens, else None. UserError if the workload has none."""
    if unit != "tokens":
        return None
    found = tokens_per_example(reader, workload)
    if found is None:
        raise UserError(
            f"{workload.name}: tokens: its examples are not sequences of a known length; count in samples instead"
        )
    return found
