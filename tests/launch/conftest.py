"""Launching in tests: a supervisor as a process, waiting for conditions, looking into the store and at processes."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from hvdsweep.launch.processes import marked
from tests.limits import HANG_SECONDS

T = TypeVar("T")


def wait_for(condition: Callable[[], T], what: str = "the condition") -> T:
    """What `condition` returns once it is true; fails the test where that never happens."""
    begun = time.monotonic()
    while not (found := condition()):
        waited = time.monotonic() - begun
        if waited > HANG_SECONDS:
            pytest.fail(f"waited {HANG_SECONDS:.0f} s for {what}")
        # Looking often costs what is waited for its share of the processor.
        time.sleep(min(0.01 + waited / 20, 0.1))
    return found


class Store:
    """A look into a store, each time through a new connection."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        if not self.path.exists():
            return []
        conn = sqlite3.connect(self.path, timeout=HANG_SECONDS)
        try:
            return conn.execute(query, values).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise
        finally:
            conn.close()

    def one(self, query: str, *values: object) -> Any:
        rows = self.rows(query, *values)
        return rows[0][0] if rows else None

    def statuses(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT status FROM trials ORDER BY study_id, number")]

    def results(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything about the result of every trial, to the last bit, independent of ids, times and gangs."""
        conn = sqlite3.connect(self.path, timeout=HANG_SECONDS)
        try:
            metrics = [row[1] for row in conn.execute("PRAGMA table_info(measurements)")][2:]
            trial = "w.name, s.batch_size, t.number"
            tables = "workloads w JOIN studies s ON s.workload_id = w.id JOIN trials t ON t.study_id = s.id"
            columns = ", ".join(f'm."{name}"' for name in sorted(metrics))
            queries = {
                "trials": f"SELECT {trial}, t.status, t.stop_reason, t.steps, t.seed, t.parameters FROM {tables}",
                "losses": f"SELECT {trial}, l.step, l.loss FROM {tables} JOIN losses l ON l.trial_id = t.id",
                "measurements": f"SELECT {trial}, m.step, {columns} FROM {tables} JOIN measurements m ON m.trial_id = t.id",
                "records": f"SELECT {trial}, b.step, b.metric, b.value FROM {tables} JOIN running_best b ON b.trial_id = t.id",
            }
            return {name: sorted(conn.execute(query).fetchall()) for name, query in queries.items()}
        finally:
            conn.close()

    def processes(self) -> list[int]:
        """Living processes of gangs that work on this store."""
        return marked(lambda mark: mark.store == os.path.realpath(self.path))


class Launched:
    """A supervisor running in a separate process."""

    def __init__(self, process: subprocess.Popen[str], store: Store) -> None:
        self.process = process
        self.store = store

    def end(self) -> tuple[int, list[dict[str, Any]], str]:
        """Wait for it: exit code, events, stderr."""
        out, err = self.process.communicate(timeout=HANG_SECONDS)
        return self.process.returncode, [json.loads(line) for line in out.splitlines()], err

    def until(self, condition: Callable[[], T]) -> T:
        """Wait for what only a living supervisor brings about; fails at once, with its words, where it has ended."""

        def look() -> T | bool:
            ended = self.process.poll() is not None
            found = condition()
            if ended and not found:
                pytest.fail(
                    f"the supervisor ended with exit code {self.process.returncode}: {self.end()[1:]}"
                )
            return found

        return wait_for(look)  # type: ignore[return-value]

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "sweep.db")


@pytest.fixture
def launch(store: Store) -> Iterator[Callable[..., Launched]]:
    """Starts a supervisor with fake gangs; ends what a failing test leaves behind."""
    started: list[Launched] = []

    def start(
        studies: Sequence[Sequence[Mapping[str, float]]],
        *,
        replacements: int = 0,
        steps: int = 20,
        environment: Mapping[str, str] | None = None,
        speeds: Sequence[tuple[int, int, int, float]] = (),
        **settings: Any,
    ) -> Launched:
        options = {"studies": studies, "replacements": replacements, "steps": steps, "speeds": speeds}
        options["settings"] = settings
        process = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("fake_launch.py")),
                str(store.path),
                json.dumps(options),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        launched = Launched(process, store)
        started.append(launched)
        return launched

    yield start
    for launched in started:
        if launched.process.poll() is None:
            launched.process.kill()
        launched.process.communicate()
    for pid in store.processes():
        os.kill(pid, signal.SIGKILL)
