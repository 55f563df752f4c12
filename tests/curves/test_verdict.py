"""The verdict's wording for every state of a curve, over planted curves."""

import pytest

from hvdsweep.curves import curve, curve_json
from hvdsweep.curves.words import against, verdict
from hvdsweep.states import Status, StopReason

from . import oracle
from .oracle import Study, Trial

SIZES = tuple(4 * 2**i for i in range(9))
ENDS = "worth it up to 512, where it takes 15 times fewer steps than at 4 for 8.5 times the examples; nothing is gained beyond."


def study(size, steps, trials=5, gap=1.02, budget=100_000):
    """Trials that are slower by a factor `gap` each, seen to reach the goal at an evaluation every step."""
    found = [round(steps * gap**n) for n in range(trials)]
    made = [Trial(n, [(0, 0.9), (max(s - 1, 1), 0.8), (s, 0.1)], steps=budget) for n, s in enumerate(found)]
    return Study(size, made, train_steps=budget)


def planted(s_min=60, b_crit=64, knee=1.0, sizes=SIZES, **more):
    return [study(size, s_min * (1 + (b_crit / size) ** knee) ** (1 / knee), **more) for size in sizes]


def short(values, budget=100, **more):
    return [Study(size, [Trial(0, values, steps=budget, **more)], train_steps=budget) for size in (4, 8)]


STATES = {
    "plain": (planted(), f"Scales perfectly up to about 18 (17 to 19); {ENDS}"),
    "knee": (
        planted(knee=2),
        "Scales perfectly up to about 42 (39 to 47); worth it up to 256, where it takes 16 times fewer steps than "
        "at 4 for 4.1 times the examples; nothing is gained beyond.",
    ),
    "few trials": (
        planted(gap=1.3, trials=2),
        f"Scales perfectly up to about 18 (13 to 56); {ENDS.replace('512', '512 (256 to 512)', 1)} Uncertain: 9 batch sizes "
        "(4 to 1,024) have too few successful trials.",
    ),
    "still falling": (
        planted(sizes=SIZES[:4]),
        "Scales perfectly up to about 18 (15 to 24); steps still fall at 32, the largest: where scaling ends is not seen.",
    ),
    "straight": (
        planted(s_min=0.1, b_crit=1e6),
        "Scales perfectly up to 1,024 at least, the largest batch size that reached the goal: where scaling ends is not seen.",
    ),
    "flat": (
        planted(b_crit=0.01),
        "A larger batch size than 4 gains nothing: steps to the goal do not fall.",
    ),
    "too few batch sizes": (
        planted(sizes=(4, 8)),
        "Too little data: only batch sizes 4 and 8 reach the goal, and a scaling curve needs three batch sizes.",
    ),
    "nothing yet": (
        [Study(4, [], train_steps=100)],
        "Too little data: no trial that counts has ended yet.",
    ),
    "not reached": (
        short([(0, 0.9), (50, 0.7)]),
        "The goal was not reached at any batch size; the best is 0.7, at batch size 4.",
    ),
    "not reached, improving": (
        short([(0, 0.9), (50, 0.8), (99, 0.7)]),
        "The goal was not reached at any batch size; the best is 0.7, at batch size 4. Batch sizes 4 and 8 were still "
        "improving when the budget ended: a longer one may reach it.",
    ),
    "at the start": (
        short([(0, 0.1)]),
        "The goal is reached before any training: use a stricter goal.",
    ),
    "diverged": (
        short([], status=Status.INFEASIBLE, stop_reason=StopReason.DIVERGED),
        "The goal was not reached: every trial that has ended diverged. Smaller learning rates may not.",
    ),
}


@pytest.mark.parametrize("state", STATES)
def test_wording(state):
    """One sentence that answers, and one that says what is uncertain."""
    studies, said = STATES[state]
    found = curve(oracle.table(studies))
    assert verdict(found) == said
    assert curve_json(found)["verdict"] == said


def test_censored_trials_are_mentioned():
    """Trials that were stopped early are a reason for doubt, by batch size."""
    studies = planted()
    stopped = [Trial(n, [(0, 0.9)], steps=200, stop_reason=StopReason.BEATEN) for n in range(1, 5)]
    first = Trial(0, [(0, 0.9), (299, 0.8), (300, 0.1)], steps=300)
    studies[2] = Study(16, [first, *stopped], train_steps=100_000)
    assert "batch size 16 has trials that were stopped early and might have done better" in verdict(
        curve(oracle.table(studies))
    )


def test_two_algorithms():
    """How many times fewer steps, with the range, and where a difference is certain or not."""
    sgd = curve(oracle.table(planted(gap=1.1)))
    momentum = curve(oracle.table(planted(s_min=20, b_crit=200, gap=1.1)))
    assert against(sgd, momentum, ("sgd", "momentum")) == (
        "momentum against sgd: 2.7 times fewer steps at batch size 1,024 (2.1 to 3.4); a difference is certain at 5 batch sizes "
        "(64 to 1,024); none is certain at batch sizes 4, 8, 16 and 32."
    )
    assert against(sgd, sgd, ("sgd", "momentum")) == (
        "momentum against sgd: no difference in steps is certain at 9 batch sizes (4 to 1,024)."
    )
