"""The part of the table that is about single screens."""

from __future__ import annotations

from tui.actions.action import Action, movement, owned

SWEEPS = owned(
    "sweeps",
    Action(
        "open",
        ("enter",),
        "Watch",
        "Watch the selected sweep on the Live screen.",
        when="has_sweep",
        palette=False,
    ),
    Action(
        "run",
        ("r",),
        "Start",
        "Start or resume the selected sweep; it keeps training when you leave the interface.",
        when="can_run",
    ),
    Action(
        "stop",
        ("x",),
        "Stop",
        "Ask the selected sweep to stop; its finished trials stay. Of a batch folder: cancel all jobs, after asking.",
        when="can_stop",
    ),
    Action(
        "extend",
        ("t",),
        "Extend",
        "Add trials or batch sizes to the selected sweep; in the list of studies, trials to the selected batch size.",
        when="can_extend",
    ),
    Action(
        "delete",
        ("d", "delete"),
        "Delete",
        "Delete the selected sweep and all it recorded; asks first.",
        when="can_delete",
    ),
    Action("new", ("n",), "New", "Compose a new sweep."),
    Action(
        "copy",
        ("c",),
        "Copy",
        "Copy the command that trains the selected sweep.",
        when="has_sweep",
        footer=False,
    ),
)

COMPOSE = owned(
    "compose",
    Action("launch", ("ctrl+l",), "Launch", "Save the sweep and train it; the Live screen follows it."),
    Action("save", ("ctrl+s",), "Save", "Write the sweep to a file."),
    Action(
        "start_from",
        ("ctrl+o",),
        "Start from",
        "Begin with a preset, a sweep of the database, a file, a kept draft, a small example or nothing.",
    ),
    Action("pane", ("ctrl+t",), "Pane", "The next of form, plan and TOML."),
    Action("mistake", ("ctrl+n",), "Mistake", "Go to the first mistake.", when="has_mistake"),
)

LIVE = owned(
    "live",
    Action(
        "extend",
        ("t",),
        "Extend",
        "Add trials to the batch size of the selected trial, or to all where none is selected.",
        when="can_extend",
    ),
    Action(
        "cancel_job",
        ("x",),
        "Cancel job",
        "Cancel the selected job of a batch folder; asks first.",
        when="can_cancel_job",
    ),
    Action("open", ("enter",), "Open", "Open the selected trial.", when="has_trial", palette=False),
    Action(
        "filter",
        ("slash",),
        "Filter",
        "Filter the trials: learning_rate>=0.01 status=INFEASIBLE batch_size=64..512.",
        opens_line=True,
    ),
    Action("sort", ("s",), "Sort", "Sort the trials by the next column; S turns the order round."),
    Action("reverse", ("S",), "Reverse", "Turn the order of the trials round.", footer=False),
    Action("jump", ("colon",), "Jump", "Jump to a trial by its number.", footer=False, opens_line=True),
    Action("copy", ("c",), "Copy", "Copy the selected trial.", when="has_trial", footer=False),
    Action(
        "pane(1)",
        ("right_square_bracket",),
        "Next pane",
        "The next of trials, logs and events.",
        footer=False,
    ),
    Action(
        "pane(-1)",
        ("left_square_bracket",),
        "Previous pane",
        "The previous of trials, logs and events.",
        footer=False,
    ),
    Action(
        "log_file",
        ("o",),
        "Other log",
        "The next log of the gang: another rank, or horovodrun.",
        when="has_logs",
    ),
)

TRIAL = owned(
    "trial",
    Action("copy", ("c",), "Copy", "Copy the metaparameters of this trial."),
    Action("neighbour(1)", ("right_square_bracket",), "Next", "The next trial of its study.", footer=False),
    Action(
        "neighbour(-1)",
        ("left_square_bracket",),
        "Previous",
        "The previous trial of its study.",
        footer=False,
    ),
)

WORKLOAD = (
    Action("workload(1)", ("w",), "Workload", "The next workload.", when="has_workloads"),
    Action(
        "workload(-1)",
        ("W",),
        "Workload before",
        "The previous workload.",
        when="has_workloads",
        footer=False,
    ),
)
"""Of every screen that shows one workload at a time."""

