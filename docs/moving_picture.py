"""The moving picture of the README, from a real run: `python -m docs.moving_picture FILE.svg` trains the demo and films it.

The interface runs without a terminal on a database that does not exist yet; `D` trains the demo there. The frames become one SVG
that needs no script: what several frames share is drawn once, and CSS shows each part in its frames.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from textual.pilot import Pilot

from docs.pictures import stable
from tui.app import HvdsweepApp
from tui.source import StoreSource

SIZE = (104, 30)
FRAMES = 9
"""Of the training, evenly spaced."""
SHOT_SECONDS = 1.0
FRAME_SECONDS = 1.1
AFTERWARDS = (("right_square_bracket",) * 3, ("right_square_bracket",) * 3, ("r", "5"), ("1",))
"""Keys before each further frame: higher goals, the sweep's own goal again, other screens."""
MOST_SECONDS = 900.0

_RULE = re.compile(r"\.(terminal-hvdsweep-r\d+) \{ (.*?) \}")
_MATRIX = '<g transform="translate(9, 41)"'
"""Where the cells of the terminal begin, after its window."""
_PART = re.compile(r"<(?:rect fill=[^>]*/>|text class=.*?</text>)", re.DOTALL)


async def film() -> list[str]:
    """The frames as SVG. RuntimeError where the demo has not ended after MOST_SECONDS."""
    with tempfile.TemporaryDirectory() as folder:
        app = HvdsweepApp(StoreSource(Path(folder) / "demo.db").start(), place="scaling")
        async with app.run_test(size=SIZE) as pilot:
            await pilot.pause(SHOT_SECONDS)
            await pilot.press("D")
            await _settle(pilot)
            # What waits for `hvdsweep demo` and tells the interface of its end.
            [demo] = [thread for thread in threading.enumerate() if thread.name == "launch"]
            shots = [shot(app)]
            while demo.is_alive():
                await pilot.pause(SHOT_SECONDS)
                if getattr(app.screen, "PLACE", "") != "scaling":
                    await pilot.press("4")
                if (now := shot(app)) != shots[-1]:
                    shots.append(now)
                if len(shots) * SHOT_SECONDS > MOST_SECONDS:
                    raise RuntimeError("the demo did not end")
            await _settle(pilot)
            shots.append(shot(app))
            # Nothing is to be seen while ranks start, nor while a curve is read.
            shots = [shots[0], *(now for now in shots[1:] if "digits/fc_128" in now)]
            step = (len(shots) - 1) / (FRAMES - 1)
            frames = [shots[round(number * step)] for number in range(FRAMES)]
            for keys in AFTERWARDS:
                await pilot.press(*keys)
                await _settle(pilot)
                frames.append(shot(app))
            return frames


def shot(app: HvdsweepApp) -> str:
    return stable(app.export_screenshot(title="hvdsweep tui"))


async def _settle(pilot: Pilot[None]) -> None:
    await pilot.pause(2.0)
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def moving(frames: Sequence[str], seconds: float = FRAME_SECONDS, still: int = -1) -> str:
    """One SVG that shows the frames one after the other, the last one three times as long, again and again.

    Where nothing moves (a viewer without CSS animations, or a user who wants none) it shows the frame `still`.
    """
    styles: dict[str, str] = {}
    seen: dict[str, list[int]] = {}
    for number, frame in enumerate(frames):
        for part in _parts(frame, styles):
            if number not in seen.setdefault(part, []):
                seen[part].append(number)
    times = [*range(len(frames)), len(frames) + 2]
    groups: dict[tuple[int, ...], list[str]] = {}
    for part, shown in seen.items():
        groups.setdefault(tuple(shown), []).append(part)
    css = [f".{name} {{ {rule} }}" for rule, name in styles.items()]
    css.append("@media (prefers-reduced-motion) { g { animation: none !important } }")
    body = {"rect": "", "text": ""}
    for index, (numbers, parts) in enumerate(groups.items()):
        always = len(numbers) == len(frames)
        if not always:
            marks = [
                f"{100 * times[n] / times[-1]:.3f}% {{ opacity: {int(n in numbers)} }}"
                for n in range(len(frames))
            ]
            css.append(f"@keyframes k{index} {{ {' '.join(marks)} }}")
            rest = int(range(len(frames))[still] in numbers)
            css.append(
                f".k{index} {{ opacity: {rest}; animation: k{index} {seconds * times[-1]:.1f}s step-end infinite }}"
            )
        for kind in body:
            mine = "".join(part for part in parts if part.startswith(f"<{kind}"))
            if mine:
                body[kind] += mine if always else f'<g class="k{index}">{mine}</g>'
    frame = frames[0]
    head = frame[: frame.index("<style>")]
    own = re.sub(
        r"\.terminal-hvdsweep-r\d+ \{.*?\}\s*",
        "",
        frame[frame.index("<style>") + 7 : frame.index("</style>")],
    )
    chrome = frame[frame.index("</defs>") + 7 : frame.index(_MATRIX)]
    opening = frame[frame.index(_MATRIX) :].split(">", 1)[0]
    opening = re.sub(r' clip-path="[^"]*"', "", opening)
    return (
        f"{head}<style>{own}{' '.join(css)}</style>{chrome}{opening}>{body['rect']}"
        f'<g class="terminal-hvdsweep-matrix">{body["text"]}</g></g></svg>\n'
    )


def _parts(frame: str, styles: dict[str, str]) -> list[str]:
    """The cells of a frame, their style by a name that all frames share: `styles` has rule -> name."""
    rules = dict(_RULE.findall(frame))

    def named(match: re.Match[str]) -> str:
        return f'class="{styles.setdefault(rules.get(match[1], ""), f"s{len(styles)}")}"'

    found = _PART.findall(frame[frame.index(_MATRIX) :])
    return [re.sub(r' clip-path="[^"]*"', "", re.sub(r'class="([^"]+)"', named, part)) for part in found]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m docs.moving_picture FILE.svg")
    Path(sys.argv[1]).write_text(moving(asyncio.run(film()), still=FRAMES - 1), encoding="utf-8")
