"""Panels of the search with values at the ends of what a float holds: nothing of numpy's is printed."""

from __future__ import annotations

import itertools
import warnings

import pytest

from hvdsweep.curves import steps_to_result
from hvdsweep.curves.field import sensitivity
from hvdsweep.figures import search_panels
from hvdsweep.figures.field_panels import sensitivity_panel
from hvdsweep.figures.figure import Figure
from hvdsweep.figures.text import figure_lines
from hvdsweep.states import Status
from tests.curves.oracle import Study, Trial, table

RATES = (5e-324, 1e-308, 0.0, 0.1, 1e18, 1e308, float("inf"))
MOMENTA = (0.0, 1 - 1e-16, 1.0, -1e308, 1.5)


@pytest.mark.parametrize("least", range(len(RATES) - 1))
@pytest.mark.parametrize("divided", [False, True])
def test_extreme_values_print_no_warning(least: int, divided: bool) -> None:
    """Learning rates from the least to infinity and momenta of 1 and beyond: every panel is made and drawn as text."""
    pairs = list(itertools.product(RATES[least : least + 2] if divided else RATES[least:], MOMENTA))
    trials = [
        Trial(
            number,
            [(10, 0.9), (10 + number, 0.1)],
            (Status.COMPLETE, Status.INFEASIBLE)[number % 3 == 2],
            parameters={"learning_rate": rate, "momentum": momentum},
        )
        for number, (rate, momentum) in enumerate(pairs)
    ]
    workload = table([Study(8, trials), Study(2**62, trials[::-1])])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = steps_to_result(workload)
        panels = [search_panels.scatter_panel(workload, size, None, "") for size in (8, 2**62)]
        panels += [
            search_panels.metaparameter_panel(result, name, "")
            for name in ("learning_rate", "momentum", "one_minus_momentum", search_panels.EFFECTIVE)
        ]
        panels += [
            search_panels.stability_panel(workload, name, "")
            for name in ("learning_rate", "momentum", search_panels.EFFECTIVE)
        ]
        panels += [
            search_panels.best_of_panel(result, ""),
            sensitivity_panel(sensitivity(workload, "learning_rate"), "learning_rate", "", "", ""),
        ]
        assert figure_lines(Figure("", "", 3, tuple(panels)), 200)
