"""An archive like the published one, of any size, unpacked in a folder: all 35 workloads and 454 studies, planted curves.

    python -m benchmarks.published FOLDER --scale 0.01

Every study follows steps-to-result = least * (1 + critical / batch size); its trials are slower by how far their
effective learning rate is from the study's best, and diverge far above it. Values have the digits of float32 written
in full, as the published ones have.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from hvdsweep.figures import paper

TRIALS, ROWS = 168_160, 71_638_836
"""Trained models and measurements that the paper's abstract counts."""

ROWS_PER_TRIAL = round(ROWS / TRIALS / 0.78)
"""Evaluations of a complete trial; the others stop half-way on average, which leaves 0.78 of it."""

BUDGET = 4.0
"""Steps that a study trains, in multiples of its planted steps-to-result."""

SLOWNESS = np.geomspace(1.0, 60.0, 40)
REPLICAS = 4
NOISE = 0.03
"""Relative, of one evaluation."""


@dataclass(frozen=True)
class Planted:
    """What a workload's curves follow."""

    least: float
    """Steps that no batch size goes below."""
    critical: float
    best_rate: float
    """Best effective learning rate of the smallest batch sizes."""

    def steps(self, batch_size: int) -> float:
        return self.least * (1 + self.critical / batch_size)


def planted(workload: str) -> Planted:
    """A different but fixed curve for each workload."""
    index = list(paper.published_studies()).index(workload)
    sizes = [study.batch_size for study in paper.published_studies()[workload]]
    middle = math.sqrt(sizes[0] * sizes[-1])
    return Planted(200.0 * 3 ** (index % 5), middle * 2 ** (index % 4 - 1), 0.01 * 2 ** (index % 6))


def write_archive(
    root: Path, scale: float = 1.0, *, progress: bool = False, workloads: Sequence[str] = ()
) -> tuple[int, int]:
    """Write it below `root`/batch_science; returns how many trials and measurements it has.

    `scale`: trials per study, as a share of the published counts (themselves scaled to the abstract's 168,160).
    """
    random = np.random.default_rng(7)
    studies = [
        (w, s)
        for w, all_of in paper.published_studies().items()
        for s in all_of
        if not workloads or w in workloads
    ]
    everything = sum(
        s.complete + s.incomplete + s.infeasible
        for all_of in paper.published_studies().values()
        for s in all_of
    )
    share = scale * TRIALS / everything
    trials = rows = 0
    begun = time.perf_counter()
    for count, (workload, study) in enumerate(studies):
        numbers = [
            max(math.ceil(n * share), min(n, 1)) for n in (study.complete, study.incomplete, study.infeasible)
        ]
        made = _study(root, workload, study.batch_size, numbers, random)
        trials, rows = trials + sum(numbers), rows + made
        if progress and count % 10 == 0:
            seconds = time.perf_counter() - begun
            print(
                f"\r{count + 1} studies, {trials:,} trials, {rows:,} rows, {seconds:.0f} s",
                end="",
                file=sys.stderr,
            )
    if progress:
        print(file=sys.stderr)
    return trials, rows


