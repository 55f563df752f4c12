"""The part of the table that is about no single screen: the app, every chart, and widgets that have the keyboard."""

from __future__ import annotations

from tui.actions.action import Action, movement, owned

APP = owned(
    "app",
    Action("help", ("question_mark", "f1"), "Help", "All keys of this screen."),
    Action(
        "palette",
        ("ctrl+p",),
        "Commands",
        "Search all commands; go to a study, trial or sweep.",
        palette=False,
    ),
    Action(
        "leave",
        ("escape",),
        "Back",
        "Leave what is open: a filter, a full-screen pane, a trial.",
        when="can_go_back",
        palette=False,
    ),
    Action(
        "full",
        ("f",),
        "Full",
        "Give the whole screen to the pane with the keyboard, or take it back.",
        when="can_fill",
    ),
    Action("demo", ("D",), "Demo", "Train the demo, a small sweep on handwritten digits.", when="can_demo"),
    Action("theme", ("T",), "Theme", "Change the colours; remembered.", footer=False),
    Action("quit", ("q", "ctrl+q"), "Quit", "Leave. Sweeps in training continue."),
)

FORM = owned(
    "form",
    movement("row(-1)", ("up",), "Up", "The field above.", when="in_form"),
    movement("row(1)", ("down",), "Down", "The field below.", when="in_form"),
    movement("field(1)", ("tab",), "Next", "What comes next, within a row too."),
    movement("field(-1)", ("shift+tab",), "Previous", "What comes before."),
    movement(
        "confirm",
        ("enter",),
        "Next, or list",
        "The list of a field that has one (▾); in other fields what comes next.",
        when="in_line",
    ),
)

CHOICE = owned(
    "choice",
    movement("step(-1)", ("left", "h"), "Left", "The choice before."),
    movement("step(1)", ("right", "l"), "Right", "The next choice."),
    movement("take", ("space", "enter"), "Take", "Take the choice; tick it or not."),
)

CHART = owned(
    "chart",
    Action("chart_log", ("y",), "Log axis", "Logarithmic or linear y axis.", when="has_chart"),
    Action(
        "chart_zoom(1)",
        ("plus", "equals_sign"),
        "Zoom in",
        "Zoom the chart in; the view then stays while data arrive.",
        when="has_chart",
        footer=False,
    ),
    Action("chart_zoom(-1)", ("minus",), "Zoom out", "Zoom the chart out.", when="has_chart", footer=False),
    Action("chart_reset", ("0",), "Fit", "Show the whole chart again and follow the data.", when="is_zoomed"),
    Action("export", ("e",), "Export", "Write the chart as SVG, PNG and CSV.", when="has_chart"),
    Action(
        "chart_plain",
        ("A",),
        "Plain",
        "Draw charts with plain characters, for fonts without braille; remembered.",
        when="has_chart",
        footer=False,
    ),
)

PLOT = owned(
    "plot",
    movement("move('left')", ("left", "h"), "Left", "The point to the left."),
    movement("move('right')", ("right", "l"), "Right", "The point to the right."),
    movement("move('up')", ("up", "k"), "Up", "The point of the line above, or the next point above."),
    movement("move('down')", ("down", "j"), "Down", "The same below."),
    movement(
        "pan(-1, 0)", ("shift+left", "H"), "Pan left", "Move the window to the left; drag with the mouse."
    ),
    movement("pan(1, 0)", ("shift+right", "L"), "Pan right", "To the right."),
    movement("pan(0, -1)", ("shift+up", "K"), "Pan up", "Up."),
    movement("pan(0, 1)", ("shift+down", "J"), "Pan down", "Down."),
    movement(
        "hide",
        ("space",),
        "Hide",
        "Hide the series under the cursor, or show all again; a click in the legend does it too.",
    ),
    movement("fill", ("enter",), "Full", "The whole screen for the chart."),
)

SLIDER = owned(
    "slider",
    movement("step(-1)", ("left", "h", "minus"), "Less", "Less."),
    movement("step(1)", ("right", "l", "plus"), "More", "More."),
    movement("first", ("g", "home"), "Least", "The least."),
    movement("last", ("G", "end"), "Most", "The most."),
)

TABLE = owned(
    "table",
    movement("move(-1)", ("up", "k"), "Up", "One row up."),
    movement("move(1)", ("down", "j"), "Down", "One row down."),
    movement("shift(-1)", ("left", "h"), "Left", "Back to the columns hidden at the left (‹)."),
    movement(
        "shift(1)",
        ("right", "l"),
        "Right",
        "On to the columns hidden at the right; +3 › in the header counts them.",
    ),
    movement("end(-1)", ("g", "home"), "First", "First row."),
    movement("end(1)", ("G", "end"), "Last", "Last row."),
    movement("page(-1)", ("pageup", "ctrl+b"), "Page up", "One page up."),
    movement("page(1)", ("pagedown", "ctrl+f"), "Page down", "One page down."),
)

LOG = owned(
    "log",
    movement("scroll_up", ("up", "k"), "Up", "One line up; the log then stays where it is."),
    movement("scroll_down", ("down", "j"), "Down", "One line down."),
    movement("scroll_home", ("g", "home"), "First", "First line."),
    movement("follow", ("G", "end"), "Follow", "Last line, and follow what comes."),
)
