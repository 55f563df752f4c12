"""The application as its screens see it: the source, the latest snapshot, what is selected, remembered and started from here."""

from __future__ import annotations

import logging
import os
import shlex
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from textual.app import App

from hvdsweep.errors import HvdsweepError
from tui import launching, themes
from tui.actions import Action, actions_of
from tui.jobs import Jobs
from tui.memory import Memory, remember, remembered
from tui.selection import Selection
from tui.snapshot import Snapshot
from tui.source import StoreSource, Trouble

if TYPE_CHECKING:
    from hvdsweep.batch.status import BatchState
    from hvdsweep.charts import Chart, View
    from tui.curve_cache import CurveCache

log = logging.getLogger(__name__)


class ShownKeys(Protocol):
    """What can be done on a screen."""

    @property
    def possible(self) -> tuple[Action, ...]: ...
    def perform(self, command: str) -> Any: ...
    def refresh(self) -> None: ...


class ShownScreen(Protocol):
    """A screen, as the application's other parts see it."""

    export_name: str

    @property
    def keys(self) -> ShownKeys: ...
    def show_jobs(self, jobs: BatchState | None) -> None: ...


class Interface(App[None]):
    """What screens have in common. `tui.app` has the screens, so that none of them knows the others."""

    def __init__(
        self,
        source: StoreSource,
        *,
        memory_file: Path | None,
        selection: Selection | None,
        plain_charts: bool,
    ) -> None:
        """`memory_file` None: nothing is remembered. `plain_charts`: ASCII, for fonts without braille."""
        self.source = source
        self._plain_charts = plain_charts
        self.selection = selection or Selection()
        self.latest: Snapshot | Trouble | None = None
        """What the source said last."""
        self.snapshot: Snapshot | None = None
        """The last one; it stays while a trouble may pass."""
        self.pending: str | None = None
        """About the last launch started from here, until it ends."""
        self.jobs = Jobs(source.path, lambda state: self.call_later(self._on_jobs, state))
        self.begun: set[int] = set()
        """Sweeps asked to run whose supervisor has not signed in yet."""
        self.curve_cache: CurveCache | None = None
        """Tables of workloads and the goals asked about; made by the first screen that needs it."""
        self._exporting = threading.Lock()
        self._memory_file = memory_file
        self.memory = Memory() if memory_file is None else remembered(memory_file)
        # Textual's answer to NO_COLOR is grey; with the terminal's own colours asked for, it is no colour at all.
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)

    # Of the screens

    @property
    def place(self) -> ShownScreen | None:
        """The screen in view, or the one under a dialog."""
        raise NotImplementedError

    def go(self, name: str, selection: Selection | None = None) -> None:
        """Show a place, with something selected there if given."""
        raise NotImplementedError

    def open_trial(self, trial: int) -> None:
        """Show one trial, over the screen in view."""
        raise NotImplementedError

    # What is shown

    @property
    def state(self) -> tuple[str, str]:
        """The header's words about the database, and their style."""
        if isinstance(self.latest, Trouble):
            return "✗ no data" if self.latest.gone else "✗ unreadable", "bold $error"
        if self.snapshot is None:
            return "…", "$foreground-muted"
        running = sum(sweep.live for sweep in self.snapshot.sweeps)
        if running:
            return f"● {running} training", "bold $success"
        return "○ idle", "$foreground-muted"

    @property
    def pending_words(self) -> str | None:
        """About a launch that was started from here and that has no gang in the store yet."""
        if self.pending is None or (self.snapshot is not None and self.snapshot.gangs):
            return None
        return self.pending

    def select(self, selection: Selection) -> None:
        """Remember what the user looks at, for the other screens."""
        self.selection = selection

    @property
    def possible_actions(self) -> tuple[Action, ...]:
        return tuple(action for action in actions_of("app") if not action.when or getattr(self, action.when))

    def _on_jobs(self, state: BatchState | str) -> None:
        """The scheduler has answered, or why it has not."""
        problem = self.jobs.take(state)
        if problem:
            self.notify(problem, title="Jobs", severity="warning", timeout=15, markup=False)
        if self.place is not None and self.jobs.state is not None:
            self.place.show_jobs(self.jobs.state)

    # What is done

    def do(self, job: Callable[[], str], failed: Callable[[], object] | None = None) -> None:
        """Run `job` in a thread, show the sentence it returns, and read the store again; `failed` first where it raises."""
        self.run_worker(partial(self._work, job, failed), thread=True, group="jobs")

    def _work(self, job: Callable[[], str], failed: Callable[[], object] | None) -> None:
        try:
            self.call_later(self._done, job())
        except HvdsweepError as error:
            log.warning("a job failed: %s", error)
            self.call_later(self._failed, str(error), failed)

    def _done(self, text: str) -> None:
        self.source.nudge()
        if text:
            self.notify(text, markup=False)

    def _failed(self, text: str, failed: Callable[[], object] | None) -> None:
        self.source.nudge()
        if failed is not None:
            failed()
        self.notify(text, severity="error", timeout=15, markup=False)
        if self.place is not None:
            self.place.keys.refresh()

    def begin(self, sweep: int, job: Callable[[], str]) -> None:
        """Do a job that starts this sweep, which cannot be started again until it has failed or ended."""
        self.begun.add(sweep)
        if self.place is not None:
            self.place.keys.refresh()
        self.do(job, failed=partial(self.begun.discard, sweep))

    def launch(self, name: str, arguments: Sequence[str], *, sweep: int = 0) -> str:
        """In a thread: start an `hvdsweep` command as a separate process, and say so; `sweep` is its id, where it has one."""
        launched = launching.spawn(self.source.path, arguments, partial(self.launch_ended, sweep, name))
        if not sweep:
            self.pending = launching.pending(name, launched.pid)
        return f"{name} starts as process {launched.pid}; its output goes to {launched.log}."

    def launch_ended(self, sweep: int, name: str, code: int, words: str) -> None:
        """From the thread that waits for a launch: it has ended."""
        if self.is_running:
            self.call_later(self._launch_ended, sweep, name, code, words)

    def _launch_ended(self, sweep: int, name: str, code: int, words: str) -> None:
        self.pending = None
        self.begun.discard(sweep)
        self.source.nudge()
        if code == 0:
            self.notify(f"{name}: every study has its trials.", markup=False)
        elif code == launching.STOPPED:
            self.notify(f"{name} has stopped.", markup=False)
        else:
            text, title = words or f"exit code {code}", f"{name} ended badly"
            self.notify(text, title=title, severity="error", timeout=30, markup=False)

    def remember(self, *, theme: str | None = None, layout: tuple[str, str] | None = None) -> None:
        """Keep a choice for the next start."""
        new = self.memory
        if (theme is not None and theme != themes.DEFAULT) or new.theme is not None:
            new = replace(new, theme=theme or new.theme)
        if layout is not None:
            new = replace(new, layout={**new.layout, layout[0]: layout[1]})
        if new != self.memory:
            self.memory = new
            if self._memory_file is not None:
                remember(self._memory_file, new)

    @property
    def state_directory(self) -> Path | None:
        """Where things are kept from one start to the next; None: nothing is."""
        return None if self._memory_file is None else self._memory_file.parent

    @property
    def plain_charts(self) -> bool:
        """Whether charts are to be drawn without braille."""
        return self._plain_charts or self.memory.layout.get("charts.plain") == "yes"

    def copy_command(self, words: Sequence[str]) -> None:
        """Copy a command for a shell, and say so."""
        command = shlex.join(words)
        self.copy_to_clipboard(command)
        self.notify(f"Copied: {command}", markup=False)

    def export(self, chart: Chart, view: View) -> None:
        """Write a chart as SVG, PNG and CSV into the folder of the database."""
        name = "chart" if self.place is None else self.place.export_name
        stem = self.source.path.with_name(f"{self.source.path.stem}-{name}")

        def job() -> str:
            from hvdsweep.figures.export import export_chart

            # One after the other: a free name is looked for before anything is written under it.
            with self._exporting:
                paths = export_chart(chart, stem, view)
            return f"Written: {', '.join(path.name for path in paths)} in {stem.parent}"

        self.notify("Writing the chart …", timeout=1.5)
        self.do(job)
