"""Measured speeds in the words and rows of the Throughput screen. Knows no widgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from tui.widgets.columns import Column
from tui.words import clock, count, plural, short

if TYPE_CHECKING:
    from hvdsweep.curves.speeds import MeasuredSpeed


def _efficiency(speed: MeasuredSpeed) -> Content:
    if speed.efficiency is None:
        return Content.styled("base", "$foreground-muted")
    colour = "$success" if speed.efficiency >= 0.8 else "$warning" if speed.efficiency >= 0.5 else "$error"
    return Content.styled(f"{100 * speed.efficiency:.0f} %", colour)


def _source(speed: MeasuredSpeed) -> Content:
    on_purpose = speed.source == "scale"
    words, style = ("on purpose", "$foreground") if on_purpose else ("in trials", "$foreground-muted")
    return Content.styled(words, style)


SPEEDS: tuple[Column[MeasuredSpeed], ...] = (
    Column("batch", 7, lambda speed: count(speed.batch_size), right=True, fixed=True),
    Column("ranks", 5, lambda speed: count(speed.np), right=True, fixed=True),
    Column(
        "examples/s",
        10,
        lambda speed: Content.styled(short(speed.examples_per_second), "bold"),
        right=True,
        fixed=True,
    ),
    Column("efficiency", 10, _efficiency, right=True, fixed=True),
    Column("times", 6, lambda speed: "" if speed.times is None else f"×{speed.times:.2f}", right=True),
    Column("steps/s", 8, lambda speed: short(speed.steps_per_second), right=True),
    Column("measured", 10, _source),
    Column("when", 16, lambda speed: clock(speed.time, day=True)),
)
"""Of a speed and how it was measured."""


def speed_words(speed: MeasuredSpeed) -> str:
    words = [
        f"batch size {count(speed.batch_size)} on {plural(speed.np, 'rank')}: "
        f"{short(speed.examples_per_second)} examples/s",
        f"{short(speed.steps_per_second)} steps/s",
    ]
    if speed.times is not None and speed.efficiency is not None:
        words.append(
            f"×{speed.times:.2f} of {plural(speed.base, 'rank')}, {100 * speed.efficiency:.0f} % efficient"
        )
    return " · ".join(words)


def widest(mine: Sequence[MeasuredSpeed]) -> str:
    """The row of the batch size that was measured on the most numbers of ranks, the largest of such."""
    ranks: dict[int, list[int]] = {}
    for speed in mine:
        ranks.setdefault(speed.batch_size, []).append(speed.np)
    size = max(ranks, key=lambda size: (len(ranks[size]), size))
    return row_key(size, min(ranks[size]))


def row_key(batch_size: int, np: int) -> str:
    return f"{batch_size} {np}"


def facts_of(mine: Sequence[MeasuredSpeed]) -> Content:
    lines: list[Content] = []

    def fact(name: str, value: str, more: str) -> None:
        lines.append(
            Content.assemble(
                (f"{name:<12}", "$foreground-muted"), (value, "bold"), (f"  {more}", "$foreground-muted")
            )
        )

    fastest = max(mine, key=lambda speed: speed.examples_per_second)
    where = f"B={count(fastest.batch_size)} on {plural(fastest.np, 'rank')}"
    fact("fastest", f"{short(fastest.examples_per_second)}/s", where)
    shared = [speed for speed in mine if speed.efficiency is not None]
    if shared:
        best = max(shared, key=lambda speed: speed.efficiency or 0.0)
        where = f"at best: B={count(best.batch_size)} on {plural(best.np, 'rank')}"
        fact("efficiency", f"{100 * (best.efficiency or 0.0):.0f} %", where)
    else:
        fact("efficiency", "not known", "needs two numbers of ranks (c)")
    hosts = sorted({speed.host for speed in mine if speed.host})
    if hosts:
        fact("measured on", ", ".join(hosts), "")
    return Content("\n").join(lines)
