"""Array jobs on a real Slurm of two nodes: nothing is lost, trained twice or left behind, whatever happens to a job."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from click.testing import CliRunner

from hvdsweep.cli import group
from hvdsweep.cli.batch import batch
from hvdsweep.launch.allocation import expand
from tests.launch.conftest import Store
from tests.launch.test_allocation import NODES
from tests.limits import HANG_SECONDS
from tests.slurm.cluster import Cluster, missing, running

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "runs")

T = TypeVar("T")

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


def until(condition: Callable[[], T], what: str) -> T:
    """What `condition` returns once it is true, asked a few times a second: asking Slurm costs more than waiting."""
    deadline = time.monotonic() + HANG_SECONDS
    while not (found := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {HANG_SECONDS:.0f} s for {what}")
        time.sleep(0.2)
    return found


class Submitted:
    """A sweep that was submitted, in a folder with a blank in its name. `pace`: see the fake gang's FAKE_SECONDS."""

    def __init__(self, cluster: Cluster, home: Path, *options: str, shards: int = 2, pace: str = "0") -> None:
        self.cluster, self.home = cluster, home
        self.folder = home / "fake.batch"
        home.mkdir()
        (home / "fake.toml").write_text(SWEEP)
        self.pace(pace)
        (home / "site.toml").write_text(
            f"program = '''{sys.executable} {FAKE}'''\nprologue = '''export FAKE_SECONDS=\"$(cat '{home}/pace')\"'''\n"
        )
        words = ["--jobs", str(shards), "--profile", "site", "--dir", str(self.folder), *options]
        self.jobs: list[str] = json.loads(self.batch("submit", "--json", *words, sweep=True))["jobs"]

    def pace(self, seconds: str) -> None:
        """What trials take in jobs that begin from now on."""
        (self.home / "pace").write_text(seconds)

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

    def training(self, ended: int, number: int = 1) -> bool:
        """Whether the shard has ended so many trials and trains another."""
        statuses = self.shard(number).statuses()
        return statuses.count("COMPLETE") == ended and "RUNNING" in statuses

    def job_of(self, number: int = 1) -> str:
        return f"{self.jobs[-1]}_{number}"

    def node_of(self, number: int = 1) -> str:
        return self.cluster.run("squeue", "-h", "-j", self.job_of(number), "-o", "%N").strip()

    def release(self) -> None:
        """What Slurm holds back for two minutes after a requeue begins at once."""
        for row in self.cluster.run("squeue", "-h", "-r", "-t", "PENDING", "-o", "%i %r").splitlines():
            job, _, reason = row.partition(" ")
            if reason == "BeginTime":
                # A job that begins again while its first run still ends on the node fails at once.
                time.sleep(1)
                self.cluster.run("scontrol", "update", f"JobId={job}", "StartTime=now", check=False)

    def trains_again(self, ended: int, number: int = 1) -> None:
        """Wait until the shard trains, in another run, with so many trials ended."""
        until(
            lambda: self.release() or self.training(ended, number),
            f"training of shard {number}:\n{self.log()}",
        )

    def ended(self) -> bool:
        """Whether no job waits or runs."""
        return not any(shard["active"] for shard in self.state()["shards"])

    def finish(self, undisturbed: dict[str, list[tuple[Any, ...]]]) -> dict[str, Any]:
        """Let all be trained. The results are those of one machine, no attempt counts, nothing is left; the folder's state."""
        until(
            lambda: self.release() or all(shard["state"] == "DONE" for shard in self.state()["shards"]),
            f"the sweep's end:\n{self.log()}",
        )
        paths = sorted((self.folder / "shards").glob("*.db"))
        assert results(paths) == undisturbed
        merged = self.folder / "merged.db"
        done = CliRunner().invoke(group, ["merge", str(merged), str(self.folder)])
        assert done.exit_code == 0, done.output
        assert results([merged]) == undisturbed
        assert not any(Store(path).one("SELECT sum(attempts) FROM trials") for path in paths)
        nodes = self.cluster.nodes
        until(lambda: not any(self.cluster.processes(name) for name in nodes), "the nodes to be empty")
        assert self.batch("resubmit") == "Nothing is left to submit.\n"
        return self.state()

    def log(self) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted((self.folder / "logs").iterdir()))


