"""Sweeps trained in rounds, from launch to end, with planted gangs: any number of gangs, stopped and launched again."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hvdsweep.curves import curve
from hvdsweep.store.store import Store as Reading
from tests.launch.conftest import Store, wait_for
from tests.sweep.texts import edited

PROGRAM = Path(__file__).with_name("planted_launch.py")
UNTIL = ("trials = 24", "trials = { least = 4, most = 16, until = 0.10 }")
ONE = ('algorithms = ["sgd", "momentum"]', 'algorithms = ["sgd"]')
SIZES = ("batch_sizes = [8, 64, 512]", "batch_sizes = [8, 32, 128]")


class Sweep:
    """A sweep file in a separate folder, launched with planted gangs."""

    def __init__(self, folder: Path, *changes: tuple[str, str], **environment: str) -> None:
        folder.mkdir()
        self.file = folder / "planted.toml"
        self.file.write_text(edited(ONE, SIZES, *changes))
        self.store = Store(folder / "sweep.db")
        self._environment = {**os.environ, **environment}

    def start(self, gangs: int = 1) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(PROGRAM), str(self.store.path), str(self.file), str(gangs)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment,
        )

    def run(self, gangs: int = 1) -> list[dict[str, Any]]:
        """Its events; it must end well."""
        process = self.start(gangs)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        return [json.loads(line) for line in out.splitlines()]

    def outcome(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every trial's result, and what each study came to: targets and spaces."""
        studies = self.store.rows("SELECT batch_size, target_trials, search FROM studies ORDER BY batch_size")
        return {**self.store.results(), "studies": studies}

    def rounds(self) -> list[str]:
        return [
            row[0] for row in self.store.rows("SELECT message FROM events WHERE kind = 'round' ORDER BY id")
        ]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sweep, list[dict[str, Any]]]:
    """A sweep in rounds that nothing disturbed, and its events."""
    sweep = Sweep(tmp_path_factory.mktemp("planted") / "undisturbed", UNTIL)
    return sweep, sweep.run()


@pytest.fixture
def undisturbed(trained: tuple[Sweep, list[dict[str, Any]]]) -> Sweep:
    """Not to be launched again."""
    return trained[0]


@pytest.fixture
def finished(undisturbed: Sweep, tmp_path: Path) -> Sweep:
    """The same, to be launched again."""
    sweep = Sweep(tmp_path / "finished", UNTIL)
    shutil.copytree(undisturbed.file.parent, sweep.file.parent, dirs_exist_ok=True)
    return sweep


def test_rounds_end_when_the_printed_intervals_are_narrow_or_trials_used_up(
    trained: tuple[Sweep, list[dict[str, Any]]],
) -> None:
    """Each study has between least and most trials; those that got no more have a printed interval within the share, the most,
    or a warning that says why more would not help; every round is an event that names the width."""
    sweep, events = trained
    said = [event["message"] for event in events if event["event"] == "note"]
    studies = dict(sweep.store.rows("SELECT batch_size, target_trials FROM studies"))
    counts = sweep.store.rows("SELECT count(*) FROM trials GROUP BY study_id ORDER BY study_id")
    assert [count for (count,) in counts] == list(studies.values())
    assert sweep.store.statuses() == ["COMPLETE"] * sum(studies.values())
    with Reading(sweep.store.path) as store:
        printed = curve(store.workload_table("digits/fc_128/sgd")).points
    assert max(studies.values()) > 4
    for point in printed:
        assert 4 <= studies[point.batch_size] <= 16
        why = [
            text for text in said if f"batch size {point.batch_size}:" in text and "not within 10 %" in text
        ]
        assert bool(why) == (not (point.relative_width or 1) <= 0.1), why
        assert studies[point.batch_size] == 16 or not why or "trials did not narrow" in why[0]
    assert any("its steps to the goal are known within" in message for message in sweep.rounds())


def test_the_number_of_gangs_changes_nothing(undisturbed: Sweep, tmp_path: Path) -> None:
    """Three gangs side by side: the same trials, results, targets and rounds as one."""
    three = Sweep(tmp_path / "three", UNTIL)
    three.run(gangs=3)
    assert three.outcome() == undisturbed.outcome()
    assert three.rounds() == undisturbed.rounds()


@pytest.mark.parametrize("after", [3, 20])
def test_stopped_in_a_round_and_launched_again(undisturbed: Sweep, tmp_path: Path, after: int) -> None:
    """Killed with some trials of a round done and launched again: the same trials, results, targets and rounds."""
    broken = Sweep(tmp_path / "broken", UNTIL)
    process = broken.start(gangs=2)
    done = "SELECT count(*) FROM trials WHERE status = 'COMPLETE'"
    wait_for(lambda: process.poll() is not None or (broken.store.one(done) or 0) >= after)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    broken.run()
    assert broken.outcome() == undisturbed.outcome()
    assert broken.rounds() == undisturbed.rounds()


def test_a_finished_sweep_has_nothing_to_do(finished: Sweep) -> None:
    """Launched again: no gang, no trial, no event of a round; the first line says that all is done."""
    before, rounds = finished.outcome(), finished.rounds()
    events = finished.run()
    assert [event for event in events if event["event"] == "gang"] == []
    assert "done already" in events[0]["message"]
    assert (finished.outcome(), finished.rounds()) == (before, rounds)


