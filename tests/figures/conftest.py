"""Every workload of the paper's figures, as files and imported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hvdsweep.archive import import_archive
from hvdsweep.opening import open_store
from hvdsweep.store.store import Store
from tests.archive.generator import files, write_folder
from tests.figures.archive import studies


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(the archive's folder, the database)."""
    root = tmp_path_factory.mktemp("figures")
    folder = write_folder(root, files(studies()))
    report = import_archive(folder, root / "published.db", aside=False)
    assert not report.problems
    return folder, root / "published.db"


@pytest.fixture
def folder(published: tuple[Path, Path]) -> Path:
    return published[0]


@pytest.fixture
def reader(published: tuple[Path, Path]) -> Iterator[Store]:
    with open_store(published[1]) as reader:
        yield reader
