"""A metaparameter as the sweep file gives it: a number, or a range on a scale. The base of every table of the
file."""

from __future__ import annotations

from typing import Annotated, Literal

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


class Table(BaseModel):
    """What all tables share: no unknown keys, no silent conversion, no NaN or infinity, no change after
    reading."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class ScaledRange(Table):
    """A metaparameter searched between two values, evenly on a scale."""

    scale: Literal["linear", "log", "reverse_log"] = Field(examples=["log"])
    """`linear`; `log` (evenly in the logarithm: learning rates); `reverse_log` (1 - value evenly in the
    logarithm: momentum)."""
    min: float = Field(examples=[0.001])
    """Lower end, included."""
    max: float = Field(examples=[10.0])
    """Upper end, included."""


class IntegerRange(Table):
    """A metaparameter searched over whole numbers."""

    scale: Literal["integer"] = Field(examples=["integer"])
    """Whole numbers from `min` to `max`."""
    min: int = Field(examples=[1000])
    """Lower end, included."""
    max: int = Field(examples=[2000])
    """Upper end, included."""
    log: bool = False
    """Evenly in the logarithm instead of evenly."""


class ChoiceRange(Table):
    """A metaparameter searched over a few values that have no order."""

    scale: Literal["choice"] = Field(examples=["choice"])
    """One of `values`."""
    values: list[float] = Field(min_length=1, examples=[[0.0, 0.01, 0.1]])
    """The values to choose from."""


KINDS: dict[str, type[Table]] = {"range": ScaledRange, "integer": IntegerRange, "choice": ChoiceRange}
"""Ways to search a metaparameter, by the tag that stands in a validation error's location; "number" is a
fixed value."""
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


class Metaparameters(Table):
    """Every metaparameter a trial may have: a number (fixed), or a range to search."""

    learning_rate: Metaparameter | None = Field(default=None, examples=[LEARNING_RATE_EXAMPLE])
    """Initial learning rate, above 0. Required."""
    momentum: Metaparameter | None = Field(
        default=None, examples=[{"scale": "reverse_log", "min": 0.8, "max": 0.999}]
    )
    """Momentum of `momentum` and `nesterov_momentum`, which require it, in [0, 1). Left out of the space of
    `sgd`."""
    end_learning_rate_factor: Metaparameter | None = Field(
        default=None, examples=[{"scale": "log", "min": 1e-4, "max": 0.1}]
    )
    """The decayed learning rate as a share of the initial one, in (0, 1]. Only with `schedule = "linear"`,
    where it is searched on a log scale from 1e-4 to 0.1 if this key is left out."""
    learning_rate_decay_steps: Metaparameter | None = Field(
        default=None, examples=[{"scale": "integer", "min": 1000, "max": 2000}]
    )
    """Steps until the learning rate is decayed, a whole number of at least 1. Only with `schedule =
    "linear"`, where it is searched from half the budget's steps to all of them if this key is left out."""
    label_smoothing: Metaparameter | None = Field(
        default=None, examples=[{"scale": "choice", "values": [0.0, 0.01, 0.1]}]
    )
    """Probability moved from the label to the other classes, in [0, 1). Only for data sets with classes."""
    weight_decay: Metaparameter | None = Field(
        default=None, examples=[{"scale": "log", "min": 1e-6, "max": 1e-3}]
    )
    """Factor of the weights added to the gradient (L2), at least 0."""
    dropout: Metaparameter | None = Field(default=None, examples=[0.4])
    """Dropout rate in [0, 1), instead of the model's default. Only for models with dropout."""


METAPARAMETERS = tuple(Metaparameters.model_fields)
"""Names of all metaparameters, in the order the file's reference lists them."""
