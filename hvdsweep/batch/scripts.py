"""Job scripts: the values of a submission, filled into a readable template."""

from __future__ import annotations

import re
import shlex
import string
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hvdsweep.batch.profiles import Profile
from hvdsweep.errors import UserError

TEMPLATES = Path(__file__).parent / "templates"
HERE = Path(sys.executable).with_name("hvdsweep")
"""The program that jobs on the same file system run."""

SCHEDULERS = {"slurm": "slurm.sh", "pbs": "pbs.sh", "lsf": "lsf.sh", "kubernetes": "kubernetes.yaml"}
"""Scheduler -> its template."""


class _Template(string.Template):
    """Fills in `@{name}`; dollars are the shell's."""

    delimiter = "@"


@dataclass(frozen=True)
class JobRequest:
    """The requirements of every job of a submission."""

    name: str
    """Name of the sweep."""
    folder: Path
    """The batch folder, absolute."""
    shards: int
    np: int
    """Ranks per trial."""
    profile: Profile
    gangs: int = 1
    """Trials side by side in each job."""
    nodes: int = 1
    gpus_per_node: int | None = None
    """None: from the profile."""
    time: str | None = None
    """The scheduler's time limit of a job, as given; None: its default."""
    most_running: int | None = None
    """Most jobs at the same time; None: no limit."""
    follow_ups: int = 20
    """Most requeues and follow-up jobs of a shard."""
    options: tuple[str, ...] = ()
    """Further options of the scheduler."""

    @property
    def ranks_per_node(self) -> int:
        """UserError if the ranks cannot be shared out evenly."""
        ranks = self.np * self.gangs
        if ranks % self.nodes:
            raise UserError(
                f"--nodes: {self.nodes}: {ranks} ranks cannot be shared out evenly. Give a number of nodes that divides {ranks}."
            )
        return ranks // self.nodes

    @property
    def gpus(self) -> int:
        """GPUs on each node."""
        return self.profile.gpus_per_node if self.gpus_per_node is None else self.gpus_per_node

    @property
    def seconds(self) -> int | None:
        """The time limit in seconds; None without one. UserError if it is invalid."""
        return None if self.time is None else parse_time(self.time)


def parse_time(text: str) -> int:
    """Seconds of a time limit (`seconds_of`). UserError for none."""
    total = seconds_of(text)
    if total is None:
        raise UserError(
            f"--time: {text}: is no time limit. Write hours:minutes:seconds, such as 04:00:00, or minutes."
        )
    if not total:
        raise UserError(f"--time: {text}: is no time at all. Write hours:minutes:seconds, such as 04:00:00.")
    return total


def seconds_of(text: str) -> int | None:
    """Seconds of minutes, min:sec, h:min:sec, days-hours, days-h:min, days-h:min:sec; None for others (UNLIMITED)."""
    found = re.fullmatch(r"(?:(\d{1,4})-)?(\d{1,6})(?::(\d{1,2}))?(?::(\d{1,2}))?", text)
    if found is None:
        return None
    days, *rest = found.groups()
    numbers = [int(part) for part in rest if part is not None]
    if days is not None:
        hours, minutes, seconds = (*numbers, 0, 0)[:3]
    elif len(numbers) == 3:
        hours, minutes, seconds = numbers
    else:
        hours, (minutes, seconds) = 0, (*numbers, 0)[:2]
    return int(days or 0) * 86_400 + hours * 3600 + minutes * 60 + seconds


def spans(numbers: Sequence[int]) -> str:
    """Numbers in the form of the scheduler's arrays: `1-4,7`."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def numbers(text: str) -> list[int]:
    """`1-4,7` as numbers: what `spans` has written."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def script(wanted: JobRequest, scheduler: str = "slurm") -> str:
    """The text of the job script (for Kubernetes: the manifest). UserError for what the scheduler has not."""
    pods = scheduler == "kubernetes"
    if pods and (wanted.nodes > 1 or wanted.options):
        raise UserError(
            "--scheduler: kubernetes: a pod is on one node and takes no options. Leave out --nodes and what stands after --, "
            "and edit the manifest; several nodes to a trial need the MPI operator (docs/clusters.md)."
        )
    clock = _clock(wanted.seconds or 4 * 3600)
    prologue = [f"module load {shlex.join(wanted.profile.modules)}"] if wanted.profile.modules else []
    if wanted.profile.prologue.strip():
        prologue.append(wanted.profile.prologue.strip())
    return _Template((TEMPLATES / SCHEDULERS[scheduler]).read_text(encoding="utf-8")).substitute(
        directives="\n".join(_DIRECTIVES[scheduler](wanted, clock)) if scheduler in _DIRECTIVES else "",
        folder=shlex.quote(str(wanted.folder)),
        shards=wanted.shards,
        follow_ups=wanted.follow_ups,
        setup="\n".join(prologue) or "# (no modules, no prologue: those of a --profile come here)",
        # In an image it is another path than here.
        command=_command(wanted, "hvdsweep" if pods else shlex.quote(str(HERE))),
        seconds=wanted.seconds or 4 * 3600,
        job_name=re.sub(r"[^a-z0-9-]+", "-", wanted.name.lower())[:50].strip("-") or "sweep",
        limit=f"      activeDeadlineSeconds: {wanted.seconds}\n" if wanted.seconds else "",
        parallel=wanted.most_running or wanted.shards,
        resources=f"{{nvidia.com/gpu: {wanted.gpus}}}"
        if wanted.gpus
        else f"{{cpu: {wanted.np * wanted.gangs}}}",
    )


