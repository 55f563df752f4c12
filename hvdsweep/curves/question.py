"""The question to a workload, the same for command line, figures and interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hvdsweep.states import Status


@dataclass(frozen=True)
class Question:
    """A question to each workload; None takes the workload's own value."""

    metric: str | None = None
    maximize: bool | None = None
    step_budget: float | None = None
    example_budget: float | None = None
    num_trials: int | None = None
    statuses: tuple[Status, ...] = (Status.COMPLETE,)

    @property
    def limits(self) -> dict[str, Any]:
        """Budgets and number of trials, as arguments of `steps_to_result` and `best_measurements`."""
        return {
            "step_budget": self.step_budget,
            "example_budget": self.example_budget,
            "num_trials": self.num_trials,
            "statuses": self.statuses,
        }
