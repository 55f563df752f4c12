"""`hvdsweep status`: the progress of every sweep, its gangs, and the last events."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hvdsweep.cli.options import db_option, json_option, path_argument, print_json
from hvdsweep.repeats import trial_name
from hvdsweep.states import ENDED
from hvdsweep.visible import visible
from hvdsweep.words import counted, duration

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from hvdsweep.store.rows import EventRow, GangRow
    from hvdsweep.store.status import StoreStatus, StudyStatus, SweepStatus
    from hvdsweep.store.store import Store

POLL_SECONDS = 0.25
"""Seconds between two checks of --watch for new data; a check takes microseconds."""

STALE_SECONDS = 5.0
"""After so long --watch reads again even if nothing was written: a killed supervisor writes nothing."""

PIPE_WIDTH = 160
"""Columns without a terminal."""

STUDIES_SHOWN = 64
"""A sweep with more studies is shown by workload, unless --sweep names it."""

COUNTS = {"running": "RUNNING", "pending": "PENDING", "diverged": "INFEASIBLE", "failed": "INCOMPLETE"}
"""Column -> the state of the trials in it."""


@click.command()
@path_argument
@db_option
@click.option("--sweep", type=int, metavar="ID", help="Only this sweep, with every study.")
@click.option("--watch", is_flag=True, help="Keep showing progress until Ctrl-C.")
@json_option
def status(path: Path | None, db: Path, sweep: int | None, watch: bool, as_json: bool) -> None:
    """Show the progress of every sweep, and what its gangs are doing. DATABASE (or --db) may be a batch folder."""
    from hvdsweep.opening import open_store

    with open_store(path or db) as reader:
        if watch:
            try:
                _watch(reader, sweep, as_json, lambda: time.sleep(POLL_SECONDS))
            except KeyboardInterrupt:
                # Ctrl-C is how to leave; nothing went wrong.
                return
        elif as_json:
            print_json(reader.status(sweep).to_json())
        else:
            _console().print(rendered(reader.status(sweep), time.time(), every_study=sweep is not None))


def _watch(reader: Store, sweep: int | None, as_json: bool, wait: Callable[[], None]) -> None:
    """Read whenever another process has written, or the last data are stale; `wait` paces the loop."""
    from contextlib import nullcontext

    console, live = _console(), None
    if console.is_terminal and not as_json:
        from rich.live import Live

        live = Live(console=console, auto_refresh=False, vertical_overflow="ellipsis")
    with live or nullcontext():
        version, read_at = -1, 0.0
        while True:
            now = time.time()
            latest = reader.data_version()
            changed = latest != version
            if changed or now - read_at > STALE_SECONDS:
                version, read_at = latest, now
                state = reader.status(sweep)
            if live is not None:
                live.update(rendered(state, now, every_study=sweep is not None), refresh=True)
            elif changed and as_json:
                print_json(state.to_json(), line=True)
            elif changed:
                # A pipe or a file: one state below the other.
                console.print(rendered(state, now, every_study=sweep is not None))
                console.file.flush()
            wait()


def _console() -> Console:
    from rich.console import Console

    # Names come from files: square brackets in them are not markup.
    console = Console(highlight=False, markup=False)
    if console.is_terminal:
        return console
    # A pipe has no width, and its reader wants complete rows.
    return Console(highlight=False, markup=False, width=max(console.width, PIPE_WIDTH))


def rendered(state: StoreStatus, now: float, *, every_study: bool = False) -> RenderableType:
    """The status as tables for people; ages are counted up to `now`."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = []
    for sweep in state.sweeps:
        parts += [_headline(sweep), _studies(sweep, every_study), Text()]
    if not state.sweeps:
        parts.append(Text("No sweep yet. `hvdsweep launch WORKLOAD` makes one."))
    if state.gangs:
        parts += [_gangs(state.gangs, now), Text()]
    if state.events:
        parts.append(_events(state.events))
    return Group(*parts)


