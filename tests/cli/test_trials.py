"""`trials`, `events` and `logs`: what the Live screen shows, as text and as JSON."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from hvdsweep.cli.events import events
from hvdsweep.cli.logs import logs
from hvdsweep.cli.trials import trials
from hvdsweep.errors import UserError
from hvdsweep.opening import open_store
from tests.tui.stores import small_store


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    """24 trials of "digits", 12 of them ended, among others."""
    return small_store(tmp_path_factory.mktemp("cli") / "hvdsweep.db")


def run(command, *arguments):
    """What a command prints (stdout, stderr)."""
    result = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout, result.stderr


def test_trials_as_json_are_the_readers_rows(db):
    """Every trial that matches, in the order asked for, with words for states and null for what is not known."""
    out, _ = run(
        trials,
        "--db",
        db,
        "--filter",
        "batch_size=16..64 status=COMPLETE fc_32",
        "--sort",
        "best",
        "--limit",
        3,
        "--json",
    )
    found = json.loads(out)
    with open_store(db) as reader:
        rows = [
            r
            for r in reader.trials(sort="best").rows
            if r.batch_size in (16, 64) and r.status.name == "COMPLETE"
        ]
        rows = [row for row in rows if "fc_32" in row.workload]
    assert found["total"] == len(rows)
    assert [trial["id"] for trial in found["trials"]] == [row.id for row in rows[:3]]
    first = found["trials"][0]
    assert (first["status"], first["stop_reason"], first["best"]) == ("COMPLETE", "budget", rows[0].best)
    assert first["parameters"] == dict(rows[0].parameters)


def test_trials_as_a_table(db):
    """One line each under a header; how many there are goes to stderr."""
    out, err = run(trials, "--db", db, "--sweep", 1, "--limit", 5)
    lines = out.splitlines()
    assert len(lines) == 6
    assert lines[0].split()[:3] == ["trial", "workload", "batch"]
    assert err == "5 of 24 trials; --limit 0 shows all\n"
    out, err = run(trials, "--db", db, "--filter", "steps>1e9")
    assert (out, err) == ("", "No trial matches.\n")


def test_one_trial_in_full(db):
    """Metaparameters, every metric with its best, and why it failed."""
    with open_store(db) as reader:
        failed = next(row for row in reader.trials().rows if row.status.name == "INCOMPLETE")
        losses = reader.losses(failed.id)[1]
        errors = reader.measurements(failed.id).values["val/classification_error"]
    out, _ = run(trials, failed.id, "--db", db)
    assert "MemoryError" in out
    assert "INCOMPLETE (failed)" in out
    assert "val/cross_entropy_error" in out
    out, _ = run(trials, failed.id, "--db", db, "--json")
    (found,) = json.loads(out)
    metrics = {metric["metric"]: metric for metric in found["metrics"]}
    assert metrics["training loss"]["best"] == losses.min()
    assert metrics["val/classification_error"]["best"] == errors.min()
    assert metrics["val/classification_error"]["goal"]
    assert found["message"].startswith("rank 1: exit code 1")


def test_a_diverged_trial_is_valid_json(db):
    """Losses that are not finite are left out of best and last; JSON has no NaN."""
    out, _ = run(trials, "--db", db, "--filter", "status=INFEASIBLE", "--json")
    (diverged,) = json.loads(out)["trials"]
    out, _ = run(trials, diverged["id"], "--db", db, "--json")
    (found,) = json.loads(out)
    assert found["metrics"][0]["last"] is not None


def test_a_wrong_filter_or_column_is_bad_input(db):
    """UserError (exit code 2), with what would be right."""
    for arguments, words in (
        (["--filter", "learning_rat>1"], "did you mean learning_rate"),
        (["--sort", "nothing"], "Sort by"),
        (["999"], "no trial 999"),
    ):
        with pytest.raises(UserError, match=words):
            run(trials, "--db", db, *arguments)


def test_events(db):
    """Oldest first, the last N, those after an id; as lines and as JSON."""
    out, _ = run(events, "--db", db, "--sweep", 1, "--json")
    found = json.loads(out)
    assert [event["kind"] for event in found] == ["plan", "run", "gang"]
    out, _ = run(events, "--db", db, "--sweep", 1, "--after", found[0]["id"], "--last", 1)
    assert "killed by SIGKILL" in out
    assert len(out.splitlines()) == 1


def test_logs(db):
    """The last lines of every rank of a gang, of one rank, as JSON; where there are none, why."""
    out, _ = run(logs, "--db", db, "--gang", 1, "--lines", 2)
    assert out.splitlines() == [
        "==> rank-0.log <==", "step 38 of rank 0", "step 39 of rank 0", "==> rank-1.log <==", "hello from rank 1",
    ]  # fmt: skip
    out, _ = run(logs, "--db", db, "--gang", 1, "--rank", 1)
    assert out == "hello from rank 1\n"
    out, _ = run(logs, "--db", db, "--gang", 1, "--lines", 1, "--json")
    assert [log["lines"] for log in json.loads(out)["logs"]] == [["step 39 of rank 0"], ["hello from rank 1"]]
    for arguments, words in (
        (["--gang", 1, "--rank", 7], "no log of rank 7"),
        (["--gang", 99], "no gang has worked here"),
        (["--sweep", 2], "no logs on this machine; it trained on here"),
    ):
        with pytest.raises(UserError, match=words):
            run(logs, "--db", db, *arguments)


def test_sorting_by_what_no_trial_has_is_refused(tmp_path):
    """Also by a metaparameter: the message names those there are."""
    from click.testing import CliRunner

    from hvdsweep.cli import group
    from hvdsweep.errors import UserError
    from tests.tui.stores import small_store

    path = small_store(tmp_path / "store.db")
    for column in ("bogus", "parameters.bogus"):
        run = CliRunner().invoke(group, ["trials", "--db", str(path), "--sort", column])
        assert isinstance(run.exception, UserError)
        assert column in str(run.exception)
