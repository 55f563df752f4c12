"""What a step of two ranks on this host takes, and what of it are Horovod's settings.

    python benchmarks/two_ranks.py [--json FILE] [--np 2] [--cycles 0.05,0.1,0.2,1] [--rounds 3]

`fc_128` on the digits at batch size 64, evaluated every 20 steps, in the loop that trains the trials of a sweep. For every cycle
time of Horovod one gang; in it trials take turns with Horovod's threads as Linux schedules them by default (`equal`) and under
SCHED_BATCH, as gangs set them (`give way`).
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path

from benchmarks.telling import parser_of, tell

STEPS = 500
DEFINITION = {
    "batch_size": 64,
    "steps": STEPS,
    "algorithm": "nesterov_momentum",
    "evaluation": {"every": 20, "splits": ["val"], "at_start": True},
    "goal": {"metric": "val/classification_error", "value": 0.05, "maximize": False},
    "stop": "budget",
    "micro_batch": 1024,
}
TRIAL = {"seed": 1, "metaparameters": {"learning_rate": 0.05, "momentum": 0.9}}
POLICIES = {"equal": os.SCHED_OTHER, "give way": os.SCHED_BATCH}


def rank(rounds: int) -> None:
    """What runs on a rank: milliseconds a step, round by round, of either policy."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from hvdsweep.training.network import Network
    from hvdsweep.training.ranks import Ranks
    from hvdsweep.training.study import Study
    from workloads.datasets import load_dataset

    before = set(os.listdir("/proc/self/task"))
    ranks = Ranks.join()
    started = sorted(set(os.listdir("/proc/self/task")) - before)
    names = tuple(sorted(TRIAL["metaparameters"]))
    study = Study(Network(load_dataset("digits"), "fc_128", {}, None), ranks, DEFINITION, names)

    def trial() -> float:
        began = time.perf_counter()
        study.train(TRIAL, lambda first, losses, measurements, noise: False, lambda: None)
        return 1e3 * (time.perf_counter() - began) / STEPS

    trial()
    taken: dict[str, list[float]] = {name: [] for name in POLICIES}
    for _ in range(rounds):
        for name, policy in POLICIES.items():
            for thread in started:
                os.sched_setscheduler(int(thread), policy, os.sched_param(0))
            taken[name].append(trial())
    if ranks.is_first:
        print("RESULT " + json.dumps(taken), flush=True)


def main() -> None:
    if sys.argv[1:2] == ["rank"]:
        rank(int(sys.argv[2]))
        return
    parser = parser_of(__doc__)
    parser.add_argument("--np", type=int, default=2)
    parser.add_argument("--cycles", default="0.05,0.1,0.2,1")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    from benchmarks.training import under_horovodrun

    figures: dict[str, float] = {"load": os.getloadavg()[0]}
    for cycle in options.cycles.split(","):
        os.environ["HOROVOD_CYCLE_TIME"] = cycle
        out = under_horovodrun(options.np, [str(Path(__file__)), "rank", str(options.rounds)])
        for name, taken in json.loads(out[out.index("RESULT ") + 7 :].splitlines()[0]).items():
            figures[f"cycle time {cycle} ms, {name}: ms a step"] = statistics.median(taken)
    tell(figures, options.json)


if __name__ == "__main__":
    main()
