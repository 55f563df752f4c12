"""The command line and the environment of a gang."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from hvdsweep.errors import RunFailed
from hvdsweep.launch.horovodrun import gang_command, gang_environment, share_devices, threads_per_rank
from hvdsweep.launch.hosts import Host


def environment(inherited: dict[str, str], **changes: object) -> dict[str, str]:
    return gang_environment(inherited, **{"size": 2, "threads": 1, "mark": "m", **changes}).variables  # type: ignore[arg-type]


def test_slots_sum_to_np() -> None:
    """horovodrun starts a rank on every slot and ignores -np, so the two must agree; also for one rank."""
    command = gang_command([Host("a", 3), Host("b", 1)], "some.module", ["--x", "1"])
    assert command[:4] == [sys.executable, "-P", "-m", "hvdsweep.training.horovodrun"]
    assert {"--gloo", "--disable-cache"} <= set(command)
    assert command[command.index("-np") + 1] == "4"
    assert command[command.index("-H") + 1] == "a:3,b:1"
    assert command[-6:] == [sys.executable, "-P", "-m", "some.module", "--x", "1"]


def test_nothing_foreign_steers_the_ranks() -> None:
    """Variables of another launcher (or Keras) that would mislead a rank are removed; Horovod's tuning is kept."""
    foreign = {
        "HOROVOD_RANK": "7",
        "HOROVOD_SIZE": "9",
        "HOROVOD_GLOO_RENDEZVOUS_ADDR": "evil",
        "HOROVOD_ELASTIC": "1",
        "OMPI_COMM_WORLD_RANK": "3",
        "PMI_RANK": "3",
        "PMIX_RANK": "3",
        "LSB_JOBID": "12",
        "TF_CONFIG": "{}",
        "TF_USE_LEGACY_KERAS": "1",
        "HVDSWEEP_GANG": "another",
    }
    tuning = {"HOROVOD_FUSION_THRESHOLD": "1", "HOROVOD_CYCLE_TIME": "3", "HOROVOD_GLOO_TIMEOUT_SECONDS": "7"}
    cleaned = environment({**foreign, **tuning, "PATH": "/bin", "LSB_QUEUE": "q"})
    assert not set(foreign) - {"HVDSWEEP_GANG"} & set(cleaned)
    assert cleaned["HVDSWEEP_GANG"] == "m"
    assert tuning.items() <= cleaned.items()
    assert cleaned["PATH"] == "/bin"
    assert cleaned["LSB_QUEUE"] == "q"


def test_what_ranks_need_is_set() -> None:
    """Threads, Gloo's patience, quiet TensorFlow, the TensorFlow backend of Keras; the user's own log level wins."""
    set_here = environment(
        {"KERAS_BACKEND": "jax", "OMP_NUM_THREADS": "64", "TF_CPP_MIN_LOG_LEVEL": "0"}, threads=3
    )
    assert set_here["HOROVOD_GLOO_TIMEOUT_SECONDS"] == "120"
    assert set_here["KERAS_BACKEND"] == "tensorflow"
    assert {
        set_here[name] for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    } == {"3"}
    assert set_here["TF_CPP_MIN_LOG_LEVEL"] == "0"
    assert "CUDA_VISIBLE_DEVICES" not in set_here


def test_one_rank_does_not_spin() -> None:
    """Horovod's background thread has nothing to do in a gang of one: its cycle is long; with more ranks it is short."""
    assert float(environment({}, size=1)["HOROVOD_CYCLE_TIME"]) >= 10
    assert float(environment({}, size=2)["HOROVOD_CYCLE_TIME"]) <= 1


def test_secrets_stay_behind_unless_let_through() -> None:
    """The environment shows in `ps`: names that look like secrets are left out, and named; one can be kept on purpose."""
    inherited = {
        "API_TOKEN": "t",
        "AWS_SECRET_ACCESS_KEY": "s",
        "DB_PASSWORD": "p",
        "TOKENIZERS_PARALLELISM": "false",
    }
    made = gang_environment(inherited, size=1, threads=1, mark="m")
    assert not set(inherited) & set(made.variables)
    assert made.left_out == tuple(sorted(inherited))
    kept = environment({**inherited, "HVDSWEEP_KEEP_ENV": "DB_PASSWORD, TOKENIZERS_PARALLELISM"})
    assert kept["DB_PASSWORD"] == "p"
    assert "API_TOKEN" not in kept


