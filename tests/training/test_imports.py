"""Quick starts: modules that ranks and horovodrun do not import, and that nothing breaks because of it."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import pytest

from hvdsweep.lazy import hidden
from hvdsweep.training.imports import OPTIONAL

CODE = """
import json, sys
from hvdsweep.training.imports import OPTIONAL, import_tensorflow
tf = import_tensorflow()
loaded = [name for name in OPTIONAL if name in sys.modules]
import horovod.tensorflow, keras, pandas, scipy.stats, sklearn.datasets
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
print(json.dumps([loaded, float(tf.reduce_sum(model(tf.ones((1, 3))) * 0)), pandas.Series([1, 2]).sum().item()]))
"""


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_optional_packages_stay_out_and_can_be_imported_afterwards() -> None:
    """TensorFlow and Keras work without scikit-learn, pandas, matplotlib and scipy, which user code still gets."""
    assert json.loads(run(CODE).splitlines()[-1]) == [[], 0.0, 3]


def test_what_was_imported_before_stays_usable() -> None:
    """Hiding a package touches neither one that is loaded already nor later imports."""
    sys.modules.pop("colorsys", None)
    with hidden(("json", "colorsys")):
        assert importlib.import_module("json") is json
        with pytest.raises(ImportError):
            importlib.import_module("colorsys")
    assert importlib.import_module("colorsys").rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0)
    assert set(OPTIONAL) >= {"sklearn", "pandas", "matplotlib"}


ASK = """
import sys
from horovod.common.util import gloo_built, mpi_built
from hvdsweep.training.horovodrun import ASKED, Answers
sys.modules[ASKED] = Answers(ASKED)
asked = [gloo_built, mpi_built]
if sys.argv[1:] == ["broken"]:
    from hvdsweep.training import horovodrun
    horovodrun.LIBRARIES = ("libno_such_library.so",)
    del asked[1]  # each answer takes an import of TensorFlow
print(*(bool(ask()) for ask in asked), "tensorflow" in sys.modules)
"""

ANSWERS = {"stand in": ["True", "False", "False"], "broken": ["True", "False"]}


@pytest.mark.parametrize("how", ["stand in", "broken"])
def test_horovodrun_gets_the_same_answers(how: str) -> None:
    """What Horovod was built with: by its library alone, and where that cannot be loaded, as Horovod's own import of TensorFlow
    has it."""
    ran = subprocess.run([sys.executable, "-c", ASK, how], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ANSWERS[how]
