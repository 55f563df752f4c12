"""What --dry-run says adds up: trials, steps, examples, the split of every batch, hours from measured speeds,
advice."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from rich.console import Console

from hvdsweep.cli.plan_view import render_summary, runs, totals
from hvdsweep.plan_summary import summarize
from hvdsweep.split import micro_batches, split_batch
from tests.sweep.texts import planned


@dataclass(frozen=True)
class Row:
    """A measured speed."""

    workload: str
    batch_size: int
    np: int
    gangs: int
    steps_per_second: float


def speeds(
    per_second: float, *, np: int = 2, gangs: int = 1, sizes: tuple[int, ...] = (8, 64, 512)
) -> list[Row]:
    """The same speed everywhere."""
    return [
        Row(f"digits/fc_128/{a}", size, np, gangs, per_second) for a in ("sgd", "momentum") for size in sizes
    ]


def test_totals_are_sums():
    """Against sums written out: 2 workloads, 3 batch sizes, 24 trials, 2000 steps."""
    summary = summarize(planned(), np=3)
    assert len(summary.studies) == 6
    assert summary.trials == 2 * 3 * 24
    assert summary.steps == 2 * 3 * 24 * 2000
    assert summary.examples == 2 * 24 * 2000 * (8 + 64 + 512)
    assert summary.hours is None
    assert {study.measurements for study in summary.studies} == {101}


def test_the_split_is_that_of_training():
    """Ranks and passes are those of `split_batch` and `micro_batches`, the granule of ghost batches
    included."""
    for plan, granule in ((planned(), 1), (planned(("fc_128", "resnet_50")), 32)):
        for study in summarize(plan, np=3).studies:
            shares = split_batch(study.batch_size, 3, granule)
            assert study.ranks == tuple(b - a for a, b in shares)
            assert study.passes == tuple(
                tuple(b - a for a, b in micro_batches(s, 256, granule)) for s in shares
            )


def test_hours_from_measured_speeds():
    """Steps divided by steps per second, shared by the gangs; only rows of the same np count; the last row
    wins."""
    plan = planned()
    summary = summarize(plan, 2, 1, [*speeds(1.0), *speeds(50.0), *speeds(9.0, np=1)])
    assert summary.hours == pytest.approx(2 * 3 * 24 * 2000 / 50 / 3600)
    assert all(study.measured for study in summary.studies)
    assert summarize(plan, 2, 4, speeds(50.0)).hours == pytest.approx(2 * 3 * 24 * 2000 / 50 / 3600 / 4)
    assert summarize(plan, 1, 1, speeds(50.0)).hours is None


def test_speeds_of_other_batch_sizes():
    """From the nearest one measured: a smaller batch is faster per step, a larger one slower, less than in proportion; marked as
    not measured. Speeds of another algorithm of the same model are used alike, those of another model are not."""
    summary = summarize(planned(), 2, 1, speeds(80.0, sizes=(64,)))
    small, middle, large = (study.steps_per_second for study in summary.studies[:3])
    assert middle == 80.0
    assert 80.0 < small < 640.0
    assert 10.0 < large < 80.0
    assert [study.measured for study in summary.studies[:3]] == [False, True, False]
    only_sgd = speeds(80.0, sizes=(64,))[:1]
    assert [
        study.steps_per_second for study in summarize(planned(), 2, 1, only_sgd).studies[3:]
    ] == pytest.approx([small, 80.0, large])
    assert summarize(planned(("fc_128", "fc_64")), 2, 1, only_sgd).hours is None


def test_advice_prefers_gangs_for_small_shares():
    """A small net on two ranks: gangs instead, and why; on one rank: nothing is spent on averaging; a large
    net: ranks pay."""
    small = summarize(planned(("fc_128", "fc_16")), np=4, gangs=2).advice
    assert "--gangs 8 --np 1" in small
    assert "more than it saves" in small
    assert "averaging" in summarize(planned(), np=1).advice
    large = summarize(planned(("fc_128", "fc_4096_4096")), np=4).advice
    assert "speed up a single trial at batch sizes from" in large or "at every batch size" in large


def test_json_is_plain():
    """The --json form is JSON without loss, and carries warnings."""
    summary = summarize(planned(("512]", "2048]")), 2, 2, speeds(50.0))
    found = json.loads(json.dumps(summary.to_json()))
    assert found["studies"][0]["ranks"] == [4, 4]
    assert found["np"] == 2
    assert "more than the 1297 training examples" in found["warnings"][0]


def test_equal_neighbours_are_counted():
    """`2x 22, 21`, not a list of every rank."""
    assert runs((22, 22, 21)) == "2x 22, 21"
    assert runs((1, 0, 0)) == "1, 2x 0"
    assert runs(()) == ""


GOLDEN = """\
digits/fc_128/momentum

batch size         trials   steps   measured   per rank      passes      hours
──────────────────────────────────────────────────────────────────────────────
7   24 (max. 96)   2,000       101x   3, 2x 2       1          ~0.032
512   24 (max. 96)   2,000       101x   2x 171, 170   3: 3x 57     0.27

good: 1 workload, 2 studies, 48 trials, 96,000 steps, 24,912,000 examples; 2 gangs of 3 ranks; about
8 min 57 s of training.
""".splitlines()


def test_the_table_for_people():
    """A text golden of the rendered plan."""
    plan = planned(
        ('["sgd", "momentum"]', '["momentum"]'),
        ("[8, 64, 512]", "[7, 512]"),
        ("micro_batch = 256", "micro_batch = 64"),
    )
    console = Console(width=100, force_terminal=False, color_system=None)
    with console.capture() as capture:
        console.print(render_summary(summarize(plan, 3, 2, [Row("digits/fc_128/momentum", 512, 3, 2, 50.0)])))
    lines = [line.strip() for line in capture.get().splitlines()]
    assert lines[: len(GOLDEN)] == GOLDEN
    assert totals(summarize(plan, 3, 2)).startswith("good: 1 workload, 2 studies, 48 trials")
