"""Nothing outside a sweep steers its numbers: not the environment, not Keras' own file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hvdsweep.launch.checks import settings
from hvdsweep.launch.horovodrun import gang_environment
from hvdsweep.launch.steering import FIXED

STEERING = {
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_DETERMINISTIC_OPS": "1",
    "TF_CUDNN_DETERMINISTIC": "1",
    "TF_XLA_FLAGS": "--tf_xla_auto_jit=2",
    "TF_ENABLE_AUTO_MIXED_PRECISION": "1",
    "TF_DISABLE_MKL": "1",
    "TF_FUNCTION_JIT_COMPILE_DEFAULT": "1",
    "TF_JIT_COMPILE_REWRITE": "1",
    "TF_OPTIONALS_IN_GRADIENTS": "1",
    "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS": "1",
    "TF_GRAPPLER_OF_THE_FUTURE": "1",
    "XLA_FLAGS": "--xla_cpu_enable_fast_math=true",
    "NVIDIA_TF32_OVERRIDE": "0",
    "CUBLAS_WORKSPACE_CONFIG": ":16:8",
    "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
    "DNNL_MAX_CPU_ISA": "SSE41",
    "MKL_CBWR": "COMPATIBLE",
    "KERAS_BACKEND": "jax",
    "KERAS_NNX_ENABLED": "1",
    "PYTHONHASHSEED": "7",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "LANG": "de_DE.ISO-8859-1",
    "LC_NUMERIC": "de_DE",
    "LC_ALL": "tr_TR",
}


@pytest.mark.parametrize("name", STEERING)
def test_no_variable_that_changes_numbers_reaches_a_rank(name: str) -> None:
    """Whatever its value, the rank's environment is the same; what was withheld is listed."""
    plain = gang_environment({"PATH": "/bin"}, size=2, threads=1, mark="m")
    steered = gang_environment({"PATH": "/bin", name: STEERING[name]}, size=2, threads=1, mark="m")
    assert steered.variables == plain.variables
    assert steered.left_out == (name,)


def test_what_only_says_where_things_lie_stays() -> None:
    """Paths, Keras' home (its downloads lie there), the folder of CUDA among XLA's flags; logs and the memory of GPUs."""
    kept = {
        "PYTHONPATH": "/a",
        "KERAS_HOME": "/k",
        "HOME": "/h",
        "TF_CPP_MIN_LOG_LEVEL": "0",
        "TF_CPP_VMODULE": "executor=1",
        "TF_CUDA_PATHS": "/cuda",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "TF_GPU_ALLOCATOR": "cuda_malloc_async",
        "TF_GPU_THREAD_MODE": "gpu_private",
        "TF_NUM_INTRAOP_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "1",
    }
    flags = "--xla_gpu_cuda_data_dir=/cuda --xla_cpu_enable_fast_math=true"
    found = gang_environment({**kept, "XLA_FLAGS": flags}, size=1, threads=1, mark="m").variables
    assert kept.items() <= found.items()
    assert found["XLA_FLAGS"] == "--xla_gpu_cuda_data_dir=/cuda"
    assert FIXED.items() <= found.items()


KERAS = [
    ({"image_data_format": "channels_first"}, "warning", "image_data_format = channels_first"),
    ({"floatx": "float64"}, "warning", "floatx = float64"),
    ({"epsilon": 0.1}, "warning", "epsilon = 0.1"),
    ({"backend": "jax"}, "ok", "nothing outside the sweep"),
    ({"floatx": "float128"}, "failed", "floatx is 'float128', not one of float16, float32, float64"),
    ({"epsilon": 1}, "failed", "epsilon is 1, not a number with a point"),
    ([], "failed", "holds no table"),
]


@pytest.mark.parametrize(("said", "status", "words"), KERAS, ids=[str(said) for said, _, _ in KERAS])
def test_doctor_reports_what_keras_own_file_says(
    tmp_path: Path, said: object, status: str, words: str
) -> None:
    """Settings that ranks do without are a warning; those with which Keras cannot be imported are a failure."""
    (tmp_path / "keras.json").write_text(json.dumps(said))
    check = settings({"KERAS_HOME": str(tmp_path)})
    assert check.status == status
    assert words in check.found


def test_doctor_reports_variables_that_ranks_do_without() -> None:
    """By name and value; a language is everyday."""
    check = settings({"XLA_FLAGS": "--fast", "LANG": "de_DE", "HOME": "/nowhere"})
    assert check.status == "warning"
    assert "XLA_FLAGS=--fast" in check.found
    assert "LANG" not in check.found


def test_keras_own_file_steers_no_rank(tmp_path: Path) -> None:
    """With another format, precision and epsilon in it, a rank's Keras has its own defaults, policy included."""
    (tmp_path / "keras.json").write_text(
        json.dumps(
            {"image_data_format": "channels_first", "floatx": "float64", "epsilon": 0.5, "backend": "jax"}
        )
    )
    program = (
        "import keras\nfrom hvdsweep.training.keras_settings import prepare_keras\n"
        "before = keras.config.floatx(), keras.config.image_data_format()\nprepare_keras()\n"
        "layer = keras.layers.Conv2D(2, 1)\nlayer.build((None, 3, 3, 4))\n"
        "print(*before, keras.config.floatx(), keras.config.epsilon(), keras.config.backend(), layer.kernel.dtype, "
        "layer.kernel.shape)"
    )
    environment = gang_environment(
        {**os.environ, "KERAS_HOME": str(tmp_path)}, size=1, threads=1, mark="m"
    ).variables
    ran = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split(maxsplit=6) == [
        "float64", "channels_first", "float32", "1e-07", "tensorflow", "float32", "(1, 1, 4, 2)\n",
    ]  # fmt: skip
