"""The folder of a sweep that many jobs train, and the paths of its files."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hvdsweep.errors import UserError

SHARDS = "shards"
RECORD = "batch.json"


@dataclass(frozen=True)
class BatchFolder:
    """Paths only: it creates nothing, and reads nothing until asked."""

    path: Path

    @property
    def sweep(self) -> Path:
        """The sweep file as it was submitted."""
        return self.path / "sweep.toml"

    @property
    def plan(self) -> Path:
        """A store with every trial of the sweep PENDING: the whole that the shards are parts of."""
        return self.path / "plan.db"

    @property
    def record(self) -> Path:
        """What was submitted, as JSON: `shards` (their number), `np`, `scheduler`, `jobs`."""
        return self.path / RECORD

    @property
    def script(self) -> Path:
        return self.path / "job.sh"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def shards_folder(self) -> Path:
        return self.path / SHARDS

    def shard(self, index: int) -> Path:
        """The database of shard `index`, from 1; it exists once its job has begun."""
        return self.shards_folder / f"{index:04d}.db"

    def shards(self) -> list[tuple[int, Path]]:
        """(index, database) of every shard that has begun, by index."""
        try:
            names = [entry.name for entry in self.shards_folder.iterdir()]
        except OSError:
            return []
        found = (re.fullmatch(r"(\d{4,9})\.db", name) for name in names)
        return sorted((int(match[1]), self.shards_folder / match[0]) for match in found if match)

    def submitted(self) -> dict[str, Any]:
        """The content of `record`; empty if nothing was submitted. UserError if it cannot be read."""
        try:
            content = json.loads(self.record.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise UserError(
                f"{self.record}: cannot be read: {error}. Restore it, or submit into a new folder."
            ) from error
        if not isinstance(content, dict):
            raise UserError(f"{self.record}: is not a JSON object. Restore it, or submit into a new folder.")
        return content

    @property
    def count(self) -> int | None:
        """How many shards were submitted; None if `record` does not say."""
        count = self.submitted().get("shards")
        if count is None:
            return None
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise UserError(f"{self.record}: shards: {count!r} is not a whole number from 1.")
        return count


def is_batch_folder(path: Path) -> bool:
    """Whether `path` is a folder that contains shards, or is prepared for them."""
    try:
        return path.is_dir() and ((path / SHARDS).is_dir() or (path / RECORD).is_file())
    except OSError:
        return False
