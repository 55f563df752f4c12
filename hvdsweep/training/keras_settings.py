"""Keras with the same settings on every rank, whatever `~/.keras/keras.json`: equal sweeps give equal losses."""

from __future__ import annotations

from hvdsweep.launch.steering import KERAS_SETTINGS


def prepare_keras() -> None:
    """Once per process, before any user code runs: set Keras' own defaults, and record every weight's initialiser.

    A layer or module of the user may still choose other settings.
    """
    import keras

    from hvdsweep.training.initial import note_initializers

    keras.config.set_floatx(KERAS_SETTINGS["floatx"])
    keras.config.set_epsilon(KERAS_SETTINGS["epsilon"])
    keras.config.set_image_data_format(KERAS_SETTINGS["image_data_format"])
    keras.config.set_dtype_policy(KERAS_SETTINGS["floatx"])
    note_initializers()
