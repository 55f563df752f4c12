"""The supervisor with fake gangs: deaths, hangs, attempts, stops, and that it leaves neither processes nor RUNNING trials."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from hvdsweep.launch.slots import GIVE_BACK_SECONDS, TERMINATE_SECONDS
from hvdsweep.process_id import stat_of
from tests.launch.conftest import Launched, Store, wait_for
from tests.limits import HANG_SECONDS

Launch = Callable[..., Launched]
FINE: dict[str, float] = {}
LONG = {"seconds": 600.0}
"""Still in training whenever a test looks, on any machine; with many steps, so that it soon reads a request."""
MANY_STEPS = 3000


def of(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == name]


def test_a_sweep_trains_to_its_end(launch: Launch, store: Store) -> None:
    """Every trial is COMPLETE with every step's loss, the sweep is DONE, the exit code is 0, nothing runs."""
    code, events, err = launch([[FINE] * 3, [FINE] * 2], gangs=2).end()
    assert (code, err) == (0, "")
    assert store.statuses() == ["COMPLETE"] * 5
    assert store.one("SELECT count(*) FROM losses") == 5 * 20
    assert store.rows("SELECT state, request, supervisor_pid FROM sweeps") == [("DONE", None, None)]
    assert {row[0] for row in store.rows("SELECT state FROM gangs")} == {"STOPPED"}
    assert store.processes() == []
    assert {event["trial"] for event in of(events, "trial")} == {1, 2, 3, 4, 5}
    assert [event["exit_code"] for event in of(events, "end")] == [0]


def test_a_sweep_trains_in_a_folder_of_any_name(launch: Launch, store: Store) -> None:
    """Blanks, quotes, `$()`, `#` and `?` in a path have no effect on starting a gang; under umask 077 everything a
    launch makes, logs and checkpoints included, is readable by its user alone."""
    folder = store.path.parent / "it's a $(sweep) #1?"
    folder.mkdir()
    store.path = folder / "sweep.db"
    usual = os.umask(0o077)
    try:
        started = launch([[FINE] * 2, [{"crash_until": 1}]])
    finally:
        os.umask(usual)
    assert started.end()[0] == 0
    assert store.statuses() == ["COMPLETE"] * 3
    made = list(folder.rglob("*"))
    assert {path.name for path in made} >= {"sweep.db", "sweep.db.logs", "gang-1", "rank-0.log"}
    assert {path.stat().st_mode & 0o777 for path in made if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in made if path.is_dir()} == {0o700}


def test_nothing_to_do_starts_no_gang(launch: Launch, store: Store) -> None:
    """A sweep that is done already ends at once, without starting a gang."""
    assert launch([[FINE]]).end()[0] == 0
    code, events, _ = launch([[FINE]]).end()
    assert code == 0
    assert of(events, "gang") == []
    assert store.one("SELECT count(*) FROM gangs") == 1


def test_a_study_with_more_trials_makes_up_for_no_other(launch: Launch, store: Store) -> None:
    """One study has two trials done and wants one, another has none: progress says one of two, and in the end two of
    two."""
    assert launch([[FINE] * 2]).end()[0] == 0
    code, events, _ = launch([[FINE], [FINE]]).end()
    assert code == 0
    progress = of(events, "progress")
    assert (progress[0]["done"], progress[-1]["done"], progress[-1]["target"]) == (1, 2, 2)
    assert [(event["done"], event["target"]) for event in of(events, "end")] == [(2, 2)]


def test_never_more_gangs_than_trials(launch: Launch, store: Store) -> None:
    """Two trials keep two of eight gangs busy; the other six are never started."""
    assert launch([[FINE] * 2], gangs=8).end()[0] == 0
    assert store.one("SELECT count(*) FROM gangs") <= 2


def test_diverged_trials_are_replaced(launch: Launch, store: Store) -> None:
    """Two of three trials diverge: two more are trained, so that three have not diverged."""
    code, _, _ = launch([[{"diverge": 1}, FINE, {"diverge": 1}]], replacements=5).end()
    assert code == 0
    assert sorted(store.statuses()) == ["COMPLETE"] * 3 + ["INFEASIBLE"] * 2


def test_replacements_have_an_end(launch: Launch, store: Store) -> None:
    """With one replacement allowed, a study with two diverged trials ends one trial short, and the run reports it."""
    code, events, _ = launch([[{"diverge": 1}, FINE, {"diverge": 1}]], replacements=1).end()
    assert code == 0
    assert sorted(store.statuses()) == ["COMPLETE"] * 2 + ["INFEASIBLE"] * 2
    assert any("2 of 3 trials did not diverge" in event["message"] for event in of(events, "note"))
    assert [event["message"] for event in of(events, "end")] == [
        "1 study has fewer trials than wanted, as too many diverged"
    ]


