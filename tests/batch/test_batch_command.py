"""`hvdsweep batch` with stand-ins for Slurm's programs: what is written and asked, and what happens when they misbehave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.batch import slurm
from hvdsweep.batch.folder import BatchFolder
from hvdsweep.batch.profiles import SHIPPED, load_profile
from hvdsweep.batch.scripts import SCHEDULERS, numbers, parse_time, spans
from hvdsweep.batch.slurm import Slurm
from hvdsweep.batch.status import batch_state
from hvdsweep.cli.batch import batch
from hvdsweep.errors import HvdsweepError, UserError
from hvdsweep.opening import open_store
from hvdsweep.plan import make_plan
from hvdsweep.store.connection import connect
from hvdsweep.store.lifecycle import new_gang, recover
from hvdsweep.store.plans import save_plan
from hvdsweep.sweep.load import load_sweep
from hvdsweep.sweep.proofs import remember
from tests.batch.cluster import StandIn
from tests.batch.sweeps import plan_of, train
from tests.launch.test_sweeps import TEXT

ROOT = Path(__file__).parents[2]

Batch = Callable[..., Result]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn(tmp_path / "slurm")
    monkeypatch.setenv("PATH", stand_in.path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return stand_in


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a blank in its name and a sweep of 30 trials."""
    place = tmp_path / "my sweeps"
    place.mkdir()
    (place / "mine.toml").write_text(TEXT)
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def run(home: Path, cluster: StandIn) -> Batch:
    def call(*words: str) -> Result:
        return CliRunner().invoke(batch, list(words))

    return call


def _words(result: Result) -> str:
    """The message of an error, as it is printed."""
    return str(result.exception) if isinstance(result.exception, HvdsweepError) else result.output


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_script_is_printed_and_nothing_is_written(run: Batch, home: Path, scheduler: str) -> None:
    """Every scheduler's script is whole; shells accept it; the folder's blank is quoted; no program is asked."""
    nodes = () if scheduler == "kubernetes" else ("--nodes", "2")
    result = run("script", "mine.toml", "--scheduler", scheduler, "--np", "4", *nodes, "--time", "1:00:00")
    assert result.exit_code == 0, result.output
    assert "@{" not in result.output
    assert '--shard "$number/$shards" --db .' in result.output
    if scheduler != "kubernetes":
        checked = subprocess.run(
            ["bash", "-n"], input=result.output, text=True, capture_output=True, check=False
        )
        assert checked.stderr == ""
        assert f"folder='{home}/mine.batch'" in result.output
    assert [path.name for path in home.iterdir()] == ["mine.toml"]


