"""The forms of one drawing agree: legend, text, runs, colours, cursor, CSV; and it is drawn only once."""

import csv
import io
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from hvdsweep.charts import (
    DARK,
    LIGHT,
    MONO,
    TERMINAL,
    Axis,
    Chart,
    Reference,
    Series,
    View,
    chart_csv,
    frame_of,
    render,
    style_of,
)
from hvdsweep.charts.canvas import cells_of
from hvdsweep.charts.layout import legend_entries
from hvdsweep.charts.lines import reference_dots
from hvdsweep.charts.palette import SLOTS, marker_of, slots

from .drawn import bare, charts, plot, tame


@given(st.lists(st.text(max_size=8), max_size=30, unique=True), st.text(max_size=8))
def test_looks_are_stable_by_name_and_differ(names, another):
    """Appending a series changes no other's look; no two have one marker, and eight differ in colour too."""
    found = slots(names)
    assert {name: slot for name, slot in slots([*names, another]).items() if name in found} == found
    for ascii in (False, True):
        assert len({marker_of(slot, ascii=ascii) for slot in found.values()}) == len(names)
    assert len({slot % SLOTS for slot in found.values()}) == min(len(names), SLOTS)


def test_a_hidden_series_keeps_its_look_and_leaves_the_window():
    """Hiding the first series changes neither look of the second; the axes follow what is visible."""
    a, b = Series("a", [0.0, 1000.0], [0.0, 9.0]), Series("b", [0.0, 1.0], [0.0, 1.0])
    hidden = Series("a", a.x, a.y, visible=False)
    shown, less = render(Chart((a, b)), 80, 24), render(Chart((hidden, b)), 80, 24)
    entries = [entry for entry in less.legend if entry[0] == "b"]
    assert [name for name, *_ in less.legend] == ["a", "b"]
    assert entries == [entry for entry in shown.legend if entry[0] == "b"]
    assert less.frame.x_limits == frame_of(Chart((b,)), 80, 24).x_limits
    marker = marker_of(slots(["a", "b"])["b"])
    assert (plot(less) == marker).sum() == 2


def test_the_legend_names_every_series_and_is_clickable():
    """Each entry's cells answer with its series; others with None; shortened names still answer in full."""
    names = [f"workload number {n}/sgd with momentum" for n in range(4)]
    chart = Chart(tuple(Series(name, [1.0, 2.0], [1.0, n]) for n, name in enumerate(names)))
    for width, height in [(160, 40), (60, 12)]:
        canvas = render(chart, width, height)
        assert {name for name, *_ in canvas.legend} <= set(names)
        for name, row, start, end in canvas.legend:
            assert canvas.legend_at(start, row) == canvas.legend_at(end - 1, row) == name
            assert canvas.legend_at(end, row) is None
    assert len(render(chart, 160, 40).legend) == 4


def test_legend_entries_without_room_are_counted():
    """Twelve long names on 40 columns: as many as fit, and the number of the others."""
    chart = Chart(tuple(Series(f"workload {n}", [1.0, 2.0], [1.0, n]) for n in range(12)))
    canvas = render(chart, 40, 10)
    shown = len(canvas.legend)
    assert 0 < shown < 12
    assert f"+{12 - shown} more" in canvas.plain()


def test_names_shortened_by_their_ends_where_their_beginnings_agree():
    """Shortened names still differ."""
    chart = Chart(
        tuple(Series(f"a_long_common_beginning/{end}", [1.0], [1.0]) for end in ("sgd", "adam", "lars"))
    )
    plain = render(chart, 40, 10).plain()
    assert all(end in plain for end in ("sgd", "adam", "lars"))
    both = ("× diverged", "goal not reached", "goal reached", "fewest steps")
    plain = render(Chart(tuple(Series(name, [1.0], [1.0]) for name in both)), 40, 10).plain()
    assert "…not…" in plain
    assert "…rea…" in plain


