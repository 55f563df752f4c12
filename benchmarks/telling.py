"""What the benchmarks share: the option that keeps figures as JSON, a table of them, and the store that viewers look at."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.generate import Size, generate


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """A command line with `--json FILE`."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    return parser


def tell(figures: Mapping[str, float], file: Path | None) -> None:
    """Print the figures, a line each, and keep them where a file is given."""
    for name, value in figures.items():
        print(f"{name:<72}{value:>12,.3f}")
    if file:
        machine = {"python": platform.python_version(), "cores": os.cpu_count()}
        file.write_text(json.dumps({**machine, **figures}, indent=1) + "\n")


def add_store_options(parser: argparse.ArgumentParser) -> None:
    """`--database`, `--trials` and `--rows`, for `given_store`."""
    parser.add_argument("--database", type=Path, help="a store; made anew where it does not exist")
    parser.add_argument("--trials", type=int, default=168_160)
    parser.add_argument("--rows", type=int, default=3_000_000)


@contextlib.contextmanager
def given_store(options: argparse.Namespace) -> Iterator[Path]:
    """The store that was asked for; one made for this run is removed after it."""
    with tempfile.TemporaryDirectory() as folder:
        database = options.database or Path(folder) / "store.db"
        if not database.exists():
            generate(database, Size(options.trials, options.rows))
        yield database
