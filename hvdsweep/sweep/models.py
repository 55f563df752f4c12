"""The sweep file as typed tables: one class per TOML table, one documented field per key. `checks` holds the
rules across keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, create_model, model_validator

from hvdsweep.algorithms import ALGORITHMS, Algorithm
from hvdsweep.store.schema import LARGEST_STEP, LONGEST_NAME
from hvdsweep.sweep.batch_sizes import LARGEST
from hvdsweep.sweep.metaparameters import LEARNING_RATE_EXAMPLE, BatchSizes, Metaparameters, SweepTable
from hvdsweep.sweep.trial_counts import Trials

SplitName = Literal["train", "val", "test"]

MAX_TRIALS_FACTOR = 4
"""`studies.max_trials` is this many times `studies.trials` unless the file gives it."""
DEFAULT_COUNT = 100
"""Measurements over the budget if [evaluation] gives neither `every` nor `count`."""


class SearchOverride(Metaparameters):
    """Another space for some batch sizes: each metaparameter given here replaces that of [search]."""

    batch_sizes: BatchSizes = Field(examples=["2^8..2^10"])
    """The batch sizes it applies to. They may include some that are not in the sweep yet."""


def _point_fields() -> dict[str, Any]:
    """A number for every metaparameter."""
    fields: dict[str, Any] = {}
    for name, about in Metaparameters.model_fields.items():
        plain = [example for example in about.examples or [] if not isinstance(example, dict)]
        example = plain[0] if plain else (about.examples or [{}])[0].get("min")
        fields[name] = (
            float | None,
            Field(default=None, examples=[example], description="As in [search]."),
        )
    return fields


if TYPE_CHECKING:

    class Point(SweepTable):
        """One exact trial."""

else:
    Point = create_model("Point", __base__=SweepTable, __doc__="One exact trial.", **_point_fields())


class Search(Metaparameters):
    """The search space: quasi-random points, the same number for every batch size; or a list of points."""

    points: list[Point] | None = Field(
        default=None, min_length=1, examples=[[{"learning_rate": 0.1, "momentum": 0.9}]]
    )
    """Trials to run instead of a search, the same for every batch size, in this order. Fixed metaparameters
    of [search] hold for every point that does not give them itself; ranges are not allowed together with points."""
    override: list[SearchOverride] = Field(
        [], examples=[[{"batch_sizes": [1024], "learning_rate": LEARNING_RATE_EXAMPLE}]]
    )
    """Other spaces for some batch sizes, each a `[[search.override]]` table. Not together with points."""
    widen: bool = False
    """Widen the ranges of a batch size whose best trial lies at the edge of one, and train more trials there.
    Not together with points."""


class Goal(SweepTable):
    """What a trial has to reach."""

    metric: str = Field(examples=["val/classification_error"])
    """`split/metric`. The metrics of a data set: `hvdsweep workloads`."""
    value: float = Field(examples=[0.05])
    """Reached strictly below this value (strictly above, when maximising)."""
    maximize: bool | None = Field(default=None, examples=[False])
    """Whether more is better. Default: true for `average_precision` and `accuracy`, else false."""


class _Amount(SweepTable):
    ONE_OF = ("steps", "examples", "epochs")

    steps: int | None = Field(default=None, ge=1, le=LARGEST_STEP, examples=[2000])
    """Updates of the weights."""
    examples: int | None = Field(default=None, ge=1, le=2**60, examples=[100000])
    """Training examples; steps are this many divided by the batch size, rounded down."""
    epochs: float | None = Field(default=None, gt=0, le=2**40, examples=[20])
    """Passes over the training set; steps are computed from the examples, rounded down. Only for built-in data
    sets."""


class BudgetOverride(_Amount):
    """Another budget for some batch sizes. Give exactly one of steps, examples, epochs."""

    batch_sizes: BatchSizes = Field(examples=[[1, 2]])
    """The batch sizes it applies to. They may include some that are not in the sweep yet."""


class Budget(_Amount):
    """How long a trial trains at most. Give exactly one of steps, examples, epochs."""

    override: list[BudgetOverride] = Field(default=[], examples=[[{"batch_sizes": [1, 2], "steps": 8000}]])
    """Other budgets for some batch sizes, each a `[[budget.override]]` table."""


class Evaluation(SweepTable):
    """When trials are measured, and on which data. The last step is always measured."""

    ONE_OF = ("every", "count")

    every: int | None = Field(title="steps apart", default=None, ge=1, examples=[20])
    """Steps between measurements. Not together with `count`."""
    count: int | None = Field(title="times", default=None, ge=1, examples=[100])
    """Measurements spread over the budget (at most this many, at even distances). Not together with `every`.
    Default: 100."""
    splits: list[SplitName] = Field(
        title="measured on", default=["val"], min_length=1, examples=[["val", "test"]]
    )
    """Parts of the data set to measure, each in full."""
    at_start: bool = True
    """Measure the initial weights too, as step 0."""


class Studies(SweepTable):
    """One study per batch size, each with its own search."""

    batch_sizes: BatchSizes = Field(examples=["2^1..2^10"])
    """Global batch sizes, over all ranks: a list, or a range in quotes: `"2^1..2^10"` doubles, `"8..2048 *4"`
    goes in steps of 4."""
    trials: Trials | None = Field(default=None, examples=[24])
    """Trials per study that did not diverge: a number; a number per batch size, `{ 64 = 9, default = 3 }`; or
    `{ least = 8, most = 64, until = 0.1 }`, more of them where the answer is least certain. Required, except
    with `search.points`, which gives the number."""
    max_trials: int | None = Field(default=None, ge=1, le=10_000_000, examples=[96])
    """Trials per study including those that replace diverged ones. Default: 4 times `trials` (or its `most`)."""
    repeats: int = Field(default=0, ge=0, le=100, examples=[5])
    """How often the best trial of each study is trained again, with other seeds, once its search is finished. Repeats
    show how lucky the best trial was, and do not count as trials of the search."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Seed of everything random: points of the search, initial weights, order of examples, dropout."""


