"""horovodrun without the import of TensorFlow that it makes before it starts any rank.

`horovodrun --gloo` forks a child that imports `horovod.tensorflow` only to ask whether Gloo was built in. That takes as
much processor time as a rank's own import, and no rank starts before it is done. Here the child finds
`horovod.tensorflow` already imported: a stand-in that asks Horovod's compiled library directly. Horovod's code is
unchanged; if the library cannot be loaded without TensorFlow, the child imports TensorFlow as usual.

With `--by-srun PATTERN` as first arguments, srun starts what horovodrun would start by ssh, as a step of this Slurm
job: on many clusters the nodes have no ssh to each other. This changes only horovodrun itself; ranks find the usual
ssh.

The rendezvous server of the ranks has no password. It listens only on the one address that the ranks are given, not on
all interfaces; that address is 127.0.0.1 if all ranks are on this host.

SIGTERM is ignored here and in the helpers that start ranks: many sites send it to every process of a job at once, and
the ranks must live until the supervisor has saved their trial. SIGINT ends the gang.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import signal
import subprocess
import sys
import threading
from pathlib import Path
from shlex import quote
from types import ModuleType
from typing import Any

ASKED = "horovod.tensorflow"
LIBRARIES = ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2")
"""The libraries that Horovod's library is linked against, in load order; it has no path to them."""


class Answers(ModuleType):
    """Answers `gloo_built()` and the like; contains nothing else of `horovod.tensorflow`."""

    def __getattr__(self, name: str) -> Any:
        if not name.endswith("_built"):
            raise AttributeError(name)
        try:
            return getattr(compiled_library(), name)
        except (OSError, AttributeError, ImportError):
            sys.modules.pop(ASKED, None)
            return getattr(importlib.import_module(ASKED), name)


def compiled_library() -> Any:
    """Horovod's library for TensorFlow, loaded without TensorFlow's Python. OSError or ImportError if that fails."""
    from horovod.common.basics import HorovodBasics

    for library in LIBRARIES:
        ctypes.CDLL(str(_folder("tensorflow") / library), mode=ctypes.RTLD_GLOBAL)
    return HorovodBasics(str(_folder("horovod") / "tensorflow" / "mpi_ops.py"), "mpi_lib")


def nccl_built() -> bool:
    """Whether Horovod was compiled with NCCL, as its library says in a separate process; False if unknown."""
    code = "from hvdsweep.training.horovodrun import compiled_library as c; print(int(c().nccl_built()))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return ran.stdout.strip() not in ("", "0")


def _folder(package: str) -> Path:
    """The folder of a package, found without importing it."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ImportError(f"no package {package}")
    return Path(found.submodule_search_locations[0])


def srun_command(local_command: str, host: str) -> str:
    """The shell command that runs `local_command` on a host of this Slurm job; as with ssh, the shell there parses it.

    The step shares the job's cores, memory and GPUs with its other steps. MPI is not set up for it.
    """
    options = "--overlap --nodes=1 --ntasks=1 --ntasks-per-node=1 --mem=0 --cpu-bind=none --mpi=none --quiet --kill-on-bad-exit"
    return (
        f'srun {options} --nodelist={quote(host)} /bin/sh -c \'trap "" TERM; eval "$*"\' ssh {local_command}'
    )


def _use_srun(pattern: str) -> None:
    """Make horovodrun start ranks by srun; `pattern` is its form of a host's name, with `{host}` for Slurm's name."""
    from horovod.runner.util import remote

    before, _, after = pattern.partition("{host}")

    def command(local_command: str, host: str, *ignored: object, **options: object) -> str:
        return srun_command(local_command, host.removeprefix(before).removesuffix(after))

    remote.get_ssh_command = command


def _shutdown_event() -> threading.Event:
    """Replaces horovodrun's own event; only SIGINT sets it."""
    event = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: event.set())
    return event


def _listen_on_one_address() -> None:
    """Make the rendezvous of a gang listen on the address that its ranks connect to."""
    from horovod.runner import gloo_run
    from horovod.runner.http import http_server

    launch, find_port = gloo_run.launch_gloo, http_server.find_port

    def launch_gloo(
        command: Any, exec_command: Any, settings: Any, nics: Any, env: Any, server_ip: str
    ) -> None:
        http_server.find_port = lambda serve: find_port(lambda address: serve((server_ip, address[1])))
        launch(command, exec_command, settings, nics, env, server_ip)

    gloo_run.launch_gloo = launch_gloo


def main() -> None:
    """The script `horovodrun`."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # A shell starts background processes with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from horovod.runner import gloo_run
    from horovod.runner.launch import run_commandline

    gloo_run.register_shutdown_event = _shutdown_event
    _listen_on_one_address()

    if sys.argv[1:2] == ["--by-srun"]:
        _use_srun(sys.argv[2])
        del sys.argv[1:3]
    sys.modules[ASKED] = Answers(ASKED)
    sys.exit(run_commandline())


if __name__ == "__mp_main__":
    # A helper that starts a rank. If another rank has failed it sends SIGTERM, waits this long, and sends SIGKILL.
    from horovod.runner.common.util import safe_shell_exec

    safe_shell_exec.GRACEFUL_TERMINATION_TIME_S = 1

if __name__ == "__main__":
    main()
