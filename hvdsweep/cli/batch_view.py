"""The state of a batch folder as a table."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hvdsweep.batch.scripts import spans
from hvdsweep.batch.status import BatchState
from hvdsweep.visible import visible
from hvdsweep.words import counted, duration

FEW = 40
"""Most shards in one state that get a row each; others share one. --json lists all."""


def rendered(state: BatchState) -> RenderableType:
    """The state as a table: many shards in the same situation share a row."""
    done = sum(shard.state == "DONE" for shard in state.shards)
    running = sum(shard.state == "RUNNING" for shard in state.shards)
    head = f"{state.name}: {done:,} of {counted(len(state.shards), 'shard')} done, {counted(running, 'job')} running"
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("shards", "state", "job", "node", "time left", "trials", "what"):
        table.add_column(name, overflow="fold", no_wrap=name in ("state", "time left"))
    groups: dict[Any, list[Any]] = {}
    few = len(state.shards) <= FEW
    rows: Counter[str] = Counter()
    for shard in state.shards:
        alone = few or (shard.state not in ("DONE", "PENDING", "NOT SUBMITTED") and rows[shard.state] < FEW)
        rows[shard.state] += 1
        groups.setdefault(shard.shard if alone else (shard.state, shard.reason), []).append(shard)
    for shards in groups.values():
        first = shards[0]
        trials = [
            sum(shard.trials.get(name, 0) for shard in shards)
            for name in ("COMPLETE", "INFEASIBLE", "INCOMPLETE")
        ]
        total = sum(sum(shard.trials.values()) for shard in shards)
        what = ""
        if len(shards) == 1 or first.state == "PENDING":
            what = first.reason or first.trains or first.words
        table.add_row(
            spans([shard.shard for shard in shards]),
            first.state,
            first.job if len(shards) == 1 else "",
            first.node if len(shards) == 1 else "",
            "" if first.seconds_left is None or len(shards) > 1 else duration(first.seconds_left),
            f"{sum(trials):,} of {total:,}" if total else "",
            visible(what),
        )
    used = f"Used {_hours(state.core_hours, state.gpu_hours)}"
    if state.kills:
        lost = _hours(state.lost_core_hours, state.lost_gpu_hours)
        used += f"; {lost} of training lost to {counted(state.kills, 'kill')}"
    if state.goals:
        each = _hours(state.core_hours / state.goals, state.gpu_hours / state.goals)
        used += f"; {each} for each of {counted(state.goals, 'batch size')} at its goal"
    left = sum(shard.left for shard in state.shards)
    more = (
        [Text(f"{counted(left, 'shard')} with work left and no job: hvdsweep batch resubmit DIR")]
        if left
        else []
    )
    return Group(Text(head, "bold"), table, Text(used), *more)


def _hours(cores: float, gpus: float) -> str:
    return f"{cores:.3g} core hours" + (f" and {gpus:.3g} GPU hours" if gpus else "")