@pytest.mark.parametrize("how", ["crash_until", "kill_gang"])
def test_a_dead_gang_is_replaced_and_its_trial_trained_again(launch: Launch, store: Store, how: str) -> None:
    """A gang that crashes, or is killed, loses no trial: it is counted as an attempt and trained by another gang."""
    if how == "crash_until":
        launched = launch([[FINE, {"crash_until": 1}, FINE]])
    else:
        launched = launch([[FINE, {"seconds_once": 2400.0}, FINE]])
        launched.until(lambda: store.one("SELECT 1 FROM trials WHERE number = 1 AND status = 'RUNNING'"))
        os.kill(store.one("SELECT pid FROM gangs"), signal.SIGKILL)
    code, _, _ = launched.end()
    assert code == 0
    assert store.statuses() == ["COMPLETE"] * 3
    assert store.rows("SELECT attempts FROM trials ORDER BY number") == [(0,), (1,), (0,)]
    assert store.rows("SELECT state FROM gangs ORDER BY id") == [("DEAD",), ("STOPPED",)]
    assert store.rows("SELECT count(*), count(DISTINCT step) FROM losses GROUP BY trial_id") == [(20, 20)] * 3
    [log] = store.path.parent.glob("sweep.db.logs/sweep-1/run-*.log")
    text = log.read_text()
    for said in ("gang 1 has ended by itself", "trials of gang 1: [2] back to the queue", "state='DONE'"):
        assert said in text


def test_a_deadly_trial_is_given_up_with_its_error(launch: Launch, store: Store) -> None:
    """A trial that kills its gang three times is given up with the rank's error; the others are trained; exit 1."""
    code, events, _ = launch([[FINE, {"crash": 1}, FINE]]).end()
    assert code == 1
    assert store.statuses() == ["COMPLETE", "INCOMPLETE", "COMPLETE"]
    attempts, reason, message = store.rows(
        "SELECT attempts, stop_reason, message FROM trials WHERE number = 1"
    )[0]
    assert (attempts, reason) == (3, "failed")
    assert message.startswith("rank 0: exit code 1\nTraceback")
    assert message.endswith("RuntimeError: trial 1 crashed on purpose")
    assert store.one("SELECT state FROM sweeps") == "FAILED"
    end = of(events, "end")[0]
    assert [(trial["number"], trial["message"]) for trial in end["set_aside"]] == [(1, message)]


def test_given_up_trials_are_left_alone_unless_asked_for(launch: Launch, store: Store) -> None:
    """The next launch does not repeat a set-aside trial (exit 1 again); --retry-incomplete does."""
    once = [[{"crash_until": 1}, FINE]]
    assert launch(once, max_attempts=1).end()[0] == 1
    code, events, _ = launch(once, max_attempts=1).end()
    assert code == 1
    assert of(events, "gang") == []
    # `recover` forgets the attempts, so the same trial crashes once more, and has a second attempt now.
    assert launch(once, max_attempts=2, retry_incomplete=True).end()[0] == 0
    assert store.statuses() == ["COMPLETE"] * 2


def test_a_hung_gang_is_ended(launch: Launch, store: Store) -> None:
    """A gang without a sign of life is killed after the timeout; after three such attempts the trial is given up."""
    code, events, _ = launch(
        [[{"freeze": 1}, FINE]], hang_timeout=3.0, start_timeout=HANG_SECONDS, max_attempts=2
    ).end()
    assert code == 1
    assert store.statuses() == ["INCOMPLETE", "COMPLETE"]
    assert "no sign of life" in store.one("SELECT message FROM trials WHERE number = 0")
    assert len([event for event in of(events, "gang") if event["state"] == "DEAD"]) >= 2
    assert store.processes() == []


def test_a_broken_environment_ends_the_run(launch: Launch, store: Store) -> None:
    """After three gangs that died before their first sign of life the run ends with the log's last lines; no trial's
    attempts are counted."""
    code, events, _ = launch([[FINE] * 3], environment={"FAKE_GANG": "stillborn"}).end()
    assert code == 1
    assert store.one("SELECT count(*) FROM gangs") == 3
    assert "libfake.so: cannot open shared object file" in of(events, "end")[0]["message"]
    assert store.statuses() == ["PENDING"] * 3
    assert store.rows("SELECT DISTINCT attempts FROM trials") == [(0,)]


