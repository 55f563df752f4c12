"""The checks of `hvdsweep doctor`: each reports what it found and, for a problem, the remedy."""

from __future__ import annotations

import os
import platform
import re
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from importlib import metadata
from importlib.util import cache_from_source, find_spec
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from hvdsweep.errors import HvdsweepError
from hvdsweep.launch.horovodrun import horovodrun_program
from hvdsweep.launch.machine import cores, gpus, memory
from hvdsweep.launch.steering import KERAS_SETTINGS, keras_settings, steering

LEAST_DISK = 100 << 20
ENOUGH_DISK = 2 << 30
LOCK_SECONDS = 3.0
"""How long `doctor` waits for a database that another process has locked."""
MEMORY_PER_RANK = 1 << 30
"""Bytes that TensorFlow, Horovod and a small model need per rank, roughly."""


@dataclass(frozen=True)
class Check:
    """The result of one check."""

    name: str
    status: Literal["ok", "warning", "failed"]
    """`failed`: training cannot work."""
    found: str
    remedy: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    """The same for programs."""


def light_checks(db: Path) -> Iterator[Check]:
    """All checks that start no rank."""
    yield python()
    yield from packages()
    yield byte_code()
    yield horovodrun()
    yield settings()
    yield names()
    yield shared_memory()
    yield processors()
    yield ram()
    yield open_files()
    yield graphics()
    yield from database(db)


def python() -> Check:
    """Python's version, and that this is Linux."""
    version = platform.python_version()
    found = f"Python {version} on {platform.system()} {platform.machine()}"
    details = {"python": version, "system": platform.system(), "machine": platform.machine()}
    if platform.system() != "Linux":
        return Check("python", "failed", found, "hvdsweep runs on Linux only.", details)
    if not (3, 11) <= sys.version_info[:2] <= (3, 12):
        return Check("python", "failed", found, "TensorFlow 2.18 needs Python 3.11 or 3.12.", details)
    return Check("python", "ok", found, details=details)


def packages() -> Iterator[Check]:
    """The packages whose versions have to match."""
    remedy = "Install the versions hvdsweep pins: `make install` (it compiles Horovod against TensorFlow)."
    for name, wanted in (("tensorflow", "2.18."), ("horovod", "0.28."), ("keras", "3."), ("numpy", None)):
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Check(name, "failed", "not installed", remedy, {"version": None})
            continue
        right = version.startswith(wanted) if wanted else _numbers(version) < (2, 1)
        found = version if right else f"{version}, not {wanted + 'x' if wanted else 'below 2.1'}"
        yield Check(name, "ok" if right else "failed", found, None if right else remedy, {"version": version})


def byte_code(packages: tuple[str, ...] = ("tensorflow", "keras", "horovod")) -> Check:
    """Whether the packages that ranks import are byte-compiled; else an import takes two to three times as long."""
    missing = []
    folder = None
    for package in packages:
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            continue
        folder = Path(spec.origin).parents[1]
        if not Path(cache_from_source(spec.origin)).exists():
            missing.append(package)
    details = {"missing": missing, "written": not sys.dont_write_bytecode}
    if not missing:
        return Check("byte code", "ok", "compiled", details=details)
    found = f"{', '.join(missing)} not compiled: every rank compiles the source again each time it starts (15 to 30 s)."
    remedy = (
        f"`make install` compiles all packages; elsewhere run `{sys.executable} -m compileall -q {folder}`."
    )
    if sys.dont_write_bytecode:
        remedy += " PYTHONDONTWRITEBYTECODE is set, so Python does not write it by itself."
    return Check("byte code", "warning", found, remedy, details)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def horovodrun() -> Check:
    """The `horovodrun` of this environment."""
    try:
        program = horovodrun_program()[-1]
    except HvdsweepError as error:
        remedy = "Install Horovod into the environment that runs hvdsweep: `make install`."
        return Check("horovodrun", "failed", str(error), remedy)
    return Check("horovodrun", "ok", program, details={"path": program})