def test_an_overlong_environment_loses_its_largest_dispensable_parts() -> None:
    """Above the room of one shell command the largest variable that ranks can do without goes first; PATH stays."""
    inherited = {"PATH": "/bin", "HUGE": "x" * 200_000, "LARGE": "'" * 20_000, "SMALL": "y" * 100}
    made = gang_environment(inherited, size=1, threads=1, mark="m")
    assert made.left_out == ("HUGE",)
    assert {"PATH", "LARGE", "SMALL"} <= set(made.variables)
    # Quoted for the shell, each of those quotes takes five bytes.
    made = gang_environment(inherited, size=1, threads=1, mark="m", room=60_000)
    assert made.left_out == ("HUGE", "LARGE")
    with pytest.raises(RunFailed, match="PYTHONPATH alone takes"):
        gang_environment({"PYTHONPATH": "x" * 200_000}, size=1, threads=1, mark="m")


def test_the_environment_survives_the_shell() -> None:
    """Passed as horovodrun passes it (names bare, values quoted, one `sh -c` string), odd values arrive as they are."""
    from shlex import quote

    inherited = {
        "ODD": "a 'b' \"c\" $d `e`\nf ä",
        "BASH_FUNC_module()": "() { echo hi; }",
        "PATH": os.environ["PATH"],
    }
    variables = environment(inherited)
    line = " ".join(f"{name}={quote(value)}" for name, value in variables.items())
    code = "import os, sys; sys.stdout.buffer.write(os.fsencode(os.environ['ODD']))"
    run = subprocess.run(
        f"env {line} {sys.executable} -c {quote(code)}",
        shell=True,
        executable="/bin/sh",
        capture_output=True,
        check=True,
    )
    assert run.stdout.decode() == inherited["ODD"]


@pytest.mark.parametrize(("cores", "ranks", "threads"), [(8, 2, 4), (8, 3, 2), (2, 4, 1), (1, 1, 1)])
def test_threads_are_shared_out(cores: int, ranks: int, threads: int) -> None:
    """An even share of the cores for every rank, at least one."""
    assert threads_per_rank(cores, ranks) == threads


def test_gpus_are_shared_out_among_gangs() -> None:
    """Each rank has a GPU while there are any left; further ranks share with the first ones; without GPUs nothing is
    set."""
    assert share_devices(["0", "1", "2", "3"], [2, 2]) == [("0", "1"), ("2", "3")]
    assert share_devices(["0", "1"], [1, 1, 1]) == [("0",), ("1",), ("0",)]
    assert share_devices(["GPU-a"], [2, 2]) == [("GPU-a",), ("GPU-a",)]
    assert share_devices([], [2, 1]) == [(), ()]


def test_a_gang_of_this_host_is_not_reachable_from_others() -> None:
    """Its rendezvous listens on 127.0.0.1 alone, which is where its ranks look for it; one of them finds out."""
    look = (
        "import os\n"
        "port = int(os.environ['HOROVOD_GLOO_RENDEZVOUS_PORT'])\n"
        "rows = [line.split() for file in ('tcp', 'tcp6') for line in open(f'/proc/net/{file}')]\n"
        "bound = [row[1] for row in rows if row[1].endswith(f':{port:04X}') and row[3] == '0A']\n"
        "print('listens on', *bound, 'ranks use', os.environ['HOROVOD_GLOO_RENDEZVOUS_ADDR'], port)\n"
    )
    command = gang_command([Host("localhost", 1)], "none", [])
    command[command.index(sys.executable, 1) :] = [sys.executable, "-c", look]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.search(r"listens on 0100007F:\w{4} ranks use 127\.0\.0\.1 ", run.stdout)
