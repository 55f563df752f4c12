"""`hvdsweep scale`: every speed is stored at once, failures are reported, nothing is left running; with real ranks too."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from hvdsweep.cli import group
from hvdsweep.cli.scale import speed_lines
from hvdsweep.curves.speeds import speeds
from hvdsweep.errors import UserError
from hvdsweep.launch.hosts import Host
from hvdsweep.launch.processes import marked
from hvdsweep.launch.scale import Failed, Now, Scale, ScalePace, Timed, cases_of
from hvdsweep.opening import open_store
from hvdsweep.plan import make_plan
from hvdsweep.store.connection import connect
from hvdsweep.store.throughput import record_throughput
from hvdsweep.sweep.load import load_sweep
from tests.limits import HANG_SECONDS

from .conftest import wait_for

FAKE = Path(__file__).with_name("fake_timing.py")
SWEEP = """
dataset = "digits"
model = "fc_16"
algorithms = ["sgd", "momentum"]
[goal]
metric = "val/classification_error"
value = 0.3
[budget]
steps = 20
[studies]
batch_sizes = [16, 64]
trials = 2
[search]
learning_rate = { scale = "log", min = 0.03, max = 1.0 }
momentum = 0.9
"""


def fake_command(hosts: Sequence[Host], module: str, arguments: Sequence[str]) -> list[str]:
    """The fake ranks in the place of horovodrun."""
    assert module == "hvdsweep.training.timing"
    return [sys.executable, str(FAKE), "--np", str(sum(host.slots for host in hosts)), *arguments]


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    path = tmp_path / "quick.toml"
    path.write_text(SWEEP)
    return path


class Heard:
    """What a measurement says."""

    def __init__(self) -> None:
        self.timed: list[Timed] = []
        self.failed: list[Failed] = []
        self.now: list[Now] = []

    def run(self, scale: Scale, stop=lambda: False) -> Heard:
        lists = {Timed: self.timed, Failed: self.failed, Now: self.now}
        for found in scale.run(stop):
            lists[type(found)].append(found)
        return self


def scale_of(sweep: Path, counts: Sequence[int], mode: str = "", **options) -> Scale:
    return Scale(
        cases_of(make_plan(load_sweep(sweep))),
        counts,
        seconds=0.1,
        environment={**os.environ, "FAKE_TIMING": mode},
        build=fake_command,
        **options,
    )


def left_running() -> list[int]:
    """Processes of measurements that this test process has started."""
    return marked(lambda mark: mark.supervisor.pid == os.getpid() and "hvdsweep-scale-" in mark.store)


def test_cases_are_the_studies_with_a_learning_rate_of_zero(sweep):
    """One per workload and batch size; a trial's own metaparameters, but weights that stay where they are."""
    plan = make_plan(load_sweep(sweep))
    cases = cases_of(plan)
    assert [(c.workload, c.batch_size) for c in cases] == [(s.workload, s.batch_size) for s in plan.studies]
    for case, study in zip(cases, plan.studies, strict=True):
        assert case.definition == study.definition
        assert set(case.metaparameters) == set(study.trial(0).metaparameters)
        assert case.metaparameters["learning_rate"] == 0.0
    assert [case.batch_size for case in cases_of(plan, [64])] == [64, 64]
    with pytest.raises(UserError, match=r"--batch-sizes: 32: not in .*quick\.toml, which has 16, 64"):
        cases_of(plan, [32])


def test_every_speed_is_reported_at_once_in_order(sweep):
    """Rank counts one after the other, cases in the plan's order, steps and seconds as rank 0 says."""
    heard = Heard()
    heard.run(scale_of(sweep, [1, 2]))
    told = [(one.np, one.workload.rpartition("/")[2], one.batch_size) for one in heard.timed]
    each = [("sgd", 16), ("sgd", 64), ("momentum", 16), ("momentum", 64)]
    assert told == [(np, *case) for np in (1, 2) for case in each]
    assert all(one.steps_per_second == pytest.approx(100 * one.np) for one in heard.timed)
    assert heard.timed[1].examples_per_second == pytest.approx(6400)
    assert not heard.failed
    assert not left_running()


def test_a_crash_is_reported_with_its_error_and_other_numbers_of_ranks_are_measured(sweep):
    """What was answered before stays; the rest of that number of ranks is one failure."""
    heard = Heard()
    outcome = heard.run(scale_of(sweep, [1, 2], "crash 1"))
    assert [one.np for one in outcome.timed] == [1, 2]
    assert [(one.np, one.case) for one in outcome.failed] == [(1, None), (2, None)]
    assert "MemoryError: no room" in outcome.failed[0].message
    assert not left_running()


def test_a_study_that_cannot_be_built_is_one_failure(sweep):
    """The others are timed all the same."""
    outcome = Heard().run(scale_of(sweep, [2], "error"))
    assert len(outcome.timed) == 3
    (one,) = outcome.failed
    assert (one.case.batch_size, one.message) == (16, "ValueError: no such layer")


