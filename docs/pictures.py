"""Pictures of the screens for the documentation, from a real store: `python -m docs.pictures DATABASE FOLDER [SCREEN]...`.

Each screen (without names: every one) is drawn at 120 by 40 without a terminal and saved as SVG, once it has answered its
questions. Compose shows the newest sweep of the store. That of Live is best taken while a sweep is trained.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tui.app import HvdsweepApp
from tui.composing.start import stored
from tui.screens import PLACES
from tui.screens.compose import ComposeScreen
from tui.source import StoreSource

SIZE = (120, 40)
SETTLE_SECONDS = 2.5
"""Until tables are loaded and charts drawn."""


def stable(svg: str) -> str:
    """The picture with ids that do not change from run to run, and with the user's own monospaced font, not one from afar."""
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return re.sub(r"terminal-\d+", "terminal-hvdsweep", svg)


async def picture(database: Path, place: str) -> str:
    """One screen as SVG."""
    app = HvdsweepApp(StoreSource(database).start(), place=place)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(SETTLE_SECONDS)
        if isinstance(app.screen, ComposeScreen) and app.snapshot is not None and app.snapshot.sweeps:
            app.screen.questions.ask(
                app.screen.session.answer_start, None, partial(stored, app.snapshot.sweeps[-1].id)
            )
            await pilot.pause(SETTLE_SECONDS)
        await app.workers.wait_for_complete()
        await pilot.pause()
        return stable(app.export_screenshot(title="hvdsweep"))


async def pictures(database: Path, folder: Path, names: Sequence[str] = ()) -> None:
    """The screens of these names, or every one there is, as `FOLDER/<screen>.svg`."""
    folder.mkdir(parents=True, exist_ok=True)
    for place in [place for place in PLACES if not names or place.name in names]:
        target = folder / f"{place.name}.svg"
        target.write_text(await picture(database, place.name))
        print(target)


if __name__ == "__main__":
    if len(sys.argv) < 3 or not {*sys.argv[3:]} <= {place.name for place in PLACES}:
        sys.exit(
            f"usage: python -m docs.pictures DATABASE FOLDER [{'|'.join(place.name for place in PLACES)}]..."
        )
    asyncio.run(pictures(Path(sys.argv[1]).absolute(), Path(sys.argv[2]), sys.argv[3:]))
