"""Array jobs on a real Slurm of two nodes: whatever happens to a job, nothing is lost, nothing twice, and nothing left behind."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hvdsweep.cli.batch import batch
from hvdsweep.launch.allocation import expand
from tests.launch.conftest import Store, wait_for
from tests.launch.test_allocation import NODES
from tests.slurm.cluster import Cluster, missing, running

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "runs")

PROGRAM = Path(sys.executable).with_name("hvdsweep")
FAKE = Path(__file__).with_name("fake_hvdsweep.py")

SWEEP = """\
dataset = "digits"
model = "fc_16"
algorithms = ["sgd"]
[goal]
metric = "val/classification_error"
value = 0.02
[budget]
steps = 20
[evaluation]
every = 10
[studies]
batch_sizes = [16, 32]
trials = 4
[search]
learning_rate = { min = 0.01, max = 1.0, scale = "log" }
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(tmp_path_factory.mktemp("slurm")) as found:
        yield found


def results(paths: list[Path]) -> dict[str, list[tuple[Any, ...]]]:
    """The results of all trials in these databases together, to the last bit."""
    together: dict[str, list[tuple[Any, ...]]] = {}
    for path in paths:
        for name, rows in Store(path).results().items():
            together.setdefault(name, []).extend(rows)
    return {name: sorted(rows) for name, rows in together.items()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Any, ...]]]:
    """What one machine makes of the sweep."""
    place = tmp_path_factory.mktemp("undisturbed")
    (place / "sweep.toml").write_text(SWEEP)
    subprocess.run(
        [sys.executable, str(FAKE), "launch", "sweep.toml", "--db", "one.db"], cwd=place, check=True
    )
    return results([place / "one.db"])


class Submitted:
    """A sweep that was submitted, in a folder with a blank in its name."""

    def __init__(
        self, cluster: Cluster, home: Path, *options: str, shards: int = 2, profile: str = ""
    ) -> None:
        self.cluster, self.home = cluster, home
        self.folder = home / "fake.batch"
        home.mkdir()
        (home / "fake.toml").write_text(SWEEP)
        (home / "site.toml").write_text(f"program = '''{sys.executable} {FAKE}'''\n{profile}")
        words = ["--jobs", str(shards), "--profile", "site", "--dir", str(self.folder), *options]
        self.jobs: list[str] = json.loads(self.batch("submit", "--json", *words, sweep=True))["jobs"]

    def batch(self, command: str, *words: str, sweep: bool = False) -> str:
        """What `hvdsweep batch` prints, of the sweep or of its folder."""
        # In this process: Python takes longer to start than Slurm to answer.
        subject = self.home / "fake.toml" if sweep else self.folder
        done = CliRunner().invoke(batch, [command, str(subject), *words], env=self.cluster.environment)
        if done.exit_code:
            raise AssertionError(f"batch {command} {words}: {done.output}{done.exception}")
        return done.stdout

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.batch("status", "--json"))
        return found

    def shard(self, number: int = 1) -> Store:
        return Store(self.folder / "shards" / f"{number:04d}.db")

    def at_work(self, number: int = 1) -> bool:
        """Whether the shard has ended a trial and trains another."""
        return {"COMPLETE", "RUNNING"} <= set(self.shard(number).statuses())

    def job_of(self, number: int = 1) -> str:
        return f"{self.jobs[-1]}_{number}"

    def node_of(self, number: int = 1) -> str:
        return self.cluster.run("squeue", "-h", "-j", self.job_of(number), "-o", "%N").strip()

    def done(self) -> bool:
        """Whether all is trained; what Slurm holds back after a requeue begins at once."""
        for row in self.cluster.run("squeue", "-h", "-r", "-t", "PENDING", "-o", "%i %r").splitlines():
            job, _, reason = row.partition(" ")
            if reason == "BeginTime":
                # A job that begins again while its first run still ends on the node fails at once.
                time.sleep(2)
                self.cluster.run("scontrol", "update", f"JobId={job}", "StartTime=now", check=False)
        time.sleep(0.3)
        return all(shard["state"] == "DONE" for shard in self.state()["shards"])

    def log(self) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted((self.folder / "logs").iterdir()))


def nothing(run: Submitted) -> None:
    """Nobody disturbs."""


def requeue(run: Submitted) -> None:
    run.cluster.run("scontrol", "requeue", run.job_of())


def cancel(run: Submitted) -> None:
    """All jobs, by the command; then what is left is submitted again, and only that."""
    run.batch("cancel", "--yes")
    wait_for(lambda: not any(shard["active"] for shard in run.state()["shards"]), "the end of cancelled jobs")
    time.sleep(1)
    assert all(
        state == "CANCELLED" for job, state in run.cluster.jobs().items() if job.startswith(run.jobs[-1])
    )
    run.jobs += json.loads(run.batch("resubmit", "--json"))["jobs"]


def signal(run: Submitted) -> None:
    """What --signal=B:TERM@120 sends: SIGTERM to the script alone."""
    run.cluster.run("scancel", "--batch", "--signal=TERM", run.job_of())


