"""The layout of a plan: how long its studies take in every shape, and which shape trains which study."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hvdsweep.layout import LayoutJob, Shape
from hvdsweep.step_time import Basis, StepTimes
from hvdsweep.words import counted

if TYPE_CHECKING:
    from hvdsweep.plan import Plan, StudyPlan

Study = tuple[str, int]
"""(workload, batch size)."""

BASES: tuple[Basis, ...] = ("measured", "derived", "rough")
"""From the most to the least certain."""


@dataclass(frozen=True)
class Forecast:
    """How long the studies of a plan take."""

    jobs: tuple[LayoutJob[Study], ...]
    bases: Mapping[tuple[Study, int], Basis]
    """(study, ranks) -> basis of its time."""

    def basis(self, chosen: Collection[tuple[Study, int]]) -> Basis:
        """The least certain basis of these times."""
        return max((self.bases[one] for one in chosen), key=BASES.index, default="measured")


def forecast(
    plan: Plan, shapes: Sequence[Shape], times: StepTimes, trials: Mapping[Study, float] | None = None
) -> Forecast:
    """How long every study takes in every shape, with `trials` (default: all that it asks for) still to be trained.

    Training steps only: evaluations cost the same gangs' time in every shape, and measured speeds do not include them.
    """
    jobs = []
    bases: dict[tuple[Study, int], Basis] = {}
    for workload in plan.workloads:
        for study in workload.studies:
            key = (workload.name, study.batch_size)
            seconds = {}
            for shape in shapes:
                expected = times.expected(
                    workload.name,
                    study.batch_size,
                    shape.np,
                    shape.gangs,
                    parameters=workload.parameters,
                    granule=granule_of(workload.model, study),
                )
                seconds[shape.np] = expected.seconds * study.steps
                bases[key, shape.np] = expected.basis
            left = float(study.target_trials + study.repeats) if trials is None else trials.get(key, 0.0)
            jobs.append(LayoutJob(key, left, seconds))
    return Forecast(tuple(jobs), bases)


SMALL_STEP = 1e8
"""Operations. Below this a second thread makes steps slower, or a tenth faster where XLA compiles them: fc_128 at batch size
1,024 (6e7) takes 1.2 ms on one thread and 1.6 on two, under XLA 1.0 and 0.9. At 2e8 two threads pay."""


def steps_are_small(plan: Plan) -> bool:
    """Whether one thread trains every study as fast as several: built-in dense models with small batches.

    Counts 6 operations per weight and example: too few for convolutions and sequences. False for user code.
    """
    from workloads import architectures, catalogue

    return all(
        not catalogue.is_user_code(workload.model)
        and architectures.find(workload.model).family in ("fc", "noisy_quadratic")
        and 6 * (workload.parameters or math.inf) * study.batch_size <= SMALL_STEP
        for workload in plan.workloads
        for study in workload.studies
    )


def granule_of(model: str, study: StudyPlan) -> int:
    """Rows that a model's layers process together; 1 for the user's own model, whose granule is known only once it is
    built."""
    from workloads import architectures, catalogue

    if catalogue.is_user_code(model):
        return 1
    architecture = architectures.find(model)
    if "ghost_batch" not in architecture.options:
        return architecture.granule
    return int(study.definition["model_options"].get("ghost_batch", architecture.granule))


def described(layout_phases: Sequence[tuple[Shape, Sequence[Study]]]) -> str:
    """`2 gangs of 1 rank for batch sizes 8 and 16, then 1 gang of 2 ranks for batch size 1,024`."""
    return ", then ".join(
        f"{gangs_of(shape)} for {sizes(sorted({size for _, size in keys}))}" for shape, keys in layout_phases
    )


def sizes(found: Sequence[int]) -> str:
    """`batch size 8`, `batch sizes 4, 8 and 16`; only the ends if there are many."""
    words = [f"{size:,}" for size in found]
    if len(words) == 1:
        return f"batch size {words[0]}"
    if len(words) > 4:
        return f"{len(words)} batch sizes from {words[0]} to {words[-1]}"
    return f"batch sizes {', '.join(words[:-1])} and {words[-1]}"


def gangs_of(shape: Shape) -> str:
    """`2 gangs of 1 rank`."""
    return f"{counted(shape.gangs, 'gang')} of {counted(shape.np, 'rank')}"
