"""What every program on a rank does first: write to its own log, end with its supervisor, join the other ranks."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from hvdsweep.process_id import ProcessId
from hvdsweep.store.stages import RANKS, TENSORFLOW

if TYPE_CHECKING:
    from hvdsweep.training.ranks import Ranks


def redirect_output(logs: Path) -> None:
    """Send all output to a file of this rank: horovodrun hangs on a byte that is not UTF-8."""
    logs.mkdir(parents=True, exist_ok=True)
    log = os.open(
        logs / f"rank-{os.environ.get('HOROVOD_RANK', '0')}.log",
        os.O_WRONLY | os.O_CREAT | os.O_APPEND,
        0o644,
    )
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def ignore_stop_signals() -> None:
    """Only the supervisor decides when a rank ends: a terminal, a site or horovodrun on another host may signal every process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Not SIG_IGN: programs that user code starts, and ends by SIGTERM, would inherit it.
    signal.signal(signal.SIGTERM, lambda *_: None)
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))


def watch_supervisor(identity: str) -> None:
    """From now on, end this rank when the supervisor (a `ProcessId` as text) is gone for any reason.

    Only for a supervisor on this host; on other hosts horovodrun's ssh does it.
    """
    threading.Thread(target=_watch, args=(ProcessId.parse(identity),), daemon=True).start()


def _watch(supervisor: ProcessId) -> None:
    if not supervisor.is_visible:
        return
    while supervisor.alive():
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)


def run(main: Callable[[], int]) -> NoReturn:
    """Run a rank's program; this process ends with its exit code, after an error with 1."""
    try:
        leave(main())
    except SystemExit:
        raise
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        # No clean shutdown: it would wait for ranks that are stuck in a collective with this one.
        os._exit(1)


def leave(code: int) -> NoReturn:
    """End this process when its work is done and written. What is registered to be done at exit is done; Python's own end is left
    out: it takes TensorFlow's objects apart for most of a second."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def join(threads: int, stage: Callable[[str], None] = lambda stage: None) -> Ranks:
    """Join the gang that `horovodrun` started this process for. `threads`: for TensorFlow; 0 lets it choose.

    Each rank of a machine sees one of its GPUs, see `take_gpu`. `stage` is called with this process's next step.
    """
    stage(TENSORFLOW)
    from hvdsweep.training.imports import import_tensorflow

    tf = import_tensorflow()
    from hvdsweep.training.priority import threads_give_way
    from hvdsweep.training.ranks import Ranks

    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    stage(RANKS)
    with threads_give_way():
        ranks = Ranks.join()
    take_gpu(tf, ranks.local_rank)
    from hvdsweep.training.keras_settings import prepare_keras

    prepare_keras()
    return ranks


def take_gpu(tf: Any, local_rank: int) -> None:
    """Use only the GPU with this rank's number on its machine, allocate its memory as needed, multiply in float32.

    Does nothing without GPUs. UserError if Horovod averages over NCCL and the machine has fewer GPUs than ranks.
    """
    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        return
    if local_rank >= len(devices):
        import horovod.tensorflow as hvd

        from hvdsweep.errors import UserError
        from hvdsweep.launch.hosts import shared_gpu

        if hvd.nccl_built():
            raise UserError(shared_gpu(hvd.local_size(), len(devices)))
    mine = devices[local_rank % len(devices)]
    tf.config.set_visible_devices(mine, "GPU")
    tf.config.experimental.set_memory_growth(mine, True)
    # TensorFlow's default on recent GPUs, TensorFloat-32, keeps 10 bits of each factor: losses would depend on the GPU.
    tf.config.experimental.enable_tensor_float_32_execution(False)