def test_progress_says_how_many_trials_there_may_be(trained: tuple[Sweep, list[dict[str, Any]]]) -> None:
    """While trials come in rounds, progress holds the most of them; the first line names it too."""
    events = trained[1]
    assert "up to 48 trials" in events[0]["message"]
    assert {event["most"] for event in events if event["event"] == "progress"} == {48}


def test_more_trials_asked_for_later_extend_the_sweep(finished: Sweep) -> None:
    """With a higher `most` the same sweep continues: no earlier trial changes, only uncertain batch sizes grow."""
    before = finished.store.results()["trials"]
    finished.file.write_text(finished.file.read_text().replace("most = 16", "most = 22"))
    events = finished.run()
    assert events[0]["outcome"] == "extended"
    assert finished.store.one("SELECT count(*) FROM sweeps") == 1
    after = finished.store.results()["trials"]
    assert set(before) < set(after)


def test_a_range_is_widened_and_the_study_continues(tmp_path: Path) -> None:
    """With the best learning rate at 40, beyond the range, the batch sizes whose best trial is at its edge are searched beyond
    it, which events and the stored search show; killed and launched again it is the same."""
    change = ("[search]\n", "[search]\nwiden = true\n")
    whole = Sweep(tmp_path / "whole", change, PLANTED_BEST="40")
    events = whole.run(gangs=2)
    widened = [
        event["message"] for event in events if event["event"] == "note" and "widened" in event["message"]
    ]
    assert len(widened) == len(whole.rounds()) >= 2
    studies = {size: (target, json.loads(search)) for size, target, search in whole.outcome()["studies"]}
    for size in (8, 32):
        target, search = studies[size]
        assert search["learning_rate"]["max"] >= 40
        assert search["widened"][0]["first"] == 24
        assert target > 24
    broken = Sweep(tmp_path / "broken", change, PLANTED_BEST="40")
    process = broken.start()
    done = "SELECT count(*) FROM trials WHERE status = 'COMPLETE'"
    wait_for(lambda: process.poll() is not None or (broken.store.one(done) or 0) >= 76)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    broken.run(gangs=2)
    assert broken.outcome() == whole.outcome()
    assert broken.rounds() == whole.rounds()


def test_killed_at_random_moments_in_the_order_of_merit(tmp_path: Path) -> None:
    """Trials by merit that stop when beaten, gangs and supervisors killed at random: the same trials, losses, measurements
    and ends as undisturbed."""
    changes = (("trials = 24", "trials = 8"), ("[training]\n", '[training]\nstop = "beaten"\n'))
    whole = Sweep(tmp_path / "whole", *changes)
    whole.run()
    reasons = whole.store.rows("SELECT DISTINCT stop_reason FROM trials ORDER BY 1")
    assert reasons == [("beaten",), ("goal",)]
    seed = int.from_bytes(os.urandom(4), "little")
    chance = random.Random(seed)
    victims = ["gang", "gang", "supervisor", "supervisor"]
    chance.shuffle(victims)
    broken = Sweep(tmp_path / "broken", *changes, PLANTED_SECONDS="0.1")
    process = broken.start()
    done = "SELECT count(*) FROM trials WHERE status = 'COMPLETE'"
    for victim in victims:
        before = broken.store.one(done) or 0
        wait_for(
            lambda before=before, process=process: (
                process.poll() is not None or (broken.store.one(done) or 0) > before
            ),
            f"another trial (seed {seed})",
        )
        moment = time.monotonic() + chance.uniform(0.0, 0.2)
        wait_for(lambda moment=moment: time.monotonic() >= moment)
        if victim == "supervisor":
            process.kill()
            process.communicate()
            process = broken.start()
        else:
            for pid in broken.store.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, (seed, err)
    assert broken.outcome() == whole.outcome(), seed


def test_the_best_trials_are_repeated_after_the_search(tmp_path: Path) -> None:
    """Whatever the number of gangs, three repeats of each best trial with other seeds follow its search, in rounds or not; the
    run's events count them, and launching again finds nothing to do."""
    changes = ("trials = 24", "trials = 4\nrepeats = 3")
    one, three = Sweep(tmp_path / "one", changes), Sweep(tmp_path / "three", changes)
    events = one.run()
    three.run(gangs=3)
    assert three.outcome() == one.outcome()
    best = one.store.rows(
        "SELECT r.number FROM trials r JOIN running_best b ON b.trial_id = r.id AND b.value < 0.05 WHERE r.repeats IS NULL"
        " GROUP BY r.study_id HAVING min(b.step)"
    )
    repeats = one.store.rows(
        "SELECT study_id, repeats, count(DISTINCT seed), min(status) FROM trials WHERE repeats IS NOT NULL GROUP BY 1"
    )
    assert [row[1:] for row in repeats] == [(number, 3, "COMPLETE") for (number,) in best]
    assert (events[0]["repeats"], events[-1]["done"], events[-1]["repeats"], events[-1]["repeats_done"]) == (
        0,
        12,
        9,
        9,
    )
    progress = [event for event in events if event["event"] == "progress"]
    assert progress[0]["repeats"] == 9
    assert "trial" not in {event["event"] for event in one.run()}
    rounds = Sweep(tmp_path / "rounds", (UNTIL[0], f"{UNTIL[1]}\nrepeats = 1"))
    rounds.run(gangs=2)
    searched = rounds.store.rows("SELECT max(ended) FROM trials WHERE repeats IS NULL")
    assert rounds.store.rows(
        "SELECT count(*) FROM trials WHERE repeats IS NOT NULL AND started > ?", *searched[0]
    ) == [(3,)]
