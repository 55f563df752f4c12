"""Everything that can be trained, with sizes: data sets, models, presets. Imports neither TensorFlow nor Keras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workloads import architectures
from workloads.architectures import UnknownName

__all__ = [
    "DatasetInfo",
    "UnknownName",
    "check_dataset",
    "check_model",
    "dataset_info",
    "dataset_names",
    "dataset_option_names",
    "is_user_code",
    "model_names",
    "parameter_count",
    "presets",
]

METRICS = {
    "classification": ("cross_entropy_error", "classification_error"),
    "language_model": ("cross_entropy_error", "classification_error"),
    "multilabel": ("cross_entropy_error", "average_precision"),
    "noisy_quadratic": ("loss",),
}
"""The metrics of each task, without the split's prefix. Only average_precision is maximised."""


@dataclass(frozen=True)
class DatasetInfo:
    """A data set's size and kind, known without reading it."""

    name: str
    task: str
    """A key of METRICS."""
    train: int
    """Examples (sequences, for text) to train on."""
    val: int
    test: int
    input_shape: tuple[int, ...]
    """One example: (height, width, channels), or (tokens,)."""
    classes: int
    """Classes, or size of the vocabulary, or dimension of the quadratic."""
    in_memory: bool
    """Kept in memory as arrays; otherwise streamed."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics measured on it, e.g. `classification_error`, without the split's prefix (`val/`)."""
        return METRICS[self.task]


def _images(name: str, train: int, val: int, test: int, shape: tuple[int, ...], classes: int) -> DatasetInfo:
    in_memory = shape != _PHOTO
    return DatasetInfo(name, "classification", train, val, test, shape, classes, in_memory)


_MNIST = (28, 28, 1)
_PHOTO = (224, 224, 3)
PYTHON_SOURCE_TOKENS = {"train": 2**20, "val": 2**15, "test": 2**15}
"""Bytes taken from the standard library, the same for every Python version, so that a plan does not depend on
it."""
PYTHON_SOURCE_LENGTH = 64

_DATASETS = {
    info.name: info
    for info in (
        _images("digits", 1297, 250, 250, (8, 8, 1), 10),
        DatasetInfo(
            "python_source", "language_model", 16384, 512, 512, (PYTHON_SOURCE_LENGTH,), 256, in_memory=True
        ),
        DatasetInfo("noisy_quadratic", "noisy_quadratic", 65536, 1, 0, (1,), 10_000, in_memory=True),
        _images("mnist", 55_000, 5_000, 10_000, _MNIST, 10),
        _images("fashion_mnist", 55_000, 5_000, 10_000, _MNIST, 10),
        *(
            _images(f"mnist_subsets/mnist_{n}", n, 5_000, 10_000, _MNIST, 10)
            for n in (55_000, 27_500, 13_750, 6_875)
        ),
        _images("solution_quality/mnist", 55_000, 5_000, 10_000, _MNIST, 10),
        _images("solution_quality/fashion_mnist", 55_000, 5_000, 10_000, _MNIST, 10),
        _images("cifar_10", 45_000, 5_000, 10_000, (32, 32, 3), 10),
        _images("imagenet", 1_231_122, 50_000, 50_045, _PHOTO, 1000),
        _images("imagenet_subsets/imagenet_half_images", 615_561, 50_000, 50_045, _PHOTO, 1000),
        _images("imagenet_subsets/imagenet_half_classes", 615_561, 25_000, 25_023, _PHOTO, 500),
        DatasetInfo(
            "open_images_v4", "multilabel", 4_526_492, 41_225, 124_293, _PHOTO, 7186, in_memory=False
        ),
        DatasetInfo("lm1b", "language_model", 30_301_028, 6_075, 6_206, (64,), 32_000, in_memory=False),
        DatasetInfo(
            "common_crawl", "language_model", 25_800_000_000, 6_075, 6_206, (64,), 24_006, in_memory=False
        ),
    )
}


_OPTIONS = {
    "python_source": ("length",),
    "noisy_quadratic": ("dimension", "examples"),
    "lm1b": ("length", "vocabulary"),
    "common_crawl": ("length", "vocabulary"),
}
"""The keys of `dataset_options` that each data set takes, all integers."""
_SMALLEST_VOCABULARY = 258


