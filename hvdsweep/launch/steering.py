"""Settings outside a sweep that could change results: environment variables and Keras' file. No rank gets them.

Equal keys mean equal results, so everything that influences a result is set by hvdsweep, or part of a trial's identity.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STEERS = re.compile(
    # TensorFlow has hundreds of switches: all but those of logs, threads, memory, paths and its own clusters.
    r"(TF_(?!CPP_|NUM_|CONFIG$|CUDA_PATHS$|GPU_ALLOCATOR$|GPU_THREAD_|GPU_HOST_MEM_LIMIT_IN_MB$|FORCE_GPU_ALLOW_GROWTH$"
    r"|FORCE_UNIFIED_MEMORY$|DEVICE_MIN_SYS_MEMORY_IN_MB$)\w+|XLA_\w+|NVIDIA_TF32_OVERRIDE|CUBLAS_WORKSPACE_CONFIG"
    # oneDNN, MKL: reduced precision, other code paths.
    r"|ONEDNN_\w+|DNNL_\w+|MKL_CBWR|MKL_ENABLE_INSTRUCTIONS|OPENBLAS_CORETYPE|NPY_\w+"
    # Keras.
    r"|KERAS_(?!HOME$)\w+"
    # Python: order of sets, asserts left out, encodings; formats of numbers, dates and sorting.
    r"|PYTHONHASHSEED|PYTHONOPTIMIZE|PYTHONWARNINGS|PYTHONUTF8|PYTHONIOENCODING|LANG|LANGUAGE|LC_\w+)$"
)
"""Names of variables that could change a result."""

FIXED = {
    "KERAS_BACKEND": "tensorflow",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
}
"""The values that every rank has instead."""

KEPT_XLA_FLAG = "--xla_gpu_cuda_data_dir="
"""The one flag in XLA_FLAGS that ranks keep: the path of CUDA."""

KERAS_SETTINGS: dict[str, Any] = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}
"""Keras' defaults, which every rank uses (`hvdsweep.training.keras_settings`)."""


def fixed(inherited: Mapping[str, str]) -> dict[str, str]:
    """The variables that every rank gets in place of those that could change results."""
    flags = [flag for flag in inherited.get("XLA_FLAGS", "").split() if flag.startswith(KEPT_XLA_FLAG)]
    return FIXED | ({"XLA_FLAGS": " ".join(flags)} if flags else {})


def steering(environment: Mapping[str, str]) -> list[str]:
    """`NAME=value` of each variable that would change a result and is not passed to the ranks."""
    found = {name: value for name, value in environment.items() if STEERS.match(name)}
    ours = fixed(environment)
    everyday = re.compile(r"LANG|LANGUAGE|LC_\w+|PYTHON\w+|KERAS_BACKEND")
    return [
        f"{name}={value}"
        for name, value in sorted(found.items())
        if ours.get(name) != value and not everyday.fullmatch(name)
    ]


def keras_settings(environment: Mapping[str, str]) -> tuple[Path, dict[str, Any], str | None]:
    """Keras' file, its settings that differ from the ranks', and why Keras could not be imported with it (or None)."""
    home = environment.get("KERAS_HOME") or os.path.join(environment.get("HOME") or "~", ".keras")
    file = Path(home).expanduser() / "keras.json"
    try:
        said = json.loads(file.read_bytes())
    except (OSError, ValueError):
        # Keras itself treats an unreadable file as empty.
        return file, {}, None
    if not isinstance(said, dict):
        return file, {}, "holds no table of settings"
    different = {
        key: said[key] for key, value in KERAS_SETTINGS.items() if key in said and said[key] != value
    }
    for key, possible in (
        ("floatx", ("float16", "float32", "float64")),
        ("image_data_format", ("channels_first", "channels_last")),
    ):
        if key in different and different[key] not in possible:
            return file, different, f"{key} is {different[key]!r}, not one of {', '.join(possible)}"
    if "epsilon" in different and not isinstance(different["epsilon"], float):
        return file, different, f"epsilon is {different['epsilon']!r}, not a number with a point"
    return file, different, None
