"""`hvdsweep launch` as a command: bad input, dry runs, and what it never does."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hvdsweep.cli.launch import _hint, _stops_at, launch
from hvdsweep.errors import RunFailed, UserError
from hvdsweep.launch.events import NoteEvent
from hvdsweep.launch.outcome import RunOutcome
from hvdsweep.plan import make_plan
from hvdsweep.store import connection
from hvdsweep.store.connection import connect
from hvdsweep.store.plans import save_plan
from hvdsweep.store.throughput import record_throughput
from hvdsweep.sweep.load import load_sweep
from hvdsweep.sweep.restore import check_same, stored_sweep
from tests.launch.test_sweeps import TEXT

ROOT = Path(__file__).parents[2]


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(TEXT)
    return path


def test_all_mistakes_of_a_command_line_come_at_once(tmp_path: Path, sweep_file: Path) -> None:
    """Wrong hosts, a file that is missing and a file with a mistake: three problems, and nothing is written."""
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(TEXT.replace('"fc_16"', '"fx_16"'))
    arguments = [
        "-H",
        "a",
        str(sweep_file),
        str(tmp_path / "none.toml"),
        str(wrong),
        "--db",
        str(tmp_path / "s.db"),
    ]
    result = CliRunner().invoke(launch, arguments)
    assert isinstance(result.exception, UserError)
    assert len(result.exception.problems) == 3
    assert not (tmp_path / "s.db").exists()


@pytest.mark.parametrize("ranks", [["--np", "100000000"], ["--slots", "99999999", "--np", "auto"]])
def test_more_ranks_than_any_machine_has_are_refused(
    ranks: list[str], sweep_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once: their shares of a batch are never computed."""
    monkeypatch.delattr("hvdsweep.plan_summary.summarize")
    monkeypatch.delattr("hvdsweep.plan_summary.summarize_auto")
    result = CliRunner().invoke(launch, [str(sweep_file), *ranks, "--dry-run"])
    words = f"{result.output} {result.exception}"
    assert result.exit_code
    assert "65,536 at most." in words or "ranks from 1 to 65,536" in words


