"""Trials in rounds: which batch sizes get more of them, and which ranges are widened, decided from the ended trials.

A round is decided only when every trial of the previous one has ended, and only by the results of those trials. So the
same trials give the same next ones for any number of gangs and any order of ends, and nothing has to be stored: a later
launch of the sweep decides the same rounds from the start, from the trials by their numbers.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hvdsweep.curves.so_far import Searched, Width, interval_widths
from hvdsweep.plan import Plan, StudyPlan
from hvdsweep.store.trial_outcomes import StudyName, TrialOutcome, stored_rounds, trial_outcomes
from hvdsweep.widening import MOST_WIDENINGS, Stretch, new_points, stretches_of, widened_at
from hvdsweep.words import counted

GROWTH = 2
"""A round gives a study half of the trials that its interval asks for, at most one for every so many it has: few rounds, and few
trials too many."""

PATIENCE = 2
"""A batch size where no trial reached the goal gets at most so many times the least number of trials."""

LOOSE = 9.0
"""Wider intervals are named no more exactly: ten times the steps are 900 % more."""

ENDED = ("COMPLETE", "INFEASIBLE", "INCOMPLETE")


@dataclass(frozen=True)
class Step:
    """More trials for one study, or a wider range, or the end of its search."""

    study: StudyName
    target: int
    """New target of trials that did not diverge."""
    message: str
    """For the user: what changed, and why."""
    stretch: Stretch | None = None
    """The wider space of the new trials."""
    warning: bool = False


@dataclass
class Progress:
    """The state of one study in the rounds."""

    plan: StudyPlan
    maximize: bool
    target: int
    stretches: list[Stretch] = field(default_factory=list)
    closed: bool = False
    """Whether it was reported that more trials do not help."""
    trials: Sequence[TrialOutcome] = ()
    """The trials of the rounds so far, by number."""
    widths: list[tuple[int, float]] = field(default_factory=list)
    """(target, width of the interval) after each round."""

    @property
    def name(self) -> StudyName:
        return self.plan.workload, self.plan.batch_size

    @property
    def most(self) -> int:
        """Most trials that did not diverge."""
        return self.plan.max_trials if self.plan.most_trials is None else self.plan.most_trials

    def take(self, outcomes: Sequence[TrialOutcome]) -> bool:
        """Take the trials of the rounds so far from `outcomes`; returns whether all of them have ended."""
        wanted, taken = self.target, 0
        for outcome in outcomes:
            if not wanted:
                break
            if outcome.number != taken or outcome.status not in ENDED:
                return False
            taken += 1
            wanted -= outcome.status != "INFEASIBLE"
        if wanted and taken < self.plan.max_trials:
            return False
        self.trials = outcomes[:taken]
        return True

    @property
    def searched(self) -> Searched:
        """The COMPLETE trials."""
        complete = [trial for trial in self.trials if trial.status == "COMPLETE"]
        steps = [trial.steps for trial in complete]
        before = [trial.before for trial in complete]
        every: int = self.plan.definition["evaluation"]["every"]
        return Searched(self.plan.batch_size, self.plan.steps, steps, before, every)

    @property
    def reached(self) -> bool:
        """Whether any trial reached the goal."""
        return any(trial.steps is not None for trial in self.trials if trial.status == "COMPLETE")

    @property
    def hopeless(self) -> bool:
        """Whether so many trials that did not reach the goal are enough."""
        return not self.reached and self.target >= PATIENCE * self.plan.target_trials

    @property
    def stalled(self) -> bool:
        """Whether twice as many trials have not narrowed the interval: the points lie off the fitted curve."""
        target, now = self.widths[-1]
        earlier = [width for trials, width in self.widths if 2 * trials <= target]
        return math.isfinite(now) and now >= min(earlier, default=math.inf)

    @property
    def best(self) -> TrialOutcome | None:
        """The trial that reached the goal first; if none did, the one with the best measurement."""
        complete = [trial for trial in self.trials if trial.status == "COMPLETE"]
        reached = [trial for trial in complete if trial.steps is not None]
        if reached:
            return min(reached, key=lambda trial: (trial.steps or 0, trial.number))
        measured = [trial for trial in complete if trial.best is not None]
        sign = -1.0 if self.maximize else 1.0
        return min(measured, key=lambda trial: (sign * (trial.best or 0.0), trial.number), default=None)

    @property
    def can_grow(self) -> bool:
        """Whether one more trial is allowed."""
        return self.target < self.most and len(self.trials) < self.plan.max_trials

    def grow(self, trials: int) -> int:
        """Add up to `trials` trials, as far as allowed; returns the new target."""
        self.target = min(self.target + trials, self.most)
        return self.target


class Rounds:
    """The rounds of one sweep that its trials have decided so far."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._studies = [
            Progress(study, workload.maximize, study.target_trials)
            for workload in plan.workloads
            for study in workload.studies
        ]
        self.active = any(study.plan.until is not None or study.plan.widen for study in self._studies)
        """Whether the sweep is trained in rounds."""

    @property
    def plan(self) -> Plan:
        """The sweep's plan with the trials and spaces decided so far."""
        if not self.active:
            return self._plan
        now = {
            study.name: replace(study.plan, target_trials=study.target, stretches=tuple(study.stretches))
            for study in self._studies
        }
        workloads = tuple(
            replace(
                workload, studies=tuple(now[study.workload, study.batch_size] for study in workload.studies)
            )
            for workload in self._plan.workloads
        )
        return replace(self._plan, workloads=workloads)

    def most(self) -> int | None:
        """Most trials of the whole sweep; None if their number is fixed."""
        if not any(study.plan.until is not None for study in self._studies):
            return None
        return sum(
            study.target if study.plan.until is None else max(study.most, study.target)
            for study in self._studies
        )

    def advance(
        self,
        outcomes: Mapping[StudyName, Sequence[TrialOutcome]],
        widened: Mapping[StudyName, Sequence[Stretch]] | None = None,
    ) -> list[Step]:
        """Every step that the trials have decided so far, in order; empty while a round has not ended, and after the
        last.

        `widened`: the spaces widened earlier, from which trials in the store come; they stay unchanged.
        """
        steps: list[Step] = []
        while self.active and all(study.take(outcomes.get(study.name, ())) for study in self._studies):
            widths = self._widths()
            decided = self._widenings(widened or {})
            decided += self._more_trials({step.study for step in decided}, widths)
            if not decided:
                return steps + self._closed(widths)
            steps += decided
        return steps

    def _widths(self) -> dict[StudyName, Width]:
        """Of every study's interval as `curve` prints it."""
        found: dict[StudyName, Width] = {}
        for workload in dict.fromkeys(study.plan.workload for study in self._studies):
            studies = [study for study in self._studies if study.plan.workload == workload]
            definition = studies[0].plan.definition
            margin = definition.get("margin") if definition["stop"] == "beaten" else None
            widths = interval_widths([study.searched for study in studies], margin)
            for study, width in zip(studies, widths, strict=True):
                found[study.name] = width
                study.widths.append((study.target, width.relative))
        return found

    def _widenings(self, known: Mapping[StudyName, Sequence[Stretch]]) -> list[Step]:
        steps = []
        for study in self._studies:
            earlier = known.get(study.name, ())
            index, first = len(study.stretches), len(study.trials)
            if index < len(earlier):
                if earlier[index].first > first:
                    continue
                stretch, what = earlier[index], "as before"
            else:
                found = self._wider(study)
                if found is None:
                    continue
                stretch, what = found
            former = study.stretches[-1].space if study.stretches else study.plan.space
            seed = (study.plan.seed, *study.name)
            more = max(1, new_points(former, stretch, seed, index + 1)) if stretch.first == first else 0
            study.stretches.append(stretch)
            before = study.target
            target = study.grow(more)
            more_trials = counted(target - before, "more trial")
            message = f"{_name(study)}: range widened, {what}: {more_trials}, {target} in all"
            steps.append(Step(study.name, target, message, stretch))
        return steps

    def _wider(self, study: Progress) -> tuple[Stretch, str] | None:
        """The next wider space of a study whose best trial lies at the edge of a range, and a description of it."""
        best = study.best
        if (
            not study.plan.widen
            or best is None
            or not study.can_grow
            or len(study.stretches) >= MOST_WIDENINGS
        ):
            return None
        space = study.stretches[-1].space if study.stretches else study.plan.space
        found = widened_at(space, best.parameters)
        if found is None:
            return None
        return Stretch(len(study.trials), found[0]), ", ".join(found[1])

    def _more_trials(self, busy: set[StudyName], widths: Mapping[StudyName, Width]) -> list[Step]:
        """More for every study whose steps are not certain enough, the less certain the more."""
        steps = []
        for study in self._studies:
            until, width = study.plan.until, widths[study.name]
            if until is None or width.relative <= until or not study.can_grow or study.name in busy:
                continue
            if study.hopeless or study.stalled or width.spacing >= until:
                continue
            before = study.target
            growth = _growth(before, width, until)
            if not study.reached:
                growth = min(growth, PATIENCE * study.plan.target_trials - before)
            target = study.grow(growth)
            more = counted(target - before, "more trial")
            message = f"{_name(study)}: {more}, {target} in all: its steps to the goal are {_known(width)}"
            steps.append(Step(study.name, target, message))
        return steps

    def _closed(self, widths: Mapping[StudyName, Width]) -> list[Step]:
        """After the last round, once: the studies whose steps are not certain enough, and why they get no more trials."""
        steps = []
        for study in self._studies:
            until, width = study.plan.until, widths[study.name]
            if study.closed or until is None or width.relative <= until:
                continue
            if study.hopeless:
                text = (
                    f"none of {counted(study.target, 'trial')} reached the goal, so it gets no more; "
                    "a longer budget or another search may help"
                )
            elif width.spacing >= until:
                every = study.plan.definition["evaluation"]["every"]
                best = study.best.steps if study.best is not None else None
                text = (
                    f"its steps to the goal are {_known(width)}, not within {100 * until:.3g} %, and more trials cannot help: "
                    f"the goal was reached after {best} steps and an evaluation comes every {every}; evaluate more often"
                )
            elif study.stalled:
                text = (
                    f"its steps to the goal are {_known(width)}, not within {100 * until:.3g} %, and twice as many trials did "
                    f"not narrow that, so it gets no more than {study.target}: the curve's points lie off the fitted formula"
                )
            else:
                text = (
                    f"after {counted(study.target, 'trial')}, the most allowed, its steps to the goal are {_known(width)}, "
                    f"not within {100 * until:.3g} %"
                )
            study.closed = True
            steps.append(Step(study.name, study.target, f"{_name(study)}: {text}", warning=True))
        return steps


