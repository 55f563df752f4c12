"""Two readers of one state of a file give the same answers, whatever is written meanwhile."""

import threading
from pathlib import Path

import pytest

from hvdsweep.opening import open_store
from hvdsweep.store import connect, event
from hvdsweep.store.pairs import ATTEMPTS, asked_by_both, paired
from hvdsweep.store.store import Store
from tests.limits import HANG_SECONDS

COUNT = "SELECT count(*) FROM events"


def test_both_see_one_state_until_the_end(planned: Path):
    """Neither sees what is written after the snapshot; the reader does afterwards."""
    conn = connect(planned)
    with open_store(planned) as reader:
        ((before,),) = reader.rows(COUNT)
        with paired(reader) as twin:
            assert twin is not None
            event(conn, "note", "late")
            assert reader.rows(COUNT) == twin.rows(COUNT) == [(before,)]
        assert reader.rows(COUNT) == [(before + 1,)]
    conn.close()


@pytest.mark.parametrize("times", [1, ATTEMPTS])
def test_a_commit_in_between_is_noticed(planned: Path, monkeypatch: pytest.MonkeyPatch, times: int):
    """After a commit between the two snapshots both are taken again; if that happens each time, there is no twin."""
    conn = connect(planned)
    began = Store.snapshot
    left = [times]

    def snapshot(self: Store):
        if self is not reader and left[0]:
            left[0] -= 1
            event(conn, "note", "in between")
        return began(self)

    with open_store(planned) as reader:
        monkeypatch.setattr(Store, "snapshot", snapshot)
        with paired(reader) as twin:
            assert (twin is None) == (times == ATTEMPTS)
            if twin is not None:
                assert reader.rows(COUNT) == twin.rows(COUNT)
            ((seen,),) = reader.rows(COUNT)
            event(conn, "note", "late")
            assert reader.rows(COUNT) == [(seen,)]
        assert reader.rows(COUNT) == [(seen + 1,)]
    conn.close()


def test_two_threads_ask(planned: Path):
    """Answers come in the order of the questions, from two threads at once; alone, from the one that asks."""
    meet = threading.Barrier(2, timeout=HANG_SECONDS)
    threads = set()

    def question(number: int):
        def ask(reader: Store) -> int:
            if number < 2:
                meet.wait()
            threads.add(threading.get_ident())
            return reader.rows("SELECT ?", (number,))[0][0]

        return ask

    with open_store(planned) as reader, paired(reader) as twin:
        assert asked_by_both(reader, twin, [question(n) for n in range(20)]) == list(range(20))
        assert len(threads) == 2
        threads.clear()
        assert asked_by_both(reader, None, [question(n) for n in range(2, 20)]) == list(range(2, 20))
        assert threads == {threading.get_ident()}
        assert asked_by_both(reader, twin, []) == []


def test_an_error_of_either_is_raised(planned: Path):
    """In whichever thread it occurred; and nothing is left running in the background."""

    def wrong(reader: Store):
        raise ValueError("no such question")

    with open_store(planned) as reader, paired(reader) as twin:
        with pytest.raises(ValueError, match="no such question"):
            asked_by_both(reader, twin, [wrong] * 5)
        assert asked_by_both(reader, twin, [lambda one: one.rows("SELECT 1")]) == [[(1,)]]
