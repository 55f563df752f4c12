"""How a gang is started: the `horovodrun` command line, and an environment that keeps foreign settings from the ranks.

horovodrun passes each rank the whole environment in one shell command, which may not exceed 128 KiB and which `ps`
shows to every user of the machine; so variables that look like secrets, or do not fit, are left out.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from hvdsweep.errors import RunFailed
from hvdsweep.launch.hosts import Host
from hvdsweep.launch.processes import MARK
from hvdsweep.launch.steering import STEERS, fixed

ROOM = 120 * 1024
"""Bytes for the environment in a rank's shell command: Linux allows 128 KiB, and the rank's own command needs some."""

KEEP = "HVDSWEEP_KEEP_ENV"
"""Variable with the names (separated by commas) of variables to pass to ranks although they look like secrets."""

HOST = "{host}"
"""Placeholder for the host's name in a pattern of host names."""

TUNING = frozenset(
    {
        "HOROVOD_CYCLE_TIME",
        "HOROVOD_FUSION_THRESHOLD",
        "HOROVOD_CACHE_CAPACITY",
        "HOROVOD_HIERARCHICAL_ALLREDUCE",
        "HOROVOD_NUM_NCCL_STREAMS",
        "HOROVOD_GLOO_TIMEOUT_SECONDS",
        "HOROVOD_LOG_LEVEL",
    }
)
"""Horovod settings that the user may give; other HOROVOD_ variables would override those of horovodrun."""