def _command(wanted: JobRequest, program: str) -> str:
    profile = wanted.profile
    words = [
        *([profile.container] if profile.container else []),
        profile.program or program,
        "launch sweep.toml",
    ]
    words += ['--shard "$number/$shards" --db .', f"--np {wanted.np}"]
    if wanted.gangs > 1:
        words.append(f"--gangs {wanted.gangs}")
    for option, value in (
        ("--network-interface", profile.network_interface),
        ("--host-names", profile.host_names),
        ("--remote-shell", profile.remote_shell),
    ):
        if value:
            words.append(f"{option} {shlex.quote(value)}")
    if profile.scratch:
        words.append(f'--scratch "{profile.scratch}"')
    words += profile.launch
    return " ".join(words)


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _quoted(path: Path) -> str:
    """A path for a line that sbatch reads, in which % begins a pattern."""
    text = str(path).replace("%", "%%")
    return f'"{text}"' if re.search(r"\s", text) else text


def _further(wanted: JobRequest) -> list[str]:
    """Extra options of the profile and the command line, on one line, as an option and its value may be two words."""
    words = [f'"{word}"' if re.search(r"\s", word) else word for word in wanted.options]
    return [*wanted.profile.options, *([" ".join(words)] if words else [])]


def _slurm(wanted: JobRequest, clock: str) -> list[str]:
    profile = wanted.profile
    limit = f"%{wanted.most_running}" if wanted.most_running else ""
    words = [
        f"--job-name={re.sub(r'[^A-Za-z0-9_.-]', '_', wanted.name)}",
        f"--array=1-{wanted.shards}{limit}",
        f"--output={_quoted(wanted.folder / 'logs' / 'scheduler.log')}",
        "--open-mode=append",
        f"--nodes={wanted.nodes}",
        f"--ntasks-per-node={wanted.ranks_per_node}",
        f"--signal=B:TERM@{profile.signal_seconds}",
        "--requeue",
    ]
    words += [f"--time={wanted.time}"] if wanted.time else []
    words += [profile.gpus.format(gpus=wanted.gpus)] if wanted.gpus else []
    words += [f"--partition={profile.partition}"] if profile.partition else []
    words += [f"--account={profile.account}"] if profile.account else []
    return [f"#SBATCH {word}" for word in (*words, *_further(wanted))]


def _pbs(wanted: JobRequest, clock: str) -> list[str]:
    profile = wanted.profile
    ranks = wanted.ranks_per_node
    gpus = f":ngpus={wanted.gpus}" if wanted.gpus else ""
    words = [
        f"-N {re.sub(r'[^A-Za-z0-9_]', '_', wanted.name)[:15]}",
        f"-l select={wanted.nodes}:ncpus={ranks}:mpiprocs={ranks}{gpus}",
        f"-l walltime={clock}",
        f'-j oe -o "{wanted.folder / "logs" / "scheduler.log"}"',
    ]
    limit = f"%{wanted.most_running}" if wanted.most_running else ""
    words += [f"-J 1-{wanted.shards}{limit}"] if wanted.shards > 1 else []
    words += [f"-q {profile.partition}"] if profile.partition else []
    words += [f"-A {profile.account}"] if profile.account else []
    return [f"#PBS {word}" for word in (*words, *_further(wanted))]


def _lsf(wanted: JobRequest, clock: str) -> list[str]:
    profile = wanted.profile
    name = re.sub(r"[^A-Za-z0-9_]", "_", wanted.name)
    limit = f"%{wanted.most_running}" if wanted.most_running else ""
    words = [
        f'-J "{name}[1-{wanted.shards}]{limit}"',
        f"-n {wanted.np * wanted.gangs}",
        f'-R "span[ptile={wanted.ranks_per_node}]"',
        f"-W {clock[:-3]}",
        f"-wa TERM -wt {max(1, profile.signal_seconds // 60)}",
        f'-o "{wanted.folder / "logs" / "scheduler.log"}"',
    ]
    words += [f'-gpu "num={wanted.gpus}"'] if wanted.gpus else []
    words += [f"-q {profile.partition}"] if profile.partition else []
    words += [f"-P {profile.account}"] if profile.account else []
    return [f"#BSUB {word}" for word in (*words, *_further(wanted))]


_DIRECTIVES = {"slurm": _slurm, "pbs": _pbs, "lsf": _lsf}