def _headline(sweep: SweepStatus) -> RenderableType:
    from rich.text import Text

    trials = sweep.trials
    ended = sum(trials[state] for state in ENDED)
    word = sweep.state
    if word in ("RUNNING", "STOPPING") and not sweep.live:
        word = "KILLED"
    style = {
        "RUNNING": "green",
        "STOPPING": "yellow",
        "DONE": "bold green",
        "FAILED": "red",
        "KILLED": "red",
    }.get(word, "")
    facts = [f"{ended:,} of {sum(trials.values()):,} trials ended"]
    if sweep.repeats:
        facts.append(f"{_ended(sweep):,} of {counted(sweep.repeats, 'repeat')} ended")
    if sweep.live and sweep.gangs and sweep.np:
        facts.append(f"{counted(sweep.gangs, 'gang')} of {counted(sweep.np, 'rank')}")
    if (
        sweep.live
        and sweep.eta_seconds
        and (trials["PENDING"] or trials["RUNNING"] or _ended(sweep) < sweep.repeats)
    ):
        facts.append("about " + duration(sweep.eta_seconds) + " left")
    if sweep.checkpoint_bytes:
        facts.append(f"checkpoints: {sweep.checkpoint_bytes / 1e6:,.1f} MB")
    if word == "KILLED":
        imported = sweep.source == "import"
        facts.append(
            "the import was cut short: import it again to continue"
            if imported
            else "its supervisor was killed: launch it again to continue"
        )
    head = Text.assemble((f"Sweep {sweep.id}", "bold"), f"  {sweep.name}  ", (word, style))
    return head.append("  " + " · ".join(facts))


def _ended(view: SweepStatus | StudyStatus) -> int:
    """Ended repeats of best trials, of a sweep or a study."""
    return sum(view.repeat_trials[state] for state in ENDED)


def _studies(sweep: SweepStatus, every_study: bool) -> RenderableType:
    """One row per study, or per workload if there are too many; columns without any entry are left out."""
    from rich.table import Table

    by_workload = len(sweep.studies) > STUDIES_SHOWN and not every_study
    groups: dict[Any, list[StudyStatus]] = {}
    for study in sweep.studies:
        groups.setdefault(study.workload if by_workload else study.id, []).append(study)
    rows: list[dict[str, str]] = []
    shown = None
    for studies in groups.values():
        first = studies[0]
        trials = {name: sum(study.trials[name] for study in studies) for name in first.trials}
        target = sum(study.target_trials for study in studies)
        row = {"workload": "" if first.workload == shown else visible(first.workload)}
        shown = first.workload
        if by_workload:
            row["studies"] = f"{len(studies):,}"
        else:
            row["batch size"] = f"{first.batch_size:,}"
        row["done"] = f"{trials['COMPLETE']:,}"
        row["target"] = f"{target:,}" if target else ""
        least = sum(study.least_trials for study in studies)
        most = sum(study.most_trials for study in studies)
        if most > least:
            row["target"] += f" ({least:,} to {most:,})"
        for name, state in COUNTS.items():
            row[name] = f"{trials[state]:,}" if trials[state] else ""
        repeats = sum(study.repeats for study in studies)
        row["repeats"] = f"{sum(map(_ended, studies)):,}/{repeats:,}" if repeats else ""
        row[""] = bar(trials["COMPLETE"], target or sum(trials.values()))
        if not by_workload:
            seconds = first.seconds_per_trial
            row["s/trial"] = "" if seconds is None else f"{seconds:.3g}"
            row["work left"] = (
                duration(first.work_seconds)
                if trials["PENDING"] or trials["RUNNING"] or _ended(first) < first.repeats
                else ""
            )
        rows.append(row)
    table = Table(box=None, pad_edge=False, header_style="dim")
    columns = [name for name in (rows[0] if rows else {}) if any(row[name] for row in rows)]
    for name in columns:
        if name == "workload":
            table.add_column(name, overflow="fold")
        else:
            table.add_column(name, justify="left" if name == "" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(row[name] for name in columns))
    return table


def _gangs(gangs: Sequence[GangRow], now: float) -> RenderableType:
    from rich.table import Table

    from hvdsweep.store.stages import start_words

    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("gang", "sweep", "np"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("host", "state", "trains", "", "last heard"):
        table.add_column(name, no_wrap=name != "trains", overflow="fold")
    for gang in gangs:
        trains = progress = ""
        if gang.number is not None and gang.workload is not None:
            trains = (
                f"{visible(gang.workload)} batch size {gang.batch_size:,}, trial {trial_name(gang.number)}"
            )
            progress = bar(gang.steps or 0, gang.train_steps or 0)
        start = start_words(gang, now)
        if start is not None:
            trains = start
        heard = "" if gang.heartbeat is None else duration(max(now - gang.heartbeat, 0.0)) + " ago"
        table.add_row(
            str(gang.id),
            str(gang.sweep_id),
            str(gang.np),
            gang.host or "",
            gang.state,
            trains,
            progress,
            heard,
        )
    return table


def _events(events: Sequence[EventRow]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for event in events:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.time))
        table.add_row(Text(when, "dim"), Text(event.kind, "dim"), Text(event.message))
    return table


def bar(done: float, total: float, width: int = 12) -> str:
    """`━━━━━━      50 %`: a share as bar and number; empty if `total` is 0."""
    if not total:
        return ""
    share = min(done / total, 1.0)
    return f"{'━' * int(share * width):<{width}} {int(share * 100):3d} %"