SCALING = owned(
    "scaling",
    Action(
        "goal(-1)",
        ("left_square_bracket",),
        "Goal",
        "A lower goal; { for five steps at once; drag the slider.",
        when="has_curve",
        palette=False,
    ),
    Action(
        "goal(1)",
        ("right_square_bracket",),
        "Goal",
        "A higher goal; } for five steps at once.",
        when="has_curve",
        palette=False,
    ),
    movement("goal(-5)", ("left_curly_bracket",), "Goal", "A much lower goal.", when="has_curve"),
    movement("goal(5)", ("right_curly_bracket",), "Goal", "A much higher goal.", when="has_curve"),
    Action("type_goal", ("v",), "Type goal", "Type a goal.", when="has_curve", footer=False, opens_line=True),
    Action(
        "step_budget(-1)",
        ("comma",),
        "Fewer steps",
        "As if trials had trained for fewer steps.",
        when="has_curve",
        footer=False,
    ),
    Action(
        "step_budget(1)",
        ("full_stop",),
        "More steps",
        "As if trials had trained for more steps, up to all they have.",
        when="has_curve",
        footer=False,
    ),
    Action(
        "example_budget(-1)",
        ("less_than_sign",),
        "Fewer examples",
        "As if trials had seen fewer examples.",
        when="has_curve",
        footer=False,
    ),
    Action(
        "example_budget(1)",
        ("greater_than_sign",),
        "More examples",
        "As if trials had seen more examples, up to all they have.",
        when="has_curve",
        footer=False,
    ),
    Action("reset", ("r",), "Reset", "The sweep's own goal, and no budgets but its own.", when="is_changed"),
    Action(
        "measure",
        ("m",),
        "Measure",
        "Steps, examples, time or cost to the goal; the last two need measured speeds.",
        when="has_curve",
    ),
    Action(
        "view",
        ("b",),
        "View",
        "The best measurement at equal steps, at equal examples, ranks against hours to the same loss, or the curve.",
        when="has_curve",
    ),
    Action(
        "normalise",
        ("n",),
        "Normalise",
        "Divide by the steps of the smallest batch size that reached the goal.",
        when="has_curve",
    ),
    *WORKLOAD,
    Action(
        "overlay",
        ("a",),
        "Keep",
        "Keep the current workload in the chart with others, or take it out.",
        when="has_workloads",
    ),
    Action("side", ("t",), "Table", "Fold the numbers away, or bring them back."),
    Action("open", ("o",), "Trial", "Open the trial behind the point or batch size.", when="has_trial"),
    Action(
        "running",
        ("i",),
        "In training",
        "Count trials that are still running, or only complete ones.",
        when="is_live",
        footer=False,
    ),
    Action(
        "copy", ("c",), "Copy", "Copy the command that prints this curve.", when="has_curve", footer=False
    ),
)

METAPARAMETERS = owned(
    "metaparameters",
    Action(
        "batch_size(-1)",
        ("left_square_bracket",),
        "Batch",
        "The next smaller batch size.",
        when="has_search",
        palette=False,
    ),
    Action(
        "batch_size(1)",
        ("right_square_bracket",),
        "Batch",
        "The next larger batch size.",
        when="has_search",
        palette=False,
    ),
    *WORKLOAD,
    Action(
        "axis",
        ("m",),
        "Axis",
        "What is drawn against the learning rate: 1 - momentum, the best measurement, steps, another metaparameter.",
        when="has_search",
    ),
    Action(
        "sensitivity",
        ("s",),
        "Sensitivity",
        "What each batch size loses where a metaparameter is off its best value, one after the other; then the search again.",
        when="has_search",
    ),
    Action(
        "extend",
        ("x",),
        "Extend",
        "Answer the selected warning: a wider range, a longer budget or more trials; shows what it does and asks.",
        when="can_extend",
    ),
    Action(
        "extend_all",
        ("X",),
        "Extend all",
        "Answer all warnings of this workload at once.",
        when="can_extend_all",
        footer=False,
    ),
    Action("side", ("t",), "Table", "Fold learning rates and warnings away, or bring them back."),
    Action("open", ("o",), "Trial", "Open the trial under the cursor, or the best one.", when="has_trial"),
)

THROUGHPUT = owned(
    "throughput",
    *WORKLOAD,
    Action(
        "measure",
        ("m",),
        "Measure",
        "Examples per second, steps per second, or efficiency.",
        when="has_chart",
    ),
    Action("side", ("t",), "Table", "Fold the numbers away, or bring them back."),
    Action("copy", ("c",), "Copy command", "Copy the command that measures speeds of this workload."),
)