_FOREIGN = re.compile(r"HOROVOD_|OMPI_|PMI_|PMIX_|LSB_JOBID$|TF_CONFIG$|TF_USE_LEGACY_KERAS$|HVDSWEEP_GANG$")
_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY|PRIVATE_KEY", re.IGNORECASE)
_NEEDED = re.compile(
    r"(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|LD_\w+|PYTHON\w*|VIRTUAL_ENV|XDG_\w+|SSH_\w+|KRB5\w+"
    r"|CUDA\w*|NVIDIA\w*|NCCL_\w+|XLA_\w+|TF_\w+|KERAS_\w+|OMP_\w+|MKL_\w+|OPENBLAS_\w+|HOROVOD_\w+|HVDSWEEP_\w+)$"
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Environment:
    """The environment of a gang's processes."""

    variables: dict[str, str]
    left_out: tuple[str, ...]
    """Names left out as secrets, because they would change results, or for lack of room; sorted."""


@dataclass(frozen=True)
class HostNetwork:
    """How ranks on other hosts are reached."""

    interfaces: tuple[str, ...] = ()
    """Names of network interfaces that ranks may use; empty: horovodrun looks for one that all hosts have."""
    remote_shell: str = "ssh"
    """Program that starts ranks on other hosts: `ssh`, or `srun` for steps of this Slurm job."""
    host_names: str = HOST
    """Pattern that replaces the given host names: `{host}-ib0`."""


def horovodrun_program() -> list[str]:
    """The horovodrun of this Python's environment. RunFailed if Horovod is not installed there."""
    script = Path(sys.executable).parent / "horovodrun"
    if not script.is_file():
        raise RunFailed(
            f"{script}: not found. Install hvdsweep's dependencies (`make install`), then `hvdsweep doctor`."
        )
    # Through the interpreter, since the path in a script's first line may be too long for the kernel.
    return [sys.executable, str(script)]


def quick_horovodrun() -> list[str]:
    """The same program, without its own import of TensorFlow (`hvdsweep.training.horovodrun`)."""
    horovodrun_program()
    return [sys.executable, "-P", "-m", "hvdsweep.training.horovodrun"]


def gang_command(
    hosts: Sequence[Host], module: str, arguments: Sequence[str], network: HostNetwork = HostNetwork()
) -> list[str]:
    """The command line of one gang: `python -m module arguments` on every slot of `hosts`.

    The slots must sum to -np exactly, since horovodrun starts a rank on each of them.
    """
    slots = ",".join(f"{host.name}:{host.slots}" for host in hosts)
    return [
        *quick_horovodrun(),
        *(("--by-srun", network.host_names) if network.remote_shell == "srun" else ()),
        *(("--network-interfaces", ",".join(network.interfaces)) if network.interfaces else ()),
        *("--gloo", "--disable-cache", "--start-timeout", "120"),
        *("-np", str(sum(host.slots for host in hosts)), "-H", slots),
        # Without the working directory on the path: a file `numpy.py` there must not shadow the package.
        *(sys.executable, "-P", "-m", module, *arguments),
    ]


def threads_per_rank(cores: int, ranks_here: int) -> int:
    """Threads for each of `ranks_here` ranks on `cores` cores: an even share, at least 1."""
    return max(1, cores // max(1, ranks_here))


def share_devices(devices: Sequence[str], ranks_here: Sequence[int]) -> list[tuple[str, ...]]:
    """GPUs of this machine for each gang, with `ranks_here[g]` ranks of gang g on it: a GPU per rank while they last.

    Ranks beyond the last GPU share, from the first again.
    """
    shares = []
    start = 0
    for ranks in ranks_here:
        wanted = [devices[(start + i) % len(devices)] for i in range(ranks)] if devices else []
        shares.append(tuple(dict.fromkeys(wanted)))
        start += ranks
    return shares


def gang_environment(
    inherited: Mapping[str, str],
    *,
    size: int,
    threads: int,
    mark: str,
    devices: Sequence[str] = (),
    room: int = ROOM,
) -> Environment:
    """The environment of one gang of `size` ranks, each with `threads` threads.

    RunFailed if even the variables that a rank needs exceed `room` bytes.
    """
    ours = fixed(inherited)
    kept_on_purpose = {name.strip() for name in inherited.get(KEEP, "").split(",")}
    variables: dict[str, str] = {}
    left_out: list[str] = []
    for name, value in inherited.items():
        # horovodrun quotes values but not names: a parenthesis (an exported shell function) breaks the shell command.
        if not _NAME.fullmatch(name) or (_FOREIGN.match(name) and name not in TUNING):
            continue
        if STEERS.match(name):
            if ours.get(name) != value:
                left_out.append(name)
            continue
        if _SECRET.search(name) and name not in kept_on_purpose:
            left_out.append(name)
            continue
        variables[name] = value
    variables |= {
        # Idle ranks take 3-5 % of a core at 1 ms and 44 % at 0; a gang of one never waits for the background thread.
        "HOROVOD_CYCLE_TIME": inherited.get("HOROVOD_CYCLE_TIME", "0.1" if size > 1 else "100"),
        "HOROVOD_GLOO_TIMEOUT_SECONDS": inherited.get("HOROVOD_GLOO_TIMEOUT_SECONDS", "120"),
        "HOROVOD_LOG_LEVEL": inherited.get("HOROVOD_LOG_LEVEL", "warning"),
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": str(threads),
        "TF_CPP_MIN_LOG_LEVEL": inherited.get("TF_CPP_MIN_LOG_LEVEL", "2"),
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        **ours,
        # A crash in native code writes its Python stack to the rank's log.
        "PYTHONFAULTHANDLER": "1",
        MARK: mark,
    }
    if devices:
        variables["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
    left_out += _make_room(variables, room)
    return Environment(variables, tuple(sorted(left_out)))


def _make_room(variables: dict[str, str], room: int) -> list[str]:
    """Remove the largest dispensable variables until the rest fits; returns their names."""
    sizes = {name: len(os.fsencode(f"{name}={quote(value)} ")) for name, value in variables.items()}
    total = sum(sizes.values())
    dropped = []
    for name in sorted((name for name in sizes if not _NEEDED.match(name)), key=lambda name: -sizes[name]):
        if total <= room:
            break
        total -= sizes[name]
        del variables[name]
        dropped.append(name)
    if total > room:
        largest = max((name for name in variables), key=lambda name: sizes[name])
        raise RunFailed(
            f"The environment needs {total} bytes where horovodrun can pass on {room}; {largest} alone takes {sizes[largest]}. "
            "Shorten it and launch again."
        )
    return dropped
