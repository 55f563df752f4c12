"""`hvdsweep launch` as a command: bad input, dry runs, and what it never does."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from hvdsweep.cli.launch import _hint, launch
from hvdsweep.errors import UserError
from hvdsweep.launch.events import NoteEvent
from hvdsweep.plan import make_plan
from hvdsweep.sweep import load_sweep
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


def test_hosts_are_given_once(tmp_path: Path, sweep_file: Path) -> None:
    """-H and --hostfile exclude each other."""
    result = CliRunner().invoke(
        launch, [str(sweep_file), "-H", "localhost:1", "--hostfile", "x", "--dry-run"]
    )
    assert isinstance(result.exception, UserError)
    assert "Give one of them" in str(result.exception)


@pytest.mark.parametrize(
    "arguments", [[], ["--np", "0"], ["--gangs", "-1"], ["--stop", "never"], ["--hang-timeout", "0"]]
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


def test_the_same_sweep_twice_is_one(tmp_path: Path, sweep_file: Path) -> None:
    """A workload named twice is planned once."""
    result = CliRunner().invoke(launch, ["--dry-run", "--json", str(sweep_file), str(sweep_file)])
    assert len(json.loads(result.stdout)) == 1


def test_a_supervisor_loads_no_tensorflow(tmp_path: Path, sweep_file: Path) -> None:
    """Planning, saving and supervising happen without TensorFlow, Horovod and Textual in the process."""
    code = f"""
import sys
from hvdsweep.cli.launch import _checked
from hvdsweep.launch.supervisor import Supervisor
from hvdsweep.launch.settings import Settings
from hvdsweep.launch.sweeps import save
from hvdsweep.store import connect
from hvdsweep.sweep import Overrides
plans, _ = _checked(({str(sweep_file)!r},), Overrides(), None, None)
conn = connect({str(tmp_path / "s.db")!r}, create=True)
saved = save(conn, plans[0])
conn.execute("UPDATE trials SET status = 'COMPLETE'")
assert Supervisor({str(tmp_path / "s.db")!r}, saved.sweep_id, plans[0], Settings()).run().state == "DONE"
print([name for name in ("tensorflow", "keras", "horovod", "textual") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert run.stdout.strip() == "[]"


def test_data_that_are_not_here_are_told_before_anything_is_written(
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
