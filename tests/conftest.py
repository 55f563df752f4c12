"""Settings every test shares: no GPU, quiet TensorFlow, hypothesis without deadlines, with the same examples in every run."""

import gc
import os
import signal
import threading

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.pop("HVDSWEEP_DB", None)
os.environ.setdefault("COLUMNS", "100")
# Programs that tests start keep their byte code.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import pytest
from hypothesis import HealthCheck, settings

if threading.current_thread() is threading.main_thread():
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            # As in the background, or under nohup. A program that a test starts would inherit it; not so a handler.
            signal.signal(number, lambda *_: None)

settings.register_profile(
    "hvdsweep",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=60,
    print_blob=True,
    # The same examples in every run, so that a change alone can make a test fail; tests/README.md says how to try others.
    derandomize="HVDSWEEP_OTHER_EXAMPLES" not in os.environ,
)
settings.load_profile("hvdsweep")


gc.disable()


def pytest_collection_finish() -> None:
    """Modules and tests are never freed: the garbage collector, up to a third of the time, skips them."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 20, 20)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that start ranks or terminals come first, so that no worker is left alone with one at the end."""
    slow = {item.path for item in items for mark in ("horovod", "terminal") if item.get_closest_marker(mark)}
    items.sort(key=lambda item: item.path not in slow)
