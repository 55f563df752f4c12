"""How fast charts are drawn: first renderings of long lines at 120x40, beside numpy's own pass and matplotlib's Agg.

    python benchmarks/charts.py [--json FILE] [--repeat 20] [--updates 2000]

Every rendering is of a chart that was never drawn before, nothing cached; median and best of `--repeat` of them, ratios
of the best.

1. A noisy loss curve of 1,000, 100,000 and 1,000,000 points: plain, with a NaN in every thousand points, zoomed in, as
   steps, as a cloud of points, three at once.
2. The same data by `numpy.min` and `numpy.max` alone, the least any honest chart must read, and by matplotlib's Agg
   (and plotext, where it is installed), linear x and logarithmic y.
3. An unchanged chart drawn again, the cursor's reading, and the memory that many live updates leave behind.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from hvdsweep.charts import Axis, Chart, Reference, Series, View, nearest, render

WIDTH, HEIGHT = 120, 40
SIZES = (1_000, 100_000, 1_000_000)
BOUNDS = {100_000: 5.0, 1_000_000: 30.0}
"""Milliseconds a line of that many points may take."""


def curve(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps and a loss that falls by two decades under noise, [points] each."""
    rng = np.random.default_rng(points)
    step = np.arange(1.0, points + 1)
    return step, np.exp(-4.6 * step / points) * rng.lognormal(0, 0.1, points)


def chart(*series: Series) -> Chart:
    return Chart(
        series,
        x=Axis("linear", title="step"),
        y=Axis("log10", title="loss"),
        title="Training loss",
        references=(Reference("goal", horizontal=0.02),),
    )


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    points: int
    value: float
    """Median where it is a time."""
    unit: str
    best: float | None = None
    bound: float | None = None
    """The most that `best` may be."""


@dataclass(frozen=True)
class Timing:
    """Milliseconds of a task over its repetitions."""

    median: float
    best: float
    """The machine's noise only ever adds; on a busy one this is nearer to what the work takes."""


def timed(prepare: Callable[[], Callable[[], object]], repeat: int) -> Timing:
    """Times what `prepare` returns; the preparation itself is not counted."""
    times = []
    for _ in range(repeat):
        task = prepare()
        start = time.perf_counter()
        task()
        times.append(1e3 * (time.perf_counter() - start))
    return Timing(statistics.median(times), min(times))


def cases(points: int) -> dict[str, Callable[[], Chart]]:
    """Charts to draw, each made anew so that nothing is known about its data."""
    step, loss = curve(points)
    holed = np.where(np.arange(points) % 1000 == 500, np.nan, loss)
    shuffled = np.random.default_rng(0).permutation(points)
    return {
        "line": lambda: chart(Series("loss", step, loss)),
        "line, log2 x": lambda: Chart((Series("loss", step, loss),), x=Axis("log2"), y=Axis("log10")),
        "line with gaps": lambda: chart(Series("loss", step, holed)),
        "steps": lambda: chart(Series("loss", step, loss, steps=True)),
        "cloud": lambda: chart(Series("loss", step[shuffled], loss[shuffled], line=False)),
        "three lines": lambda: chart(*(Series(f"trial {n}", step, (1 + n) * loss) for n in range(3))),
    }


def drawn(make: Callable[[], Chart], view: View | None = None) -> Callable[[], Callable[[], object]]:
    def prepare() -> Callable[[], object]:
        one = make()
        return lambda: render(one, WIDTH, HEIGHT, view or View()).plain()

    return prepare


def numpy_pass(loss: np.ndarray) -> Callable[[], object]:
    return lambda: (loss.min(), loss.max())


