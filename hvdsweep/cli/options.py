"""Options that several commands share, so that `--db` and `--json` mean the same everywhere."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from hvdsweep.errors import UserError
from hvdsweep.layout import MOST_RANKS
from hvdsweep.tokens import DATA_UNITS
from hvdsweep.visible import visible_json

Command = TypeVar("Command", bound=Callable[..., Any])
Value = TypeVar("Value")

DATABASE_VARIABLE = "HVDSWEEP_DB"
"""Environment variable that names the database without --db."""

DEFAULT_DATABASE = "hvdsweep.db"
"""The default database, in the working directory."""


def together(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Several options as one decorator, in the order in which `--help` lists them."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def db_option(command: Command) -> Command:
    """`--db PATH`, passed as `db: Path`; the command checks whether the file exists."""
    return click.option(
        "--db",
        type=click.Path(path_type=Path),
        envvar=DATABASE_VARIABLE,
        default=DEFAULT_DATABASE,
        metavar="PATH",
        help=f"The database. [default: ${DATABASE_VARIABLE}, else {DEFAULT_DATABASE}]",
    )(command)


def path_argument(command: Command) -> Command:
    """`[DATABASE]`, short for `--db`; passed as `path: Path | None`."""
    return click.argument("path", metavar="[DATABASE]", required=False, type=click.Path(path_type=Path))(
        command
    )


def unit_option(command: Command) -> Command:
    """`--unit`: the unit of data."""
    return click.option(
        "--unit",
        type=click.Choice(DATA_UNITS),
        help="Show data instead of steps: training samples, or tokens (samples x sequence length) of a language workload.",
    )(command)


def json_option(command: Command) -> Command:
    """`--json`, passed as `as_json: bool`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
"""Seconds."""


class RanksOption(click.ParamType[int | str]):
    """An integer from 1 to `MOST_RANKS`, or `auto`."""

    name = "ranks"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        if isinstance(value, int) or value == "auto":
            return value
        text = str(value)
        # By its length first: Python refuses to read a number with thousands of digits.
        whole = text.isascii() and text.isdigit() and len(text) <= len(str(MOST_RANKS))
        if not whole or not 1 <= int(text) <= MOST_RANKS:
            self.fail(
                f"{text[:40]!r} is neither a number of ranks from 1 to {MOST_RANKS:,} nor auto.", param, ctx
            )
        return int(text)


def share(until: str | None) -> float | None:
    """The value of --until, above 0 and below 1. UserError for anything else."""
    from hvdsweep.sweep.trial_counts import parse_share

    return _parsed("--until", until, parse_share)


def trials_of(text: str | None) -> int | dict[str, int] | None:
    """The value of --trials: a number, or batch size (or "default") -> number. UserError for anything else."""
    from hvdsweep.sweep.trial_counts import parse_trials

    return _parsed("--trials", text, parse_trials)


def _parsed(option: str, text: str | None, parse: Callable[[str], Value]) -> Value | None:
    try:
        return None if text is None else parse(text)
    except ValueError as problem:
        raise UserError(f"{option}: {text} {problem}") from None


class GoalValue(click.types.FloatParamType):
    """A number, or a percentage: 0.1 and 10% are the same."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, str) and value.rstrip().endswith("%"):
            return float(super().convert(value.rstrip()[:-1], param, ctx)) / 100  # type: ignore[arg-type]
        return float(super().convert(value, param, ctx))  # type: ignore[arg-type]


class Seconds(click.FloatRange):
    """A time in seconds above 0, at most 30 years; not infinity or NaN, which click's ranges accept."""

    def __init__(self) -> None:
        super().__init__(min=0, min_open=True)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))  # type: ignore[arg-type]
        if not number <= 1e9:
            self.fail(f"{str(value)[:40]} is not a number of seconds up to 1e9.", param, ctx)
        return number


class Interval(click.ParamType[float]):
    """A time in minutes, or with a unit: `5`, `30s`, `10m`, `2h`; converted to seconds."""

    name = "interval"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        unit = UNITS.get(text[-1:])
        try:
            number = float(text if unit is None else text[:-1])
        except ValueError:
            number = math.nan
        number *= 60.0 if unit is None else unit
        if not 0 <= number < math.inf:
            self.fail(f"{text[:40]!r} is no time: give minutes (5), or a unit (30s, 10m, 2h).", param, ctx)
        return number


def print_json(value: Any, *, line: bool = False) -> None:
    """Print one JSON document on stdout; on one line with `line`. ValueError for NaN and infinity, which JSON lacks."""
    click.echo(
        visible_json(json.dumps(value, indent=None if line else 2, ensure_ascii=False, allow_nan=False))
    )
