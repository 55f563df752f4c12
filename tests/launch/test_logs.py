"""Logs read in parts: the parts add up to the whole, in whatever pieces they were written."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.launch import logs
from hvdsweep.launch.logs import latest_run, log_files, read_log

text = st.text(alphabet=st.sampled_from("ab\n\r\té\x1b"), max_size=30)


@given(st.lists(text, max_size=12))
def test_parts_add_up_to_the_whole(tmp_path_factory, pieces):
    """Reading after every write gives, in all, the lines that one reading of the finished file gives."""
    path = tmp_path_factory.mktemp("logs") / "rank-0.log"
    path.write_text("")
    offset, lines = None, []
    for piece in pieces:
        with path.open("a", newline="") as file:
            file.write(piece)
        part = read_log(path, offset)
        offset = part.offset
        lines += part.lines
    assert lines == list(read_log(path).lines)
    whole = path.read_bytes().decode()
    assert len(lines) == whole.count("\n")
    assert offset is None or path.read_bytes()[:offset].decode() == whole[: whole.rfind("\n") + 1]


def test_control_sequences_and_overwritten_lines(tmp_path):
    """Colours go, of a progress bar the last state stays, tabs become blanks."""
    path = tmp_path / "rank-0.log"
    path.write_bytes(b"\x1b[31mred\x1b[0m\n 1 %\r50 %\r99 %\nwindows\r\na\tb\n\xff\xfe\n")
    assert read_log(path).lines == ("red", "99 %", "windows", "a       b", "\ufffd\ufffd")


def test_a_replaced_log_begins_again(tmp_path):
    """A file that is shorter than what was read is another one."""
    path = tmp_path / "rank-0.log"
    path.write_text("one\ntwo\n")
    first = read_log(path)
    assert first.restarted
    path.write_text("new\n")
    second = read_log(path, first.offset)
    assert (second.lines, second.restarted) == (("new",), True)
    with path.open("a") as file:
        file.write("more\n")
    third = read_log(path, second.offset)
    assert (third.lines, third.restarted) == (("more",), False)


def test_the_debug_log_of_the_latest_run(tmp_path):
    """Of the runs of a gang's sweep the one that began last; none where the logs are elsewhere."""
    for name in ("run-20260101-000000-9.log", "run-20260102-000000-1.log", "other.log"):
        (tmp_path / name).write_text("")
    assert [path.name for path in latest_run(tmp_path / "gang-1")] == ["run-20260102-000000-1.log"]
    assert latest_run(None) == []


def test_of_a_long_log_only_the_end_is_read(tmp_path, monkeypatch):
    """At first FIRST_BYTES, later at most MOST_BYTES; never half a line."""
    monkeypatch.setattr(logs, "FIRST_BYTES", 50)
    monkeypatch.setattr(logs, "MOST_BYTES", 200)
    path = tmp_path / "rank-0.log"
    path.write_text("".join(f"line {n:04d}\n" for n in range(100)))
    first = read_log(path)
    assert first.lines == tuple(f"line {n:04d}" for n in range(95, 100))
    with path.open("a") as file:
        file.write("".join(f"more {n:04d}\n" for n in range(100)))
    second = read_log(path, first.offset)
    assert second.restarted
    assert second.lines == tuple(f"more {n:04d}" for n in range(95, 100))


def test_the_logs_of_a_gang_in_the_order_of_ranks(tmp_path):
    """rank 2 before rank 10, horovodrun last; nothing where the folder is not here."""
    for name in ("rank-10.log", "rank-2.log", "horovodrun.log", "rank-0.log", "other.txt"):
        (tmp_path / name).write_text("")
    assert [path.name for path in log_files(tmp_path)] == [
        "rank-0.log",
        "rank-2.log",
        "rank-10.log",
        "horovodrun.log",
    ]
    assert log_files(tmp_path / "nowhere") == []
    assert log_files(None) == []
    assert log_files(str(tmp_path))[0] == Path(tmp_path) / "rank-0.log"
