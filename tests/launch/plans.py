"""Small hand-made plans whose trials control the fake gang's behaviour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hvdsweep.repeats import repeat_number
from tests.plans import FixedStudy, Plan, Trial, Workload


@dataclass(frozen=True)
class Study(FixedStudy):
    batch_size: int
    behaviours: Sequence[Mapping[str, float]]
    """One per trial; later trials (replacements) behave well."""
    max_trials: int
    steps: int = 20
    seed: int = 1
    search: Mapping[str, Any] = field(default_factory=dict)
    name: str = "w"
    repeats: int = 0

    @property
    def target_trials(self) -> int:
        return len(self.behaviours)

    @property
    def definition(self) -> Mapping[str, Any]:
        goal = {"metric": "val/loss", "value": 0.0, "maximize": False}
        return {"workload": self.name, "batch_size": self.batch_size, "steps": self.steps, "goal": goal}

    @property
    def trials(self) -> Sequence[Trial]:
        return self.trial_range(0, len(self.behaviours))

    def trial_range(self, start: int, count: int) -> Sequence[Trial]:
        return [self._trial(number) for number in range(start, start + count)]

    def repeat(self, trial: int, index: int, metaparameters: Mapping[str, float]) -> Trial:
        number = repeat_number(trial, index)
        return Trial(number, f"{self.name}/{self.batch_size}/{number}", 500 + index, metaparameters)

    def _trial(self, number: int) -> Trial:
        behaviour = dict(self.behaviours[number]) if number < len(self.behaviours) else {}
        return Trial(
            number, f"{self.name}/{self.batch_size}/{number}", 1000 * self.batch_size + number, behaviour
        )


def plan_of(*studies: Sequence[Mapping[str, float]], replacements: int = 0, steps: int = 20) -> Plan:
    """A sweep of one workload: one study per argument (batch sizes 1, 2, 4, ...), one trial per behaviour."""
    made = [
        Study(2**i, behaviours, len(behaviours) + replacements, steps) for i, behaviours in enumerate(studies)
    ]
    return Plan(
        [Workload(made, name="w", model="fc_16", metric="val/loss", goal=0.0)],
        key="fake",
        name="fake",
        file=None,
    )
