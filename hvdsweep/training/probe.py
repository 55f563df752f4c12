"""A tiny gang that adds up known vectors over its ranks, times that, and reports what Horovod was built with.

`hvdsweep doctor` starts it exactly as gangs are started. Rank 0 writes one JSON object to `--out`. Vectors are in main
memory; with `--gpus`, on a GPU per rank.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import fcntl
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hvdsweep.replacing import write_whole
from hvdsweep.training.rank import take_gpu

SMALL = 1_000
"""Floats in the vector whose allreduce time is latency only."""
LARGE = 1_000_000
"""Floats in the vector whose allreduce time is bandwidth only."""
ROUNDS = 20


def main() -> int:
    """Entry point of a rank; exit code 1 if the sum is wrong."""
    parser = argparse.ArgumentParser(prog="hvdsweep.training.probe", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--locks", type=Path, help="a folder in which ranks see whether they see each other's locks"
    )
    parser.add_argument("--gpus", action="store_true", help="a GPU for each rank")
    options = parser.parse_args()
    begun = time.perf_counter()
    from hvdsweep.training.imports import import_tensorflow

    tf = import_tensorflow()
    import horovod.tensorflow as hvd

    imported = time.perf_counter()
    hvd.init()
    joined = time.perf_counter()
    rank = hvd.rank()
    count = len(tf.config.list_physical_devices("GPU"))
    if options.gpus:
        take_gpu(tf, hvd.local_rank())
    with tf.device("/GPU:0" if options.gpus else "/CPU:0"):
        result = _sums(tf, hvd) | {
            "tensorflow_gpus": count,
            "tensorflow_cuda": bool(tf.test.is_built_with_cuda()),
        }
    result |= {"import_seconds": imported - begun, "join_seconds": joined - imported}
    if options.locks is not None:
        result["locks"] = _locks(hvd, tf, options.locks, rank)
    if rank == 0:
        write_whole(options.out, json.dumps(result).encode())
    hvd.shutdown()
    return 0 if result["sum_is_right"] else 1


def _sums(tf: Any, hvd: Any) -> dict[str, Any]:
    """Whether vectors add up, how long an allreduce takes, and what Horovod was built with."""
    rank, size = hvd.rank(), hvd.size()
    # Small integers: their sum is exact in float32 in any order.
    vector = tf.range(SMALL, dtype=tf.float32) * (rank + 1)
    total = hvd.allreduce(vector, op=hvd.Sum, name="probe.sum").numpy()
    expected = tf.range(SMALL, dtype=tf.float32).numpy() * (size * (size + 1) // 2)
    return {
        "ranks": size,
        "sum_is_right": bool((total == expected).all()),
        "small_ms": _milliseconds(hvd, tf.zeros(SMALL), "probe.small"),
        "large_ms": _milliseconds(hvd, tf.zeros(LARGE), "probe.large"),
        "large_bytes": 4 * LARGE,
        "built": {
            "gloo": bool(hvd.gloo_built()),
            "nccl": bool(hvd.nccl_built()),
            "mpi": bool(hvd.mpi_built()),
        },
        "nccl_version": int(hvd.nccl_built()),
    }


def _locks(hvd: Any, tf: Any, folder: Path, rank: int) -> list[str]:
    """What each rank but the first sees of a lock that rank 0 holds in `folder`; empty if rank 0 cannot get one."""
    path = folder / ".hvdsweep-locks"

    def together(value: int, name: str) -> list[int]:
        return [int(one) for one in hvd.allgather(tf.constant([value]), name=name).numpy()]

    with held(path) if rank == 0 else contextlib.nullcontext(True) as mine:
        got = together(bool(mine), "probe.locks.held")[0]
        answer = LOCKS.index("not seen" if rank == 0 else look_at_lock(path))
        answers = together(answer, "probe.locks.seen")
    if rank == 0:
        path.unlink(missing_ok=True)
    return [LOCKS[one] for one in answers[1:]] if got else []


LOCKS = ("seen", "not seen", "no such file", "no locks")
"""What another process may see of a lock held on a file."""


@contextlib.contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold the kind of lock that SQLite uses on `path` inside the block; yields False if it cannot be taken."""
    with contextlib.ExitStack() as stack:
        try:
            fcntl.lockf(stack.enter_context(path.open("w")), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            got = False
        else:
            got = True
        yield got


def look_at_lock(path: Path) -> str:
    """One of LOCKS: whether another process's lock on `path` keeps this one from locking it."""
    try:
        file = path.open("r+")
    except OSError:
        return "no such file"
    with file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # POSIX allows both errors for a lock that another process holds.
            return "seen" if error.errno in (errno.EACCES, errno.EAGAIN) else "no locks"
    return "not seen"


def _milliseconds(hvd: Any, vector: Any, name: str) -> float:
    """Median milliseconds of an allreduce of `vector`, the first ones not counted."""
    taken = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        hvd.allreduce(vector, op=hvd.Sum, name=name)
        taken.append(time.perf_counter() - begun)
    return 1000 * sorted(taken[2:])[len(taken[2:]) // 2]


if __name__ == "__main__":
    sys.exit(main())
