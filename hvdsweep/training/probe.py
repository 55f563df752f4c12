"""A tiny gang: adds up known vectors over its ranks, measures how long that takes, and says what Horovod was built with.

`hvdsweep doctor` starts it exactly as gangs are started. Rank 0 writes one JSON object to `--out`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

SMALL = 1_000
"""Floats in the vector whose allreduce is all latency."""
LARGE = 1_000_000
"""Floats in the vector whose allreduce is all bandwidth."""
ROUNDS = 20


def main() -> int:
    """Entry point of a rank; exit code 1 where the sum is wrong."""
    parser = argparse.ArgumentParser(prog="hvdsweep.training.probe", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    begun = time.perf_counter()
    from hvdsweep.training.imports import import_tensorflow

    tf = import_tensorflow()
    import horovod.tensorflow as hvd

    imported = time.perf_counter()
    hvd.init()
    joined = time.perf_counter()
    rank, size = hvd.rank(), hvd.size()
    # Small integers: their sum is exact in float32 whatever the order.
    vector = tf.range(SMALL, dtype=tf.float32) * (rank + 1)
    total = hvd.allreduce(vector, op=hvd.Sum, name="probe.sum").numpy()
    expected = tf.range(SMALL, dtype=tf.float32).numpy() * (size * (size + 1) // 2)
    right = bool((total == expected).all())
    result: dict[str, Any] = {
        "ranks": size,
        "sum_is_right": right,
        "small_ms": _milliseconds(hvd, tf.zeros(SMALL), "probe.small"),
        "large_ms": _milliseconds(hvd, tf.zeros(LARGE), "probe.large"),
        "large_bytes": 4 * LARGE,
        "import_seconds": imported - begun,
        "join_seconds": joined - imported,
        "built": {
            "gloo": bool(hvd.gloo_built()),
            "nccl": bool(hvd.nccl_built()),
            "mpi": bool(hvd.mpi_built()),
        },
        "tensorflow_gpus": len(tf.config.list_physical_devices("GPU")),
        "tensorflow_cuda": bool(tf.test.is_built_with_cuda()),
    }
    if rank == 0:
        temporary = options.out.with_suffix(".tmp")
        temporary.write_text(json.dumps(result), encoding="utf-8")
        os.replace(temporary, options.out)
    hvd.shutdown()
    return 0 if right else 1


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
