"""The part of the table that is about no single screen: the app, every chart, and widgets that have the keyboard."""

from __future__ import annotations

from tui.actions.action import Action

APP = (
    Action("help", ("question_mark", "f1"), "Help", "All keys of this screen.", ("app",)),
    Action(
        "palette",
        ("ctrl+p",),
        "Commands",
        "Search all commands; go to a study, trial or sweep.",
        ("app",),
        palette=False,
    ),
    Action(
        "leave",
        ("escape",),
        "Back",
        "Leave what is open: a filter, a full-screen pane, a trial.",
        ("app",),
        when="can_go_back",
        palette=False,
    ),
    Action(
        "full",
        ("f",),
        "Full",
        "Give the whole screen to the pane with the keyboard, or take it back.",
        ("app",),
        when="can_fill",
    ),
    Action(
        "demo",
        ("D",),
        "Demo",
        "Train the demo, a small sweep on handwritten digits.",
        ("app",),
        when="can_demo",
    ),
    Action("theme", ("T",), "Theme", "Change the colours; remembered.", ("app",), footer=False),
    Action("quit", ("q", "ctrl+q"), "Quit", "Leave. Sweeps in training continue.", ("app",)),
)

FORM = (
    Action(
        "row(-1)", ("up",), "Up", "The field above.", ("form",), when="in_form", footer=False, palette=False
    ),
    Action(
        "row(1)",
        ("down",),
        "Down",
        "The field below.",
        ("form",),
        when="in_form",
        footer=False,
        palette=False,
    ),
    Action(
        "field(1)",
        ("tab",),
        "Next",
        "What comes next, within a row too.",
        ("form",),
        footer=False,
        palette=False,
    ),
    Action(
        "field(-1)",
        ("shift+tab",),
        "Previous",
        "What comes before.",
        ("form",),
        footer=False,
        palette=False,
    ),
    Action(
        "confirm",
        ("enter",),
        "Next, or list",
        "The list of a field that has one (▾); in other fields what comes next.",
        ("form",),
        when="in_line",
        footer=False,
        palette=False,
    ),
)

CHOICE = (
    Action("step(-1)", ("left", "h"), "Left", "The choice before.", ("choice",), footer=False, palette=False),
    Action("step(1)", ("right", "l"), "Right", "The next choice.", ("choice",), footer=False, palette=False),
    Action(
        "take",
        ("space", "enter"),
        "Take",
        "Take the choice; tick it or not.",
        ("choice",),
        footer=False,
        palette=False,
    ),
)

CHART = (
    Action("chart_log", ("y",), "Log axis", "Logarithmic or linear y axis.", ("chart",), when="has_chart"),
    Action(
        "chart_zoom(1)",
        ("plus", "equals_sign"),
        "Zoom in",
        "Zoom the chart in; the view then stays while data arrive.",
        ("chart",),
        when="has_chart",
        footer=False,
    ),
    Action(
        "chart_zoom(-1)",
        ("minus",),
        "Zoom out",
        "Zoom the chart out.",
        ("chart",),
        when="has_chart",
        footer=False,
    ),
    Action(
        "chart_reset",
        ("0",),
        "Fit",
        "Show the whole chart again and follow the data.",
        ("chart",),
        when="is_zoomed",
    ),
    Action("export", ("e",), "Export", "Write the chart as SVG, PNG and CSV.", ("chart",), when="has_chart"),
    Action(
        "chart_plain",
        ("A",),
        "Plain",
        "Draw charts with plain characters, for fonts without braille; remembered.",
        ("chart",),
        when="has_chart",
        footer=False,
    ),
)

PLOT = (
    Action(
        "move('left')",
        ("left", "h"),
        "Left",
        "The point to the left.",
        ("plot",),
        footer=False,
        palette=False,
    ),
    Action(
        "move('right')",
        ("right", "l"),
        "Right",
        "The point to the right.",
        ("plot",),
        footer=False,
        palette=False,
    ),
    Action(
        "move('up')",
        ("up", "k"),
        "Up",
        "The point of the line above, or the next point above.",
        ("plot",),
        footer=False,
        palette=False,
    ),
    Action("move('down')", ("down", "j"), "Down", "The same below.", ("plot",), footer=False, palette=False),
    Action(
        "pan(-1, 0)",
        ("shift+left", "H"),
        "Pan left",
        "Move the window to the left; drag with the mouse.",
        ("plot",),
        footer=False,
        palette=False,
    ),
    Action(
        "pan(1, 0)",
        ("shift+right", "L"),
        "Pan right",
        "To the right.",
        ("plot",),
        footer=False,
        palette=False,
    ),
    Action("pan(0, -1)", ("shift+up", "K"), "Pan up", "Up.", ("plot",), footer=False, palette=False),
    Action("pan(0, 1)", ("shift+down", "J"), "Pan down", "Down.", ("plot",), footer=False, palette=False),
    Action(
        "hide",
        ("space",),
        "Hide",
        "Hide the series under the cursor, or show all again; a click in the legend does it too.",
        ("plot",),
        footer=False,
        palette=False,
    ),
    Action(
        "fill", ("enter",), "Full", "The whole screen for the chart.", ("plot",), footer=False, palette=False
    ),
)

SLIDER = (
    Action("step(-1)", ("left", "h", "minus"), "Less", "Less.", ("slider",), footer=False, palette=False),
    Action("step(1)", ("right", "l", "plus"), "More", "More.", ("slider",), footer=False, palette=False),
    Action("first", ("g", "home"), "Least", "The least.", ("slider",), footer=False, palette=False),
    Action("last", ("G", "end"), "Most", "The most.", ("slider",), footer=False, palette=False),
)

TABLE = (
    Action("cursor_up", ("up", "k"), "Up", "One row up.", ("table",), footer=False, palette=False),
    Action("cursor_down", ("down", "j"), "Down", "One row down.", ("table",), footer=False, palette=False),
    Action(
        "cursor_left",
        ("left", "h"),
        "Left",
        "Back to the columns hidden at the left (‹).",
        ("table",),
        footer=False,
        palette=False,
    ),
    Action(
        "cursor_right",
        ("right", "l"),
        "Right",
        "On to the columns hidden at the right; +3 › in the header counts them.",
        ("table",),
        footer=False,
        palette=False,
    ),
    Action("scroll_top", ("g", "home"), "First", "First row.", ("table",), footer=False, palette=False),
    Action("scroll_bottom", ("G", "end"), "Last", "Last row.", ("table",), footer=False, palette=False),
    Action(
        "page_up", ("pageup", "ctrl+b"), "Page up", "One page up.", ("table",), footer=False, palette=False
    ),
    Action(
        "page_down",
        ("pagedown", "ctrl+f"),
        "Page down",
        "One page down.",
        ("table",),
        footer=False,
        palette=False,
    ),
)

LOG = (
    Action(
        "scroll_up",
        ("up", "k"),
        "Up",
        "One line up; the log then stays where it is.",
        ("log",),
        footer=False,
        palette=False,
    ),
    Action("scroll_down", ("down", "j"), "Down", "One line down.", ("log",), footer=False, palette=False),
    Action("scroll_home", ("g", "home"), "First", "First line.", ("log",), footer=False, palette=False),
    Action(
        "follow",
        ("G", "end"),
        "Follow",
        "Last line, and follow what comes.",
        ("log",),
        footer=False,
        palette=False,
    ),
)
