"""Text charts: immutable descriptions in data units, drawn as braille or ASCII for the command line and the terminal
interface alike. Pure functions on numpy arrays; nothing here knows the store, rich screens or Textual."""

from hvdsweep.charts.axis import Axis, Scale, Tick
from hvdsweep.charts.canvas import Canvas
from hvdsweep.charts.chart import Chart, chart_csv
from hvdsweep.charts.draw import render
from hvdsweep.charts.frame import Frame, View
from hvdsweep.charts.layout import frame_of
from hvdsweep.charts.marks import Annotation, Band, Reference, Series
from hvdsweep.charts.palette import DARK, LIGHT, MONO, TERMINAL, Theme, style_of
from hvdsweep.charts.readout import Reading, follow, nearest, sentence

__all__ = [
    "DARK",
    "LIGHT",
    "MONO",
    "TERMINAL",
    "Annotation",
    "Axis",
    "Band",
    "Canvas",
    "Chart",
    "Frame",
    "Reading",
    "Reference",
    "Scale",
    "Series",
    "Theme",
    "Tick",
    "View",
    "chart_csv",
    "follow",
    "frame_of",
    "nearest",
    "render",
    "sentence",
    "style_of",
]
