"""The cause of a gang's death, from its logs."""

from __future__ import annotations

from pathlib import Path

from hvdsweep.launch.failure_report import death_of, hang_of

HOROVODRUN = """[1]<stderr>:Terminated
Process 1 exit with status code 1.
Terminating remaining workers after failure of Process 1.
Process 0 exit with status code 143.
Traceback (most recent call last):
  File "/venv/bin/horovodrun", line 12, in <module>
RuntimeError: Horovod detected that one or more processes exited with non-zero status. The first process to do so was:
Process name: 1
Exit code: {code}

"""

RANK = """rank 1 of 2 on here, pid 12
2026-11-22 13:29:47.280502: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
E0000 00:00:1795354187.379204    7502 cuda_dnn.cc:8310] Unable to register cuDNN factory
Traceback (most recent call last):
  File "a.py", line 1, in <module>
    first()
ValueError: an older failure
Traceback (most recent call last):
  File "b.py", line 7, in step
    second()
OSError: disk gone
"""


def test_the_rank_that_failed_first_is_quoted(tmp_path: Path) -> None:
    """horovodrun's report names the rank; its last traceback is quoted to the end, noise left out."""
    (tmp_path / "horovodrun.log").write_text(HOROVODRUN.format(code=1))
    (tmp_path / "rank-0.log").write_text("rank 0 is innocent\n")
    (tmp_path / "rank-1.log").write_text(RANK)
    death = death_of(tmp_path, 1)
    assert death.how == "rank 1: exit code 1"
    assert death.words.splitlines() == RANK.splitlines()[-4:]
    assert death.line == "rank 1: exit code 1: OSError: disk gone"
    assert str(death).startswith("rank 1: exit code 1\nTraceback")


def test_a_signal_is_named(tmp_path: Path) -> None:
    """Exit code 137 is SIGKILL, often for lack of memory; without a traceback the last lines are quoted."""
    (tmp_path / "horovodrun.log").write_text(HOROVODRUN.format(code=137))
    (tmp_path / "rank-1.log").write_text("".join(f"line {i}\n" for i in range(100)))
    death = death_of(tmp_path, 1)
    assert death.how == "rank 1: killed by SIGKILL (out of memory?)"
    assert death.words.splitlines() == [f"line {i}" for i in range(80, 100)]


def test_a_killed_horovodrun_is_distinguished_from_a_failed_rank(tmp_path: Path) -> None:
    """No rank is blamed where horovodrun itself was killed."""
    (tmp_path / "horovodrun.log").write_text("")
    assert str(death_of(tmp_path, -9)) == "horovodrun: killed by SIGKILL (out of memory?)"


def test_a_launch_that_failed_quotes_horovodrun(tmp_path: Path) -> None:
    """If no rank started, horovodrun's own output is quoted."""
    (tmp_path / "horovodrun.log").write_text("ssh: connect to host b port 22: Connection refused\n")
    assert (
        str(death_of(tmp_path, 1))
        == "horovodrun: exit code 1\nssh: connect to host b port 22: Connection refused"
    )


def test_words_are_kept_short_and_bytes_do_no_harm(tmp_path: Path) -> None:
    """A log of megabytes with bytes that are not UTF-8 gives at most 2,000 characters, its end."""
    (tmp_path / "horovodrun.log").write_text(HOROVODRUN.format(code=1))
    (tmp_path / "rank-1.log").write_bytes(b"\xff\xfe noise\n" * 200_000 + b"x" * 5000 + b" the end\n")
    words = death_of(tmp_path, 1).words
    assert len(words) <= 2000
    assert words.endswith("x the end")


def test_a_hang_shows_where_every_rank_stands(tmp_path: Path) -> None:
    """The last output of every rank, in the order of ranks."""
    for rank in (10, 2, 0):
        (tmp_path / f"rank-{rank}.log").write_text(f"waiting in collective {rank}\n")
    death = hang_of(tmp_path, 12.3)
    assert death.how == "no sign of life for 12 s"
    assert [line for line in death.words.splitlines() if line.startswith("rank-")] == [
        "rank-0:",
        "rank-2:",
        "rank-10:",
    ]


CRASHED = """Fatal Python error: Segmentation fault

Thread 0x00007f65840a2b80 (most recent call first):
  File "basics.py", line 105 in init
  File "gang.py", line 48 in main

Extension modules: numpy._core._multiarray_umath, google._upb._message (total: 175)
"""


def test_a_crash_of_the_interpreter_is_named_by_its_first_line(tmp_path: Path) -> None:
    """Its stack follows, the innermost call first; the list of extension modules, thousands of characters, is left out."""
    (tmp_path / "horovodrun.log").write_text(HOROVODRUN.format(code=139))
    (tmp_path / "rank-1.log").write_text("before\n" + CRASHED.replace("(total", "many, " * 900 + "(total"))
    death = death_of(tmp_path, 1)
    assert death.line == "rank 1: killed by SIGSEGV: Fatal Python error: Segmentation fault"
    assert death.words.splitlines() == [
        "Fatal Python error: Segmentation fault",
        "Thread 0x00007f65840a2b80 (most recent call first):",
        '  File "basics.py", line 105 in init',
        '  File "gang.py", line 48 in main',
    ]
    deep = CRASHED.replace("  File", '  File "deep.py", line 1 in f\n' * 50 + "  File", 1)
    (tmp_path / "rank-1.log").write_text(deep)
    assert death_of(tmp_path, 1).words.startswith("Fatal Python error: Segmentation fault\nThread")
    assert len(death_of(tmp_path, 1).words.splitlines()) == 20
