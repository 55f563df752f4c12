"""The part of the table that is about single screens."""

from __future__ import annotations

from tui.actions.action import Action, movement, owned

SWEEPS = owned(
    "sweeps",
    Action(
        "open", "enter", "Watch", "Watch the selected sweep on the Live screen.", when="sweep", palette=False
    ),
    Action(
        "run",
        "r",
        "Start",
        "Start or resume the selected sweep; it keeps training when you leave the interface.",
        when="can_run",
    ),
    Action(
        "stop",
        "x",
        "Stop",
        "Ask the selected sweep to stop; its finished trials stay. Of a batch folder: cancel all jobs, after asking.",
        when="can_stop",
    ),
    Action(
        "extend",
        "t",
        "Extend",
        "Add trials or batch sizes to the selected sweep; in the list of studies, trials to the selected batch size.",
        when="can_extend",
    ),
    Action(
        "delete",
        "d,delete",
        "Delete",
        "Delete the selected sweep and all it recorded; asks first.",
        when="can_delete",
    ),
    Action("new", "n", "New", "Compose a new sweep."),
    Action(
        "copy", "c", "Copy", "Copy the command that trains the selected sweep.", when="sweep", footer=False
    ),
)

COMPOSE = owned(
    "compose",
    Action("launch", "ctrl+l", "Launch", "Save the sweep and train it; the Live screen follows it."),
    Action("save", "ctrl+s", "Save", "Write the sweep to a file."),
    Action(
        "start_from",
        "ctrl+o",
        "Start from",
        "Begin with a preset, a sweep of the database, a file, a kept draft, a small example or nothing.",
    ),
    Action("pane", "ctrl+t", "Pane", "Go to the next pane: form, plan or TOML.", part="composer"),
    Action("mistake", "ctrl+n", "Mistake", "Go to the first mistake.", part="composer", when="has_mistake"),
)

LIVE = owned(
    "live",
    Action(
        "extend",
        "t",
        "Extend",
        "Add trials to the batch size of the selected trial, or to all if no trial is selected.",
        when="can_extend",
    ),
    Action(
        "cancel_job",
        "x",
        "Cancel job",
        "Cancel the selected job of a batch folder; asks first.",
        when="can_cancel_job",
    ),
    Action("open", "enter", "Open", "Open the selected trial.", when="trial", palette=False),
    Action(
        "filter",
        "/",
        "Filter",
        "Filter the trials: learning_rate>=0.01 status=INFEASIBLE batch_size=64..512.",
        opens_line=True,
        part="panes",
    ),
    Action("sort", "s", "Sort", "Sort the trials by the next column; S reverses the order.", part="trials"),
    Action("reverse", "S", "Reverse", "Reverse the order of the trials.", footer=False, part="trials"),
    Action(
        "jump", ":", "Jump", "Jump to a trial by its number.", footer=False, opens_line=True, part="panes"
    ),
    Action("copy", "c", "Copy", "Copy the selected trial.", when="trial", footer=False, part="trials"),
    Action(
        "pane(1)",
        "]",
        "Next pane",
        "Go to the next pane: trials, logs or events.",
        footer=False,
        part="panes",
    ),
    Action(
        "pane(-1)",
        "[",
        "Previous pane",
        "Go to the previous pane: trials, logs or events.",
        footer=False,
        part="panes",
    ),
    Action(
        "log_file",
        "o",
        "Other log",
        "Show the next log of the gang: another rank's, or horovodrun's.",
        when="has_logs",
        part="logs",
    ),
)

TRIAL = owned(
    "trial",
    Action("copy", "c", "Copy", "Copy the metaparameters of this trial."),
    Action("neighbour(1)", "]", "Next", "Go to the next trial of its study.", footer=False),
    Action("neighbour(-1)", "[", "Previous", "Go to the previous trial of its study.", footer=False),
)

WORKLOAD = (
    Action("workload(1)", "w", "Workload", "Go to the next workload.", when="has_workloads"),
    Action(
        "workload(-1)",
        "W",
        "Workload before",
        "Go to the previous workload.",
        when="has_workloads",
        footer=False,
    ),
)
"""Of every screen that shows one workload at a time."""

