"""Hosts, slots and the end of a job, as schedulers say them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from hvdsweep.cli.hosts import Where
from hvdsweep.errors import UserError
from hvdsweep.launch import allocation as module
from hvdsweep.launch.allocation import allocation, end_of_job, expand, repeated
from hvdsweep.launch.hosts import Host
from hvdsweep.training.horovodrun import srun_command

NODES = {
    "n1": ["n1"],
    "n[1-3]": ["n1", "n2", "n3"],
    "n[08-11,3]": ["n08", "n09", "n10", "n11", "n3"],
    "a,b[1-2],c": ["a", "b1", "b2", "c"],
    "r[1-2]n[1-2]": ["r1n1", "r1n2", "r2n1", "r2n2"],
}


@pytest.mark.parametrize(("short", "full"), NODES.items())
def test_node_lists_are_read_in_full(short: str, full: list[str]) -> None:
    """Ranges, leading zeros, several brackets and lists, in Slurm's order."""
    assert expand(short) == full


def test_numbers_per_node_are_read_in_full() -> None:
    """`4(x2),1` is 4, 4, 1."""
    assert repeated("4(x2),1") == [4, 4, 1]


@pytest.mark.parametrize(
    ("variables", "slots"),
    [
        # As Slurm 22.05 sets them for `-N2 --ntasks-per-node=2` and for `-N2 -c2`.
        ({"SLURM_NTASKS": "4", "SLURM_TASKS_PER_NODE": "2(x2)", "SLURM_JOB_CPUS_PER_NODE": "8(x2)"}, [2, 2]),
        (
            {
                "SLURM_TASKS_PER_NODE": "1(x2)",
                "SLURM_JOB_CPUS_PER_NODE": "2,4",
                "SLURM_CPUS_PER_TASK": "2",
            },
            [1, 2],
        ),
        ({"SLURM_GPUS_ON_NODE": "4", "SLURM_JOB_CPUS_PER_NODE": "64(x2)"}, [4, 4]),
    ],
)
def test_slots_of_slurm_nodes(variables: dict[str, str], slots: list[int]) -> None:
    """Tasks where the job asked for tasks, else GPUs, else CPUs by CPUs per task."""
    found = allocation({"SLURM_JOB_NODELIST": "n[1-2]", **variables})
    assert found is not None
    assert found.hosts == (Host("n1", slots[0]), Host("n2", slots[1]))


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("PBS_NODEFILE", "a\na\nb\n"),
        ("LSB_DJOB_HOSTFILE", "a\na\nb\n"),
        ("PE_HOSTFILE", "a 2 all.q@a UNDEFINED\nb 1 all.q@b UNDEFINED\n"),
    ],
)
def test_hosts_of_other_schedulers(tmp_path: Path, variable: str, text: str) -> None:
    """A line per slot (PBS, LSF), or host and number (Grid Engine)."""
    path = tmp_path / "nodes"
    path.write_text(text)
    found = allocation({variable: str(path)})
    assert found is not None
    assert found.hosts == (Host("a", 2), Host("b", 1))


def test_hosts_of_the_mpi_operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes' MPI operator writes a host file."""
    monkeypatch.setattr(module, "MPI_HOSTFILE", tmp_path / "hostfile")
    assert allocation({}) is None
    (tmp_path / "hostfile").write_text("w-0.w.default.svc slots=4\nw-1.w.default.svc slots=4\n")
    found = allocation({})
    assert found is not None
    assert [host.slots for host in found.hosts] == [4, 4]


def test_a_list_that_cannot_be_read_names_its_variable(tmp_path: Path) -> None:
    """The error says which file, and what to do."""
    with pytest.raises(UserError, match=r"PBS_NODEFILE \(.*none\): .* Name the hosts with -H"):
        allocation({"PBS_NODEFILE": str(tmp_path / "none")})
    with pytest.raises(UserError, match="is no range of numbers"):
        expand("n[a-b]")


def test_the_end_of_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable first, then squeue; neither limit nor answer is no error."""
    monkeypatch.setenv("TZ", "UTC")
    assert end_of_job({}) is None
    assert end_of_job({"SLURM_JOB_END_TIME": "1800000000"}) == 1_800_000_000
    assert end_of_job({"HVDSWEEP_JOB_END": "5", "SLURM_JOB_END_TIME": "9"}) == 5
    program = tmp_path / "squeue"
    for answer, expected in {
        "echo 2026-11-28T19:48:40": 1795895320.0,
        "echo NONE": None,
        "echo controller is away >&2; exit 1": None,
    }.items():
        program.write_text(f"#!/bin/sh\n{answer}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        path = f"{tmp_path}:{os.environ['PATH']}"
        assert end_of_job({"SLURM_JOB_ID": "1", "PATH": path, "TZ": "UTC"}) == expected
    # The number of an array's last task is that of the whole array, of which squeue lists every task.
    program.write_text("#!/bin/sh\n[ $2 = --jobs=7_3 ] && echo 2026-11-28T19:48:40\n")
    array = {"SLURM_JOB_ID": "7", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3"}
    assert end_of_job({**array, "PATH": path, "TZ": "UTC"}) == 1795895320.0


def test_a_job_of_one_host_needs_no_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without -H a job of one host means this machine, one of several all hosts; `-H auto` outside a job is refused."""
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("SLURM_JOB_NODELIST", "localhost")
    monkeypatch.setenv("SLURM_JOB_CPUS_PER_NODE", "3")
    assert Where().machines() is None
    assert Where(hosts="auto").machines() == (Host("localhost", 3),)
    monkeypatch.setenv("SLURM_JOB_NODELIST", "far-away[1-2].invalid")
    monkeypatch.setenv("SLURM_JOB_CPUS_PER_NODE", "3(x2)")
    with pytest.raises(
        UserError, match=r"SLURM_JOB_NODELIST .*Start hvdsweep on far-away1.invalid, or .* -H localhost"
    ):
        Where().machines()
    monkeypatch.delenv("SLURM_JOB_NODELIST")
    with pytest.raises(UserError, match="this is no job of"):
        Where(hosts="auto").machines()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"host_names": "ib0"}, "--host-names: ib0"),
        ({"host_names": "{host};rm"}, "--host-names"),
        ({"network_interface": " , "}, "--network-interface"),
        ({"remote_shell": "srun"}, "--remote-shell: srun: this is no Slurm job"),
    ],
)
def test_wrong_options_of_hosts_are_refused(
    options: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pattern without a host, no interface, srun outside Slurm: each with its remedy."""
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with pytest.raises(UserError, match=message):
        Where(**options).machines()


def test_hosts_are_reached_by_the_names_of_their_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """`{host}-ib0` renames several hosts for horovodrun, interfaces are passed on, and srun gets Slurm's own names back."""
    monkeypatch.setattr("hvdsweep.launch.hosts.check_first_is_here", lambda hosts, source: None)
    where = Where(hosts="a:2,b:2", host_names="{host}-ib0", network_interface="ib0, ib1", remote_shell="ssh")
    hosts = where.machines()
    assert hosts == (Host("a-ib0", 2), Host("b-ib0", 2))
    command = where.builder()(hosts, "some.module", [])
    assert command[command.index("--network-interfaces") + 1] == "ib0,ib1"
    assert "--nodelist=b " in srun_command("true", "b")
