"""What surrounds a sweep in training is attacked: its database, disks, /tmp, /dev/shm, limits, user and clock.

Each launch ends with an exit code of its own and words, leaves no process, and what it recorded is continued by the next one to
the same results, bit for bit.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.attacks import SLOW
from tests.launch.conftest import wait_for
from tests.launch.test_kill import SWEEP, Store, Sweep
from tests.limits import HANG_SECONDS

pytestmark = [
    pytest.mark.horovod,
    SLOW,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts, which need root"),
]

SHORT = SWEEP.replace("steps = 1500", "steps = 3000")


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Callable[..., Sweep]]:
    made: list[Sweep] = []

    def make(folder: Path, text: str = SHORT) -> Sweep:
        made.append(Sweep(folder, text))
        return made[-1]

    yield make
    for one in made:
        one.clear()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[object, ...]]]:
    """The results of an undisturbed sweep."""
    undisturbed = Sweep(tmp_path_factory.mktemp("undisturbed"), SHORT)
    assert undisturbed.start().wait(HANG_SECONDS) == 0
    return undisturbed.store.results()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def said(sweep: Sweep) -> str:
    return (sweep.folder / "launch.log").read_text()


def ended(sweep: Sweep, process: subprocess.Popen[str], *codes: int) -> None:
    """It ended with one of these exit codes and a message, and left no process."""
    assert process.wait(HANG_SECONDS) in codes, said(sweep)[-3000:]
    assert "Traceback" not in said(sweep), said(sweep)[-3000:]
    wait_for(lambda: not sweep.store.processes(), "the gang to end")


def test_a_disk_that_fills_up(sweep, small_disk: Path, expected) -> None:
    """The launch names the full disk; once there is room, the next one continues."""
    one = sweep(small_disk / "sweep")
    process = one.start()
    wait_for(lambda: one.training() or process.poll() is not None, "training")
    with contextlib.suppress(OSError), open(small_disk / "ballast", "wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))
    ended(one, process, 1, 2)
    (small_disk / "ballast").unlink()
    assert "full" in said(one) or "No space" in said(one), said(one)[-3000:]
    subprocess.run(["mount", "-o", "remount,size=200m", small_disk], check=True)
    assert one.start().wait(HANG_SECONDS) == 0, said(one)[-3000:]
    assert one.store.results() == expected


@pytest.fixture
def failing_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MiB that can become read-only under open files."""
    image, folder = tmp_path / "image", tmp_path / "failing"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, folder], check=False).returncode:
        pytest.skip("no loop devices")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_disk_that_becomes_read_only(sweep, tmp_path: Path, failing_disk: Path, expected) -> None:
    """As after an error of the disk: the launch says so and leaves no process; once it can be written, the next one continues."""
    one = sweep(tmp_path / "sweep")
    one.store = Store(failing_disk / "sweep.db")
    process = one.start()
    wait_for(lambda: one.training() or process.poll() is not None, "training")
    subprocess.run(["mount", "-o", "remount,abort", failing_disk], check=True)
    ended(one, process, 1, 2)
    assert re.search("read-?only|disk I/O error.*nothing that was recorded", said(one)), said(one)[-3000:]
    for command in (["umount", failing_disk], ["mount", "-o", "loop", tmp_path / "image", failing_disk]):
        subprocess.run(command, check=True)
    assert one.start().wait(HANG_SECONDS) == 0, said(one)[-3000:]
    assert one.store.results() == expected


def test_a_database_deleted_while_it_is_trained(sweep, tmp_path: Path) -> None:
    """The launch ends with a message and leaves no process; no incomplete database takes its place."""
    one = sweep(tmp_path / "deleted")
    process = one.start()
    wait_for(one.training, "training")
    for file in one.folder.glob("sweep.db*"):
        if file.is_file():
            file.unlink()
    ended(one, process, 1, 2)
    assert not one.store.path.exists()


def test_two_sweeps_at_once_in_one_database(sweep, tmp_path: Path, expected) -> None:
    """Each is trained as if it were alone."""
    one, other = sweep(tmp_path / "one"), sweep(tmp_path / "other", SHORT.replace("seed = 1", "seed = 2"))
    other.store = one.store
    first, second = one.start(), other.start()
    assert (first.wait(HANG_SECONDS), second.wait(HANG_SECONDS)) == (0, 0), said(one) + said(other)
    found = one.store.results()
    assert len(found["trials"]) == 2 * len(expected["trials"])
    for table, rows in expected.items():
        assert set(rows) <= set(found[table]), table


INSIDE = "unshare --mount --propagation private sh -c"


