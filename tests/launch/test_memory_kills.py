"""Out of memory is distinguished from other kills by the kernel's counters, for both versions of control groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from hvdsweep.launch.memory_kills import NOT_MEMORY, UNKNOWN, MemoryKills

OOM = "out of memory: the kernel has killed a process of this job"
VERSION_2 = {
    "proc/self/cgroup": "0::/job/step\n",
    "sys/fs/cgroup/job/step/memory.events": "oom 3\noom_kill {mine}\n",
}
VERSION_1 = {
    "proc/self/cgroup": "4:memory:/job\n1:cpu:/\n0::/\n",
    "sys/fs/cgroup/memory/job/memory.oom_control": "under_oom 0\noom_kill {mine}\n",
}
NO_GROUP = {"proc/self/cgroup": "0::/../elsewhere\n"}


def kernel(root: Path, files: dict[str, str], mine: int, machine: int) -> MemoryKills:
    """What the kernel counts where these files lie below `root`."""
    for name, text in {**files, "proc/vmstat": "nr_free_pages 5\noom_kill {machine}\n"}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text.format(mine=mine, machine=machine))
    return MemoryKills.now(root)


@pytest.mark.parametrize("files", [VERSION_1, VERSION_2])
def test_the_own_control_group_decides(tmp_path: Path, files: dict[str, str]) -> None:
    """One more killed process of the job is the reason; one elsewhere on the machine is none."""
    before = kernel(tmp_path, files, 2, 7)
    assert before == MemoryKills(2, 7)
    assert kernel(tmp_path, files, 3, 8).since(before) == OOM
    assert kernel(tmp_path, files, 2, 8).since(before) == NOT_MEMORY


def test_without_a_control_group_only_a_quiet_machine_is_sure(tmp_path: Path) -> None:
    """No kill on the whole machine: not for memory. One somewhere, or no counter at all: unknown."""
    before = kernel(tmp_path, NO_GROUP, 0, 7)
    assert before == MemoryKills(None, 7)
    assert kernel(tmp_path, NO_GROUP, 0, 7).since(before) == NOT_MEMORY
    assert kernel(tmp_path, NO_GROUP, 0, 8).since(before) == UNKNOWN
    nothing = MemoryKills.now(tmp_path / "nothing")
    assert nothing == MemoryKills(None, None)
    assert nothing.since(nothing) == UNKNOWN
