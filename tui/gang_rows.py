"""Gangs and events as rows of tables."""

from __future__ import annotations

from collections.abc import Mapping

from textual.content import Content

from hvdsweep.store.rows import EventRow, GangRow
from hvdsweep.store.stages import start_words
from tui.widgets.columns import Column, Row
from tui.words import GANGS, bar, clock, duration, sign

GANG_COLUMNS = (
    Column("gang", "gang", 4, right=True, fixed=True),
    Column("state", "state", 10, fixed=True),
    Column("workload", "workload", 8, grow=True, fixed=True),
    Column("batch_size", "batch", 5, right=True, fixed=True),
    Column("trial", "trial", 6, right=True, fixed=True),
    Column("progress", "progress", 10, fixed=True),
    Column("heard", "heard", 10, right=True),
    Column("np", "ranks", 5, right=True),
    Column("host", "host", 12),
)
EVENT_COLUMNS = (
    Column("time", "time", 8, fixed=True),
    Column("kind", "kind", 8, fixed=True),
    Column("message", "what happened", 20, grow=True, most=1000, fixed=True),
)


def gang_row(gang: GangRow, now: float, names: Mapping[str, str]) -> Row:
    """A gang with the trial it trains and how long it has been silent at `now` (unix seconds)."""
    trains = progress = Content("")
    batch_size = trial = ""
    start = start_words(gang, now)
    if start is not None:
        trains = Content.styled(start, "$foreground-muted")
    elif gang.workload is not None:
        trains = Content(names.get(gang.workload, gang.workload))
        batch_size, trial = str(gang.batch_size), str(gang.trial_id)
        share = (gang.steps or 0) / gang.train_steps if gang.train_steps else 0.0
        progress = Content.assemble(bar(share, 5), f" {int(share * 100):3d}%")
    elif gang.message:
        trains = Content.styled(gang.message.split("\n")[0], "$foreground-muted")
    heard = "" if gang.heartbeat is None else duration(max(0.0, now - gang.heartbeat))
    return Row(
        str(gang.id),
        (
            str(gang.id),
            sign(GANGS, gang.state),
            trains,
            batch_size,
            trial,
            progress,
            heard,
            str(gang.np),
            gang.host or "",
        ),
        gang,
    )


def event_row(event: EventRow) -> Row:
    """An event on one line; events of gangs, which are always crashes, in the colour of errors."""
    return Row(
        str(event.id),
        (
            Content.styled(clock(event.time), "$foreground-muted"),
            Content.styled(event.kind, "$error" if event.kind == "gang" else "$foreground-muted"),
            event.message.split("\n")[0],
        ),
    )
