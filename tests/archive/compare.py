"""A store against what was planted, every trial and every value of it."""

from __future__ import annotations

import json
import math
from pathlib import Path

from hvdsweep.opening import open_store
from hvdsweep.store.rows import TrialFilter
from tests.archive.generator import Study


def differences(database: Path, studies: list[Study]) -> list[str]:
    """What the store lacks, has too much of, or has wrong; empty if it holds exactly `studies`."""
    found: list[str] = []
    with open_store(database) as reader:
        rows = {(row.workload, row.batch_size): row for row in reader.studies()}
        planted = {(study.workload, study.batch_size): study for study in studies}
        found += [f"study {key} should not be there" for key in rows.keys() - planted.keys()]
        found += [f"study {key} is missing" for key in planted.keys() - rows.keys()]
        for key in rows.keys() & planted.keys():
            study, row = planted[key], rows[key]
            if row.train_steps != study.train_steps:
                found.append(f"{key}: train_steps {row.train_steps}, not {study.train_steps}")
            mine = TrialFilter(ranges=(("study", ((row.id, row.id),)),))
            stored = {trial.number: trial for trial in reader.trials(mine).rows}
            if sorted(stored) != sorted(trial.number for trial in study.trials):
                found.append(f"{key}: trials {sorted(stored)}")
                continue
            for trial in study.trials:
                have = stored[trial.number]
                wanted = (trial.status, trial.steps, json.dumps(trial.parameters, sort_keys=True))
                got = (have.status.name, have.steps, json.dumps(dict(have.parameters), sort_keys=True))
                if wanted != got:
                    found.append(f"{key}/{trial.number}: {got}, not {wanted}")
                measured = reader.measurements(have.id)
                if measured.steps.tolist() != sorted(step for step, _ in trial.rows):
                    found.append(f"{key}/{trial.number}: steps {measured.steps.tolist()}")
                    continue
                for step, values in trial.rows:
                    place = measured.steps.tolist().index(step)
                    for name, value in values.items():
                        column = measured.values.get(name)
                        got_value = math.nan if column is None else float(column[place])
                        wanted_value = math.nan if value is None else value
                        if got_value != wanted_value and not (
                            math.isnan(got_value) and math.isnan(wanted_value)
                        ):
                            found.append(
                                f"{key}/{trial.number} step {step} {name}: {got_value!r}, not {wanted_value!r}"
                            )
    return found
