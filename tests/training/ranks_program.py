"""Run by horovodrun in a test: trains a fixed list of trials and saves what rank 0 recorded as JSON.

python ranks_program.py OUT CASES.json

A case may name a step after which, where a call ends there, the last rank's weights are spoiled; what each rank reports of it
goes to OUT.RANK. `save`: stop the trial on its way, with a checkpoint next to this database; `resume`: from the one there.
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def resumed(ranks, study, claim, db):
    """Where the trial resumes, on every rank; its checkpoint is next to a database."""
    from hvdsweep.store.checkpoints import files
    from hvdsweep.training.checkpoints import Resume, loaded

    content = step = None
    if ranks.is_first:
        step = files(db)[0].step
        content = loaded(db, replace(claim, checkpoint=step), study.state)
    step = ranks.take({"step": step} if ranks.is_first else None)["step"]
    return Resume(step, ranks.share(content, study.state.size))


def main() -> None:
    out, cases = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
    from hvdsweep.training.imports import import_tensorflow

    tf = import_tensorflow()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from hvdsweep.training import noise
    from hvdsweep.training.ranks import Ranks

    noise.EARLY = (16,)
    ranks = Ranks.join()
    results = trained(ranks, cases, out)
    if ranks.is_first:
        with open(out, "w") as file:
            json.dump(results, file)


def trained(ranks, cases, out=None):
    """What this rank recorded of every case."""
    import numpy as np

    from hvdsweep.store.exchange import Claim
    from hvdsweep.training import study as training
    from hvdsweep.training.checkpoints import Keeper
    from hvdsweep.training.evaluation import RanksDisagree
    from hvdsweep.training.network import Network
    from hvdsweep.training.study import Study
    from workloads.datasets import load_dataset

    usual = training.MOST_STEPS_A_CALL
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
        claim = Claim(
            1, 1, 0, case["trial"]["seed"], case["trial"]["metaparameters"], definition, "", key="key"
        )
        keeper = Keeper(case["save"], claim, every=1e6) if "save" in case and ranks.is_first else None
        resume = resumed(ranks, study, claim, case["resume"]) if "resume" in case else None
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
            return "save" in case and len(losses) >= case["definition"]["steps"] // 3

        # Short calls, after which a trial can be interrupted; restored for the others, which have the bits of usual calls.
        training.MOST_STEPS_A_CALL = 2 if "save" in case else usual
        try:
            end = study.train(case["trial"], record, lambda: None, resume=resume, keeper=keeper)
        except RanksDisagree as error:
            Path(f"{out}.{ranks.rank}").write_text(f"{measurements[-1][0]}: {error}")
            continue
        if keeper is not None:
            keeper.wait()
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
    training.MOST_STEPS_A_CALL = usual
    return results


if __name__ == "__main__":
    main()
