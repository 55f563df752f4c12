"""horovodrun, without the import of TensorFlow that it makes before it starts any rank.

`horovodrun --gloo` forks a child that imports `horovod.tensorflow` only to ask whether Gloo was built in: as much processor
time as a rank needs for its own import, and no rank starts before the answer. Here that child finds `horovod.tensorflow`
imported already: a stand-in that asks Horovod's compiled library itself. Horovod's code is used as it is, and where the
library cannot be loaded on its own the child imports TensorFlow as ever.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

ASKED = "horovod.tensorflow"
LIBRARIES = ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2")
"""What Horovod's library is linked against, in this order; it does not know where they are."""


class Answers(ModuleType):
    """Answers `gloo_built()` and its like; has nothing else of `horovod.tensorflow`."""

    def __getattr__(self, name: str) -> Any:
        if not name.endswith("_built"):
            raise AttributeError(name)
        try:
            return getattr(compiled_library(), name)
        except (OSError, AttributeError, ImportError):
            sys.modules.pop(ASKED, None)
            return getattr(importlib.import_module(ASKED), name)


def compiled_library() -> Any:
    """Horovod's library for TensorFlow, loaded without TensorFlow's Python. OSError or ImportError where that fails."""
    from horovod.common.basics import HorovodBasics

    for library in LIBRARIES:
        ctypes.CDLL(str(_folder("tensorflow") / library), mode=ctypes.RTLD_GLOBAL)
    return HorovodBasics(str(_folder("horovod") / "tensorflow" / "mpi_ops.py"), "mpi_lib")


def _folder(package: str) -> Path:
    """Where a package lies; it is not imported for that."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ImportError(f"no package {package}")
    return Path(found.submodule_search_locations[0])


def main() -> None:
    """What the script `horovodrun` does."""
    from horovod.runner.launch import run_commandline

    sys.modules[ASKED] = Answers(ASKED)
    sys.exit(run_commandline())


if __name__ == "__main__":
    main()
