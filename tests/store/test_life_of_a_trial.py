"""The life of a trial as docs/design.md draws it: every change of state there is made here, and no other."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from hvdsweep.states import Status, StopReason
from hvdsweep.store.connection import connect
from hvdsweep.store.exchange import Final
from hvdsweep.store.lifecycle import begin_run, recover
from hvdsweep.store.plans import save_plan

from .plans import gang, outcome, plan

DESIGN = (Path(__file__).parents[2] / "docs" / "design.md").read_text(encoding="utf-8")
DRAWN = {
    (before, after) for before, after in re.findall(r"^\| `([A-Z]+)` \| `([A-Z]+)` \|", DESIGN, re.MULTILINE)
}


def test_every_change_of_state_is_drawn(tmp_path: Path) -> None:
    """Claims, ends of every kind, a killed gang, a second round of attempts and results of another sweep: as the page lists."""
    path = tmp_path / "hvdsweep.db"
    conn = connect(path, create=True)
    save_plan(conn, plan((8,), trials=4))
    conn.executescript(
        "CREATE TABLE changes (before TEXT, after TEXT);"
        "CREATE TRIGGER watch AFTER UPDATE OF status ON trials WHEN OLD.status != NEW.status"
        " BEGIN INSERT INTO changes VALUES (OLD.status, NEW.status); END;"
    )
    begin_run(conn, 1, np=2, gangs=1)
    with gang(path) as writer:
        claims = [writer.commit(None, claim=True).claim]
        for status in (Status.COMPLETE, Status.INFEASIBLE, Status.INCOMPLETE):
            update = outcome(claims[-1], status)
            if status is Status.INCOMPLETE:
                update = replace(update, final=Final(status, StopReason.FAILED, "refused"))
            claims.append(writer.commit(update, claim=True).claim)
    conn.execute("UPDATE gangs SET state = 'TRAINING', process = NULL, pid = NULL")
    assert conn.execute("SELECT count(*) FROM trials WHERE status = 'RUNNING'").fetchone() == (1,)
    recovered = recover(conn, 1, retry_incomplete=True)
    assert (recovered.requeued, recovered.retried) == (1, 1)
    save_plan(conn, plan((8,), trials=4, key="another"))
    seen = set(conn.execute("SELECT before, after FROM changes"))
    conn.close()
    assert seen == DRAWN


def test_every_state_is_drawn() -> None:
    """No state of the page that is not in the code, and none of the code that is not on the page."""
    assert {name for change in DRAWN for name in change} == set(Status.__members__)
