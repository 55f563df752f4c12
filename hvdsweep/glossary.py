"""The words and numbers on the screens, with their rules: the source of the interface's help and docs/glossary.md.

`python -m hvdsweep.glossary > docs/glossary.md` writes the page. A test checks that it names every column, state and legend.
"""

from __future__ import annotations

from dataclasses import dataclass

SCREENS = {
    "sweeps": "Sweeps",
    "compose": "Compose",
    "live": "Live",
    "scaling": "Scaling",
    "metaparameters": "Metaparameters",
    "throughput": "Throughput",
    "trial": "A trial",
}
"""Name of a screen -> its title, in display order."""

EVERYWHERE = " ".join(SCREENS)


@dataclass(frozen=True)
class GlossaryEntry:
    """One thing that a screen shows."""

    words: tuple[str, ...]
    """How it is written; several words if they share a rule."""
    rule: str
    screens: tuple[str, ...]
    """Where it is shown."""

    @property
    def heading(self) -> str:
        return ", ".join(self.words)


def _entry(words: str, screens: str, rule: str) -> GlossaryEntry:
    return GlossaryEntry(tuple(words.split("|")), rule, tuple(screens.split()))


GLOSSARY = (
    # What a sweep is made of
    _entry("workload", EVERYWHERE, "Data set, model and training algorithm together: `digits/fc_32/sgd`."),
    _entry("batch|batch size|B", EVERYWHERE, "Examples per update, summed over all ranks."),
    _entry("study|studies", "sweeps compose", "All trials of one workload at one batch size."),
    _entry(
        "trial",
        EVERYWHERE,
        "One training run with one choice of metaparameters; the number is its id in the database.",
    ),
    _entry("workloads", "sweeps", "How many workloads the sweep has."),
    _entry("#", "sweeps", "The sweep's id, for `--sweep`."),
    _entry(
        "sweep", "sweeps live scaling", "The sweep's name: `name` in the sweep file, else the file's name."
    ),
    _entry(
        "step|steps",
        EVERYWHERE,
        "Updates of the weights: of a trial, those made; of a plan, the budget; on Scaling, the fewest in which a trial "
        "reached the goal (`> 200`: none did within 200).",
    ),
    _entry(
        "ranks|rank",
        "compose live scaling throughput",
        "Horovod processes that share each batch of one trial.",
    ),
    _entry(
        "gang|gangs",
        "sweeps live trial",
        "Ranks of one horovodrun that train one trial after another together; gangs work side by side.",
    ),
    _entry(
        "gangs × ranks",
        "sweeps",
        "Gangs side by side, and ranks of each. `auto on 4`: each study has its own, on 4 slots.",
    ),
    # States of a sweep
    _entry(
        "● running",
        "sweeps live trial",
        "Of a sweep: its supervisor is at work. Of a trial: a gang trains it.",
    ),
    _entry("◐ stopping", "sweeps live", "The sweep was asked to stop; its gangs save their trials."),
    _entry(
        "○ stopped",
        "sweeps live",
        "No supervisor is at work, and trials are left: `r` continues. Of a job: it ended with trials left.",
    ),
    _entry("✓ done", "sweeps live", "Every study (of a job: of its shard) has all its trials."),
    _entry(
        "✗ failed",
        "sweeps live",
        "The sweep, or the job, ended with an error: see the last event, or the job's last log line.",
    ),
    _entry(
        "✗ killed",
        "sweeps live",
        "The supervisor, or the job, was killed; `r` (`batch resubmit`) continues from the stored results.",
    ),
    _entry("▣ imported", "sweeps live", "Results from `hvdsweep import`; there is nothing to train."),
    # Numbers of a sweep and of a study
    _entry(
        "progress",
        "sweeps live",
        "The share of trials that have ended; for a gang, the share of its trial's steps.",
    ),
    _entry(
        "trials|complete",
        "sweeps live",
        "Complete and wanted trials: `9/12`. `≤64`: rounds may ask for up to 64. `+3/5`: repeats of best trials.",
    ),
    _entry("running", "sweeps", "Trials of the study that gangs train now, repeats included."),
    _entry(
        "diverged",
        "sweeps metaparameters",
        "Trials whose loss or weights became infinite or NaN; other trials replace them.",
    ),
    _entry("failed", "sweeps", "Trials that were given up after too many failed attempts."),
    _entry(
        "time each",
        "sweeps",
        "Mean time of the study's last trials. The first counts only if it is the only one, since it also compiled.",
    ),
    _entry(
        "work left",
        "sweeps",
        "Trials left × time each, on one gang; before a trial has ended, by the speed of other studies.",
    ),
    _entry(
        "left",
        "sweeps live",
        "Expected time until the sweep is done, without later rounds and repeats. Of a job: until its time limit.",
    ),
    _entry("steps each", "sweeps", "The budget of each trial, in updates; `by time`: the budget is a time."),
    _entry("started", "sweeps trial", "When it was first trained, in this machine's time."),
    _entry("any", "sweeps", "Any gang trains the study."),
    # The line at the top
    _entry("● 1 training", EVERYWHERE, "At the top right: how many sweeps are trained now."),
    _entry("○ idle", EVERYWHERE, "At the top right: nothing is trained. Of a gang: it waits for a trial."),
    _entry(
        "✗ no data|✗ unreadable",
        EVERYWHERE,
        "There is no database, or it cannot be read; the screen says why.",
    ),
    # Compose
    _entry(
        "algorithm", "compose", "The training algorithm of the study: sgd, momentum, nesterov_momentum, ..."
    ),
    _entry(
        "per rank",
        "compose",
        "Examples of each batch that one rank computes; ranks may differ by one example.",
    ),
    _entry("passes", "compose", "Micro-batches that a rank computes in turn for each update."),
    _entry("measured", "compose", "How often each trial is evaluated."),
    # Live: gangs and events
    _entry("state", "sweeps live", "What the sweep, or the gang, is doing."),
    _entry("◌ starting", "live", "The gang's ranks start: horovodrun, TensorFlow, data, compilation."),
    _entry("● training", "live", "The gang trains a trial."),
    _entry("■ stopped", "live", "The gang ended on request."),
    _entry("✗ dead", "live", "The gang crashed or was killed; another gang takes its trial."),
    _entry(
        "heard",
        "live",
        "Time since the gang last recorded something. A gang without a sign of life for too long is ended.",
    ),
    _entry("host", "live", "The machine, or machines, of the gang."),
    _entry(
        "time",
        "live compose scaling",
        "Of a trial: its duration. Of an event: when it happened. Of a plan: training time only.",
    ),
    _entry("kind", "live", "What the event is about: the run, a gang, a trial, ..."),
    _entry("what happened", "live", "The event in words."),
    # Live: jobs of a batch folder
    _entry("shard", "live", "The part of a sweep that one job trains, in its own database."),
    _entry("job", "live", "The job's number in Slurm."),
    _entry("node", "live", "The machine on which the job runs."),
    _entry("what", "live", "Why the job waits, what it trains, or its last log line."),
    _entry(
        "· waits|◌ requeued|◐ suspended",
        "live",
        "Of a job: Slurm has not started it, will start it again, or has paused it.",
    ),
    _entry("◐ ending", "live", "The job has ended; Slurm is cleaning up."),
    _entry("· no job", "live", "The shard was not submitted."),
    _entry("? unknown", "live", "Slurm cannot be asked, or does not answer."),
    _entry("■ cancelled", "live", "The job was cancelled."),
    _entry("✗ gone", "live", "Slurm no longer knows the job, and it did not record its end."),
    _entry("✗ node down|✗ no memory|✗ time is up|◐ preempted", "live", "Why Slurm ended it."),
    # Trials
    _entry("status", "live trial", "The state of the trial."),
    _entry("· pending", "live trial", "No gang has begun it, or it waits to be trained again."),
    _entry("✓ complete|✓ budget", "live trial", "It was trained to the end of its budget."),
    _entry("✓ goal", "live trial", "It ended when it reached the goal, as the sweep asks."),
    _entry(
        "✓ beaten",
        "live trial",
        "It ended early: another trial had reached the goal in fewer steps.",
    ),
    _entry("▲ infeasible", "live trial", "It diverged: its loss or weights became infinite or NaN."),
    _entry("✗ incomplete", "live trial", "It was given up after too many failed attempts."),
    _entry(
        "best",
        "live scaling trial",
        "The best measurement of the goal's metric; in a trial's table, of the row's metric.",
    ),
    _entry(
        "goal at",
        "live trial",
        "The first step beyond the goal: below its value, or above it if more is better.",
    ),
    _entry(
        "number",
        "live trial",
        "The trial's place in its study's search, from 0; `3·1` is the first repeat of number 3.",
    ),
    _entry("failures", "live trial", "How often a gang failed while it trained this trial."),
    _entry("rate|learning rate", "live metaparameters trial", "The learning rate, before any schedule."),
    _entry(
        "momentum", "live metaparameters trial", "Share of the last update that is added to the next one."
    ),
    _entry(
        "best learning rate", "metaparameters", "The learning rate of the trial that reached the goal first."
    ),
    _entry(
        "effective rate|best effective learning rate",
        "metaparameters trial",
        "Learning rate / (1 - momentum).",
    ),
    _entry("decay steps", "live trial", "Updates over which a linear schedule lowers the learning rate."),
    _entry("end factor", "live trial", "Learning rate at the end of the schedule, relative to its start."),
    _entry("label smoothing", "live trial", "Probability moved from the label to the other classes."),
    _entry("weight decay", "live trial", "Factor of the weights added to the gradient (L2)."),
    _entry("dropout", "live trial", "Share of activations that are left out in each training step."),
    _entry(
        "loss|training loss",
        "live trial",
        "Mean loss of the step's batch, over all ranks, before the update.",
    ),
    _entry("metric", "trial", "The split (`train`, `val` or `test`) and what is measured on it."),
    _entry("at step", "trial", "The first step with that best measurement."),
    _entry("last", "trial", "The last finite measurement."),
    _entry("points", "trial", "How many measurements there are."),
    _entry(
        "goal",
        "compose scaling trial",
        "The measurement to reach: strictly below it, or above it if more is better.",
    ),
    _entry("took", "trial", "Time from its last start to its end."),
    _entry("seed", "trial", "The seed of initial weights, order of examples and dropout."),
    _entry("chosen", "trial", "Why it was chosen, if trials are ordered by merit."),
    # Scaling
    _entry(
        "max useful",
        "scaling",
        "The smallest batch size whose fitted steps are within 10 % of those at the largest; ≥: may be larger.",
    ),
    _entry(
        "critical",
        "scaling",
        "The batch size at which the fit needs 20 % more examples than at the smallest.",
    ),
    _entry(
        "repeat 95%|95 %",
        "scaling",
        "Where the best of a repeated search with as many trials would lie, 95 times in 100.",
    ),
    _entry("examples", "scaling", "Steps × batch size."),
    _entry("tokens", "scaling", "Examples × sequence length, of language workloads."),
    _entry("cost", "scaling", "Time to the goal × ranks."),
    _entry("/ 64", "scaling", "Steps divided by those at this batch size."),
    _entry("on", "scaling", "The number of ranks of this time or cost."),
    _entry("overhead", "scaling", "Examples to the goal, relative to the smallest batch size, minus 1."),
    _entry(
        "reached", "scaling", "Trials that reached the goal, and trials that count; diverged ones do not."
    ),
    _entry("region", "scaling", "Given only if all likely curves (80 %) agree."),
    _entry(
        "perfect|perfect scaling",
        "scaling",
        "Twice the batch size, half the steps: up to the critical batch size. Dashed: from the smallest one.",
    ),
    _entry(
        "diminishing|diminishing returns",
        "scaling",
        "Between the critical and the maximum useful batch size.",
    ),
    _entry(
        "maximal|maximal parallelism|maximal data parallelism",
        "scaling",
        "From the maximum useful batch size on: a larger batch saves no steps.",
    ),
    _entry("undecided", "scaling", "The data allow more than one region."),
    _entry(
        "not reached",
        "scaling metaparameters",
        "No trial reached the goal within its budget; an open marker at the budget.",
    ),
    _entry(
        "mean of repeats",
        "scaling",
        "Steps of the best trial's repeats with other seeds: mean ± standard deviation (how many).",
    ),
    _entry(
        "luck",
        "scaling",
        "Share of steps that the search's best trial saved, compared with the mean of its repeats.",
    ),
    _entry(
        "fit",
        "scaling",
        "S = S_min (1 + B_crit / B), or with a free knee if that fits clearly better.",
    ),
    _entry(
        "lack of fit",
        "scaling",
        "Root mean square of measured / fitted steps - 1; then the value that the trials' scatter alone would give.",
    ),
    _entry("no fit", "scaling", "Why no formula is fitted."),
    _entry("B_crit", "scaling", "Of the fit: the batch size at which steps are twice S_min."),
    _entry("S_min", "scaling", "Of the fit: steps to the goal with infinitely large batches."),
    _entry("E_min", "scaling", "Of the fit: examples to the goal with infinitely small batches."),
    _entry(
        "noise scale",
        "scaling",
        "Gradient noise scale: variance of one example's gradient over the squared mean gradient.",
    ),
    _entry(
        "fastest",
        "scaling throughput",
        "On Scaling, the least time to the goal; on Throughput, the most examples per second.",
    ),
    _entry("cheapest", "scaling", "The least time × ranks to the goal."),
    _entry(
        "⚠|warning", "scaling metaparameters", "A reason to doubt the point: see the Metaparameters screen."
    ),
    # Metaparameters
    _entry("goal reached", "metaparameters", "Trials that reached the goal within the budget."),
    _entry(
        "goal not reached",
        "metaparameters",
        "Trials that did not reach the goal, including those that were stopped before.",
    ),
    _entry(
        "fewest steps",
        "metaparameters",
        "The trial that reached the goal first; the smallest number on ties.",
    ),
    _entry("1 - momentum", "metaparameters", "The share of each gradient that counts at once."),
    _entry("linear scaling", "metaparameters", "The smallest batch size's best rate × batch size."),
    _entry("square root", "metaparameters", "The smallest batch size's best rate × the root of batch size."),
    _entry(
        "as B^",
        "metaparameters",
        "The power of batch size with which the best rate grows, fitted, with its 95 % interval.",
    ),
    # Throughput
    _entry("examples/s", "throughput", "Training examples per second, of all ranks together."),
    _entry("steps/s", "throughput", "Updates per second."),
    _entry("efficiency", "throughput", "Examples/s per rank, relative to the fewest ranks (`base`)."),
    _entry("times", "throughput", "Speed relative to the fewest ranks."),
    _entry("ideal", "throughput", "Every rank as fast as on the fewest ranks."),
    _entry(
        "measured|on purpose|in trials|measured on",
        "throughput",
        "On purpose: by `hvdsweep scale`. In trials: during training; other gangs may have shared the machine.",
    ),
    _entry("when", "throughput", "When it was measured."),
)
"""In the order of help and documentation."""


def entries(screen: str) -> tuple[GlossaryEntry, ...]:
    """What this screen shows."""
    return tuple(entry for entry in GLOSSARY if screen in entry.screens)


def page() -> str:
    """docs/glossary.md."""
    lines = [
        "# Glossary",
        "",
        "Every word and number on the screens, with its rule; `?` shows those of the current screen. The meaning of",
        "intervals is in [intervals.md](intervals.md), the terms of the field are in [design.md](design.md).",
    ]
    for screen, title in SCREENS.items():
        shared = " (and on every other screen)"
        mine = [entry for entry in entries(screen) if screen == "sweeps" or len(entry.screens) < len(SCREENS)]
        lines += ["", f"## {title}", "", "| shown | rule |", "|---|---|"]
        for entry in mine:
            words = ", ".join(f"`{word}`" for word in entry.words)
            lines.append(f"| {words} | {entry.rule}{shared if len(entry.screens) == len(SCREENS) else ''} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    print(page(), end="")