def test_silence_is_a_failure_and_leaves_nothing_running(sweep):
    """After the timeout the ranks are ended, with everything they have started."""
    outcome = Heard().run(scale_of(sweep, [1], "child", patience=0.3))
    assert "no sign of life" in outcome.failed[0].message
    assert not left_running()


def test_a_stop_ends_the_ranks_and_keeps_what_was_measured(sweep):
    """Asked to stop in the middle: results so far, nothing left running, no failure."""
    heard = Heard()
    outcome = heard.run(scale_of(sweep, [1, 2]), stop=lambda: len(heard.timed) >= 2)
    assert 2 <= len(outcome.timed) <= 4
    assert all(one.np == 1 for one in outcome.timed)
    assert not outcome.failed
    assert not left_running()


def test_progress_counts_up_and_time_left_goes_down(sweep):
    """`done` never falls and ends below the total it counts to; what is being done is named once ranks are ready."""
    heard = Heard()
    heard.run(scale_of(sweep, [1, 2]))
    done = [now.done for now in heard.now]
    assert done == sorted(done)
    assert all(now.total == 8 and now.seconds_left >= 0 for now in heard.now)
    assert heard.now[0].doing is None


def test_no_time_is_left_once_the_last_case_is_answered(sweep):
    """Also while its ranks still take their time to end: nothing that is under way may be subtracted then."""
    scale = scale_of(sweep, [1])
    scale._pace.cases += [7.0]
    assert scale._now(1, True, 4, 0, silence=60.0).seconds_left == 0


def test_time_left_is_learned():
    """Before anything is known a guess; then the mean of what starts and cases took."""
    pace = ScalePace(seconds=5.0)
    assert pace.left(1, 2) == pytest.approx(12 + 2 * 9)
    pace.starts += [4.0, 6.0]
    pace.cases += [7.0]
    assert pace.left(1, 2) == pytest.approx(5 + 14)


def test_more_ranks_than_cores_is_a_warning(sweep, monkeypatch):
    """Speeds are still measured; every number of ranks that crowds is named once."""
    monkeypatch.setattr("hvdsweep.launch.scale.cores", lambda: 2)
    monkeypatch.setattr("hvdsweep.launch.scale.gpus", lambda environment: ())
    warnings = scale_of(sweep, [1, 2, 4]).warnings()
    assert warnings == ["4 ranks share 2 cores of this machine: they will wait for each other."]


# The command


@pytest.fixture
def faked(monkeypatch):
    """The command with fake ranks."""
    import hvdsweep.launch.scale as module

    real = module.Scale.__init__

    def init(self, *args, **options):
        real(self, *args, **{**options, "build": fake_command})

    monkeypatch.setattr(module.Scale, "__init__", init)
    monkeypatch.setattr(module, "cores", lambda: 8)
    return monkeypatch


def test_json_and_what_is_stored(sweep, tmp_path, faked):
    """Every speed is on stdout with its efficiency, and in the store as measured on purpose."""
    db = tmp_path / "speeds.db"
    result = CliRunner().invoke(
        group, ["scale", str(sweep), "--np", "2,1", "--seconds", "0.1", "--db", str(db), "--json"]
    )
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["failed"] == []
    assert not found["stopped"]
    assert len(found["speeds"]) == 8
    two = next(
        s for s in found["speeds"] if s["np"] == 2 and s["batch_size"] == 64 and s["workload"].endswith("sgd")
    )
    assert two["examples_per_second"] == pytest.approx(12800)
    assert two["efficiency"] == pytest.approx(1.0)
    with open_store(db) as reader:
        rows = reader.throughput()
    assert {(row.source, row.gangs) for row in rows} == {("scale", 1)}
    assert {(row.workload, row.batch_size, row.np): row.examples_per_second for row in rows} == {
        (s["workload"], s["batch_size"], s["np"]): s["examples_per_second"] for s in found["speeds"]
    }


def test_table_and_chart(sweep, tmp_path, faked):
    """A row per batch size, a column per number of ranks; the chart below; a line per result on stderr."""
    db = tmp_path / "speeds.db"
    arguments = [
        "scale",
        str(sweep),
        "--np",
        "1,2",
        "--seconds",
        "0.1",
        "--db",
        str(db),
        "--batch-sizes",
        "64",
    ]
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 0, result.output
    assert "batch size  1 rank  2 ranks  efficiency" in result.stdout
    assert "        64  6.4k/s  12.8k/s       100 %" in result.stdout
    assert "B=64" in result.stdout
    assert "ideal" in result.stdout
    assert "digits/fc_16/sgd, batch size 64 on 1 rank: 6,400 examples/s" in result.stderr


