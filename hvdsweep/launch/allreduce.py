"""The decisive check: two ranks, started exactly as gangs are, add up known vectors."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hvdsweep.errors import HvdsweepError
from hvdsweep.launch.checks import Check, check_build, size
from hvdsweep.launch.failure_report import death_of
from hvdsweep.launch.gang import CommandBuilder
from hvdsweep.launch.guard import guarded
from hvdsweep.launch.horovodrun import gang_command, gang_environment, threads_per_rank
from hvdsweep.launch.hosts import Host, as_started
from hvdsweep.launch.machine import cores, gpus
from hvdsweep.launch.processes import Mark, exit_code, running
from hvdsweep.process_id import ProcessId
from hvdsweep.words import counted

MODULE = "hvdsweep.training.probe"
REMEDY = (
    "Compile Horovod again against the installed TensorFlow (`make clean install`). Where ranks cannot reach each other, "
    "look for a firewall on the loopback interface."
)


def allreduce_checks(
    hosts: Sequence[Host] = (Host("localhost", 2),),
    *,
    seconds: float = 180.0,
    build: CommandBuilder = gang_command,
    locks: Path | None = None,
    on_gpus: bool = False,
) -> list[Check]:
    """Start a rank on every slot of `hosts` and add up vectors; report the sum, the speed and Horovod's build.

    `locks`: a folder in which ranks on other hosts test whether they see a lock of this one. `on_gpus`: each rank uses
    a GPU, and only the sum is reported. Leaves no process behind.
    """
    name = "allreduce on GPUs" if on_gpus else "allreduce"
    ranks = sum(host.slots for host in hosts)
    with tempfile.TemporaryDirectory(prefix="hvdsweep-doctor-") as folder, guarded():
        out = Path(folder) / "probe.json"
        mark = str(Mark(ProcessId.current(), 0, 0, folder))
        arguments = ["--out", str(out)]
        arguments += ["--locks", str(locks)] if locks else []
        arguments += ["--gpus"] if on_gpus else []
        begun = time.monotonic()
        try:
            threads = threads_per_rank(cores(), ranks)
            variables = gang_environment(os.environ, size=ranks, threads=threads, mark=mark).variables
            command = build(as_started(hosts), MODULE, arguments)
            with running(command, variables, Path(folder) / "horovodrun.log") as process:
                code = exit_code(process, within=seconds)
        except (OSError, HvdsweepError) as error:
            return [Check(name, "failed", str(error), REMEDY)]
        taken = time.monotonic() - begun
        if code == 0 and out.exists():
            probe = json.loads(out.read_text(encoding="utf-8"))
            if on_gpus:
                return judged(probe, taken, with_gpus=True, name=name)[:1]
            checks = judged(probe, taken, with_gpus=bool(gpus()))
            return [*checks, *([locking(locks, probe["locks"])] if locks else [])]
        what = str(death_of(Path(folder), code)) if code is not None else f"no answer within {seconds:.0f} s"
        if out.exists() and not json.loads(out.read_text(encoding="utf-8"))["sum_is_right"]:
            what = "the ranks' sum is wrong"
    return [Check(name, "failed", what, REMEDY, {} if on_gpus else {"horovod_build": check_build()})]


def locking(folder: Path, answers: Sequence[str]) -> Check:
    """Whether several hosts can rely on SQLite's locks in `folder`; `answers`: of ranks elsewhere (`probe.LOCKS`)."""
    details = {"folder": str(folder), "seen": list(answers)}
    remedy = (
        "Let one host alone write a database there, as `launch` does, and give every job a shard (--shard), which it may keep "
        "on a disk of its own machine (--scratch)."
    )
    if answers and all(answer == "seen" for answer in answers):
        return Check("locks", "ok", f"a lock in {folder} is seen from the other hosts", details=details)
    if "no such file" in answers:
        found = f"{folder} is not on a file system that the other hosts share"
        return Check("locks", "ok", f"{found}; only this host needs it", details=details)
    if "not seen" in answers:
        found = f"a lock in {folder} is not seen from another host (Lustre mounted with localflock, or NFS without locks)"
        return Check("locks", "warning", found, remedy, details)
    return Check("locks", "warning", f"files in {folder} cannot be locked", remedy, details)


def judged(
    probe: Mapping[str, Any], seconds: float, *, with_gpus: bool, name: str = "allreduce"
) -> list[Check]:
    """The checks made from a probe's answer; `seconds` from start to end, `with_gpus`: this machine has some."""
    found = (
        f"{counted(probe['ranks'], 'rank')}: sum right; {probe['small_ms']:.2f} ms for 4 kB, {probe['large_ms']:.1f} ms for "
        f"{size(probe['large_bytes'])}; started, asked and ended in {seconds:.1f} s"
    )
    details = {**probe, "seconds": seconds}
    checks = [
        Check(name, "ok", found, details=details)
        if probe["sum_is_right"]
        else Check(name, "failed", "the ranks' sum is wrong", REMEDY, details)
    ]
    built = probe["built"]
    parts = ", ".join(
        f"{name} {'yes' if built[key] else 'no'}"
        for name, key in (("Gloo", "gloo"), ("NCCL", "nccl"), ("MPI", "mpi"))
    )
    version = probe["nccl_version"]
    if version > 1:
        parts = parts.replace("NCCL yes", f"NCCL {version // 10000}.{version // 100 % 100}.{version % 100}")
    details = {
        "built": built,
        "nccl_version": version,
        "tensorflow_gpus": probe["tensorflow_gpus"],
        "tensorflow_cuda": probe["tensorflow_cuda"],
    }
    if not built["gloo"]:
        checks.append(
            Check("horovod build", "failed", parts, "Compile Horovod with HOROVOD_WITH_GLOO=1.", details)
        )
    elif with_gpus and not built["nccl"]:
        remedy = "Gradients travel through main memory. Build Horovod with NCCL: `make install GPU=1` (docs/launching.md)."
        checks.append(Check("horovod build", "warning", parts, remedy, details))
    else:
        checks.append(Check("horovod build", "ok", parts, details=details))
    if with_gpus and not probe["tensorflow_gpus"]:
        remedy = "Install TensorFlow's CUDA libraries (`make install GPU=1`), or check the driver."
        checks.append(
            Check(
                "TensorFlow's GPUs", "warning", "TensorFlow sees none of this machine's GPUs", remedy, details
            )
        )
    return checks
