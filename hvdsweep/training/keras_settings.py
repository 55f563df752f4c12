"""Keras with the same settings on every rank, whatever `~/.keras/keras.json`: equal sweeps give equal losses."""

from __future__ import annotations

from hvdsweep.launch.steering import KERAS_SETTINGS


def prepare_keras() -> None:
    """Before any of the user's code runs, and around each call of `build`: Keras' own defaults, and every weight's initialiser
    noted.

    A layer of the user's, or their `build`, may still choose otherwise; no other model of the process sees it.
    """
    import keras
    import tensorflow as tf

    from hvdsweep.training.initial import note_initializers

    for name, value in KERAS_SETTINGS.items():
        getattr(keras.config, f"set_{name}")(value)
    keras.config.set_dtype_policy(KERAS_SETTINGS["floatx"])
    tf.config.run_functions_eagerly(False)
    note_initializers()


def changed_settings() -> list[str]:
    """What is no longer as `prepare_keras` left it, in words."""
    import keras
    import tensorflow as tf

    now = {name: getattr(keras.config, name)() for name in KERAS_SETTINGS}
    found = [f"{name} {value}" for name, value in now.items() if value != KERAS_SETTINGS[name]]
    if keras.config.dtype_policy().name != KERAS_SETTINGS["floatx"] and "floatx" not in " ".join(found):
        found.append(f"the dtype policy {keras.config.dtype_policy().name}")
    return found + ["tf.config.run_functions_eagerly"] * tf.config.functions_run_eagerly()
