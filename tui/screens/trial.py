"""One trial: what it is, all its metaparameters and metrics with a chart of each, and why it failed if it did."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from hvdsweep.charts import Axis, Chart, Reference, Series
from hvdsweep.repeats import trial_name
from hvdsweep.states import Status
from hvdsweep.store.rows import TrialRow, WorkloadRow
from hvdsweep.store.schema import naturally_maximised
from hvdsweep.visible import visible
from hvdsweep.words import as_float
from tui.actions import bindings
from tui.screens.base import AppScreen, Words
from tui.selection import Selection
from tui.snapshot import Snapshot
from tui.trial_rows import outcome
from tui.widgets.chart import ChartView
from tui.widgets.columns import Column, Row
from tui.widgets.table import Table
from tui.words import clock, count, duration, number

if TYPE_CHECKING:
    from hvdsweep.store.rows import Measurements
    from hvdsweep.store.store import Store
    from tui.widgets.loss_chart import LossCurve

LOSS = "training loss"

METRICS: tuple[Column[object], ...] = (
    Column("metric", 26, grow=True, fixed=True),
    Column("best", 9, right=True, fixed=True),
    Column("at step", 8, right=True, fixed=True),
    Column("last", 9, right=True),
    Column("points", 8, right=True),
)

LOG_LINES = 12
"""Last lines of the rank's log that are shown of a failed trial."""


@dataclass(frozen=True)
class TrialRecords:
    """All that is recorded of a trial."""

    trial: TrialRow
    workload: WorkloadRow | None
    losses: LossCurve
    measurements: Measurements
    log: tuple[str, ...]
    """The end of rank 0's log, where the trial failed and the log is on this machine."""


