"""A small archive of every workload that the paper's figures show, with planted curves that reach its goals."""

from __future__ import annotations

import random

from hvdsweep.figures import paper
from tests.archive.generator import METRICS, PRECISION, Study, Trial

SEED = 5
TRIALS = 5


def studies() -> list[Study]:
    """All 35 workloads, every second batch size besides those that a figure names."""
    rng = random.Random(SEED)
    named = {1, 2, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384}
    found = []
    for workload, all_of in paper.published_studies().items():
        dataset, model, optimizer = paper.split_name(workload)
        goal = paper.goals()[workload]
        metrics = PRECISION if goal.maximize else METRICS
        for index, study in enumerate(all_of):
            if index % 2 and study.batch_size not in named:
                continue
            trials = [_trial(rng, n, study.batch_size, goal, metrics) for n in range(1, TRIALS + 1)]
            budget = min((trial.steps for trial in trials if trial.status == "COMPLETE"), default=100)
            found.append(Study(dataset, model, optimizer, study.batch_size, budget, trials, metrics, {}))
    return found


def _trial(
    rng: random.Random, number: int, size: int, goal: paper.PaperGoal, metrics: tuple[str, ...]
) -> Trial:
    status = "COMPLETE" if number < 4 else rng.choice(["COMPLETE", "INFEASIBLE"])
    steps = round(20_000 * (1 + 64 / size) * rng.uniform(0.5, 2))
    rows = []
    for place in range(12):
        step = round(steps * place / 11)
        level = 8 * rng.uniform(0.8, 1.2) * 0.75**place
        values: dict[str, float | None] = {}
        for name in metrics:
            scale = goal.value if name.startswith("val/") else 1.0
            values[name] = scale * (1.6 - level / 4) if goal.maximize else scale * (0.6 + level)
        rows.append((step, values))
    parameters = {"learning_rate": 10 ** rng.uniform(-4, 0), "momentum": 1 - 10 ** rng.uniform(-4, 0)}
    if number % 2:
        parameters["label_smoothing"] = rng.choice([0.0, 0.01, 0.1])
    return Trial(number, status, steps, parameters, rows)
