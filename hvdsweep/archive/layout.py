"""The published layout: its files, when they are valid, and how names and search spaces are translated.

`dataset/model/optimizer/batch_size/study.json`, and below it `trial_id/metadata.json` and
`trial_id/measurements.csv` (paper, section 7 of the protocol). Everything here raises ValueError with a sentence
to be put after the file's path.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hvdsweep.search import Choice, Dimension, Fixed, Range, ScaleName, Space
from hvdsweep.states import Status

ROOT = "batch_science"
"""The folder into which the published archive unpacks."""

SPECIAL_ROOTS = ("mnist_subsets", "imagenet_subsets", "solution_quality")
"""Folders above a data set that are part of its name ("mnist_subsets/mnist_27500")."""

STUDY, METADATA, MEASUREMENTS = "study.json", "metadata.json", "measurements.csv"

OURS = "_hvdsweep"
"""Key under which an export stores what is not in the layout: goal, training examples, weights. Readers of the
published layout ignore unknown keys."""

STATUSES = (Status.COMPLETE.name, Status.INCOMPLETE.name, Status.INFEASIBLE.name)

LARGEST = 2**53
"""Integers up to this are exact in floating point."""

SCALES: Mapping[str, ScaleName] = {
    "": "linear",
    "LINEAR_SCALE": "linear",
    "LOG_SCALE": "log",
    "REVERSE_LOG_SCALE": "reverse_log",
}
"""Scale of the layout -> ours; the same words without `_SCALE` are accepted too."""


@dataclass(frozen=True)
class StudyFile:
    """The content of a study.json, with the names from its folder."""

    dataset: str
    """May contain a slash."""
    model: str
    algorithm: str
    batch_size: int
    train_steps: int
    """The fewest steps of a COMPLETE trial; 0 if the budget was wall time."""
    document: Mapping[str, Any]
    """The unchanged file."""

    @property
    def workload(self) -> str:
        return f"{self.dataset}/{self.model}/{self.algorithm}"

    @property
    def search(self) -> dict[str, Any]:
        """`parameter_configs` as one of our search spaces (JSON); entries that do not fit are left out."""
        return search_of(self.document.get("parameter_configs") or {})


@dataclass(frozen=True)
class TrialFile:
    """The content of a metadata.json."""

    status: str
    steps: int
    parameters: str
    """JSON, metaparameter -> value."""


def parse_study(text: bytes, parts: Sequence[str], above: Sequence[str] = ()) -> StudyFile:
    """Parse a study.json in folder `parts` below the given path, which itself is below the folders `above`."""
    document = _object(text)
    batch_size = _whole(document, "batch_size", least=1)
    train_steps = _whole(document, "train_steps", least=0)
    names = [_name(document, key) for key in ("dataset", "model", "optimizer")]
    configs = document.get("parameter_configs", {})
    if not isinstance(configs, dict) or not all(isinstance(entry, dict) for entry in configs.values()):
        raise ValueError("parameter_configs: must map each metaparameter to an object")
    dataset, model, algorithm = _located(names, batch_size, tuple(parts), tuple(above))
    return StudyFile(dataset, model, algorithm, batch_size, train_steps, document)


def parse_trial(text: bytes, number: int) -> TrialFile:
    """Parse a metadata.json in the folder `number`."""
    document = _object(text)
    status = document.get("status")
    if status not in STATUSES:
        raise ValueError(f"status: {_shown(status)}: must be one of {', '.join(STATUSES)}")
    identity = document.get("trial_id", number)
    if isinstance(identity, bool) or identity != number:
        raise ValueError(f"trial_id: {_shown(identity)}: but the folder is named {number}")
    parameters = document.get("parameters", {})
    if not isinstance(parameters, dict):
        raise ValueError(f"parameters: {_shown(parameters)}: must be an object")
    values = {name: _parameter(name, value) for name, value in parameters.items()}
    return TrialFile(status, _whole(document, "steps", least=0), json.dumps(values, sort_keys=True))


def trial_number(name: str) -> int | None:
    """The number of a trial (or batch size) in a folder's name; None if it is not an integer."""
    if name.isascii() and name.isdigit() and len(name) <= 18:
        return int(name)
    return None


def _located(
    names: Sequence[str], batch_size: int, parts: tuple[str, ...], above: tuple[str, ...]
) -> tuple[str, str, str]:
    """(dataset, model, algorithm): from the path if the folders follow the layout, else from the file."""
    path = above + parts
    folder = trial_number(path[-1]) if path else None
    if folder is None:
        return names[0], names[1], names[2]
    if folder != batch_size:
        raise ValueError(f"batch_size: {batch_size}: but the folder is named {path[-1]}")
    if ROOT in path:
        below = path[len(path) - path[::-1].index(ROOT) :]
        if len(below) >= 4:
            return "/".join(below[:-3]), below[-3], below[-2]
    if len(parts) < 4 and (len(path) < 4 or path[-3:-1] != tuple(names[1:])):
        # A study outside the layout: the folders around it have no meaning.
        return names[0], names[1], names[2]
    special = len(path) >= 5 and path[-5] in SPECIAL_ROOTS
    return "/".join(path[-5 if special else -4 : -3]), path[-3], path[-2]