class TrialScreen(AppScreen):
    """A detail of the screen it was opened on; `esc` goes back there."""

    PLACE = "trial"
    BINDINGS = [*bindings("trial", "chart")]  # noqa: RUF012
    DEFAULT_CSS = """
    TrialScreen #facts { width: 40; height: 1fr; border-right: solid $border; padding: 0 1; scrollbar-size-vertical: 1; }
    TrialScreen #facts Static { width: 1fr; height: auto; }
    TrialScreen #right { width: 1fr; height: 1fr; }
    TrialScreen #metrics { height: auto; max-height: 35%; min-height: 3; }
    TrialScreen #curve { height: 1fr; margin-top: 1; }
    TrialScreen #words {
        height: auto; max-height: 45%; padding: 0 1; border-top: solid $error; border-title-color: $error; display: none;
        scrollbar-size-vertical: 1;
    }
    TrialScreen #words Static { width: 1fr; height: auto; }
    TrialScreen.-failed #words { display: block; }
    TrialScreen.-narrow #trial, TrialScreen.-tiny #trial { layout: vertical; }
    TrialScreen.-narrow #facts, TrialScreen.-tiny #facts { width: 1fr; height: auto; max-height: 6; border-right: none; }
    TrialScreen.-low #curve { display: none; }
    """

    def __init__(self, trial: int, tab: str = "live") -> None:
        super().__init__()
        self.trial = trial
        self.tab = tab
        self._before: Selection | None = None
        """What was selected on the screen below."""
        self._findings: TrialRecords | None = None
        self._unknown: Words | None = None
        """Why there is nothing to show of it."""

    def compose_body(self) -> ComposeResult:
        with Horizontal(id="trial"):
            with VerticalScroll(id="facts"):
                yield Static(markup=False)
            with Vertical(id="right"):
                yield Table(METRICS, empty="nothing measured yet", id="metrics")
                yield ChartView(id="curve")
                with VerticalScroll(id="words"):
                    yield Static(markup=False)

    def on_mount(self) -> None:
        self.set_focus(self.query_one("#metrics", Table))
        self.query_one("#words").border_title = "Why it failed"

    @property
    def chart(self) -> ChartView | None:
        return self.query_one("#curve", ChartView) if self.is_mounted else None

    @property
    def way_back(self) -> Callable[[], object] | None:
        return super().way_back or self._leave

    def _leave(self) -> None:
        if self._before is not None:
            # Live would filter by the trial's study.
            self.interface.select(self._before)
        self.app.pop_screen()

    def show(self, snapshot: Snapshot) -> None:
        if self._findings is None or self._findings.trial.status in (Status.PENDING, Status.RUNNING):
            self._ask()

    def _ask(self) -> None:
        self.questions.ask(self.answer_trial, self.trial, partial(_find, self.trial))

    def failed(self, about: object, text: str) -> None:
        self._unknown = (f"No trial {about}", text, "esc goes back.")
        self.notice_absence()

    @property
    def absence(self) -> Words | None:
        return super().absence or self._unknown

    def answer_trial(self, about: object, found: TrialRecords) -> None:
        self._unknown = None
        self.export_name = f"trial-{self.trial}"
        self.notice_absence()
        self._findings = found
        trial = found.trial
        self._before = self._before or self.interface.selection
        self.interface.select(Selection(trial.sweep_id, trial.workload, trial.batch_size))
        self._show_facts()
        table = self.query_one("#metrics", Table)
        table.put(_metrics(found))
        said = "\n".join(filter(None, (trial.message or "", *found.log)))
        failed = bool(said) and trial.status is not Status.COMPLETE
        self.set_class(failed, "-failed")
        self.query_one("#words").border_title = (
            "Why it failed" if trial.status is Status.INCOMPLETE else "What was said"
        )
        self.query_one("#words Static", Static).update(visible(said, lines=True))
        self._draw()

    def _show_facts(self) -> None:
        if self._findings is not None:
            narrow = self.has_class("-narrow") or self.has_class("-tiny")
            self.query_one("#facts Static", Static).update((_sentence if narrow else _facts)(self._findings))

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_facts)

    @on(Table.Highlighted, "#metrics")
    def _draw(self) -> None:
        found, key = self._findings, self.query_one("#metrics", Table).key
        if found is None or key is None:
            return
        self.query_one("#curve", ChartView).chart = _chart(found, key)

    def action_neighbour(self, way: int) -> None:
        if self._findings is not None:
            trial = self._findings.trial
            self.questions.ask(
                self.answer_next, (trial.id, way), partial(_neighbour, trial.study_id, trial.number, way)
            )

    def answer_next(self, about: object, value: int | None) -> None:
        if value is None:
            self.notify("No further trial in this study.", timeout=2)
            return
        self.trial, self._findings = value, None
        self._ask()

    def action_copy(self) -> None:
        if self._findings is not None:
            pairs = self._findings.trial.parameters.items()
            self.app.copy_to_clipboard(", ".join(f"{name} = {value!r}" for name, value in pairs))
            self.notify("Copied the metaparameters.")


def _find(trial_id: int, store: Store) -> TrialRecords:
    from hvdsweep.launch.logs import log_files, read_log

    with store.snapshot():
        trial = store.trial(trial_id)
        workload = next((row for row in store.workloads(trial.sweep_id) if row.name == trial.workload), None)
        losses, measurements = store.losses(trial_id), store.measurements(trial_id)
        gangs = store.gangs(trial.sweep_id) if trial.status is Status.INCOMPLETE else []
    log: tuple[str, ...] = ()
    for gang in gangs:
        files = log_files(gang.log_dir) if gang.id == trial.gang_id and not trial.message else []
        if files:
            log = read_log(files[0]).lines[-LOG_LINES:]
    return TrialRecords(trial, workload, losses, measurements, log)


def _neighbour(study: int, place: int, way: int, store: Store) -> int | None:
    compare, order = (">", "ASC") if way > 0 else ("<", "DESC")
    rows = store.rows(
        f"SELECT id FROM trials WHERE study_id = ? AND number {compare} ? ORDER BY number {order} LIMIT 1",
        (study, place),
    )
    return rows[0][0] if rows else None


