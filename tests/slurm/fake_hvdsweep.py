#!/usr/bin/env python3
"""`hvdsweep` whose gangs are fake: what a job runs where the scheduler is what is tested."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from hvdsweep.cli import main
from hvdsweep.launch import allocation, horovodrun
from hvdsweep.launch.hosts import Host
from hvdsweep.store import liveness
from tests.launch.fake_launch import fake_command


def gang_command(
    hosts: Sequence[Host], module: str, arguments: Sequence[str], **network: object
) -> list[str]:
    """The fake gang in the place of horovodrun."""
    return fake_command(hosts, module, arguments)


if __name__ == "__main__":
    horovodrun.gang_command = gang_command
    # A node that comes back finds the heartbeat of the supervisor that went down with it.
    liveness.WATCH_SECONDS = 3.0
    if earlier := float(os.environ.get("FAKE_EARLIER", "0")):
        # Slurm's shortest time limit is a minute.
        end_of_job = allocation.end_of_job
        allocation.end_of_job = lambda: None if (end := end_of_job()) is None else end - earlier
    main()