@given(
    st.lists(st.text("abcdefgh/_", min_size=1, max_size=30), min_size=2, max_size=14, unique=True),
    st.integers(16, 200),
    st.integers(8, 40),
)
def test_names_in_the_legend_are_as_long_as_they_can_be(names, width, height):
    """Against trying every length: written plainly line by line, labels one cell longer would not fit."""
    most = 1 if height < 18 else 2 if height < 32 else 3

    def lines_of(widths: list[int]) -> int:
        lines, used = 1, -3
        for cells in widths:
            used += 3 + cells
            if used > width and used > cells:
                lines, used = lines + 1, cells
        return lines

    def widths_at(share: int) -> list[int]:
        # Shortened, an entry is one character, a blank and its label.
        return [2 + min(len(name), share) for name in names]

    chart = Chart(tuple(Series(name, [1.0, 2.0], [1.0, 2.0]) for name in names))
    legend = render(chart, width, height).legend
    if lines_of([4 + len(name) for name in names]) <= most:
        assert [end - start for _, _, start, end in legend] == [4 + len(name) for name in names]
        return
    shares = [share for share in range(6, max(map(len, names)) + 1) if lines_of(widths_at(share)) <= most]
    if shares:
        assert [end - start for _, _, start, end in legend] == widths_at(max(shares))
    else:
        assert all(end - start <= 2 + 5 for _, _, start, end in legend)


@given(charts(tame), st.integers(1, 90), st.integers(1, 30), st.booleans())
def test_runs_text_and_plain_say_the_same(chart, width, height, color):
    """Three forms of one drawing; every style key resolves in every theme."""
    canvas = render(chart, width, height, color=color)
    rows = ["".join(text for text, _ in canvas.runs(row)) for row in range(canvas.height)]
    assert [row.rstrip() for row in rows] == canvas.plain().split("\n")
    assert canvas.text().plain == "\n".join(rows)
    for theme in (TERMINAL, DARK, LIGHT, MONO):
        for row in range(canvas.height):
            for _, key in canvas.runs(row):
                Style.parse(style_of(key, theme))


@pytest.mark.parametrize("theme", [TERMINAL, DARK, LIGHT, MONO])
def test_themes_know_every_key_and_mono_no_colour(theme):
    """The four themes style the same keys; MONO uses attributes only."""
    assert set(theme) == set(TERMINAL)
    if theme is MONO:
        assert all(Style.parse(style).color is None for style in theme.values())


def test_an_unchanged_chart_is_drawn_once():
    """The same arguments give the very same canvas; another size, window or charset another; old ones are dropped."""
    chart = bare(Series("a", [1.0, 2.0], [3.0, 4.0]))
    first = render(chart, 80, 24)
    assert render(chart, 80, 24) is first
    assert render(chart, 80, 24, View(x=(0.0, 9.0))) is not first
    assert render(chart, 80, 24, ascii=True) is not first
    for width in range(40, 60):
        render(chart, width, 24)
    assert render(chart, 80, 24) is not first
    assert len(chart.drawn) <= 4


def test_charts_that_show_the_same_are_equal():
    """Equality compares content, NaN included, so that a widget can detect that nothing changed."""

    def make(last):
        return bare(Series("a", [1.0, 2.0], [math.nan, last], censored=[False, True]))

    assert make(4.0) == make(4.0)
    assert hash(make(4.0)) == hash(make(4.0))
    assert make(4.0) != make(5.0)
    assert make(4.0) != bare(Series("a", [1.0, 2.0], [math.nan, 4.0]))


def test_series_and_charts_can_be_changed_into_others():
    """`dataclasses.replace` hides a series or changes an axis, and the new chart is drawn again."""
    one = Series("a", [1.0, 2.0], [3.0, 4.0])
    chart = bare(one)
    first = render(chart, 60, 20)
    turned = replace(chart, y=Axis("log10"))
    assert turned != chart
    assert render(turned, 60, 20) is not first
    hidden = replace(one, visible=False)
    assert (hidden.name, hidden.visible, one.visible) == ("a", False, True)
    assert "no data yet" in render(replace(chart, series=(hidden,)), 60, 20).plain()