@pytest.mark.parametrize(
    ("scheduler", "jobs", "environment", "shard"),
    [
        ("pbs", "3", {"PBS_ARRAY_INDEX": "2"}, "2/3"),
        ("pbs", "1", {}, "1/1"),
        ("lsf", "3", {"LSB_JOBINDEX": "2"}, "2/3"),
        ("kubernetes", "3", {"JOB_COMPLETION_INDEX": "1"}, "2/3"),
    ],
)
def test_a_script_trains_the_shard_of_its_index(
    run: Batch, home: Path, scheduler: str, jobs: str, environment: dict[str, str], shard: str
) -> None:
    """Run by hand with the scheduler's variables, and `echo` in the place of hvdsweep. PBS has no array of one."""
    (home / "site.toml").write_text('program = "echo"\nlaunch = ["--checkpoint-every 1"]\n')
    text = run("script", "mine.toml", "--scheduler", scheduler, "--jobs", jobs, "--profile", "site").output
    assert ("#PBS -J" in text) == (scheduler == "pbs" and jobs != "1")
    (home / "mine.batch" / "logs").mkdir(parents=True)
    if scheduler == "kubernetes":
        text = yaml.safe_load(text)["spec"]["template"]["spec"]["containers"][0]["args"][0]
    done = subprocess.run(
        ["bash", "-c", text], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    said = done.stdout + "".join(path.read_text() for path in (home / "mine.batch" / "logs").iterdir())
    assert said == f"launch sweep.toml --shard {shard} --db . --np 1 --checkpoint-every 1\n"


def test_what_kubernetes_has_not_is_refused(run: Batch) -> None:
    """Several nodes, and options of a scheduler."""
    for words in (("--np", "2", "--nodes", "2"), ("--", "--exclusive")):
        assert "a pod is on one node" in _words(
            run("script", "mine.toml", "--scheduler", "kubernetes", *words)
        )


def test_a_dry_run_is_the_script_that_is_submitted(run: Batch, home: Path, cluster: StandIn) -> None:
    """What --dry-run prints is job.sh to the byte, with the scheduler's own options; --test and --dry-run write nothing."""
    options = ("submit", "mine.toml", "--jobs", "2", "--time", "30", "--max-running", "1")
    more = ("--", "--exclusive", "-C", "big mem")
    printed = run(*options, "--dry-run", *more).output
    assert '#SBATCH --exclusive -C "big mem"\n' in printed
    assert cluster.asked("sbatch") == []
    cluster.answer("sbatch", "cat >/dev/null; echo sbatch: Job 7 to start at noon >&2")
    assert "Job 7 to start at noon" in run(*options, "--test", *more).output
    assert [path.name for path in home.iterdir()] == ["mine.toml"]
    cluster.answer("sbatch", "echo 101")
    assert run(*options, *more).exit_code == 0
    assert (home / "mine.batch" / "job.sh").read_text() == printed


def jobs_of(folder: Path) -> list[str]:
    return [job["id"] for job in json.loads((folder / "batch.json").read_text())["jobs"]]


def test_arrays_are_split_where_the_cluster_limits_them(run: Batch, home: Path, cluster: StandIn) -> None:
    """MaxArraySize 11 allows tasks 1 to 10: 24 shards are three arrays, each shard in exactly one, the limit shared."""
    (home / "mine.toml").write_text((ROOT / "examples" / "digits.toml").read_text())
    assert run("submit", "mine.toml", "--jobs", "24", "--max-running", "6").exit_code == 0
    arrays = [line.split() for line in cluster.asked("sbatch")]
    assert [(words[2], words[-1]) for words in arrays] == [
        ("--array=1-10%2", "0"),
        ("--array=1-10%2", "10"),
        ("--array=1-4%2", "20"),
    ]
    record = json.loads((home / "mine.batch" / "batch.json").read_text())
    assert [job["id"] for job in record["jobs"]] == ["101", "102", "103"]
    assert [number for job in record["jobs"] for number in numbers(job["shards"])] == list(range(1, 25))
    assert record["shards"] == 24
    # Fewer at once than arrays: the third begins when the first has ended.
    assert run("submit", "mine.toml", "--jobs", "24", "--max-running", "2", "--dir", "other").exit_code == 0
    arrays = [line.split() for line in cluster.asked("sbatch")[3:]]
    dependencies = [[word for word in words if word.startswith("--dep")] for words in arrays]
    assert dependencies == [[], [], [f"--dependency=afterany:{jobs_of(home / 'other')[0]}"]]


def test_a_refused_submission_leaves_nothing(run: Batch, home: Path, cluster: StandIn) -> None:
    """Slurm's words, exit code 1, no folder."""
    cluster.answer(
        "sbatch", "echo 'sbatch: error: Invalid account or account/partition combination' >&2; exit 1"
    )
    result = run("submit", "mine.toml")
    assert "Invalid account" in _words(result)
    assert result.exception.exit_code == 1  # type: ignore[union-attr]
    assert [path.name for path in home.iterdir()] == ["mine.toml"]


def test_what_was_submitted_before_a_refusal_is_kept(run: Batch, home: Path, cluster: StandIn) -> None:
    """The second array is refused (too many jobs): the first stays on record, and resubmit asks for the rest alone."""
    (home / "mine.toml").write_text((ROOT / "examples" / "digits.toml").read_text())
    cluster.answer(
        "sbatch",
        f"[ -e '{home}/once' ] && {{ echo QOSMaxSubmitJob >&2; exit 1; }}; touch '{home}/once'; echo 5",
    )
    result = run("submit", "mine.toml", "--jobs", "15")
    assert "QOSMaxSubmitJob" in _words(result)
    assert "hvdsweep batch resubmit" in _words(result)
    cluster.answer("sbatch", "echo 6")
    cluster.queue(*(f"5_{task}|PENDING|1:00|| Priority" for task in range(1, 11)))
    assert run("resubmit", "mine.batch").output == "Submitted 5 shards as job 6.\n"
    assert cluster.asked("sbatch")[-1].split()[2] == "--array=1-5"
    cluster.queue(
        *(f"5_{task}|PENDING|1:00||Priority" for task in range(1, 11)),
        *(f"6_{task}|RUNNING|1:00|n1|None" for task in range(1, 6)),
    )
    assert run("resubmit", "mine.batch").output == "Nothing is left to submit.\n"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("echo Submitted, more or less", "not a job's number"),
        ("", "not a job's number"),
        ("printf '\\377\\n'", "not a job's number"),
        ("exec sleep 600", "no answer within"),
        ("kill -9 $$", "exit code -9"),
    ],
)
def test_programs_that_misbehave_are_named(
    run: Batch, cluster: StandIn, monkeypatch: pytest.MonkeyPatch, answer: str, words: str
) -> None:
    """Odd output, silence, a hang, a kill: one line that names the program, exit code 1."""
    monkeypatch.setattr(slurm, "CALL_SECONDS", 1.0 if "sleep" in answer else 60.0)
    cluster.answer("sbatch", answer)
    result = run("submit", "mine.toml")
    assert words in _words(result)
    assert _words(result).startswith("sbatch: ")


