"""The moving picture of the README: one SVG made of frames, which needs nothing but itself."""

from __future__ import annotations

import re
from pathlib import Path

from docs.moving_picture import moving

ROOT = Path(__file__).parents[2]


def frame(*texts: str) -> str:
    """What an exported screen is made of, as far as matters here."""
    cells = "".join(
        f'<text class="terminal-hvdsweep-r1" x="{n}">{text}</text>' for n, text in enumerate(texts)
    )
    return (
        '<svg viewBox="0 0 9 9"><style>.own { a: b } .terminal-hvdsweep-r1 { fill: #fff }</style><defs></defs><title/>'
        f'<g transform="translate(9, 41)" clip-path="url(#c)"><rect fill="#000" x="0"/>{cells}</g></svg>'
    )


def test_what_frames_share_is_drawn_once_and_the_rest_in_its_frames() -> None:
    """Three frames, the last one held three times as long: of each cell one element, with the times at which it shows.

    Where nothing moves, the last frame is seen alone.
    """
    svg = moving([frame("title", "one"), frame("title", "two"), frame("title", "one")], seconds=2.0)
    assert svg.count(">title<") == svg.count(">one<") == svg.count(">two<") == svg.count("<rect") == 1
    [one] = re.findall(r'<g class="(k\d+)"><text class="s0" x="1">one', svg)
    assert (
        f"@keyframes {one} {{ 0.000% {{ opacity: 1 }} 20.000% {{ opacity: 0 }} 40.000% {{ opacity: 1 }} }}"
        in svg
    )
    [two] = re.findall(r'<g class="(k\d+)"><text class="s0" x="1">two', svg)
    assert f".{one} {{ opacity: 1; animation: {one} 10.0s" in svg
    assert f".{two} {{ opacity: 0; animation: {two} 10.0s" in svg
    assert not re.search(r'<g class="k\d+"><text[^>]*>title', svg)


def test_the_picture_of_the_readme_stands_alone() -> None:
    """It is the first picture of the README, below 1 MB, moves, runs no script and fetches nothing."""
    [first, *_] = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    svg = (ROOT / first).read_text()
    assert len(svg.encode()) < 1_000_000
    assert "@keyframes" in svg
    assert "<script" not in svg
    assert not re.search(r"""(href|src|url)\s*[=(]\s*["']?http""", svg)
