"""`launch --shard`: the part of the sweep that this process trains, and its database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hvdsweep.cli.options import together
from hvdsweep.errors import UserError

if TYPE_CHECKING:
    from hvdsweep.plan import Plan

shard_options = together(
    click.option(
        "--shard",
        metavar="K/N",
        help="Train only the K-th of N parts; auto: that of this array job. --db names a batch folder, or a file NAME.db.",
    ),
    click.option(
        "--scratch",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Train in DIR, on a disk of this machine; copy the database whole to --db every minute and at the end.",
    ),
)
"""Passed as `shard: str | None` and `scratch: Path | None`."""


def shard_of(plans: list[Plan], shard: str | None, db: Path) -> tuple[list[Plan], Path]:
    """The parts of the plans that this process trains, and their database. UserError for an impossible request."""
    from hvdsweep.batch.folder import BatchFolder, is_batch_folder

    # A name without .db is a folder's: all jobs of an array would train into one file else.
    new = shard is not None and not db.exists() and db.suffix in ("", ".batch")
    folder = BatchFolder(db) if new or db.is_dir() else None
    if shard is None:
        if folder is not None and is_batch_folder(db):
            raise UserError(
                f"{db}: is a batch folder. Say which part to train: --shard K/N, or --shard auto."
            )
        return plans, db
    from hvdsweep.batch.shards import parse_shard, part_of

    part = parse_shard(shard, folder)
    if folder is not None:
        db = folder.shard(part.index)
    # Next to the database's final path, which all shards can reach.
    return [part_of(plan, part, db.absolute().parent / "exchange") for plan in plans], db


@contextmanager
def placed(plans: list[Plan], db: Path, scratch: Path | None) -> Iterator[Path]:
    """Prepare what a shard needs before it trains; inside the block, the database to train into."""
    from hvdsweep.batch.shards import ShardPlan

    if any(isinstance(plan, ShardPlan) for plan in plans) and db.parent.name == "shards":
        from hvdsweep.batch.folder import BatchFolder
        from hvdsweep.batch.plans import write_plan

        db.parent.mkdir(parents=True, exist_ok=True)
        write_plan(
            BatchFolder(db.parent.parent),
            [plan.whole for plan in plans if isinstance(plan, ShardPlan) and plan.whole],
        )
    if scratch is None:
        yield db
        return
    from hvdsweep.batch.scratch import Scratch

    with Scratch(scratch, db, [plan.key for plan in plans]) as local:
        yield local
