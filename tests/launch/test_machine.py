"""This machine's resources, read from the system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hvdsweep.errors import UserError
from hvdsweep.launch.machine import Gpu, allow_files, cores, gpus, memory, seen

LISTING = "0, GPU-aaa1, NVIDIA H200, 143771\n1, GPU-bbb2, NVIDIA H200, 143771\n"


def test_a_container_s_quota_limits_the_cores(tmp_path: Path) -> None:
    """The smaller of affinity and quota counts, at least 1."""
    here = len(os.sched_getaffinity(0))
    assert cores(tmp_path) == here
    for text, expected in (
        ("max 100000", here),
        ("150000 100000", 1),
        ("50000 100000", 1),
        ("99900000 100000", here),
    ):
        (tmp_path / "cpu.max").write_text(text)
        assert cores(tmp_path) == expected


def test_a_container_s_limit_bounds_the_memory(tmp_path: Path) -> None:
    """The limit replaces the machine's total, and what is used is subtracted from it."""
    total, available = memory(tmp_path)
    assert 0 < available <= total
    (tmp_path / "memory.max").write_text("1000000")
    (tmp_path / "memory.current").write_text("400000")
    assert memory(tmp_path) == (1_000_000, 600_000)


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, ["0", "1"]),
        ("1,0", ["1", "0"]),
        ("1", ["1"]),
        ("GPU-bbb2", ["GPU-bbb2"]),
        ("GPU-b", ["GPU-b"]),
        ("0,7,1", ["0"]),
    ],
)
def test_visible_gpus(visible: str | None, expected: list[str]) -> None:
    """CUDA_VISIBLE_DEVICES chooses and orders, by number or UUID; what follows an unknown one does not count."""
    found = seen(LISTING, visible)
    assert [gpu.index for gpu in found] == expected
    assert {gpu.name for gpu in found} == {"NVIDIA H200"}


def test_no_gpus_without_nvidia_smi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without the program has none; one whose environment hides them has none either."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus({}) == ()
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{LISTING}END\n".replace("cat", "/bin/cat"))
    program.chmod(0o755)
    assert gpus({}) == (Gpu("0", "NVIDIA H200", 143771), Gpu("1", "NVIDIA H200", 143771))
    assert gpus({"CUDA_VISIBLE_DEVICES": ""}) == ()
    more = "0, GPU-aaa1, NVIDIA H200, 143771, 580.1, 9.0"
    program.write_text(f"#!/bin/sh\ncase $1 in *compute_cap*) echo '{more}';; *) exit 2;; esac\n")
    assert gpus({}) == (Gpu("0", "NVIDIA H200", 143771, "580.1", "9.0"),)
    program.write_text(
        "#!/bin/sh\ncase $1 in *compute_cap*) exit 2;; *) echo '0, GPU-aaa1, Old, 11';; esac\n"
    )
    assert gpus({}) == (Gpu("0", "Old", 11),)
    program.write_text("#!/bin/sh\nexit 9\n")
    assert gpus({}) == ()


@pytest.mark.parametrize(("limits", "after"), [((16, 4096), 64), ((256, 4096), 256), ((16, 16), None)])
def test_too_few_open_files_are_refused_or_mended(limits, after, monkeypatch) -> None:
    """The limit is raised where that is allowed; else the launch says so before any rank fails of it."""
    found = [limits]
    monkeypatch.setattr("resource.getrlimit", lambda kind: found[-1])
    monkeypatch.setattr("resource.setrlimit", lambda kind, new: found.append(new))
    if after is None:
        with pytest.raises(UserError, match=r"limit of open files is 16.*ulimit -n"):
            allow_files()
    else:
        allow_files()
        assert found[-1] == (after, 4096)
