"""A Slurm cluster of two nodes for tests: munge, slurmctld and two slurmd, each node a set of namespaces of this machine.

Every node has its own host name, address, processes and /etc/hosts, and no ssh; killing its first process is a crash of the node.
All files, ports and addresses are the cluster's own, so several clusters may run side by side.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.limits import HANG_SECONDS

PROGRAMS = (
    "munged",
    "slurmctld",
    "slurmd",
    "sbatch",
    "srun",
    "scontrol",
    "squeue",
    "scancel",
    "unshare",
    "ip",
)
"""What the cluster is made of."""

CORES = 4
"""That each node claims to have, however many there are."""

CONFIGURATION = """\
ClusterName=hvdsweep
SlurmctldHost={here}({address})
SlurmctldPort={port}
SlurmctldParameters=enable_configless
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CryptoType=crypto/munge
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,batch_sched_delay=0,sched_min_interval=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MaxArraySize=11
KillWait=60
MinJobAge=300
InactiveLimit=0
SlurmdTimeout=10
ReturnToService=2
MessageTimeout=30
SlurmdParameters=config_overrides
{nodes}
PartitionName=everyday Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE
PartitionName=urgent Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF
"""


def missing() -> str:
    """Why no cluster can run here; empty where it can."""
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"no real Slurm here: {', '.join(absent)} not installed (Debian: slurm-wlm, munge, iproute2)"
    if os.geteuid() != 0:
        return "no real Slurm here: needs root for slurmd and namespaces"
    tried = subprocess.run(["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "true"], check=False)
    return "" if tried.returncode == 0 else "no real Slurm here: namespaces are not allowed"


@dataclass
class Node:
    """One node of the cluster."""

    name: str
    address: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the node's first process, as this machine numbers it."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else 0


@dataclass
class Cluster:
    """A running cluster; `environment` leads Slurm's programs to it."""

    folder: Path
    network: str
    """The first three numbers of its addresses."""
    nodes: dict[str, Node] = field(default_factory=dict)
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        foreign = ("SLURM_", "SBATCH_", "SQUEUE_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return kept | {"SLURM_CONF": str(self.folder / "slurm.conf")}

    def run(self, *command: str, check: bool = True, cwd: Path | None = None) -> str:
        """What a program prints, run where the users log in (no node)."""
        done = subprocess.run(
            command,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=HANG_SECONDS,
            cwd=cwd,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{command}: exit code {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def jobs(self) -> dict[str, str]:
        """Job (or array task) -> its state, for all that the controller remembers."""
        rows = self.run("squeue", "-h", "-r", "-t", "all", "-o", "%i %T").splitlines()
        return dict(row.split() for row in rows)

    def start(self) -> None:
        """Start everything; returns once both nodes wait for jobs."""
        munge = self.folder / "munge"
        munge.mkdir(mode=0o700)
        (self.folder / "state").mkdir()
        key = munge / "key"
        key.write_bytes(os.urandom(64))
        key.chmod(0o600)
        self._daemon(
            *("munged", "--foreground", "--force", "--num-threads=4"),
            *(f"--socket={munge}/socket", f"--key-file={key}", f"--pid-file={munge}/pid"),
            *(f"--seed-file={munge}/seed", f"--log-file={munge}/log"),
        )
        _until(lambda: (munge / "socket").exists(), "munge")
        bridge = self._bridge
        here = f"{self.network}.1"
        _ip("link", "add", bridge, "type", "bridge")
        _ip("addr", "add", f"{here}/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        self.nodes = {
            name: Node(name, f"{self.network}.{i}") for i, name in enumerate(("n1", "n2"), start=11)
        }
        lines = [
            f"NodeName={node.name} NodeAddr={node.address} Port={6818} CPUs={CORES} RealMemory=4000 State=UNKNOWN"
            for node in self.nodes.values()
        ]
        (self.folder / "slurm.conf").write_text(
            CONFIGURATION.format(
                here=socket.gethostname(),
                address=here,
                port=_free_port(),
                folder=self.folder,
                nodes="\n".join(lines),
            )
        )
        names = [f"{here} {socket.gethostname()}"]
        names += [f"{node.address} {node.name}" for node in self.nodes.values()]
        (self.folder / "hosts").write_text("\n".join(["127.0.0.1 localhost", *names, ""]))
        self._daemon("slurmctld", "-D", "-c")
        for node in self.nodes.values():
            self.boot(node)
        self.ready()

    def boot(self, node: Node) -> None:
        """Start a node, also again after it was killed."""
        # bash as the first process takes care of orphans; slurmd would not.
        inside = (
            f"hostname {node.name} && mount --bind {self.folder}/hosts /etc/hosts && ip link set lo up && "
            f"until ip addr show dev eth0 2>/dev/null | grep -q {node.address}; do sleep 0.02; done; "
            f"slurmd -D -N {node.name} & wait"
        )
        spaces = ("--mount", "--uts", "--net", "--pid", "--fork", "--mount-proc", "--kill-child")
        node.process = self._daemon("unshare", *spaces, "bash", "-c", inside)
        _until(lambda: node.pid, f"{node.name}'s first process")
        outer = f"{self._bridge}{node.name}"
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("link", "del", outer)
        _ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", str(node.pid))
        _ip("link", "set", outer, "master", self._bridge, "up")
        enter = ("nsenter", f"--target={node.pid}", "--net", "ip")
        subprocess.run([*enter, "link", "set", "eth0", "up"], check=True)
        subprocess.run([*enter, "addr", "add", f"{node.address}/24", "dev", "eth0"], check=True)

    def crash(self, name: str) -> None:
        """A node and everything on it ends at once."""
        node = self.nodes[name]
        os.kill(node.pid, signal.SIGKILL)
        assert node.process is not None
        node.process.wait()

    def ready(self) -> None:
        """Wait until every node takes jobs."""
        _until(
            lambda: (
                self.run("sinfo", "-h", "-N", "-p", "everyday", "-o", "%T", check=False).split().count("idle")
                == len(self.nodes)
            ),
            "two idle nodes",
        )

    def processes(self, name: str) -> list[int]:
        """Pids, as this machine numbers them, of everything on a node but its slurmd and what that is made of."""
        first = self.nodes[name].pid
        space = os.readlink(f"/proc/{first}/ns/pid")
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != first:
                with contextlib.suppress(OSError):
                    command = (entry / "comm").read_text().strip()
                    mine = os.readlink(entry / "ns" / "pid") == space
                    if mine and not command.startswith(("slurmd", "slurmstepd")):
                        found.append(int(entry.name))
        return found

    def stop(self) -> None:
        """End everything."""
        for process in reversed(self._started):
            process.kill()
            process.wait()
        for link in [f"{self._bridge}{name}" for name in self.nodes] + [self._bridge]:
            _ip("link", "del", link, check=False)

    @property
    def _bridge(self) -> str:
        return "hs" + "x".join(self.network.split(".")[1:])

    def _daemon(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{command[0]}.out").open("ab") as out:
            process = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        self._started.append(process)
        return process


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """A cluster that keeps its files in `folder`, ended with the block."""
    number = os.getpid() % 60_000
    cluster = Cluster(folder, f"10.{number // 250}.{number % 250}")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def _ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", *arguments], check=check, capture_output=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def _until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + HANG_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {HANG_SECONDS:.0f} s for {what}")
        time.sleep(0.05)