def decide(conn: sqlite3.Connection, sweep_id: int, rounds: Rounds) -> list[Step]:
    """Advance `rounds` by the trials in the store; returns the steps that the store does not contain yet."""
    if not rounds.active:
        return []
    stored = stored_rounds(conn, sweep_id)
    widened = {name: stretches_of(search) for name, (_, search) in stored.items()}
    steps = rounds.advance(trial_outcomes(conn, sweep_id), widened)
    return [
        step
        for step in steps
        if step.warning
        or (step.stretch is not None and step.stretch not in widened.get(step.study, ()))
        or (step.stretch is None and step.target > stored.get(step.study, (0, {}))[0])
    ]


def resumed(conn: sqlite3.Connection, plan: Plan) -> tuple[Plan, list[Step]]:
    """The plan with the trials and spaces decided by this sweep's trials in the store, and which steps are new."""
    rounds = Rounds(plan)
    row = conn.execute("SELECT id FROM sweeps WHERE key = ?", (plan.key,)).fetchone()
    steps = decide(conn, row[0], rounds) if row is not None else []
    return rounds.plan, steps


def _growth(trials: int, width: Width, until: float) -> int:
    """How many more: half of what is missing if the width beyond that of the evaluations falls as the root of the trials."""
    most = -(-trials // GROWTH)
    if not math.isfinite(width.relative):
        return most
    missing = trials * (width.relative**2 - until**2) / (until**2 - width.spacing**2)
    return max(1, min(most, math.ceil(missing / 2)))


def _name(study: Progress) -> str:
    return f"{study.plan.workload}, batch size {study.plan.batch_size}"


def _known(width: Width) -> str:
    if not math.isfinite(width.relative):
        return "known too loosely for an interval"
    if width.relative > LOOSE:
        return "not even known within a factor of ten"
    return f"known within {100 * width.relative:.3g} %"
