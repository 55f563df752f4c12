"""How fast the Scaling screen follows: from a key that moves the goal to a screen that is drawn anew.

    python benchmarks/tui_charts.py [--json FILE] [--database FILE] [--trials 168160] [--rows 3000000] [--repeat 30]

On a store of 35 workloads (made once, or given): the goal moved with one workload in the chart, with eight and with all 35,
each at a goal never asked before, in a terminal of 120x40; every table cached, as after the first look. For each the whole
way through Textual's messages to the compositor, in wall time and (on a machine that does other things) processor time,
and the part of it that computes and draws. Beside them the same question
to pandas over the loaded records of the same workload: the least that a viewer which keeps data frames would have to do.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.telling import add_store_options, given_store, parser_of, tell

os.environ["TEXTUAL_ANIMATIONS"] = "none"

SIZE = (120, 40)
TOGETHER = (1, 8, 35)


async def measure(database: Path, repeat: int) -> dict[str, float]:
    """All figures."""
    from tui.app import HvdsweepApp
    from tui.source import StoreSource
    from tui.start import hold_still, tidy_up

    figures: dict[str, float] = {}
    app = HvdsweepApp(
        StoreSource(database).start(), place="scaling", after_load=hold_still, when_still=tidy_up
    )
    async with app.run_test(size=SIZE) as pilot:
        while app.snapshot is None:
            await pilot.pause(0.05)
        screen: Any = app.screen
        ids = [row.id for row in screen.listed()]
        for count in [count for count in TOGETHER if count <= len(ids)]:
            screen.current = ids[0]
            screen.kept = set(ids[:count])
            screen.read_tables()
            while not all(screen.cache.has(one) for one in ids[:count]):
                await pilot.pause(0.05)
            await _settled(pilot)
            wholes, parts, busy = [], [], []
            plain = screen.redraw

            def timed(plain: Any = plain, parts: list[float] = parts) -> None:
                began = time.perf_counter()
                plain()
                parts.append(time.perf_counter() - began)

            screen.redraw = timed
            view, slider, goal = screen.chart, screen.query_one("#goal"), screen.goal(screen.row(ids[0]))
            for turn in range(repeat):
                before = view.chart
                began, spent = time.perf_counter(), time.process_time()
                moved = goal * (0.9 + 0.37 * (turn + 1) / repeat)
                slider.post_message(slider.Moved(slider, moved))
                while view.chart is before:
                    await asyncio.sleep(0)
                screen._compositor.render_strips()
                wholes.append(time.perf_counter() - began)
                busy.append(time.process_time() - spent)
                await _settled(pilot)
            screen.redraw = plain
            name = f"{count} workload{'s' if count > 1 else ''}"
            figures[f"goal moved, {name}: median ms"] = 1e3 * statistics.median(wholes)
            figures[f"goal moved, {name}: largest ms"] = 1e3 * max(wholes)
            figures[f"goal moved, {name}: processor time, median ms"] = 1e3 * statistics.median(busy)
            figures[f"goal moved, {name}: of it computing and laying out, median ms"] = (
                1e3 * statistics.median(parts)
            )
        table = screen.cache.table(ids[0])
        figures["trials of one workload"] = float(len(table.study))
        figures["records of one workload"] = float(len(table.record_step))
    figures["pandas, steps to result of one workload: median ms"] = 1e3 * _pandas(table, repeat)
    return figures


async def _settled(pilot: Any) -> None:
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def _pandas(table: Any, repeat: int) -> float:
    """Seconds for the first step below a goal of every batch size, from a frame of the same records."""
    import pandas as pd

    frame = pd.DataFrame(
        {
            "batch_size": table.batch_sizes[table.study[table.record_trial]],
            "trial": table.record_trial,
            "step": table.record_step,
            "value": table.record_value,
        }
    )
    taken = []
    for turn in range(repeat):
        goal = table.goal * (0.9 + 0.37 * (turn + 1) / repeat)
        began = time.perf_counter()
        reached = frame[frame.value < goal]
        reached.loc[reached.groupby("batch_size").step.idxmin()]
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main() -> None:
    """The command line."""
    parser = parser_of(__doc__)
    add_store_options(parser)
    parser.add_argument("--repeat", type=int, default=30)
    options = parser.parse_args()
    with given_store(options) as database:
        figures = asyncio.run(measure(database, options.repeat))
    tell(figures, options.json)


if __name__ == "__main__":
    main()
