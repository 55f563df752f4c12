"""The words of a chart: titles, legend, notes at points and along lines; shortened to fit, never over data."""

from __future__ import annotations

from hvdsweep.charts.canvas import Pen, cells_of, width_of
from hvdsweep.charts.chart import Chart
from hvdsweep.charts.frame import Frame
from hvdsweep.charts.layout import ChartLayout
from hvdsweep.charts.marks import Annotation, Reference


def draw_words(pen: Pen, chart: Chart, layout: ChartLayout) -> tuple[tuple[str, int, int, int], ...]:
    """Titles and legend; the legend's clickable places."""
    frame = layout.frame
    if layout.title is not None:
        _put_shortened(pen, layout.title, chart.title, "title")
    if layout.subtitle is not None:
        _put_shortened(pen, layout.subtitle, chart.notes, "subtitle")
    if layout.y_title is not None:
        _put_shortened(pen, layout.y_title, chart.y.title, "axis_title")
    if layout.x_title is not None:
        draw_centred(pen, frame.left, frame.columns, layout.x_title, chart.x.title, "axis_title")
    places = []
    for column, row, entry in layout.legend:
        after = pen.put(column, row, entry.glyph, entry.style if entry.visible else "legend_off")
        after = pen.put(after + 1, row, entry.label, "legend" if entry.visible else "legend_off")
        if entry.name:
            places.append((entry.name, row, column, after))
    if layout.left_out is not None:
        pen.put(*layout.left_out, "subtitle")
    return tuple(places)


def draw_annotation(pen: Pen, frame: Frame, note: Annotation) -> None:
    """A note beside its point, or as near as there is room."""
    cell = frame.cell(note.x, note.y)
    if cell is None:
        return
    column, row = cell
    if note.marker:
        pen.put(column, row, note.marker[:1], note.color)
    size = width_of(note.text, ascii=pen.ascii)
    beside = [(column + 2, row), (column - 1 - size, row)]
    around = [
        (start, row + rise)
        for rise in (-1, 1, -2, 2, -3, 3, -4, 4, -5, 5)
        for start in (column + 2, column - size // 2, column - 1 - size)
    ]
    _put_where_free(pen, frame, note.text, note.color, [*beside, *around])


def label_reference(pen: Pen, frame: Frame, line: Reference) -> None:
    """The words of a horizontal or vertical line, along it."""
    size = width_of(line.label, ascii=pen.ascii)
    x_middle, y_middle = frame.data(frame.left + frame.columns // 2, frame.top + frame.rows // 2)
    if line.horizontal is not None:
        cell = frame.cell(x_middle, line.horizontal)
        if cell is not None:
            edges = (frame.left + frame.columns - size - 1, frame.left + 1)
            starts = [(edge, cell[1] + rise) for rise in (-1, 1) for edge in edges]
            _put_where_free(pen, frame, line.label, line.color, starts)
    elif line.vertical is not None:
        cell = frame.cell(line.vertical, y_middle)
        if cell is not None:
            rows = [*range(frame.top, frame.top + frame.rows)]
            starts = [(start, row) for row in rows for start in (cell[0] + 2, cell[0] - 1 - size)]
            _put_where_free(pen, frame, line.label, line.color, starts)


def _put_where_free(pen: Pen, frame: Frame, text: str, style: str, starts: list[tuple[int, int]]) -> None:
    """Writes text at the first start where it covers nothing; not at all where it would cover data everywhere."""
    size = width_of(text, ascii=pen.ascii)
    for start, row in starts:
        inside = frame.contains(start, row) and frame.contains(start + size - 1, row)
        if size and inside and pen.free(row, max(start - 1, frame.left), start + size + 1):
            pen.put(start, row, text, style)
            return


def draw_centred(pen: Pen, start: int, width: int, row: int, text: str, style: str) -> None:
    """Text in the middle of some cells, shortened to fit; left out where too little of it would remain."""
    cells = cells_of(text, ascii=pen.ascii)
    if len(cells) > width:
        if width < 4:
            return
        text = "".join(cells[: width - 1]) + "…"
    size = width_of(text, ascii=pen.ascii)
    pen.put(start + (width - size) // 2, row, text, style)


def fitting(pen: Pen, text: str, width: int) -> str:
    """The text where it fits so many cells, else its first word where that does, else nothing: half a word tells less."""
    words = (text, text.partition(" ")[0])
    return next((said for said in words if width_of(said, ascii=pen.ascii) <= width), "")


def _put_shortened(pen: Pen, row: int, text: str, style: str) -> None:
    cells = cells_of(text, ascii=pen.ascii)
    pen.put(0, row, text if len(cells) <= pen.width else "".join(cells[: pen.width - 1]) + "…", style)
