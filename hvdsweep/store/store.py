"""A store for its readers: the queries for its sweeps, studies, trials, losses and gangs."""

from __future__ import annotations

import dataclasses
import functools
import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hvdsweep.errors import HvdsweepError, UserError
from hvdsweep.states import Status
from hvdsweep.store.connection import error_for
from hvdsweep.store.liveness import Heartbeats, lives_here
from hvdsweep.store.reader import Reader
from hvdsweep.store.rows import (
    EventRow,
    GangRow,
    Measurements,
    StudyRow,
    SweepRow,
    ThroughputRow,
    TrialFilter,
    TrialPage,
    TrialRow,
    WorkloadRow,
)
from hvdsweep.store.schema import MARGIN, SEARCH_TRIAL, quoted
from hvdsweep.store.stages import usual_seconds
from hvdsweep.store.throughput import THROUGHPUT
from hvdsweep.visible import visible

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from hvdsweep.curves.table import WorkloadTable
    from hvdsweep.store.status import StoreStatus

Method = TypeVar("Method", bound=Callable[..., Any])


def explaining(method: Method) -> Method:
    """A query that fails because of the file's content raises RunFailed naming table, row and column."""

    @functools.wraps(method)
    def ask(self: Reader, *values: Any, **named: Any) -> Any:
        try:
            return method(self, *values, **named)
        except HvdsweepError:
            raise
        except (sqlite3.Error, ArithmeticError, LookupError, TypeError, ValueError) as error:
            self.explain(error)
            raise

    return ask  # type: ignore[return-value]


LAST_EVENTS = 10
"""Number of last events in a status."""


