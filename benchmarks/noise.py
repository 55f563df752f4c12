"""What the estimates of the gradient noise scale cost, as a ratio of the time of a step.

    python -m benchmarks.noise [--json FILE] [--batch-sizes 64,1024] [--steps 2000] [--rounds 12]

`fc_128` on the digits, evaluated every 20 steps, on one rank with one thread. The same trial is trained with and without the
estimates in turns, the first of each pair alternating; the ratio is the median over the pairs. Once as TensorFlow runs the graph,
once compiled with XLA. Times are the process's CPU time, so that other work on the machine counts little.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from typing import Any

from benchmarks.telling import parser_of

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

TRIAL = {"seed": 1, "metaparameters": {"learning_rate": 0.05, "momentum": 0.9}}
TRIALS = {"graph": 1, "XLA": 1_000_000}
"""Trials that the study counts on, which decides whether XLA compiles it."""


def definition(batch_size: int, steps: int, noise: bool) -> dict[str, Any]:
    """The study, with the estimates or without."""
    return {
        "batch_size": batch_size,
        "steps": steps,
        "algorithm": "nesterov_momentum",
        "evaluation": {"every": 20, "splits": ["val"], "at_start": True},
        "goal": {"metric": "val/classification_error", "value": 0.05, "maximize": False},
        "stop": "budget",
        "micro_batch": 1024,
        "noise_scale": "model" if noise else "",
    }


def measured(network: Any, batch_size: int, steps: int, mode: str, rounds: int) -> dict[str, Any]:
    """The pairs of one batch size."""
    from hvdsweep.training.ranks import Ranks
    from hvdsweep.training.study import Study

    names = tuple(sorted(TRIAL["metaparameters"]))
    studies = {
        noise: Study(network, Ranks(), definition(batch_size, steps, noise), names, trials=TRIALS[mode])
        for noise in (False, True)
    }
    assert all(study.loop.compiled == (mode == "XLA") for study in studies.values())
    estimates = 0

    def trial(noise: bool) -> float:
        nonlocal estimates
        found: list[Any] = []

        def record(first: int, losses: Any, measurements: Any, noise: Any) -> bool:
            found.extend(noise)
            return False

        began = time.process_time()
        studies[noise].train(TRIAL, record, lambda: None)
        taken = time.process_time() - began
        assert bool(found) == noise
        estimates = max(estimates, len(found))
        return taken

    for noise in (False, True):
        trial(noise)
        trial(noise)
    plain, ratios = [], []
    for number in range(rounds):
        order = (False, True) if number % 2 else (True, False)
        taken = {noise: trial(noise) for noise in order}
        plain.append(taken[False])
        ratios.append(taken[True] / taken[False])
    low, _, high = statistics.quantiles(ratios, n=4)
    return {
        "batch_size": batch_size,
        "mode": mode,
        "steps": steps,
        "estimates": estimates,
        "cpu_milliseconds_a_step": 1e3 * statistics.median(plain) / steps,
        "ratio": statistics.median(ratios),
        "quartiles": [low, high],
        "ratios": ratios,
    }


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--batch-sizes", default="64,1024")
    parser.add_argument(
        "--steps", type=int, default=2000, help="of a trial; from 4,000 on there is no graph without XLA"
    )
    parser.add_argument("--rounds", type=int, default=12)
    options = parser.parse_args()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from hvdsweep.training.network import Network
    from workloads.datasets import load_dataset

    network = Network(load_dataset("digits"), "fc_128", {}, None)
    found = []
    for mode in TRIALS:
        for size in (int(one) for one in options.batch_sizes.split(",")):
            row = measured(network, size, options.steps, mode, options.rounds)
            found.append(row)
            low, high = row["quartiles"]
            print(
                f"{mode:5}  batch size {size:5,}  {row['cpu_milliseconds_a_step']:.3f} ms of CPU a step,"
                f" {row['estimates']} estimates in {row['steps']:,}: {row['ratio']:.4f} ({low:.4f} to {high:.4f})",
                flush=True,
            )
    if options.json:
        kept = {"cores": os.cpu_count(), "rows": found}
        options.json.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
