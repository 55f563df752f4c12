"""Models of this folder's tests start from the same weights in every run."""

import pytest


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Keras draws initial weights from its global seed: without one, a rare draw near a kink would fail a right model."""
    import keras

    keras.utils.set_random_seed(3)