def test_a_sweep_of_deadly_trials_ends_early(launch: Launch, store: Store) -> None:
    """If several trials in a row are given up, the run ends instead of trying all of them."""
    code, _, _ = launch([[{"crash": 1}] * 6], max_attempts=1, max_set_aside=2).end()
    assert code == 1
    assert store.statuses() == ["INCOMPLETE"] * 2 + ["PENDING"] * 4


def test_a_sweep_that_its_gangs_cannot_build_ends_early(launch: Launch, store: Store) -> None:
    """The same if no gang dies: data that cannot be read, user code that raises. The reason is reported."""
    code, events, _ = launch([[{"refuse": 1, "seconds": 3.0}] * 60], max_set_aside=2).end()
    assert code == 1
    assert {"INCOMPLETE", "PENDING"} == set(store.statuses())
    assert "cannot be built" in of(events, "end")[0]["message"]
    assert store.processes() == []


def test_trials_that_end_well_in_between_let_a_sweep_continue(launch: Launch, store: Store) -> None:
    """Only trials given up in a row end a run: here every second trial succeeds."""
    code, _, _ = launch([[{"refuse": 1}, {}] * 3], max_set_aside=2).end()
    assert code == 1
    assert store.statuses() == ["INCOMPLETE", "COMPLETE"] * 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_cleanly(launch: Launch, store: Store, number: signal.Signals) -> None:
    """Ctrl-C, SIGTERM and a closed terminal: the running trial goes back without data or a counted attempt, the sweep
    is IDLE, exit 130."""
    launched = launch([[LONG] * 2], steps=MANY_STEPS)
    launched.until(lambda: store.one("SELECT steps FROM trials WHERE number = 0 AND status = 'RUNNING'"))
    launched.send(number)
    code, _, _ = launched.end()
    assert code == 130
    assert store.statuses() == ["PENDING"] * 2
    assert store.rows("SELECT attempts, steps FROM trials") == [(0, 0)] * 2
    assert store.one("SELECT count(*) FROM losses") == 0
    assert store.rows("SELECT state, request FROM sweeps") == [("IDLE", None)]
    assert store.processes() == []


def test_a_request_in_the_store_stops_cleanly(launch: Launch, store: Store) -> None:
    """`sweeps.request = 'stop'`, whoever writes it, stops the run like Ctrl-C."""
    launched = launch([[LONG]], steps=MANY_STEPS)
    launched.until(lambda: store.one("SELECT steps FROM trials WHERE status = 'RUNNING'"))
    with sqlite3.connect(store.path, timeout=HANG_SECONDS) as conn:
        conn.execute("UPDATE sweeps SET request = 'stop'")
    conn.close()
    assert launched.end()[0] == 130
    assert store.statuses() == ["PENDING"]
    assert store.processes() == []


def test_a_gang_that_does_not_answer_is_ended_within_ten_seconds(launch: Launch, store: Store) -> None:
    """A gang stuck in a long step is terminated; its trial goes back without counting an attempt."""
    launched = launch([[{"seconds": 2400, "stubborn": 1}]])
    launched.until(lambda: store.one("SELECT count(*) FROM trials WHERE status = 'RUNNING'"))
    launched.send(signal.SIGINT)
    code, _, _ = launched.end()
    assert code == 130
    assert GIVE_BACK_SECONDS + TERMINATE_SECONDS < 10
    assert store.rows("SELECT status, attempts FROM trials") == [("PENDING", 0)]
    assert store.processes() == []


def test_a_job_of_a_cluster_gives_its_gangs_longer(launch: Launch, store: Store) -> None:
    """With the time at a terminal set to 0, a gang of a job still has time to end by itself: its machine may be
    busy."""
    launched = launch([[{"seconds": 2400}]], environment={"FAKE_GIVE_BACK_SECONDS": "0"}, in_job=True)
    launched.until(lambda: store.one("SELECT count(*) FROM trials WHERE status = 'RUNNING'"))
    launched.send(signal.SIGTERM)
    assert launched.end()[0] == 130
    assert store.rows("SELECT state, message FROM gangs") == [("STOPPED", None)]


