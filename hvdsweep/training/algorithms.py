"""The paper's training algorithms and schedules (section 3): one update, with every metaparameter a tensor argument.

    sgd                 w <- w - eta g
    momentum            v <- gamma v + g;  w <- w - eta v                (heavy ball)
    nesterov_momentum   v <- gamma v + g;  w <- w - eta (g + gamma v)

v starts at 0 and there is no dampening. eta stays outside v; Keras puts it inside, which differs once eta decays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from hvdsweep.algorithms import ALGORITHMS


def has_velocity(algorithm: str) -> bool:
    """Whether the algorithm keeps a velocity for every weight."""
    return algorithm != "sgd"


def learning_rate(metaparameters: Mapping[str, Any], step: Any) -> Any:
    """eta_t = eta_0 - (1 - alpha) eta_0 t / T for t <= T, then alpha eta_0 (section 3); alpha = 1 is the constant schedule.

    `step` t counts the updates already made (float32 scalar). T is never 0. Without a factor the schedule is constant.
    """
    initial = metaparameters["learning_rate"]
    if "end_learning_rate_factor" not in metaparameters:
        return initial
    alpha = metaparameters["end_learning_rate_factor"]
    fraction = tf.minimum(step / metaparameters["learning_rate_decay_steps"], 1.0)
    return initial - (1.0 - alpha) * initial * fraction


def descend(
    algorithm: str,
    weight: Any,
    velocity: Any | None,
    gradient: Any,
    eta: Any,
    metaparameters: Mapping[str, Any],
) -> tuple[Any, Any | None]:
    """One update of one weight tensor: its new value and its new velocity (None for sgd)."""
    if "weight_decay" in metaparameters:
        gradient = gradient + metaparameters["weight_decay"] * weight
    if algorithm == "sgd":
        return weight - eta * gradient, None
    gamma = metaparameters["momentum"]
    velocity = gamma * velocity + gradient
    if algorithm == "momentum":
        return weight - eta * velocity, velocity
    if algorithm == "nesterov_momentum":
        return weight - eta * (gradient + gamma * velocity), velocity
    raise ValueError(f"no training algorithm is called {algorithm!r}; there are {', '.join(ALGORITHMS)}")
