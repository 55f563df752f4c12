"""Archives in the published layout with planted curves: what is written is also kept, so that tests know what to find."""

from __future__ import annotations

import io
import json
import math
import random
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

METRICS = tuple(
    f"{split}/{name}"
    for split in ("train", "val", "test")
    for name in ("cross_entropy_error", "classification_error")
)
PRECISION = ("train/average_precision", "val/average_precision", "test/average_precision")

CONFIGS = {
    "learning_rate": {"type": "DOUBLE", "min_value": 1e-4, "max_value": 10.0, "scale": "LOG_SCALE"},
    "momentum": {"type": "DOUBLE", "min_value": 0.9, "max_value": 0.9999, "scale": "REVERSE_LOG_SCALE"},
    "label_smoothing": {"type": "DISCRETE", "feasible_points": [0.0, 0.01, 0.1]},
    "learning_rate_decay_steps": {"type": "INTEGER", "min_value": 300, "max_value": 600, "scale": ""},
}


@dataclass
class Trial:
    """One trial as it is to be written."""

    number: int
    status: str
    steps: int
    parameters: dict[str, Any]
    rows: list[tuple[int, dict[str, float | None]]]
    """(step, metric -> value); None is written as an empty field."""


@dataclass
class Study:
    """One study as it is to be written."""

    dataset: str
    model: str
    optimizer: str
    batch_size: int
    train_steps: int
    trials: list[Trial]
    metrics: tuple[str, ...] = METRICS
    configs: dict[str, Any] = field(default_factory=lambda: dict(CONFIGS))

    @property
    def workload(self) -> str:
        return f"{self.dataset}/{self.model}/{self.optimizer}"

    @property
    def path(self) -> str:
        return f"{self.workload}/{self.batch_size}"

    def document(self) -> dict[str, Any]:
        """study.json; the data set is named without its special root, as a folder may say more than the file."""
        return {
            "batch_size": self.batch_size,
            "dataset": self.dataset.rpartition("/")[2],
            "early_stopping": False,
            "model": self.model,
            "optimizer": self.optimizer,
            "parameter_configs": self.configs,
            "train_steps": self.train_steps,
        }


def number(value: float | None) -> str:
    """A number as a field of measurements.csv."""
    if value is None:
        return ""
    return "NaN" if math.isnan(value) else repr(value)


def trial_files(study: Study, trial: Trial, newline: str = "\n") -> dict[str, bytes]:
    """The two files of a trial, by name."""
    lines = [",".join(["step", *study.metrics])]
    for step, values in trial.rows:
        lines.append(",".join([str(step), *(number(values.get(name)) for name in study.metrics)]))
    metadata = {
        "_internal_study_name": "planted",
        "_internal_trial_id": trial.number,
        "parameters": trial.parameters,
        "status": trial.status,
        "steps": trial.steps,
        "trial_id": trial.number,
    }
    return {
        "metadata.json": json.dumps(metadata, indent=2).encode(),
        "measurements.csv": (newline.join(lines) + newline).encode(),
    }


def files(studies: list[Study], newline: str = "\n") -> dict[str, bytes]:
    """Path below the root -> content, of a whole archive."""
    found: dict[str, bytes] = {}
    for study in studies:
        found[f"{study.path}/study.json"] = json.dumps(study.document(), indent=2).encode()
        for trial in study.trials:
            for name, content in trial_files(study, trial, newline).items():
                found[f"{study.path}/{trial.number}/{name}"] = content
    return found


def write_folder(root: Path, contents: dict[str, bytes]) -> Path:
    """The files below `root`/batch_science."""
    base = root / "batch_science"
    for path, content in contents.items():
        place = base / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return base


