"""A store's path, a trained store, and a connection to look into it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from hvdsweep.store.connection import connect

from .plans import small_store, train_all


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a test's store."""
    return tmp_path / "store.db"


@pytest.fixture
def planned(path: Path) -> Path:
    """A store with one planned sweep: batch sizes 8 and 16, three trials each."""
    small_store(path)
    return path


@pytest.fixture
def trained(planned: Path) -> Path:
    """The same, trained; trial number 1 of every study diverged."""
    train_all(planned, diverging=[1])
    return planned


@pytest.fixture
def look(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to ask questions with; the store must exist before it is first used."""
    connections: list[sqlite3.Connection] = []

    class Lazy:
        def __getattr__(self, name: str) -> object:
            if not connections:
                connections.append(connect(path))
            return getattr(connections[0], name)

        def __setattr__(self, name: str, value: object) -> None:
            setattr(connections[0], name, value)

    yield Lazy()  # type: ignore[misc]
    for connection in connections:
        connection.close()
