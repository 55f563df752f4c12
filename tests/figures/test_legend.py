"""A legend hides nothing: measured on the drawn figure, for curves of any shape."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Text

from hvdsweep.charts import Annotation, Axis, Chart, Series
from hvdsweep.figures.draw import _canvas, _style
from hvdsweep.figures.figure import Figure, Panel
from hvdsweep.figures.legend import BESIDE

SIZES = 2.0 ** np.arange(12)


def figure(shapes, names):
    """One panel per shape, a function of 0..1 giving steps as a share of the axis."""
    panels = []
    for shape in shapes:
        lines = [
            Series(name, SIZES, 10 ** (4 * np.array([shape(i, x) for x in np.linspace(0, 1, 12)])))
            for i, name in enumerate(names)
        ]
        panels.append(Panel(Chart(tuple(lines), x=Axis("log2"), y=Axis("log10"), title="A panel")))
    return Figure("test", "A figure", 2, tuple(panels))


def hidden(made):
    """How many points of lines (also between markers) lie under the legend of their panel, for each panel."""
    found = []
    with _style():
        canvas = _canvas(made)
        canvas.draw_without_rendering()
        for axes in canvas.axes:
            legend = axes.get_legend()
            if legend is None:  # an empty place of the grid
                continue
            box = legend.get_window_extent()
            count = 0
            for line in axes.get_lines():
                points = axes.transData.transform(np.column_stack(line.get_data()))
                ends = np.linspace(0, len(points) - 1, 400)
                dense = np.column_stack(
                    [np.interp(ends, np.arange(len(points)), points[:, k]) for k in (0, 1)]
                )
                count += int(sum(box.contains(*point) for point in dense))
            found.append(count)
    return found


SHAPES = {
    "falling": lambda i, x: 1 - 0.8 * x - 0.04 * i,
    "rising": lambda i, x: 0.1 + 0.8 * x - 0.04 * i,
    "a valley": lambda i, x: 4 * (x - 0.5) ** 2 - 0.04 * i,
    "a hill": lambda i, x: 1 - 4 * (x - 0.5) ** 2 - 0.04 * i,
    "all over": lambda i, x: (np.sin(40 * x + i) + 1) / 2,
}


@pytest.mark.parametrize("entries", [2, 4, BESIDE, BESIDE + 2])
def test_nothing_is_hidden(entries):
    """Neither with few entries nor with many, for any shape of the lines."""
    names = [f"Transformer Narrow and Shallow {i}" for i in range(entries)]
    assert hidden(figure(SHAPES.values(), names)) == [0] * len(SHAPES)


def test_the_usual_corner_where_it_is_free():
    """Curves of steps fall: their legends stand in the upper right corner, inside the panel."""
    with _style():
        canvas = _canvas(figure([SHAPES["falling"]], ["one", "two"]))
        canvas.draw_without_rendering()
        (axes,) = canvas.axes
        box, panel = axes.get_legend().get_window_extent(), axes.get_window_extent()
    assert box.x1 <= panel.x1
    assert box.x0 > (panel.x0 + panel.x1) / 2
    assert box.y0 > (panel.y0 + panel.y1) / 2


@pytest.mark.parametrize("shape", SHAPES)
def test_a_note_hides_no_line_where_there_is_room(shape):
    """The text beside the star of the maximum useful batch size lies on no line and inside the panel."""
    (panel,) = figure([SHAPES[shape]], ["one"]).panels
    y = float(panel.chart.series[0].y[9])
    chart = replace(panel.chart, annotations=(Annotation(SIZES[9], y, "max useful 512"),))
    with _style():
        canvas = _canvas(Figure("test", "A figure", 1, (Panel(chart),)))
        canvas.draw_without_rendering()
        (axes,) = canvas.axes
        (text,) = [child for child in axes.texts if child.get_text() == "max useful 512"]
        box, inside = Text.get_window_extent(text), axes.get_window_extent()
        points = axes.transData.transform(np.column_stack(axes.get_lines()[0].get_data()))
    ends = np.linspace(0, len(points) - 1, 400)
    dense = np.column_stack([np.interp(ends, np.arange(len(points)), points[:, k]) for k in (0, 1)])
    assert inside.x0 <= box.x0
    assert box.x1 <= inside.x1
    if shape != "all over":
        assert not any(box.contains(*point) for point in dense)