def is_user_code(name: str) -> bool:
    """Whether `name` is the user's own `module:function`, not a built-in name."""
    return ":" in name


def dataset_names() -> list[str]:
    """All built-in data sets, small ones first."""
    return list(_DATASETS)


def dataset_option_names(name: str) -> tuple[str, ...]:
    """The keys of `dataset_options` that a built-in data set takes; none for unknown names."""
    return _OPTIONS.get(name, ())


def model_names() -> list[str]:
    """All built-in models; `fc_N.._N` stands for fully connected nets of any widths."""
    return list(architectures.ARCHITECTURES)


def check_dataset(name: str, options: Mapping[str, Any]) -> str | None:
    """What is wrong with a data set's name or options, as one sentence; None if nothing is. User code is
    not checked."""
    if is_user_code(name):
        return None
    if name not in _DATASETS:
        return str(UnknownName("data set", name, dataset_names()))
    known = _OPTIONS.get(name, ())
    for key, value in options.items():
        if key not in known:
            return f"{key}: {name} has no such option (it has {', '.join(known) or 'none'})"
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            return f"{key}: {value!r} is not a whole number of at least 1"
        if key == "vocabulary" and value < _SMALLEST_VOCABULARY:
            return f"vocabulary: {value} is below {_SMALLEST_VOCABULARY}: every byte needs a token of its own"
        if name == "python_source" and value > PYTHON_SOURCE_TOKENS["val"]:
            return f"length: {value} is above {PYTHON_SOURCE_TOKENS['val']}, the tokens of the validation set"
    return None


def dataset_info(name: str, options: Mapping[str, Any] | None = None) -> DatasetInfo:
    """The sizes of a built-in data set. Raises `UnknownName` (also for user code, whose sizes are known only once it is
    loaded) and `ValueError` for its options."""
    if name not in _DATASETS:
        raise UnknownName("data set", name, dataset_names())
    if problem := check_dataset(name, options or {}):
        raise ValueError(problem)
    info, options = _DATASETS[name], options or {}
    if name in ("lm1b", "common_crawl"):
        length = options.get("length", info.input_shape[0])
        return replace(info, input_shape=(length,), classes=options.get("vocabulary", info.classes))
    if name == "python_source":
        length = options.get("length", PYTHON_SOURCE_LENGTH)
        sizes = {split: tokens // length for split, tokens in PYTHON_SOURCE_TOKENS.items()}
        return replace(info, **sizes, input_shape=(length,))
    if name == "noisy_quadratic":
        return replace(
            info, train=options.get("examples", info.train), classes=options.get("dimension", info.classes)
        )
    return info


def check_model(model: str, model_options: Mapping[str, Any], info: DatasetInfo) -> str | None:
    """Why `model` with these options cannot be trained on this data set, as one sentence; None if it can.
    User code is not checked."""
    if is_user_code(model):
        return None
    try:
        architecture = architectures.find(model)
        architectures.resolve(model, model_options)
    except (UnknownName, ValueError) as problem:
        return str(problem)
    reads = architecture.reads
    if (reads == "nothing") != (info.task == "noisy_quadratic"):
        return f"{model} does not go with {info.name}: noisy_quadratic goes with noisy_quadratic only"
    if (reads == "tokens") != (info.task == "language_model"):
        holds = "tokens" if info.task == "language_model" else "images"
        return f"{model} reads {reads}, {info.name} holds {holds}"
    if reads == "images" and len(info.input_shape) != 3:
        return f"{model} reads images (height, width, channels), {info.name} has examples {info.input_shape}"
    return None


def parameter_count(model: str, info: DatasetInfo, options: Mapping[str, Any] | None = None) -> int | None:
    """Trainable parameters of a built-in model on a data set, in closed form; None for user code, which has to be built
    to know.

    Raises `UnknownName` and `ValueError` as `workloads.architectures.resolve` does.
    """
    if is_user_code(model):
        return None
    chosen = architectures.resolve(model, options or {})
    return architectures.find(model).count(chosen, info.input_shape, info.classes)


def presets() -> dict[str, Path]:
    """Every preset: its workload's name (`mnist/simple_cnn_base/momentum`, `small/...`) -> the TOML file."""
    root = Path(__file__).parent / "presets"
    return {path.relative_to(root).with_suffix("").as_posix(): path for path in sorted(root.rglob("*.toml"))}
