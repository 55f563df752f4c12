"""A metaparameter in the sweep file: a number, or a range on a scale. Also the base class of every table of the
file."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from hvdsweep.sweep.batch_sizes import LARGEST, check_batch_sizes, parse_batch_sizes


def _batch_sizes(value: object) -> object:
    if isinstance(value, str):
        return parse_batch_sizes(value)
    if isinstance(value, list) and all(
        isinstance(size, int) and not isinstance(size, bool) for size in value
    ):
        return check_batch_sizes(value)
    raise ValueError("is neither a list of whole numbers nor a range in quotes")


BatchSizes = Annotated[
    list[int],
    BeforeValidator(_batch_sizes),
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 1, "maximum": LARGEST},
                    "minItems": 1,
                    "uniqueItems": True,
                },
                {"type": "string", "pattern": r"^[0-9^.*, ]+$"},
            ]
        }
    ),
]


class SweepTable(BaseModel):
    """What all tables share: no unknown keys, no silent conversion, no NaN or infinity, no change after
    reading."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
    ONE_OF: ClassVar[tuple[str, ...]] = ()
    """Keys of which a table must give exactly one."""
    SINGLE: ClassVar[dict[str, str]] = {}
    """Key -> the list for whose only entry it stands."""


LARGEST_FLOAT32 = 3.4028234663852886e38
SMALLEST_FLOAT32 = 1.1754943508222875e-38
"""The smallest normal number: many processors round smaller ones to 0."""


@dataclass(frozen=True)
class Domain:
    """The values a metaparameter may have."""

    low: float
    low_included: bool
    high: float = math.inf
    high_included: bool = False
    whole: bool = False

    def problem(self, value: float) -> str | None:
        """Why `value` is not allowed, as the rest of a sentence."""
        return self._outside(value) or self._rounded(value)

    def _rounded(self, value: float) -> str | None:
        """What is wrong with `value` in float32, the precision of training: it overflows earlier and is coarser."""
        if abs(value) > LARGEST_FLOAT32:
            return f"is beyond float32, in which training computes (at most {LARGEST_FLOAT32:.3g})"
        if value and abs(value) < SMALLEST_FLOAT32:
            return (
                f"is 0 in float32, in which training computes (write 0, or at least {SMALLEST_FLOAT32:.3g})"
            )
        single = struct.unpack("f", struct.pack("f", value))[0]
        if problem := self._outside(single):
            return f"{problem} in float32, in which training computes: it becomes {single:g}"
        return None

    def _outside(self, value: float) -> str | None:
        if value < self.low or (value == self.low and not self.low_included):
            return f"is below {self.low:g}" if self.low_included else f"is not above {self.low:g}"
        if value > self.high or (value == self.high and not self.high_included):
            return f"is above {self.high:g}" if self.high_included else f"is not below {self.high:g}"
        if self.whole and not float(value).is_integer():
            return "is not a whole number"
        return None


class ScaledRange(SweepTable):
    """A metaparameter searched between two values, evenly on a scale."""

    scale: Literal["linear", "log", "reverse_log"] = Field(examples=["log"])
    """`linear`; `log` (evenly in the logarithm: learning rates); `reverse_log` (1 - value evenly in the
    logarithm: momentum)."""
    min: float = Field(examples=[0.001])
    """Lower end, included."""
    max: float = Field(examples=[10.0])
    """Upper end, included."""


class IntegerRange(SweepTable):
    """A metaparameter searched over whole numbers."""

    scale: Literal["integer"] = Field(examples=["integer"])
    """Whole numbers from `min` to `max`."""
    min: int = Field(examples=[1000])
    """Lower end, included."""
    max: int = Field(examples=[2000])
    """Upper end, included."""
    log: bool = False
    """Evenly in the logarithm, not in the value."""


class ChoiceRange(SweepTable):
    """A metaparameter searched over a few values that have no order."""

    scale: Literal["choice"] = Field(examples=["choice"])
    """One of `values`."""
    values: list[float] = Field(min_length=1, examples=[[0.0, 0.01, 0.1]])
    """The values to choose from."""