def kill(run: Submitted) -> None:
    """SIGKILL to everything on the node: nobody writes a last word, and Slurm does not queue the job again."""
    for pid in run.cluster.processes(run.node_of()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
    wait_for(lambda: not any(shard["active"] for shard in run.state()["shards"]), "the end of killed jobs")
    run.jobs += json.loads(run.batch("resubmit", "--json"))["jobs"]


def crash(run: Submitted) -> None:
    """The node of the first shard goes down with all that runs on it, and comes back."""
    node = run.node_of()
    run.cluster.crash(node)
    run.cluster.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    run.cluster.boot(run.cluster.nodes[node])
    run.cluster.run("scontrol", "update", f"NodeName={node}", "State=RESUME")


def preempt(run: Submitted) -> None:
    """A job of a partition with a higher priority takes both nodes for a moment."""
    job = run.cluster.run(
        "sbatch", "--parsable", "-p", "urgent", "-N2", "--exclusive", "--wrap", "sleep 1", cwd=run.home
    )
    wait_for(lambda: run.cluster.jobs()[job.strip()] == "COMPLETED", "the urgent job")


@pytest.mark.parametrize("disturb", [nothing, requeue, cancel, signal, kill, crash, preempt])
def test_whatever_happens_to_its_jobs_a_sweep_ends_as_on_one_machine(
    cluster: Cluster,
    undisturbed: dict[str, list[tuple[Any, ...]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    disturb: Callable[[Submitted], None],
) -> None:
    """Row by row the results of one machine, no attempt counted, no process left on a node, nothing left to submit."""
    monkeypatch.setenv("FAKE_SECONDS", "0" if disturb is nothing else "1")
    run = Submitted(cluster, tmp_path / "a b")
    if disturb is not nothing:
        wait_for(run.at_work, "a trial in training")
        disturb(run)
        monkeypatch.setenv("FAKE_SECONDS", "0")
    wait_for(run.done, f"the sweep's end:\n{run.log()}")
    paths = sorted((run.folder / "shards").glob("*.db"))
    assert results(paths) == undisturbed
    assert [Store(path).one("SELECT sum(attempts) FROM trials") for path in paths] == [0, 0]
    wait_for(lambda: not any(cluster.processes(name) for name in cluster.nodes), "the nodes to be empty")
    assert run.batch("resubmit") == "Nothing is left to submit.\n"
    state = run.state()
    assert (state["kills"] > 0) == (disturb in (kill, crash)), state


def test_slurm_reads_node_lists_as_hvdsweep_does(cluster: Cluster) -> None:
    """`scontrol show hostnames` is the oracle."""
    for short in NODES:
        assert cluster.run("scontrol", "show", "hostnames", short).split() == expand(short)


def test_the_cluster_limits_an_array(cluster: Cluster, tmp_path: Path) -> None:
    """MaxArraySize 11 is read from Slurm itself; an option that it does not know is refused, and no folder is left."""
    run = Submitted(cluster, tmp_path / "a", shards=8)
    assert len(run.jobs) == 1
    cluster.run("scancel", *run.jobs)
    with pytest.raises(AssertionError, match="no-such-option"):
        run.batch("submit", "--dir", str(tmp_path / "other"), "--", "--no-such-option", sweep=True)
    assert not (tmp_path / "other").exists()


def test_a_job_stops_itself_before_its_time_is_up(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit of one minute and no SIGTERM: `launch` learns the end from squeue and stops before it; the job is requeued."""
    monkeypatch.setenv("FAKE_SECONDS", "600")
    # A signal that nobody minds, in the place of the script's own.
    run = Submitted(cluster, tmp_path / "a", "--time", "1", "--", "--signal=B:URG@10", shards=1)
    wait_for(lambda: "the end of the job" in run.log(), "the stop")
    wait_for(lambda: cluster.jobs().get(run.job_of()) == "PENDING", "the requeue")
    assert run.shard().one("SELECT sum(attempts) FROM trials") == 0
    assert "RUNNING" not in run.shard().statuses()
    cluster.run("scancel", *run.jobs)


@pytest.mark.horovod
def test_two_nodes_without_ssh_train_together(cluster: Cluster, tmp_path: Path) -> None:
    """A real gang with a rank on each node, started by srun: hosts found by itself, losses of two ranks on one host."""
    (tmp_path / "sweep.toml").write_text(
        SWEEP.replace("trials = 4", "trials = 1").replace("[16, 32]", "[32]")
    )
    line = [str(PROGRAM), "launch", "sweep.toml", "--np", "2", "--db"]
    subprocess.run(
        [*line, "one.db"], cwd=tmp_path, check=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    )
    (tmp_path / "job.sh").write_text(f"#!/bin/bash\n{' '.join(line)} two.db\n")
    where = ("-N2", "--ntasks-per-node=1", "--output=out")
    job = cluster.run("sbatch", "--parsable", *where, "job.sh", cwd=tmp_path).strip()
    wait_for(lambda: cluster.jobs()[job] not in ("PENDING", "RUNNING", "COMPLETING"), "the job")
    out = (tmp_path / "out").read_text()
    assert cluster.jobs()[job] == "COMPLETED", out
    assert "on n1:1,n2:1" in out
    assert results([tmp_path / "two.db"]) == results([tmp_path / "one.db"])
    logs = sorted((tmp_path / "two.db.logs").rglob("rank-*.log"))
    assert [f"on n{number}" in log.read_text() for number, log in enumerate(logs, start=1)] == [True, True]
    wait_for(lambda: not any(cluster.processes(name) for name in cluster.nodes), "the nodes to be empty")