def test_all_mistakes_come_at_once(run: Batch, home: Path) -> None:
    """A wrong sweep, profile, time and number of nodes: four problems, exit code 2, nothing written."""
    (home / "wrong.toml").write_text(TEXT.replace('"fc_16"', '"fx_16"'))
    problems = []
    for words in (("wrong.toml",), ("mine.toml", "--profile", "nowhere")):
        result = run("submit", *words, "--time", "soon", "--np", "3", "--nodes", "2")
        assert isinstance(result.exception, UserError)
        problems += [problem.split(":")[0] for problem in result.exception.problems]
    assert {"--profile", "--time", "--nodes"} <= set(problems)
    assert any("wrong.toml" in problem for problem in problems)
    assert sorted(path.name for path in home.iterdir()) == ["mine.toml", "wrong.toml"]


def test_a_folder_that_exists_is_not_touched(run: Batch, home: Path, cluster: StandIn) -> None:
    """Submitting twice is refused with the way to continue; more shards than trials are refused too."""
    assert run("submit", "mine.toml").exit_code == 0
    before = (home / "mine.batch" / "batch.json").read_bytes()
    assert "hvdsweep batch resubmit" in _words(run("submit", "mine.toml"))
    assert (home / "mine.batch" / "batch.json").read_bytes() == before
    assert "Give at most" in _words(run("submit", "mine.toml", "--jobs", "5000", "--dir", "other"))


