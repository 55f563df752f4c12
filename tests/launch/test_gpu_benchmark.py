"""benchmarks/gpu.py: its parts at toy size on the CPU, and its words where there is no GPU."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from benchmarks import gpu


@pytest.mark.skipif(
    not os.environ.get("HVDSWEEP_SLOW_TESTS"), reason="two minutes; set HVDSWEEP_SLOW_TESTS=1 to run it"
)
@pytest.mark.horovod
def test_every_part_runs_on_the_cpu(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--cpu` runs all parts, none fails, and the JSON has what the table has; two ranks record what one does."""
    file = tmp_path / "gpu.json"
    assert gpu.main(["--cpu", "--json", str(file)]) == 0, capsys.readouterr().out
    answer = json.loads(file.read_text())
    assert answer["failed"] == {}
    assert set(answer["parts"]) == {"doctor", *gpu.CHILDREN, "gangs", "ranks"}
    assert "none" in answer["parts"]["doctor"]["GPUs"]
    assert answer["parts"]["ranks"]["losses on 1 rank and on 2: largest difference"] <= gpu.SAME_ON_RANKS
    printed = capsys.readouterr().out
    for name, figures in answer["parts"].items():
        for figure in figures:
            assert f"{name:<12} {figure}" in printed


def test_a_part_that_fails_does_not_lose_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that dies after its first answer costs the next part alone; the rest gets another process."""
    asked = []

    def run(self: gpu.Plan, command: list[str], **variables: str) -> Any:
        names = command[command.index("--parts") + 1].split(",")
        asked.append(names)
        answer = f'RESULT {{"part": "{names[0]}", "figures": {{"x": 1.0}}}}\n'
        return gpu.subprocess.CompletedProcess(command, 139 if len(asked) == 1 else 0, answer, "killed")

    monkeypatch.setattr(gpu.Plan, "run", run)
    found = dict(gpu.in_children(["losses", "memory", "precision"], gpu.Plan(True, 2, tmp_path)))
    assert asked == [["losses", "memory", "precision"], ["precision"]]
    assert found == {"losses": {"x": 1.0}, "memory": "exit code 139: killed", "precision": {"x": 1.0}}


def test_without_a_gpu_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and one sentence that names --cpu."""
    assert gpu.main([]) == 2
    assert "No GPU" in (words := capsys.readouterr().err)
    assert "--cpu" in words