def test_a_launch_that_waits_for_a_lock_says_so(
    tmp_path: Path, sweep_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another program writes: one message after the first attempt, then an error; nothing is written."""
    db = tmp_path / "s.db"
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0.01)
    with closing(connect(db, create=True)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        result = CliRunner().invoke(launch, [str(sweep_file), "--db", str(db)])
        assert isinstance(result.exception, RunFailed)
        assert "is locked by another process" in str(result.exception)
        assert result.output.count("Waiting up to") == 1
        assert holder.execute("SELECT count(*) FROM sweeps").fetchone() == (0,)


def test_hosts_are_given_once(tmp_path: Path, sweep_file: Path) -> None:
    """-H and --hostfile exclude each other."""
    result = CliRunner().invoke(
        launch, [str(sweep_file), "-H", "localhost:1", "--hostfile", "x", "--dry-run"]
    )
    assert isinstance(result.exception, UserError)
    assert "Give one of them" in str(result.exception)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--np", "0"],
        ["--np", "all"],
        ["--np", "auto", "--slots", "0"],
        ["--gangs", "-1"],
        ["--stop", "never"],
        ["--hang-timeout", "0"],
    ],
)
def test_options_out_of_range_are_usage_errors(arguments: list[str], sweep_file: Path) -> None:
    """Exit code 2, by click."""
    assert CliRunner().invoke(launch, [*arguments, *([str(sweep_file)] if arguments else [])]).exit_code == 2


def test_the_hint_can_be_pasted(tmp_path: Path, sweep_file: Path) -> None:
    """The command that shows the curve names the store as a shell reads it, blanks and quotes included."""
    told: list[NoteEvent] = []
    database = tmp_path / 'it\'s "mine".db'
    _hint(told.append, make_plan(load_sweep(sweep_file)), database)  # type: ignore[arg-type]
    words = shlex.split(told[0].message.partition(": ")[2])
    assert words == ["hvdsweep", "curve", "digits/fc_16/sgd", "--db", str(database)]


def test_a_dry_run_writes_nothing(tmp_path: Path, sweep_file: Path) -> None:
    """The plan goes to stdout, for people and for programs; no file appears; options count as in a real launch."""
    database = tmp_path / "s.db"
    runner = CliRunner()
    result = runner.invoke(
        launch, ["--dry-run", "--np", "2", "--trials", "5", "--db", str(database), str(sweep_file)]
    )
    assert result.exit_code == 0
    assert "2 studies, 10 trials" in " ".join(result.stdout.split())
    result = runner.invoke(
        launch,
        ["--dry-run", "--json", "--np", "2", "--batch-sizes", "7", "--db", str(database), str(sweep_file)],
    )
    (plan,) = json.loads(result.stdout)
    assert [(study["batch_size"], study["ranks"]) for study in plan["studies"]] == [(7, [4, 3])]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.toml"]


def dry_run(tmp_path: Path, sweep_file: Path, *options: str) -> tuple[dict[str, Any], str]:
    """The plan as JSON and as text."""
    arguments = ["--dry-run", "--db", str(tmp_path / "s.db"), *options, str(sweep_file)]
    (plan,) = json.loads(CliRunner().invoke(launch, [*arguments, "--json"]).stdout)
    return plan, " ".join(CliRunner().invoke(launch, arguments).stdout.split())


def test_a_dry_run_shows_the_layout(tmp_path: Path, sweep_file: Path) -> None:
    """With speeds in the database: the ranks of each batch size, the hours, and those of the two plain layouts."""
    with closing(connect(tmp_path / "s.db", create=True)) as conn:
        for size, np, gangs, speed in ((8, 1, 2, 0.1), (8, 2, 1, 0.02), (64, 1, 2, 0.01), (64, 2, 1, 0.05)):
            record_throughput(
                conn,
                workload="digits/fc_16/sgd",
                batch_size=size,
                np=np,
                gangs=gangs,
                steps=1,
                seconds=1 / speed,
            )
    plan, text = dry_run(
        tmp_path, sweep_file, "--np", "auto", "--slots", "2", "--batch-sizes", "8,64", "--trials", "4"
    )
    assert [(study["batch_size"], study["np"], study["gangs"]) for study in plan["studies"]] == [
        (8, 1, 2),
        (64, 2, 1),
    ]
    assert (plan["np"], plan["gangs"], plan["layout"]["slots"], plan["layout"]["basis"]) == (
        None,
        None,
        2,
        "measured",
    )
    trial = plan["studies"][0]["steps"]
    trials = plan["studies"][0]["trials"]
    assert trials % 2 == 0
    seconds = {
        1: [trial / 0.1 * trials / 2, trial / 0.01 * trials / 2],
        2: [trial / 0.02 * trials, trial / 0.05 * trials],
    }
    plain = {(one["np"], one["gangs"]): one["hours"] * 3600 for one in plan["layout"]["plain"]}
    assert plain == {
        (1, 2): pytest.approx(sum(seconds[1]), abs=30),
        (2, 1): pytest.approx(sum(seconds[2]), abs=30),
    }
    assert plan["hours"] * 3600 == pytest.approx(seconds[1][0] + seconds[2][1], abs=60)
    assert "2 gangs of 1 rank for batch size 8" in text
    assert "1 gang of 2 ranks for batch size 64" in text
    assert "2 gangs of 1 rank throughout" in text
    assert "1 gang of 2 ranks throughout" in text


def test_a_dry_run_without_speeds_calls_itself_rough(tmp_path: Path, sweep_file: Path) -> None:
    """It says so, marks every time, and writes no database."""
    plan, text = dry_run(tmp_path, sweep_file, "--np", "auto", "--slots", "2")
    assert plan["layout"]["basis"] == "rough"
    assert "Nothing of this model was measured yet" in text
    assert "≈" in text
    assert not (tmp_path / "s.db").exists()


def test_slots_are_this_machines_cores_unless_given(
    tmp_path: Path, sweep_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cores, GPUs where there are any, the hosts' slots with -H."""
    monkeypatch.setattr("hvdsweep.launch.machine.cores", lambda: 3)
    monkeypatch.setattr("hvdsweep.launch.machine.gpus", lambda: ())
    assert dry_run(tmp_path, sweep_file, "--np", "auto")[0]["layout"]["slots"] == 3
    assert dry_run(tmp_path, sweep_file, "--np", "auto", "-H", "localhost:5")[0]["layout"]["slots"] == 5
    monkeypatch.setattr("hvdsweep.launch.machine.gpus", lambda: ("0", "1"))
    assert dry_run(tmp_path, sweep_file, "--np", "auto")[0]["layout"]["slots"] == 2
    assert dry_run(tmp_path, sweep_file, "--np", "auto", "--slots", "4")[0]["layout"]["slots"] == 4


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--np", "auto", "--gangs", "2"], "--gangs: 2: --np auto chooses the gangs itself"),
        (["--np", "2", "--slots", "2"], "--slots: 2: only means something with --np auto"),
        (["--np", "auto", "--slots", "65537"], "65,537 ranks at once"),
        (["--np", "1000", "--gangs", "1000"], "1,000,000 ranks at once"),
        (["--np", "auto", "--slots", "3", "-H", "localhost:2"], "--slots: 3: the hosts have 2"),
    ],
)
def test_options_that_exclude_each_other(
    tmp_path: Path, sweep_file: Path, options: list[str], problem: str
) -> None:
    """One error with its remedy; nothing is written."""
    result = CliRunner().invoke(launch, [*options, "--db", str(tmp_path / "s.db"), str(sweep_file)])
    assert isinstance(result.exception, UserError)
    assert problem in str(result.exception)
    assert not (tmp_path / "s.db").exists()


