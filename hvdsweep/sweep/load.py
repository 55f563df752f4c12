"""Reads a sweep: a TOML file or a preset, changed by command-line options and checked as a whole; reports every
mistake at once."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hvdsweep.errors import UserError
from hvdsweep.sweep.checks import check
from hvdsweep.sweep.messages import Location, Problem, closest, example_of, key_of, problems_of, without_tags
from hvdsweep.sweep.models import Sweep
from hvdsweep.sweep.trial_counts import with_numbers, with_until

BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class Overrides:
    """Command-line changes to a sweep file. None keeps the file's value."""

    trials: int | dict[str, int] | None = None
    """`--trials`: studies.trials; or batch size (as text, or "default") -> trials, with the others unchanged."""
    batch_sizes: str | list[int] | None = None
    """`--batch-sizes`: studies.batch_sizes."""
    steps: int | None = None
    """`--steps`: replaces all of [budget], its overrides included."""
    stop: str | None = None
    """`--stop`: training.stop."""
    seed: int | None = None
    """`--seed`: studies.seed."""
    until: float | None = None
    """`--until`: studies.trials.until; `trials` is then the least number."""
    repeats: int | None = None
    """`--repeats`: studies.repeats."""

    def apply(self, raw: dict[str, Any]) -> dict[Location, str]:
        """Write the options into the file's tables; returns location -> option."""
        origins: dict[Location, str] = {}
        studies = raw.setdefault("studies", {})
        trials: int | dict[str, Any] | None = self.trials
        if isinstance(trials, dict) and isinstance(studies, dict):
            try:
                trials = with_numbers(studies.get("trials"), trials)
            except ValueError as problem:
                text = ",".join(f"{key}={number}" for key, number in trials.items())
                raise UserError(f"--trials: {text} {problem}") from None
        if self.until is not None and isinstance(studies, dict):
            trials = with_until(
                studies.get("trials"), self.until, trials if isinstance(trials, int) else None
            )
            # The file's max_trials belongs to its own number of trials.
            studies.pop("max_trials", None)
        for table, key, value, option in (
            ("studies", "trials", trials, "--trials" if self.until is None else "--until"),
            ("studies", "batch_sizes", self.batch_sizes, "--batch-sizes"),
            ("studies", "seed", self.seed, "--seed"),
            ("studies", "repeats", self.repeats, "--repeats"),
            ("training", "stop", self.stop, "--stop"),
        ):
            if value is not None and isinstance(raw.setdefault(table, {}), dict):
                raw[table][key] = value
                origins[table, key] = option
        if self.steps is not None:
            raw["budget"] = {"steps": self.steps}
            origins["budget",] = "--steps"
        return origins


@dataclass(frozen=True)
class LoadedSweep:
    """A valid sweep, and where it came from."""

    sweep: Sweep
    name: str
    """The sweep's name: from the file, else the preset's name, else the file's name without its ending."""
    file: str | None = None
    """Absolute path of the file; None for text that was never saved."""
    source: str | None = None
    """Absolute directory in which `module:function` is looked up."""
    warnings: tuple[str, ...] = ()
    """What is allowed but probably a mistake, one sentence each."""


@dataclass(frozen=True)
class Finding:
    """One thing that the check says about a text."""

    key: str
    """What it is about: `search.override[0].learning_rate`; "" for the text as a whole."""
    text: str
    """The sentence without file and key."""
    sentence: str
    """All of it: `file: key: value ...; remedy`."""


@dataclass(frozen=True)
class Checked:
    """The result of checking a text: either a sweep, or the mistakes in it."""

    loaded: LoadedSweep | None
    mistakes: tuple[Finding, ...] = ()
    """Empty if there is a sweep."""
    doubts: tuple[Finding, ...] = ()
    """What is allowed but probably not meant; also if there are mistakes."""
    place: tuple[int, int] | None = None
    """Line and column (from 1) where the text stops being TOML."""

    def sweep(self) -> LoadedSweep:
        """The sweep; UserError with all mistakes if there is none."""
        if self.loaded is None:
            raise UserError(*self.problems)
        return self.loaded

    @property
    def problems(self) -> tuple[str, ...]:
        """One sentence per mistake."""
        return tuple(one.sentence for one in self.mistakes)

    @property
    def warnings(self) -> tuple[str, ...]:
        """As in `LoadedSweep`."""
        return tuple(one.sentence for one in self.doubts)


def load_sweep(name_or_path: str | Path, overrides: Overrides | None = None) -> LoadedSweep:
    """The sweep of a TOML file or of a preset. Raises `UserError` with every mistake in it."""
    path, preset = _find(str(name_or_path))
    text = read_toml(path, str(name_or_path))
    source = str(path.absolute().parent)
    checked = check_text(
        text, str(name_or_path), source=source, overrides=overrides, name=preset or path.stem
    )
    return replace(checked.sweep(), file=str(path.absolute()))


def read_toml(path: Path, name: str | None = None) -> str:
    """The text of a TOML file. UserError, with the file called `name`, if it cannot be read or is not UTF-8."""
    name = name or str(path)
    try:
        # Some editors write a byte order mark before UTF-8; it is not part of the text.
        return path.read_bytes().decode("utf-8").removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{name}: byte {error.start} is not UTF-8, the encoding of TOML; save it as UTF-8"
        ) from error
    except OSError as error:
        raise UserError(f"{name}: cannot be read: {error.strerror}") from error