def test_failures_are_exit_code_1(sweep, tmp_path, faked):
    """What was measured is printed all the same."""
    faked.setenv("FAKE_TIMING", "error")
    arguments = [
        "scale",
        str(sweep),
        "--np",
        "1",
        "--seconds",
        "0.1",
        "--db",
        str(tmp_path / "s.db"),
        "--json",
    ]
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert len(found["speeds"]) == 3
    assert found["failed"][0]["message"] == "ValueError: no such layer"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "WORKLOAD: none given"),
        (["--np", "0", "x.toml"], "--np: 0: is not a number of ranks"),
        (["--np", "1,a", "x.toml"], "--np: a: is not a number of ranks"),
        (["x.toml"], "x.toml: no such file"),
        (["SWEEP", "--batch-sizes", "8"], "--batch-sizes: 8: not in"),
        (["SWEEP", "--batch-sizes", "x"], "--batch-sizes: x"),
        (["SWEEP", "-H", "nowhere:2"], "the first host must be this machine"),
    ],
)
def test_bad_input_writes_nothing(sweep, tmp_path, arguments, told):
    """One sentence per mistake, before any database is made."""
    db = tmp_path / "s.db"
    words = [str(sweep) if word == "SWEEP" else word for word in arguments]
    result = CliRunner().invoke(group, ["scale", *words, "--db", str(db)])
    assert isinstance(result.exception, UserError)
    assert told in str(result.exception)
    assert not db.exists()


def test_show_prints_what_is_stored(tmp_path):
    """Speeds of the asked workload, without measuring; a part of its name will do. Where there are none, why."""
    db = tmp_path / "s.db"
    with closing(connect(db, create=True)) as conn:
        assert (
            "Imported sweeps have none"
            in CliRunner().invoke(group, ["scale", "--show", "--db", str(db)]).stdout
        )
        for name in ("digits/fc_16/sgd", "digits/fc_16/momentum"):
            record_throughput(conn, workload=name, batch_size=8, np=1, gangs=1, steps=100, seconds=1.0)
    result = CliRunner().invoke(group, ["scale", "--show", "sgd", "--db", str(db), "--json"])
    assert [speed["workload"] for speed in json.loads(result.stdout)["speeds"]] == ["digits/fc_16/sgd"]
    text = CliRunner().invoke(group, ["scale", "--show", "--db", str(db), "--no-chart"]).stdout
    assert text.count("examples per second") == 2
    wrong = CliRunner().invoke(group, ["scale", "--show", "vgg", "--db", str(db)])
    assert "vgg: has no speeds. There are speeds of digits/fc_16/sgd, digits/fc_16/momentum" in str(
        wrong.exception
    )


def test_speeds_of_trials_are_marked(tmp_path):
    """Speeds measured during trials are listed with those that were measured on purpose, and have a star."""
    from tests.curves.test_speeds import row

    lines = speed_lines(speeds([row(8, 1, 100.0), row(16, 1, 90.0, source="trial")]))
    assert lines[-1].startswith("* measured during trials")
    assert next(line for line in lines if line.strip().startswith("16")).endswith("*")


def test_ctrl_c_ends_the_ranks_and_keeps_what_was_measured(sweep, tmp_path):
    """The whole process: exit code 130, no process left, the store sound."""
    db = tmp_path / "s.db"
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import hvdsweep.launch.scale as module, functools; from tests.launch.test_scale import fake_command;"
        "module.Scale.__init__.__kwdefaults__['build'] = fake_command;"
        "from hvdsweep.cli import main; sys.argv = ['hvdsweep', *sys.argv[2:]]; main()"
    )
    root = str(Path(__file__).parents[2])
    arguments = ["scale", str(sweep), "--np", "1", "--seconds", "0.1", "--db", str(db), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, root, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "FAKE_TIMING": "hang"},
        cwd=root,
    )
    try:
        mine = wait_for(
            lambda: marked(lambda mark: mark.supervisor.pid == process.pid), what="the ranks to start"
        )
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=HANG_SECONDS)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert json.loads(out)["stopped"]
    assert not any(Path(f"/proc/{pid}").exists() for pid in mine)
    with open_store(db) as reader:
        assert reader.throughput() == []


@pytest.mark.horovod
def test_with_real_ranks(tmp_path):
    """Two ranks through horovodrun, one study: a speed that agrees with the steps and seconds it says, stored."""
    path = tmp_path / "quick.toml"
    path.write_text(SWEEP.replace('["sgd", "momentum"]', '["sgd"]').replace("[16, 64]", "[7]"))
    db = tmp_path / "s.db"
    began = time.monotonic()
    script = Path(sys.executable).with_name("hvdsweep")
    ran = subprocess.run(
        [str(script), "scale", str(path), "--np", "2", "--seconds", "0.5", "--db", str(db), "--json"],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    taken = time.monotonic() - began
    assert ran.returncode == 0, ran.stderr[-3000:]
    (speed,) = json.loads(ran.stdout)["speeds"]
    assert (speed["np"], speed["batch_size"], speed["efficiency"]) == (2, 7, None)
    assert 0.5 <= speed["seconds"] < taken
    assert speed["steps_per_second"] == pytest.approx(speed["steps"] / speed["seconds"])
    assert speed["examples_per_second"] == pytest.approx(7 * speed["steps_per_second"])
    with open_store(db) as reader:
        assert len(reader.throughput()) == 1