KINDS: dict[str, type[SweepTable]] = {"range": ScaledRange, "integer": IntegerRange, "choice": ChoiceRange}
"""Ways to search a metaparameter, by the tag in a validation error's location; "number" is a fixed
value."""
SCALES = {"linear": "range", "log": "range", "reverse_log": "range", "integer": "integer", "choice": "choice"}
"""`scale` -> key of KINDS."""


def _kind(value: object) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number"
    scale = value.get("scale") if isinstance(value, dict) else getattr(value, "scale", None)
    return SCALES.get(scale) if isinstance(scale, str) else None


Metaparameter = Annotated[
    Annotated[float, Tag("number")]
    | Annotated[ScaledRange, Tag("range")]
    | Annotated[IntegerRange, Tag("integer")]
    | Annotated[ChoiceRange, Tag("choice")],
    Discriminator(_kind),
]

LEARNING_RATE_EXAMPLE = {"scale": "log", "min": 0.001, "max": 10.0}


class Metaparameters(SweepTable):
    """Every metaparameter that a trial may have: a number (fixed), or a range to search."""

    learning_rate: Annotated[Metaparameter | None, Domain(0, low_included=False)] = Field(
        default=None, examples=[LEARNING_RATE_EXAMPLE, 0.1]
    )
    """Initial learning rate, above 0. Required."""
    momentum: Annotated[Metaparameter | None, Domain(0, low_included=True, high=1)] = Field(
        default=None, examples=[{"scale": "reverse_log", "min": 0.8, "max": 0.999}, 0.9]
    )
    """Momentum of `momentum` and `nesterov_momentum`, which require it, in [0, 1). Not searched for
    `sgd`."""
    end_learning_rate_factor: Annotated[
        Metaparameter | None, Domain(0, low_included=False, high=1, high_included=True)
    ] = Field(title="decays to", default=None, examples=[{"scale": "log", "min": 1e-4, "max": 0.1}, 0.01])
    """The decayed learning rate as a share of the initial one, in (0, 1]. Only with `schedule = "linear"`,
    where it is searched on a log scale from 1e-4 to 0.1 if this key is left out."""
    learning_rate_decay_steps: Annotated[Metaparameter | None, Domain(1, low_included=True, whole=True)] = (
        Field(
            title="within steps",
            default=None,
            examples=[{"scale": "integer", "min": 1000, "max": 2000}, 1500],
        )
    )
    """Steps until the learning rate is decayed, a whole number of at least 1. Only with `schedule =
    "linear"`, where it is searched from half the budget's steps to all of them if this key is left out."""
    label_smoothing: Annotated[Metaparameter | None, Domain(0, low_included=True, high=1)] = Field(
        default=None,
        examples=[
            {"scale": "choice", "values": [0.0, 0.01, 0.1]},
            {"scale": "linear", "min": 0.0, "max": 0.2},
            0.1,
        ],
    )
    """Probability moved from the label to the other classes, in [0, 1). Only for data sets with classes."""
    weight_decay: Annotated[Metaparameter | None, Domain(0, low_included=True)] = Field(
        default=None, examples=[{"scale": "log", "min": 1e-6, "max": 1e-3}, 1e-4]
    )
    """Factor of the weights added to the gradient (L2), at least 0."""
    dropout: Annotated[Metaparameter | None, Domain(0, low_included=True, high=1)] = Field(
        default=None, examples=[0.4, {"scale": "linear", "min": 0.0, "max": 0.5}]
    )
    """Dropout rate in [0, 1), instead of the model's default. Only for models with dropout."""


METAPARAMETERS = tuple(Metaparameters.model_fields)
"""Names of all metaparameters, in the order of the file's reference."""

DECAY_METAPARAMETERS = ("end_learning_rate_factor", "learning_rate_decay_steps")
"""Metaparameters that only the linear schedule uses."""

DOMAINS = {
    name: next(entry for entry in about.metadata if isinstance(entry, Domain))
    for name, about in Metaparameters.model_fields.items()
}
"""Metaparameter -> the values that it may have."""
