"""Run by horovodrun in a test: trains a fixed list of trials and saves what rank 0 recorded as JSON.

python ranks_program.py OUT CASES.json

A case may name a step after which, where a call ends there, the last rank's weights are spoiled; what each rank reports of it
goes to OUT.RANK.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> None:
    out, cases = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    import numpy as np

    from hvdsweep.training.evaluation import RanksDisagree
    from hvdsweep.training.network import Network
    from hvdsweep.training.ranks import Ranks
    from hvdsweep.training.study import Study
    from workloads.datasets import load_dataset

    ranks = Ranks.join()
    networks = {}
    results = []
    for case in cases:
        definition = case["definition"]
        key = json.dumps(
            [
                definition["dataset"],
                definition.get("dataset_options"),
                definition["model"],
                definition.get("model_options"),
            ]
        )
        if key not in networks:
            dataset = load_dataset(definition["dataset"], definition.get("dataset_options") or {})
            networks[key] = Network(
                dataset, definition["model"], definition.get("model_options") or {}, definition["source"]
            )
        names = tuple(sorted(case["trial"]["metaparameters"]))
        study = Study(networks[key], ranks, definition, names)
        losses, measurements, estimates = [], [], []

        def record(
            first,
            more,
            measured,
            noise,
            losses=losses,
            measurements=measurements,
            estimates=estimates,
            case=case,
            key=key,
        ):
            if first - 1 + len(more) == case.get("spoil") and ranks.rank == ranks.size - 1:
                weight = networks[key].weights[0]
                weight.assign(np.nextafter(weight.numpy(), np.float32(9)))
            losses.extend(float(x) for x in more)
            measurements.extend([step, values] for step, values in measured)
            estimates.extend([step, values.tolist()] for step, values in noise)
            return False

        try:
            end = study.train(case["trial"], record, lambda: None)
        except RanksDisagree as error:
            Path(f"{out}.{ranks.rank}").write_text(f"{measurements[-1][0]}: {error}")
            continue
        results.append(
            {
                "losses": losses,
                "measurements": measurements,
                "noise": estimates,
                "status": end.status.name,
                "steps": end.steps,
                "fingerprint": networks[key].fingerprint(),
            }
        )
    if ranks.is_first:
        with open(out, "w") as file:
            json.dump(results, file)


if __name__ == "__main__":
    main()