def test_series_refuse_shapes_that_do_not_match():
    """Lengths and dimensions are checked when a series is made."""
    with pytest.raises(ValueError, match="y: shape"):
        Series("a", [1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="x: shape"):
        Series("a", [[1.0]], [[1.0]])
    with pytest.raises(ValueError, match="y_low: shape"):
        Series("a", [1.0], [1.0], y_low=[1.0, 2.0])


def test_the_cursor_marks_a_cell_and_leaves_the_drawing_as_it_was():
    """The data cell and its places on both axes are styled; no character of the data changes; the original stays."""
    canvas = render(bare(Series("a", [1.0, 2.0, 3.0], [1.0, 2.0, 3.0])), 60, 20)
    before = canvas.plain()
    column, row = canvas.frame.cell(2.0, 2.0)
    marked = canvas.with_cursor(column, row)
    keys = np.array(marked.keys, object)[marked.ink]
    frame = canvas.frame
    assert keys[row, column] == keys[frame.top + frame.rows, column] == keys[row, frame.left - 1] == "cursor"
    inked = canvas.chars != " "
    assert (marked.chars[inked] == canvas.chars[inked]).all()
    assert canvas.plain() == before
    assert canvas.with_cursor(0, 0) is canvas


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("loss", 4),
        ("学习率", 6),
        ("e\u0301", 1),
        ("a\x1b[31m\u200bb", 6),
        ("≤ 0.05", 6),
        ("\ttab", 4),
        ("☰\u1160\u2028x", 4),
    ],
)
def test_text_takes_the_cells_a_terminal_gives_it(text, cells):
    """Wide characters two, combining and control characters none."""
    found = cells_of(text)
    assert len(found) == cells
    assert cell_len("".join(found)) == cells
    assert "".join(cells_of(text, ascii=True)).isascii()


def test_text_takes_the_cells_that_rich_counts():
    """Every character of Unicode, so that what is drawn and what Textual measures never part ways."""
    for code in [*range(0x20, 0xD800), *range(0xE000, 0x20000), 0x20000, 0xE0001, 0x10FFFF]:
        cells = cells_of(chr(code))
        assert cell_len("".join(cells)) == len(cells)


def test_csv_keeps_every_digit_and_every_visible_point():
    """Reading it back gives the arrays, gaps included; hidden series are left out."""
    rng = np.random.default_rng(1)
    y = np.append(rng.lognormal(size=20), [math.nan, math.inf])
    one = Series("a, b", np.arange(22.0), y, y_low=y / 2, y_high=y * 2, censored=y > 1)
    rows = list(
        csv.DictReader(
            io.StringIO(chart_csv(Chart((one, Series("c", [1], [2]), Series("d", [1], [2], visible=False)))))
        )
    )
    assert [row["series"] for row in rows] == ["a, b"] * 22 + ["c"]
    for name, values in (("x", one.x), ("y", y), ("y_low", y / 2), ("y_high", y * 2)):
        assert np.array_equal([float(row[name]) for row in rows[:22]], values, equal_nan=True)
    assert [row["censored"] == "1" for row in rows[:22]] == (y > 1).tolist()
    assert rows[22]["y_low"] == rows[22]["censored"] == ""


def test_drawing_needs_numpy_and_nothing_heavier():
    """Importing, rendering and printing plain text loads neither rich nor textual nor any plotting or data package."""
    program = (
        "import sys; from hvdsweep.charts import *; render(Chart((Series('a', [1, 2], [3, 4]),)), 80, 24).plain();"
        "print(sorted({'rich', 'textual', 'matplotlib', 'pandas', 'scipy', 'tensorflow', 'pydantic'} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


@pytest.mark.parametrize("ascii", [False, True])
def test_no_two_lines_of_a_legend_share_a_glyph(ascii):
    """Twelve series and six dashed lines: each sample is there once; lines without a name are drawn like the one before them."""
    series = tuple(Series(f"series {n}", [1.0, 2.0], [1.0, n + 1.0]) for n in range(12))
    lines = [Reference(f"line {n}", points=((1.0, n), (2.0, n + 1.0))) for n in range(6)]
    chart = Chart(series, references=(*lines, Reference("", points=((1.0, 3.0), (2.0, 3.0)))))
    glyphs = [entry.glyph for entry in legend_entries(chart, ascii=ascii)]
    assert len(glyphs) == len(set(glyphs)) == 18
    assert chart.dashes == (0, 1, 2, 3, 4, 5, 5)
    frame = frame_of(chart, 100, 30)
    drawn = [reference_dots(line, frame, pattern).sum() for pattern, line in enumerate(lines[:4])]
    assert len(set(drawn)) == 4


def test_error_bars_have_a_word_where_there_are_any():
    """In the legend; not where no bar is drawn."""
    bars = Series("a", [1.0, 2.0], [1.0, 2.0], y_low=[0.5, math.nan], y_high=[2.0, math.nan])
    said = [entry.label for entry in legend_entries(Chart((bars,), bars="95 %"), ascii=False)]
    assert said == ["a", "95 %"]
    bare = Series("a", [1.0, 2.0], [1.0, 2.0], y_low=[math.nan] * 2, y_high=[math.nan] * 2)
    assert legend_entries(Chart((bare,), bars="95 %"), ascii=False) == ()