def test_code_of_the_user_travels_with_the_sweep(
    run: Batch, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder's copy is the same sweep, by its key, though it is called otherwise and lies elsewhere."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    example = ROOT / "examples" / "own_workload" / "sweep.toml"
    assert run("submit", str(example), "--dir", "own").exit_code == 0
    copy, original = load_sweep(str(home / "own" / "sweep.toml")), load_sweep(str(example))
    assert make_plan(copy).key == make_plan(original).key
    assert copy.name == original.name
    # Shown with all its trials while its jobs still wait.
    with open_store(home / "own") as reader:
        assert len(reader.trials().rows) == sum(study.target_trials for study in make_plan(copy).studies)
    assert (home / "own" / "rings.py").is_file()


def test_a_sweep_that_was_trained_here_before_is_submitted(
    run: Batch, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A launch on this machine has stored what the user's code returns; then too the copy is the same sweep, trial by trial."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    loaded = load_sweep(str(ROOT / "examples" / "own_workload" / "sweep.toml"))
    before = make_plan(loaded).key
    remember(loaded.sweep, loaded.source, {loaded.sweep.dataset: "0123", loaded.sweep.model: "4567"})
    assert make_plan(loaded).key != before
    assert run("submit", str(loaded.file), "--dir", "own").exit_code == 0
    keys = {trial.key for study in make_plan(loaded).studies for trial in study.trials}
    with open_store(home / "own") as reader:
        assert {key for (key,) in reader.rows("SELECT key FROM trials")} == keys


def test_no_cluster_here_is_said_with_the_way_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without sbatch nothing is written, and the message names `batch script`."""
    monkeypatch.setenv("PATH", str(home))
    result = CliRunner().invoke(batch, ["submit", "mine.toml"])
    assert isinstance(result.exception, UserError)
    assert "hvdsweep batch script" in str(result.exception)
    assert [path.name for path in home.iterdir()] == ["mine.toml"]


def test_status_reads_what_squeue_says(run: Batch, home: Path, cluster: StandIn) -> None:
    """States, reasons, nodes and time left; lines that are none are skipped; one call for all jobs."""
    run("submit", "mine.toml", "--jobs", "3")
    cluster.queue(
        "101_1|RUNNING|1-00:00:05|n1|None",
        "slurm_load_jobs warning: something|odd",
        "101_2|PENDING|INVALID||Resources, or|a bar",
        "101_3|TIMEOUT|0:00|n2|TimeLimit",
    )
    state = json.loads(run("status", "mine.batch", "--json").output)
    assert [
        (shard["state"], shard["reason"], shard["node"], shard["seconds_left"]) for shard in state["shards"]
    ] == [
        ("RUNNING", "", "n1", 86_405),
        ("PENDING", "Resources, or|a bar", "", None),
        ("TIMEOUT", "", "n2", None),
    ]
    assert len(cluster.asked("squeue")) == 1
    shown = run("status", "mine.batch").output
    assert "0 of 3 shards done, 1 job running" in shown
    assert "hvdsweep batch resubmit" in shown


@pytest.mark.parametrize(
    "answer",
    [
        "echo 'CLUSTER: alps'; echo '101_[1-2%1]|PENDING|5:00||Priority'; echo '101_3;alps|RUNNING|5:00|n1|None'",
        r"for t in 1 2 3; do printf '\\033[32m101_%s|RUNNING\\033[0m|5:00|n1|None\\n' $t; done",
        'for t in 1 2 3; do echo "101_$t|WIRD AUSGEFÜHRT|5:00|n1|None"; done',
        "echo 'slurm_load_jobs error: Unable to contact slurm controller'",
        "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2",
        "echo '101_[1,3,...]|PENDING|5:00||Priority'; echo '101_2|PENDING|5:00||Priority'",
        "echo 'JOBID STATE'; echo '101_1 RUNNING'",
    ],
)
def test_an_odd_answer_never_submits_twice(run: Batch, cluster: StandIn, answer: str) -> None:
    """Ranges of tasks, names of clusters, colours, states in another language; errors with exit code 0, half a list."""
    run("submit", "mine.toml", "--jobs", "3")
    cluster.answer("squeue", answer)
    run("resubmit", "mine.batch")
    assert len(cluster.asked("sbatch")) == 1
    state = json.loads(run("status", "mine.batch", "--json").output)
    assert all(shard["active"] for shard in state["shards"])


@pytest.mark.parametrize(
    "answer",
    ["echo Welcome; echo '7;alps'; echo Bye", r"printf '\033[1m7\033[0m\n'", "echo Submitted batch job 7"],
)
def test_a_jobs_number_is_found_among_other_words(
    run: Batch, home: Path, cluster: StandIn, answer: str
) -> None:
    """A site's own lines, colours, the sentence of an sbatch that ignores --parsable; scontrol is not for everybody."""
    cluster.answer("scontrol", "echo 'slurm_load_ctl_conf error: Access/permission denied' >&2; exit 1")
    cluster.answer("sbatch", answer)
    assert json.loads(run("submit", "mine.toml", "--jobs", "2", "--json").output)["jobs"] == ["7"]


@pytest.mark.parametrize(
    ("requeue", "state", "followed"),
    [("kill -TERM $$", "RUNNING", False), ("exit 1", "RUNNING", True), ("exit 1", "PENDING", False)],
)
def test_a_stopped_job_is_requeued_or_followed_never_both(
    run: Batch, home: Path, cluster: StandIn, requeue: str, state: str, followed: bool
) -> None:
    """A requeue's SIGTERM also reaches the scontrol that asked for it; a requeue that failed only in its answer counts."""
    (home / "site.toml").write_text("program = \"sh -c 'exit 130' --\"")
    run("submit", "mine.toml", "--profile", "site")
    answers = home / "answers"
    cluster.answer(
        "squeue", f"echo x >>'{answers}'; [ $(wc -l <'{answers}') = 1 ] && echo RUNNING || echo {state}"
    )
    cluster.answer("scontrol", requeue)
    environment = {**os.environ, "SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_JOB_ID": "101"}
    done = subprocess.run([home / "mine.batch" / "job.sh"], env=environment, check=False)
    assert done.returncode == 130
    assert len(cluster.asked("sbatch")) == 1 + followed


def test_without_an_answer_nothing_is_submitted_twice(run: Batch, cluster: StandIn) -> None:
    """squeue fails: status still shows the shards and says why; resubmit and cancel do nothing."""
    run("submit", "mine.toml", "--jobs", "2")
    cluster.answer("squeue", "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1")
    state = json.loads(run("status", "mine.batch", "--json").output)
    assert {shard["state"] for shard in state["shards"]} == {"UNKNOWN"}
    assert "Unable to contact" in state["problem"]
    asked = len(cluster.asked("sbatch"))
    assert "nothing was submitted" in _words(run("resubmit", "mine.batch"))
    assert len(cluster.asked("sbatch")) == asked
    # All jobs forgotten is an answer.
    cluster.answer("squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
    assert run("resubmit", "mine.batch").output == "Submitted 2 shards as job 102.\n"


def test_cancel_asks_and_cancels_what_is_active(run: Batch, cluster: StandIn) -> None:
    """Only jobs that wait or run are cancelled; without --yes the user is asked, and may say no."""
    run("submit", "mine.toml", "--jobs", "3")
    cluster.queue(
        "101_1|RUNNING|5:00|n1|None", "101_2|COMPLETED|0:00|n1|None", "101_3|PENDING|5:00||Priority"
    )
    assert CliRunner().invoke(batch, ["cancel", "mine.batch"], input="n\n").exit_code != 0
    assert cluster.asked("scancel") == []
    assert run("cancel", "mine.batch", "--yes").output == "Cancelled 2 jobs.\n"
    assert cluster.asked("scancel") == ["scancel 101_1 101_3"]


def test_hours_are_those_that_jobs_have_written_down(home: Path, cluster: StandIn) -> None:
    """Two nodes of 4 cores and 2 GPUs for 900 s, then 90 s to a kill, an hour in the queue, then a run at work; half a line is
    skipped. The killed run lasts to the last sign of its gang, or the last line of its log. Lost is what one of its two gangs had
    trained since its checkpoint, before and after the next run finds it dead."""
    folder = BatchFolder(home / "batch")
    folder.logs.mkdir(parents=True)
    folder.shards_folder.mkdir()
    record = {"name": "x", "shards": 1, "jobs": [{"id": "7", "shards": "1", "offset": 0}]}
    folder.record.write_text(json.dumps(record))
    runs = "1000 7_1 start n1 4(x2) 2 2\n1900 7_1 end 130\n2000 7_1 start n1 4(x2) 2 2\n"
    with closing(connect(folder.shard(1), create=True)) as conn:
        sweep = save_plan(conn, make_plan(load_sweep("mine.toml"))).sweep_id
        conn.execute("UPDATE sweeps SET np = 4, gangs = 2")
        gang = new_gang(conn, sweep, np=4)
        conn.execute(
            "UPDATE gangs SET started = 2005, heartbeat = 2090, state = 'TRAINING', process = '1:1:b@elsewhere'"
        )
        conn.execute(
            "UPDATE trials SET status = 'RUNNING', gang_id = ?, started = 2010, steps = 9, checkpoint = 6,"
            " checkpoint_seconds = 50 WHERE id = 1",
            (gang,),
        )
        lost = pytest.approx((2090 - 2060) * 8 / 2 / 3600)
        (folder.logs / "0001.jobs").write_text(runs)
        state = batch_state(folder, Slurm(), now=2200.0)
        assert (state.shards[0].state, state.kills, state.lost_core_hours) == ("KILLED", 1, lost)
        assert state.core_hours == pytest.approx((900 + 90) * 8 / 3600)
        log = folder.logs / "0001.log"
        log.touch()
        os.utime(log, (2095, 2095))
        assert batch_state(folder, Slurm(), now=2200.0).core_hours == pytest.approx((900 + 95) * 8 / 3600)
        cluster.queue("7_1|RUNNING|10:00|n2|None")
        assert batch_state(folder, Slurm(), now=2200.0).lost_core_hours == 0
        recover(conn, sweep)
    (folder.logs / "0001.jobs").write_text(runs + "5700 7_1 start n2 4(x2) 2 2\n17")
    state = batch_state(folder, Slurm(), now=5800.0)
    assert state.core_hours == pytest.approx((900 + 90 + 100) * 8 / 3600)
    assert state.gpu_hours == pytest.approx((900 + 90 + 100) * 4 / 3600)
    assert (state.kills, state.lost_core_hours) == (1, lost)
    assert state.shards[0].state == "RUNNING"
    assert state.lost_gpu_hours == pytest.approx(state.lost_core_hours / 2)


def test_a_goal_counts_as_reached_only_beyond_it(home: Path, cluster: StandIn) -> None:
    """`status` counts a batch size whose best trial is strictly below the goal, as every curve does, and none exactly at it."""
    folder = BatchFolder(home / "batch")
    folder.logs.mkdir(parents=True)
    folder.shards_folder.mkdir()
    folder.record.write_text(json.dumps({"name": "x", "shards": 1, "jobs": []}))
    plan = plan_of(home, trials=1, sizes="[8, 16]")
    train(folder.shard(1), plan)
    with closing(connect(folder.shard(1))) as conn:
        conn.execute("UPDATE best_records SET value = 0.3")
        assert batch_state(folder, Slurm()).goals == 0
        conn.execute("UPDATE best_records SET value = 0.29 WHERE trial_id = 1")
        assert batch_state(folder, Slurm()).goals == 1


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ("echo '101_1|CANCELLED by 0|n1'", "CANCELLED"),
        ("echo '101_1|TIMEOUT|n1'", "TIMEOUT"),
        ("exit 1", "GONE"),
        (r"printf '\377|x\n'", "GONE"),
        ("exec sleep 600", "GONE"),
    ],
)
def test_accounting_says_how_forgotten_jobs_ended(
    run: Batch, cluster: StandIn, monkeypatch: pytest.MonkeyPatch, answer: str, state: str
) -> None:
    """The scheduler's word for the end; from a failure, nonsense or no answer, only that the job is gone."""
    monkeypatch.setattr("hvdsweep.batch.slurm.CALL_SECONDS", 0.5 if "sleep" in answer else 60.0)
    assert run("submit", "mine.toml", "--jobs", "1").exit_code == 0
    cluster.answer("sacct", answer)
    assert json.loads(run("status", "mine.batch", "--json").output)["shards"][0]["state"] == state


@pytest.mark.parametrize(
    ("lines", "state", "words"),
    [
        ("1 7_1 start n1 1 1 0\n9 7_1 end 130\n", "STOPPED", ""),
        ("1 7_1 start n1 1 1 0\n9 7_1 end 1\n", "FAILED", "libcuda.so.1: cannot open"),
        ("1 7_1 start n1 1 1 0\n", "KILLED", "libcuda.so.1: cannot open"),
        ("", "GONE", "libcuda.so.1: cannot open"),
        ("1 7_1 start n1 1 1 0\n9 7_1 end 130\n9 7_1 follow 8\n", "GONE", "libcuda.so.1: cannot open"),
    ],
)
def test_the_ways_in_which_a_job_ends_are_distinguished(
    tmp_path: Path, cluster: StandIn, lines: str, state: str, words: str
) -> None:
    """A stop is no failure; a crash is one, with its last output; a job that wrote no end was killed; a follow-up job
    counts."""
    folder = BatchFolder(tmp_path / "batch")
    folder.logs.mkdir(parents=True)
    folder.record.write_text(json.dumps({"shards": 1, "jobs": [{"id": "7", "shards": "1", "offset": 0}]}))
    (folder.logs / "0001.jobs").write_text(lines)
    (folder.logs / "0001.log").write_text("rank 0 starts\nlibcuda.so.1: cannot open\n\n")
    shard = batch_state(folder, Slurm()).shards[0]
    assert (shard.state, shard.words, shard.left) == (state, words, True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 1800),
        ("5:30", 330),
        ("4:00:00", 14_400),
        ("2-0", 172_800),
        ("1-2:30", 95_400),
        ("1-2:30:05", 95_405),
    ],
)
def test_time_limits_are_read_as_slurm_reads_them(text: str, seconds: int) -> None:
    """The six forms of sbatch(1)."""
    assert parse_time(text) == seconds


