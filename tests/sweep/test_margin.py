"""`training.margin`: part of what a sweep is only where it has an effect, and never of a trial that was not beaten."""

from __future__ import annotations

from pathlib import Path

from hvdsweep.identity import definition_diff
from hvdsweep.plan import Plan, make_plan
from hvdsweep.sweep.load import check_text, load_sweep
from hvdsweep.sweep.restore import sweep_of
from hvdsweep.sweep.write import sweep_toml

BEATEN = (Path(__file__).parents[2] / "examples" / "beaten.toml").read_text(encoding="utf-8")
STOP = '[training]\nstop = "beaten"'


def planned(tmp_path: Path, training: str) -> Plan:
    """The plan of the example with this [training] table."""
    path = tmp_path / "sweep.toml"
    path.write_text(BEATEN.replace(STOP, "[training]\n" + training), encoding="utf-8")
    return make_plan(load_sweep(path))


def keys(plan: Plan) -> list[str]:
    return [plan.key, *(study.key for study in plan.studies), *(s.trial(0).key for s in plan.studies)]


def test_a_margin_of_0_is_no_margin(tmp_path: Path):
    """Same keys, same definitions."""
    without = planned(tmp_path, 'stop = "beaten"')
    zero = planned(tmp_path, 'stop = "beaten"\nmargin = 0')
    assert keys(without) == keys(zero)
    assert [study.definition for study in without.studies] == [study.definition for study in zero.studies]
    assert "margin" not in next(without.studies).definition


def test_a_margin_makes_another_sweep_of_the_same_trials(tmp_path: Path):
    """The sweep's key differs and says why; the trials keep theirs, so results that hold under both are taken over."""
    without = planned(tmp_path, 'stop = "beaten"')
    quarter = planned(tmp_path, 'stop = "beaten"\nmargin = 0.25')
    assert without.key != quarter.key
    assert definition_diff(without.definition, quarter.definition) == ["training.margin: (not set) -> 0.25"]
    assert keys(without)[1:] == keys(quarter)[1:]
    assert {study.definition["margin"] for study in quarter.studies} == {0.25}


def test_a_margin_without_beaten_is_a_warning_and_has_no_effect(tmp_path: Path):
    """`--stop budget` on a file with a margin trains what the file without one trains."""
    with_margin = planned(tmp_path, 'stop = "budget"\nmargin = 0.25')
    assert keys(with_margin) == keys(planned(tmp_path, 'stop = "budget"'))
    (warning,) = with_margin.warnings
    assert warning.endswith(
        'training.margin: has no effect with stop = "budget": only stop = "beaten" compares trials'
    )


def test_a_negative_margin_is_an_error():
    """File, key, value and what would be right."""
    (problem,) = check_text(
        BEATEN.replace(STOP, "[training]\n" + 'stop = "beaten"\nmargin = -0.1'), "s.toml"
    ).problems
    assert problem.startswith("s.toml: training.margin: -0.1 ")


def test_a_stored_margin_comes_back_as_a_file(tmp_path: Path):
    """The sweep of a stored definition, written as TOML, holds the margin."""
    plan = planned(tmp_path, 'stop = "beaten"\nmargin = 0.25')
    assert "margin = 0.25" in sweep_toml(sweep_of(plan.definition))