def _named(found: TrialRecords) -> tuple[list[tuple[str, str | Content]], list[tuple[str, str | Content]]]:
    """(what the trial is, its metaparameters), as (name, value)."""
    trial = found.trial
    share = f" of {count(trial.train_steps)}" if trial.train_steps else ""
    facts: list[tuple[str, str | Content]] = [
        ("workload", visible(trial.workload)),
        ("batch size", count(trial.batch_size)),
        ("number", f"{trial_name(trial.number)} of its study"),
        ("status", outcome(trial)),
        ("steps", f"{count(trial.steps)}{share}"),
    ]
    if trial.goal_step is not None:
        facts.append(("goal at", f"step {count(trial.goal_step)}"))
    if trial.started is not None:
        facts.append(("started", clock(trial.started, day=True)))
        if trial.ended is not None:
            facts.append(("took", duration(trial.ended - trial.started)))
    if trial.attempts:
        facts.append(("failures", str(trial.attempts)))
    if trial.gang_id is not None:
        facts.append(("gang", str(trial.gang_id)))
    if trial.chosen:
        facts.append(("chosen", visible(trial.chosen)))
    if trial.seed is not None:
        facts.append(("seed", str(trial.seed)))
    parameters: list[tuple[str, str | Content]] = [
        (visible(name.replace("_", " ")), number(value, 6)) for name, value in trial.parameters.items()
    ]
    rate = as_float(trial.parameters.get("learning_rate"))
    momentum = as_float(trial.parameters.get("momentum"))
    if math.isfinite(rate) and momentum < 1:
        parameters.append(("effective rate", number(rate / (1 - momentum), 6)))
    return facts, parameters


def _facts(found: TrialRecords) -> Content:
    """One fact a line."""
    facts, parameters = _named(found)
    width = max(len(name) for name, _ in (*facts, *parameters)) + 2
    lines = [Content.styled(f"Trial {found.trial.id}", "bold $primary")]
    lines += [Content.assemble((f"{name:<{width}}", "$foreground-muted"), value) for name, value in facts]
    lines += [Content(""), Content.styled("Metaparameters", "bold $primary")]
    lines += [
        Content.assemble((f"{name:<{width}}", "$foreground-muted"), value) for name, value in parameters
    ]
    return Content("\n").join(lines)


def _sentence(found: TrialRecords) -> Content:
    """The same in running text, if there is little room."""
    facts, parameters = _named(found)
    parts = [Content.styled(f"Trial {found.trial.id}", "bold $primary")]
    parts += [
        Content.assemble((f"{name} ", "$foreground-muted"), value) for name, value in (*facts, *parameters)
    ]
    return Content(" · ").join(parts)


def _metrics(found: TrialRecords) -> list[Row]:
    rows = []
    steps, losses = found.losses
    everything = {LOSS: (steps, losses)} if len(steps) else {}
    everything |= {
        name: (found.measurements.steps, values) for name, values in found.measurements.values.items()
    }
    goal = found.workload.metric if found.workload is not None else None
    for name, (at, values) in everything.items():
        finite = np.flatnonzero(np.isfinite(values))
        best = step = last = ""
        if len(finite):
            place = finite[(np.argmax if _maximised(found, name) else np.argmin)(values[finite])]
            best, step, last = (
                number(float(values[place])),
                count(int(at[place])),
                number(float(values[finite[-1]])),
            )
        title = Content.assemble(name, (" goal", "$accent")) if name == goal else name
        rows.append(Row(name, (title, best, step, last, count(len(values)))))
    return rows


def _maximised(found: TrialRecords, name: str) -> bool:
    workload = found.workload
    return (
        workload.maximize if workload is not None and workload.metric == name else naturally_maximised(name)
    )


def _chart(found: TrialRecords, name: str) -> Chart:
    if name == LOSS:
        steps, values = found.losses
    else:
        steps, values = found.measurements.steps, found.measurements.values[name]
    references = []
    workload = found.workload
    if workload is not None and workload.metric == name and workload.goal is not None:
        references.append(Reference(f"goal {number(workload.goal)}", horizontal=workload.goal, color="goal"))
    return Chart(
        (Series(name, steps, values),),
        x=Axis("linear", title="step"),
        y=Axis("log10", title=name),
        references=tuple(references),
        legend=False,
        empty="nothing measured yet",
    )