def _object(text: bytes) -> dict[str, Any]:
    try:
        # NaN and the infinities are not JSON, and SQLite does not accept them.
        document = json.loads(text.decode("utf-8-sig"), parse_constant=lambda _: None, parse_float=_finite)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except ValueError as error:
        raise ValueError(f"is not JSON: {str(error)[:200]}") from None
    if not isinstance(document, dict):
        raise ValueError(f"must be a JSON object, not {_shown(document)}")
    return document


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _whole(document: Mapping[str, Any], key: str, least: int) -> int:
    if key not in document:
        raise ValueError(f"{key}: is missing")
    value: Any = document[key]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not least <= value <= LARGEST or value != int(value):
        raise ValueError(f"{key}: {_shown(value)}: must be a whole number from {least} to 2^53")
    return int(value)


def _name(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key}: {_shown(value)}: must be a name")
    problem = name_problem(value)
    if problem:
        raise ValueError(f"{key}: {_shown(value)}: {problem}")
    return value


def name_problem(name: str) -> str | None:
    """Why `name` cannot be a data set, model or algorithm; None if it can."""
    if any(part in ("", ".", "..") for part in name.split("/")):
        return "must not have an empty part, '.' or '..'"
    if len(name) > 200 or not name.isprintable():
        return "must be at most 200 printable characters"
    return None


def _parameter(name: str, value: Any) -> Any:
    """A metaparameter for the store: finite numbers unchanged, others null."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            raise ValueError(f"parameters.{name}: {_shown(value)}: is too large") from None
        if not math.isfinite(number):
            return None
        return value if isinstance(value, float) or abs(value) <= LARGEST else number
    if value is None or isinstance(value, str | bool):
        return value
    raise ValueError(f"parameters.{name}: {_shown(value)}: must be a number")


def _shown(value: object) -> str:
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**20 else "a huge number"
    return text if len(text) <= 60 else text[:57] + "..."


def search_of(configs: Mapping[str, Any]) -> dict[str, Any]:
    """`parameter_configs` -> the JSON of a `Space`; entries that are not valid dimensions are left out."""
    found: dict[str, Dimension] = {}
    for name, config in configs.items():
        try:
            found[name] = _dimension(config)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
            continue
    return Space(found).to_json()


def _dimension(config: Mapping[str, Any]) -> Dimension:
    kind = config["type"]
    if kind == "DISCRETE":
        return Choice(tuple(dict.fromkeys(float(value) for value in config["feasible_points"])))
    low, high = float(config["min_value"]), float(config["max_value"])
    scale = str(config.get("scale") or "").upper()
    word = SCALES.get(scale) or SCALES[f"{scale}_SCALE"]
    if low == high:
        return Fixed(low)
    if kind == "INTEGER":
        return Range("integer", low, high, log=word == "log")
    if kind != "DOUBLE":
        raise ValueError(f"unknown type {kind!r}")
    return Range(word, low, high)


def configs_of(search: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON of a `Space` -> `parameter_configs`: DOUBLE, INTEGER or DISCRETE. A fixed value is one point."""
    space = Space.from_json(search)
    configs: dict[str, Any] = {}
    for name in space.names:
        dimension = space.dimensions.get(name)
        match dimension:
            case Range():
                configs[name] = _config(dimension)
            case Choice():
                configs[name] = {"type": "DISCRETE", "feasible_points": list(dimension.values)}
            case Fixed():
                configs[name] = {"type": "DISCRETE", "feasible_points": [dimension.value]}
        listed = {point[name] for point in space.listed or () if name in point}
        if listed:
            points = listed | ({dimension.value} if isinstance(dimension, Fixed) else set())
            configs[name] = {"type": "DISCRETE", "feasible_points": sorted(points)}
    return configs


def _config(dimension: Range) -> dict[str, Any]:
    if dimension.scale == "integer":
        scale = "LOG_SCALE" if dimension.log else ""
        return {
            "type": "INTEGER",
            "min_value": int(dimension.min),
            "max_value": int(dimension.max),
            "scale": scale,
        }
    scale = next(word for word, ours in SCALES.items() if word and ours == dimension.scale)
    return {"type": "DOUBLE", "min_value": dimension.min, "max_value": dimension.max, "scale": scale}
