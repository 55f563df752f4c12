"""Keras as every rank uses it, whatever `~/.keras/keras.json` of its machine says: the same sweep gives the same losses."""

from __future__ import annotations

from hvdsweep.launch.steering import KERAS_SETTINGS


def prepare_keras() -> None:
    """Once in a process, before any of the user's code runs: Keras' own defaults, and every weight's initialiser noted.

    A layer of the user's, or their module, may still choose otherwise.
    """
    import keras

    from hvdsweep.training.initial import note_initializers

    keras.config.set_floatx(KERAS_SETTINGS["floatx"])
    keras.config.set_epsilon(KERAS_SETTINGS["epsilon"])
    keras.config.set_image_data_format(KERAS_SETTINGS["image_data_format"])
    keras.config.set_dtype_policy(KERAS_SETTINGS["floatx"])
    note_initializers()
