"""The command palette: every action that makes sense now, and ways to any screen, sweep, study and trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from tui.screens import PLACES
from tui.selection import Selection
from tui.words import CONDITIONS, plural

if TYPE_CHECKING:
    from tui.interface import Interface

Command = tuple[str, str, Callable[[], Any]]
"""(what the user searches, a sentence about it, what to do)."""


class Commands(Provider):
    """The actions that are possible on this screen now, then where to go; studies and trials only once they are searched."""

    @property
    def interface(self) -> Interface:
        return cast("Interface", self.app)

    async def discover(self) -> Hits:
        for words, help_text, command in (*self._actions(), *self._places()):
            yield DiscoveryHit(words, command, help=help_text)

    async def search(self, query: str) -> Hits:
        number = query.removeprefix("trial").strip()
        if number.isascii() and number.isdigit():
            go = partial(self.interface.open_trial, int(number))
            yield Hit(
                1.0, f"Go to trial {int(number)}", go, help="By the number in the first column of the trials."
            )
        matcher = self.matcher(query)
        for words, help_text, command in (*self._actions(), *self._places(), *self._studies()):
            score = matcher.match(words)
            if score > 0:
                yield Hit(score, matcher.highlight(words), command, help=help_text)

    def _actions(self) -> Iterator[Command]:
        place = self.interface.place
        if place is None:
            return
        for action in (*place.keys.possible, *self.interface.possible_actions):
            if action.palette:
                words = f"{action.label}  ({action.key_names[0]})"
                yield words, action.help, partial(place.keys.perform, action.command)

    def _places(self) -> Iterator[Command]:
        app = self.interface
        for place in PLACES:
            yield f"Go to {place.title}  ({place.key})", place.help, partial(app.go, place.name)
        if app.snapshot is not None:
            for sweep in app.snapshot.sweeps:
                _, word, _ = CONDITIONS[sweep.condition]
                studies = plural(len(sweep.studies), "study", "studies")
                go = partial(app.go, "live", Selection(sweep=sweep.id))
                yield (
                    f"Go to sweep {sweep.id} {sweep.name}",
                    f"{word}, {studies}, {plural(sweep.total, 'trial')}",
                    go,
                )

    def _studies(self) -> Iterator[Command]:
        app = self.interface
        if app.snapshot is None:
            return
        for sweep in app.snapshot.sweeps:
            for study in sweep.studies:
                go = partial(app.go, "live", Selection(sweep.id, study.workload, study.batch_size))
                about = f"Sweep {sweep.name}, {plural(sum(study.trials.values()), 'trial')}"
                yield f"Go to study {study.workload} {study.batch_size}", about, go