def matplotlib_agg(step: np.ndarray, loss: np.ndarray) -> Callable[[], object]:
    """A figure of 960 x 720 pixels, as many as a terminal of 120 x 40 has; its making is not counted, as ours is not."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 7.2), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_yscale("log")
    axes.plot(step, loss)
    return canvas.draw


def plotext(step: np.ndarray, loss: np.ndarray) -> Callable[[], object] | None:
    try:
        import plotext as plt
    except ImportError:
        return None

    def draw() -> str:
        plt.clear_figure()
        plt.plot_size(WIDTH, HEIGHT)
        plt.yscale("log")
        plt.plot(step, loss, marker="braille")
        return str(plt.build())

    return draw


def kept_kib(updates: int) -> tuple[float, float]:
    """KiB of traced memory after a tenth of the live updates and after all, of a growing loss curve drawn each time."""
    step, loss = curve(100_000)
    tracemalloc.start()
    marks = []
    for number in range(updates):
        shown = 1000 + number * 99_000 // updates
        one = chart(Series("loss", step[:shown], loss[:shown]))
        canvas = render(one, WIDTH, HEIGHT)
        nearest(one, canvas.frame, 60, 20)
        if number + 1 in (max(1, updates // 10), updates):
            del one, canvas
            gc.collect()
            marks.append(tracemalloc.get_traced_memory()[0] / 1024)
    tracemalloc.stop()
    return marks[0], marks[-1]


def measure_size(points: int, repeat: int) -> list[Row]:
    step, loss = curve(points)
    found = {name: timed(drawn(make), repeat) for name, make in cases(points).items()}
    line = found["line"]
    middle = View(x=(0.4 * points, 0.5 * points))
    found["line, zoomed in"] = timed(drawn(cases(points)["line"], middle), repeat)
    same = cases(points)["line"]()
    canvas = render(same, WIDTH, HEIGHT)
    found["line again, unchanged"] = timed(lambda: lambda: render(same, WIDTH, HEIGHT), repeat)
    found["cursor's reading"] = timed(lambda: lambda: nearest(same, canvas.frame, 60, 20), repeat)
    rows = [Row(name, points, one.median, "ms", one.best) for name, one in found.items()]
    rows[0] = replace(rows[0], bound=BOUNDS.get(points))
    least = timed(lambda: numpy_pass(loss), repeat)
    agg = timed(lambda: matplotlib_agg(step, loss), max(3, repeat // 5))
    rows.append(Row("numpy min and max", points, least.median, "ms", least.best))
    rows.append(Row("line / numpy min and max", points, line.best / least.best, "x"))
    rows.append(Row("matplotlib Agg", points, agg.median, "ms", agg.best))
    rows.append(Row("matplotlib Agg / line", points, agg.best / line.best, "x"))
    other = plotext(step, loss)
    if other is not None:
        rival = timed(lambda: other, max(2, repeat // 10))
        rows.append(Row("plotext", points, rival.median, "ms", rival.best))
        rows.append(Row("plotext / line", points, rival.best / line.best, "x"))
    return rows


def measure(repeat: int, updates: int) -> list[Row]:
    rows = [row for points in SIZES for row in measure_size(points, repeat)]
    early, late = kept_kib(updates)
    rows.append(Row(f"memory kept after {updates // 10} live updates", 100_000, early, "KiB"))
    rows.append(Row(f"memory kept after {updates} live updates", 100_000, late, "KiB"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the numbers here")
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--updates", type=int, default=2000)
    options = parser.parse_args()
    rows = measure(options.repeat, options.updates)
    for row in rows:
        best = "" if row.best is None else f"   best {row.best:.3f}"
        bound = "" if row.bound is None else f"   (at most {row.bound:g})"
        print(f"{row.points:>9,}  {row.what:<38}{row.value:>12.3f} {row.unit}{best}{bound}")
    if options.json:
        context = {
            "machine": platform.machine(),
            "python": platform.python_version(),
            "numpy": np.__version__,
        }
        options.json.write_text(
            json.dumps({"size": [WIDTH, HEIGHT], **context, "rows": [asdict(row) for row in rows]}, indent=1)
            + "\n"
        )


if __name__ == "__main__":
    main()
