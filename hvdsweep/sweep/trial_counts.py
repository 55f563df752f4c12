"""`studies.trials`: one number for every batch size, a number for each, or as many as the answer needs."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from hvdsweep.sweep.batch_sizes import LARGEST
from hvdsweep.sweep.metaparameters import SweepTable

MOST = 1_000_000
"""Most trials of a study."""
LEAST_TRIALS = 8
MOST_TRIALS = 64
LEAST_SHARE = 0.001
"""Smallest `until`: evaluations are never so close together that steps are known better."""
DEFAULT = "default"
"""The key for all batch sizes that are not listed."""


class TrialsUntil(SweepTable):
    """Trials in rounds, at the batch sizes whose steps to the goal are least certain."""

    least: int = Field(default=LEAST_TRIALS, ge=4, le=MOST, examples=[8])
    """Trials that every batch size gets before the first round; fewer than 4 give no interval."""
    most: int = Field(default=MOST_TRIALS, ge=4, le=MOST, examples=[64])
    """Most trials of one batch size."""
    until: float = Field(ge=LEAST_SHARE, le=1, examples=[0.1])
    """Largest half width of the steps' interval, relative to the steps: 0.1 trains until they are known within 10 %."""


def _numbers(value: object) -> object:
    """Check `{ 64 = 9, default = 3 }` as a whole: ValueError with one sentence per mistake."""
    if not isinstance(value, dict):
        return value
    problems = []
    for key, number in value.items():
        if key != DEFAULT and not (
            key.isascii()
            and key.isdigit()
            and len(key) < 20
            and str(int(key)) == key
            and 1 <= int(key) <= LARGEST
        ):
            problems.append(f"{key} is neither a batch size nor {DEFAULT}")
        if isinstance(number, bool) or not isinstance(number, int):
            problems.append(f"{key}: {number!r} is not a whole number")
        elif not 1 <= number <= MOST:
            problems.append(f"{key}: {number} is not between 1 and {MOST}")
    if problems:
        raise ValueError("; ".join(problems))
    return value


TrialNumbers = Annotated[
    dict[str, int],
    BeforeValidator(_numbers),
    WithJsonSchema(
        {
            "type": "object",
            "minProperties": 1,
            "patternProperties": {
                rf"^([1-9][0-9]*|{DEFAULT})$": {"type": "integer", "minimum": 1, "maximum": MOST}
            },
            "additionalProperties": False,
        }
    ),
]
"""Batch size (as text) or `default` -> trials."""

KINDS: dict[str, type[SweepTable] | None] = {"number": None, "until": TrialsUntil, "numbers": None}
"""Ways to give the trials, by the tag in a validation error's location."""


def _kind(value: object) -> str:
    if isinstance(value, TrialsUntil):
        return "until"
    if not isinstance(value, dict):
        return "number"
    numbers = any(str(key)[:1].isdigit() or key == DEFAULT for key in value)
    return "numbers" if numbers and not value.keys() & set(TrialsUntil.model_fields) else "until"


Trials = Annotated[
    Annotated[int, Field(ge=1, le=MOST), Tag("number")]
    | Annotated[TrialsUntil, Tag("until")]
    | Annotated[TrialNumbers, Tag("numbers")],
    Discriminator(_kind),
]


def with_until(trials: Any, until: float, least: int | None) -> dict[str, Any]:
    """`studies.trials` of the file (as TOML gives it) changed by `--until`, with `--trials` as the least.

    A file that trains in rounds already keeps its bounds; a plain number below the default least becomes the least.
    """
    if isinstance(trials, dict) and _kind(trials) == "until":
        bounds = {key: value for key, value in trials.items() if key != "until"}
    elif isinstance(trials, int) and not isinstance(trials, bool) and 4 <= trials < LEAST_TRIALS:
        bounds = {"least": trials}
    else:
        bounds = {}
    if least is not None:
        bounds["least"] = least
    most = bounds.get("most", MOST_TRIALS)
    if isinstance(most, int) and isinstance(bounds.get("least"), int):
        bounds["most"] = max(most, bounds["least"])
    return {**bounds, "until": until}


def parse_trials(text: str) -> int | dict[str, int]:
    """Parse `24`, or `64=9, default=3`: trials of every study, or of single batch sizes. ValueError, as the rest of a
    sentence, for anything else."""
    form = "is neither a number of trials nor numbers by batch size like 64=9,default=3"
    terms = [term.strip() for term in text.replace(":", "=").strip("{} ").split(",")]
    found: dict[str, int] = {}
    for term in terms:
        key, _, number = (part.strip() for part in term.rpartition("="))
        if not (number.isascii() and number.isdigit() and len(number) <= len(str(MOST))):
            raise ValueError(form)
        if not key and len(terms) > 1:
            raise ValueError(form)
        found[key] = int(number)
    if "" in found:
        if not 1 <= found[""] <= MOST:
            raise ValueError(f"is not between 1 and {MOST}")
        return found[""]
    try:
        _numbers(found)
    except ValueError as error:
        raise ValueError(f"is wrong: {error}") from None
    return found


def with_numbers(trials: Any, numbers: dict[str, int]) -> dict[str, Any]:
    """`studies.trials` of the file (as TOML gives it) with new numbers for single batch sizes; the others are
    unchanged.

    ValueError, as the rest of a sentence, if the file trains in rounds.
    """
    if isinstance(trials, dict) and _kind(trials) == "until":
        raise ValueError(
            "is a number for single batch sizes, but the sweep adds trials where its answer is least certain; "
            "give --until, or one number for all"
        )
    others = trials if isinstance(trials, dict) else {} if trials is None else {DEFAULT: trials}
    return {**others, **numbers}


def parse_share(text: str) -> float:
    """Parse `10%` or `0.1`. ValueError, as the rest of a sentence, for anything else."""
    written = text.strip()
    try:
        share = float(written.removesuffix("%").strip()) / (100 if written.endswith("%") else 1)
    except ValueError:
        raise ValueError("is neither a percentage like 10% nor a share like 0.1") from None
    if not LEAST_SHARE <= share <= 1:
        raise ValueError("must lie between 0.1% and 100%: 10% or 0.1 for within ten percent")
    return share
