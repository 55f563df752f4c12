"""A data set and a model of one's own: points in a plane, of which ring are they? See sweep.toml beside this file."""

import keras
import numpy as np


def load(points=3000, noise=0.15):
    """Features [n, 2] and labels 0, 1 or 2. The options come from `dataset_options` of the sweep file."""
    rng = np.random.default_rng(0)  # the same data on every rank
    labels = rng.integers(0, 3, points)
    angle = rng.uniform(0, 2 * np.pi, points)
    radius = labels + 1 + noise * rng.standard_normal(points)
    features = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    cut = points * 4 // 5
    return {"train": (features[:cut], labels[:cut]), "val": (features[cut:], labels[cut:])}


def build(input_shape, classes, units=32):
    """Any Keras model that ends in logits. Its Dropout becomes the same on any number of ranks."""
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(classes),
        ]
    )
