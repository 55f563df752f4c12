"""The one table of what a person can do. Key bindings, footer, help screen and command palette are all made from it.

An action's `id` is a Textual action: the method `action_<id>` of the app, of a screen or of a widget. `where` says whose:
"app"; the name of a screen; "chart" for every screen that shows one; "plot", "table" and "log" for widgets that have the
keyboard. `when` names an attribute of the screen that is true while the action makes sense; otherwise its key is hidden.
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding


@dataclass(frozen=True)
class Action:
    """One thing a person can do."""

    id: str
    keys: tuple[str, ...]
    """Textual's names of the keys; no alt, no ctrl+shift: many terminals swallow them."""
    label: str
    """One or two words for the footer."""
    help: str
    """One sentence for the help screen and the palette."""
    where: tuple[str, ...]
    when: str = ""
    """Attribute of the screen (of the app for "app") that must be true; "" always."""
    footer: bool = True
    """Whether the footer shows it where there is room."""
    palette: bool = True
    """Whether the palette offers it; movements of a cursor are not worth it."""

    @property
    def key_names(self) -> tuple[str, ...]:
        """The keys as people write them."""
        return tuple(KEY_NAMES.get(key, key) for key in self.keys)


KEY_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "colon": ":",
    "escape": "esc",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "delete": "del",
    "f1": "F1",
    "ctrl+p": "^p",
    "ctrl+q": "^q",
    "ctrl+l": "^l",
    "ctrl+n": "^n",
    "ctrl+o": "^o",
    "ctrl+s": "^s",
    "ctrl+t": "^t",
    "shift+tab": "⇧tab",
    "shift+left": "⇧←",
    "shift+right": "⇧→",
    "shift+up": "⇧↑",
    "shift+down": "⇧↓",
    "comma": ",",
    "full_stop": ".",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "space": "space",
}
"""Textual's name of a key -> what the footer and the help say."""

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
    Action("theme", ("T",), "Theme", "Change the colours; remembered.", ("app",), footer=False),
    Action("quit", ("q", "ctrl+q"), "Quit", "Leave. Sweeps that are being trained go on.", ("app",)),
)

SWEEPS = (
    Action(
        "open",
        ("enter",),
        "Watch",
        "Watch the selected sweep on the Live screen.",
        ("sweeps",),
        when="has_sweep",
        palette=False,
    ),
    Action(
        "run",
        ("r",),
        "Start",
        "Start or resume the selected sweep as a process of its own.",
        ("sweeps",),
        when="can_run",
    ),
    Action(
        "stop",
        ("x",),
        "Stop",
        "Ask the selected sweep to stop; its finished trials stay.",
        ("sweeps",),
        when="can_stop",
    ),
    Action(
        "extend",
        ("t",),
        "Extend",
        "Add trials or batch sizes to the selected sweep.",
        ("sweeps",),
        when="can_extend",
    ),
    Action(
        "delete",
        ("d", "delete"),
        "Delete",
        "Delete the selected sweep and all it recorded; asks first.",
        ("sweeps",),
        when="can_delete",
    ),
    Action("new", ("n",), "New", "Compose a new sweep.", ("sweeps",), when="can_compose"),
    Action(
        "copy",
        ("c",),
        "Copy",
        "Copy the command that trains the selected sweep.",
        ("sweeps",),
        when="has_sweep",
        footer=False,
    ),
)

