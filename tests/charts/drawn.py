"""What the tests of drawings share: charts of any kind to draw, and a look at the plot area of a canvas."""

import math

import numpy as np
from hypothesis import strategies as st

from hvdsweep.charts import Annotation, Axis, Band, Chart, Reference, Series

LOG2, LOG10, LINEAR = Axis("log2"), Axis("log10"), Axis("linear")
axes = st.sampled_from([LOG2, LOG10, LINEAR])
tame = st.floats(0.01, 1e6)
wild = st.one_of(st.floats(width=64), tame, st.sampled_from([0.0, -1.0, math.nan, math.inf]))


@st.composite
def series(draw, numbers=wild, name=None, most=30):
    count = draw(st.integers(0, most))

    def column():
        return draw(st.lists(numbers, min_size=count, max_size=count))

    return Series(
        draw(st.text(max_size=12)) if name is None else name,
        column(),
        column(),
        line=draw(st.booleans()),
        steps=draw(st.booleans()),
        marker=draw(st.sampled_from([None, "", "★", "界", "x"])),
        y_low=column() if draw(st.booleans()) else None,
        y_high=column() if draw(st.booleans()) else None,
        censored=draw(st.lists(st.booleans(), min_size=count, max_size=count))
        if draw(st.booleans())
        else None,
        visible=draw(st.sampled_from([True, True, True, False])),
    )


def references(numbers):
    return st.one_of(
        st.builds(
            Reference, st.text(max_size=8), horizontal=numbers, color=st.sampled_from(["goal", "#123456"])
        ),
        st.builds(Reference, st.text(max_size=8), vertical=numbers, dashed=st.booleans()),
        st.builds(
            Reference,
            st.text(max_size=8),
            points=st.lists(st.tuples(numbers, numbers), min_size=1).map(tuple),
        ),
        st.builds(Reference, st.text(max_size=8), function=st.just(lambda x: 100 / x)),
    )


@st.composite
def charts(draw, numbers=wild):
    return Chart(
        series=tuple(draw(st.lists(series(numbers), max_size=4))),
        x=Axis(draw(axes).scale, title=draw(st.text(max_size=12))),
        y=Axis(draw(axes).scale, title=draw(st.text(max_size=12))),
        title=draw(st.text(max_size=30)),
        subtitle=draw(st.text(max_size=30)),
        references=tuple(draw(st.lists(references(numbers), max_size=2))),
        bands=tuple(
            draw(
                st.lists(
                    st.builds(
                        Band,
                        st.none() | numbers,
                        st.none() | numbers,
                        st.text(max_size=9),
                        st.sampled_from("xy"),
                    ),
                    max_size=3,
                )
            )
        ),
        annotations=tuple(
            draw(
                st.lists(
                    st.builds(Annotation, numbers, numbers, st.text(max_size=9), st.sampled_from(["", "★"])),
                    max_size=2,
                )
            )
        ),
    )


def plot(canvas):
    """The characters of the plot area, [rows, columns]."""
    frame = canvas.frame
    return canvas.chars[frame.top : frame.top + frame.rows, frame.left : frame.left + frame.columns]


def plot_keys(canvas):
    """The style keys of the plot area, [rows, columns]."""
    frame = canvas.frame
    ink = canvas.ink[frame.top : frame.top + frame.rows, frame.left : frame.left + frame.columns]
    return np.array(canvas.keys, object)[ink]


def bare(*series, x=LINEAR, y=LINEAR, **more):
    return Chart(tuple(series), x=x, y=y, legend=False, **more)


def value_of(label: str, scale: str) -> float:
    """The value of a tick's label. A `k` is 1024 on log2 axes and 1000 elsewhere."""
    if label.startswith("2^"):
        return 2.0 ** int(label[2:])
    power = "kMGT".find(label[-1]) + 1
    if not power:
        return float(label)
    return float(label[:-1]) * 1024.0**power if scale == "log2" else float(f"{label[:-1]}e{3 * power}")
