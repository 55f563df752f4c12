"""Studies as compiled for this rank, kept warm: the next trial of one starts at once."""

from __future__ import annotations

import json
import sys
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hvdsweep.training.network import Network
    from hvdsweep.training.ranks import Ranks
    from hvdsweep.training.study import Study

KEPT_STUDIES = 8
"""Since several gangs may hand a study's last trials around."""


class Studies:
    """Builds studies when they are first asked for; data sets and networks are shared among them."""

    def __init__(self, ranks: Ranks, kept: int = KEPT_STUDIES) -> None:
        self._ranks = ranks
        self._kept = kept
        self._studies: dict[str, tuple[Study | None, str | None]] = {}
        self._networks: dict[str, Network] = {}
        self._datasets: dict[str, Any] = {}

    def get(self, definition: dict[str, Any], names: tuple[str, ...]) -> tuple[Study | None, str | None]:
        """The compiled study whose trials have these metaparameters, or the sentence that says why there is none.

        Failures are kept too: they would only repeat.
        """
        key = json.dumps([definition, names], sort_keys=True)
        if key not in self._studies:
            while len(self._studies) >= self._kept:
                del self._studies[next(iter(self._studies))]
            try:
                from hvdsweep.training.study import Study

                self._studies[key] = (Study(self._network(definition), self._ranks, definition, names), None)
            except Exception as error:
                traceback.print_exc()
                sys.stderr.flush()
                self._studies[key] = (None, f"{type(error).__name__}: {error}")
        return self._studies[key]

    def _network(self, definition: dict[str, Any]) -> Network:
        from hvdsweep.training.network import Network

        source = definition.get("source")
        dataset_key = json.dumps([definition["dataset"], definition.get("dataset_options"), source])
        key = json.dumps([dataset_key, definition["model"], definition.get("model_options")])
        if key not in self._networks:
            if dataset_key not in self._datasets:
                from workloads.datasets import load_dataset

                self._datasets[dataset_key] = load_dataset(
                    definition["dataset"], definition.get("dataset_options") or {}, source=source
                )
            self._networks[key] = Network(
                self._datasets[dataset_key],
                definition["model"],
                definition.get("model_options") or {},
                source,
            )
        return self._networks[key]
