"""The part of the Live screen that tails the logs of a gang's ranks."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tui.screens.base import Place
from tui.widgets.logview import LogView

if TYPE_CHECKING:
    from hvdsweep.launch.logs import LogPart
    from hvdsweep.store.store import Store

LOG_SECONDS = 0.5
"""How often the log in view is looked at."""


class LogPane(Place):
    """One log of one gang in the LogView `#logs`, read bit by bit while it is in view."""

    def __init__(self) -> None:
        super().__init__()
        self.log_gang: int | None = None
        self.log_files: list[Path] = []
        """Of that gang: rank 0, rank 1, ..., horovodrun."""
        self._log_place = 0
        self._log_offset: int | None = None

    @property
    def logs_in_view(self) -> bool:
        """Whether the log is to be read now."""
        return False

    @property
    def has_logs(self) -> bool:
        return self.logs_in_view and len(self.log_files) > 1

    @property
    def log_file(self) -> Path | None:
        """The log in view."""
        return self.log_files[self._log_place % len(self.log_files)] if self.log_files else None

    def on_mount(self) -> None:
        self.set_interval(LOG_SECONDS, self.look_at_log)

    def choose_log(self, sweep: int, gang: int | None) -> None:
        """Show the logs of a gang; None: of the newest that worked on the sweep."""
        self.ask(self.answer_files, (sweep, gang), partial(_files, sweep, gang))

    def answer_files(self, about: object, value: tuple[int, list[Path]] | None) -> None:
        if value is None:
            self.log_gang, self.log_files = None, []
            self.query_one("#logs", LogView).clear("no gang has worked on this sweep yet")
        elif value != (self.log_gang, self.log_files):
            self.log_gang, self.log_files = value
            self._log_place = 0
            self._begin_log()

    def action_log_file(self) -> None:
        self._log_place = (self._log_place + 1) % max(1, len(self.log_files))
        self._begin_log()

    def _begin_log(self) -> None:
        self._log_offset = None
        gone = f"the logs of gang {self.log_gang} are not on this machine"
        self.query_one("#logs", LogView).clear("nothing said yet" if self.log_files else gone)
        self.log_chosen()
        self.look_at_log()
        self.refresh_keys()

    def log_chosen(self) -> None:
        """Another log is in view."""

    def look_at_log(self) -> None:
        """Read what was written since the last look."""
        path = self.log_file
        if path is not None and self.logs_in_view and self.is_current:
            self.ask(self.answer_log, path, partial(_read, path, self._log_offset))

    def answer_log(self, about: object, value: LogPart | None) -> None:
        if value is None or value.offset == self._log_offset:
            return
        view = self.query_one("#logs", LogView)
        if value.anew:
            view.clear()
        self._log_offset = value.offset
        view.extend(value.lines)


def _files(sweep: int, gang: int | None, reader: Store) -> tuple[int, list[Path]] | None:
    from hvdsweep.launch.logs import log_files

    gangs = reader.gangs(sweep)
    chosen = next((row for row in gangs if row.id == gang), gangs[-1] if gangs else None)
    return None if chosen is None else (chosen.id, log_files(chosen.log_dir))


def _read(path: Path, offset: int | None, reader: Store) -> LogPart | None:
    from hvdsweep.launch.logs import read_log

    try:
        return read_log(path, offset)
    except OSError:
        return None
