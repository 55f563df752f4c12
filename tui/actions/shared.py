"""The part of the table that is about no single screen: the app, every chart, and widgets that have the keyboard."""

from __future__ import annotations

from tui.actions.action import Action, movement, owned

APP = owned(
    "app",
    Action("help", "?,f1", "Help", "List all keys of this screen, and its words."),
    Action(
        "command_palette",
        "ctrl+p",
        "Commands",
        "Search all commands; go to a study, trial or sweep.",
        palette=False,
    ),
    Action(
        "leave",
        "escape",
        "Back",
        "Close what is open: a filter, a full-screen pane, a trial.",
        when="can_go_back",
        palette=False,
    ),
    Action(
        "full",
        "f",
        "Full",
        "Enlarge the focused pane to the whole screen, or shrink it again.",
        when="can_fill",
    ),
    Action("demo", "D", "Demo", "Train the demo, a small sweep on handwritten digits.", when="can_demo"),
    Action("change_theme", "T", "Theme", "Change the colours, also for the next start.", footer=False),
    Action("quit", "q,ctrl+q", "Quit", "Leave. Sweeps in training continue."),
)

FORM = owned(
    "form",
    movement("row(-1)", "up", "Up", "Go to the field above.", when="in_form"),
    movement("row(1)", "down", "Down", "Go to the field below.", when="in_form"),
    movement("field(1)", "tab", "Next", "Go to the next field, within a row too."),
    movement("field(-1)", "shift+tab", "Previous", "Go to the field before."),
    movement(
        "confirm",
        "enter",
        "Next, or list",
        "Open the list of a field that has one (▾); in other fields go to the next.",
        when="in_line",
    ),
)

CHOICE = owned(
    "choice",
    movement("step(-1)", "left,h", "Left", "The choice before."),
    movement("step(1)", "right,l", "Right", "The next choice."),
    movement("take", "space,enter", "Take", "Choose this one; in a list of ticks, set or remove the tick."),
)

CHART = owned(
    "chart",
    Action("chart_log", "y", "Log axis", "Switch the y axis between logarithmic and linear.", when="shown"),
    Action(
        "chart_zoom(2)",
        "+,=",
        "Zoom in",
        "Zoom the chart in; the view then stays while data arrive.",
        when="shown",
        footer=False,
    ),
    Action("chart_zoom(0.5)", "-", "Zoom out", "Zoom the chart out.", when="shown", footer=False),
    Action("chart_reset", "0", "Fit", "Show the whole chart again and follow the data.", when="is_zoomed"),
    Action("export", "e", "Export", "Write the chart as SVG, PNG and CSV.", when="shown"),
    Action(
        "chart_plain",
        "A",
        "Plain",
        "Draw charts with plain characters, for fonts without braille, also after the next start.",
        when="shown",
        footer=False,
    ),
    part="chart",
)

PLOT = owned(
    "plot",
    movement("move('left')", "left,h", "Left", "The point to the left."),
    movement("move('right')", "right,l", "Right", "The point to the right."),
    movement("move('up')", "up,k", "Up", "The point of the line above, or the next point above."),
    movement("move('down')", "down,j", "Down", "The point of the line below, or the next point below."),
    movement("pan(-1, 0)", "shift+left,H", "Pan left", "Move the window to the left; drag with the mouse."),
    movement("pan(1, 0)", "shift+right,L", "Pan right", "Move the window to the right."),
    movement("pan(0, -1)", "shift+up,K", "Pan up", "Move the window up."),
    movement("pan(0, 1)", "shift+down,J", "Pan down", "Move the window down."),
    movement(
        "hide",
        "space",
        "Hide",
        "Hide the series under the cursor, or show all again; a click in the legend does it too.",
    ),
    movement("app.full", "enter", "Full", "Enlarge the chart to the whole screen."),
)

SLIDER = owned(
    "slider",
    movement("step(-1)", "left,h,-", "Less", "A smaller value."),
    movement("step(1)", "right,l,+", "More", "A larger value."),
    movement("first", "g,home", "Least", "The smallest value."),
    movement("last", "G,end", "Most", "The largest value."),
)

TABLE = owned(
    "table",
    movement("move(-1)", "up,k", "Up", "One row up."),
    movement("move(1)", "down,j", "Down", "One row down."),
    movement("shift(-1)", "left,h", "Left", "Scroll back to the columns hidden at the left (‹)."),
    movement(
        "shift(1)",
        "right,l",
        "Right",
        "Scroll to the columns hidden at the right; +3 › in the header counts them.",
    ),
    movement("end(-1)", "g,home", "First", "First row."),
    movement("end(1)", "G,end", "Last", "Last row."),
    movement("page(-1)", "pageup,ctrl+b", "Page up", "One page up."),
    movement("page(1)", "pagedown,ctrl+f", "Page down", "One page down."),
)

LOG = owned(
    "log",
    movement("scroll_up", "up,k", "Up", "One line up; the log then stops following new lines."),
    movement("scroll_down", "down,j", "Down", "One line down."),
    movement("scroll_home", "g,home", "First", "First line."),
    movement("follow", "G,end", "Follow", "Go to the last line and follow new lines."),
)
