"""Pictures of every screen for the documentation, from a real store: `python -m tui.pictures DATABASE FOLDER`.

Each screen is drawn at 120 by 40 without a terminal and saved as SVG, once it has answered its questions.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from tui.app import HvdsweepApp
from tui.screens import offered
from tui.source import StoreSource

SIZE = (120, 40)
SETTLE_SECONDS = 2.5
"""Until tables are loaded and charts drawn."""


def stable(svg: str) -> str:
    """The picture with ids that do not change from run to run, and with the reader's own monospaced font, not one from afar."""
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return re.sub(r"terminal-\d+", "terminal-hvdsweep", svg)


async def picture(database: Path, place: str) -> str:
    """One screen as SVG."""
    app = HvdsweepApp(StoreSource(database).start(), place=place)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(SETTLE_SECONDS)
        await app.workers.wait_for_complete()
        await pilot.pause()
        return stable(app.export_screenshot(title="hvdsweep"))


async def pictures(database: Path, folder: Path) -> None:
    """Every screen there is, as `FOLDER/<screen>.svg`."""
    folder.mkdir(parents=True, exist_ok=True)
    for place in offered():
        target = folder / f"{place.name}.svg"
        target.write_text(await picture(database, place.name))
        print(target)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m tui.pictures DATABASE FOLDER")
    asyncio.run(pictures(Path(sys.argv[1]).absolute(), Path(sys.argv[2])))
