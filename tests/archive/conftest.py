"""An archive with every peculiarity, as a folder and imported, shared by the tests that only look at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hvdsweep.archive import import_archive
from hvdsweep.opening import open_store
from hvdsweep.store.store import Store
from tests.archive.generator import Study, files, planted, write_folder


@pytest.fixture(scope="session")
def studies() -> list[Study]:
    """The studies of the archive."""
    return planted()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, studies: list[Study]) -> Path:
    """The archive unpacked: its batch_science folder."""
    return write_folder(tmp_path_factory.mktemp("archive"), files(studies))


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Path:
    """The database it was imported into, every metric's records kept."""
    path = tmp_path_factory.mktemp("store") / "published.db"
    report = import_archive(folder, path, all_records=True)
    assert not report.problems
    return path


@pytest.fixture
def reader(imported: Path) -> Iterator[Store]:
    """Opened for reading."""
    with open_store(imported) as reader:
        yield reader
