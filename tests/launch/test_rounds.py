"""Rounds: decided by finished trials only, for any number of gangs and order of ends; bounded; always reported."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvdsweep.curves.so_far import Searched, interval_widths
from hvdsweep.launch.rounds import PATIENCE, Rounds, Step
from hvdsweep.plan import Plan, StudyPlan
from hvdsweep.stopping import beaten_at
from hvdsweep.store.trial_outcomes import StudyName, TrialOutcome
from hvdsweep.widening import MOST_WIDENINGS
from tests.sweep.texts import planned

LEAST, MOST = 4, 20
UNTIL = ("trials = 24", f"trials = {{ least = {LEAST}, most = {MOST}, until = 0.1 }}")
ONE = ('algorithms = ["sgd", "momentum"]', 'algorithms = ["sgd"]')
NAMES = [("digits/fc_128/sgd", size) for size in (8, 64, 512)]
WIDEN = ("[search]\n", "[search]\nwiden = true\n")

Truth = Mapping[StudyName, Sequence[int | None]]
"""Steps to the goal of every trial a study may have; None: never; negative: it diverges."""


def outcome(plan: StudyPlan, number: int, steps: int | None, status: str | None = None) -> TrialOutcome:
    """A trial as the store holds it."""
    if status is None:
        status = "INFEASIBLE" if steps is not None and steps < 0 else "COMPLETE"
    value = None if steps is None or steps < 0 or status != "COMPLETE" else steps
    # Points matter where ranges are widened only, and computing them costs.
    parameters = json.dumps(plan.trial(number).metaparameters) if plan.widen else "{}"
    return TrialOutcome(number, status, parameters, value, 1.0 if value is None else 0.0, value and value - 1)


def studies_of(rounds: Rounds) -> dict[StudyName, StudyPlan]:
    """The studies as the rounds have made them."""
    plan = rounds.plan
    assert isinstance(plan, Plan)
    return {(study.workload, study.batch_size): study for study in plan.studies}


def trained(rounds: Rounds, truth: Truth) -> dict[StudyName, list[TrialOutcome]]:
    """What the store holds once every trial asked for has ended, diverged ones replaced."""
    found = {}
    for name, study in studies_of(rounds).items():
        outcomes: list[TrialOutcome] = []
        while (
            sum(entry.status != "INFEASIBLE" for entry in outcomes) < study.target_trials
            and len(outcomes) < study.max_trials
        ):
            outcomes.append(outcome(study, len(outcomes), truth[name][len(outcomes)]))
        found[name] = outcomes
    return found


def to_the_end(plan: Plan, truth: Truth) -> tuple[Rounds, list[list[Step]]]:
    """Round after round until nothing more is decided."""
    rounds, history = Rounds(plan), []
    while steps := rounds.advance(trained(rounds, truth)):
        history.append(steps)
    return rounds, history


def drawn(seed: int, width: float, failing: float, diverging: float) -> dict[StudyName, list[int | None]]:
    """Steps of 80 trials a study, spread over `width` above 100, with such shares that never get there or diverge."""
    random = np.random.default_rng(seed)

    def one() -> int | None:
        kind = random.random()
        if kind < failing:
            return None
        return -1 if kind < failing + diverging else round(100 * math.exp(width * random.random()))

    return {name: [one() for _ in range(80)] for name in NAMES}


SHARES = st.sampled_from([0.0, 0.0, 0.2, 0.45])
TRUTHS = st.builds(drawn, st.integers(0, 2**32), st.sampled_from([0.0, 0.3, 1.0, 3.0]), SHARES, SHARES)
PLAN = planned(ONE, UNTIL)


@settings(max_examples=40, deadline=None)
@given(TRUTHS)
def test_rounds_are_bounded(truth: Truth) -> None:
    """No study has fewer trials than the least, more than the most, or more attempts than `max_trials`; the rounds end."""
    rounds, _ = to_the_end(PLAN, truth)
    for study in studies_of(rounds).values():
        assert LEAST <= study.target_trials <= MOST


@settings(max_examples=40, deadline=None)
@given(TRUTHS)
def test_a_restart_decides_the_same(truth: Truth) -> None:
    """From all the finished trials at once, a new process arrives at the same targets as the run that decided them one by
    one, with the same words."""
    rounds, history = to_the_end(PLAN, truth)
    again = Rounds(PLAN)
    steps = again.advance(trained(rounds, truth))
    assert again.plan == rounds.plan
    assert steps == [step for steps in history for step in steps]


@settings(max_examples=40, deadline=None)
@given(TRUTHS, st.data())
def test_nothing_is_decided_before_a_round_has_ended(truth: Truth, data: st.DataObject) -> None:
    """Whichever trials have ended first: while one of the round is PENDING or RUNNING, nothing is decided."""
    rounds = Rounds(PLAN)
    whole = trained(rounds, truth)
    name = data.draw(st.sampled_from(NAMES))
    number = data.draw(st.integers(0, len(whole[name]) - 1))
    status = data.draw(st.sampled_from(["PENDING", "RUNNING"]))
    held = outcome(studies_of(rounds)[name], number, truth[name][number], status)
    partial = {**whole, name: [*whole[name][:number], held, *whole[name][number + 1 :]]}
    assert rounds.advance(partial) == []
    assert rounds.plan == Rounds(PLAN).plan


@settings(max_examples=40, deadline=None)
@given(TRUTHS)
def test_trials_from_an_earlier_wider_plan_are_used_in_their_turn(truth: Truth) -> None:
    """A store with more trials than the rounds ask for leads to the same rounds: the surplus is ignored."""
    rounds, _ = to_the_end(PLAN, truth)
    everything = {
        name: [outcome(study, number, truth[name][number]) for number in range(80)]
        for name, study in studies_of(rounds).items()
    }
    again = Rounds(PLAN)
    again.advance(everything)
    assert again.plan == rounds.plan


@settings(max_examples=40, deadline=None)
@given(TRUTHS)
def test_every_study_is_certain_or_said_not_to_be(truth: Truth) -> None:
    """In the end each batch size is within the share, or has its one warning."""
    rounds, history = to_the_end(PLAN, truth)
    warned = [step.study for steps in history for step in steps if step.warning]
    searched = []
    for (_, size), outcomes in trained(rounds, truth).items():
        steps = [entry.steps for entry in outcomes if entry.status == "COMPLETE"]
        searched.append(
            Searched(size, 10**6, steps, [None if value is None else value - 1 for value in steps], 1)
        )
    wide = [width.relative > 0.1 for width in interval_widths(searched)]
    assert [warned.count(name) for name in NAMES] == wide


def flat(steps: int | None) -> list[int | None]:
    return [steps] * 80


def spread(least: int, share: float) -> list[int | None]:
    """Steps that grow by so much from trial to trial, the best in the middle of the first few."""
    return [round(least * (1 + share * ((number * 7 + 3) % 20))) for number in range(80)]


def test_the_less_certain_get_more_and_the_certain_none() -> None:
    """Where no curve is fitted, each batch size's own trials count: in the first round the widest gets more than a
    narrower one, and one whose trials agree never gets any."""
    truth = dict(zip(NAMES, [spread(200, 0.2), spread(500, 0.0088), flat(600)], strict=True))
    _, history = to_the_end(PLAN, truth)
    first = {step.study: step.target for step in history[0]}
    assert first[NAMES[0]] > first[NAMES[1]] > LEAST
    assert NAMES[2] not in [step.study for steps in history for step in steps]
    assert all("known" in step.message for step in history[0])


def test_rare_evaluations_get_no_more_trials() -> None:
    """Where the distance between evaluations alone makes the interval wider than asked for, no trial is added, and the warning
    at the end names the distance and the remedy."""
    rounds = Rounds(planned(ONE, UNTIL, ("every = 20", "every = 100")))
    outcomes = {
        name: [
            replace(outcome(study, number, 100 * (1 + 64 // study.batch_size)), before=0)
            for number in range(LEAST)
        ]
        for name, study in studies_of(rounds).items()
    }
    steps = rounds.advance(outcomes)
    assert [(step.target, step.warning) for step in steps] == [(LEAST, True)] * 3
    assert "evaluate more often" in steps[0].message


def test_records_far_apart_are_no_rare_evaluations() -> None:
    """One trial that reached the goal long after its last record: evaluations come often, so more trials are added."""
    rounds = Rounds(PLAN)
    outcomes = {
        name: [
            replace(outcome(study, number, None if number else 5000 * (1 + 64 // study.batch_size)), before=0)
            for number in range(LEAST)
        ]
        for name, study in studies_of(rounds).items()
    }
    assert [step.target > LEAST for step in rounds.advance(outcomes)] == [True] * 3


def test_an_interval_that_does_not_narrow_gets_no_more_trials() -> None:
    """The middle batch size never comes near the fitted curve: twice as many trials do not help, and the warning says so."""
    truth = {name: spread(steps, 0.001) for name, steps in zip(NAMES, (90_000, 1000, 10_000), strict=True)}
    rounds, history = to_the_end(PLAN, truth)
    last = {step.study: step.message for step in history[-1] if step.warning}
    assert any("twice as many trials did not narrow that" in message for message in last.values())
    assert max(study.target_trials for study in studies_of(rounds).values()) < MOST


def test_a_goal_never_reached_is_not_searched_for_to_the_most() -> None:
    """Trials that never reach the goal get twice the least number, and a warning that names the batch size and a remedy."""
    truth = dict(zip(NAMES, [flat(None), flat(300), flat(200)], strict=True))
    rounds, history = to_the_end(PLAN, truth)
    assert studies_of(rounds)[NAMES[0]].target_trials == PATIENCE * LEAST
    warnings = [step.message for steps in history for step in steps if step.warning]
    assert len(warnings) == 1
    assert "batch size 8" in warnings[0]
    assert "longer budget" in warnings[0]


def test_given_up_trials_end_a_round_and_do_not_count() -> None:
    """A trial that could not be trained holds no round up; the certainty is that of the others."""
    rounds = Rounds(PLAN)
    studies = studies_of(rounds)
    outcomes = {name: [outcome(studies[name], n, 100) for n in range(LEAST)] for name in NAMES}
    for number in (1, 2):
        outcomes[NAMES[0]][number] = outcome(studies[NAMES[0]], number, None, "INCOMPLETE")
    steps = rounds.advance(outcomes)
    # Two known numbers of steps are no interval.
    assert [(step.study, step.target) for step in steps] == [(NAMES[0], LEAST + 2)]


@settings(max_examples=40, deadline=None)
@given(TRUTHS, st.data())
def test_stopping_beaten_trials_at_other_moments_changes_nothing(truth: Truth, data: st.DataObject) -> None:
    """With `stop = "beaten"` a trial beyond the margin may end anywhere beyond it, or be seen to the goal: the same rounds."""
    plan = planned(ONE, UNTIL, ("[training]\n", '[training]\nstop = "beaten"\n'))
    margin = next(iter(plan.studies)).definition["margin"]
    rounds = Rounds(plan)
    whole = trained(rounds, truth)
    cut = {}
    for name, outcomes in whole.items():
        reached = [entry.steps for entry in outcomes if entry.steps is not None]
        limit = beaten_at(min(reached, default=0), margin)
        cut[name] = [
            outcome(studies_of(rounds)[name], entry.number, None)
            if entry.steps is not None and entry.steps > limit and data.draw(st.booleans())
            else entry
            for entry in outcomes
        ]
    other = Rounds(plan)
    assert other.advance(cut) == rounds.advance(whole)


def test_rounds_see_past_the_best_where_trials_are_stopped() -> None:
    """With `stop = "beaten"` trials continue far enough beyond the best to estimate how certain it is, or by the
    file's own margin if that is wider; the keys of trials and sweep stay the same."""
    beaten = '[training]\nstop = "beaten"\n'
    plain = planned(ONE, ("[training]\n", beaten))
    for text, margin in ((beaten, 0.331), (beaten + "margin = 0.5\n", 0.5)):
        plan = planned(ONE, UNTIL, ("[training]\n", text))
        assert [study.definition["margin"] for study in plan.studies] == [margin] * 3
        assert [study.trial(0).key for study in plan.studies] == [
            study.trial(0).key for study in plain.studies
        ]
    assert planned(ONE, UNTIL, ("[training]\n", beaten)).key == plain.key


