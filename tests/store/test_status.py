"""`hvdsweep status`: its JSON, its tables, its estimates, and that watching does not disturb a run."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from hvdsweep.cli.status import STUDIES_SHOWN, _watch, bar, status
from hvdsweep.opening import open_store
from hvdsweep.process_id import ProcessId
from hvdsweep.store.connection import connect
from hvdsweep.store.lifecycle import begin_run, request_stop
from hvdsweep.store.plans import save_plan

from .plans import gang, plan, small_store, train_all


def run(*arguments: str) -> str:
    """What the command prints."""
    result = CliRunner().invoke(status, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def state_of(path: Path, *arguments: str) -> dict:
    """The JSON it prints."""
    return json.loads(run("--db", str(path), "--json", *arguments))


def test_the_json_holds_what_the_contract_promises(trained: Path):
    """Names of the documented keys, and the counts that SQL gives."""
    state = state_of(trained)
    (sweep,) = state["sweeps"]
    assert (sweep["id"], sweep["name"], sweep["state"], sweep["live"]) == (1, "sweep", "DONE", False)
    assert [(study["workload"], study["batch_size"]) for study in sweep["studies"]] == [
        ("set/net/sgd", 8),
        ("set/net/sgd", 16),
    ]
    for study in sweep["studies"]:
        assert study["trials"] == {
            "PENDING": 0,
            "RUNNING": 0,
            "COMPLETE": 2,
            "INFEASIBLE": 1,
            "INCOMPLETE": 0,
        }
    assert sweep["trials"]["COMPLETE"] == 4
    assert (sweep["work_seconds"], sweep["eta_seconds"]) == (0.0, None)
    assert [event["kind"] for event in state["events"]] == ["plan", "run", "run"]


def test_only_gangs_at_work_are_listed(planned: Path):
    """Gangs that stopped or died are only in the table `gangs`."""
    from hvdsweep.store.lifecycle import gang_state

    with gang(planned) as one, gang(planned) as two:
        claim = one.commit(None, claim=True).claim
        gang_state(connect(planned), two.gang_id, "DEAD")
        (row,) = state_of(planned)["gangs"]
    assert (row["id"], row["trial_id"], row["workload"], row["batch_size"]) == (
        one.gang_id,
        claim.trial_id,
        "set/net/sgd",
        8,
    )


def finish(conn: sqlite3.Connection, trial: int, seconds: float, status: str = "COMPLETE") -> None:
    """A trial that took so long."""
    conn.execute(
        "UPDATE trials SET status = ?, started = 1000, ended = 1000 + ?, gang_id = 1, steps = 40, stop_reason = 'budget'"
        " WHERE id = ?",
        (status, seconds, trial),
    )


def test_the_estimate_comes_from_the_study_s_own_trials(path: Path):
    """What its trials usually take (the first one also compiled), with their share of what was lost on a diverged one, times
    those left, the running one by its share of steps, over the gangs. A single trial counts no more than its kin make likely."""
    small_store(path, batch_sizes=(8, 16), trials=6)
    conn = connect(path)
    begin_run(conn, 1, np=2, gangs=2)
    with gang(path), gang(path):
        finish(conn, 1, 500.0)
        finish(conn, 2, 20.0)
        finish(conn, 3, 3.0, "INFEASIBLE")
        conn.execute("UPDATE trials SET status = 'RUNNING', steps = 10, gang_id = 1 WHERE id = 4")
        finish(conn, 7, 100.0)
        sweep = state_of(path)["sweeps"][0]
    own = 20 + 3 / 2
    first, second = sweep["studies"]
    assert first["seconds_per_trial"] == 20.0
    assert first["work_seconds"] == pytest.approx(own * (2 + 0.75))
    assert own * 5 < second["work_seconds"] < 2 * own * 5
    assert sweep["work_seconds"] == pytest.approx(own * 2.75 + second["work_seconds"])
    assert sweep["eta_seconds"] == pytest.approx(sweep["work_seconds"] / 2)


def test_a_study_without_finished_trials_is_judged_by_its_kin(path: Path):
    """By seconds per step of the nearest batch size, which grow with it, but less than in proportion; with no finished trial
    anywhere there is no estimate."""
    conn = connect(path, create=True)
    save_plan(conn, plan(batch_sizes=(2, 8, 64), trials=2))
    begin_run(conn, 1, np=1, gangs=1)
    assert state_of(path)["sweeps"][0]["work_seconds"] is None
    finish(conn, 1, 4.0)
    finish(conn, 5, 40.0)
    conn.execute("UPDATE studies SET train_steps = 80 WHERE batch_size = 8")
    small, middle, large = (study["work_seconds"] for study in state_of(path)["sweeps"][0]["studies"])
    assert (small, large) == (4.0, 40.0)
    assert 2 * 8.0 < middle < 2 * 8.0 * 4


def test_a_study_to_come_counts_its_preparation(path: Path):
    """The extra time of a finished study's first trial is expected once for a study that has not begun."""
    conn = connect(path, create=True)
    save_plan(conn, plan(batch_sizes=(8, 16), trials=2))
    begin_run(conn, 1, np=1, gangs=1)
    finish(conn, 1, 1.0)
    finish(conn, 2, 1.0)
    prepared, unprepared = (study["work_seconds"] for study in state_of(path)["sweeps"][0]["studies"])
    assert prepared == 0.0
    conn.execute("UPDATE trials SET ended = started + 9.0 WHERE id = 1")
    assert state_of(path)["sweeps"][0]["studies"][1]["work_seconds"] == pytest.approx(unprepared + 8.0)
    # Once it has begun, its own trials count.
    finish(conn, 3, 5.0)
    assert state_of(path)["sweeps"][0]["studies"][1]["work_seconds"] == pytest.approx((unprepared) / 2)


