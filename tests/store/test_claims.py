"""Which trial comes next: study by study in plain order, round by round in breadth-first order."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from hvdsweep.states import Status
from hvdsweep.store.claims import claim_next
from hvdsweep.store.connection import connect
from hvdsweep.store.exchange import Claim
from hvdsweep.store.lifecycle import begin_run, recover
from hvdsweep.store.plans import save_plan
from hvdsweep.store.writer import TrialWriter
from tests.plans import Plan, Workload

from .plans import Study, gang, outcome, plan, small_store

Taken = tuple[str, int, int]
"""Name of the gang, batch size, number of the trial."""


class Gangs:
    """Gangs of sweep 1 that claim and end trials when the test says so."""

    def __init__(self, path: Path, count: int, order: str | None = None) -> None:
        conn = connect(path)
        begin_run(conn, 1, np=1, gangs=count, order=order)
        conn.close()
        self._stack = ExitStack()
        self.writers: list[TrialWriter] = [self._stack.enter_context(gang(path)) for _ in range(count)]
        self.claims: list[Claim | None] = [None] * count
        self.taken: list[tuple[int, int, int]] = []
        """(gang, batch size, number) in the order of claims."""

    def __enter__(self) -> Gangs:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def step(self, index: int, status: Status = Status.COMPLETE) -> Claim | None:
        """End the gang's trial and claim the next one."""
        present = self.claims[index]
        update = None if present is None else outcome(present, status)
        claim = self.claims[index] = self.writers[index].commit(update, claim=True).claim
        if claim is not None:
            self.taken.append((index, claim.definition["batch_size"], claim.number))
        return claim

    def sizes(self) -> list[tuple[int, int]]:
        """(batch size, number) in the order of claims."""
        return [(size, number) for _, size, number in self.taken]


def test_breadth_first_goes_round_the_batch_sizes(path: Path):
    """One gang: the first trial of every batch size, then the second, then the third."""
    small_store(path, batch_sizes=(8, 16, 32))
    with Gangs(path, 1) as gangs:
        while gangs.step(0) is not None:
            pass
    assert gangs.sizes() == [(size, number) for number in range(3) for size in (8, 16, 32)]


def test_breadth_first_goes_round_the_workloads_too(path: Path):
    """The first trial of every study of every workload comes before any second one."""
    conn = connect(path, create=True)
    studies = [Study(8, 2), Study(16, 2)]
    save_plan(conn, Plan([Workload(studies), Workload(studies, name="d/m/momentum")]))
    conn.close()
    with Gangs(path, 1) as gangs:
        numbers = []
        while (claim := gangs.step(0)) is not None:
            numbers.append((claim.number, claim.study_id))
    assert numbers == [(0, 1), (0, 2), (0, 3), (0, 4), (1, 1), (1, 2), (1, 3), (1, 4)]


def test_gangs_take_different_studies(path: Path):
    """Three gangs that begin together train three batch sizes; within a round, a study without a gang comes first."""
    small_store(path, batch_sizes=(8, 16, 32))
    with Gangs(path, 3) as gangs:
        for index in range(3):
            gangs.step(index)
        assert gangs.sizes() == [(8, 0), (16, 0), (32, 0)]
        gangs.step(2)
        gangs.step(0)
        assert gangs.sizes()[3:] == [(32, 1), (8, 1)]


def test_the_last_study_is_shared(path: Path):
    """If only one study is left, all gangs train it."""
    small_store(path, batch_sizes=(8,))
    with Gangs(path, 2) as gangs:
        gangs.step(0)
        gangs.step(1)
        assert gangs.step(0) is not None
        assert gangs.step(1) is None
    assert gangs.taken == [(0, 8, 0), (1, 8, 1), (0, 8, 2)]


def test_a_replacement_comes_in_its_turn(path: Path):
    """A diverged trial counts as its study's turn; its replacement comes after all others have had as many."""
    from hvdsweep.store.plans import top_up

    conn = connect(path, create=True)
    planned = plan(batch_sizes=(8, 16), trials=2)
    save_plan(conn, planned)
    with Gangs(path, 1) as gangs:
        gangs.step(0)
        gangs.step(0, Status.INFEASIBLE)
        assert top_up(conn, 1, planned) == 1
        while gangs.step(0) is not None:
            pass
    conn.close()
    assert gangs.sizes() == [(8, 0), (16, 0), (8, 1), (16, 1), (8, 2)]


def test_an_interrupted_trial_comes_first_again(path: Path):
    """A trial whose gang died is its study's next, before any study's next round."""
    small_store(path, batch_sizes=(8, 16))
    with Gangs(path, 1) as gangs:
        gangs.step(0)
        gangs.step(0)
    conn = connect(path)
    conn.execute("UPDATE gangs SET host = 'elsewhere', started = 0, heartbeat = 0")
    assert recover(conn, 1).requeued == 1
    conn.close()
    with Gangs(path, 1) as gangs:
        gangs.step(0)
        gangs.step(0)
    assert gangs.sizes() == [(16, 0), (8, 1)]


def test_a_batch_size_that_is_added_catches_up(path: Path):
    """After an extension the new study is trained until it has as many trials as the others."""
    small_store(path, batch_sizes=(8, 16))
    with Gangs(path, 1) as gangs:
        for _ in range(5):
            gangs.step(0)
        gangs.writers[0].release(gangs.claims[0].trial_id)
    conn = connect(path)
    save_plan(conn, plan(batch_sizes=(4, 8, 16)))
    conn.close()
    with Gangs(path, 1) as gangs:
        while gangs.step(0) is not None:
            pass
    assert gangs.sizes() == [(4, 0), (4, 1), (4, 2), (8, 2), (16, 2)]


def test_plain_order_keeps_to_the_study_then_takes_one_without_a_gang(planned: Path):
    """Lowest number of the present study; then a study without any running trial; then what is left."""
    with Gangs(planned, 2, order="plain") as gangs:
        gangs.step(0)
        gangs.step(1)
        for index in (0, 0, 0, 1):
            gangs.step(index)
        assert gangs.step(0) is None
        assert gangs.step(1) is None
    assert gangs.taken == [(0, 8, 0), (1, 16, 0), (0, 8, 1), (0, 8, 2), (0, 16, 1), (1, 16, 2)]


@pytest.mark.parametrize("order", ["plain", "breadth"])
def test_a_claim_costs_the_same_with_many_waiting_trials(tmp_path: Path, order: str):
    """SQLite makes about as many steps for a claim among 2,000 waiting trials of a study as among 20."""
    steps = []
    for trials in (20, 2_000):
        path = tmp_path / f"{trials}.db"
        small_store(path, trials=trials)
        with Gangs(path, 1, order) as gangs:
            gangs.step(0)
        conn = connect(path)
        counted = 0

        def count() -> int:
            nonlocal counted
            counted += 1
            return 0

        conn.execute("BEGIN IMMEDIATE")
        conn.set_progress_handler(count, 1)
        assert claim_next(conn, 1, 1, None, now=0.0) is not None
        steps.append(counted)
        conn.close()
    assert steps[1] < 1.2 * steps[0]
