"""A launch tries the user's code in one process before any gang, in a real process and through the command line."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from hvdsweep.cli import main
from hvdsweep.errors import UserError
from hvdsweep.launch import proof
from hvdsweep.launch.failure_report import Death
from hvdsweep.launch.processes import marked
from hvdsweep.plan import make_plan
from hvdsweep.process_id import ProcessId
from hvdsweep.sweep.load import LoadedSweep, load_sweep
from hvdsweep.sweep.proofs import remember, remembered

CODE = """import keras, numpy as np
def load():
    x = np.random.default_rng(0).standard_normal((60, 4))
    return {"train": (x, (x[:, 0] > 0).astype(int)), "val": (x, (x[:, 0] > 0).astype(int))}
def build(input_shape, classes):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(classes)])
"""
FILE = """dataset = "own:load"
model = "own:build"
algorithms = ["sgd"]
[goal]
metric = "val/classification_error"
value = 0.05
[budget]
steps = 4
[studies]
batch_sizes = [8]
trials = 2
[search]
learning_rate = 0.1
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write the user's module and sweep file, with replacements; the path of the file. Nothing is remembered from elsewhere."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def write(code: str = CODE, *changes: tuple[str, str]) -> Path:
        text = FILE
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "own.py").write_text(code)
        (tmp_path / "own.toml").write_text(text)
        return tmp_path / "own.toml"

    return write


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """Run `hvdsweep launch` on a file; (exit code, what it wrote to stderr)."""

    def run(file: Path, *options: str) -> tuple[object, str]:
        command = ["hvdsweep", "launch", str(file), "--db", str(file.with_name("x.db")), *options]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capfd.readouterr().err

    return run