def test_a_fixed_number_has_no_rounds() -> None:
    """With a plain number of trials the rounds are inactive, and the plan stays as it is."""
    plan = planned(ONE)
    rounds = Rounds(plan)
    assert not rounds.active
    assert rounds.plan is plan
    assert rounds.advance({}) == []
    assert rounds.most() is None


def rates(plan: StudyPlan, count: int, best: float) -> list[int | None]:
    """Steps that grow with the distance of the learning rate from the best one."""
    return [
        round(100 * (1 + abs(math.log10(trial.metaparameters["learning_rate"] / best))))
        for trial in plan.trial_range(0, count)
    ]


def widening(best: float, *changes: tuple[str, str]) -> tuple[Rounds, list[Step]]:
    """The end of a sweep whose best learning rate is `best`, trials being what their points say."""
    rounds = Rounds(planned(ONE, WIDEN, *changes))
    history: list[Step] = []
    while True:
        truth = {name: rates(study, 200, best) for name, study in studies_of(rounds).items()}
        steps = rounds.advance(
            trained(rounds, truth), {name: study.stretches for name, study in studies_of(rounds).items()}
        )
        if not steps:
            return rounds, history
        history += steps


def test_a_best_beyond_the_range_widens_it() -> None:
    """With the best learning rate at 30 and a range up to 10, every batch size's range is widened beyond 30, once said each;
    the trials before the widening are those of the file without it."""
    rounds, history = widening(30.0)
    plain = {(study.workload, study.batch_size): study for study in planned(ONE).studies}
    for name, study in studies_of(rounds).items():
        assert study.stretches[-1].space.dimensions["learning_rate"].max >= 30
        assert study.trial_range(0, 24) == plain[name].trial_range(0, 24)
        assert study.target_trials > 24
    assert len(history) == sum(len(study.stretches) for study in studies_of(rounds).values())
    assert all("range widened, learning_rate from 0.001 .. " in step.message for step in history)