def write_tar(path: Path, contents: dict[str, bytes], order: str = "path", seed: int = 0) -> Path:
    """The files as a tar archive, compressed as its name says, in the order of paths, at random, or the measurements first."""
    names = sorted(contents)
    if order == "random":
        random.Random(seed).shuffle(names)
    elif order == "measurements first":
        names.sort(key=lambda name: (not name.endswith(".csv"), name))
    elif order == "metadata first":
        names.sort(key=lambda name: (not name.endswith("metadata.json"), name))
    kind = path.suffix.removeprefix(".")
    mode = "w" if kind == "tar" else f"w:{kind}"
    # Small blocks, so that even a small archive has several of them.
    level = {"compresslevel": 1} if kind == "bz2" else {}
    with tarfile.open(path, mode, **level) as archive:  # type: ignore[call-overload]
        for name in names:
            add(archive, f"batch_science/{name}", contents[name])
    return path


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """One regular member."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def planted(seed: int = 0, trials: int = 8, wide: bool = True) -> list[Study]:
    """Studies with every peculiarity of the published ones.

    Ties between trials, NaN and infinite and missing values, infeasible and incomplete trials, evaluations that are
    not evenly spaced, special roots, a maximised metric, a wall-time budget, folders that sort otherwise as text.
    """
    rng = random.Random(seed)
    shapes: list[tuple[str, str, str, list[int], tuple[str, ...], bool]] = [
        ("mnist", "simple_cnn_base", "nesterov_momentum", [2, 16, 128, 1024], METRICS, False),
        ("mnist", "simple_cnn_base", "sgd", [8, 64], METRICS, True),
        ("mnist_subsets/mnist_6875", "simple_cnn_base", "nesterov_momentum", [4, 32], METRICS, False),
        ("open_images_v4", "resnet_50", "nesterov_momentum", [64, 256], PRECISION, False),
        ("solution_quality/mnist", "simple_cnn_base", "nesterov_momentum", [1, 55000], METRICS[2:4], False),
    ]
    studies = []
    for dataset, model, optimizer, sizes, metrics, wall_time in shapes if wide else shapes[:1]:
        for size in sizes:
            budget = rng.choice([200, 500, 900])
            found = [_trial(rng, index, size, budget, metrics) for index in range(1, trials + 1)]
            rng.shuffle(found)
            complete = [trial.steps for trial in found if trial.status == "COMPLETE"]
            steps = 0 if wall_time else min(complete, default=budget)
            studies.append(Study(dataset, model, optimizer, size, steps, found, metrics))
    return studies


def _trial(rng: random.Random, index: int, size: int, budget: int, metrics: tuple[str, ...]) -> Trial:
    # Numbers that sort otherwise as text; gaps as in the published folders.
    trial_number = index + (index // 3) * 7
    status = rng.choices(["COMPLETE", "INFEASIBLE", "INCOMPLETE"], [7, 2, 1])[0]
    decay = rng.choice([0.004, 0.01, 0.02]) * math.log2(size + 2)
    step, rows = 0, []
    while step <= budget:
        values: dict[str, float | None] = {}
        for name in metrics:
            # Few digits, so that trials tie with each other and with themselves.
            level = round(math.exp(-decay * step) + 0.02 * rng.random(), rng.choice([2, 3, 15]))
            value: float | None = 1 - level if "precision" in name else level
            if rng.random() < 0.05:
                value = rng.choice([None, math.nan, math.inf, -math.inf])
            values[name] = value
        rows.append((step, values))
        step += rng.choice([1, 10, 10, 25, 100])
    if status == "INFEASIBLE":
        rows = rows[: rng.randint(0, len(rows))]
        for _, values in rows[-1:]:
            values.update(dict.fromkeys(metrics, math.nan))
    return Trial(
        trial_number,
        status,
        budget if status == "COMPLETE" else rows[-1][0] if rows else 0,
        {"learning_rate": 10 ** rng.uniform(-4, 1), "momentum": 1 - 10 ** rng.uniform(-4, -1)}
        | ({"label_smoothing": rng.choice([0.0, 0.01, 0.1])} if rng.random() < 0.7 else {}),
        rows,
    )
