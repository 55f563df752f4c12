"""Hosts and their slots: reads `-H` and host files, allots slots to gangs so that every rank 0 is on the first host."""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hvdsweep.errors import UserError
from hvdsweep.layout import MOST_RANKS
from hvdsweep.words import counted

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")


@dataclass(frozen=True)
class Host:
    """A machine, and how many ranks it takes."""

    name: str
    slots: int


def parse_hosts(text: str) -> tuple[Host, ...]:
    """Parse `-H a:4,b:4`. UserError with all mistakes at once."""
    entries = [(f"-H: {entry.strip() or 'an empty entry'}", entry.strip()) for entry in text.split(",")]
    return _hosts([(where, *_name_and_slots(entry)) for where, entry in entries], "-H")


def named_hosts(pairs: Iterable[tuple[str, str | None]], source: str) -> tuple[Host, ...]:
    """Hosts from (name, number of slots). UserError with all mistakes at once, each naming `source`."""
    return _hosts([(f"{source}: {name}", name, slots) for name, slots in pairs], source)


def parse_hostfile(path: str | os.PathLike[str], source: str | None = None) -> tuple[Host, ...]:
    """Read a host file: a line `name slots=4` (or `name:4`) per host, `#` begins a comment.

    UserError with all mistakes at once. `source`: the file's name in messages; by default `--hostfile: PATH`.
    """
    source = source or f"--hostfile: {path}"
    try:
        # A pipe of the shell (`<(...)`) has a writer; a FIFO or a device may never get one.
        if not os.path.realpath(path).startswith("/proc/") and not stat.S_ISREG(os.stat(path).st_mode):
            raise UserError(f"{source}: is not a file. Name a file.")
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{source}: cannot be read ({error}).") from None
    entries = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.partition("#")[0].strip()
        if line:
            form = re.fullmatch(r"(\S+)\s+slots\s*=\s*(\S+)", line)
            name, slots = form.groups() if form else _name_and_slots(line)
            entries.append((f"{path}: line {number}: {line}", name, slots))
    return _hosts(entries, source)


def _name_and_slots(entry: str) -> tuple[str, str | None]:
    name, colon, slots = entry.rpartition(":")
    return (name, slots) if colon else (entry, None)


def _hosts(entries: Sequence[tuple[str, str, str | None]], source: str) -> tuple[Host, ...]:
    problems: list[str] = []
    hosts: dict[str, Host] = {}
    for where, name, slots in entries:
        if "[" in name and "::" not in name and not name.startswith("["):
            problems.append(
                f"{where}: host ranges are not understood. Spell the hosts out (Slurm: `scontrol show hostnames`)."
            )
        elif more := re.fullmatch(r"\S+\s+slots\s*=\s*\S+\s+(\S.*)", name):
            problems.append(
                f"{where}: {more[1]!r} is not understood: a line has a name and slots only. Remove it."
            )
        elif not _NAME.fullmatch(name):
            problems.append(
                f"{where}: {name!r} is not a host name or IPv4 address. Write NAME:SLOTS, such as localhost:2."
            )
        elif slots is None:
            problems.append(
                f"{where}: the number of slots is missing. Write {name}:SLOTS, one slot per rank or GPU."
            )
        elif not re.fullmatch(r"[0-9]{1,6}", slots) or not 1 <= int(slots) <= MOST_RANKS:
            problems.append(
                f"{where}: {slots[:40]!r} is not a number of slots. Write a whole number from 1 to {MOST_RANKS:,}."
            )
        elif name in hosts:
            problems.append(f"{where}: {name} is given twice. Give it once, with all its slots.")
        else:
            hosts[name] = Host(name, int(slots))
    if sum(host.slots for host in hosts.values()) > MOST_RANKS:
        problems.append(f"{source}: more than {MOST_RANKS:,} slots. Give those that the sweep is to use.")
    if not entries:
        problems.append(f"{source}: no host given. Write NAME:SLOTS, such as localhost:2.")
    if problems:
        raise UserError(*problems)
    return tuple(hosts.values())


def check_first_is_here(hosts: Sequence[Host], source: str = "-H") -> None:
    """UserError unless the first host is this machine, on which rank 0 of every gang writes the database."""
    first = hosts[0].name
    if not is_here(first):
        remedy = (
            f"Put this machine first, or start hvdsweep on {first}."
            if source == "-H"
            else f"Start hvdsweep on {first}, or use this machine alone with -H localhost:SLOTS."
        )
        raise UserError(
            f"{source}: {first}: the first host must be this machine ({socket.gethostname()}), where the database is written. "
            f"{remedy}"
        )
    if len(hosts) > 1 and _address(first).startswith("127."):
        raise UserError(
            f"{source}: {first}: means {_address(first)} here, which the other hosts cannot reach. "
            "Give this machine's IPv4 address, or a name that stands for it."
        )


