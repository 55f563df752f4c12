"""Every built-in model as data: its names, its options with their defaults, and its number of parameters in
closed form.

Needs neither TensorFlow nor Keras, so that listing, planning and checking a sweep file stay instant.
`workloads.models` builds the same architectures; a test checks that the two counts are equal.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

Shape = tuple[int, ...]
Count = Callable[[Mapping[str, Any], Shape, int], int]


class UnknownName(KeyError):
    """A data set, model or preset that does not exist; its message lists similar names."""

    def __init__(self, kind: str, name: str, known: list[str]) -> None:
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        meant = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known)}"
        self.message = f"no {kind} named {name!r}; {meant}"
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class Option:
    """One key of `model_options`."""

    default: Any
    kind: str
    """`count` (integer >= 1), `counts` (a list of as many as the default has), `rate` (in [0, 1)), `flag`,
    or `a|b` (one of the words)."""
    help: str

    def problem(self, value: Any) -> str | None:
        """What is wrong with `value`, or None."""
        is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        if self.kind == "count":
            return None if is_count else "is not a whole number of at least 1"
        if self.kind == "counts":
            if not isinstance(value, list | tuple) or len(value) != len(self.default):
                return f"is not a list of {len(self.default)} whole numbers"
            return next((problem for v in value if (problem := Option(1, "count", "").problem(v))), None)
        if self.kind == "rate":
            fits = isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value < 1.0
            return None if fits else "is not a rate in [0, 1)"
        if self.kind == "flag":
            return None if isinstance(value, bool) else "is neither true nor false"
        words = self.kind.split("|")
        return None if value in words else f"is none of {', '.join(words)}"


@dataclass(frozen=True)
class Architecture:
    """One architecture: its options, its input, and its number of parameters."""

    name: str
    """The name as listed; `fc_N.._N` stands for any widths."""
    family: str
    reads: str
    """`images`, `tokens`, `anything` (flattened) or `nothing` (noisy_quadratic)."""
    options: Mapping[str, Option]
    count: Count
    granule: int = 1
    """Batch rows are only split at multiples of this; `ghost_batch` overrides it."""


def _dense(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def _conv(kernel: int, inputs: int, outputs: int) -> int:
    return kernel * kernel * inputs * outputs + outputs


def _fc(options: Mapping[str, Any], shape: Shape, classes: int) -> int:
    widths = [prod(shape), *options["widths"], classes]
    return sum(_dense(a, b) for a, b in pairwise(widths))


def _simple_cnn(options: Mapping[str, Any], shape: Shape, classes: int) -> int:
    (a, b), hidden = options["filters"], options["hidden"]
    pixels = pooled(pooled(shape[0])) * pooled(pooled(shape[1]))
    return _conv(5, shape[2], a) + _conv(5, a, b) + _dense(pixels * b, hidden) + _dense(hidden, classes)


def pooled(pixels: int) -> int:
    """The side of an image after a 2x2 pool of stride 2; one pixel stays one pixel."""
    return max(1, pixels // 2)


def _resnet_8(options: Mapping[str, Any], shape: Shape, classes: int) -> int:
    a, b, c = options["filters"]
    blocks = sum(_conv(3, i, o) + _conv(3, o, o) for i, o in ((a, a), (a, b), (b, c)))
    return _conv(3, shape[2], a) + blocks + _dense(c, classes)


def _resnet_50(options: Mapping[str, Any], shape: Shape, classes: int) -> int:
    # Convolutions have no bias; every normalisation has a scale and a shift per channel.
    width: int = options["width"]
    total = 0
    total += (7 * 7 if options["stem"] == "imagenet" else 3 * 3) * shape[2] * width
    channels = width
    for stage, blocks in enumerate(options["blocks"]):
        inner, outer = width * 2**stage, 4 * width * 2**stage
        for block in range(blocks):
            total += 2 * channels + 2 * inner + 2 * inner
            total += channels * inner + 9 * inner * inner + inner * outer
            total += channels * outer if block == 0 else 0
            channels = outer
    return total + 2 * channels + _dense(channels, classes)


VGG_11_POOL_AFTER = (0, 1, 3, 5, 7)
"""The convolutions (of eight) that a 2x2 pool follows: model "A" of Simonyan and Zisserman."""


def _vgg_11(options: Mapping[str, Any], shape: Shape, classes: int) -> int:
    height, width, channels = shape
    total = 0
    for i, filters in enumerate(options["filters"]):
        total += _conv(3, channels, filters)
        channels = filters
        if i in VGG_11_POOL_AFTER:
            height, width = pooled(height), pooled(width)
    hidden = options["hidden"]
    return (
        total + _dense(height * width * channels, hidden) + _dense(hidden, hidden) + _dense(hidden, classes)
    )


def _transformer(options: Mapping[str, Any], shape: Shape, classes: int) -> int:
    width: int = options["width"]
    filter_width: int = options["filter"]
    block = (
        4 * _dense(width, width) + _dense(width, filter_width) + _dense(filter_width, width) + 2 * 2 * width
    )
    final_norm = 2 * width if options["norm"] == "pre" else 0
    output = classes if options["tied"] else _dense(width, classes)
    layers: int = options["layers"]
    return classes * width + layers * block + final_norm + output


def _lstm(options: Mapping[str, Any], shape: Shape, classes: int) -> int:
    embedding: int = options["embedding"]
    hidden: int = options["hidden"]
    projection: int = options["projection"]
    gates = 4 * hidden * (embedding + projection) + 4 * hidden
    return classes * embedding + gates + hidden * projection + _dense(projection, classes)


def _dimension(options: Mapping[str, Any], shape: Shape, classes: int) -> int:
    return classes


def _dropout(default: float) -> Option:
    return Option(default, "rate", "dropout rate; the metaparameter `dropout` overrides it")


def _cnn_options(a: int, b: int, hidden: int) -> dict[str, Option]:
    return {
        "filters": Option([a, b], "counts", "filters of the two 5x5 convolutions"),
        "hidden": Option(hidden, "count", "units of the fully connected layer"),
        "dropout": _dropout(0.4),
    }


def _transformer_options(layers: int, width: int, heads: int, filter_width: int) -> dict[str, Option]:
    return {
        "layers": Option(layers, "count", "decoder layers"),
        "width": Option(width, "count", "model width; even, divisible by the number of heads"),
        "heads": Option(heads, "count", "attention heads"),
        "filter": Option(filter_width, "count", "hidden units of the feed-forward layers"),
        "norm": Option(
            "pre", "pre|post", "layer normalisation before each sublayer, or after its residual sum"
        ),
        "tied": Option(True, "flag", "the embedding is also the output's matrix"),
        "dropout": _dropout(0.0),
    }


FC = Architecture("fc_N.._N", "fc", "anything", {"dropout": _dropout(0.4)}, _fc)

ARCHITECTURES: dict[str, Architecture] = {
    a.name: a
    for a in (
        FC,
        Architecture("simple_cnn_narrow", "simple_cnn", "images", _cnn_options(16, 32, 512), _simple_cnn),
        Architecture("simple_cnn_base", "simple_cnn", "images", _cnn_options(32, 64, 1024), _simple_cnn),
        Architecture("simple_cnn_wide", "simple_cnn", "images", _cnn_options(64, 128, 2048), _simple_cnn),
        Architecture(
            "resnet_8",
            "resnet",
            "images",
            {"filters": Option([16, 32, 64], "counts", "filters of the three stages")},
            _resnet_8,
        ),
        Architecture(
            "resnet_50",
            "resnet",
            "images",
            {
                "width": Option(64, "count", "filters of the stem and of the first stage's bottlenecks"),
                "blocks": Option([3, 4, 6, 3], "counts", "bottleneck blocks per stage"),
                "stem": Option(
                    "imagenet", "imagenet|small", "7x7 stride 2 and a pool, or 3x3 for small images"
                ),
                "ghost_batch": Option(32, "count", "examples per ghost batch"),
                "moving_average": Option(
                    0.9, "rate", "weight of the past in the moving statistics, per step"
                ),
            },
            _resnet_50,
            granule=32,
        ),
        Architecture(
            "vgg_11",
            "vgg",
            "images",
            {
                "filters": Option(
                    [64, 128, 256, 256, 512, 512, 512, 512], "counts", "filters of the 3x3 convolutions"
                ),
                "hidden": Option(4096, "count", "units of the two fully connected layers"),
                "dropout": _dropout(0.5),
            },
            _vgg_11,
        ),
        Architecture(
            "lstm",
            "lstm",
            "tokens",
            {
                "embedding": Option(1024, "count", "width of the embedding"),
                "hidden": Option(2048, "count", "LSTM cells"),
                "projection": Option(
                    512, "count", "width of the recurrent projection, which is also the output"
                ),
                "dropout": _dropout(0.0),
            },
            _lstm,
        ),
        *(
            Architecture(name, "transformer", "tokens", _transformer_options(*sizes), _transformer)
            for name, sizes in (
                ("transformer_base", (6, 512, 8, 2048)),
                ("transformer_shallow", (2, 512, 8, 2048)),
                ("transformer_narrow_and_shallow", (2, 256, 4, 1024)),
                ("transformer_wide", (6, 1024, 16, 4096)),
            )
        ),
        Architecture("noisy_quadratic", "noisy_quadratic", "nothing", {}, _dimension),
    )
}
"""By listed name, in listed order."""


def find(model: str) -> Architecture:
    """The architecture named `model`; `fc_128_64` finds `fc_N.._N`. Raises `UnknownName`."""
    if re.fullmatch(r"fc(_[1-9]\d*)+", model):
        return FC
    if model in ARCHITECTURES and model != FC.name:
        return ARCHITECTURES[model]
    raise UnknownName("model", model, list(ARCHITECTURES))


def resolve(model: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """All options of `model`, defaults included; `widths` of a fully connected net come from its
    name.

    Raises `UnknownName` for the model and `ValueError` (one sentence) for an option.
    """
    architecture = find(model)
    for key, value in options.items():
        if key not in architecture.options:
            raise ValueError(
                f"{key}: {model} has no such option (it has {', '.join(architecture.options) or 'none'})"
            )
        if problem := architecture.options[key].problem(value):
            raise ValueError(f"{key}: {value!r} {problem}")
    chosen = {key: options.get(key, option.default) for key, option in architecture.options.items()}
    if architecture is FC:
        chosen["widths"] = [int(width) for width in model.split("_")[1:]]
    if architecture.family == "transformer" and chosen["width"] % (2 * chosen["heads"]):
        raise ValueError(f"width: {chosen['width']} is not a multiple of twice the {chosen['heads']} heads")
    return chosen