def check_text(
    text: str,
    filename: str,
    *,
    source: str | None = None,
    overrides: Overrides | None = None,
    name: str | None = None,
) -> Checked:
    """Check the text of a sweep file. Reads no files except the user's own modules in
    `source`.

    `filename` is its name in messages; `name` the sweep's name if the text gives none.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return _not_toml(text, filename, *_syntax(text, error))
    except RecursionError:
        return _not_toml(text, filename, "is nested too deeply; a sweep file needs four levels")
    except ValueError:
        # Python does not even read them.
        words = "a whole number has thousands of digits; those of TOML have 64 bits (19 digits)"
        return _not_toml(text, filename, words)
    too_large = [
        Problem(place, f"a whole number of {len(str(abs(value)))} digits; TOML has 64 bits for one")
        for place, value in _beyond_64_bits(raw)
    ]
    if too_large:
        return Checked(None, _findings(filename, too_large, {}))
    origins = overrides.apply(raw) if overrides is not None else {}
    sweep, problems, unsound = _validate(raw)
    warnings: list[Problem] = []
    if sweep is not None:
        findings = check(sweep, unsound, source)
        problems += findings.problems
        warnings = findings.warnings
        if ("studies", "batch_sizes") in origins:
            # The user narrowed the sweep by an option, so do not warn about the file's values for other batch
            # sizes.
            warnings = [entry for entry in warnings if entry.location[:2] != ("search", "override")]
    doubts = _findings(filename, warnings, origins)
    if problems or sweep is None:
        return Checked(None, _findings(filename, problems, origins), doubts)
    warned = tuple(one.sentence for one in doubts)
    loaded = LoadedSweep(sweep, sweep.name or name or Path(filename).stem, source=source, warnings=warned)
    return Checked(loaded, doubts=doubts)


def _beyond_64_bits(value: object, place: Location = ()) -> Iterator[tuple[Location, int]]:
    """Integers that TOML does not allow, though Python reads them; SQLite could not store them."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from _beyond_64_bits(inner, (*place, key))
        case list():
            for index, inner in enumerate(value):
                yield from _beyond_64_bits(inner, (*place, index))
        case int() if not -(2**63) <= value < 2**63:
            yield place, value


def _find(name: str) -> tuple[Path, str | None]:
    """The file of a sweep, and the preset's name if it is one."""
    path = Path(name)
    if path.is_file():
        return path, None
    if path.is_dir():
        raise UserError(f"{name}: is a directory; name a TOML file in it, or a preset (`hvdsweep workloads`)")
    from workloads import catalogue

    presets = catalogue.presets()
    if name in presets:
        return presets[name], name
    others = [entry.name for entry in path.parent.glob("*.toml")] if path.parent.is_dir() else []
    near = closest(path.name, others)
    if path.suffix == ".toml":
        hint = f"; did you mean {path.parent / near}?" if near else ""
        raise UserError(f"{name}: no such file{hint}")
    meant = closest(name, presets) or (near and path.parent / near)
    hint = f"did you mean {meant}?" if meant else "`hvdsweep workloads` lists the presets"
    raise UserError(f"{name}: neither a TOML file nor a preset; {hint}")


def _not_toml(text: str, filename: str, words: str, place: tuple[int, int] | None = None) -> Checked:
    """Of a text that cannot be read; without a place it is wrong as a whole, which is seen at its end."""
    lines = text.split("\n")
    finding = Finding("", words, f"{filename}: {words}")
    return Checked(None, (finding,), place=place or (len(lines), len(lines[-1]) + 1))


def _syntax(text: str, error: tomllib.TOMLDecodeError) -> tuple[str, tuple[int, int] | None]:
    """What is wrong, in words, and its line and column: Python 3.11 says them in its message only."""
    message, _, where = str(error).removesuffix(")").partition(" (at ")
    words = f"{where or 'somewhere'}: {message[:1].lower()}{message[1:]}"
    found = re.fullmatch(r"line (\d+), column (\d+)", where)
    place = None if found is None else (int(found[1]), int(found[2]))
    lines = text.splitlines()
    if place is not None and 0 < place[0] <= len(lines):
        words += f" in `{lines[place[0] - 1].strip()[:60]}`"
    return f"{words}; this is not TOML", place


def _findings(
    filename: str, problems: Iterable[Problem], origins: Mapping[Location, str]
) -> tuple[Finding, ...]:
    """Sentences that name the file, or the option that the value came from."""
    found = []
    for problem in problems:
        key = key_of(problem.location)
        starts = (problem.location[:length] for length in range(len(problem.location), 0, -1))
        option = next((origins[start] for start in starts if start in origins), None)
        where = option or (f"{filename}: {key}" if key else filename)
        found.append(Finding(key, problem.text, f"{where}: {problem.text}"))
    return tuple(found)


def _validate(raw: dict[str, Any]) -> tuple[Sweep | None, list[Problem], set[Location]]:
    """The sweep, its type errors, and their locations. Wrong values are replaced by examples, so that
    checks that do not need them can continue."""
    problems: list[Problem] = []
    unsound: set[Location] = set()
    repaired = raw
    for attempt in range(8):
        try:
            return Sweep.model_validate(repaired), problems, unsound
        except ValidationError as error:
            if attempt == 0:
                problems = problems_of(error)
                unsound |= {problem.meant or problem.location for problem in problems}
                repaired = copy.deepcopy(raw)
            for details in reversed(error.errors(include_url=False)):
                missing, extra = details["type"] == "missing", details["type"] == "extra_forbidden"
                location = without_tags(details["loc"], keep_last=missing or extra)
                if not extra:
                    unsound.add(location)
                _replace(repaired, location, example_of(details["loc"]) if missing else None)
    return None, problems, unsound


def _replace(raw: dict[str, Any], location: Location, value: object) -> None:
    """Put `value` at `location`; remove what is there if it is None."""
    holder: Any = raw
    for part in location[:-1]:
        holder = holder[part]
    if value is not None:
        holder[location[-1]] = copy.deepcopy(value)
    else:
        del holder[location[-1]]
