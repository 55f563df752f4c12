"""The form of a sweep: what the sweep file may say, as fields in the order in which one thinks of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from tui.composing.toml_text import value_at
from tui.composing.words import words_of
from tui.widgets.form_options import OptionRows
from tui.widgets.form_row import FormRow
from tui.widgets.form_rows import AmountRow, LineRow, NoteRow, PickRow, RanksRow, TicksRow
from tui.widgets.form_search import MetaparameterRow

if TYPE_CHECKING:
    from tui.composing.outlook import Guide, Remark

LINEAR = ("end_learning_rate_factor", "learning_rate_decay_steps")
"""Metaparameters of a linear schedule only."""


class Heading(Static):
    """A rule with a name."""

    DEFAULT_CSS = """
    Heading { height: 1; border-top: solid $border; border-title-color: $primary; border-title-style: bold; }
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self.border_title = title


class Form(VerticalScroll, can_focus=False):
    """All rows. It follows the text by `show`, marks what the check says by `mark`, and tells of edits by `FormRow.Edited`."""

    DEFAULT_CSS = """
    Form { height: 1fr; width: 1fr; scrollbar-size-vertical: 1; }
    Form #elsewhere { height: auto; padding: 0 1; color: $error; display: none; }
    Form #elsewhere.-said { display: block; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._tables: Mapping[str, Any] = {}

    def compose(self) -> ComposeResult:
        yield Static(id="elsewhere", markup=False)
        yield Heading("Workload")
        yield LineRow("dataset", "data set", "name", choices=_datasets)
        yield OptionRows("dataset_options")
        yield LineRow("model", "model", "name", choices=self._models)
        yield OptionRows("model_options")
        algorithms = ("sgd", "momentum", "nesterov_momentum")
        yield TicksRow("algorithms", "algorithms", algorithms, single="algorithm")
        yield Heading("Goal")
        yield LineRow("goal.metric", "metric", "name", choices=self._metrics)
        yield LineRow("goal.value", "goal", "number", short=True)
        yield PickRow(
            "goal.maximize",
            "better is",
            ("as usual", "less", "more"),
            default="as usual",
            values={"less": False, "more": True},
        )
        yield Heading("Studies, one per batch size")
        yield LineRow("studies.batch_sizes", "batch sizes", "sizes")
        yield LineRow("studies.trials", "trials", "number", short=True, unit="per study")
        yield LineRow(
            "studies.max_trials",
            "max. trials",
            "number",
            short=True,
            unit="incl. those that diverge",
        )
        yield LineRow("studies.seed", "seed", "number", short=True)
        yield AmountRow("budget", "budget", {"steps": "steps", "examples": "examples", "epochs": "epochs"})
        yield NoteRow("budget.override", "other budgets", _budgets)
        yield AmountRow(
            "evaluation", "measured", {"every": "steps apart", "count": "times"}, hints={"count": "100"}
        )
        yield TicksRow("evaluation.splits", "measured on", ("train", "val", "test"), default=("val",))
        yield PickRow(
            "evaluation.at_start",
            "initial weights",
            ("measured", "not measured"),
            default="measured",
            values={"measured": True, "not measured": False},
        )
        yield Heading("Search")
        yield NoteRow("search.points", "points", _points)
        for name, label, example in METAPARAMETERS:
            yield MetaparameterRow(name, label, example)
        yield NoteRow("search.override", "other spaces", _spaces)
        yield Heading("Training")
        yield PickRow("training.schedule", "schedule", ("constant", "linear"), default="constant")
        yield PickRow("training.stop", "a trial ends at", ("budget", "goal", "beaten"), default="budget")
        yield LineRow(
            "training.margin",
            "beaten by",
            "number",
            short=True,
            hint="0",
            unit="of the best trial's steps, at least",
        )
        yield LineRow(
            "training.micro_batch", "micro-batch", "number", short=True, unit="examples per rank and pass"
        )
        for key, label in (("noise_scale", "noise scale"), ("noise_layers", "by layer")):
            yield PickRow(
                f"training.{key}",
                label,
                ("not measured", "measured"),
                default="not measured",
                values={"not measured": False, "measured": True},
            )
        yield LineRow(
            "infeasible.loss_above", "diverged above", "number", short=True, hint="not finite", unit="loss"
        )
        yield Heading("Launch")
        yield RanksRow(
            "np",
            "ranks per trial",
            "number",
            short=True,
            hint="auto",
            unit="auto, or a number",
        )
        yield RanksRow("gangs", "side by side", "number", short=True, hint="1", unit="trials; not with auto")
        yield RanksRow("slots", "ranks at once", "number", short=True, hint="all", unit="with auto")
        yield Heading("About")
        yield LineRow("name", "name", "text")
        yield LineRow("description", "description", "text", hint="a note for people")

    @property
    def rows(self) -> Iterator[FormRow]:
        """All rows, from top to bottom, without those that are just coming or going."""
        return (row for row in self.query(FormRow) if row.is_mounted and not row.gone)

    def row(self, key: str) -> FormRow | None:
        """The row of a key."""
        return next((row for row in self.rows if row.key == key), None)

    def show(self, tables: Mapping[str, Any], *, but: FormRow | None = None, all_rows: bool = False) -> None:
        """Follow the text; the row `but`, which just changed it, stays as it was typed. So does a row whose field has the
        cursor, unless `all_rows`: then this is another sweep."""
        self._tables = tables
        linear = value_at(tables, ("training", "schedule")) == "linear"
        for row in self.rows:
            if all_rows or (row is not but and not row.typed_on and not row.in_use):
                row.show(tables)
        for options in self.query(OptionRows):
            options.show(tables)
        for name in LINEAR:
            decay = self.row(f"search.{name}")
            if decay is not None:
                decay.display = linear or value_at(tables, ("search", name)) is not None

    def mark(self, problems: Sequence[Remark], warnings: Sequence[Remark]) -> None:
        """Put every sentence beside the field it is about; those about nothing in the form stand above it."""
        wrong: dict[FormRow, list[str]] = {}
        doubtful: dict[FormRow, list[str]] = {}
        elsewhere: list[str] = []
        for remarks, found in ((problems, wrong), (warnings, doubtful)):
            for remark in remarks:
                row = self.row_about(remark.key)
                if not remark.key:
                    continue
                if row is None:
                    elsewhere.append(f"{remark.key}: {remark.text}")
                else:
                    found.setdefault(row, []).append(_within(row, remark))
        for row in self.rows:
            if not isinstance(row, RanksRow):
                row.say("\n".join(wrong.get(row, ())), "\n".join(doubtful.get(row, ())))
        line = self.query_one("#elsewhere", Static)
        line.update("\n".join(elsewhere))
        line.set_class(bool(elsewhere), "-said")

    def row_about(self, key: str) -> FormRow | None:
        """The row that a key of a message belongs to: the closest one above it, else the first one below it."""
        best, length = None, 0
        for row in self.rows:
            for own in row.keys:
                inside = key == own or key.startswith((f"{own}.", f"{own}["))
                if inside and len(own) > length:
                    best, length = row, len(own)
        if best is None and key:
            best = next(
                (
                    row
                    for row in self.rows
                    if row.display and any(own.startswith(f"{key}.") for own in row.keys)
                ),
                None,
            )
        if best is not None and not best.display:
            best.display = True
        return best

    def first_wrong(self) -> FormRow | None:
        """The first row with a mistake."""
        return next((row for row in self.rows if row.has_class("-wrong") and row.display), None)

    def facts(self, facts: Mapping[str, str]) -> None:
        """What is known about what the fields say."""
        for row in self.rows:
            row.fact(facts.get(row.key, ""))

    def guide(self, guides: Mapping[str, Guide]) -> None:
        """What the reference says of every key."""
        for row in self.rows:
            known = [guides[key] for key in row.keys if key in guides]
            meaning = next((guide.meaning for guide in known if guide.meaning), MEANINGS.get(row.key, ""))
            hint = next(
                (
                    guide.default or f"e.g. {guide.example}"
                    for guide in known
                    if guide.default or guide.example
                ),
                "",
            )
            row.guide(meaning, hint)

    @property
    def current(self) -> FormRow | None:
        """The row with the keyboard."""
        return next((row for row in self.rows if row.has_focus_within), None)

    def move(self, way: int) -> None:
        """The keyboard goes to a row above or below."""
        rows = [row for row in self.rows if row.display and row.first() is not None]
        at = next((index for index, row in enumerate(rows) if row.has_focus_within), None)
        target = 0 if at is None else at + way
        if 0 <= target < len(rows):
            self.screen.set_focus(rows[target].first())

    @property
    def typed_on(self) -> bool:
        """Whether something was typed or chosen that the text does not say yet."""
        return any(row.typed_on for row in self.rows)

    def _models(self) -> list[tuple[str, str]]:
        """Models, those that fit the data set first."""
        from workloads import architectures, catalogue

        tables = self._tables
        try:
            info = catalogue.dataset_info(str(tables.get("dataset")))
        except (KeyError, ValueError):
            info = None
        found: list[tuple[bool, str, str]] = []
        for name in catalogue.model_names():
            example = "fc_128" if name == architectures.FC.name else name
            fits = info is None or catalogue.check_model(example, {}, info) is None
            about = "any widths: fc_128, fc_1024_1024" if example != name else ""
            if info is not None and fits:
                about = f"{catalogue.parameter_count(example, info):,} weights{' · ' if about else ''}{about}"
            elif not fits:
                about = f"does not go with {tables.get('dataset')}"
            found.append((not fits, example, about))
        return [(name, about) for _, name, about in sorted(found, key=lambda entry: entry[0])]

    def _metrics(self) -> list[tuple[str, str]]:
        """The metrics of the data set on the splits that are measured, then on the others."""
        from workloads import catalogue

        tables = self._tables
        try:
            names = catalogue.dataset_info(str(tables.get("dataset"))).metrics
        except (KeyError, ValueError):
            names = tuple(dict.fromkeys(name for task in catalogue.METRICS.values() for name in task))
        measured = value_at(tables, ("evaluation", "splits"))
        measured = measured if isinstance(measured, list) else ["val"]
        splits = sorted(("val", "test", "train"), key=lambda split: split not in measured)
        return [
            (f"{split}/{name}", "" if split in measured else f"{split} is not measured yet")
            for split in splits
            for name in reversed(names)
        ]


MEANINGS = {
    "np": "Horovod ranks of one trial (--np): each takes its share of every batch, and their gradients are averaged. "
    "auto: as many for each batch size as finish the sweep soonest.",
    "gangs": "Trials trained at the same time (--gangs), each by ranks of its own; nothing is averaged between them.",
    "slots": "How many ranks may train at the same time under auto (--slots); empty: all GPUs of this machine, else all cores.",
}
"""What the sweep file's reference does not speak of."""

