"""How soon the terminal interface is there, and how smoothly its table of trials scrolls.

    python benchmarks/tui_start.py [--json FILE] [--database FILE] [--trials 168160] [--rows 3000000] [--repeat 7]

On a store of 168,160 trials (made once, or given): seconds from `exec` of `hvdsweep tui` in a terminal of 120x40 until the Sweeps
screen with its data has been written, in wall and processor time, beside a Textual app of three widgets and the bare import of
Textual: what no program on Textual can go below. Then, on the Live screen, the time of one frame while the table of trials is
scrolled page by page through all trials.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import sys
import termios
import time
from pathlib import Path

from benchmarks.telling import add_store_options, given_store, parser_of, tell

SIZE = (120, 40)

SMALLEST = """
from textual.app import App
from textual.widgets import DataTable, Footer, Static
class Smallest(App):
    def compose(self):
        yield Static("READY")
        yield DataTable()
        yield Footer()
Smallest().run()
"""


def painted(command: list[str], needle: bytes) -> tuple[float, float]:
    """(wall, processor) seconds from exec until `needle` has been written to the terminal."""
    began = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", SIZE[1], SIZE[0], 0, 0))
    seen = b""
    try:
        while needle not in seen:
            if not select.select([terminal], [], [], 30.0)[0]:
                raise SystemExit(f"{command}: nothing came:\n{seen.decode(errors='replace')}")
            seen += os.read(terminal, 65536)
        wall = time.perf_counter() - began
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
    return wall, sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


async def scrolled(database: Path, pages: int) -> list[float]:
    """Seconds of processor time of each frame, from a key that turns a page to the lines of the whole screen."""
    from tui.app import HvdsweepApp
    from tui.source import StoreSource
    from tui.start import hold_still, tidy_up
    from tui.widgets.table import Table

    app = HvdsweepApp(StoreSource(database).start(), place="live", after_load=hold_still, when_still=tidy_up)
    taken = []
    async with app.run_test(size=SIZE) as pilot:
        table = app.screen.query_one("#trials", Table)
        while not table.total:
            await pilot.pause(0.05)
        table.focus()
        await app.workers.wait_for_complete()
        for turn in range(pages):
            if turn % 10 == 9:
                # Far away, where no page is known yet.
                table.cursor = (turn * 7919) % table.total
                await app.workers.wait_for_complete()
                await pilot.pause()
            began = time.thread_time()
            table.action_page(1)
            app.screen._compositor.render_strips()
            taken.append(time.thread_time() - began)
            await pilot.pause()
    return taken


def main() -> None:
    """The command line."""
    parser = parser_of(__doc__)
    add_store_options(parser)
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    program = str(Path(sys.executable).with_name("hvdsweep"))
    with given_store(options) as database:
        figures: dict[str, float] = {}
        for name, command, needle in (
            ("first paint", [program, "tui", "--db", str(database)], b"generated_0"),
            ("first paint, smallest Textual app", [sys.executable, "-c", SMALLEST], b"READY"),
        ):
            runs = [painted(command, needle) for _ in range(options.repeat)]
            figures[f"{name}, s"] = statistics.median(wall for wall, _ in runs)
            figures[f"{name}, s of processor time"] = statistics.median(used for _, used in runs)
        os.environ["TEXTUAL_ANIMATIONS"] = "none"
        frames = asyncio.run(scrolled(database, 200))
        figures["scrolling the trials, median ms a frame"] = 1e3 * statistics.median(frames)
        figures["scrolling the trials, longest ms a frame"] = 1e3 * max(frames)
    tell(figures, options.json)


if __name__ == "__main__":
    main()