COMPOSE = (
    Action(
        "launch",
        ("ctrl+l",),
        "Launch",
        "Save the sweep and train it, as a process of its own; the Live screen follows it.",
        ("compose",),
    ),
    Action("save", ("ctrl+s",), "Save", "Write the sweep to a file.", ("compose",)),
    Action(
        "start_from",
        ("ctrl+o",),
        "Start from",
        "Begin with a preset, a sweep of the database, a file, a kept draft, a small example or nothing.",
        ("compose",),
    ),
    Action("pane", ("ctrl+t",), "Pane", "The next of form, plan and TOML.", ("compose",)),
    Action(
        "mistake",
        ("ctrl+n",),
        "Mistake",
        "Go to the first mistake.",
        ("compose",),
        when="has_mistake",
    ),
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

LIVE = (
    Action(
        "open", ("enter",), "Open", "Open the selected trial.", ("live",), when="has_trial", palette=False
    ),
    Action(
        "filter",
        ("slash",),
        "Filter",
        "Filter the trials: learning_rate>=0.01 status=INFEASIBLE batch_size=64..512.",
        ("live",),
    ),
    Action("sort", ("s",), "Sort", "Sort the trials by the next column; S turns the order round.", ("live",)),
    Action("reverse", ("S",), "Reverse", "Turn the order of the trials round.", ("live",), footer=False),
    Action("jump", ("colon",), "Jump", "Jump to a trial by its number.", ("live",), footer=False),
    Action("copy", ("c",), "Copy", "Copy the selected trial.", ("live",), when="has_trial", footer=False),
    Action(
        "pane(1)",
        ("right_square_bracket",),
        "Next pane",
        "The next of trials, logs and events.",
        ("live",),
        footer=False,
    ),
    Action(
        "pane(-1)",
        ("left_square_bracket",),
        "Previous pane",
        "The previous of trials, logs and events.",
        ("live",),
        footer=False,
    ),
    Action(
        "log_file",
        ("o",),
        "Other log",
        "The next log of the gang: another rank, or horovodrun.",
        ("live",),
        when="has_logs",
    ),
)

TRIAL = (
    Action("copy", ("c",), "Copy", "Copy the metaparameters of this trial.", ("trial",)),
    Action(
        "neighbour(1)",
        ("right_square_bracket",),
        "Next",
        "The next trial of its study.",
        ("trial",),
        footer=False,
    ),
    Action(
        "neighbour(-1)",
        ("left_square_bracket",),
        "Previous",
        "The previous trial of its study.",
        ("trial",),
        footer=False,
    ),
)

SCALING = (
    Action(
        "goal(-1)",
        ("left_square_bracket",),
        "Goal",
        "A lower goal; { for five steps at once; drag the slider.",
        ("scaling",),
        when="has_curve",
        palette=False,
    ),
    Action(
        "goal(1)",
        ("right_square_bracket",),
        "Goal",
        "A higher goal; } for five steps at once.",
        ("scaling",),
        when="has_curve",
        palette=False,
    ),
    Action(
        "goal(-5)",
        ("left_curly_bracket",),
        "Goal",
        "A much lower goal.",
        ("scaling",),
        when="has_curve",
        footer=False,
        palette=False,
    ),
    Action(
        "goal(5)",
        ("right_curly_bracket",),
        "Goal",
        "A much higher goal.",
        ("scaling",),
        when="has_curve",
        footer=False,
        palette=False,
    ),
    Action("type_goal", ("v",), "Type goal", "Type a goal.", ("scaling",), when="has_curve", footer=False),
    Action(
        "step_budget(-1)",
        ("comma",),
        "Fewer steps",
        "As if trials had trained for fewer steps.",
        ("scaling",),
        when="has_curve",
        footer=False,
    ),
    Action(
        "step_budget(1)",
        ("full_stop",),
        "More steps",
        "As if trials had trained for more steps, up to all they have.",
        ("scaling",),
        when="has_curve",
        footer=False,
    ),
    Action(
        "example_budget(-1)",
        ("less_than_sign",),
        "Fewer examples",
        "As if trials had seen fewer examples.",
        ("scaling",),
        when="has_curve",
        footer=False,
    ),
    Action(
        "example_budget(1)",
        ("greater_than_sign",),
        "More examples",
        "As if trials had seen more examples, up to all they have.",
        ("scaling",),
        when="has_curve",
        footer=False,
    ),
    Action(
        "reset",
        ("r",),
        "Reset",
        "The sweep's own goal, and no budgets but its own.",
        ("scaling",),
        when="is_changed",
    ),
    Action(
        "measure",
        ("m",),
        "Measure",
        "Steps, examples, time or cost to the goal; the last two need measured speeds.",
        ("scaling",),
        when="has_curve",
    ),
    Action(
        "normalise",
        ("n",),
        "Normalise",
        "Divide by the steps of the smallest batch size that reached the goal.",
        ("scaling",),
        when="has_curve",
    ),
    Action("workload(1)", ("w",), "Workload", "The next workload.", ("scaling",), when="has_workloads"),
    Action(
        "workload(-1)",
        ("W",),
        "Workload before",
        "The previous workload.",
        ("scaling",),
        when="has_workloads",
        footer=False,
    ),
    Action(
        "overlay",
        ("a",),
        "Keep",
        "Keep the current workload in the chart beside others, or take it out.",
        ("scaling",),
        when="has_workloads",
    ),
    Action("side", ("t",), "Table", "Fold the numbers away, or bring them back.", ("scaling",)),
    Action(
        "open",
        ("o",),
        "Trial",
        "Open the trial behind the point or batch size.",
        ("scaling",),
        when="has_trial",
    ),
    Action(
        "running",
        ("i",),
        "In training",
        "Count trials that are still running, or only complete ones.",
        ("scaling",),
        when="is_live",
        footer=False,
    ),
    Action(
        "copy",
        ("c",),
        "Copy",
        "Copy the command that prints this curve.",
        ("scaling",),
        when="has_curve",
        footer=False,
    ),
)

METAPARAMETERS = (
    Action(
        "batch_size(-1)",
        ("left_square_bracket",),
        "Batch",
        "The next smaller batch size.",
        ("metaparameters",),
        when="has_search",
        palette=False,
    ),
    Action(
        "batch_size(1)",
        ("right_square_bracket",),
        "Batch",
        "The next larger batch size.",
        ("metaparameters",),
        when="has_search",
        palette=False,
    ),
    Action(
        "workload(1)", ("w",), "Workload", "The next workload.", ("metaparameters",), when="has_workloads"
    ),
    Action(
        "workload(-1)",
        ("W",),
        "Workload before",
        "The previous workload.",
        ("metaparameters",),
        when="has_workloads",
        footer=False,
    ),
    Action(
        "axis",
        ("m",),
        "Axis",
        "What lies against the learning rate: 1 - momentum, the best measurement, steps, other metaparameters.",
        ("metaparameters",),
        when="has_search",
    ),
    Action(
        "extend",
        ("x",),
        "Extend",
        "Answer the selected warning: a wider range, a longer budget or more trials; shows what it does and asks.",
        ("metaparameters",),
        when="can_extend",
    ),
    Action(
        "extend_all",
        ("X",),
        "Extend all",
        "Answer all warnings of this workload at once.",
        ("metaparameters",),
        when="can_extend_all",
        footer=False,
    ),
    Action(
        "side",
        ("t",),
        "Table",
        "Fold learning rates and warnings away, or bring them back.",
        ("metaparameters",),
    ),
    Action(
        "open",
        ("o",),
        "Trial",
        "Open the trial under the cursor, or the best one.",
        ("metaparameters",),
        when="has_trial",
    ),
)

THROUGHPUT = (
    Action("workload(1)", ("w",), "Workload", "The next workload.", ("throughput",), when="has_workloads"),
    Action(
        "workload(-1)",
        ("W",),
        "Workload before",
        "The previous workload.",
        ("throughput",),
        when="has_workloads",
        footer=False,
    ),
    Action(
        "measure",
        ("m",),
        "Measure",
        "Examples per second, steps per second, or efficiency.",
        ("throughput",),
        when="has_chart",
    ),
    Action("side", ("t",), "Table", "Fold the numbers away, or bring them back.", ("throughput",)),
    Action(
        "copy",
        ("c",),
        "Copy command",
        "Copy the command that measures speeds of this workload.",
        ("throughput",),
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
        "cursor_left", ("left", "h"), "Left", "Scroll to the left.", ("table",), footer=False, palette=False
    ),
    Action(
        "cursor_right",
        ("right", "l"),
        "Right",
        "Scroll to the right.",
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

ACTIONS: tuple[Action, ...] = (
    APP
    + SWEEPS
    + COMPOSE
    + FORM
    + CHOICE
    + LIVE
    + TRIAL
    + SCALING
    + METAPARAMETERS
    + THROUGHPUT
    + CHART
    + PLOT
    + SLIDER
    + TABLE
    + LOG
)
"""Every action of the interface."""

WIDGETS = {
    "form": "In the form",
    "choice": "At a choice",
    "plot": "In a chart",
    "slider": "On a slider",
    "table": "In a table",
    "log": "In a log",
}
"""Owners that are widgets, with the heading the help gives them."""


def actions_of(*owners: str) -> tuple[Action, ...]:
    """The actions of these owners, in the table's order."""
    return tuple(action for action in ACTIONS if set(owners) & set(action.where))


def bindings(*owners: str) -> list[Binding]:
    """Textual's bindings for these owners."""
    return [
        Binding(
            ",".join(action.keys),
            action.id,
            action.label,
            show=action.footer,
            key_display=action.key_names[0],
            tooltip=action.help,
        )
        for action in actions_of(*owners)
    ]


def conditions(*owners: str) -> dict[str, str]:
    """Action without its arguments -> the attribute that allows it; only those that have a condition."""
    return {action.id.partition("(")[0]: action.when for action in actions_of(*owners) if action.when}
