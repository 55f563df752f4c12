"""Gangs and events as rows of tables."""

from __future__ import annotations

from collections.abc import Mapping

from textual.content import Content

from hvdsweep.store.rows import EventRow, GangRow
from hvdsweep.store.stages import start_words
from tui.widgets.columns import Column
from tui.words import GANGS, bar, clock, duration, sign


def gang_columns(now: float, names: Mapping[str, str]) -> list[Column[GangRow]]:
    """Of gangs with the trials they train; how long they have been silent at `now` (unix seconds). `names` shortens workloads."""

    def trains(gang: GangRow) -> Content:
        start = start_words(gang, now)
        if start is None and gang.workload is not None:
            return Content(names.get(gang.workload, gang.workload))
        return Content.styled(start or (gang.message or "").split("\n")[0], "$foreground-muted")

    def at_work(gang: GangRow) -> bool:
        return gang.workload is not None and start_words(gang, now) is None

    def progress(gang: GangRow) -> Content:
        share = (gang.steps or 0) / gang.train_steps if gang.train_steps else 0.0
        return Content.assemble(bar(share, 5), f" {int(share * 100):3d}%") if at_work(gang) else Content("")

    def heard(gang: GangRow) -> str:
        return "" if gang.heartbeat is None else duration(max(0.0, now - gang.heartbeat))

    return [
        Column("gang", 4, lambda gang: str(gang.id), right=True, fixed=True),
        Column("state", 10, lambda gang: sign(GANGS, gang.state), fixed=True),
        Column("workload", 8, trains, grow=True, fixed=True),
        Column(
            "batch", 5, lambda gang: str(gang.batch_size) if at_work(gang) else "", right=True, fixed=True
        ),
        Column("trial", 6, lambda gang: str(gang.trial_id) if at_work(gang) else "", right=True, fixed=True),
        Column("progress", 10, progress, fixed=True),
        Column("heard", 10, heard, right=True),
        Column("ranks", 5, lambda gang: str(gang.np), right=True),
        Column("host", 12, lambda gang: gang.host or ""),
    ]


def _kind(event: EventRow) -> Content:
    """Events of gangs are always crashes."""
    return Content.styled(event.kind, "$error" if event.kind == "gang" else "$foreground-muted")


EVENT_COLUMNS: tuple[Column[EventRow], ...] = (
    Column("time", 8, lambda event: Content.styled(clock(event.time), "$foreground-muted"), fixed=True),
    Column("kind", 8, _kind, fixed=True),
    Column("what happened", 20, lambda event: event.message.split("\n")[0], grow=True, most=1000, fixed=True),
)
