"""One chart as files: what is seen as SVG and PNG, every point as CSV, never over an existing file."""

from __future__ import annotations

import pytest

from hvdsweep.charts import Annotation, Axis, Band, Chart, Reference, Series, View, chart_csv, frame_of
from hvdsweep.errors import UserError
from hvdsweep.figures.export import _seen, export_chart

CHART = Chart(
    series=(
        Series("one", [8, 16, 32], [100, 50, 40], y_low=[90, 45, 35], y_high=[120, float("inf"), 50]),
        Series("two", [8, 16, 32], [200, 90, 80], censored=[False, False, True]),
    ),
    x=Axis("log2", title="batch size"),
    y=Axis("log10", title="steps"),
    title="A chart",
    references=(Reference("perfect", points=((8, 100), (32, 25))), Reference("B_crit", vertical=20.0)),
    bands=(Band(None, 12, "near"), Band(12, None, "far")),
    annotations=(Annotation(16, 50, "useful"),),
)


def test_three_files_with_one_name(tmp_path):
    """A picture, a drawing with its words as text, and the numbers."""
    paths = export_chart(CHART, tmp_path / "sweep.v2-scaling")
    assert [path.name for path in paths] == [f"sweep.v2-scaling.{kind}" for kind in ("svg", "png", "csv")]
    svg, png, text = (path.read_bytes() for path in paths)
    assert png.startswith(b"\x89PNG")
    for word in ("A chart", "batch size", "one", "two", "perfect", "useful", "near"):
        assert word.encode() in svg
    assert text.decode() == chart_csv(CHART)


def test_nothing_is_overwritten(tmp_path):
    """The next number for all three where any of them is taken."""
    (tmp_path / "c.png").write_text("mine")
    names = {path.name for path in export_chart(CHART, tmp_path / "c")}
    assert names == {"c-2.svg", "c-2.png", "c-2.csv"}
    assert (tmp_path / "c.png").read_text() == "mine"
    assert {path.name for path in export_chart(CHART, tmp_path / "c")} == {"c-3.svg", "c-3.png", "c-3.csv"}
    assert len(list(tmp_path.iterdir())) == 7


def test_the_readers_window_is_the_pictures():
    """Limits of the axes are those of the view; a chart that follows its data is left as it is."""
    assert _seen(CHART, View()) is CHART
    view = View(x=(8.0, 16.0))
    seen = _seen(CHART, view)
    assert seen.x.limits == (8.0, 16.0)
    assert seen.y.limits == frame_of(CHART, 120, 40, view).y_limits
    assert seen.series == CHART.series


def test_the_same_chart_gives_the_same_bytes(tmp_path):
    """No date, no random ids."""
    one = export_chart(CHART, tmp_path / "a", formats=("svg",))[0].read_bytes()
    other = export_chart(CHART, tmp_path / "b", formats=("svg",))[0].read_bytes()
    assert one == other


def test_no_place_to_write_to(tmp_path):
    """Said with the file's name, and nothing half-written stays."""
    with pytest.raises(UserError, match=r"no-such/c\.svg: cannot be written: No such file or directory"):
        export_chart(CHART, tmp_path / "no-such" / "c")
    with pytest.raises(UserError, match=r"c\.csv: cannot be written"):
        export_chart(CHART, tmp_path / "no-such" / "c", formats=("csv",))
    assert not list(tmp_path.iterdir())


def test_an_empty_chart_is_a_file_too(tmp_path):
    """The file says that there is nothing to show."""
    (path,) = export_chart(Chart(empty="nothing yet"), tmp_path / "e", formats=("svg",))
    assert b"nothing yet" in path.read_bytes()
