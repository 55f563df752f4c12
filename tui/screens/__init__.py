"""The screens, listed by name and imported only when they are first shown.

How to add a screen:
 1. Write `tui/screens/<name>.py` with one class derived from `tui.screens.base.AppScreen`; its line in PLACES below names both.
    Parts with a state of their own are widgets in `tui/widgets/` that the screen composes; they say what happened in messages.
    There are no other base classes, but `WorkloadScreen` for the two screens that draw curves of workloads.
 2. Set `PLACE = "<name>"` and `BINDINGS = bindings("<name>")`; with a chart: `BINDINGS = bindings("<name>", "chart")`.
    Yield the panes from `compose_body`; header, footer, the message in place of missing data and the narrow classes
    (`-narrow` below 100 columns, `-tiny` below 50, `-low` below 20 rows: use them in CSS) come from AppScreen. `f` gives the
    whole screen to a widget of the class `pane` (and what it lies in; the main one has the class `main`). A main and a side pane
    go into a `Panes`, which can fold the side pane away. What `esc` leaves is `way_back`. A screen that is of use without a
    database sets `NEEDS_DATA = False`.
 3. Actions: add lines to the table in `tui/actions/` and write `action_<id>` in the screen, or in the widget whose id is the
    line's `part`. `when="can_x"` names a property of the screen: while it is false the key does nothing and is hidden. Call
    `self.keys.refresh()` when it may have changed, or post a `KeysChanged` from a widget; after snapshots and answers this is
    done for you.
 4. `show(snapshot)` is called with every new `tui.snapshot.Snapshot` while the screen is visible, and once when it becomes
    visible again. Change only what differs: `Table.put` updates cells by row key, `ChartView.chart = ...` redraws only where
    the chart differs. What was selected elsewhere is `self.interface.selection` (sweep, workload, batch size, trial);
    set it with `self.interface.select(...)`. Where the data hold nothing for the screen, `absence` returns what to say in place
    of the panes.
 5. Everything else that is read: `self.questions.ask(self.answer_table, about, question)` runs `question(store)` in a thread, one
    at a time by that method; while it runs only the latest further question is kept. The answer comes to
    `answer_table(about, value)` on the interface's thread, if `about` is still what was last asked about. Errors come to
    `failed(about, text)`. A widget that reads asks `questions_of(self)`. Never call the store from a
    handler.
 6. To change something (launch, stop, ...): `self.interface.do(job)`: `job()` runs in a thread and returns the sentence to show
    (or raises HvdsweepError); then the store is read again. `tui/launching.py` starts `hvdsweep launch`.
 7. `chart` returns the ChartView that the chart keys (y + - 0 e A) are for, or None; it does them itself.
 8. Test with `tests/tui/conftest.py`: `pilot_of(source, place=..., size=...)`, `FakeSource`, and `screen_text` goldens.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.screen import Screen


@dataclass(frozen=True)
class PlaceSpec:
    """A screen, before it is imported."""

    name: str
    """Also the module's name."""
    key: str
    title: str
    short: str
    """The title if there is little room."""
    kind: str
    """The class in the module."""
    help: str

    def load(self) -> type[Screen[None]]:
        """The class; imports the module."""
        place: type[Screen[None]] = getattr(importlib.import_module(f"tui.screens.{self.name}"), self.kind)
        return place


PLACES = (
    PlaceSpec(
        "sweeps", "1", "Sweeps", "Sweeps", "SweepsScreen", "Every sweep: progress, start, stop, extend."
    ),
    PlaceSpec("compose", "2", "Compose", "Compose", "ComposeScreen", "Put a sweep together and launch it."),
    PlaceSpec("live", "3", "Live", "Live", "LiveScreen", "Gangs, losses as they fall, trials, logs, events."),
    PlaceSpec("scaling", "4", "Scaling", "Scaling", "ScalingScreen", "Steps to the goal against batch size."),
    PlaceSpec(
        "metaparameters",
        "5",
        "Metaparameters",
        "Metaparams",
        "MetaparametersScreen",
        "The best metaparameters, and what failed where.",
    ),
    PlaceSpec(
        "throughput", "6", "Throughput", "Speed", "ThroughputScreen", "Examples per second against ranks."
    ),
)
"""In the order of their keys."""