@given(st.sets(st.integers(1, 200)))
def test_arrays_are_written_and_read(chosen: set[int]) -> None:
    """`spans` names exactly the numbers."""
    if chosen:
        assert numbers(spans(sorted(chosen))) == sorted(chosen)


def test_profiles_are_found_and_checked(home: Path, cluster: StandIn, tmp_path: Path) -> None:
    """Beside the sweep before the user's own before those that ship; a wrong key or value is named with its file."""
    for path in SHIPPED.glob("*.toml"):
        assert load_profile(path.stem, home / "mine.toml").description
    own = tmp_path / "config" / "hvdsweep" / "profiles"
    own.mkdir(parents=True)
    (own / "gpu.toml").write_text('partition = "mine"\nmodules = ["cuda/12"]\n')
    assert load_profile("gpu", home / "mine.toml").partition == "mine"
    (home / "gpu.toml").write_text('partition = "nearer"\n')
    assert load_profile("gpu", home / "mine.toml").partition == "nearer"
    for text, words in (
        ("partitoin = 'x'", "partitoin: is no key of a profile"),
        ("gpus_per_node = 'two'", "gpus_per_node: 'two'"),
        ("gpus = '--gres=gpu:2'", "does not hold {gpus}"),
        ("gpus = ", "cannot be read"),
    ):
        (home / "gpu.toml").write_text(text)
        with pytest.raises(UserError, match=r"gpu\.toml") as caught:
            load_profile("gpu", home / "mine.toml")
        assert words in str(caught.value)


def test_a_login_node_loads_no_tensorflow(home: Path) -> None:
    """`batch` plans, prints and looks without TensorFlow, Horovod and Textual."""
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom hvdsweep.cli.batch import batch\n"
        "assert CliRunner().invoke(batch, ['submit', 'mine.toml', '--dry-run']).exit_code == 0\n"
        "import hvdsweep.batch.status\n"
        "print([name for name in ('tensorflow', 'keras', 'horovod', 'textual') if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == "[]\n"
