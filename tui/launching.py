"""Starting and changing sweeps from the interface: `hvdsweep launch` as a process of its own, and what the store offers.

Nothing here knows Textual. All of it may take a while: call it from a thread.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvdsweep.errors import RunFailed, UserError
from hvdsweep.store.stages import usually
from tui.composing.words import rank_options

if TYPE_CHECKING:
    from hvdsweep.store.reader import Reader

STOPPED = 130
"""Exit code of a launch that was asked to stop."""

Ended = Callable[[int, str], None]
"""Told (exit code, last words) when a launch that was started here has ended."""


@dataclass(frozen=True)
class Pending:
    """A launch whose gangs are not in the store yet."""

    name: str
    pid: int

    @property
    def words(self) -> str:
        """What to say while nothing else can be shown."""
        return f"{self.name} starts as process {self.pid}; the first loss {usually(None)} from now"


@dataclass(frozen=True)
class Launched:
    """A launch that goes on by itself."""

    pid: int
    log: Path
    """What it says."""


def command_of(arguments: Sequence[str]) -> list[str]:
    """`hvdsweep` with these arguments, by the very Python that runs now."""
    script = Path(sys.executable).with_name("hvdsweep")
    if script.exists():
        return [str(script), *arguments]
    return [sys.executable, "-c", "from hvdsweep.cli import main; main()", *arguments]


def spawn_launch(db: Path, arguments: Sequence[str], ended: Ended | None = None) -> Launched:
    """Start `hvdsweep launch --db DB ARGUMENTS` as `spawn` does."""
    return spawn(db, ["launch", *arguments], ended)


def spawn(db: Path, arguments: Sequence[str], ended: Ended | None = None) -> Launched:
    """Start an `hvdsweep` command with `--db DB` in a session of its own: it continues when the interface is left or killed.

    Its output goes to a file in `DB.logs`. RunFailed where no process can be started.
    """
    logs = Path(f"{db}.logs")
    log = logs / f"launch-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TEXTUAL")}
    command = command_of([arguments[0], "--db", str(db), *arguments[1:]])
    try:
        logs.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
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
    # A daemon, so that leaving the interface does not wait for it.
    threading.Thread(target=_wait, args=(process, log, ended), name="launch", daemon=True).start()
    return Launched(process.pid, log)


def _wait(process: subprocess.Popen[bytes], log: Path, ended: Ended | None) -> None:
    code = process.wait()
    if ended is not None:
        ended(code, last_words(log))


def last_words(log: Path, lines: int = 6) -> str:
    """The end of a log."""
    from hvdsweep.launch.lastwords import tail

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
    trials: int | None = None
    batch_sizes: tuple[int, ...] | None = None


def arguments_to_go_on(db: Path, sweep_id: int, changes: Changes) -> list[str]:
    """What to launch so that exactly this sweep goes on, or grows by `changes`.

    Its file may have been changed or launched with options since: options are added until the plan is this sweep's again.
    UserError where the file is gone, or describes another sweep now.
    """
    from hvdsweep.identity import definition_diff
    from hvdsweep.plan import make_plan
    from hvdsweep.sweep import Overrides, load_sweep

    file, key, definition = _stored(db, sweep_id)
    if file is None or not Path(file).exists():
        raise UserError(
            f"sweep {sweep_id}: its file {file or '(none)'} is gone. Put it back, or compose the sweep anew: what is "
            "trained already is taken over."
        )
    studies = definition["studies"]
    wanted = Overrides(
        trials=changes.trials or studies["trials"],
        batch_sizes=list(changes.batch_sizes or studies["batch_sizes"]),
        seed=studies["seed"],
    )
    plan = make_plan(load_sweep(file, wanted))
    if plan.key != key:
        budget = definition["budget"]
        wanted = Overrides(
            trials=wanted.trials,
            batch_sizes=wanted.batch_sizes,
            seed=wanted.seed,
            stop=definition["training"]["stop"],
            steps=budget["steps"] if budget.get("steps") and not budget.get("override") else None,
        )
        plan = make_plan(load_sweep(file, wanted))
    if plan.key != key:
        differences = "; ".join(definition_diff(definition, plan.definition)) or "its code"
        raise UserError(
            f"{file}: has changed since sweep {sweep_id} was made ({differences}). Launching it would begin another sweep: "
            "undo the change to go on with this one."
        )
    return [file, *_options(file, wanted, plan), *rank_options(changes.np, changes.gangs, changes.slots)]


def _stored(db: Path, sweep_id: int) -> tuple[str | None, str, dict[str, Any]]:
    from hvdsweep.store.reader import open_reader

    with open_reader(db) as reader:
        return _row_of(reader, sweep_id)


def _row_of(reader: Reader, sweep_id: int) -> tuple[str | None, str, dict[str, Any]]:
    rows = reader.rows("SELECT file, key, definition FROM sweeps WHERE id = ?", (sweep_id,))
    if not rows:
        raise UserError(f"{reader.path}: sweep {sweep_id}: is not in the database any more.")
    return rows[0][0], rows[0][1], json.loads(rows[0][2])


def extent_of(reader: Reader, sweep_id: int) -> tuple[int, tuple[int, ...]]:
    """(trials per study, batch sizes) that a sweep asks for now."""
    import hvdsweep.sweep.batch_sizes  # noqa: F401 - loaded here, in a thread, for the dialog that follows

    studies = _row_of(reader, sweep_id)[2].get("studies", {})
    trials = studies.get("trials", 0)
    if isinstance(trials, dict):
        trials = trials["least"] if "until" in trials else max(trials.values())
    return int(trials), tuple(studies.get("batch_sizes", ()))


def _options(file: str, wanted: Any, plan: Any) -> list[str]:
    """The options of `wanted` that the file does not say by itself."""
    from hvdsweep.plan import make_plan
    from hvdsweep.sweep import load_sweep

    bare = make_plan(load_sweep(file)).definition
    options: list[str] = []
    if bare["studies"]["trials"] != plan.definition["studies"]["trials"]:
        # Other numbers for other batch sizes have no option: then the file's hold.
        trials = wanted.trials
        if isinstance(trials, int):
            options += ["--trials", str(trials)]
        elif "until" in trials:
            options += ["--trials", str(trials["least"]), "--until", f"{trials['until']:g}"]
    if bare["studies"]["batch_sizes"] != plan.definition["studies"]["batch_sizes"]:
        options += ["--batch-sizes", ",".join(map(str, wanted.batch_sizes))]
    if bare["studies"]["seed"] != plan.definition["studies"]["seed"]:
        options += ["--seed", str(wanted.seed)]
    if bare["budget"] != plan.definition["budget"]:
        options += ["--steps", str(wanted.steps)]
    if bare["training"]["stop"] != plan.definition["training"]["stop"]:
        options += ["--stop", str(wanted.stop)]
    return options


def go_on(db: Path, sweep_id: int, changes: Changes, ended: Ended | None = None) -> Launched:
    """Start, resume or extend a sweep of the store. UserError and RunFailed as `arguments_to_go_on` and `spawn_launch`."""
    return spawn_launch(db, arguments_to_go_on(db, sweep_id, changes), ended)


def stop(db: Path, sweep_id: int) -> None:
    """Ask a sweep's supervisor to stop."""
    from hvdsweep.store.connection import connect
    from hvdsweep.store.runs import request_stop

    with closing(connect(db)) as conn:
        request_stop(conn, sweep_id)


def delete(db: Path, sweep_id: int) -> int:
    """Delete a sweep and all it recorded; the number of its trials. RunFailed while it is trained."""
    from hvdsweep.store.connection import connect
    from hvdsweep.store.erase import delete_sweep

    with closing(connect(db)) as conn:
        return delete_sweep(conn, sweep_id)
