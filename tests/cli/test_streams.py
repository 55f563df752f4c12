"""Whatever stdout can show, a command ends as it should."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest

from hvdsweep.cli import COMMANDS, group
from hvdsweep.store.connection import connect
from tests.archive.generator import files, planted, write_folder
from tests.cli.forked import run
from tests.tui.stores import small_store


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("arguments", [["status"], ["curve", "mnist/simple_cnn_base/sgd"], ["figure", "1"]])
def test_a_terminal_without_unicode(tmp_path_factory, encoding, arguments):
    """Bars, braille and arrows become question marks where the encoding has them not; no traceback, exit 0."""
    from hvdsweep.archive import import_archive

    folder = tmp_path_factory.mktemp("streams")
    source = write_folder(
        folder, files([study for study in planted(trials=2) if study.model == "simple_cnn_base"])
    )
    import_archive(source, folder / "x.db", aside=False)
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "from hvdsweep.cli import main; main()",
            *arguments,
            "--db",
            str(folder / "x.db"),
        ],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert run.returncode == 0, run.stderr.decode()
    assert run.stderr == b""
    assert b"\\u" not in run.stdout
    assert b"simple_cnn" in run.stdout or b"Simple CNN" in run.stdout


PROGRAM = [sys.executable, "-c", "from hvdsweep.cli import main; main()"]


FULL = [
    *([command, "--help"] for command in COMMANDS),
    ["--help"],
    ["schema"],
    ["workloads"],
    ["datasets"],
    ["doctor", "--quick"],
    ["status"],
    ["status", "--json"],
    ["status", "--watch"],
    ["status", "--watch", "--json"],
    ["trials"],
    ["trials", "1"],
    ["events"],
    ["logs", "--gang", "1"],
    ["curve"],
    ["curve", "--csv"],
    ["best"],
    ["figure", "curve"],
    ["report", "--out", "-"],
    ["export", "out"],
    ["scale", "--show"],
    ["launch", "--dry-run", "digits.toml"],
    ["import", "published/zhang_2024"],
]
"""Every command and its forms of output; a new command gets an entry."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """With a small store in it that `--db` need not name."""
    folder = tmp_path_factory.mktemp("streams")
    small_store(folder / "hvdsweep.db")
    return folder


@pytest.mark.parametrize("arguments", FULL, ids=" ".join)
def test_a_full_disk_behind_stdout_is_a_sentence(arguments, folder):
    """Whatever command: exit code 1, a last line on stderr that says what cannot be written, no traceback."""
    ended = run(arguments, folder, out="/dev/full")
    assert ended.code == 1
    assert ended.err.splitlines()[-1] == "The output cannot be written: No space left on device."
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["curve"], 0), (["lunch"], 2), (["status", "--db", "none"], 2), (["trials", "x"], 2)],
)
def test_a_full_disk_behind_stderr_changes_nothing(arguments, code, folder):
    """Messages to stderr are lost; the output and the exit code stay the same."""
    ended, usual = run(arguments, folder, err="/dev/full"), run(arguments, folder)
    assert (ended.code, ended.out) == (usual.code, usual.out)
    assert ended.code == code


def test_a_launch_trains_on_where_its_events_find_no_room(tmp_path):
    """Everything is trained; at the end the run reports what could not be written, with exit code 1."""
    from tests.launch.test_sweeps import TEXT

    (tmp_path / "mine.toml").write_text(TEXT)
    with closing(connect(tmp_path / "hvdsweep.db", create=True)) as conn:
        # Stands for training.
        conn.execute(
            "CREATE TRIGGER done AFTER INSERT ON trials BEGIN UPDATE trials SET status = 'COMPLETE'; END"
        )
    ended = run(["launch", "mine.toml", "--json"], tmp_path, out="/dev/full")
    assert (ended.code, ended.err) == (1, "The output cannot be written: No space left on device.\n")
    assert "DONE" in run(["status"], tmp_path).out


def test_watching_into_a_pipe_prints_every_state(folder):
    """One below the other, as soon as it is read."""
    ended = run(["status", "--watch"], folder, before=lambda: signal.alarm(3))
    assert ended.code == -signal.SIGALRM
    assert ended.out.count("Sweep 1  digits") == 1


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("arguments", "code"), [(["datasets"], 0), (["launch", "none.toml"], 2)])
def test_closed_streams_are_no_error(arguments, code, closed, tmp_path):
    """A command whose streams the shell has closed works: none of the files it opens gets the number of a stream."""
    script = f'"$@" {closed}; echo code $? > done'
    run = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *PROGRAM, *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert (tmp_path / "done").read_text() == f"code {code}\n"
    heard = bool(code) and "2>" not in closed
    assert ("none.toml: " in run.stderr, run.stderr != "") == (heard, heard)


@pytest.mark.parametrize(
    "arguments",
    [
        ["events", "--after"],
        ["events", "--last"],
        ["status", "--sweep"],
        ["trials"],
        ["trials", "--limit"],
        ["trials", "--offset"],
        ["curve", "--num-trials"],
        ["curve", "--sweep"],
        ["best", "--step-budget"],
        ["launch", "mnist", "--seed"],
        ["launch", "mnist", "--np"],
        ["launch", "mnist", "--steps"],
        ["launch", "mnist", "--threads"],
        ["launch", "mnist", "--slots"],
        ["launch", "mnist", "--batch-sizes"],
        ["launch", "mnist", "--until"],
        ["scale", "mnist", "--np"],
        ["report"],
        ["figure", "curve", "--dpi"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("number", ["9" * 30, "9" * 5000], ids=len)
def test_numbers_beyond_64_bits_are_refused(arguments, number, tmp_path):
    """By every command, as bad input."""
    ended = run([*arguments, number], tmp_path)
    assert ended.code == 2, ended.err
    assert "Traceback" not in ended.err


def parameters() -> Iterator[tuple[str, click.Parameter]]:
    """Every option and argument of every command, with its name on the command line."""
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        for one in (command, *(command.commands.values() if isinstance(command, click.Group) else ())):
            yield from ((f"{name} {one.name} {parameter.name}", parameter) for parameter in one.params)


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        (click.types.StringParamType, "a\udcff", "bytes that are not UTF-8"),
        (click.types.FloatParamType, "nan", "nan"),
        (click.types.FloatParamType, "NaN%", "NaN%"),
        (click.Path, "", "is empty"),
        (click.types.IntParamType, str(2**63), "beyond 64 bits"),
        (click.types.IntParamType, "9" * 5000, "not a valid integer"),
    ],
)
def test_no_option_takes_what_a_store_cannot_hold(kind, value, says):
    """Whatever the command and the option: refused as bad input, with the value."""
    tried = [(name, one) for name, one in parameters() if isinstance(one.type, kind)]
    assert len(tried) > 5
    for name, parameter in tried:
        with pytest.raises(click.BadParameter) as refused:
            parameter.type.convert(value, parameter, None)
        assert says in str(refused.value) or value[:40] in str(refused.value), name


@pytest.mark.parametrize("number", ["nan", "inf", "1e400", "-1", "1e308h"])
@pytest.mark.parametrize("option", ["--hang-timeout", "--start-timeout", "--checkpoint-every"])
def test_times_that_no_clock_holds_are_refused(option, number, tmp_path):
    """Refused as bad input, instead of never passing or crashing the supervisor later."""
    ended = run(["launch", "mnist", option, number], tmp_path)
    assert ended.code == 2, ended.err
    assert option in ended.err