def test_the_same_sweep_twice_is_one(tmp_path: Path, sweep_file: Path) -> None:
    """A workload named twice is planned once."""
    result = CliRunner().invoke(launch, ["--dry-run", "--json", str(sweep_file), str(sweep_file)])
    assert len(json.loads(result.stdout)) == 1


def test_a_supervisor_loads_no_tensorflow(tmp_path: Path, sweep_file: Path) -> None:
    """Planning, saving and supervising happen without TensorFlow, Horovod and Textual in the process."""
    code = f"""
import sys
from hvdsweep.cli.hosts import Where
from hvdsweep.cli.launched import checked
from hvdsweep.launch.supervisor import Supervisor
from hvdsweep.launch.settings import Settings
from hvdsweep.launch.sweeps import save
from hvdsweep.store.connection import connect
from hvdsweep.sweep.load import Overrides
plans, _ = checked(({str(sweep_file)!r},), (), None, Overrides(), Where())
conn = connect({str(tmp_path / "s.db")!r}, create=True)
saved = save(conn, plans[0])
conn.execute("UPDATE trials SET status = 'COMPLETE'")
assert Supervisor({str(tmp_path / "s.db")!r}, saved.sweep_id, plans[0], Settings()).run().state == "DONE"
print([name for name in ("tensorflow", "keras", "horovod", "textual") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert run.stdout.strip() == "[]"


def test_missing_data_are_reported_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A launch without its data is bad input, with what to get and where to; a dry run shows the plan and says so."""
    monkeypatch.setenv("HVDSWEEP_DATA", str(tmp_path / "data"))
    names = ["imagenet/resnet_50/nesterov_momentum", "mnist/fc_1024/sgd"]
    arguments = [*names, "--np", "8", "--db", str(tmp_path / "s.db")]
    result = CliRunner().invoke(launch, arguments)
    assert isinstance(result.exception, UserError)
    told = str(result.exception)
    assert [line.partition(":")[0] for line in result.exception.problems] == ["imagenet", "mnist"]
    assert str(tmp_path / "data" / "imagenet") in told
    assert "train-images-idx3-ubyte.gz" in told
    result = CliRunner().invoke(launch, [*arguments, "--dry-run"])
    assert result.exit_code == 0
    assert "1,100 trials" in " ".join(result.stdout.split())
    assert "hvdsweep datasets imagenet" in result.stderr
    assert not list(tmp_path.iterdir())


