"""The filter language against a slow oracle that reads every trial in Python, and its error messages."""

from __future__ import annotations

import math
import operator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.errors import UserError
from hvdsweep.opening import open_store
from hvdsweep.states import Status, StopReason
from hvdsweep.store.filters import finished_part, parse_filter
from hvdsweep.store.rows import TrialFilter

from .plans import small_store, train_all

COMPARE = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}
FIELDS = ("trial", "number", "batch_size", "steps", "best", "goal_step", "learning_rate", "momentum", "study")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """Twelve trials, one of each study diverged, two still pending."""
    path = tmp_path_factory.mktemp("filters") / "store.db"
    small_store(path)
    train_all(path, diverging=[1])
    return path


def value_of(trial, field):
    """What the oracle compares; None where the trial has no such value."""
    own = {"trial": "id", "study": "study_id"}.get(field, field)
    return trial.parameters.get(field) if own not in vars(trial) else getattr(trial, own)


term = st.tuples(
    st.sampled_from(FIELDS),
    st.sampled_from(sorted(COMPARE)),
    st.sampled_from([0, 0.1, 1, 2, 8, 16, 40, 0.001]),
)


@given(st.lists(term, max_size=3))
def test_comparisons_mean_what_they_say(store, terms):
    """Every comparison of every field, alone and together, finds exactly the trials that Python finds."""
    text = " ".join(f"{field}{sign}{value}" for field, sign, value in terms)
    with open_store(store) as reader:
        everything = reader.trials().rows
        found = {trial.id for trial in reader.trials(parse_filter(text)).rows}
    expected = {
        trial.id
        for trial in everything
        if all(
            value_of(trial, field) is not None and COMPARE[sign](value_of(trial, field), value)
            for field, sign, value in terms
        )
    }
    assert found == expected


@given(
    st.sampled_from(["batch_size", "number", "learning_rate"]),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)).map(sorted), min_size=1, max_size=4),
    st.booleans(),
)
def test_lists_of_ranges_and_their_complements(store, field, ranges, negated):
    """`=` is the union of its ranges with both ends, `!=` everything outside; no trial is in both or in neither."""
    text = ",".join(f"{low}..{high}" if low != high else str(low) for low, high in ranges)
    with open_store(store) as reader:
        everything = reader.trials().rows
        found = {
            trial.id for trial in reader.trials(parse_filter(f"{field}{'!=' if negated else '='}{text}")).rows
        }
    inside = {
        trial.id for trial in everything if any(low <= value_of(trial, field) <= high for low, high in ranges)
    }
    assert found == ({trial.id for trial in everything} - inside if negated else inside)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", TrialFilter()),
        ("   ", TrialFilter()),
        ("status=INFEASIBLE", TrialFilter(statuses=(Status.INFEASIBLE,))),
        ("status=inf", TrialFilter(statuses=(Status.INFEASIBLE,))),
        ("status=complete,running", TrialFilter(statuses=(Status.COMPLETE, Status.RUNNING))),
        (
            "status!=pending",
            TrialFilter(statuses=(Status.RUNNING, Status.COMPLETE, Status.INFEASIBLE, Status.INCOMPLETE)),
        ),
        ("status!=pending status=PENDING,RUNNING", TrialFilter(statuses=(Status.RUNNING,))),
        ("stop=beaten", TrialFilter(stop_reasons=(StopReason.BEATEN,))),
        ("batch_size=64..512", TrialFilter(ranges=(("batch_size", ((64.0, 512.0),)),))),
        ("batch_size = 2^6", TrialFilter(ranges=(("batch_size", ((64.0, 64.0),)),))),
        ("batch_size=64..", TrialFilter(ranges=(("batch_size", ((64.0, math.inf),)),))),
        ("parameters.momentum>=0.9", TrialFilter(ranges=(("parameters.momentum", ((0.9, math.inf),)),))),
        ("sgd fc_32", TrialFilter(words=("sgd", "fc_32"))),
        ('workload="digits/fc 32"', TrialFilter(words=("digits/fc 32",))),
    ],
)
def test_readings(text, expected):
    """What each form of a term means."""
    assert parse_filter(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("learning_rte>=0.1", "did you mean learning_rate"),
        ("status=done", "give PENDING or RUNNING or COMPLETE"),
        ("status>=COMPLETE", "can only be compared by = and !="),
        ("status=I", "give INFEASIBLE or INCOMPLETE"),
        ("steps=many", "is not a number"),
        ("steps=nan", "is not a number"),
        ("batch_size=64..8", "write 8..64"),
        ("batch_size=", "is not NAME=VALUE"),
        (">=3", "is not NAME=VALUE"),
        ("batch_size", "such as batch_size=8..64"),
        ("status", "such as status=COMPLETE"),
        ("workload!=sgd", "can only be compared by ="),
        ("status=COMPLETE status=RUNNING", "nothing has such a status"),
        ("nonsense=3", "there is learning_rate, momentum"),
    ],
)
def test_mistakes_are_reported_with_a_remedy(text, words):
    """Every wrong term is named, with what would be right."""
    with pytest.raises(UserError) as caught:
        parse_filter(text, ["learning_rate", "momentum"])
    assert words in str(caught.value)
    assert str(caught.value).startswith("filter: ")


def test_all_mistakes_at_once():
    """One sentence each."""
    with pytest.raises(UserError) as caught:
        parse_filter("steps=x status=y momentum>0.5 z=1", ["momentum"])
    assert len(caught.value.problems) == 3


@given(st.text(alphabet='abstue_=<>!.,^0123456789" ', max_size=24))
def test_no_text_breaks_it(store, text):
    """Any text is either understood and answered, or a UserError."""
    try:
        where = parse_filter(text)
    except UserError:
        return
    with open_store(store) as reader:
        assert reader.trials(where).total <= reader.trials().total


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", ""),
        ("s", ""),
        ("stat", ""),
        ("steps=1 mom", "steps=1"),
        ("steps=1 sgd", "steps=1 sgd"),
        ("steps=", "steps="),
        ("sgd ", "sgd "),
    ],
)
def test_a_word_that_may_become_a_name_waits(text, part):
    """While `status` is typed, no workload is looked for that holds "stat"."""
    assert finished_part(text, ["momentum"]) == part
