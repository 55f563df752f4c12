"""Opens a store for reading: a database file, or a folder with a batch's shards."""

from __future__ import annotations

import os
from pathlib import Path

from hvdsweep.batch.folder import is_batch_folder
from hvdsweep.store.store import Store


def open_store(path: str | os.PathLike[str]) -> Store:
    """The store at `path`, read-only; a batch folder is read as one store of all its shards.

    UserError if it is missing, empty, not a store, too new, locked or damaged.
    """
    path = Path(path)
    if is_batch_folder(path):
        from hvdsweep.batch.view import FolderStore

        return FolderStore(path)
    return Store(path)
