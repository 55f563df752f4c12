"""The studies traced on this rank, kept compiled: the next trial of any of them starts at once."""

from __future__ import annotations

import json
import sys
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hvdsweep.training.network import Network
    from hvdsweep.training.ranks import Ranks
    from hvdsweep.training.study import Study


class TracedStudies:
    """Builds studies when they are first asked for; they share data sets, networks and traced loops."""

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self._studies: dict[str, tuple[Study | None, str | None]] = {}
        self._networks: dict[str, Network] = {}
        self._datasets: dict[str, Any] = {}

    def get(
        self, definition: dict[str, Any], names: tuple[str, ...], *, trials: int
    ) -> tuple[Study | None, str | None]:
        """The study whose trials have these metaparameters, or a sentence that says why it cannot be built.

        `trials`: the planned number of trials. Failures are kept too: they would only repeat.
        """
        key = json.dumps([definition, names, trials], sort_keys=True)
        if key not in self._studies:
            try:
                from hvdsweep.training.study import Study

                network = self._network(definition)
                self._studies[key] = (Study(network, self._ranks, definition, names, trials=trials), None)
            except Exception as error:
                traceback.print_exc()
                sys.stderr.flush()
                self._studies[key] = (None, f"{type(error).__name__}: {error}")
        return self._studies[key]

    def forget(self) -> None:
        """Drop all traced and compiled code, keep data sets. All ranks of a gang must do so at the same trial."""
        self._studies.clear()
        self._networks.clear()

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