class Store(Reader):
    """A read-only connection and its queries, for one thread at a time; every reading thread opens its own."""

    def __init__(self, path: Path) -> None:
        self._heartbeats = Heartbeats()
        super().__init__(path)

    @explaining
    def sweeps(self) -> list[SweepRow]:
        """All sweeps, oldest first."""
        now = time.time()
        rows = self.rows(
            "SELECT id, name, key, source, file, state, request, created, started, ended, heartbeat, np, gangs,"
            f" {self.column('sweeps', 'slots')}, versions, {self.column('sweeps', 'supervisor')}, supervisor_pid,"
            " supervisor_host FROM sweeps ORDER BY id"
        )
        found = []
        for *fields, versions, process, pid, host in rows:
            sweep_id, state, heartbeat = fields[0], fields[5], fields[10]
            live = False
            if state in ("RUNNING", "STOPPING"):
                here = lives_here(process, pid, host)
                live = self._heartbeats.lives(sweep_id, heartbeat, now) if here is None else here
            found.append(
                SweepRow(*[fields[0], visible(fields[1]), *fields[2:], json.loads(versions or "{}"), live])
            )
        return found

    @explaining
    def workloads(self, sweep_id: int | None = None) -> list[WorkloadRow]:
        """The workloads of one sweep, or of all."""
        rows = self.rows(
            "SELECT id, sweep_id, name, dataset, model, algorithm, metric, goal, maximize, train_examples, parameters,"
            f" {MARGIN}"
            " FROM workloads WHERE ?1 IS NULL OR sweep_id = ?1 ORDER BY id",
            (sweep_id,),
        )
        return [WorkloadRow(*[*row[:8], bool(row[8]), *row[9:]]) for row in rows]

    @explaining
    def studies(self, sweep_id: int | None = None) -> list[StudyRow]:
        """The studies of one sweep, or of all, by workload and batch size."""
        rows = self.rows(
            "SELECT s.id, w.sweep_id, w.id, w.name, s.batch_size, s.train_steps, s.target_trials, s.max_trials, s.seed,"
            " s.definition, s.search FROM studies s JOIN workloads w ON w.id = s.workload_id"
            " WHERE ?1 IS NULL OR w.sweep_id = ?1 ORDER BY w.id, s.batch_size",
            (sweep_id,),
        )
        return [StudyRow(*[*row[:9], json.loads(row[9]), json.loads(row[10])]) for row in rows]

    def searches(self, sweep_id: int | None = None) -> dict[int, dict[int, Mapping[str, Any]]]:
        """Workload id -> batch size -> search space, of one sweep or of all."""
        found: dict[int, dict[int, Mapping[str, Any]]] = {}
        for study in self.studies(sweep_id):
            found.setdefault(study.workload_id, {})[study.batch_size] = study.search
        return found

    @explaining
    def counts(self, *, repeats: bool = False) -> dict[int, dict[Status, int]]:
        """Study id -> state -> number of trials of its search, or of repeats of its best trial (absent: none)."""
        which = f"NOT {SEARCH_TRIAL}" if repeats else SEARCH_TRIAL
        found: dict[int, dict[Status, int]] = {}
        # The index on (study_id, status, number) answers this alone.
        for study, status, count in self.rows(
            f"SELECT study_id, status, count(*) FROM trials t WHERE {which} GROUP BY 1, 2"
        ):
            found.setdefault(study, {})[Status[status]] = count
        return found

    @explaining
    def trials(
        self,
        where: TrialFilter | None = None,
        *,
        sort: str = "id",
        descending: bool = False,
        offset: int = 0,
        limit: int | None = None,
    ) -> TrialPage:
        """A page of trials; `sort` is one of `trial_pages.SORTS` or "parameters.NAME"."""
        from hvdsweep.store.trial_pages import trial_page

        return trial_page(self, where or TrialFilter(), sort, descending, offset, limit)

    @explaining
    def trial(self, trial_id: int) -> TrialRow:
        """One trial; UserError for an unknown id."""
        from hvdsweep.store.trial_pages import trial_rows

        rows = trial_rows(self, [trial_id])
        if not rows:
            raise UserError(
                f"{self.path}: no trial {trial_id}. `status --json` and the table `trials` name them."
            )
        return rows[0]

    @explaining
    def parameter_names(self) -> list[str]:
        """The metaparameters of the studies' first trials, sorted."""
        rows = self.rows(
            "SELECT DISTINCT j.key FROM trials t, json_each(t.parameters) j WHERE t.number = 0 ORDER BY 1"
        )
        return [row[0] for row in rows]

    @explaining
    def losses(self, trial_id: int, after: int = 0) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """(steps [n], losses [n]) of a trial beyond step `after`, ascending; NaN if the loss was not a number."""
        import numpy as np

        rows = self.array(
            [("step", "i8"), ("loss", "f8")],
            "SELECT step, loss FROM losses WHERE trial_id = ? AND step > ? ORDER BY step",
            (trial_id, after),
        )
        return np.ascontiguousarray(rows["step"]), np.ascontiguousarray(rows["loss"])

    @explaining
    def measurements(self, trial_id: int) -> Measurements:
        """All evaluations of a trial."""
        import numpy as np

        names = self.metrics()
        columns = ", ".join(["step", *map(quoted, names)])
        rows = self.rows(f"SELECT {columns} FROM measurements WHERE trial_id = ? ORDER BY step", (trial_id,))
        table = np.array([row[1:] for row in rows], np.float64).reshape(len(rows), len(names))
        steps = np.array([row[0] for row in rows], np.int64)
        return Measurements(
            steps,
            {
                name: np.ascontiguousarray(table[:, i])
                for i, name in enumerate(names)
                if any(row[i + 1] is not None for row in rows)
            },
        )

    @explaining
    def workload_table(
        self,
        workload: str,
        metric: str | None = None,
        sweep: int | None = None,
        maximize: bool | None = None,
        *,
        repeats: bool = False,
    ) -> WorkloadTable:
        """The input of curves: one workload of a sweep (default: the latest that has it) under one metric.

        Holds the trials of its searches, or with `repeats` only the repeats of their best trials (`hvdsweep.repeats`
        maps a repeat's number to its trial). `metric` and `maximize` default to the goal's. UserError lists the known
        names if a name is unknown.
        """
        from hvdsweep.store.workload_tables import newest, workload_table

        with self.snapshot():
            row = newest(self, self.workloads(sweep), workload, sweep)
            return workload_table(self, row, metric, maximize, repeats=repeats)

    @explaining
    def gangs(self, sweep_id: int | None = None) -> list[GangRow]:
        """All gangs, oldest first, each with the trial that it is training."""
        rows = self.rows(
            "SELECT g.id, g.sweep_id, g.np, g.host, g.pid, g.state, g.trial_id, w.name, s.batch_size, t.number, t.steps,"
            f" s.train_steps, g.started, g.heartbeat, g.ended, g.message, g.log_dir, {self.column('gangs', 'stage')},"
            f" {self.column('gangs', 'first_step')} FROM gangs g"
            " LEFT JOIN trials t ON t.id = g.trial_id LEFT JOIN studies s ON s.id = t.study_id"
            " LEFT JOIN workloads w ON w.id = s.workload_id WHERE ?1 IS NULL OR g.sweep_id = ?1 ORDER BY g.id",
            (sweep_id,),
        )
        return [
            self._with_usual(
                dataclasses.replace(
                    GangRow(*row),
                    host=None if row[3] is None else visible(row[3]),
                    message=None if row[15] is None else visible(row[15], lines=True),
                )
            )
            for row in rows
        ]

    def _with_usual(self, gang: GangRow) -> GangRow:
        if gang.stage is None or gang.first_step is not None or gang.ended is not None:
            return gang
        try:
            return dataclasses.replace(gang, usual_start_seconds=usual_seconds(self._conn, gang.np))
        except sqlite3.DatabaseError as error:
            raise error_for(self.path, error) from error

    @explaining
    def events(
        self, after_id: int = 0, *, sweep_id: int | None = None, latest: int | None = None
    ) -> list[EventRow]:
        """Events with a greater id than `after_id`, oldest first; only the last `latest` of them if given."""
        rows = self.rows(
            "SELECT id, time, sweep_id, gang_id, trial_id, kind, message FROM events"
            " WHERE id > ?1 AND (?2 IS NULL OR sweep_id = ?2) ORDER BY id DESC LIMIT ?3",
            (after_id, sweep_id, -1 if latest is None else latest),
        )
        return [EventRow(*[*row[:5], visible(row[5]), visible(row[6], lines=True)]) for row in reversed(rows)]

    @explaining
    def throughput(self) -> list[ThroughputRow]:
        """Every measured speed, oldest first."""
        return [ThroughputRow(*row) for row in self.rows(THROUGHPUT)]

    @explaining
    def status(self, sweep_id: int | None = None, events: int = LAST_EVENTS) -> StoreStatus:
        """The progress of one sweep, or all, with active gangs and the last `events`. UserError: unknown sweep."""
        from hvdsweep.store.status import StoreStatus, sweep_status

        with self.snapshot():
            every = self.sweeps()
            sweeps = [sweep for sweep in every if sweep_id in (None, sweep.id)]
            if sweep_id is not None and not sweeps:
                there = ", ".join(f"{sweep.id} ({sweep.name})" for sweep in every) or "none"
                raise UserError(f"{self.path}: sweep {sweep_id}: is not in the database. There is {there}.")
            counts = (self.counts(), self.counts(repeats=True))
            gangs = [gang for gang in self.gangs(sweep_id) if gang.state not in ("STOPPED", "DEAD")]
            return StoreStatus(
                database=str(self.path),
                time=time.time(),
                sweeps=sweep_status(self, sweeps, counts, gangs),
                gangs=tuple(gangs),
                events=tuple(self.events(sweep_id=sweep_id, latest=events)),
            )

    @explaining
    def trials_frame(self, workload: str | None = None, sweep_id: int | None = None) -> pd.DataFrame:
        """One row per trial, metaparameters as columns `parameters.NAME`, indexed by trial id."""
        import pandas as pd

        rows = []
        for trial in self.trials(TrialFilter(workload=workload, sweep_id=sweep_id)).rows:
            row = {name: value for name, value in vars(trial).items() if name != "parameters"}
            row["status"], row["stop_reason"] = trial.status.name, trial.stop_reason.word
            row.update({f"parameters.{name}": value for name, value in trial.parameters.items()})
            rows.append(row)
        frame = pd.DataFrame(rows)
        return frame.set_index("id") if rows else frame

    @explaining
    def losses_frame(self, trial_ids: int | Sequence[int]) -> pd.DataFrame:
        """Columns trial_id, step, loss."""
        import numpy as np
        import pandas as pd

        curves = {one: self.losses(one) for one in _ids(trial_ids)}
        lengths = [len(steps) for steps, _ in curves.values()]
        return pd.DataFrame(
            {
                "trial_id": np.repeat(np.array([*curves], np.int64), lengths),
                "step": np.concatenate([np.empty(0, np.int64), *(steps for steps, _ in curves.values())]),
                "loss": np.concatenate([np.empty(0), *(losses for _, losses in curves.values())]),
            }
        )

    @explaining
    def measurements_frame(self, trial_ids: int | Sequence[int]) -> pd.DataFrame:
        """Columns trial_id, step and one per metric."""
        import pandas as pd

        names = self.metrics()
        frames = [pd.DataFrame(columns=["trial_id", "step", *names])]
        for trial_id in _ids(trial_ids):
            one = self.measurements(trial_id)
            row = {"trial_id": trial_id, "step": one.steps, **one.values}
            frames.append(pd.DataFrame(row, columns=frames[0].columns))
        frame = pd.concat([one for one in frames if len(one)] or frames[:1], ignore_index=True)
        return frame.astype(dict.fromkeys(["trial_id", "step"], "int64") | dict.fromkeys(names, "float64"))


def _ids(trial_ids: int | Sequence[int]) -> list[int]:
    return [trial_ids] if isinstance(trial_ids, int) else list(dict.fromkeys(trial_ids))
