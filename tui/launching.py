"""Starting and changing sweeps from the interface: `hvdsweep launch` as a separate process, and what the store offers.

Nothing here knows Textual. All of it may take a while: call it from a thread.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hvdsweep.errors import RunFailed, UserError
from hvdsweep.store.stages import usually

if TYPE_CHECKING:
    from hvdsweep.store.store import Store

log = logging.getLogger(__name__)

STOPPED = 130
"""Exit code of a launch that was asked to stop."""

AUTO = "auto"
"""Ranks per trial: as many for each batch size as finish the sweep soonest (`--np auto`)."""

MAXIMUM = 4096
"""Ranks per trial, and trials side by side, at most."""

Ended = Callable[[int, str], None]
"""Called with (exit code, last lines of the log) when a launch that was started here has ended."""


def pending(name: str, pid: int) -> str:
    """What to say of a launch whose gangs are not in the store yet."""
    return f"{name} starts as process {pid}; the first loss {usually(None)} from now"


@dataclass(frozen=True)
class Launched:
    """A launch that was started as a separate process."""

    pid: int
    log: Path


def command_of(arguments: Sequence[str]) -> list[str]:
    """`hvdsweep` with these arguments, by the very Python that runs now."""
    script = Path(sys.executable).with_name("hvdsweep")
    if script.exists():
        return [str(script), *arguments]
    return [sys.executable, "-c", "from hvdsweep.cli import main; main()", *arguments]


def spawn(db: Path, arguments: Sequence[str], ended: Ended | None = None) -> Launched:
    """Start an `hvdsweep` command with `--db DB` in a session of its own: it continues when the interface is left or killed.

    Its output goes to a file in `DB.logs`. RunFailed if no process can be started.
    """
    logs = Path(f"{db}.logs")
    output = logs / f"launch-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TEXTUAL")}
    command = command_of([arguments[0], "--db", str(db), *arguments[1:]])
    try:
        logs.mkdir(parents=True, exist_ok=True)
        with output.open("ab") as out:
            out.write(f"$ {shlex.join(command)}\n".encode())
            out.flush()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
    except OSError as error:
        raise RunFailed(f"{db}: the launch could not be started: {error}") from error
    log.info("process %d: %s", process.pid, shlex.join(command))
    # A daemon, so that leaving the interface does not wait for it.
    threading.Thread(target=_wait, args=(process, output, ended), name="launch", daemon=True).start()
    return Launched(process.pid, output)


def _wait(process: subprocess.Popen[bytes], log: Path, ended: Ended | None) -> None:
    code = process.wait()
    if ended is not None:
        ended(code, last_words(log))


def last_words(log: Path, lines: int = 6) -> str:
    """The end of a log."""
    from hvdsweep.launch.failure_report import tail

    said = [line for line in tail(log, 4096).decode("utf-8", "replace").splitlines() if line.strip()]
    return "\n".join(line for line in said[-lines:] if not line.startswith("$ "))


@dataclass(frozen=True)
class Changes:
    """What a sweep's next run is to be like; None leaves it as it was."""

    np: int | str = 1
    """Or `auto`."""
    gangs: int = 1
    slots: int | None = None
    """Of `auto`; None: all."""
    trials: int | Mapping[str, int] | None = None
    """For every batch size; or batch size (or "default") -> trials, where the others keep theirs."""
    until: float | None = None
    """Where trials come in rounds; `trials` is then the least number."""
    batch_sizes: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Extent:
    """What a sweep asks for now."""

    trials: Mapping[int, int]
    """Batch size -> trials per study; where they come in rounds, before the first."""
    until: float | None
    """Where they come in rounds: how certain the answer has to be."""


def ranks_of(text: str) -> int | None:
    """A number of ranks, or of trials side by side; None if it is none."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= len(str(MAXIMUM)) and 1 <= int(text) <= MAXIMUM:
        return int(text)
    return None


def rank_options(np: str | int, gangs: str | int, slots: str | int | None) -> list[str]:
    """The options for `hvdsweep launch`: ranks and gangs, or `--np auto`."""
    np, gangs, slots = (str("" if value is None else value).strip() for value in (np, gangs, slots))
    if np == AUTO:
        return ["--np", AUTO, *(["--slots", slots] if slots else [])]
    return ["--np", np, "--gangs", gangs]


def arguments_of(sweep_id: int, changes: Changes) -> list[str]:
    """`launch` and its options with which exactly this sweep continues, or grows by `changes`; its file is not needed."""
    arguments = ["launch", "--sweep", str(sweep_id)]
    if isinstance(changes.trials, Mapping):
        numbers = ",".join(f"{size}={number}" for size, number in changes.trials.items())
        arguments += ["--trials", numbers]
    elif changes.trials is not None:
        arguments += ["--trials", str(changes.trials)]
    if changes.until is not None:
        arguments += ["--until", f"{changes.until:g}"]
    if changes.batch_sizes is not None:
        arguments += ["--batch-sizes", ",".join(map(str, changes.batch_sizes))]
    return [*arguments, *rank_options(changes.np, changes.gangs, changes.slots)]


def extent_of(sweep_id: int, store: Store) -> Extent:
    """What a sweep of the store asks for now. UserError if there is no such sweep any more."""
    rows = store.rows("SELECT definition FROM sweeps WHERE id = ?", (sweep_id,))
    if not rows:
        raise UserError(f"{store.path}: sweep {sweep_id}: is not in the database any more.")
    studies = json.loads(rows[0][0]).get("studies", {})
    trials, sizes = studies.get("trials", 0), studies.get("batch_sizes", ())
    if not isinstance(trials, dict):
        return Extent(dict.fromkeys(sizes, int(trials)), None)
    if "until" in trials:
        return Extent(dict.fromkeys(sizes, int(trials["least"])), float(trials["until"]))
    return Extent({size: trials.get(str(size)) or trials["default"] for size in sizes}, None)


def stop(db: Path, sweep_id: int) -> None:
    """Ask a sweep's supervisor to stop."""
    from hvdsweep.store.connection import connect
    from hvdsweep.store.lifecycle import request_stop

    with closing(connect(db)) as conn:
        request_stop(conn, sweep_id)


def delete(db: Path, sweep_id: int) -> int:
    """Delete a sweep and all it recorded; the number of its trials. RunFailed while it is trained."""
    from hvdsweep.store.connection import connect
    from hvdsweep.store.lifecycle import delete_sweep

    with closing(connect(db)) as conn:
        return delete_sweep(conn, sweep_id)
