"""Proves the user's own code in a separate process before any gang is started (`hvdsweep.training.proof`)."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hvdsweep.errors import UserError
from hvdsweep.launch.failure_report import death_of_process
from hvdsweep.launch.guard import guarded
from hvdsweep.launch.horovodrun import gang_environment
from hvdsweep.launch.machine import cores
from hvdsweep.launch.processes import Mark, exit_code, running
from hvdsweep.plan import Plan, make_plan
from hvdsweep.process_id import ProcessId
from hvdsweep.sweep.load import LoadedSweep
from hvdsweep.sweep.proofs import has_user_code, remember
from hvdsweep.sweep.resolve import given

MODULE = "hvdsweep.training.proof"


def prove(
    loaded: LoadedSweep, *, limit: float, note: Callable[[str], None], warn: Callable[[str], None]
) -> dict[str, str]:
    """Prove the data set and the model of a sweep if they are the user's own; returns hashes of what they give.

    UserError with every mistake, also if the proof takes more than `limit` seconds. `note` gets one line before it
    begins, `warn` whatever is allowed but probably a mistake.
    """
    sweep = loaded.sweep
    if not has_user_code(sweep):
        return {}
    names = " and ".join(name for name in dict.fromkeys((sweep.dataset, sweep.model)) if ":" in name)
    note(f"Proving {names}: imports TensorFlow, loads the data, builds the model, usually 10 to 40 s ...")
    found = _run(_job(loaded), names, limit, os.environ)
    if found["problems"]:
        raise UserError(*(_sentence(loaded, key, text) for key, text in found["problems"]))
    for warning in found["warnings"]:
        warn(warning)
    content: dict[str, str] = found["content"]
    remember(sweep, loaded.source, content)
    return content


def prove_plan(plan: Plan, *, limit: float, note: Callable[[str], None], warn: Callable[[str], None]) -> Plan:
    """The plan of a sweep whose own code is proved now (`prove`), with the resulting hashes in its keys."""
    loaded = plan.loaded
    if loaded is None or not has_user_code(loaded.sweep):
        return plan
    return make_plan(loaded, prove(loaded, limit=limit, note=note, warn=warn))


def _sentence(loaded: LoadedSweep, key: str, text: str) -> str:
    return f"{Path(loaded.file).name if loaded.file else loaded.name}: {key}: {text}" if key else text


def _job(loaded: LoadedSweep) -> dict[str, Any]:
    sweep = loaded.sweep
    tables = [sweep.search, *sweep.search.override]
    metaparameters = {name for table in tables for name in given(table)}
    metaparameters |= {
        name for point in sweep.search.points or [] for name in point.model_dump(exclude_none=True)
    }
    return {
        "source": loaded.source,
        "dataset": sweep.dataset,
        "dataset_options": sweep.dataset_options,
        "model": sweep.model,
        "model_options": sweep.model_options,
        "metaparameters": sorted(metaparameters),
        "goal": {"metric": sweep.goal.metric},
        "splits": list(sweep.evaluation.splits),
        "batch_sizes": list(sweep.studies.batch_sizes),
    }


def _run(job: Mapping[str, Any], names: str, limit: float, environment: Mapping[str, str]) -> dict[str, Any]:
    """Run the proof in a process with the environment of a rank; returns the result."""
    with tempfile.TemporaryDirectory(prefix="hvdsweep-proof-") as folder:
        given_file, out, log = (Path(folder, name) for name in ("job.json", "out.json", "log"))
        given_file.write_text(json.dumps(job), encoding="utf-8")
        mark = Mark(ProcessId.current(), 0, 0, folder)
        variables = gang_environment(environment, size=1, threads=cores(), mark=str(mark)).variables
        command = [sys.executable, "-P", "-m", MODULE, str(given_file), str(out)]
        # Whatever user code has started ends with it, in a session of its own too.
        with guarded(), running(command, variables, log) as process:
            code = exit_code(process, within=limit)
        if code is None:
            raise UserError(
                f"{names}: not ready after {limit:g} s; if loading or building takes so long, allow more with --start-timeout"
            )
        if not out.exists():
            raise UserError(
                f"{names}: the process that tried it ended before it was done: {death_of_process(log, code)}"
            )
        found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return found