def test_a_gang_that_still_starts_is_not_waited_for(launch: Launch, store: Store) -> None:
    """It has no trial to save, and would not read the request before it has loaded TensorFlow."""
    odd = {"FAKE_GANG": "loading", "FAKE_GIVE_BACK_SECONDS": "3600"}
    launched = launch([[{}]], environment=odd)
    launched.until(lambda: store.one("SELECT count(*) FROM gangs WHERE state = 'STARTING' AND pid > 0"))
    launched.send(signal.SIGTERM)
    assert launched.end()[0] == 130
    assert store.rows("SELECT status, attempts FROM trials") == [("PENDING", 0)]
    assert store.processes() == []


def test_a_second_ctrl_c_stops_at_once(launch: Launch, store: Store) -> None:
    """The second Ctrl-C does not wait for a gang that does not answer, though the first one would for an hour."""
    launched = launch([[{"seconds": 2400, "stubborn": 1}]], environment={"FAKE_GIVE_BACK_SECONDS": "3600"})
    launched.until(lambda: store.one("SELECT count(*) FROM trials WHERE status = 'RUNNING'"))
    launched.send(signal.SIGINT)
    launched.until(lambda: store.one("SELECT request FROM sweeps") == "stop")
    # Signals in quick succession count as one.
    time.sleep(0.6)
    launched.send(signal.SIGINT)
    assert launched.end()[0] == 130
    assert store.statuses() == ["PENDING"]
    assert store.processes() == []


def test_a_killed_supervisor_leaves_no_process_and_no_lost_trial(launch: Launch, store: Store) -> None:
    """SIGKILL of the supervisor ends its gang too; the next launch continues, with the same result."""
    studies = [[{"seconds": 0.5}] * 3, [{"seconds": 0.5}] * 2]
    launched = launch(studies)
    launched.until(lambda: store.one("SELECT count(*) FROM trials WHERE status = 'COMPLETE'"))
    launched.send(signal.SIGKILL)
    launched.end()
    wait_for(lambda: not store.processes(), "the gang to follow its supervisor")
    assert launch(studies).end()[0] == 0
    disturbed = store.results()
    assert store.statuses() == ["COMPLETE"] * 5
    assert store.rows("SELECT count(*) FROM losses GROUP BY trial_id") == [(20,)] * 5
    store.path.unlink()
    assert launch(studies).end()[0] == 0
    assert store.results() == disturbed


def test_what_an_earlier_supervisor_left_is_cleared_away(launch: Launch, store: Store) -> None:
    """Processes that outlive a killed supervisor (own session, SIGTERM ignored) are ended by the next launch of the sweep."""
    launched = launch([[LONG]], steps=MANY_STEPS, environment={"FAKE_GANG": "child"})
    launched.until(lambda: store.one("SELECT steps FROM trials WHERE status = 'RUNNING'"))
    wait_for(lambda: len(store.processes()) == 2)
    # Stopped, the gang cannot follow its supervisor.
    for pid in store.processes():
        os.kill(pid, signal.SIGSTOP)
    left = store.processes()
    launched.send(signal.SIGKILL)
    launched.end()
    again = launch([[LONG]], steps=MANY_STEPS)
    again.until(lambda: store.one("SELECT count(*) FROM gangs") == 2)
    assert not set(left) & set(store.processes())
    again.until(lambda: store.one("SELECT steps FROM trials WHERE status = 'RUNNING'"))
    again.send(signal.SIGINT)
    assert again.end()[0] == 130


def test_no_grandchild_outlives_a_run(launch: Launch, store: Store) -> None:
    """What a rank has started, even in its own session and ignoring SIGTERM, ends with the run."""
    assert launch([[FINE]], environment={"FAKE_GANG": "child"}).end()[0] == 0
    (child,) = store.path.parent.glob("*.logs/*/*/child.pid")
    left = stat_of(int(child.read_text()))
    assert left is None or left.state == "Z"
    assert store.processes() == []


def test_two_supervisors_never_train_one_sweep(launch: Launch, store: Store) -> None:
    """The second is refused (exit 1, naming the first), and the first continues undisturbed."""
    first = launch([[LONG]], steps=MANY_STEPS)
    first.until(lambda: store.one("SELECT steps FROM trials WHERE status = 'RUNNING'"))
    code, events, err = launch([[LONG]], steps=MANY_STEPS).end()
    assert (code, events) == (1, [])
    assert f"process {first.process.pid} on " in err
    assert "being trained already" in err
    assert store.statuses() == ["RUNNING"]
    first.send(signal.SIGINT)
    assert first.end()[0] == 130


