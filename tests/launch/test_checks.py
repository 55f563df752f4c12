"""What `doctor` finds, and its remedies."""

from __future__ import annotations

import compileall
import json
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hvdsweep.cli.doctor import doctor
from hvdsweep.launch import checks
from hvdsweep.launch.allreduce import allreduce_checks, judged, locking
from hvdsweep.launch.hosts import Host
from hvdsweep.launch.processes import marked
from hvdsweep.process_id import ProcessId
from hvdsweep.training.probe import held
from tests.limits import HANG_SECONDS

PROBE: dict[str, Any] = {
    "ranks": 2,
    "sum_is_right": True,
    "small_ms": 0.4,
    "large_ms": 3.0,
    "large_bytes": 4_000_000,
    "import_seconds": 4.0,
    "join_seconds": 0.1,
    "built": {"gloo": True, "nccl": False, "mpi": False},
    "nccl_version": 0,
    "tensorflow_gpus": 0,
    "tensorflow_cuda": False,
}

CHECK_BUILD = """Horovod v0.28.1:

Available Frameworks:
    [X] TensorFlow
    [ ] MXNet

Available Controllers:
    [ ] MPI
    [X] Gloo

Available Tensor Operations:
    [ ] NCCL
    [X] Gloo
"""


def test_a_machine_that_runs_the_tests_can_train(tmp_path: Path) -> None:
    """`doctor --quick --json` on this machine: nothing essential fails, every check has a name and words."""
    result = CliRunner().invoke(doctor, ["--quick", "--json", "--db", str(tmp_path / "s.db")])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["ok"] is True
    by_name = {check["name"]: check for check in found["checks"]}
    assert by_name["tensorflow"]["details"]["version"].startswith("2.18.")
    assert by_name["database"]["details"]["wal"] in (True, False)
    assert {"python", "horovodrun", "localhost", "cores", "memory", "disk", "GPUs"} <= set(by_name)
    assert all(check["remedy"] for check in found["checks"] if check["status"] != "ok")
    assert not (tmp_path / "s.db").exists()


def test_something_essential_fails(tmp_path: Path) -> None:
    """A database in a folder that does not exist is a failed check with a remedy, and exit code 1."""
    result = CliRunner().invoke(doctor, ["--quick", "--db", str(tmp_path / "none" / "s.db")])
    assert result.exit_code == 1
    assert "FAILED  database:" in result.stdout
    assert "does not exist" in result.stdout
    assert "-> Name another file with --db" in result.stdout
    assert "1 check failed" in result.stdout


def test_a_foreign_file_is_no_database(tmp_path: Path) -> None:
    """A file that is something else is found out, and left as it is."""
    path = tmp_path / "s.db"
    path.write_text("hello")
    failed = [check for check in checks.database(path) if check.status == "failed"]
    assert [check.name for check in failed] == ["database"]
    assert path.read_text() == "hello"


def test_an_empty_file_may_become_a_database(tmp_path: Path) -> None:
    """As `launch` makes one of it: nothing is to be rescued."""
    path = tmp_path / "s.db"
    path.touch()
    assert [check.status for check in checks.database(path)] == ["ok", "ok"]
    assert path.stat().st_size == 0


def test_a_full_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than 100 MB free is a failure, less than 2 GB a warning."""
    for free, status in ((50 << 20, "failed"), (1 << 30, "warning"), (10 << 30, "ok")):
        usage = type("Usage", (), {"free": free})
        monkeypatch.setattr(checks.shutil, "disk_usage", lambda path, usage=usage: usage)
        assert [check.status for check in checks.database(tmp_path / "s.db") if check.name == "disk"] == [
            status
        ]


def test_localhost_must_be_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name service that knows `localhost` as something else makes horovodrun use ssh."""
    monkeypatch.setattr(socket, "gethostbyname", lambda name: "10.1.2.3")
    check = checks.names()
    assert (check.status, "10.1.2.3" in check.found) == ("failed", True)
    assert "/etc/hosts" in (check.remedy or "")


def test_packages_without_byte_code_are_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package whose .pyc is missing is named, with the command that compiles it; once compiled all is well."""
    package = tmp_path / "slow_package"
    package.mkdir()
    (package / "__init__.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    found = checks.byte_code(("slow_package",))
    assert (found.status, found.details["missing"]) == ("warning", ["slow_package"])
    assert f"-m compileall -q {tmp_path}" in str(found.remedy)
    assert "PYTHONDONTWRITEBYTECODE" in str(found.remedy)
    assert compileall.compile_dir(tmp_path, quiet=1)
    assert checks.byte_code(("slow_package",)).status == "ok"


def test_the_build_report_is_read() -> None:
    """`horovodrun --check-build` as nested words and booleans, TensorFlow's noise around it ignored."""
    assert checks.parse_check_build("2026-11-22: I tensorflow noise\n" + CHECK_BUILD + "[X] stray\n") == {
        "Available Frameworks": {"TensorFlow": True, "MXNet": False},
        "Available Controllers": {"MPI": False, "Gloo": True},
        "Available Tensor Operations": {"NCCL": False, "Gloo": True},
    }