def test_a_single_short_trial_is_no_estimate(path: Path):
    """A first trial of 4 s, which also compiled, gives no estimate for the others; a second one does."""
    conn = connect(path, create=True)
    save_plan(conn, plan(batch_sizes=(8,), trials=3))
    begin_run(conn, 1, np=1, gangs=1)
    finish(conn, 1, 4.0)
    sweep = state_of(path)["sweeps"][0]
    assert (sweep["work_seconds"], sweep["studies"][0]["seconds_per_trial"]) == (None, 4.0)
    assert " left" not in run("--db", str(path)).partition("\n")[0]
    finish(conn, 2, 1.0)
    assert state_of(path)["sweeps"][0]["work_seconds"] == pytest.approx(1.0)


def test_copied_results_say_nothing_about_this_machine(path: Path):
    """Trials adopted from another sweep took no time here and are left out of the mean."""
    small_store(path, batch_sizes=(8,), trials=1)
    train_all(path)
    conn = connect(path)
    save_plan(conn, plan(batch_sizes=(8,), trials=2, key="other"))
    assert state_of(path, "--sweep", "2")["sweeps"][0]["work_seconds"] is None


def test_the_table_names_everything(trained: Path):
    """One row per study, with counts, share and the sweep's headline."""
    text = run("--db", str(trained))
    assert "Sweep 1  sweep  DONE  6 of 6 trials ended" in text
    rows = [line.split() for line in text.splitlines() if "66 %" in line]
    assert [row[:4] for row in rows] == [["set/net/sgd", "8", "2", "3"], ["16", "2", "3", "1"]]
    assert "plan created: 6 trials added" in text


