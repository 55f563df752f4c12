"""The names of the training algorithms, declared only here. Their updates are in `training.algorithms`."""

from __future__ import annotations

from typing import Literal, get_args

Algorithm = Literal["sgd", "momentum", "nesterov_momentum"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