def test_a_best_inside_the_range_widens_nothing() -> None:
    """With the best in the middle nothing is widened and no trial added."""
    rounds, history = widening(0.1)
    assert history == []
    assert {study.target_trials for study in studies_of(rounds).values()} == {24}


def test_widening_has_an_end() -> None:
    """A best that is always at the edge is followed for three widenings, no more."""
    rounds, _ = widening(1e9)
    assert {len(study.stretches) for study in studies_of(rounds).values()} == {MOST_WIDENINGS}


def test_widening_stays_within_the_most_trials() -> None:
    """Together with `until`, no study has more trials than the most."""
    rounds, _ = widening(1e9, UNTIL)
    assert max(study.target_trials for study in studies_of(rounds).values()) <= MOST


def test_recorded_widenings_stay_where_they_are() -> None:
    """With more trials asked for later, the widening at trial 24 stays there: no trial's point moves."""
    rounds, _ = widening(30.0)
    studies = studies_of(rounds)
    more = Rounds(planned(ONE, WIDEN, ("trials = 24", "trials = 30")))
    truth = {name: rates(study, 200, 30.0) for name, study in studies.items()}
    more.advance(trained(rounds, truth), {name: study.stretches for name, study in studies.items()})
    for name, study in studies_of(more).items():
        assert study.stretches[0] == studies[name].stretches[0]
        assert study.trial_range(0, 40) == studies[name].trial_range(0, 40)


@pytest.mark.parametrize("best", [30.0, 0.1])
def test_a_restart_widens_the_same(best: float) -> None:
    """From the finished trials alone, without what the store recorded, the same spaces and targets are decided."""
    rounds, history = widening(best)
    truth = {name: rates(study, 200, best) for name, study in studies_of(rounds).items()}
    again = Rounds(planned(ONE, WIDEN))
    assert again.advance(trained(rounds, truth)) == history
    assert again.plan == rounds.plan
