"""The presets: all 35 published workloads with their batch sizes and goals, and a small one of every
family."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from hvdsweep.sweep.load import load_sweep
from hvdsweep.sweep.resolve import steps_for
from workloads import architectures, catalogue

PAPER = [name for name in catalogue.presets() if not name.startswith("small/")]
SMALL = [name for name in catalogue.presets() if name.startswith("small/")]
FIGURES = Path(__file__).parents[2] / "hvdsweep" / "figures" / "paper.json"


def of_figures() -> dict[str, list[dict[str, Any]]]:
    """Workload -> the series of the paper's figures about it."""
    found: dict[str, list[dict[str, Any]]] = {}

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "workload" in node and ("goal" in node or "objective" in node):
                found.setdefault(node["workload"], []).append(node)
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(json.loads(FIGURES.read_text()))
    return found


def test_there_are_the_papers_35() -> None:
    """13 on MNIST, 4 on its subsets, 2 on solution quality, Fashion MNIST, 2 on CIFAR-10, 4 on ImageNet
    and its halves, Open Images, 7 on LM1B, Common Crawl."""
    groups: dict[str, int] = {}
    for name in PAPER:
        groups[name.partition("/")[0]] = groups.get(name.partition("/")[0], 0) + 1
    assert groups == {
        "mnist": 13,
        "mnist_subsets": 4,
        "solution_quality": 2,
        "fashion_mnist": 1,
        "cifar_10": 2,
        "imagenet": 2,
        "imagenet_subsets": 2,
        "open_images_v4": 1,
        "lm1b": 7,
        "common_crawl": 1,
    }
    assert len(PAPER) == 35


@pytest.mark.parametrize("name", catalogue.presets())
def test_every_preset_is_a_right_sweep_without_doubts(name: str) -> None:
    """It loads without a problem or a warning, and its name is its workload's."""
    loaded = load_sweep(name)
    assert loaded.warnings == ()
    sweep = loaded.sweep
    info = catalogue.dataset_info(sweep.dataset, sweep.dataset_options)
    assert catalogue.check_model(sweep.model, sweep.model_options, info) is None
    if name in PAPER:
        assert f"{sweep.dataset}/{sweep.model}/{sweep.algorithms[0]}" == name
        assert len(sweep.algorithms) == 1


@pytest.mark.parametrize("name", PAPER)
def test_goals_are_those_of_the_figures(name: str) -> None:
    """Where a figure shows steps to result of the workload, the preset's goal is one of its goals, metric
    and number of trials with it."""
    sweep = load_sweep(name).sweep
    shown = [entry for entry in of_figures().get(name, []) if "goal" in entry and "num_trials" in entry]
    if shown:
        assert sweep.goal.value in [entry["goal"] for entry in shown]
        assert {entry["objective"] for entry in shown} == {sweep.goal.metric}
    expected = 50 if name in FIFTY else 100
    assert sweep.studies.trials == expected
    for entry in shown:
        assert expected >= min(entry["num_trials"], expected)


FIFTY = {
    "lm1b/transformer_shallow/sgd",
    "lm1b/lstm/nesterov_momentum",
    "common_crawl/transformer_base/nesterov_momentum",
}
"""The paper's exceptions from 100 trials per study."""


def test_published_batch_sizes() -> None:
    """The ends and numbers of batch sizes of some published workloads, and of all together: 454 studies."""
    sizes = {name: load_sweep(name).sweep.studies.batch_sizes for name in PAPER}
    assert sum(map(len, sizes.values())) == 454
    assert sizes["imagenet/resnet_50/nesterov_momentum"] == [2**k for k in range(6, 17)]
    assert sizes["imagenet/vgg_11/nesterov_momentum"] == [32, 64, *(2**k for k in range(8, 17))]
    assert sizes["mnist/fc_1024/sgd"] == [*(2**k for k in range(16)), 55_000]
    assert sizes["mnist_subsets/mnist_6875/simple_cnn_base/nesterov_momentum"][-2:] == [4096, 6875]
    assert sizes["lm1b/lstm/nesterov_momentum"] == [16, 64, 256, 1024, 4096, 16384, 32768]


@pytest.mark.parametrize("name", PAPER)
def test_schedules_and_spaces_are_the_papers(name: str) -> None:
    """Linear decay for ResNets and VGG, constant for the others; momentum searched unless plain SGD; label
    smoothing only for ResNet-50 with classes."""
    sweep = load_sweep(name).sweep
    decays = sweep.model in ("resnet_8", "resnet_50", "vgg_11")
    assert sweep.training.schedule == ("linear" if decays else "constant")
    assert (sweep.search.momentum is None) == (sweep.algorithms == ["sgd"])
    smoothed = sweep.model == "resnet_50" and sweep.dataset != "open_images_v4"
    assert (sweep.search.label_smoothing is not None) == smoothed


def test_resnet_50_at_256_is_the_published_example() -> None:
    """600,000 steps, the space of the example, decay over half to all of them."""
    sweep = load_sweep("imagenet/resnet_50/nesterov_momentum").sweep
    assert steps_for(sweep, 256, 1_231_122) == 600_000
    raw = tomllib.loads(catalogue.presets()["imagenet/resnet_50/nesterov_momentum"].read_text())
    assert raw["search"] == {
        "learning_rate": {"scale": "log", "min": 1e-4, "max": 10.0},
        "momentum": {"scale": "reverse_log", "min": 0.9, "max": 0.9999},
        "end_learning_rate_factor": {"scale": "log", "min": 1e-4, "max": 0.1},
        "label_smoothing": {"scale": "choice", "values": [0.0, 0.01, 0.1]},
    }


def test_what_is_chosen_here_is_said() -> None:
    """Every preset says of its budget and its space where they come from."""
    for name in PAPER:
        text = catalogue.presets()[name].read_text()
        assert "chosen here" in text.lower(), name
        budget, space = text.index("[budget]"), text.index("[search]")
        assert text[budget:].splitlines()[1].startswith("#"), name
        assert text[space:].splitlines()[1].startswith("#"), name


def test_a_small_preset_for_every_family() -> None:
    """Every family trains on data that are always there: at least 6 batch sizes, at least 10 trials each."""
    families = set()
    for name in SMALL:
        sweep = load_sweep(name).sweep
        assert sweep.dataset in ("digits", "python_source", "noisy_quadratic")
        assert len(sweep.studies.batch_sizes) >= 6
        assert (sweep.studies.trials or 0) >= 10
        families.add(architectures.find(sweep.model).family)
    assert families == {a.family for a in architectures.ARCHITECTURES.values()}
