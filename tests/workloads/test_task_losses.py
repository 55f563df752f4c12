"""Losses and metrics as sums over rows: against numpy, scikit-learn, and any split of a batch."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from tests.workloads import numpy_models as oracle
from workloads import catalogue
from workloads.tasks import TASKS, average_precision, task


@pytest.mark.parametrize("smoothing", [None, 0.0, 0.01, 0.1, 0.7])
def test_label_smoothing_is_the_target_distribution(smoothing: float | None) -> None:
    """1 - eps on the label and eps / (K - 1) on the others, for images and for tokens with padding."""
    rng = np.random.default_rng(0)
    logits = (5 * rng.standard_normal((6, 4, 7))).astype(np.float32)
    labels = rng.integers(0, 7, (6, 4)).astype(np.int32)
    eps = None if smoothing is None else tf.constant(smoothing)
    losses, weights = task("classification").losses(logits[:, 0], labels[:, 0], eps)
    expected = oracle.cross_entropy(logits.astype(float), labels, smoothing or 0.0)
    np.testing.assert_allclose(losses, expected[:, 0], rtol=2e-5, atol=1e-6)
    np.testing.assert_array_equal(weights, 1.0)

    padded = np.where(rng.random(labels.shape) < 0.4, -1, labels).astype(np.int32)
    losses, weights = task("language_model").losses(logits, padded, eps)
    np.testing.assert_allclose(losses, np.where(padded >= 0, expected, 0).sum(1), rtol=2e-5, atol=1e-6)
    np.testing.assert_array_equal(weights, (padded >= 0).sum(1))


def test_metrics_are_means_over_what_counts() -> None:
    """Errors of images are per image, errors of a language model per real token."""
    logits = np.array([[[2.0, 1, 0], [0, 3, 1]], [[0, 1, 2], [9, 1, 0]]], np.float32)
    labels = np.array([[0, 2], [2, -1]], np.int32)
    found = task("language_model").metrics(logits, labels)
    sums, weights = found["classification_error"]
    np.testing.assert_array_equal(sums, [1, 0])
    np.testing.assert_array_equal(weights, [2, 1])
    wrong, ones = task("classification").metrics(logits[:, 0], labels[:, 0])["classification_error"]
    np.testing.assert_array_equal(wrong, [0, 0])
    np.testing.assert_array_equal(ones, [1, 1])


def test_every_task_measures_what_the_catalogue_names() -> None:
    """The light table of metrics and what tasks compute are the same names."""
    logits, tokens = np.zeros((2, 3), np.float32), np.zeros((2, 4, 3), np.float32)
    shapes = {
        "classification": (logits, np.zeros(2, np.int32)),
        "language_model": (tokens, np.zeros((2, 4), np.int32)),
        "multilabel": (logits, np.eye(2, 3, dtype=np.uint8)),
        "noisy_quadratic": (logits[:, :2], np.zeros(2, np.int32)),
    }
    assert set(shapes) == set(TASKS) == set(catalogue.METRICS)
    for name, (outputs, labels) in shapes.items():
        problem = task(name)
        found = set(problem.metrics(outputs, labels))
        if (ranked := problem.ranking(outputs, labels)) is not None:
            found |= set(problem.finish(*(np.asarray(part) for part in ranked)))
        assert found == set(catalogue.METRICS[name])


def test_multilabel_is_the_sum_of_independent_yes_and_no() -> None:
    """Sigmoid cross entropy of every class, added up per example."""
    rng = np.random.default_rng(1)
    logits, labels = rng.standard_normal((5, 6)), rng.integers(0, 2, (5, 6))
    p = 1 / (1 + np.exp(-logits))
    expected = -(labels * np.log(p) + (1 - labels) * np.log(1 - p)).sum(1)
    losses, _ = task("multilabel").losses(logits.astype(np.float32), labels.astype(np.uint8))
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


@given(
    st.integers(1, 8).flatmap(
        lambda levels: st.lists(st.tuples(st.integers(0, levels), st.booleans()), min_size=1, max_size=60)
    )
)
def test_average_precision_is_scikit_learns_with_ties(entries: list[tuple[int, bool]]) -> None:
    """On random tables with many equal scores, in any order."""
    scores = np.array([score for score, _ in entries], np.float32)
    labels = np.array([label for _, label in entries], np.uint8)
    if not labels.any():
        assert np.isnan(average_precision(scores, labels))
        return
    assert average_precision(scores, labels) == pytest.approx(average_precision_score(labels, scores))


def test_average_precision_is_class_agnostic_and_knows_nan() -> None:
    """A table of examples by classes is one list; a NaN score leaves no ranking."""
    rng = np.random.default_rng(2)
    scores, labels = rng.standard_normal((40, 9)).astype(np.float32), rng.random((40, 9)) < 0.2
    expected = average_precision_score(labels.ravel(), scores.ravel())
    assert average_precision(scores, labels) == pytest.approx(expected)
    scores[3, 3] = np.nan
    assert np.isnan(average_precision(scores, labels))