METAPARAMETERS = (
    ("learning_rate", "learning rate", ("0.1", "0.001", "10.0", "0.01, 0.1, 1.0")),
    ("momentum", "momentum", ("0.9", "0.8", "0.999", "0.0, 0.9, 0.99")),
    ("end_learning_rate_factor", "decays to", ("0.01", "1e-4", "0.1", "0.001, 0.01, 0.1")),
    ("learning_rate_decay_steps", "within steps", ("1000", "500", "1000", "500, 1000")),
    ("label_smoothing", "label smoothing", ("0.1", "0.0", "0.2", "0.0, 0.01, 0.1")),
    ("weight_decay", "weight decay", ("1e-4", "1e-6", "1e-3", "0.0, 1e-4, 1e-3")),
    ("dropout", "dropout", ("0.4", "0.0", "0.5", "0.0, 0.2, 0.4")),
)
"""Name, label, and what to begin with: a fixed value, both ends of a range, a list of values."""


def _datasets() -> list[tuple[str, str]]:
    from workloads import catalogue

    return [(name, f"{catalogue.dataset_info(name).train:,} examples") for name in catalogue.dataset_names()]


def _within(row: FormRow, remark: Remark) -> str:
    """A sentence under its row; with the rest of its key where that says more than the row does."""
    if remark.key in row.keys:
        return remark.text
    rest = next((remark.key[len(own) :] for own in row.keys if remark.key.startswith(own)), "")
    return f"{rest.lstrip('.')}: {remark.text}" if rest else remark.text


def _sizes(value: Any) -> str:
    return words_of(value) or "?"


def _budgets(value: Any) -> str:
    entries = [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
    said = []
    for entry in entries:
        amount = " ".join(
            f"{words_of(entry[unit])} {unit}" for unit in ("steps", "examples", "epochs") if unit in entry
        )
        said.append(f"{amount or '?'} for {_sizes(entry.get('batch_sizes'))}")
    return f"{'; '.join(said)} (in the TOML)"


def _spaces(value: Any) -> str:
    entries = [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
    said = []
    for entry in entries:
        names = ", ".join(key.replace("_", " ") for key in entry if key != "batch_sizes")
        said.append(f"{names or '?'} for {_sizes(entry.get('batch_sizes'))}")
    return f"{'; '.join(said)} (in the TOML)"


def _points(value: Any) -> str:
    several = len(value) if isinstance(value, list) else 0
    return f"{several} exact {'trial' if several == 1 else 'trials'} instead of a search (in the TOML)"
