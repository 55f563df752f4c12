"""The table: what it refuses, and that its parts answer like tables built from those trials alone."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.curves import WorkloadTable
from hvdsweep.errors import UserError
from hvdsweep.states import Status

from . import oracle
from .oracle import Study, Trial


def assert_same(found: WorkloadTable, expected: WorkloadTable) -> None:
    for field in dataclasses.fields(WorkloadTable):
        mine, theirs = getattr(found, field.name), getattr(expected, field.name)
        if field.name == "parameters":
            assert mine.keys() >= theirs.keys()
            for name in mine:
                np.testing.assert_array_equal(mine[name], theirs.get(name, np.full(len(mine[name]), np.nan)))
        elif field.name != "trial_id":
            np.testing.assert_array_equal(mine, theirs, err_msg=field.name)


@given(oracle.workloads(), st.integers(0, 20), st.booleans())
def test_selecting_trials_is_building_the_table_without_the_others(studies, least, maximize):
    """Every array of a selection is that of a table which never had the other trials."""
    table = oracle.table(studies, maximize=maximize)
    fewer = [
        dataclasses.replace(study, trials=[trial for trial in study.trials if trial.number >= least])
        for study in studies
    ]
    expected = oracle.table(fewer, maximize=maximize)
    assert_same(table.select(table.number >= least), expected)
    assert_same(table.select(np.flatnonzero(table.number >= least)), expected)


@given(oracle.workloads(), st.sets(st.sampled_from([1, 2, 3, 8, 64])))
def test_dropping_and_keeping_batch_sizes(studies, unwanted):
    """`drop` and `keep` leave the table of the other studies."""
    table = oracle.table(studies)
    rest = [study for study in studies if study.batch_size not in unwanted]
    assert_same(table.drop(unwanted), oracle.table(rest))
    assert_same(table.keep([study.batch_size for study in rest]), oracle.table(rest))


@given(oracle.workloads(max_trials=8), st.integers(1, 3))
def test_restricting_keeps_the_first_complete_trials(studies, num_trials):
    """`restrict(num_trials=N)` is the table of the first N complete trials of every study."""
    table = oracle.table(studies)
    try:
        first = {s.batch_size: oracle.first_trials(s, (Status.COMPLETE,), num_trials) for s in studies}
    except ValueError:
        with pytest.raises(UserError, match="ask for at most"):
            table.restrict(num_trials=num_trials)
        return
    fewer = [
        dataclasses.replace(s, trials=[trial for trial in s.trials if trial.number in first[s.batch_size]])
        for s in studies
    ]
    assert_same(table.restrict(num_trials=num_trials), oracle.table(fewer))


def test_too_few_trials_names_every_short_study():
    """The error says for each short batch size how many trials there are."""
    studies = [Study(1, [Trial(0, [])]), Study(2, [Trial(0, []), Trial(1, [])]), Study(4, [])]
    with pytest.raises(UserError) as error:
        oracle.table(studies).restrict(num_trials=2)
    assert [problem.partition(": num")[0] for problem in error.value.problems] == [
        "data/model/sgd: batch size 1",
        "data/model/sgd: batch size 4",
    ]


@given(oracle.workloads())
def test_splitting_by_a_metaparameter(studies):
    """One part per value, trials without it in the part of `missing`; without `missing` in none."""
    table = oracle.table(studies)
    if "momentum" not in table.parameters:
        with pytest.raises(UserError, match="momentum"):
            table.split("momentum")
        return
    values = np.nan_to_num(table.parameters["momentum"], nan=0.0)
    parts = table.split("momentum", missing=0.0)
    assert sorted(parts) == sorted(set(values.tolist()))
    for value, part in parts.items():
        assert part.trial_id.tolist() == table.trial_id[values == value].tolist()
    strict = table.split("momentum")
    assert sum(len(part.study) for part in strict.values()) == np.isfinite(table.parameters["momentum"]).sum()


def test_splitting_into_intervals():
    """An interval holds its lower edge, the last one both."""
    rates = [0.1, 0.2, 0.3, 0.4, 0.5]
    trials = [Trial(n, [], parameters={"learning_rate": rate}) for n, rate in enumerate(rates)]
    parts = oracle.table([Study(1, trials)]).split("learning_rate", edges=[0.1, 0.3, 0.4])
    assert {edges: part.number.tolist() for edges, part in parts.items()} == {
        (0.1, 0.3): [0, 1],
        (0.3, 0.4): [2, 3],
    }


def test_splitting_a_continuous_metaparameter_needs_edges():
    """More than 20 values are no legend; unsorted edges are no intervals."""
    trials = [Trial(n, [], parameters={"learning_rate": 1.0 + n}) for n in range(21)]
    table = oracle.table([Study(1, trials)])
    with pytest.raises(UserError, match="21 different values"):
        table.split("learning_rate")
    with pytest.raises(UserError, match="edges"):
        table.split("learning_rate", edges=[1.0, 1.0])


def test_effective_learning_rate():
    """Initial learning rate / (1 - momentum); no momentum is momentum 0, no learning rate is no value."""
    trials = [
        Trial(0, [], parameters={"learning_rate": 0.1, "momentum": 0.9}),
        Trial(1, [], parameters={"learning_rate": 0.1}),
        Trial(2, [], parameters={"momentum": 0.5}),
    ]
    rate = oracle.table([Study(1, trials)]).effective_learning_rate
    assert rate[0] == pytest.approx(1.0)
    assert rate[1] == 0.1
    assert math.isnan(rate[2])


GOOD = oracle.table(
    [Study(2, [Trial(0, [(1, 0.5), (2, 0.4)]), Trial(1, [(1, 0.7)])]), Study(4, [Trial(0, [])])]
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_sizes": np.array([4, 2])}, "batch_sizes: not strictly ascending"),
        ({"batch_sizes": np.array([0, 2])}, "batch_sizes: must be positive"),
        ({"train_steps": np.array([1])}, "train_steps"),
        ({"offsets": np.array([0, 2, 3])}, "offsets"),
        ({"offsets": np.array([0, 3, 2, 3])}, "offsets"),
        ({"offsets": np.array([0, 2, 2, 2])}, "offsets"),
        ({"study": np.array([0, 0, 2])}, "study: out of range"),
        ({"study": np.array([0, 1, 0])}, "not sorted"),
        ({"number": np.array([1, 1, 0])}, "not sorted"),
        ({"steps": np.array([1, 1])}, "steps"),
        ({"parameters": {"x": np.array([1.0])}}, "parameters.x"),
        ({"record_step": np.array([1, 1, 1])}, "record_step: not strictly ascending"),
        ({"record_value": np.array([0.5, 0.5, 0.7])}, "record_value: a record does not beat"),
        ({"record_value": np.array([0.5, np.nan, 0.7])}, "only finite"),
        ({"maximize": True}, "record_value: a record does not beat"),
    ],
)
def test_contradicting_arrays_are_refused(change, message):
    """Every rule of the table is checked where it is built."""
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(GOOD, **change)


def test_a_table_cannot_be_changed():
    """What answers are cached on stays as it was."""
    with pytest.raises(ValueError, match="read-only"):
        GOOD.record_value[0] = 0.0
    with pytest.raises(ValueError, match="read-only"):
        GOOD.steps[0] = 1


def test_unknown_batch_size_names_the_known_ones():
    """Asking for a study that is not there says which are."""
    with pytest.raises(UserError, match="batch size 3: no such study; there are 2, 4"):
        GOOD.trials_of(3)
    assert GOOD.trials_of(2).tolist() == [0, 1]