def settings(environment: Mapping[str, str] = os.environ) -> Check:
    """Settings outside the sweep that would change results; ranks ignore them."""
    file, different, broken = keras_settings(environment)
    if broken is not None:
        ours = f"{KERAS_SETTINGS['image_data_format']} and {KERAS_SETTINGS['floatx']}"
        remedy = f"Repair the file, or remove it: ranks use {ours} whatever it says."
        found = f"{file}: {broken}; Keras cannot be imported"
        return Check("settings", "failed", found, remedy, {"keras_json": different})
    ignored = [f"{file}: {key} = {value}" for key, value in different.items()] + steering(environment)
    details = {"keras_json": different, "variables": steering(environment)}
    if not ignored:
        return Check("settings", "ok", "nothing outside the sweep file changes results", details=details)
    found = f"ignored by ranks, so that results do not depend on them: {', '.join(ignored)}"
    remedy = "Nothing to do. A layer that needs another format or precision gets it as an argument (data_format, dtype)."
    return Check("settings", "warning", found, remedy, details)


def names() -> Check:
    """Whether `localhost` means this machine; if not, horovodrun would use ssh."""
    try:
        address = socket.gethostbyname("localhost")
    except OSError as error:
        return Check(
            "localhost", "failed", f"cannot be resolved ({error})", "Add `127.0.0.1 localhost` to /etc/hosts."
        )
    if not address.startswith("127."):
        return Check(
            "localhost", "failed", f"resolves to {address}", "Make /etc/hosts say `127.0.0.1 localhost`."
        )
    return Check("localhost", "ok", address, details={"address": address})


def shared_memory(path: Path = Path("/dev/shm")) -> Check:
    """Shared memory, in which horovodrun's helpers keep semaphores and NCCL its buffers."""
    if not (path.is_dir() and os.access(path, os.W_OK)):
        remedy = f"Mount a tmpfs on {path} (docker: --shm-size=1g)."
        return Check("shared memory", "failed", f"{path} cannot be written", remedy)
    free = shutil.disk_usage(path).free
    found, details = f"{path}, {size(free)} free", {"path": str(path), "free_bytes": free}
    if free < 32 << 20:
        remedy = "Give it at least 1 GiB before using several GPUs (docker: --shm-size=1g)."
        return Check("shared memory", "warning", found, remedy, details)
    return Check("shared memory", "ok", found, details=details)


def processors() -> Check:
    """Cores that ranks may use."""
    count = cores()
    found = f"{count} usable of {os.cpu_count()}"
    return Check("cores", "ok", found, details={"usable": count, "all": os.cpu_count()})


def ram() -> Check:
    """Memory for at least two ranks."""
    total, available = memory()
    found = f"{size(available)} available of {size(total)}"
    details = {"total_bytes": total, "available_bytes": available}
    if available < 2 * MEMORY_PER_RANK:
        remedy = f"A rank takes about {size(MEMORY_PER_RANK)}: close other programs, or train with --np 1 --gangs 1."
        return Check("memory", "warning", found, remedy, details)
    return Check("memory", "ok", found, details=details)


def open_files() -> Check:
    """The limit of open files: every rank opens some dozens of files and sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    details = {"soft": soft, "hard": hard}
    if soft != resource.RLIM_INFINITY and soft < 512:
        return Check(
            "open files", "warning", f"at most {soft}", "Raise the limit: `ulimit -n 4096`.", details
        )
    return Check(
        "open files", "ok", "no limit" if soft == resource.RLIM_INFINITY else f"up to {soft}", details=details
    )


def graphics(environment: Mapping[str, str] = os.environ) -> Check:
    """GPUs, as nvidia-smi shows them. Having none is no fault: ranks train on cores."""
    found = gpus(environment)
    details = {"gpus": [asdict(gpu) for gpu in found]}
    if not found:
        return Check("GPUs", "ok", "none; ranks train on cores", details=details)
    words = ", ".join(
        f"{gpu.index}: {gpu.name} ({gpu.memory_mib} MiB, compute capability {gpu.capability or 'unknown'})"
        for gpu in found
    )
    return Check("GPUs", "ok", f"driver {found[0].driver or 'unknown'}; {words}", details=details)


def database(db: Path) -> Iterator[Check]:
    """The database's file system: whether WAL works on it, free space, and write access."""
    from hvdsweep.store.filesystem import file_system_of

    folder = db.absolute().parent
    while not folder.exists():
        folder = folder.parent
    kind = file_system_of(db)
    mode = "rollback journal (WAL needs a local file system)" if kind.network else "WAL"
    found = f"{db.absolute()} on {kind.type}{' (network)' if kind.network else ''}: {mode}"
    details: dict[str, Any] = {
        "path": str(db.absolute()),
        "file_system": kind.type,
        "network": kind.network,
        "wal": not kind.network,
        "exists": os.path.exists(db),
        "sqlite": sqlite3.sqlite_version,
    }
    problem = _unwritable(db, folder)
    if problem:
        remedy = "Name another file with --db, or change its permissions."
        yield Check("database", "failed", f"{found}; {problem}", remedy, details)
    elif kind.network:
        remedy = (
            "It works, more slowly. A local disk (--db) is better: train there and copy the file when done."
        )
        yield Check("database", "warning", found, remedy, details)
    else:
        yield Check("database", "ok", found, details=details)
    if not problem and db.exists() and db.stat().st_size:
        yield content(db)
    free = shutil.disk_usage(folder).free
    details = {"path": str(folder), "free_bytes": free}
    words = f"{size(free)} free in {folder}"
    if free < LEAST_DISK:
        yield Check(
            "disk", "failed", words, "Free some space, or name a file on another disk with --db.", details
        )
    elif free < ENOUGH_DISK:
        remedy = "A million recorded steps take about 25 MB: enough for a small sweep only."
        yield Check("disk", "warning", words, remedy, details)
    else:
        yield Check("disk", "ok", words, details=details)


