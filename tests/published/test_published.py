"""Published curves: read, imported, and fitted as their authors fitted them."""

import numpy as np
import pytest

from hvdsweep.archive import import_archive
from hvdsweep.curves import curve
from hvdsweep.errors import UserError
from hvdsweep.opening import open_store
from hvdsweep.published import curves, lay_out


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A store with the set, imported twice."""
    folder = tmp_path_factory.mktemp("published")
    archive = lay_out("zhang_2024", folder / "zhang_2024")
    for _ in range(2):
        report = import_archive(archive, folder / "x.db")
        assert not report.problems
    assert (report.trials_imported, report.trials_present) == (0, 45)
    with open_store(folder / "x.db") as reader:
        yield reader


@pytest.mark.parametrize("row", curves("zhang_2024"), ids=lambda row: row.model)
def test_their_fit_and_critical_batch_size(reader, row):
    """B* with B0 256 is the number that they print, to its last digit. Their optimiser stopped 3e-7 off the least squares: a and
    b here are as close to theirs, and leave a smaller sum of squares."""
    table = reader.workload_table(f"c4/transformer_{row.model.lower()}/adam")
    found = curve(table, reference_batch_size=256)
    assert dict(zip(found.batch_sizes, found.steps, strict=True)) == row.steps
    assert found.fit.knee == 1
    assert found.fit.s_min.value == pytest.approx(row.a, rel=5e-7)
    assert found.fit.e_min.value == pytest.approx(row.b, rel=5e-7)
    assert round(found.critical.batch_size, 3) == row.critical_batch_size
    sizes, steps = np.array([*row.steps]), np.array([*row.steps.values()])
    ours, theirs = (
        float((np.log(steps / (a + b / sizes)) ** 2).sum())
        for a, b in ((found.fit.s_min.value, found.fit.e_min.value), (row.a, row.b))
    )
    assert ours < theirs
    assert found.critical.reference_batch_size == 256


def test_single_trials_have_no_interval(reader):
    """One run per batch size says nothing about another."""
    found = curve(reader.workload_table("c4/transformer_85m/adam"))
    assert {point.interval for point in found.points} == {None}


def test_an_unknown_set_is_named():
    """The error lists the sets that there are."""
    with pytest.raises(
        UserError, match="published/nope: no such published set; there are published/zhang_2024"
    ):
        curves("nope")
