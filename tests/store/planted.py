"""Learning curves planted by a test, and gangs that play them through the real store: claim, record, end; no training."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hvdsweep.search import Range, Space
from hvdsweep.states import Status, StopReason
from hvdsweep.stopping import beaten_at
from hvdsweep.store.connection import connect
from hvdsweep.store.exchange import Claim, Final, TrialUpdate
from hvdsweep.store.lifecycle import begin_run
from hvdsweep.store.plans import save_plan, top_up
from hvdsweep.store.writer import TrialWriter
from tests.plans import GOAL, FixedStudy, Plan, Trial, Workload

from .plans import gang

EVERY = 5
"""Steps between evaluations."""


@dataclass(frozen=True)
class Fate:
    """What one trial would do, if it trained on to its budget."""

    goal_at: int | None = None
    """Step of the first evaluation beyond the goal."""
    diverges_at: int | None = None
    """The step at which it diverges; after `goal_at` it may."""


@dataclass(frozen=True)
class PlantedStudy(FixedStudy):
    """One batch size whose trials' fates are known: more of them than it needs, for those that diverge."""

    batch_size: int
    fates: Sequence[Fate]
    target_trials: int
    stop: str
    margin: float = 0.0
    steps: int = 50
    seed: int = 1
    repeats: int = 0

    @property
    def max_trials(self) -> int:
        return len(self.fates)

    @property
    def space(self) -> Space:
        return Space({"learning_rate": Range("log", 0.01, 1.0), "momentum": Range("reverse_log", 0.5, 0.99)})

    @property
    def search(self) -> Mapping[str, Any]:
        return self.space.to_json()

    @property
    def definition(self) -> Mapping[str, Any]:
        return {
            "workload": "w",
            "batch_size": self.batch_size,
            "steps": self.steps,
            "goal": GOAL,
            "stop": self.stop,
            **({"margin": self.margin} if self.margin else {}),
        }

    @property
    def trials(self) -> Sequence[Trial]:
        return self.trial_range(0, self.target_trials)

    def trial_range(self, start: int, count: int) -> Sequence[Trial]:
        points = self.space.points(self.batch_size, start, count)
        return [Trial(n, f"{self.batch_size}/{n}", n, point) for n, point in enumerate(points, start=start)]

    def answer(self) -> tuple[int, int] | None:
        """(steps to the goal, number) by the paper's protocol: every trial to its budget, diverged ones replaced."""
        counted = 0
        found: list[tuple[int, int]] = []
        for number, fate in enumerate(self.fates):
            if counted == self.target_trials:
                break
            if fate.diverges_at is not None:
                continue
            counted += 1
            if fate.goal_at is not None:
                found.append((fate.goal_at, number))
        return min(found, default=None)


def planted_plan(studies: Sequence[PlantedStudy]) -> Plan:
    return Plan([Workload(studies)], definition={"training": {"stop": studies[0].stop}})


@dataclass
class _Running:
    claim: Claim
    done: int = 0


@dataclass
class Player:
    """A run of a planted sweep with some gangs, whose turns are drawn."""

    path: Path
    studies: Sequence[PlantedStudy]
    order: str | None = None
    gangs: int = 1
    seed: int = 0
    trained: int = 0
    """Steps trained in all."""
    choices: list[tuple[int, int]] = field(default_factory=list)
    """(batch size, number) in the order of claims."""

    def play(self, ticks: int | None = None) -> Player:
        """Plan, and train until nothing is left, or for so many evaluations; then what is running is given back."""
        plan = planted_plan(self.studies)
        conn = connect(self.path, create=True)
        save_plan(conn, plan)
        begin_run(conn, 1, np=1, gangs=self.gangs, order=self.order)
        draw = random.Random(self.seed)
        writers = [gang(self.path) for _ in range(self.gangs)]
        running: list[_Running | None] = [
            self._started(writer.commit(None, claim=True)) for writer in writers
        ]
        while ticks is None or ticks > 0:
            busy = [index for index, one in enumerate(running) if one is not None]
            if not busy:
                if not top_up(conn, 1, plan):
                    break
                running = [self._started(writer.commit(None, claim=True)) for writer in writers]
                continue
            index = draw.choice(busy)
            running[index] = self._step(writers[index], running[index])
            if running[index] is None and top_up(conn, 1, plan):
                running[index] = self._started(writers[index].commit(None, claim=True))
            if ticks is not None:
                ticks -= 1
        for writer, one in zip(writers, running, strict=True):
            if one is not None:
                writer.release(one.claim.trial_id)
            writer.close()
        conn.close()
        return self

    def _started(self, reply: Any) -> _Running | None:
        if reply.claim is None:
            return None
        self.choices.append((reply.claim.definition["batch_size"], reply.claim.number))
        return _Running(reply.claim)

    def _step(self, writer: TrialWriter, one: _Running) -> _Running | None:
        """Up to the next evaluation, as a rank does it; the gang's next trial where this one ended."""
        claim = one.claim
        study = next(s for s in self.studies if s.batch_size == claim.definition["batch_size"])
        fate = study.fates[claim.number]
        first, one.done = one.done + 1, min(one.done + EVERY, study.steps)
        if fate.diverges_at is not None and fate.diverges_at <= one.done:
            one.done = fate.diverges_at
            final = Final(Status.INFEASIBLE, StopReason.DIVERGED)
            return self._record(writer, one, first, None, final)
        there = fate.goal_at is not None and fate.goal_at <= one.done
        value = GOAL["value"] / 2 if there else 1.0 - one.done / study.steps / 2
        reason = None
        if there and study.stop != "budget":
            reason = StopReason.GOAL
        elif one.done == study.steps:
            reason = StopReason.BUDGET
        elif study.stop == "beaten":
            best = writer.best_steps_to_goal(claim.study_id, GOAL["metric"], GOAL["value"], False)
            if best is not None and beaten_at(best, study.margin) <= one.done:
                reason = StopReason.BEATEN
        final = None if reason is None else Final(Status.COMPLETE, reason)
        return self._record(writer, one, first, value, final)

    def _record(
        self, writer: TrialWriter, one: _Running, first: int, value: float | None, final: Final | None
    ) -> _Running | None:
        count = one.done - first + 1
        self.trained += count
        measured = [] if value is None else [(one.done, {GOAL["metric"]: value})]
        update = TrialUpdate(one.claim.trial_id, np.ones(count), one.done, first, measured, final)
        reply = writer.commit(update, claim=final is not None)
        return one if final is None else self._started(reply)
