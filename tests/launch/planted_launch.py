"""`hvdsweep launch` of a sweep file with planted gangs. Arguments: DB, sweep file, gangs, and for `--np auto` slots."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from hvdsweep.launch.hosts import Host
from hvdsweep.launch.progress import reporter
from hvdsweep.launch.settings import Settings
from hvdsweep.launch.supervisor import Supervisor
from hvdsweep.launch.sweeps import introduce, save
from hvdsweep.plan import make_plan
from hvdsweep.store.connection import connect
from hvdsweep.sweep.load import load_sweep


def planted_command(hosts: Sequence[Host], module: str, arguments: Sequence[str]) -> list[str]:
    """The planted gang in the place of horovodrun; timing is faked too."""
    if module.endswith(".timing"):
        np = sum(host.slots for host in hosts)
        return [sys.executable, str(Path(__file__).with_name("fake_timing.py")), "--np", str(np), *arguments]
    return [sys.executable, str(Path(__file__).with_name("planted_gang.py")), *arguments]


def main() -> int:
    path, file, gangs = sys.argv[1], sys.argv[2], int(sys.argv[3])
    plan = make_plan(load_sweep(file))
    report = reporter(as_json=True)
    conn = connect(path, create=True)
    saved = save(conn, plan)
    report(introduce(conn, plan, saved, path))
    conn.close()
    slots = int(sys.argv[4]) if len(sys.argv) > 4 else None
    settings = Settings(gangs=gangs, slots=slots)
    return Supervisor(path, saved.sweep_id, plan, settings, report, build=planted_command).run().exit_code


if __name__ == "__main__":
    sys.exit(main())
