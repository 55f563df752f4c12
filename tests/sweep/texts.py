"""Sweep files the tests start from."""

from __future__ import annotations

from hvdsweep.plan import Plan, make_plan
from hvdsweep.sweep.load import LoadedSweep, Overrides, check_text

GOOD = """\
dataset = "digits"
model = "fc_128"
algorithms = ["sgd", "momentum"]

[goal]
metric = "val/classification_error"
value = 0.05

[budget]
steps = 2000

[evaluation]
every = 20

[studies]
batch_sizes = [8, 64, 512]
trials = 24
seed = 1

[search]
learning_rate = { scale = "log", min = 1e-3, max = 10.0 }
momentum = { scale = "reverse_log", min = 0.8, max = 0.999 }

[training]
micro_batch = 256
"""


def edited(*changes: tuple[str, str], text: str = GOOD) -> str:
    """`text` with each (old, new) replaced; an old that is not there exactly once is a mistake of the
    test."""
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the text"
        text = text.replace(old, new)
    return text


def loaded(*changes: tuple[str, str], text: str = GOOD, overrides: Overrides | None = None) -> LoadedSweep:
    """The sweep of `text` with changes, which must be right."""
    checked = check_text(edited(*changes, text=text), "good.toml", overrides=overrides)
    assert checked.loaded is not None, checked.problems
    return checked.loaded


def planned(*changes: tuple[str, str], text: str = GOOD, overrides: Overrides | None = None) -> Plan:
    """Its plan."""
    return make_plan(loaded(*changes, text=text, overrides=overrides))
