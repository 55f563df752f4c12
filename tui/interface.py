"""The application as its screens see it, so that no screen knows the class that shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from hvdsweep.charts import Chart, View
from tui.actions import Action
from tui.memory import Memory
from tui.screens import PlaceSpec
from tui.selection import Selection

if TYPE_CHECKING:
    from hvdsweep.batch.status import BatchState
    from tui.curve_cache import CurveCache
    from tui.launching import Pending
    from tui.snapshot import Snapshot
    from tui.source import Source, Trouble


class ShownKeys(Protocol):
    """What can be done on a screen."""

    @property
    def possible(self) -> tuple[Action, ...]: ...


class ShownScreen(Protocol):
    """A screen, as the application's other parts see it."""

    @property
    def keys(self) -> ShownKeys: ...
    def perform(self, action: str) -> Any: ...
    def refresh_keys(self) -> None: ...
    def show_jobs(self, state: BatchState) -> None: ...


class WatchedJobs(Protocol):
    """The jobs of the batch folder that is shown."""

    state: BatchState | None
    """None until the scheduler has been asked, and of what was not submitted."""
    watched: bool
    """Whether this is a batch folder."""

    @property
    def active(self) -> tuple[str, ...]: ...
    @property
    def no_cancelling(self) -> str: ...
    def cancel(self, jobs: Sequence[str], text: str) -> None: ...


class Interface(Protocol):
    """See `tui.app.HvdsweepApp`, which is the one."""

    source: Source
    places: tuple[PlaceSpec, ...]
    selection: Selection
    snapshot: Snapshot | None
    latest: Snapshot | Trouble | None
    curve_cache: CurveCache | None
    pending: Pending | None
    begun: set[int]
    memory: Memory

    @property
    def jobs(self) -> WatchedJobs: ...
    @property
    def place(self) -> ShownScreen | None: ...
    @property
    def state(self) -> tuple[str, str]: ...
    @property
    def possible_actions(self) -> tuple[Action, ...]: ...
    @property
    def pending_words(self) -> str | None: ...
    @property
    def state_directory(self) -> Path | None: ...
    @property
    def plain_charts(self) -> bool: ...

    def go(self, name: str, selection: Selection | None = None) -> None: ...
    def open_trial(self, trial: int) -> None: ...
    def select(self, selection: Selection) -> None: ...
    def do(self, job: Callable[[], str], failed: Callable[[], object] | None = None) -> None: ...
    def launch_ended(self, sweep: int, name: str, code: int, words: str) -> None: ...
    def remember(self, *, theme: str | None = None, layout: tuple[str, str] | None = None) -> None: ...
    def export(self, chart: Chart, view: View, name: str) -> None: ...

    # Of Textual's App:
    def push_screen(self, screen: Any, callback: Any = None) -> Any: ...
    def call_from_thread(self, callback: Callable[..., Any], *args: Any) -> Any: ...
    def call_later(self, callback: Callable[..., Any], *args: Any) -> bool: ...
    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: Literal["information", "warning", "error"] = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None: ...