def test_data_that_are_here_are_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A subset is looked for where its parent is: one file of every part is enough."""
    monkeypatch.setenv("HVDSWEEP_DATA", str(tmp_path))
    for part in ("train/n01440764/a.JPEG", "val/n01440764/b.JPEG"):
        (tmp_path / "imagenet" / part).parent.mkdir(parents=True)
        preset = "imagenet_subsets/imagenet_half_classes/resnet_50/nesterov_momentum"
        absent = CliRunner().invoke(launch, [preset, "--dry-run"]).stderr
        assert "imagenet: is not on this machine" in absent
        (tmp_path / "imagenet" / part).touch()
    assert CliRunner().invoke(launch, [preset, "--dry-run"]).stderr == ""


def store_of(tmp_path: Path, sweep_file: Path) -> Path:
    """A database that holds the sweep of a file; the file is gone."""
    database = tmp_path / "s.db"
    with closing(connect(database, create=True)) as conn:
        save_plan(conn, make_plan(load_sweep(sweep_file)))
    sweep_file.unlink()
    return database


def test_a_stored_sweep_is_launched_without_its_file(tmp_path: Path, sweep_file: Path) -> None:
    """--sweep plans what the database keeps, and extends it by trials of one batch size."""
    plan = make_plan(load_sweep(sweep_file))
    database = store_of(tmp_path, sweep_file)
    arguments = ["--sweep", "1", "--db", str(database), "--dry-run", "--json"]
    (found,) = json.loads(CliRunner().invoke(launch, arguments).stdout)
    assert found["name"] == plan.name
    assert [study["batch_size"] for study in found["studies"]] == [study.batch_size for study in plan.studies]
    size = found["studies"][0]["batch_size"]
    (more,) = json.loads(CliRunner().invoke(launch, [*arguments, "--trials", f"{size}=9"]).stdout)
    wanted = [9, *(study["trials"] for study in found["studies"][1:])]
    assert [study["trials"] for study in more["studies"]] == wanted
    name = found["studies"][0]["workload"]
    assert found["stored"] == {"sweep": 1, "more": [], "repeats": 0}
    wanted = [{"workload": name, "batch_size": size, "trials": 6}]
    assert more["stored"] == {"sweep": 1, "more": wanted, "repeats": 0}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "Resumes sweep 1."),
        (["--trials", "2"], "Resumes sweep 1."),
        (["--trials", "64=9"], "Extends sweep 1: 6 more at batch size 64."),
        (["--repeats", "3"], "Extends sweep 1: 6 repeats of best trials."),
        (
            ["--trials", "64=9", "--repeats", "1"],
            "Extends sweep 1: 6 more at batch size 64; 2 repeats of best trials.",
        ),
        (
            ["--batch-sizes", "16,64,256", "--trials", "4"],
            "Extends sweep 1: 1 more at batch size 16, 1 at 64, 4 at 256.",
        ),
        (
            ["--batch-sizes", "2^0..2^10"],
            "batch size 1, 3 at 2, 3 at 4, 3 at 8, 3 at 32, 3 at 128, 3 at 256, 3 at 512, ... (--json lists all).",
        ),
    ],
)
def test_a_dry_run_says_what_it_extends(
    tmp_path: Path, sweep_file: Path, options: list[str], words: str
) -> None:
    """With a stored sweep: its number and the trials that each batch size gets; nothing for a new sweep or without a database."""
    database = store_of(tmp_path, sweep_file)
    arguments = ["--db", str(database), "--dry-run"]

    def last(*more: str) -> str:
        return " ".join(CliRunner().invoke(launch, [*arguments, *more]).stdout.split())

    assert last("--sweep", "1", *options).endswith(words)
    sweep_file.write_text(TEXT)
    assert last(str(sweep_file), *options).endswith(words)
    assert "sweep 1" not in last(str(sweep_file), "--seed", "2", *options)
    database.unlink()
    assert "sweep 1" not in last(str(sweep_file), *options)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sweep", "9"], "sweep 9: there is no such sweep"),
        (["--sweep", "1", "--seed", "3"], "--seed: 3: would begin another sweep"),
        (["--sweep", "1", "--trials", "x"], "neither a number of trials nor numbers by batch size"),
        (["--sweep", "1", "--trials", "0"], "0 is not between 1 and"),
        (["--sweep", "1", "--trials", "64=0"], "64: 0 is not between"),
        (["--sweep", "1", "--batch-sizes", "16-64"], '"16-64" is no range; write 16..64'),
        (["--sweep", "1", "--db", "none.db"], "none.db: does not exist"),
    ],
)
def test_what_a_stored_sweep_cannot_be(
    tmp_path: Path, sweep_file: Path, arguments: list[str], words: str
) -> None:
    """One sentence, and nothing changes."""
    database = store_of(tmp_path, sweep_file)
    before = database.read_bytes()
    result = CliRunner().invoke(launch, ["--db", str(database), *arguments])
    assert isinstance(result.exception, UserError)
    assert words in str(result.exception)
    assert database.read_bytes() == before


def test_a_sweep_whose_code_has_changed_is_not_trained_as_another(tmp_path: Path) -> None:
    """The user's own module was edited since: the key that differs is named."""
    (tmp_path / "mine.py").write_text("def build(info, options):\n    return None\n")
    file = tmp_path / "own.toml"
    file.write_text(TEXT.replace('"fc_16"', '"mine:build"'))
    database = tmp_path / "s.db"
    with closing(connect(database, create=True)) as conn:
        save_plan(conn, make_plan(load_sweep(file)))
    check_same(database, 1, make_plan(stored_sweep(database, 1)))
    (tmp_path / "mine.py").write_text("def build(info, options):\n    return 3\n")
    with pytest.raises(UserError, match=r"is another sweep now \(code.mine:build"):
        check_same(database, 1, make_plan(stored_sweep(database, 1)))


