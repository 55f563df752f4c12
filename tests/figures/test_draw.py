"""Figures as files and as text: whole, the same every time, inside their width; and nothing heavy loaded without need."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hvdsweep.charts import Annotation, Axis, Band, Chart, Reference, Series
from hvdsweep.errors import UserError
from hvdsweep.figures.draw import save, svg
from hvdsweep.figures.figure import STAR, Figure, Heat, Panel, grid
from hvdsweep.figures.panels import missing_panel
from hvdsweep.figures.paper import figures
from hvdsweep.figures.published import paper_figure
from hvdsweep.figures.text import figure_lines
from hvdsweep.opening import open_store

MAGIC = {"png": b"\x89PNG\r\n", "svg": b"<?xml", "pdf": b"%PDF-"}


@pytest.fixture(scope="module")
def papers(published: tuple[Path, Path]) -> dict[str, Figure]:
    """All figures of the paper, by name."""
    with open_store(published[1]) as reader:
        return {name: paper_figure(reader, name) for name in figures()}


def texts(drawing: str) -> set[str]:
    """All text in an SVG."""
    return {re.sub(r"\s+", " ", part).strip() for part in re.findall(r"<text[^>]*>([^<]*)</text>", drawing)}


@pytest.mark.parametrize("name", ["1", "3", "7", "8", "9", "10", "11"])
def test_svg_holds_every_panel(papers: dict[str, Figure], name: str) -> None:
    """The drawing has the title of the figure and of each panel, and the axes' names."""
    figure = papers[name]
    written = " ".join(texts(svg(figure)))
    assert figure.title.split(". ")[1].split(":")[0] in written
    for panel in figure.panels:
        assert panel.chart.title.split(",")[0][:30] in written
        assert panel.chart.x.title in written


@pytest.mark.parametrize("kind", MAGIC)
def test_files(papers: dict[str, Figure], tmp_path: Path, kind: str) -> None:
    """PNG, SVG and PDF by the ending of the name; drawn again, the same bytes."""
    figure = papers["4"]
    first, second = tmp_path / f"a.{kind}", tmp_path / f"b.{kind.upper()}"
    save(figure, first, dpi=50)
    save(figure, second, dpi=50)
    assert first.read_bytes().startswith(MAGIC[kind])
    assert first.read_bytes() == second.read_bytes()


def test_other_endings(papers: dict[str, Figure], tmp_path: Path) -> None:
    """Another ending, and a folder that does not exist, are refused with a message."""
    figure = papers["4"]
    with pytest.raises(UserError, match=r"\.bmp: must end in \.png, \.svg or \.pdf"):
        save(figure, tmp_path / "a.bmp")
    with pytest.raises(UserError, match="cannot be written: No such file"):
        save(figure, tmp_path / "nowhere" / "a.png")


@pytest.mark.parametrize("width", [40, 80, 100, 150, 240])
@pytest.mark.parametrize("ascii", [True, False])
def test_text(papers: dict[str, Figure], width: int, ascii: bool) -> None:
    """As text a figure keeps to its width, and to ASCII where asked; every panel's title is there, notes at the end."""
    for figure in papers.values():
        lines = [str(line) for line in figure_lines(figure, width, ascii=ascii)]
        charts = lines[1:]
        assert max(map(len, charts)) <= width
        assert not ascii or all(line.isascii() for line in charts[: len(charts) - len(figure.notes) * 6])
        for panel in figure.panels:
            assert any(panel.chart.title[:18] in line for line in charts)


def test_colours_say_the_same(papers: dict[str, Figure]) -> None:
    """Coloured text holds the characters of plain text."""
    figure = papers["5"]
    plain = [line.rstrip() for line in map(str, figure_lines(figure, 120))]
    colored = [getattr(line, "plain", line).rstrip() for line in figure_lines(figure, 120, color=True)]
    same = sum(a == b for a, b in zip(plain, colored, strict=True))
    # Without colours a line of close points carries more markers, so single rows may differ.
    assert same > 0.5 * len(plain)