SCALING = owned(
    "scaling",
    Action(
        "step(-1)",
        "[",
        "Goal",
        "Lower the goal; { by five steps; or drag the slider.",
        when="has_curve",
        palette=False,
    ),
    Action("step(1)", "]", "Goal", "Raise the goal; } by five steps.", when="has_curve", palette=False),
    movement("step(-5)", "{", "Goal", "Lower the goal by five steps.", when="has_curve"),
    movement("step(5)", "}", "Goal", "Raise the goal by five steps.", when="has_curve"),
    part="goal",
)
SCALING += owned(
    "scaling",
    Action(
        "type('goal')",
        "v",
        "Type goal",
        "Type a goal.",
        when="has_curve",
        footer=False,
        opens_line=True,
        part="question",
    ),
    Action(
        "step(-1)",
        "comma",
        "Fewer steps",
        "Lower the budget in steps, as if trials had trained for fewer.",
        when="has_curve",
        footer=False,
        part="step_budget",
    ),
    Action(
        "step(1)",
        ".",
        "More steps",
        "Raise the budget in steps, up to all that trials have.",
        when="has_curve",
        footer=False,
        part="step_budget",
    ),
    Action(
        "step(-1)",
        "<",
        "Fewer examples",
        "Lower the budget in examples, as if trials had seen fewer.",
        when="has_curve",
        footer=False,
        part="example_budget",
    ),
    Action(
        "step(1)",
        ">",
        "More examples",
        "Raise the budget in examples, up to all that trials have.",
        when="has_curve",
        footer=False,
        part="example_budget",
    ),
    Action("reset", "r", "Reset", "Return to the sweep's own goal and budgets.", when="is_changed"),
    Action(
        "measure",
        "m",
        "Measure",
        "Show steps, examples, time or cost to the goal; the last two need measured speeds.",
        when="has_curve",
        part="curve",
    ),
    Action(
        "view",
        "b",
        "View",
        "Show the best measurement at equal steps or examples, ranks against hours to the same loss, or the curve.",
        when="has_curve",
        part="curve",
    ),
    Action(
        "normalise",
        "n",
        "Normalise",
        "Divide by the steps of the smallest batch size that reached the goal.",
        when="has_curve",
        part="curve",
    ),
    *WORKLOAD,
    Action(
        "overlay",
        "a",
        "Keep",
        "Keep the current workload in the chart with others, or take it out.",
        when="has_workloads",
    ),
    Action("side", "t", "Table", "Hide or show the numbers.", part="panes"),
    Action("open", "o", "Trial", "Open the trial behind the point or batch size.", when="trial"),
    Action(
        "running",
        "i",
        "In training",
        "Count trials that are still running, or only complete ones.",
        when="is_live",
        footer=False,
    ),
    Action("copy", "c", "Copy", "Copy the command that prints this curve.", when="has_curve", footer=False),
)

METAPARAMETERS = owned(
    "metaparameters",
    Action(
        "step(-1)",
        "[",
        "Batch",
        "Go to the next smaller batch size.",
        when="has_search",
        palette=False,
        part="batch_size",
    ),
    Action(
        "step(1)",
        "]",
        "Batch",
        "Go to the next larger batch size.",
        when="has_search",
        palette=False,
        part="batch_size",
    ),
    *WORKLOAD,
    Action(
        "axis",
        "m",
        "Axis",
        "Draw 1 - momentum, the best measurement, steps or another metaparameter against the learning rate.",
        when="has_search",
        part="search",
    ),
    Action(
        "sensitivity",
        "s",
        "Sensitivity",
        "Show how much worse each batch size is if a metaparameter is off its best value; then the search again.",
        when="has_search",
        part="search",
    ),
    Action(
        "extend",
        "x",
        "Extend",
        "Answer the selected warning by a wider range, a longer budget or more trials; asks first.",
        when="can_extend",
        part="warnings",
    ),
    Action(
        "extend_all",
        "X",
        "Extend all",
        "Answer all warnings of this workload at once.",
        when="can_extend_all",
        footer=False,
        part="warnings",
    ),
    Action("side", "t", "Table", "Hide or show learning rates and warnings.", part="panes"),
    Action("open", "o", "Trial", "Open the trial under the cursor, or the best one.", when="trial"),
)

THROUGHPUT = owned(
    "throughput",
    *WORKLOAD,
    Action(
        "measure", "m", "Measure", "Show examples per second, steps per second, or efficiency.", when="chart"
    ),
    Action("side", "t", "Table", "Hide or show the numbers.", part="panes"),
    Action("copy", "c", "Copy command", "Copy the command that measures speeds of this workload."),
)