def test_a_killed_supervisor_shows(planned: Path):
    """The file still says RUNNING; the process is gone, and the remedy is named."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    killed = ProcessId.of(child.pid)
    child.communicate()
    conn = connect(planned)
    begin_run(conn, 1, np=1, gangs=1, process=killed)
    said = run("--db", str(planned))
    assert "KILLED" in said
    assert "its supervisor was killed: launch it again to continue" in said
    conn.execute("UPDATE sweeps SET source = 'import'")
    assert "the import was cut short: import it again to continue" in run("--db", str(planned))


def test_a_running_sweep_says_how_long_it_still_takes(planned: Path):
    """Gangs, ranks, an ETA, and what each gang trains."""
    conn = connect(planned)
    begin_run(conn, 1, np=2, gangs=1)
    with gang(planned) as writer:
        finish(conn, 1, 60.0)
        finish(conn, 4, 60.0)
        claim = writer.commit(None, claim=True).claim
        conn.execute("UPDATE trials SET steps = 20 WHERE id = ?", (claim.trial_id,))
        text = run("--db", str(planned))
    assert "RUNNING  2 of 6 trials ended · 1 gang of 2 ranks · about 3 min 30 s left" in text
    assert "set/net/sgd batch size 8, trial 1" in text
    assert "━━━━━━        50 %" in text


def test_a_sweep_of_many_studies_is_shown_by_workload(path: Path):
    """One row for all its studies; naming the sweep shows each."""
    small_store(path, batch_sizes=range(1, STUDIES_SHOWN + 2), trials=1)
    brief, full = run("--db", str(path)), run("--db", str(path), "--sweep", "1")
    assert len(brief.splitlines()) < 10
    assert [line.split()[:2] for line in brief.splitlines()][2] == ["set/net/sgd", str(STUDIES_SHOWN + 1)]
    assert len(full.splitlines()) > STUDIES_SHOWN


def test_names_are_printed_as_they_are(path: Path):
    """Square brackets in a sweep's or workload's name are no markup, and nothing is lost."""
    conn = connect(path, create=True)
    odd = replace(
        plan(name="a [bold] sweep"), workloads=[replace(plan().workloads[0], name="my[/]:data/[red]net/sgd")]
    )
    save_plan(conn, odd)
    text = run("--db", str(path))
    assert "a [bold] sweep" in text
    assert "my[/]:data/[red]net/sgd" in text


def test_an_unknown_sweep_is_explained(trained: Path):
    """The message says which there are."""
    from hvdsweep.errors import UserError

    with pytest.raises(UserError, match=r"sweep 5: is not in the database\. There is 1 \(sweep\)"):
        run("--db", str(trained), "--sweep", "5")


def test_the_environment_names_the_database(trained: Path, monkeypatch: pytest.MonkeyPatch):
    """$HVDSWEEP_DB if --db is not given."""
    monkeypatch.setenv("HVDSWEEP_DB", str(trained))
    assert json.loads(run("--json"))["database"] == str(trained)


def test_watching_reads_only_what_has_changed(
    planned: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    """Ten polls with two commits in between: three readings, three lines of JSON."""
    with open_store(planned) as reader, gang(planned) as writer:
        readings = []
        truly = reader.status
        monkeypatch.setattr(reader, "status", lambda sweep: readings.append(sweep) or truly(sweep))
        polls = iter(range(10))

        def wait() -> None:
            poll = next(polls, None)
            if poll is None:
                raise KeyboardInterrupt
            if poll in (3, 6):
                writer.commit(None, claim=False)

        with pytest.raises(KeyboardInterrupt):
            _watch(reader, None, True, wait)
    assert len(readings) == 3
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_ctrl_c_ends_watching_quietly(planned: Path):
    """A real process, a real SIGINT: the lines so far, exit 0, nothing on stderr."""
    command = [
        sys.executable,
        "-c",
        "from hvdsweep.cli import main; main()",
        "status",
        "--watch",
        "--json",
        "--db",
        str(planned),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert json.loads(process.stdout.readline())["sweeps"][0]["request"] is None
    request_stop(connect(planned), 1)
    assert json.loads(process.stdout.readline())["sweeps"][0]["request"] == "stop"
    os.kill(process.pid, signal.SIGINT)
    rest, errors = process.communicate()
    assert (process.returncode, rest, errors) == (0, "", "")


@pytest.mark.parametrize(
    ("done", "total", "text"), [(0, 0, ""), (1, 4, "━━━           25 %"), (5, 4, "━" * 12 + " 100 %")]
)
def test_bars_never_claim_more_than_there_is(done: int, total: int, text: str):
    """Shares are cut, not rounded: 100 % means done."""
    assert bar(done, total) == text
    assert bar(999, 1000).endswith(" 99 %")
