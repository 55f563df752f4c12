"""An import may be killed at any instant: run again, nothing is there twice and nothing is missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hvdsweep.archive import import_archive
from hvdsweep.opening import open_store
from hvdsweep.store.connection import connect
from hvdsweep.store.maintenance import check
from tests.archive.compare import differences
from tests.archive.generator import files, planted, write_folder, write_tar

KILLED = """
import os, signal, sys
import hvdsweep.archive.batches, hvdsweep.archive.bulk, hvdsweep.archive.importing as importing
source, database, moment, place, aside = sys.argv[1:]
hvdsweep.archive.batches.BATCH_TRIALS = 4
left = int(moment)

def die():
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

if place == "in a transaction":
    inner = hvdsweep.archive.bulk.BulkWriter._insert_records
    def insert(*args):
        die()
        return inner(*args)
    hvdsweep.archive.bulk.BulkWriter._insert_records = insert
    watch = None
else:
    def watch(report, problem):
        die()
importing.import_archive(source, database, watch=watch, aside=aside == "aside")
sys.exit("was not killed")
"""


def kill(source: Path, database: Path, moment: int, place: str, aside: str = "") -> None:
    """An import in a process that kills itself at that moment."""
    command = [sys.executable, "-c", KILLED, str(source), str(database), str(moment), place, aside]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == -signal.SIGKILL, found.stderr


@pytest.mark.parametrize("place", ["between transactions", "in a transaction"])
@pytest.mark.parametrize("container", ["folder", "tar"])
def test_killed_and_again(tmp_path: Path, place: str, container: str) -> None:
    """Killed three times on the way, the fourth import completes what is there, and adds only what was missing."""
    studies = planted(8, trials=6)
    contents = files(studies)
    source = (
        write_folder(tmp_path / "in", contents)
        if container == "folder"
        else write_tar(tmp_path / "in.tar", contents, "random")
    )
    database = tmp_path / "x.db"
    there = 0
    for moment in (2, 0, 3):
        kill(source, database, moment, place)
        conn = connect(database)
        assert check(conn) == []
        conn.close()
        with open_store(database) as reader:
            (sweep,) = reader.sweeps()
            assert (sweep.state, sweep.live) == ("RUNNING", False)
            now = len(reader.trials().rows)
        assert now >= there
        there = now
    total = sum(len(study.trials) for study in studies)
    assert 0 < there < total
    report = import_archive(source, database, name=sweep.name, aside=False)
    assert (report.trials_present, report.trials_imported) == (there, total - there)
    assert differences(database, studies) == []
    conn = connect(database)
    assert check(conn) == []
    conn.close()


def test_the_reading_process_ends_with_its_parent(tmp_path: Path) -> None:
    """When the importing process is killed, the reading process ends, since its pipe closes."""
    source = write_folder(tmp_path / "in", files(planted(9, trials=12)))
    read, write = os.pipe()
    command = [sys.executable, "-c", KILLED, str(source), str(tmp_path / "x.db"), "0", "between", "aside"]
    # The pipe's end is inherited by both: it reads as closed only once both are gone.
    with subprocess.Popen(command, stderr=write, stdout=subprocess.DEVNULL) as process:
        os.close(write)
        assert process.wait() == -signal.SIGKILL
    assert b"was not killed" not in os.read(read, 10**6)
    os.close(read)


def test_the_reading_process_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reading process that dies makes the import fail with its exit status; no database is made before a study is read, and the
    sweep of one that is there can be continued."""
    from hvdsweep.errors import RunFailed

    source = write_folder(tmp_path / "in", files(planted(9, trials=1)))
    one = write_folder(tmp_path / "one", files(planted(9, trials=1)[:1]))
    import_archive(one, tmp_path / "x.db", name="in")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    for database in ("x.db", "new.db"):
        with pytest.raises(RunFailed, match="exit status 1; what was imported so far is kept"):
            import_archive(source, tmp_path / database, name="in")
    assert not (tmp_path / "new.db").exists()
    with open_store(tmp_path / "x.db") as reader:
        assert reader.sweeps()[0].state == "IDLE"
