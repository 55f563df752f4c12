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
        "Scales perfectly up to about 18 (14 to 26); steps still fall at 32, the largest: where scaling ends is not seen.",
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
    "not reached yet": (
        [Study(4, [Trial(0, [(0, 0.9), (50, 0.7)], steps=100)], train_steps=100, target_trials=5)],
        "The goal is not reached yet at any batch size; the best so far is 0.7, at batch size 4.",
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


THREE = "only 0 batch sizes reached the goal; a fit needs 3"
JSON = {
    # state: critical (batch size, interval, at least), maximum useful likewise, why there is no fit
    "plain": ((17.7, [17.3, 19.2], False), (512, [512, 512], False), None),
    "knee": ((42.5, [39.4, 46.8], False), (256, [256, 256], False), None),
    "few trials": ((17.7, [13.4, 55.9], False), (512, [256, 512], False), None),
    "still falling": ((17.6, [14.26, 25.95], False), (32, [32, None], True), None),
    "straight": ((1024, [1024, None], True), (1024, [1024, None], True), None),
    "flat": (
        (4.8, [4.8, 4.86], False),
        (4, [4, 4], False),
        "steps do not fall with the batch size: there is no bend to fit",
    ),
    "too few batch sizes": (None, (8, None, True), "only 2 batch sizes reached the goal; a fit needs 3"),
    "nothing yet": (None, None, THREE),
    "not reached": (None, None, THREE),
    "not reached yet": (None, None, THREE),
    "not reached, improving": (None, None, THREE),
    "at the start": (None, (4, None, False), THREE),
    "diverged": (None, None, THREE),
}


@pytest.mark.parametrize("state", STATES)
def test_json(state):
    """What `curve --json` says in every state: null where nothing is known, a reason where there is no fit."""
    found = curve_json(curve(oracle.table(STATES[state][0])))
    critical, useful, reason = JSON[state]

    def said(one):
        def short(value):
            return None if value is None else pytest.approx(value, rel=5e-3)

        return one and (
            short(one[0]),
            one[1] and [short(end) for end in one[1]],
            one[2],
        )

    for name, expected in (("critical", critical), ("max_useful", useful)):
        one = found[name]
        assert (one and (one["batch_size"], one["interval"], one["at_least"])) == said(expected)
        # What is known only from below has no upper end.
        assert not (one and one["at_least"] and one["interval"]) or one["interval"][1] is None
    assert found["fit"].get("reason") == reason
    assert (reason is None) == ("formula" in found["fit"])
    assert all((point["interval"] is None) == (point["interval_of"] is None) for point in found["points"])


def test_one_trial_has_no_interval():
    """One trial per batch size says nothing of a repeated search: no interval, and the verdict doubts it."""
    found = curve_json(curve(oracle.table(planted(trials=1))))
    assert {point["interval"] for point in found["points"]} == {None}
    assert "9 batch sizes (4 to 1,024) have too few successful trials" in found["verdict"]


def test_points_exactly_on_a_curve_are_not_certain():
    """Three single trials that happen to lie on a hyperbola do not give B_crit to four digits."""
    steps = {size: round(100_000 * (1 + 4990 / size)) for size in (64, 1024, 16384)}
    studies = [
        Study(size, [Trial(0, [(least, 0.1)], steps=10**9)], train_steps=10**9)
        for size, least in steps.items()
    ]
    b_crit = curve_json(curve(oracle.table(studies)))["fit"]["b_crit"]
    assert b_crit["value"] == pytest.approx(4990, rel=1e-4)
    assert b_crit["low"] < 4500
    assert b_crit["high"] > 5500


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