def _unwritable(db: Path, folder: Path) -> str | None:
    """Why the database cannot be written, from access rights alone (writes nothing, migrates no older store)."""
    from hvdsweep.store.connection import checked_version, error_for, usable, writable

    if folder != db.absolute().parent:
        return f"the folder {db.absolute().parent} does not exist"
    try:
        usable(db, may_be_missing=True)
    except HvdsweepError as error:
        return str(error)
    if db.exists():
        try:
            writable(db)
            with closing(
                sqlite3.connect(f"file:{quote(str(db.absolute()))}?mode=rw", uri=True, timeout=LOCK_SECONDS)
            ) as conn:
                checked_version(conn, db, may_be_empty=True)
                conn.execute("BEGIN IMMEDIATE")
                conn.rollback()
        except HvdsweepError as error:
            return str(error)
        except sqlite3.Error as error:
            return str(error_for(db, error))
        return None
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".hvdsweep-"):
            return None
    except OSError as error:
        return f"{folder} cannot be written ({error.strerror})"


def content(db: Path) -> Check:
    """Whether SQLite finds the file intact, and every row is valid. Reads all of it: about a second per GB."""
    from hvdsweep.store.content import problems
    from hvdsweep.store.maintenance import check
    from hvdsweep.store.reader import open_connection

    remedy = f"Take a backup, or save what can be read: `sqlite3 {db} .recover | sqlite3 rescued.db`."
    try:
        with closing(open_connection(db)[0]) as conn:
            found = [
                f"SQLite: {row[0]}" for row in conn.execute("PRAGMA integrity_check(20)") if row[0] != "ok"
            ]
            if not conn.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                return Check("database content", "ok", "nothing yet")
            # The next check relies on tables and columns being there.
            found += list(problems(conn)) or check(conn)
    except sqlite3.Error as error:
        found = [f"SQLite: {error}"]
    except HvdsweepError as error:
        found = [str(error)]
    if found:
        return Check("database content", "failed", "\n".join(found), remedy, {"problems": found})
    return Check("database content", "ok", "every row is valid", details={"problems": []})


def parse_check_build(text: str) -> dict[str, dict[str, bool]]:
    """`horovodrun --check-build` as {"Available Controllers": {"MPI": False, "Gloo": True}, ...}."""
    found: dict[str, dict[str, bool]] = {}
    section: dict[str, bool] | None = None
    for line in text.splitlines():
        if match := re.fullmatch(r"\s*(Available [\w ]+):\s*", line):
            section = found.setdefault(match[1], {})
        elif (match := re.fullmatch(r"\s+\[([X ])\] (\w+)\s*", line)) and section is not None:
            section[match[2]] = match[1] == "X"
    return found


def check_build(seconds: float = 180.0) -> dict[str, dict[str, bool]]:
    """Horovod's build according to horovodrun; empty if it prints nothing. Slow: imports TensorFlow repeatedly."""
    try:
        run = subprocess.run(
            [*horovodrun_program(), "--check-build"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
        )
    except (OSError, subprocess.SubprocessError, HvdsweepError):
        return {}
    return parse_check_build(run.stdout)


def size(number: int) -> str:
    """Bytes in readable form: `1.5 GiB`."""
    amount = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 10 else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"