def in_namespace(
    sweep: Sweep, mounts: str, *options: str, before: str = ""
) -> subprocess.CompletedProcess[str]:
    """`hvdsweep launch` in a mount namespace of its own, after these mounts."""
    code = "from hvdsweep.cli import main; main()"
    launch = f'exec {before} "$@"'
    command = [
        sys.executable,
        "-c",
        code,
        "launch",
        *map(str, sweep.files),
        "--db",
        str(sweep.store.path),
        "--np",
        "2",
        *options,
    ]
    return subprocess.run(
        [*INSIDE.split(), f"{mounts}\n{launch}", "sh", *command],
        capture_output=True,
        text=True,
        cwd=sweep.folder,
        timeout=HANG_SECONDS,
    )


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder outside /tmp."""
    folder = Path(f"/var/tmp/hvdsweep-attack-{os.getpid()}")
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    "mounts",
    [
        "mount -t tmpfs -o size=64k tmpfs /dev/shm",
        "mount -t tmpfs -o size=64k tmpfs /tmp; head -c 100k /dev/zero > /tmp/full 2>/dev/null; true",
        "mount -t tmpfs -o size=64k,ro tmpfs /tmp",
    ],
    ids=["a tiny /dev/shm", "a full /tmp", "a read-only /tmp"],
)
def test_small_system_folders(sweep, place: Path, expected, mounts: str) -> None:
    """Training needs neither."""
    one = sweep(place / "sweep")
    ran = in_namespace(one, mounts)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert one.store.results() == expected


def test_a_read_only_folder(sweep, place: Path) -> None:
    """Refused with a message before anything is started."""
    one = sweep(place / "sweep")
    ran = in_namespace(one, f"mount --bind {place} {place}; mount -o remount,bind,ro {place}")
    assert ran.returncode in (1, 2), ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr, ran.stderr
    assert str(one.store.path) in ran.stderr


@pytest.mark.parametrize("limit", ["--nofile=16", "--nofile=48", "--fsize=100000", "--as=2000000000"])
def test_limits(sweep, place: Path, expected, limit: str) -> None:
    """A limit on open files, file size or memory ends the launch with a message; without the limit it continues."""
    one = sweep(place / "sweep")
    ran = in_namespace(one, "true", "--max-attempts", "1", before=f"prlimit {limit}")
    assert ran.returncode in (0, 1, 2), ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr, ran.stderr[-3000:]
    wait_for(lambda: not one.store.processes(), "the gang to end")
    if ran.returncode == 2 or not one.store.path.exists():
        return
    assert one.start("--retry-incomplete").wait(HANG_SECONDS) == 0, said(one)[-3000:]
    assert one.store.results() == expected


def test_another_user_with_few_processes(sweep, place: Path, expected) -> None:
    """A user who is not root can train; if too few processes are allowed, the launch says so."""
    home = place / "home"
    home.mkdir()
    one = sweep(place / "sweep")
    for path in (place, home, one.folder, *one.files):
        os.chown(path, 12345, 12345)
    # What is below root's own folder, Python perhaps, is reached over a folder that all may enter.
    mounts = (
        f"mkdir {place}/root; mount --rbind /root {place}/root; mount -t tmpfs -o mode=755 tmpfs /root;"
        f" for d in {place}/root/.[a-z]*; do test -d $d && mkdir /root/${{d##*/}} && mount --bind $d /root/${{d##*/}}; done;"
        f" export HOME={home}"
    )
    user = "setpriv --reuid 12345 --regid 12345 --clear-groups"
    ran = in_namespace(one, mounts, "--max-attempts", "1", before=f"prlimit --nproc=12 {user}")
    assert ran.returncode in (1, 2), ran.stdout + ran.stderr
    # It quotes what Python says in a rank that may not start another process.
    assert "No gang could start" in ran.stderr, ran.stderr[-3000:]
    assert "hvdsweep/cli" not in ran.stderr, ran.stderr[-3000:]
    (place / "root").rmdir()
    ran = in_namespace(one, mounts, before=user)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert one.store.path.stat().st_uid == 12345
    assert one.store.results() == expected


def test_the_supervisor_is_stopped_for_longer_than_its_heartbeat(sweep, tmp_path: Path, expected) -> None:
    """SIGSTOP for ten seconds, then SIGCONT: the sweep ends as if undisturbed."""
    one = sweep(tmp_path / "stopped")
    process = one.start()
    wait_for(one.training, "training")
    process.send_signal(signal.SIGSTOP)
    assert subprocess.run(["sleep", "10"], check=True)
    process.send_signal(signal.SIGCONT)
    assert process.wait(HANG_SECONDS) == 0, said(one)[-3000:]
    assert one.store.results() == expected