def test_a_job_with_an_end_stops_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """By --stop-before, of a short job by a quarter of what is left; never with 0, and nowhere without an end."""
    monkeypatch.setattr("time.time", lambda: 1000.0)
    for end, before, stops in (
        (4000, 60.0, 3940.0),
        (1100, 60.0, 1075.0),
        (900, 60.0, 900.0),
        (4000, 0.0, None),
    ):
        monkeypatch.setenv("HVDSWEEP_JOB_END", str(end))
        assert _stops_at(before) == stops
    for variable in ("HVDSWEEP_JOB_END", "SLURM_JOB_END_TIME", "SLURM_JOB_ID"):
        monkeypatch.delenv(variable, raising=False)
    assert _stops_at(60.0) is None


def test_a_job_that_cannot_save_its_trials_is_warned_of(
    tmp_path: Path, sweep_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--checkpoint-every 0` loses trials at the end of a job; with checkpoints, or without an end, there is no warning."""

    class Idle:
        """Trains nothing."""

        def __init__(self, *arguments: object, **options: object) -> None:
            pass

        def run(self) -> RunOutcome:
            return RunOutcome("DONE", 0, "")

    monkeypatch.setattr("hvdsweep.launch.supervisor.Supervisor", Idle)
    for end, every, warned in (("4000000000", "0", True), ("4000000000", "5", False), ("", "0", False)):
        monkeypatch.setenv("HVDSWEEP_JOB_END", end)
        result = CliRunner().invoke(
            launch, [str(sweep_file), "--db", str(tmp_path / "s.db"), "--checkpoint-every", every, "--json"]
        )
        assert result.exit_code == 0, result.output
        assert ("--checkpoint-every 0: this job has an end" in result.output) == warned
