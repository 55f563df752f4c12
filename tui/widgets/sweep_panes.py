"""What a sweep has recorded: its trials, the logs of its gangs and events, one behind the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import ContentSwitcher

from tui.gang_rows import EVENT_COLUMNS
from tui.widgets.columns import row_of
from tui.widgets.log_tail import LogTail
from tui.widgets.messages import KeysChanged
from tui.widgets.table import Table
from tui.widgets.tabline import TabLine
from tui.widgets.trials_table import TrialsPrompt, TrialsTable
from tui.words import CONDITIONS, count, duration, plural, sign

if TYPE_CHECKING:
    from hvdsweep.store.status import SweepStatus
    from tui.snapshot import Snapshot

PANES = ("trials", "logs", "events")


class SweepPanes(Vertical):
    """The pane in front, under the line that names all of them and the one to type into."""

    DEFAULT_CSS = """
    SweepPanes, SweepPanes > ContentSwitcher { height: 1fr; }
    """

    def __init__(self, *, id: str, classes: str) -> None:
        super().__init__(id=id, classes=classes)
        self.trials = TrialsTable(id="trials")
        self.logs = LogTail(id="logs")
        self.prompt = TrialsPrompt(self.trials, id="prompt")
        self._sweep: SweepStatus | None = None
        self._gang: int | None = None

    def compose(self) -> ComposeResult:
        yield TabLine([(name, name.capitalize()) for name in PANES], id="tabs")
        yield self.prompt
        with ContentSwitcher(initial="trials"):
            yield self.trials
            yield self.logs
            yield Table(EVENT_COLUMNS, empty="nothing happened yet", id="events")

    @property
    def front(self) -> str:
        return self.query_one(ContentSwitcher).current or "trials"

    def show(self, snapshot: Snapshot, sweep: SweepStatus | None, names: Mapping[str, str]) -> None:
        """What a sweep has recorded by now; `names`: workload -> a short name."""
        self._sweep = sweep
        self.trials.follow(None if sweep is None else sweep.id, snapshot.number, names)
        if sweep is not None:
            events = (event for event in reversed(snapshot.events) if event.sweep_id in (None, sweep.id))
            rows = [row_of(EVENT_COLUMNS, event.id, event) for event in events]
            self.query_one("#events", Table).put(rows)
            self._note()

    def follow_gang(self, gang: int | None) -> None:
        """Show the logs of a gang; None: of the newest."""
        self._gang = gang
        if self.front == "logs" and self._sweep is not None:
            self.logs.choose(self._sweep.id, gang)

    def open(self, name: str) -> None:
        """Bring a pane to the front."""
        self.query_one(ContentSwitcher).current = self.query_one(TabLine).active = name
        self.follow_gang(self._gang)
        self._note()
        self.post_message(KeysChanged())

    @on(TabLine.Picked)
    def _tab_picked(self, message: TabLine.Picked) -> None:
        self.open(message.name)
        self.query_one(f"#{message.name}").focus()

    def action_pane(self, way: int) -> None:
        name = PANES[(PANES.index(self.front) + way) % len(PANES)]
        self.open(name)
        self.query_one(f"#{name}").focus()

    def action_filter(self) -> None:
        self.open("trials")
        self._uncover()
        self.prompt.open_filter()

    def action_jump(self) -> None:
        self._uncover()
        self.prompt.open_jump()

    def _uncover(self) -> None:
        """Nobody can type into a line that another pane hides."""
        if not self.display:
            self.screen.remove_class("-full")

    @on(TrialsTable.Paged)
    @on(LogTail.Chosen)
    def _note(self) -> None:
        """What the line of tabs says at its right end."""
        sweep, words = self._sweep, list[Content | str]()
        if sweep is None:
            return
        if self.front == "logs" and self.logs.file is not None:
            words.append(f"gang {self.logs.gang}: {self.logs.file.name}")
            words.append(" · o for another" if len(self.logs.files) > 1 else "")
        elif self.trials.filter_text and self.front == "trials":
            words.append(Content.styled(f"/{self.trials.filter_text}", "$accent"))
            words.append(f" {plural(self.trials.total, 'trial')}")
        else:
            name = Content.styled(f"{sweep.name} ", "$foreground")
            words.append(Content.assemble(name, sign(CONDITIONS, sweep.condition)))
            words.append(f" {count(sweep.done)} of {count(sweep.total)} trials complete")
            if sweep.live and sweep.eta_seconds:
                words.append(f" · {duration(sweep.eta_seconds)} left")
        self.query_one(TabLine).note = Content.assemble(
            *((word, "$foreground-muted") if isinstance(word, str) else word for word in words)
        )
