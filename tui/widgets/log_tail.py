"""The logs of a gang's ranks: one at a time, read bit by bit while it is in view."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

from tui.questions import questions_of
from tui.widgets.logview import LogView

if TYPE_CHECKING:
    from hvdsweep.launch.logs import LogPart
    from hvdsweep.store.store import Store

LOG_SECONDS = 0.5
"""How often the log in view is looked at."""


class LogTail(LogView):
    """Follows one log of one gang."""

    class Chosen(Message):
        """Another log is in view."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(empty="no log", id=id)
        self.gang: int | None = None
        self.files: list[Path] = []
        """Of that gang: rank 0, rank 1, ..., horovodrun."""
        self._number = 0
        self._offset: int | None = None

    @property
    def file(self) -> Path | None:
        """The log in view."""
        return self.files[self._number % len(self.files)] if self.files else None

    def on_mount(self) -> None:
        self.set_interval(LOG_SECONDS, self.look)

    def choose(self, sweep: int, gang: int | None) -> None:
        """Show the logs of a gang; None: of the newest that worked on the sweep."""
        questions_of(self).ask(self.answer_files, (sweep, gang), partial(_files, sweep, gang))

    def answer_files(self, about: object, value: tuple[int, list[Path]] | None) -> None:
        if value is None:
            self.gang, self.files = None, []
            self.clear("no gang has worked on this sweep yet")
        elif value != (self.gang, self.files):
            self.gang, self.files = value
            self._number = 0
            self._begin()

    def action_log_file(self) -> None:
        self._number = (self._number + 1) % max(1, len(self.files))
        self._begin()

    def _begin(self) -> None:
        self._offset = None
        gone = f"the logs of gang {self.gang} are not on this machine"
        self.clear("nothing written yet" if self.files else gone)
        self.post_message(self.Chosen())
        self.look()

    def look(self) -> None:
        """Read what was written since the last look."""
        path = self.file
        if path is not None and self.display and self.screen.is_current:
            questions_of(self).ask(self.answer_part, path, partial(_read, path, self._offset))

    def answer_part(self, about: object, value: LogPart | None) -> None:
        if value is None or value.offset == self._offset:
            return
        if value.restarted:
            self.clear()
        self._offset = value.offset
        self.extend(value.lines)


def _files(sweep: int, gang: int | None, store: Store) -> tuple[int, list[Path]] | None:
    from hvdsweep.launch.logs import log_files

    gangs = store.gangs(sweep)
    chosen = next((row for row in gangs if row.id == gang), gangs[-1] if gangs else None)
    return None if chosen is None else (chosen.id, log_files(chosen.log_dir))


def _read(path: Path, offset: int | None, store: Store) -> LogPart | None:
    from hvdsweep.launch.logs import read_log

    try:
        return read_log(path, offset)
    except OSError:
        return None
