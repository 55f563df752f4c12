"""The catalogue: sizes, names, checks, without TensorFlow."""

from __future__ import annotations

import subprocess
import sys

import pytest

from workloads import catalogue

PAPER_COUNTS = [
    ("mnist", "fc_1024", 814_090),
    ("mnist", "fc_1024_1024_1024", 2_913_290),
    ("mnist", "simple_cnn_base", 3_274_634),
    ("mnist", "simple_cnn_narrow", 821_706),
    ("mnist", "simple_cnn_wide", 13_074_186),
    ("cifar_10", "resnet_8", 75_050),
]


@pytest.mark.parametrize(("dataset", "model", "count"), PAPER_COUNTS)
def test_the_closed_form_counts_the_papers_parameters(dataset: str, model: str, count: int) -> None:
    """Parameter counts of the paper (section 4 of the background) follow from the closed form."""
    assert catalogue.parameter_count(model, catalogue.dataset_info(dataset)) == count


@pytest.mark.parametrize(
    ("model", "low", "high"), [("resnet_50", 25.4e6, 25.65e6), ("vgg_11", 132.8e6, 132.95e6)]
)
def test_the_large_image_models_have_the_known_sizes(model: str, low: float, high: float) -> None:
    """ResNet-50 has about 25.5 million parameters, VGG-11 about 132.9 million."""
    count = catalogue.parameter_count(model, catalogue.dataset_info("imagenet"))
    assert count is not None
    assert low < count < high


def test_the_catalogue_needs_no_tensorflow() -> None:
    """Listing every data set, model and preset imports neither TensorFlow nor Keras."""
    code = (
        "import sys; from workloads import catalogue as c; c.presets(); "
        "[c.dataset_info(n) for n in c.dataset_names()]; c.model_names(); "
        "sys.exit(bool({'tensorflow', 'keras', 'horovod', 'textual'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_name_suggests_close_ones() -> None:
    """Unknown names raise a KeyError whose message is a sentence with close matches."""
    with pytest.raises(KeyError, match="fashion_mnist") as error:
        catalogue.dataset_info("fashon_mnist")
    assert str(error.value).startswith("no data set named")
    assert "resnet_8" in str(catalogue.check_model("resnet_9", {}, catalogue.dataset_info("cifar_10")))


@pytest.mark.parametrize(
    ("model", "options", "dataset", "part"),
    [
        ("fc_", {}, "digits", "no model named"),
        ("fc_0", {}, "digits", "no model named"),
        ("fc_128", {"dropout": 1.0}, "digits", "dropout: 1.0"),
        ("fc_128", {"depth": 3}, "digits", "depth: fc_128 has no such option"),
        ("simple_cnn_base", {"filters": [32]}, "digits", "filters: [32] is not a list of 2"),
        ("simple_cnn_base", {}, "python_source", "reads images"),
        ("transformer_base", {}, "digits", "reads tokens"),
        ("transformer_base", {"width": 20, "heads": 8}, "lm1b", "width: 20"),
        ("transformer_base", {"tied": 1}, "lm1b", "tied: 1"),
        ("noisy_quadratic", {}, "digits", "goes with noisy_quadratic only"),
        ("fc_8", {}, "noisy_quadratic", "goes with noisy_quadratic only"),
        ("fc_8", {}, "lm1b", "holds tokens"),
    ],
)
def test_a_model_that_does_not_fit_is_one_sentence(
    model: str, options: dict, dataset: str, part: str
) -> None:
    """Wrong names, options and combinations of model and data set are each named."""
    problem = catalogue.check_model(model, options, catalogue.dataset_info(dataset))
    assert problem is not None
    assert part in problem


def test_models_that_fit_have_no_problem() -> None:
    """Every pattern goes with a data set of its kind; user code is left to be built."""
    digits, text = catalogue.dataset_info("digits"), catalogue.dataset_info("python_source")
    for model in (
        "fc_128",
        "fc_64_64_64",
        "simple_cnn_narrow",
        "resnet_8",
        "resnet_50",
        "vgg_11",
        "mine:build",
    ):
        assert catalogue.check_model(model, {}, digits) is None
    for model in ("lstm", "transformer_narrow_and_shallow"):
        assert catalogue.check_model(model, {}, text) is None


def test_dataset_options_change_the_sizes() -> None:
    """`length` splits the same text into other sequences; `dimension` is the quadratic's."""
    info = catalogue.dataset_info("python_source", {"length": 128})
    assert (info.input_shape, info.train, info.val) == ((128,), 2**13, 2**8)
    assert catalogue.dataset_info("noisy_quadratic", {"dimension": 50}).classes == 50
    assert "side" in str(catalogue.check_dataset("digits", {"side": 9}))
    assert "length" in str(catalogue.check_dataset("python_source", {"length": True}))