def test_an_empty_panel_says_why() -> None:
    """In text and in files a panel without data shows its reason, not an empty frame."""
    figure = Figure(
        "x", "A figure", 2, (missing_panel("Nothing", "no data of a/b/c"), missing_panel("More", "none of d"))
    )
    assert all(panel.empty for panel in figure.panels)
    assert any("no data of a/b/c" in str(line) for line in figure_lines(figure, 120))
    assert {"no data of a/b/c", "none of d", "Nothing", "More"} <= texts(svg(figure))


def strange() -> Figure:
    """Everything a panel may hold at once, with values that have no place."""
    series = (
        Series("a", [1, 2, 4, 8], [8, np.nan, 2, 0], y_low=[7, 1, np.nan, 1], y_high=[9, np.inf, np.inf, 3]),
        Series("b", [1, 2, 4, 8], [16, 8, 4, np.inf], censored=[False, True, False, True], steps=True),
        Series("c", [2, 4], [3, 3], line=False, marker=STAR),
        Series("d", [2, 4], [5, 6], line=False, marker="×"),
        Series("e", [1, 8], [5, 6], visible=False),
    )
    references = (
        Reference("level", horizontal=4.0),
        Reference("place", vertical=3.0),
        Reference("law", function=lambda x: 16 / x),
        Reference("path", points=((1.0, 1.0), (float("nan"), 1.0), (8.0, 8.0))),
    )
    chart = Chart(
        series,
        Axis("log2", title="x"),
        Axis("log10", title="y"),
        "Strange",
        references=references,
        bands=(Band(None, 2, "low"), Band(2, None, "high")),
    )
    heat = Heat(
        np.array([1.0, 2.0, 4.0]),
        np.array([1.0, 3.0, 9.0]),
        np.array([[0.0, np.nan, 1.0], [0.5, 0.2, np.nan]]),
        "share",
    )
    return Figure(
        "x",
        "Strange $x_1$ <&>",
        2,
        (Panel(chart, ("a: note", "b: note")), Panel(chart, heat=heat), Panel(chart, heading="part")),
    )


def test_strange_values(tmp_path: Path) -> None:
    """Gaps, infinities, unknown ends, one-sided bands and heat maps are drawn; their JSON holds only finite
    numbers."""
    import json

    figure = strange()
    for kind in MAGIC:
        save(figure, tmp_path / f"a.{kind}", dpi=40)
    text = json.dumps(figure.to_json(), allow_nan=False)
    assert json.loads(text)["panels"][0]["series"][0]["y"] == [8, None, 2, 0]
    assert figure.notes == ["a, b: note"]
    assert figure_lines(figure, 100)


def test_grid() -> None:
    """Panels fill rows from the left; a new part begins a new row."""
    panels = [Panel(Chart(title=str(n)), heading="one" if n < 3 else "two") for n in range(5)]
    rows = grid(panels, 2)
    shown = [[None if panel is None else panel.chart.title for panel in row] for row in rows]
    assert shown == [["0", "1"], ["2", None], ["3", "4"]]


