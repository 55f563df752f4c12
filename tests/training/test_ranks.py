"""The central claim, tested with real horovodrun: a trial's losses do not depend on the number of ranks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hvdsweep.launch.horovodrun import gang_environment, quick_horovodrun
from hvdsweep.store.exchange import Claim
from hvdsweep.training import noise
from hvdsweep.training.network import Network
from hvdsweep.training.ranks import Ranks
from hvdsweep.training.study import Study
from tests.limits import HANG_SECONDS
from tests.training.conftest import definition
from tests.training.ranks_program import resumed, trained
from workloads.datasets import load_dataset

pytestmark = pytest.mark.horovod

PROGRAM = Path(__file__).with_name("ranks_program.py")
ROOT = Path(__file__).parents[2]

SMALL_CNN = {"filters": [3, 4], "hidden": 16}
META = {"learning_rate": 0.05, "momentum": 0.9, "dropout": 0.4, "label_smoothing": 0.1}


def case(batch_size, micro_batch, model="fc_64", options=None, noise_scale="layers"):
    study = definition(
        model=model,
        model_options=options or {},
        algorithm="nesterov_momentum",
        batch_size=batch_size,
        micro_batch=micro_batch,
        steps=50,
        evaluation={"every": 25, "splits": ["val", "test"], "at_start": True},
        noise_scale=noise_scale,
    )
    return {"definition": study, "trial": {"seed": 11, "metaparameters": META}}


GENTLE = {"learning_rate": 0.002, "momentum": 0.5}
"""Small nets with few pixels per ghost batch are chaotic at larger rates: rounding alone then doubles with every step."""


def family(dataset, model, options, batch_size, micro_batch, metric="val/cross_entropy_error"):
    study = definition(
        dataset=dataset,
        dataset_options={"dimension": 50} if dataset == "noisy_quadratic" else {},
        model=model,
        model_options=options,
        algorithm="nesterov_momentum",
        batch_size=batch_size,
        micro_batch=micro_batch,
        steps=10,
        evaluation={"every": 5, "splits": ["val"], "at_start": False},
        goal={"metric": metric, "value": 0.05, "maximize": False},
    )
    return {"definition": study, "trial": {"seed": 11, "metaparameters": GENTLE}}


CASES = [case(32, 8), case(64, None, noise_scale="")]
CASES += [case(7, 2, "simple_cnn_narrow", SMALL_CNN, noise_scale="")]
"""Uneven shares on three ranks, with micro-batches and without."""


CUT = CASES[0]
"""The case that is interrupted, and resumed on another number of ranks."""

FAMILIES = [
    family("digits", "resnet_8", {}, 7, 3),
    family(
        "python_source", "transformer_base", {"layers": 1, "width": 16, "heads": 2, "filter": 32}, 2, None
    ),
    family("python_source", "lstm", {"embedding": 8, "hidden": 16, "projection": 8}, 7, None),
    family("noisy_quadratic", "noisy_quadratic", {}, 16, 4, metric="val/loss"),
]
FAMILIES[1]["definition"] |= {
    "steps": 16,
    "evaluation": {"every": 16, "splits": ["val"], "at_start": False},
    "noise_scale": "model",
}
"""A rank without rows; a call that ends at step 16 ends with an estimate of the noise scale, here of tokens."""

if os.environ.get("HVDSWEEP_SLOW_TESTS"):
    bottleneck = {"width": 4, "blocks": [1, 1, 1, 1], "stem": "small", "ghost_batch": 16}
    FAMILIES += [
        family("digits", "resnet_50", bottleneck, 40, 32),
        family("digits", "vgg_11", {"filters": [2, 4, 4, 4, 4, 4, 4, 4], "hidden": 8}, 30, 8),
    ]


def run(np, folder, cases, tag=""):
    """Train the cases on np ranks; the list of what rank 0 recorded."""
    out, given = folder / f"np{np}{tag}.json", folder / f"cases{np}{tag}.json"
    given.write_text(json.dumps(cases))
    variables = gang_environment(os.environ, size=np, threads=1, mark="test").variables
    ran = subprocess.run(
        [
            *quick_horovodrun(),
            *("--gloo", "--disable-cache", "-np", str(np), "-H", f"localhost:{np}"),
            *(sys.executable, str(PROGRAM), str(out), str(given)),
        ],
        env={**variables, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=HANG_SECONDS,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    return json.loads(out.read_text())


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    alone, three = str(folder / "alone.db"), str(folder / "three.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(noise, "EARLY", (16,))
        one = trained(Ranks(), [*CASES, *FAMILIES, {**CUT, "save": alone}])
    return {
        1: json.loads(json.dumps(one)),
        3: run(3, folder, [*CASES, *FAMILIES, {**CUT, "resume": alone}, {**CUT, "save": three}]),
        "three": three,
    }


def test_a_trial_resumes_on_another_number_of_ranks(recorded):
    """From one rank to three, and from three to one: losses and measurements are those of the undisturbed trial to 1e-4."""
    whole = recorded[1][CASES.index(CUT)]
    study = Study(
        Network(load_dataset("digits"), "fc_64", {}, None), Ranks(), CUT["definition"], tuple(sorted(META))
    )
    claim = Claim(1, 1, 0, 11, META, CUT["definition"], "", key="key")
    again = {"losses": [], "measurements": []}

    def record(first, losses, measurements, noise):
        again["losses"] += losses.tolist()
        again["measurements"] += measurements
        return False

    study.train(CUT["trial"], record, lambda: None, resume=resumed(Ranks(), study, claim, recorded["three"]))
    for before, after in ((recorded[1][-1], recorded[3][-2]), (recorded[3][-1], again)):
        assert before["status"] == "RUNNING"
        assert 0 < len(before["losses"]) < 50
        np.testing.assert_allclose(before["losses"] + after["losses"], whole["losses"], rtol=1e-4)
        measured = [*before["measurements"], *after["measurements"]]
        for (step, values), (expected_step, expected) in zip(measured, whole["measurements"], strict=True):
            assert step == expected_step
            loss = "val/cross_entropy_error"
            assert values[loss] == pytest.approx(expected[loss], rel=1e-4)


@pytest.mark.parametrize("index", range(len(CASES)), ids=lambda i: "-".join(map(str, label(CASES[i]))))
def test_losses_do_not_depend_on_the_number_of_ranks(recorded, index):
    """Uneven shares, micro-batches, dropout on: 50 losses equal to 1e-4, every measurement too."""
    alone, together = recorded[1][index], recorded[3][index]
    assert len(alone["losses"]) == len(together["losses"]) == 50
    np.testing.assert_allclose(together["losses"], alone["losses"], rtol=1e-4)
    for (step, values), (other_step, others) in zip(
        together["measurements"], alone["measurements"], strict=True
    ):
        assert step == other_step
        for split in ("val", "test"):
            loss, error = f"{split}/cross_entropy_error", f"{split}/classification_error"
            assert values[loss] == pytest.approx(others[loss], rel=1e-4)
            assert values[error] == pytest.approx(others[error], abs=1.5 / 250)
        assert values["val/cross_entropy_error"] != values["test/cross_entropy_error"]


@pytest.mark.parametrize("index", range(len(FAMILIES)), ids=lambda i: FAMILIES[i]["definition"]["model"])
def test_no_family_depends_on_the_number_of_ranks(recorded, index):
    """Ghost normalisation and its statistics, attention, recurrence, noise, a rank without rows: all losses and measurements."""
    alone, together = recorded[1][len(CASES) + index], recorded[3][len(CASES) + index]
    # The second loss already holds the whole first update. From there on a small net with ghost batches of few pixels is
    # chaotic: channels that nearly died have tiny variances, and rounding grows manifold with every step.
    chaotic = FAMILIES[index]["definition"]["model"] == "resnet_50"
    np.testing.assert_allclose(together["losses"][:2], alone["losses"][:2], rtol=1e-5)
    np.testing.assert_allclose(together["losses"], alone["losses"], rtol=5e-2 if chaotic else 1e-4)
    for (_, values), (_, others) in zip(together["measurements"], alone["measurements"], strict=True):
        for name, value in values.items():
            close = 0.05 if chaotic else 0.01
            assert value == pytest.approx(
                others[name], rel=1e-2 if chaotic else 1e-3, abs=close * ("classification" in name)
            )
    assert len(set(alone["losses"])) == len(alone["losses"]) == FAMILIES[index]["definition"]["steps"]


def test_the_noise_scale_does_not_depend_on_the_number_of_ranks(recorded):
    """|G|^2 and tr Sigma of every layer, to 1e-4 of tr Sigma: uneven shares, ranks without rows, micro-batches, tokens."""
    assert [step for step, _ in recorded[1][len(CASES) + 1]["noise"]] == [16]
    # Without the trials that were interrupted or resumed.
    for alone, together in zip(recorded[1][:-1], recorded[3][:-2], strict=True):
        assert [step for step, _ in together["noise"]] == [step for step, _ in alone["noise"]]
        for (_, values), (_, others) in zip(together["noise"], alone["noise"], strict=True):
            np.testing.assert_allclose(values, others, rtol=1e-4, atol=1e-4 * np.max(others[1]))
    assert [len(one["noise"]) for one in recorded[1][: len(CASES)]] == [1, 0, 0]


def label(case):
    study = case["definition"]
    return study["model"], study["batch_size"], study["micro_batch"]


def test_training_went_somewhere(recorded):
    """The compared losses are of trials that learn; otherwise equality would prove little."""
    for index, one in enumerate(CASES):
        if one["definition"]["batch_size"] >= 30 and one["definition"]["model"] == "fc_64":
            losses = recorded[1][index]["losses"]
            assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_a_second_gang_gives_the_same_bits_until_a_weight_of_one_rank_is_spoiled(recorded, tmp_path):
    """The same np twice: losses, measurements and final weights are equal bit for bit. One bit in one weight of rank 2: the
    next evaluation says so, on every rank, and the trials before it were fine."""
    again = run(3, tmp_path, [CASES[1], {**CASES[1], "spoil": 2}])
    assert again == [recorded[3][1]]
    said = [(tmp_path / f"np3.json.{rank}").read_text() for rank in range(3)]
    assert said == ["0: the ranks' weights differ at an evaluation of the val and test split"] * 3
