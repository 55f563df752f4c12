"""Stand-ins for Slurm's programs: they answer from files that a test writes, and fail, hang or talk nonsense on request."""

from __future__ import annotations

import os
import stat
from pathlib import Path

PROGRAM = """#!/bin/sh
# What was asked for, then what the test wants answered: a file of shell lines.
printf '%s\\n' "$(basename "$0") $*" >>'{folder}/asked'
[ -e '{folder}/{name}.sh' ] && . '{folder}/{name}.sh'
exit 0
"""

ANSWERS = {
    # A job's number for each submission, from 101.
    "sbatch": "n=$(($(cat '{folder}/n' 2>/dev/null || echo 100) + 1)); echo $n >'{folder}/n'; echo $n",
    "scontrol": "echo 'MaxArraySize            = 11'",
    "squeue": "cat '{folder}/queue' 2>/dev/null",
    "sacct": "echo 'Slurm accounting storage is disabled' >&2; exit 1",
    "scancel": "",
}


class StandIn:
    """Programs in a folder that is put first on the PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        for name, answer in ANSWERS.items():
            program = self.bin / name
            program.write_text(PROGRAM.format(folder=folder, name=name))
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
            self.answer(name, answer.format(folder=folder))

    @property
    def path(self) -> str:
        return f"{self.bin}{os.pathsep}{os.environ['PATH']}"

    def answer(self, name: str, shell: str) -> None:
        """From now on the program does this."""
        (self.folder / f"{name}.sh").write_text(shell + "\n")

    def queue(self, *rows: str) -> None:
        """What squeue prints: `JOB_TASK|STATE|LEFT|NODE|REASON` each."""
        (self.folder / "queue").write_text("".join(f"{row}\n" for row in rows))

    def asked(self, name: str) -> list[str]:
        """The command lines with which a program was called."""
        try:
            lines = (self.folder / "asked").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [line for line in lines if line.split()[0] == name]
