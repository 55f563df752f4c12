"""The plan of a batch folder as a store, from which viewers and merges know the shards whose jobs have not begun."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from hvdsweep.batch.folder import BatchFolder
from hvdsweep.plan import Plan
from hvdsweep.replacing import replaced
from hvdsweep.store.connection import connect
from hvdsweep.store.plans import save_plan


def write_plan(folder: BatchFolder, plans: Iterable[Plan]) -> None:
    """Write `folder.plan` with every trial PENDING, unless it exists. Several processes may do this at once."""
    if folder.plan.exists():
        return
    # On a local disk first, so that other hosts see the complete file or none.
    with tempfile.TemporaryDirectory(prefix="hvdsweep-plan-") as place:
        made = Path(place, "plan.db")
        with closing(connect(made, create=True)) as conn:
            conn.execute("PRAGMA synchronous = off")
            for plan in plans:
                save_plan(conn, plan)
            conn.execute("PRAGMA journal_mode = delete").fetchall()
        with replaced(folder.plan) as partial:
            partial.write_bytes(made.read_bytes())