class Training(SweepTable):
    """How a trial is trained."""

    micro_batch: int = Field(default=1024, ge=1, le=LARGEST, examples=[256])
    """Examples per rank per pass; a larger share is accumulated over several passes. Changes memory and speed
    only."""
    schedule: Literal["constant", "linear"] = "constant"
    """Learning rate: `constant`, or `linear`: decayed linearly to `end_learning_rate_factor` times its start
    over `learning_rate_decay_steps`, then constant."""
    stop: Literal["budget", "goal", "beaten"] = "budget"
    """When a trial ends: at its `budget`; at its `goal`; or also as soon as it is `beaten`: another trial of
    the study has reached the goal in fewer steps. The last two save time; they leave the steps to this goal
    unchanged, but not those to other goals."""
    margin: float = Field(default=0.0, ge=0, le=100, examples=[0.25])
    """With `stop = "beaten"`: how much slower than the best a trial has to be before it is stopped, as a share
    of the best trial's steps. With 0.25 a trial continues until it has made 1.25 times as many steps. This shows
    how many trials come close, which the intervals need."""
    noise_scale: bool = False
    """Estimate the gradient noise scale while trials train (docs/intervals.md). Losses stay the same. An estimate takes
    as long as one to four steps, and there is one in 512 steps; a workload starts half a second to two seconds later."""
    noise_layers: bool = False
    """Estimate the noise scale of every layer, too. Needs `noise_scale`."""


class Infeasible(SweepTable):
    """What counts as diverged, in addition to a loss or a weight that is not finite. A diverged trial is recorded and
    replaced by another."""

    loss_above: float | None = Field(default=None, gt=0, examples=[1000.0])
    """A training loss above this is a divergence."""


class Sweep(SweepTable):
    """A sweep: one or more workloads (data set, model, training algorithm), each trained at several batch
    sizes with its metaparameters tuned at each of them."""

    SINGLE: ClassVar[dict[str, str]] = {"algorithm": "algorithms"}

    name: str | None = Field(default=None, min_length=1, max_length=LONGEST_NAME, examples=["digits"])
    """Name to list the sweep under, at most 100 characters. Default: the file's name."""
    description: str | None = Field(
        default=None, examples=["How far data parallelism pays on handwritten digits"]
    )
    """A free comment."""
    dataset: str = Field(title="data set", min_length=1, examples=["digits"])
    """A built-in data set (`hvdsweep workloads` lists them), or your own `module:function`, next to this
    file."""
    dataset_options: dict[str, Any] = Field(default={}, examples=[{}])
    """Options of the data set."""
    model: str = Field(min_length=1, examples=["fc_128"])
    """A built-in model, or your own `module:function`, next to this file."""
    model_options: dict[str, Any] = Field(default={}, examples=[{}])
    """Options of the model: widths, number of layers, ..."""
    algorithms: list[Algorithm] = Field(default=[], examples=[list(ALGORITHMS)])
    """Training algorithms, one workload each: `sgd`, `momentum` (heavy ball), `nesterov_momentum`."""
    algorithm: Algorithm | None = Field(default=None, examples=["sgd"])
    """A single training algorithm, instead of `algorithms`."""
    goal: Goal = Field(examples=[{"metric": "val/classification_error", "value": 0.05}])
    budget: Budget = Field(examples=[{"steps": 2000}])
    evaluation: Evaluation = Field(default=Evaluation())
    studies: Studies = Field(examples=[{"batch_sizes": "2^1..2^10", "trials": 24}])
    search: Search = Field(examples=[{"learning_rate": LEARNING_RATE_EXAMPLE}])
    training: Training = Field(default=Training())
    infeasible: Infeasible = Field(default=Infeasible())

    @model_validator(mode="after")
    def _one_name_for_algorithms(self) -> Sweep:
        if self.algorithm is not None and not self.algorithms:
            self.__dict__.update(algorithms=[self.algorithm], algorithm=None)
        return self


TABLES: dict[str, type[SweepTable]] = {
    "": Sweep,
    "goal": Goal,
    "budget": Budget,
    "budget.override": BudgetOverride,
    "evaluation": Evaluation,
    "studies": Studies,
    "search": Search,
    "search.points": Point,
    "search.override": SearchOverride,
    "training": Training,
    "infeasible": Infeasible,
}
"""Dotted name (without indices) -> class, in the order of the file's reference."""

KEYS: dict[str, tuple[str, ...]] = {table: tuple(model.model_fields) for table, model in TABLES.items()}
"""SweepTable ("" for the top) -> its keys, in the order of documentation and of written files."""