END = [
    ("import argparse\nparser = argparse.ArgumentParser()\nparser.add_argument('--data', required=True)\nparser.parse_args()\n",
     r"own:load: importing own failed: SystemExit: 2 .*own\.py:4\): it reads a command line \(argparse\)"),
    ("import os, subprocess\nsubprocess.Popen(['sleep', '600'], start_new_session=True)\nprint('about to go', flush=True)\n"
     "os._exit(7)\n", "exit code 7\nabout to go"),
    ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", "killed by SIGSEGV"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "says"), END, ids=["argparse", "os._exit", "segfault"])
def test_code_that_ends_its_process_is_one_message(own: Any, launched: Any, before: str, says: str) -> None:
    """Exit code 2, the words of the code, nothing written, and none of the processes that the code started is left."""
    code, said = launched(own(before + CODE), "--dry-run")
    assert code == 2
    assert re.search(rf"(?s)own:load.*{says}", said), said
    assert marked(lambda mark: mark.supervisor == ProcessId.current()) == []
    assert not list(own().parent.glob("x.db*"))


def test_everything_wrong_is_refused_before_anything_is_written(own: Any, launched: Any) -> None:
    """A goal that is not measured: named with the file and the key, exit code 2, no database."""
    file = own(CODE, ("val/classification_error", "val/accuracy"))
    code, said = launched(file)
    assert code == 2
    assert 'own.toml: goal.metric: "val/accuracy" is not measured on own:load' in said
    assert not list(file.parent.glob("x.db*"))


def found(content: dict[str, str], problems: Any = (), warnings: Any = ()) -> dict[str, Any]:
    return {"content": content, "problems": list(problems), "warnings": list(warnings)}


def proved(
    loaded: LoadedSweep, monkeypatch: pytest.MonkeyPatch, result: dict[str, Any]
) -> tuple[Any, list[str]]:
    """The plan after a proof that found `result`, and what was printed."""
    monkeypatch.setattr(proof, "_run", lambda *arguments: result)
    words: list[str] = []
    return proof.prove_plan(make_plan(loaded), limit=1, note=words.append, warn=words.append), words


def test_what_user_code_gives_is_part_of_a_trial(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other data or other kept weights are other trials and another sweep, named by what differs; the same are the same."""
    loaded = load_sweep(own())
    one, words = proved(loaded, monkeypatch, found({"data": "a", "model": "b"}, warnings=["look"]))
    assert words[0].startswith("Proving own:load and own:build: ")
    assert words[1:] == ["look"]
    same, _ = proved(loaded, monkeypatch, found({"data": "a", "model": "b"}))
    other, _ = proved(loaded, monkeypatch, found({"data": "c", "model": "b"}))
    studies = [next(plan.studies) for plan in (one, same, other)]
    assert studies[0].definition["content"] == {"data": "a", "model": "b"}
    assert (one.key, studies[0].trials[0].key) == (same.key, studies[1].trials[0].key)
    assert one.key != other.key
    assert studies[0].trials[0].key != studies[2].trials[0].key
    from hvdsweep.identity import definition_diff

    assert definition_diff(one.definition, other.definition) == ['content.data: "a" -> "c"']


def test_a_preview_has_the_keys_of_the_latest_proof(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan made without a proof is that of the launch before; changed code or options are not mixed up with it."""
    loaded = load_sweep(own())
    bare = make_plan(loaded)
    plan, _ = proved(loaded, monkeypatch, found({"data": "a", "model": "b"}))
    assert make_plan(loaded).key == plan.key != bare.key
    assert remembered(load_sweep(own(CODE + "x = 1\n")).sweep, loaded.source) == {}
    longer = load_sweep(own(CODE, ("steps = 4", "steps = 8")))
    assert remembered(longer.sweep, longer.source) == {"data": "a", "model": "b"}
    options = load_sweep(own(CODE, ('"own:load"', '"own:load"\ndataset_options = { n = 3 }')))
    assert remembered(options.sweep, options.source) == {}


def test_a_home_that_cannot_be_written_stops_nothing(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered then, and nothing fails; a damaged memory counts as none."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    loaded = load_sweep(own())
    remember(loaded.sweep, loaded.source, {"data": "a"})
    assert remembered(loaded.sweep, loaded.source) == {}


def test_built_in_workloads_need_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is started for them."""
    plan = make_plan(load_sweep("small/fc"))
    monkeypatch.setattr(proof, "_run", None)
    assert proof.prove_plan(plan, limit=1, note=pytest.fail, warn=pytest.fail) is plan


def test_a_proof_that_hangs_ends(own: Any) -> None:
    """A proof that hangs ends after --start-timeout, with a message that says what to do."""
    with pytest.raises(
        UserError, match=r"own:load and own:build: not ready after 0\.01 s; .*--start-timeout"
    ):
        proof.prove(load_sweep(own()), limit=0.01, note=lambda text: None, warn=pytest.fail)


def test_the_end_of_a_process_in_words(tmp_path: Path) -> None:
    """The message says how it ended, and quotes its last output."""
    from hvdsweep.launch.failure_report import death_of_process

    log = tmp_path / "log"
    log.write_text("one\nMemoryError\n")
    assert death_of_process(log, -9) == Death("killed by SIGKILL (out of memory?)", "one\nMemoryError")


def test_a_job_names_everything_that_is_asked_for(own: Any) -> None:
    """Metaparameters of [search], of its overrides and of points; splits, goal, batch sizes."""
    file = own(
        CODE,
        ("learning_rate = 0.1", "learning_rate = 0.1\n[[search.override]]\nbatch_sizes = [8]\ndropout = 0.3"),
    )
    job = proof._job(load_sweep(file))
    assert job["metaparameters"] == ["dropout", "learning_rate"]
    file = own(
        CODE,
        ("learning_rate = 0.1", "points = [{ learning_rate = 0.1, label_smoothing = 0.2 }]"),
        ("trials = 2\n", ""),
    )
    job = proof._job(load_sweep(file))
    assert job["metaparameters"] == ["label_smoothing", "learning_rate"]
    assert (job["splits"], job["batch_sizes"], job["goal"]) == (
        ["val"],
        [8],
        {"metric": "val/classification_error"},
    )
    json.dumps(job)