def test_jobs_that_are_stopped_continue_and_end_as_on_one_machine(
    cluster: Cluster, undisturbed: dict[str, list[tuple[Any, ...]]], tmp_path: Path
) -> None:
    """`scontrol requeue`, SIGTERM to the script alone as --signal=B:TERM@120 sends it, preemption by another partition: row by
    row the results of one machine, no attempt and no kill counted, no process left on a node."""
    run = Submitted(cluster, tmp_path / "a b", pace="0 600")
    until(lambda: run.training(1) and run.training(1, 2), "training")
    cluster.run("scontrol", "requeue", run.job_of())
    cluster.run("scancel", "--batch", "--signal=TERM", run.job_of(2))
    for number in (1, 2):
        run.trains_again(2, number)
    run.pace("0")
    job = cluster.run(
        "sbatch", "--parsable", "-p", "urgent", "-N2", "--exclusive", "--wrap", "true", cwd=run.home
    )
    until(lambda: cluster.jobs()[job.strip()] == "COMPLETED", "the urgent job")
    assert run.finish(undisturbed)["kills"] == 0


def test_jobs_that_are_killed_continue_and_end_as_on_one_machine(
    cluster: Cluster, undisturbed: dict[str, list[tuple[Any, ...]]], tmp_path: Path
) -> None:
    """A node goes down and comes back; SIGKILL to everything on it, so that nobody writes a last word; `batch cancel`. The last
    two continue with `batch resubmit`."""
    run = Submitted(cluster, tmp_path / "a b", shards=1, pace="0 600")
    until(lambda: run.training(1), "training")
    node = run.node_of()
    cluster.crash(node)
    cluster.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    cluster.boot(cluster.nodes[node])
    cluster.run("scontrol", "update", f"NodeName={node}", "State=RESUME")
    run.trains_again(2)
    for pid in cluster.processes(run.node_of()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
    until(run.ended, "the end of the killed job")
    run.jobs += json.loads(run.batch("resubmit", "--json"))["jobs"]
    run.trains_again(3)
    run.pace("0")
    run.batch("cancel", "--yes")
    until(run.ended, "the end of the cancelled job")
    assert cluster.jobs()[run.job_of()] == "CANCELLED"
    run.jobs += json.loads(run.batch("resubmit", "--json"))["jobs"]
    assert run.finish(undisturbed)["kills"] == 2


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


def test_a_job_stops_itself_and_is_followed_as_often_as_asked(
    cluster: Cluster,
    undisturbed: dict[str, list[tuple[Any, ...]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A limit of one minute and no SIGTERM: `launch` learns the end from squeue and stops before it. The site refuses requeues: a
    follow-up job continues; with --chain 1 it has none itself. What is left is submitted again, and ends as on one machine."""
    monkeypatch.setenv("FAKE_EARLIER", "52")
    # A harmless signal, in place of the script's own.
    options = ("--time", "1", "--chain", "1", "--", "--signal=B:URG@10", "--no-requeue")
    run = Submitted(cluster, tmp_path / "a", *options, shards=1, pace="0 600")
    until(lambda: run.log().count("Stopping (the end of the job)") == 2 and run.ended(), "two stops")
    assert len(cluster.jobs().keys() & {f"{int(run.jobs[0]) + more}_1" for more in range(3)}) == 2
    assert run.state()["shards"][0]["state"] == "STOPPED"
    assert run.shard().one("SELECT sum(attempts) FROM trials") == 0
    assert "RUNNING" not in run.shard().statuses()
    assert run.state()["kills"] == 0
    monkeypatch.delenv("FAKE_EARLIER")
    run.pace("0")
    run.batch("resubmit")
    run.finish(undisturbed)


@pytest.mark.horovod
def test_two_nodes_without_ssh_train_together(cluster: Cluster, tmp_path: Path) -> None:
    """A real gang with a rank on each node, started by srun: hosts found by itself, losses of two ranks on one host."""
    (tmp_path / "sweep.toml").write_text(
        SWEEP.replace("trials = 4", "trials = 1").replace("[16, 32]", "[32]")
    )
    line = [str(PROGRAM), "launch", "sweep.toml", "--np", "2", "--db"]
    alone = subprocess.Popen([*line, "one.db"], cwd=tmp_path, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""})
    (tmp_path / "job.sh").write_text(f"#!/bin/bash\n{' '.join(line)} two.db\n")
    where = ("-N2", "--ntasks-per-node=1", "--output=out")
    job = cluster.run("sbatch", "--parsable", *where, "job.sh", cwd=tmp_path).strip()
    until(lambda: cluster.jobs()[job] not in ("PENDING", "RUNNING", "COMPLETING"), "the job")
    assert alone.wait(HANG_SECONDS) == 0
    out = (tmp_path / "out").read_text()
    assert cluster.jobs()[job] == "COMPLETED", out
    assert "on n1:1,n2:1" in out
    assert results([tmp_path / "two.db"]) == results([tmp_path / "one.db"])
    logs = sorted((tmp_path / "two.db.logs").rglob("rank-*.log"))
    assert [f"on n{number}" in log.read_text() for number, log in enumerate(logs, start=1)] == [True, True]
    until(lambda: not any(cluster.processes(name) for name in cluster.nodes), "the nodes to be empty")