def test_a_probe_s_answer_is_judged() -> None:
    """Sum and speed; no NCCL matters only where there are GPUs; no Gloo always does."""
    assert [check.status for check in judged(PROBE, 9.0, with_gpus=False)] == ["ok", "ok"]
    with_gpus = judged(PROBE, 9.0, with_gpus=True)
    assert [check.status for check in with_gpus] == ["ok", "warning", "warning"]
    assert "make install GPU=1" in (with_gpus[1].remedy or "")
    nccl = {
        **PROBE,
        "built": {"gloo": True, "nccl": True, "mpi": False},
        "nccl_version": 22105,
        "tensorflow_gpus": 1,
    }
    assert [(check.status, "NCCL 2.21.5" in check.found) for check in judged(nccl, 9.0, with_gpus=True)] == [
        ("ok", False),
        ("ok", True),
    ]
    wrong = judged(
        {**PROBE, "sum_is_right": False, "built": {"gloo": False, "nccl": False, "mpi": True}},
        9.0,
        with_gpus=False,
    )
    assert [check.status for check in wrong] == ["failed", "failed"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("print('libnccl.so.2: cannot open shared object file'); raise SystemExit(1)", "libnccl.so.2"),
        ("import time; time.sleep(600)", "no answer within 1 s"),
    ],
)
def test_ranks_that_do_not_answer_are_a_failure(
    monkeypatch: pytest.MonkeyPatch, code: str, words: str
) -> None:
    """A probe that crashes or hangs is ended and reported with its last output; no process is left."""

    def build(hosts: Sequence[Host], module: str, arguments: Sequence[str]) -> list[str]:
        return [sys.executable, "-c", code, *arguments]

    monkeypatch.setattr("hvdsweep.launch.allreduce.check_build", dict)
    found = allreduce_checks(build=build, seconds=1.0 if "sleep" in code else HANG_SECONDS)
    assert [(check.name, check.status) for check in found] == [("allreduce", "failed")]
    assert words in found[0].found
    assert marked(lambda mark: mark.supervisor == ProcessId.current()) == []


@pytest.mark.parametrize(
    ("number", "text"), [(5, "5 B"), (1536, "1.5 KiB"), (50 << 20, "50 MiB"), (3 << 40, "3.0 TiB")]
)
def test_sizes_are_spoken(number: int, text: str) -> None:
    """Powers of 1024, two digits."""
    assert checks.size(number) == text


@pytest.mark.horovod
def test_two_real_ranks_add_up(tmp_path: Path) -> None:
    """The whole of `doctor`: two ranks through horovodrun find the right sum, and Horovod has Gloo."""
    result = CliRunner().invoke(doctor, ["--json", "--db", str(tmp_path / "s.db")])
    assert result.exit_code == 0, result.output
    by_name = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert by_name["allreduce"]["details"]["ranks"] == 2
    assert by_name["allreduce"]["details"]["sum_is_right"] is True
    assert by_name["horovod build"]["details"]["built"]["gloo"] is True


def test_a_lock_of_another_process_is_seen(tmp_path: Path) -> None:
    """A held lock is seen by another process, a released one is not there, a missing file is no lock."""
    code = (
        "import sys; from pathlib import Path; from hvdsweep.training.probe import look_at_lock;"
        "print(look_at_lock(Path(sys.argv[1])))"
    )

    def look(path: Path) -> str:
        return subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
        ).stdout.strip()

    path = tmp_path / "lock"
    with held(path) as got:
        assert got
        assert look(path) == "seen"
        assert look(tmp_path / "other") == "no such file"
    assert look(path) == "not seen"
    with held(tmp_path / "nowhere" / "lock") as got:
        assert not got


def test_what_other_hosts_see_of_a_lock_is_judged(tmp_path: Path) -> None:
    """Locks that are not seen from another host are a warning that names the remedy; a folder of one host needs none."""
    assert locking(tmp_path, ["seen", "seen"]).status == "ok"
    assert "only this host" in locking(tmp_path, ["no such file"]).found
    for answers, words in (
        (["seen", "not seen"], "localflock"),
        ([], "cannot be locked"),
        (["no locks"], "locked"),
    ):
        check = locking(tmp_path, answers)
        assert (check.status, words in check.found, "--shard" in str(check.remedy)) == ("warning", True, True)