def _study(
    root: Path, workload: str, batch_size: int, numbers: Sequence[int], random: np.random.Generator
) -> int:
    dataset, model, optimizer = paper.split_name(workload)
    curve = planted(workload)
    budget = round(BUDGET * curve.steps(batch_size) * (25 if workload.startswith("solution_quality") else 1))
    folder = root / "batch_science" / workload / str(batch_size)
    folder.mkdir(parents=True)
    momentum = optimizer != "sgd"
    configs = {
        "learning_rate": {"type": "DOUBLE", "min_value": 1e-4, "max_value": 10.0, "scale": "LOG_SCALE"}
    }
    if momentum:
        configs["momentum"] = {
            "type": "DOUBLE",
            "min_value": 0.0,
            "max_value": 0.9999,
            "scale": "REVERSE_LOG_SCALE",
        }
    document = {
        "batch_size": batch_size,
        "dataset": dataset.rpartition("/")[2],
        "early_stopping": False,
        "model": model,
        "optimizer": optimizer,
        "parameter_configs": configs,
        "train_steps": budget,
    }
    (folder / "study.json").write_text(json.dumps(document, indent=2))
    total = sum(numbers)
    rate = 10 ** random.uniform(-4, 1, total)
    rest = 10 ** random.uniform(-4, 0, total) if momentum else np.ones(total)
    # The best effective learning rate grows like a square root, and no longer once scaling has ended.
    best = curve.best_rate * math.sqrt(min(batch_size, curve.critical))
    distance = np.log10(rate / rest / best)
    order = np.argsort(distance)
    status = np.full(total, "COMPLETE", dtype="U10")
    status[order[total - numbers[2] :]] = "INFEASIBLE"
    status[random.permutation(order[: total - numbers[2]])[: numbers[1]]] = "INCOMPLETE"
    smoothing = random.choice([0.0, 0.01, 0.1], total) if "resnet_50" in workload else None
    header, pool = _pool(workload)
    even = np.linspace(0, budget, ROWS_PER_TRIAL)
    written = 0
    for trial in range(total):
        slow = int(np.argmin(np.abs(SLOWNESS - (1 + 2 * distance[trial] ** 2))))
        tails = pool[slow * REPLICAS + int(random.integers(REPLICAS))]
        # Evaluations are not evenly spaced.
        steps = (
            np.unique(even.round().astype(np.int64))
            if trial % 3
            else np.unique((even**1.1 / max(budget, 1) ** 0.1).astype(np.int64))
        )
        length = len(steps) if status[trial] == "COMPLETE" else max(1, int(len(steps) * random.random()))
        steps = steps[:length]
        parameters = {"learning_rate": float(rate[trial])}
        if momentum:
            parameters["momentum"] = float(1 - rest[trial])
        if smoothing is not None:
            parameters["label_smoothing"] = float(smoothing[trial])
        metadata = {
            "_internal_study_name": "planted",
            "parameters": parameters,
            "status": str(status[trial]),
            "steps": int(steps[-1]),
            "trial_id": trial + 1,
        }
        own = folder / str(trial + 1)
        own.mkdir()
        (own / "metadata.json").write_text(json.dumps(metadata, indent=2))
        lines = [str(step) + tail for step, tail in zip(steps.tolist(), tails, strict=False)]
        if status[trial] == "INFEASIBLE":
            lines[-1] = lines[-1].partition(",")[0] + ",nan" * lines[-1].count(",")
        (own / "measurements.csv").write_text(header + "\n".join(lines) + "\n")
        written += length
    return written


@cache
def _pool(workload: str) -> tuple[str, list[list[str]]]:
    """(header line, the rest of every line for SLOWNESS x REPLICAS curves), of a workload's metrics."""
    goal = paper.goals()[workload]
    return _texts(goal.metric, goal.value, workload.startswith("solution_quality"))


@cache
def _texts(metric: str, goal: float, long: bool) -> tuple[str, list[list[str]]]:
    random = np.random.default_rng(11)
    rows = ROWS_PER_TRIAL
    quantity = metric.rpartition("/")[2]
    second = quantity if quantity == "average_precision" else "classification_error"
    names = [
        f"{split}/{name}" for split in ("train", "val", "test") for name in ("cross_entropy_error", second)
    ]
    progress = np.linspace(0, BUDGET * (25 if long else 1), rows)
    found = []
    for slowness in SLOWNESS:
        for _ in range(REPLICAS):
            # Falls from its start to the goal at progress 1, then slowly on.
            share = (1 + 20 * progress / slowness) ** -1.0
            at_goal = 1 / 21
            columns = []
            for name in names:
                noisy = share * random.normal(1, NOISE, rows)
                if name.endswith("average_precision"):
                    column = goal * (1 - noisy) / (1 - at_goal)
                elif name.rpartition("/")[2] == quantity:
                    start = 11.0 if quantity == "cross_entropy_error" else 0.9
                    floor = (goal - start * at_goal) / (1 - at_goal) if goal > start * at_goal else 0.2 * goal
                    slope = (goal - floor) / at_goal
                    column = floor + slope * noisy
                else:
                    column = 0.5 + 6 * noisy
                if name.endswith("classification_error"):
                    column = np.round(np.clip(column, 0, 1) * 50_000) / 50_000
                columns.append(column)
            table = np.stack(columns, 1).astype(np.float32).astype(np.float64).tolist()
            found.append(["," + ",".join(map(repr, row)) for row in table])
    return "step," + ",".join(names) + "\n", found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=float, default=0.01, help="share of the published trials")
    args = parser.parse_args()
    trials, rows = write_archive(args.folder, args.scale, progress=True)
    print(f"{args.folder}: {trials:,} trials, {rows:,} measurements")


if __name__ == "__main__":
    main()
