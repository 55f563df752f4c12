"""Reads an unpacked archive, or any folder of it: studies in the order of their paths, trials in the order of their
numbers.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from hvdsweep.archive.intake import Files, Intake
from hvdsweep.archive.layout import MEASUREMENTS, METADATA, STUDY, trial_number
from hvdsweep.archive.limits import LARGEST_CSV, LARGEST_JSON, shown
from hvdsweep.archive.messages import (
    AlreadyStored,
    ArchivedStudy,
    ArchiveProblem,
    Finished,
    Message,
    ReadingProgress,
)

DEEPEST = 16
"""Most levels of folders below the given one that are searched."""

EVERY = 500
"""Trials between two progress messages."""


@dataclass
class _Found:
    """A study's folder and the trials in it."""

    path: str
    parts: tuple[str, ...]
    above: tuple[str, ...]
    trials: list[tuple[int, str]] = field(default_factory=list)
    """(number, name of the folder), by number."""


def read_folder(path: Path, known: AlreadyStored, all_records: bool) -> Iterator[Message]:
    """Every study at or below `path`. Trials in `known` are not even opened."""
    root = Path(os.path.abspath(path))
    studies: list[_Found] = []
    if (root / METADATA).is_file() and not (root / STUDY).exists() and (root.parent / STUDY).is_file():
        study = _Found(str(root.parent), (), root.parent.parts[1:])
        number = trial_number(root.name)
        if number is not None:
            study.trials = [(number, root.name)]
        studies.append(study)
    else:
        yield from _walk(root, (), root.parts[1:], studies)
    total, done = sum(len(study.trials) for study in studies), 0
    yield ReadingProgress(0, total, "trials")
    intake = Intake(known, all_records)
    for study in studies:
        text = _read(f"{study.path}/{STUDY}", LARGEST_JSON)
        if isinstance(text, ArchiveProblem):
            found: ArchivedStudy | ArchiveProblem = replace(text, trials=len(study.trials), studies=1)
        else:
            found = intake.study(study.path, text, study.parts, study.above, trials=len(study.trials))
        yield found
        if isinstance(found, ArchiveProblem):
            done += len(study.trials)
            continue
        for number, name in study.trials:
            trial = f"{study.path}/{name}"
            yield from intake.trial(found, number, trial, partial(_files, trial))
            done += 1
            if done % EVERY == 0:
                yield ReadingProgress(done, total, "trials", intake.present)
    yield from intake.flush()
    yield ReadingProgress(done, total, "trials", intake.present)
    yield Finished(intake.present)


def _files(trial: str) -> Files | ArchiveProblem:
    metadata = _read(f"{trial}/{METADATA}", LARGEST_JSON)
    if isinstance(metadata, ArchiveProblem):
        return metadata
    measurements = _read(f"{trial}/{MEASUREMENTS}", LARGEST_CSV)
    return measurements if isinstance(measurements, ArchiveProblem) else (metadata, measurements)


def _walk(
    folder: Path, parts: tuple[str, ...], above: tuple[str, ...], studies: list[_Found]
) -> Iterator[ArchiveProblem]:
    """Collects the studies at or below `folder`, sorted; yields a problem for what looks like one but is not."""
    try:
        with os.scandir(folder) as entries:
            inside = sorted((entry for entry in entries), key=lambda entry: entry.name)
    except OSError as error:
        yield ArchiveProblem(shown(str(folder)), f"cannot be read: {error.strerror}")
        return
    names = {entry.name for entry in inside}
    if STUDY in names:
        study = _Found(str(folder), parts, above)
        for entry in inside:
            if hidden(entry.name) or not entry.is_dir():
                continue
            number = trial_number(entry.name)
            if number is None:
                yield ArchiveProblem(shown(entry.path), "is not the number of a trial", trials=1)
            else:
                study.trials.append((number, entry.name))
        study.trials.sort()
        studies.append(study)
        return
    if METADATA in names or MEASUREMENTS in names:
        yield ArchiveProblem(
            shown(str(folder)), f"is a trial without a {STUDY} in the folder above", trials=1
        )
        return
    for entry in inside:
        if hidden(entry.name) or not entry.is_dir(follow_symlinks=False):
            continue
        if len(parts) >= DEEPEST:
            yield ArchiveProblem(shown(entry.path), f"lies more than {DEEPEST} folders deep")
            return
        yield from _walk(Path(entry.path), (*parts, entry.name), above, studies)


def hidden(name: str) -> bool:
    """Whether a folder is one that other programs leave behind: .git, __MACOSX, .ipynb_checkpoints."""
    return name.startswith((".", "__"))


def _read(path: str, limit: int) -> bytes | ArchiveProblem:
    try:
        with open(path, "rb") as file:
            text = file.read(limit + 1)
    except FileNotFoundError:
        return ArchiveProblem(shown(path), "is missing", trials=1)
    except OSError as error:
        return ArchiveProblem(shown(path), f"cannot be read: {error.strerror}", trials=1)
    if len(text) > limit:
        return ArchiveProblem(shown(path), f"is longer than the {limit} bytes allowed", trials=1)
    return text
