"""The plan of a sweep as it is typed: totals, hours, advice, a row per study, and the points of one of them."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tui.composing.outlook import Outlook, points_chart
from tui.widgets.chart import DrawnChart
from tui.widgets.columns import Column, row_of
from tui.widgets.table import Table
from tui.words import count, duration, plural

if TYPE_CHECKING:
    from hvdsweep.plan import Plan, StudyPlan
    from hvdsweep.plan_summary import PlanSummary, StudySummary

Planned = tuple["StudySummary", "StudyPlan"]


def _runs(sizes: tuple[int, ...]) -> str:
    """3×22 2×21: equal neighbours counted."""
    grouped = [(size, len(list(same))) for size, same in groupby(sizes)]
    return " ".join(f"{several}×{count(size)}" if several > 1 else count(size) for size, several in grouped)


def _passes(study: StudySummary) -> str:
    """The passes of the busiest rank: 1, or 4×256."""
    most = max(study.passes, key=len)
    return "1" if len(most) <= 1 else _runs(most)


def _hours(study: StudySummary) -> str:
    return "" if study.hours is None else f"{'' if study.measured else '~'}{duration(study.hours * 3600)}"


STUDIES: tuple[Column[Planned], ...] = (
    Column("algorithm", 9, lambda study: study[0].workload.rpartition("/")[2], grow=True, fixed=True),
    Column("batch", 7, lambda study: count(study[0].batch_size), right=True, fixed=True),
    Column("steps", 8, lambda study: count(study[0].steps), right=True, fixed=True),
    Column("per rank", 8, lambda study: _runs(study[0].ranks), right=True),
    Column("passes", 6, lambda study: _passes(study[0]), right=True),
    Column("time", 12, lambda study: _hours(study[0]), right=True),
    Column("measured", 8, lambda study: f"{count(study[0].measurements)}×", right=True),
)

SHOWN = 6
"""Mistakes that are listed at most."""


class OutlookView(Vertical):
    """Shows an `Outlook`; the points are those of the study under the cursor."""

    SCOPED_CSS = False  # Its rules begin with classes of the screen.
    DEFAULT_CSS = """
    OutlookView { height: 1fr; width: 1fr; }
    OutlookView #totals { height: auto; padding: 0 1; }
    OutlookView #advice { height: auto; max-height: 5; padding: 0 1; color: $foreground-muted; }
    OutlookView #plan { height: 1fr; min-height: 3; }
    OutlookView #points { height: 1fr; min-height: 5; max-height: 14; }
    OutlookView.-stale #plan, OutlookView.-stale #points { opacity: 50%; }
    .-low OutlookView #advice, .-low OutlookView #points { display: none; }
    """

    def compose(self) -> ComposeResult:
        yield Static(id="totals")
        yield Static(id="advice", markup=False)
        yield Table(STUDIES, empty="no plan yet", id="plan")
        yield DrawnChart(id="points")

    def show(self, outlook: Outlook) -> None:
        plan, summary, table = outlook.plan, outlook.summary, self.query_one("#plan", Table)
        self.set_class(summary is None, "-stale")
        if plan is None or summary is None:
            wrong = len(outlook.problems)
            said = plural(wrong, "mistake") if wrong else outlook.unplanned
            if outlook.place is not None:
                said = "The text is not TOML"
            if table.total:
                said += ". The plan below is from before the change."
            mistakes = [f"{one.key}: {one.text}" if one.key else one.text for one in outlook.problems[:SHOWN]]
            return self._say(Content.styled("\n".join((said, *mistakes)), "$error"))
        notes = [*(f"Note: {remark.text}." for remark in outlook.warnings if not remark.key), summary.advice]
        self._say(_totals(summary, plan), " ".join(notes))
        studies = zip(summary.studies, plan.studies, strict=True)
        table.put([row_of(STUDIES, f"{one[0].workload} {one[0].batch_size}", one) for one in studies])
        self._draw()

    def _say(self, totals: Content, advice: str = "") -> None:
        self.query_one("#totals", Static).update(totals)
        self.query_one("#advice", Static).update(advice)

    def clear(self) -> None:
        """Nothing is known yet."""
        self._say(Content.styled("checking …", "$foreground-muted"))
        self.query_one("#plan", Table).put(())
        self.query_one(DrawnChart).put(None)

    @on(Table.Highlighted)
    def _study_selected(self, message: Table.Highlighted) -> None:
        message.stop()
        self._draw()

    def _draw(self) -> None:
        """The points of the study under the cursor, worked out in a thread."""
        about: Planned | None = self.query_one("#plan", Table).about
        if about is not None:
            study = about[1]
            self.query_one(DrawnChart).draw((study.key, study.target_trials), partial(points_chart, study))


def _totals(summary: PlanSummary, plan: Plan) -> Content:
    weights = plan.workloads[0].parameters
    lines = [
        Content.assemble(
            (summary.name, "bold $foreground"),
            f"  {plural(summary.workloads, 'workload')} · {plural(len(summary.studies), 'study', 'studies')} · "
            f"{plural(summary.trials, 'trial')}",
        ),
        Content(f"{count(summary.steps)} steps · {count(summary.examples)} examples")
        + (Content(f" · {count(weights)} weights") if weights else Content("")),
        Content(f"{summary.at_once}: ") + _time(summary),
    ]
    return Content("\n").join(lines)


def _time(summary: PlanSummary) -> Content:
    if summary.hours is None:
        known = sum(study.hours is not None for study in summary.studies)
        said = f"speed known of {known} of {len(summary.studies)}" if known else "no speed measured yet"
        return Content.styled(said, "$foreground-muted")
    sure = all(study.measured for study in summary.studies)
    time = f"{'' if sure else 'about '}{duration(summary.hours * 3600)}"
    return Content.assemble((time, "bold $success"), (" of training", "$foreground-muted"))