def test_nothing_heavy_is_loaded(published: tuple[Path, Path]) -> None:
    """A figure as JSON or text loads neither matplotlib nor pandas nor scipy."""
    program = (
        "import sys; from hvdsweep.cli import main; sys.argv = ['hvdsweep', 'figure', '1', '--db', sys.argv[1], *sys.argv[2:]]\n"
        "try: main()\nexcept SystemExit as end: assert not end.code, end.code\n"
        "print(sorted({'matplotlib', 'pandas', 'scipy', 'tensorflow', 'textual'} & set(sys.modules)), file=sys.stderr)"
    )
    for option in ("--json", "--text"):
        found = subprocess.run(
            [sys.executable, "-c", program, str(published[1]), option],
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stderr.splitlines()[-1] == "[]"


MARKUP = [
    "cost $5",
    "$x$",
    "a $ b $ c",
    "_hidden",
    "__x__",
    "$\\alpha_i^2$",
    "\\frac",
    "100 %",
    "a\x1bb",
    "<b>&amp;",
    "#1",
    "^{2}",
]
"""Names that mean something to matplotlib, TeX, SVG or a terminal."""


def named(name: str, *others: str) -> Figure:
    """The name wherever one stands: titles, axes, series, reference lines, regions, notes, annotations. Series of other names."""
    x = np.array([1.0, 2.0, 4.0])
    chart = Chart(
        (Series(name, x, x), Series(f"{name} 2", x, 2 * x), *(Series(other, x, x) for other in others)),
        x=Axis("log2", title=name),
        y=Axis("log2", title=f"y {name}"),
        title=f"title {name}",
        subtitle=f"sub {name}",
        references=(Reference(f"line {name}", horizontal=2.0), Reference(f"v {name}", vertical=2.0)),
        annotations=(Annotation(2.0, 2.0, f"note {name}"),),
    )
    return Figure(
        "test", f"figure {name}", 2, (Panel(chart, (f"says {name}",), f"part {name}"), Panel(chart))
    )


@pytest.mark.parametrize("name", MARKUP)
def test_names_are_no_markup(tmp_path: Path, name: str) -> None:
    """A name is drawn as it is wherever one appears."""
    from html import unescape
    from xml.etree import ElementTree

    path = tmp_path / "a.svg"
    save(named(name), path)
    ElementTree.parse(path)
    shown = {unescape(text) for text in texts(path.read_text("utf-8"))}
    plain = name.replace("\x1b", "\N{WHITE SQUARE}")
    wanted = {
        plain,
        f"{plain} 2",
        f"y {plain}",
        f"line {plain}",
        f"v {plain}",
        f"note {plain}",
        f"figure {plain}",
    }
    assert wanted <= shown
    assert {f"title {plain}", f"says {plain}", f"part {plain}"} <= shown


@pytest.mark.parametrize("kind", MAGIC)
def test_every_kind_of_file_draws_them(tmp_path: Path, kind: str) -> None:
    """All these names in one picture."""
    path = tmp_path / f"a.{kind}"
    save(named(*MARKUP), path)
    assert path.read_bytes().startswith(MAGIC[kind])


def test_a_picture_names_its_workloads_its_bands_and_bars_and_its_warnings() -> None:
    """A file has the notes and warnings too, for people who see only the picture."""
    bars = Series("one", [1.0, 2.0, 4.0], [4.0, 2.0, 1.0], y_low=[3.0, 1.5, 0.5], y_high=[5.0, 2.5, 1.5])
    chart = Chart(
        (bars, Series("two", [1.0, 4.0], [3.0, 1.0])),
        x=Axis("log2"),
        y=Axis("log2"),
        title="Steps",
        bands=(Band(None, 1.01, "a region with a long name"), Band(1.01, None, "wide")),
        bars="95 % of repeated searches",
        warnings=tuple(f"warning: {n} trials: too few" for n in range(9)),
    )
    figure = Figure(
        "curve", "Steps: data/model/sgd, data/model/adam", 1, (Panel(chart, workloads=("data/model/sgd",)),)
    )
    picture, text = svg(figure), "\n".join(map(str, figure_lines(figure, 100)))
    for words in (
        "data/model/sgd",
        "data/model/adam",
        "warning: 0 trials: too few",
        "and 4 more",
        chart.bars,
        "wide",
    ):
        assert words in picture, words
        assert words in text, words
    assert "a region with a long name" in picture


def test_warnings_of_several_panels_say_whose_they_are() -> None:
    """Shared ones stand once; others have their panels' titles; more than a few are counted by panel."""

    def notes(*warnings: tuple[str, ...]) -> list[str]:
        line = Series("one", [1.0, 2.0], [2.0, 1.0])
        charts = [
            Chart((line,), title=title, warnings=those) for title, those in zip("ABC", warnings, strict=False)
        ]
        return Figure("1", "Figure", 2, tuple(map(Panel, charts))).notes

    assert notes(("w: x",), ("w: x",)) == ["w: x"]
    assert notes(("w: x", "w: y"), ("w: x",), ()) == ["A, B: w: x", "A: w: y"]
    many = tuple(f"w: {number}" for number in range(7))
    assert notes(many, (), many[:2]) == ["warnings: A 7, C 2; `hvdsweep curve WORKLOAD` lists them"]
