"""What the estimates of the gradient noise scale cost, as a ratio of the time of a step.

    python -m benchmarks.noise [--json FILE] [--models fc_128,resnet_50,transformer] [--np 1,2] [--batch-size 64]
                               [--rounds 12] [--copies 3]

`fc_128` on the digits and the models of the presets `small/resnet_50` and `small/transformer`, evaluated every 16 steps. The
same trial is trained without the estimates, with them, with none due, and with one at every evaluation, in random order: what ran
before, and is still in the caches, must not count. The same study, built again, is up to 2 % slower or faster wherever its memory
lies; so several copies are built, and the ratio is the mean of their medians. With none due, the ratio shows what another graph
alone changes; with one at every evaluation, how many steps an estimate takes.
On one rank with one thread once as TensorFlow runs the graph and, in longer trials, once compiled with XLA (no ResNet on CPUs);
several ranks never use XLA. Times are the process's CPU time on one rank, so that other work on the machine counts little, and
seconds on several.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.telling import parser_of

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

TRIAL = {"seed": 1, "metaparameters": {"learning_rate": 0.05, "momentum": 0.9}}
EVERY = 16
TRIALS = {"graph": 1, "XLA": 1_000_000}
"""Trials that the study counts on, which decides whether XLA compiles it."""
STEPS = {"fc_128": 2000, "resnet_50": 512, "transformer": 512}
"""Of a trial without XLA; from 4,000 on there is no graph without it."""
LONGER = 4
"""Times as many steps with XLA, which compiles long sweeps only."""


def definition(batch_size: int, steps: int, noise: bool) -> dict[str, Any]:
    """The study, with the estimates or without."""
    return {
        "batch_size": batch_size,
        "steps": steps,
        "algorithm": "nesterov_momentum",
        "evaluation": {"every": EVERY, "splits": ["val"], "at_start": True},
        "goal": {"metric": "val/cross_entropy_error", "value": 0.0, "maximize": False},
        "stop": "budget",
        "micro_batch": 1024,
        "noise_scale": "model" if noise else "",
    }


def network_of(model: str) -> Any:
    """The model and data of a preset, or `fc_128` on the digits."""
    from hvdsweep.training.network import Network
    from workloads.catalogue import presets
    from workloads.datasets import load_dataset

    said = {"dataset": "digits", "model": model}
    if preset := presets().get(f"small/{model}"):
        said = tomllib.loads(preset.read_text(encoding="utf-8"))
    dataset = load_dataset(said["dataset"], said.get("dataset_options", {}))
    return Network(dataset, said["model"], said.get("model_options", {}), None)


def measured(
    model: str, ranks: Any, batch_size: int, mode: str, rounds: int, copies: int
) -> dict[str, Any] | None:
    """The pairs of one model; None if XLA does not compile it, and on ranks other than 0. `rounds`: of every copy."""
    from hvdsweep.training import noise
    from hvdsweep.training.study import Study

    steps = STEPS[model] * (LONGER if mode == "XLA" else 1) if ranks.size == 1 else 512
    if mode == "XLA" and not network_of(model).compiles:
        return None
    names = tuple(sorted(TRIAL["metaparameters"]))
    studies = [
        {
            estimated: Study(
                network_of(model), ranks, definition(batch_size, steps, estimated), names, trials=TRIALS[mode]
            )
            for estimated in ((False, True) if copy % 2 else (True, False))
        }
        for copy in range(copies)
    ]
    assert all(study.loop.compiled == (mode == "XLA") for pair in studies for study in pair.values())
    clock = time.process_time if ranks.size == 1 else time.perf_counter
    usual, early, never = noise.SPACING, noise.EARLY, 10**9
    arms = {"without": 0, "with": usual, "never": never, "dense": EVERY}
    made: dict[str, int] = {}

    def trial(arm: str, copy: int) -> float:
        found: list[Any] = []

        def record(first: int, losses: Any, measurements: Any, estimates: Any) -> bool:
            found.extend(estimates)
            return False

        noise.SPACING, noise.EARLY = arms[arm] or usual, () if arm == "never" else early
        began = clock()
        end = studies[copy][bool(arms[arm])].train(TRIAL, record, lambda: None)
        taken = clock() - began
        assert end.steps == steps
        made[arm] = len(found)
        return taken

    first = {arm: [trial(arm, copy) for copy in range(copies)] for arm in arms}
    taken: dict[str, list[list[float]]] = {arm: [[] for _ in range(copies)] for arm in arms}
    draw = np.random.default_rng(1)
    for _ in range(rounds):
        for copy in range(copies):
            for place in draw.permutation(len(arms)):
                arm = list(arms)[place]
                taken[arm][copy].append(trial(arm, copy))
    noise.SPACING, noise.EARLY = usual, early
    ratios, none_due, dense = (
        [
            statistics.median(one / other for one, other in zip(*pair, strict=True))
            for pair in zip(taken[arm], taken["without"], strict=True)
        ]
        for arm in ("with", "never", "dense")
    )
    if not ranks.is_first:
        return None
    one = (statistics.mean(dense) - 1) * steps / made["dense"]
    return {
        "model": model,
        "ranks": ranks.size,
        "batch_size": batch_size,
        "mode": mode,
        "steps": steps,
        "estimates": made["with"],
        "milliseconds_a_step": 1e3 * statistics.median(map(statistics.median, taken["without"])) / steps,
        "ratio": statistics.mean(ratios),
        "ratio_none_due": statistics.mean(none_due),
        "ratios_of_copies": ratios,
        "standard_error": statistics.stdev(ratios) / len(ratios) ** 0.5,
        "steps_an_estimate": one,
        "expected_ratio": 1 + one * made["with"] / steps,
        "later_start_seconds": first["with"][0] - first["without"][0],
        "rounds": rounds,
    }


def one_thread() -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def rank(model: str, batch_size: int, rounds: int, copies: int) -> None:
    """What runs on each of several ranks."""
    one_thread()
    from hvdsweep.training.ranks import Ranks

    ranks = Ranks.join()
    row = measured(model, ranks, batch_size, "graph", rounds, copies)
    if row:
        print("RESULT " + json.dumps(row), flush=True)


def main() -> None:
    if sys.argv[1:2] == ["rank"]:
        rank(sys.argv[2], *map(int, sys.argv[3:6]))
        return
    parser = parser_of(__doc__)
    parser.add_argument("--models", default=",".join(STEPS))
    parser.add_argument("--np", default="1,2")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--copies", type=int, default=3)
    options = parser.parse_args()
    from benchmarks.training import under_horovodrun
    from hvdsweep.training.ranks import Ranks

    one_thread()
    found = []
    for model in options.models.split(","):
        for size in (int(one) for one in options.np.split(",")):
            for mode in TRIALS if size == 1 else ["graph"]:
                if size == 1:
                    row = measured(model, Ranks(), options.batch_size, mode, options.rounds, options.copies)
                else:
                    given = ["rank", model, *map(str, (options.batch_size, options.rounds, options.copies))]
                    out = under_horovodrun(size, [str(Path(__file__)), *given])
                    row = json.loads(out[out.index("RESULT ") + 7 :].splitlines()[0])
                if row is None:
                    continue
                found.append(row)
                print(
                    f"{model:12} {size} ranks {mode:5}  {row['milliseconds_a_step']:7.3f} ms a step,"
                    f" {row['estimates']} estimates in {row['steps']:,}: {row['ratio']:.4f}"
                    f" +- {row['standard_error']:.4f}, {row['ratio_none_due']:.4f} with none due;"
                    f" an estimate takes {row['steps_an_estimate']:.2f} steps, hence {row['expected_ratio']:.4f};"
                    f" starts {row['later_start_seconds']:.2f} s later",
                    flush=True,
                )
    if options.json:
        kept = {"cores": os.cpu_count(), "rows": found}
        options.json.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