def test_a_store_that_is_gone_leaves_no_process(launch: Launch, store: Store) -> None:
    """If the database is destroyed during a run, the run and its gangs end, with exit code 1 and one sentence."""
    launched = launch([[LONG]], steps=MANY_STEPS)
    launched.until(lambda: store.one("SELECT steps FROM trials WHERE status = 'RUNNING'"))
    with sqlite3.connect(store.path, timeout=HANG_SECONDS) as conn:
        conn.execute("DROP TABLE trials")
    conn.close()
    code, _, err = launched.end()
    assert code == 1
    assert err.count("\n") == 1
    assert "no such table: trials" in err
    assert store.processes() == []


def test_a_lock_that_stays_ends_the_run_with_a_message(launch: Launch, store: Store) -> None:
    """The run names the lock and the remedy, ends its gangs and counts no attempt; the next launch continues."""
    launched = launch([[LONG]], steps=MANY_STEPS, environment={"FAKE_BUSY_SECONDS": "0.05"})
    launched.until(lambda: store.one("SELECT steps FROM trials WHERE status = 'RUNNING'"))
    with closing(sqlite3.connect(store.path, isolation_level=None)) as conn:
        conn.execute("BEGIN IMMEDIATE")
        code, _, err = launched.end()
    assert code == 1
    assert err.count("\n") == 1
    assert "is locked by another process" in err
    assert "internal error" not in err
    assert store.processes() == []
    assert launch([[LONG]], steps=MANY_STEPS, environment={"FAKE_GANG": "hurry"}).end()[0] == 0
    assert store.rows("SELECT status, attempts FROM trials") == [("COMPLETE", 0)]


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"FAKE_START": "11"}, "cannot be started: Resource temporarily unavailable"),
        ({"FAKE_START": "24"}, "cannot be started: Too many open files"),
        ({"FAKE_START": "28"}, "cannot be started: No space left on device"),
    ],
)
def test_limits_of_the_machine_end_a_run_with_a_message(
    launch: Launch, store: Store, environment: dict[str, str], words: str
) -> None:
    """No more processes, open files or room for logs: three attempts, then exit code 1 and a message that names what
    is lacking."""
    code, events, err = launch([[FINE]], environment=environment).end()
    assert (code, err) == (1, "")
    (end,) = of(events, "end")
    assert words in end["message"]
    assert store.rows("SELECT state FROM gangs") == [("DEAD",)] * 3
    assert store.rows("SELECT status, attempts FROM trials") == [("PENDING", 0)]


def test_a_limit_that_passes_costs_no_attempt(launch: Launch, store: Store) -> None:
    """The first gang cannot be started, the second trains everything."""
    code, _, _ = launch([[FINE] * 2], environment={"FAKE_START": "11 once"}).end()
    assert code == 0
    assert store.rows("SELECT state FROM gangs ORDER BY id") == [("DEAD",), ("STOPPED",)]
    assert store.rows("SELECT status, attempts FROM trials") == [("COMPLETE", 0)] * 2


@pytest.mark.parametrize("replaced", [False, True])
def test_a_store_that_was_deleted_ends_the_run(launch: Launch, store: Store, replaced: bool) -> None:
    """If the file is deleted or replaced, the run reports it and fails: its results would be lost."""
    launched = launch([[LONG]], steps=MANY_STEPS)
    launched.until(lambda: store.one("SELECT steps FROM trials WHERE status = 'RUNNING'"))
    other = store.path.with_name("other")
    other.touch()
    if replaced:
        other.replace(store.path)
    else:
        store.path.unlink()
    code, events, _ = launched.end()
    assert code == 1
    (end,) = of(events, "end")
    assert end["state"] == "FAILED"
    assert "was deleted, moved or replaced" in end["message"]
    assert store.processes() == []


def test_resuming_trains_only_what_is_left(launch: Launch, store: Store) -> None:
    """After a stop, the same launch trains the rest; finished trials keep their rows and times."""
    launched = launch([[FINE, LONG, FINE]], steps=MANY_STEPS)
    launched.until(lambda: store.one("SELECT steps FROM trials WHERE number = 1 AND status = 'RUNNING'"))
    launched.send(signal.SIGTERM)
    assert launched.end()[0] == 130
    before = store.rows("SELECT id, started, ended FROM trials WHERE number = 0")
    hurried = {"FAKE_GANG": "hurry"}
    assert launch([[FINE, LONG, FINE]], steps=MANY_STEPS, environment=hurried).end()[0] == 0
    assert store.statuses() == ["COMPLETE"] * 3
    assert store.rows("SELECT id, started, ended FROM trials WHERE number = 0") == before