def as_started(hosts: Sequence[Host]) -> tuple[Host, ...]:
    """The hosts for horovodrun; a single one becomes `localhost`.

    Its own name may resolve to 127.0.1.1 (Debian's /etc/hosts), which horovodrun would try to reach by ssh.
    """
    return (Host("localhost", hosts[0].slots),) if len(hosts) == 1 else tuple(hosts)


def is_here(name: str) -> bool:
    """Whether a host name or IPv4 address means this machine, so that horovodrun starts ranks there without ssh."""
    if name in ("localhost", socket.gethostname()):
        return True
    address = _address(name)
    # The kernel allows binding a socket only to this machine's own addresses.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return address != ""


def _address(name: str) -> str:
    """Its IPv4 address; empty if it is unknown."""
    try:
        return socket.gethostbyname(name)
    except OSError:
        return ""


def allot(hosts: Sequence[Host], np: int, gangs: int) -> list[tuple[Host, ...]]:
    """Slots for each gang, summing to `np` each: the first on the first host, the others close by.

    A gang takes free slots host by host, leaving one slot of the first host to every later gang. If slots run out, the
    ranks crowd on the first host; `crowding` reports that.
    """
    free = {host.name: host.slots for host in hosts}
    first = hosts[0].name
    alloted = []
    for gang in range(gangs):
        taken = {first: 1}
        free[first] -= 1
        missing = np - 1
        for host in hosts:
            kept = gangs - gang - 1 if host.name == first else 0
            more = max(0, min(missing, free[host.name] - kept))
            if more:
                taken[host.name] = taken.get(host.name, 0) + more
                free[host.name] -= more
                missing -= more
        taken[first] += missing
        free[first] -= missing
        alloted.append(tuple(Host(name, slots) for name, slots in taken.items()))
    return alloted


def trimmed(hosts: Sequence[Host], slots: int) -> tuple[Host, ...]:
    """The first `slots` slots of the hosts."""
    kept = []
    for host in hosts:
        taken = min(host.slots, slots)
        if taken:
            kept.append(Host(host.name, taken))
        slots -= taken
    return tuple(kept)


def places(alloted: Sequence[Sequence[Host]]) -> list[frozenset[tuple[str, int]]]:
    """The slots of each gang, as (host, number): numbered on every host in the order of the gangs."""
    taken: dict[str, int] = {}
    found = []
    for gang in alloted:
        mine = set()
        for host in gang:
            begin = taken.get(host.name, 0)
            mine |= {(host.name, number) for number in range(begin, begin + host.slots)}
            taken[host.name] = begin + host.slots
        found.append(frozenset(mine))
    return found


def check_gpus(hosts: Sequence[Host] | None, np: int, gpus: int) -> None:
    """UserError if a gang has more ranks on this machine than GPUs, and Horovod averages over NCCL."""
    here = np
    if hosts is not None:
        here = sum(host.slots for host in allot(hosts, np, 1)[0] if is_here(host.name))
    if not 0 < gpus < here:
        return
    from hvdsweep.training.horovodrun import nccl_built

    if nccl_built():
        raise UserError(shared_gpu(here, gpus))


def shared_gpu(ranks: int, gpus: int) -> str:
    """Why `ranks` ranks of one gang cannot train on `gpus` GPUs of a machine, and the remedy."""
    return (
        f"--np: {ranks} ranks of one trial on a machine with {counted(gpus, 'GPU')}: NCCL needs a GPU for each rank. Ask for "
        f"--np {gpus}; several gangs (--gangs) may share a GPU. To train on cores, set CUDA_VISIBLE_DEVICES to nothing."
    )


def crowding(hosts: Sequence[Host] | None, np: int, gangs: int, cores: int, gpus: int) -> list[str]:
    """Warnings if ranks outnumber slots, this machine's cores or its GPUs (see also `check_gpus`)."""
    warnings = []
    ranks = np * gangs
    here = ranks
    if hosts is not None:
        slots = sum(host.slots for host in hosts)
        if ranks > slots:
            warnings.append(
                f"{gangs} gangs of {np} ranks need {ranks} slots, the hosts have {slots}: ranks will share slots."
            )
        elif gangs > hosts[0].slots:
            warnings.append(
                f"{gangs} gangs need a slot each on {hosts[0].name}, which has {hosts[0].slots}: ranks will share slots there."
            )
        here = sum(host.slots for gang in allot(hosts, np, gangs) for host in gang if is_here(host.name))
    if here > cores:
        warnings.append(
            f"{here} ranks share {counted(cores, 'core')} of this machine: they will wait for each other."
        )
    if gpus and here > gpus:
        warnings.append(f"{here} ranks share {counted(gpus, 'GPU')} of this machine: watch their memory.")
    return warnings
