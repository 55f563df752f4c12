"""`hvdsweep launch` with fake gangs, a process that tests may signal and kill. Arguments: DB, JSON of plan and settings."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from hvdsweep.errors import HvdsweepError
from hvdsweep.launch import slots
from hvdsweep.launch.hosts import Host
from hvdsweep.launch.progress import reporter
from hvdsweep.launch.settings import Settings
from hvdsweep.launch.supervisor import Supervisor
from hvdsweep.store import connection
from hvdsweep.store.connection import connect
from hvdsweep.store.plans import save_plan
from hvdsweep.store.throughput import record_throughput

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.launch.plans import plan_of


def fake_command(hosts: Sequence[Host], module: str, arguments: Sequence[str]) -> list[str]:
    """The fake gang in the place of horovodrun; with FAKE_START the machine refuses to start one, always or once."""
    number, _, once = os.environ.get("FAKE_START", "").partition(" ")
    if number:
        if once:
            del os.environ["FAKE_START"]
        raise OSError(int(number), os.strerror(int(number)))
    return [sys.executable, str(Path(__file__).with_name("fake_gang.py")), *arguments]


def main() -> int:
    path, options = sys.argv[1], json.loads(sys.argv[2])
    plan = plan_of(
        *options["studies"], replacements=options.get("replacements", 0), steps=options.get("steps", 20)
    )
    conn = connect(path, create=True)
    saved = save_plan(conn, plan)
    for batch_size, np, gangs, steps_per_second in options.get("speeds", ()):
        record_throughput(
            conn,
            workload="w",
            batch_size=batch_size,
            np=np,
            gangs=gangs,
            steps=1,
            seconds=1 / steps_per_second,
        )
    conn.close()
    # Long enough, it tells a run that waits for its gangs from one that does not.
    connection.BUSY_SECONDS = float(os.environ.get("FAKE_BUSY_SECONDS", connection.BUSY_SECONDS))
    slots.GIVE_BACK_SECONDS = float(os.environ.get("FAKE_GIVE_BACK_SECONDS", slots.GIVE_BACK_SECONDS))
    settings = Settings(**options.get("settings", {}))
    try:
        return (
            Supervisor(path, saved.sweep_id, plan, settings, reporter(as_json=True), build=fake_command)
            .run()
            .exit_code
        )
    except HvdsweepError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
