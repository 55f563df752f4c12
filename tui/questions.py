"""Questions to the store, answered in threads: one at a time by the method that gets the answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from hvdsweep.errors import HvdsweepError

if TYPE_CHECKING:
    from textual.widget import Widget

    from hvdsweep.store.store import Store
    from tui.interface import Interface, ShownKeys

log = logging.getLogger(__name__)

REST = 20
"""If the only reason is new data, a question that took t seconds is asked again after 20 t at the earliest: watching must not
take the gangs' cores."""

About = TypeVar("About")
Value = TypeVar("Value")
Then = Callable[[Any, Any], None]
"""A method that gets an answer: what was asked about, and the value."""


class Asker(Protocol):
    """The screen whose questions they are."""

    @property
    def interface(self) -> Interface: ...
    def failed(self, about: object, text: str) -> None: ...
    @property
    def keys(self) -> ShownKeys: ...
    @property
    def questions(self) -> Questions: ...
    def run_worker(self, work: Any, *, group: str = ..., thread: bool = ...) -> Any: ...
    def call_later(self, callback: Callable[..., Any], *args: Any) -> bool: ...


class Questions:
    """Those of one screen and of its widgets."""

    def __init__(self, screen: Asker) -> None:
        self._screen = screen
        self._asked: dict[Then, object] = {}
        self._busy: set[Then] = set()
        self._waiting: dict[Then, tuple[object, Callable[[], Any]]] = {}
        self._rested: dict[Then, float] = {}
        """The earliest time to ask such a question again."""

    @property
    def open(self) -> bool:
        """Whether an answer is still to come."""
        return bool(self._busy)

    def ask(
        self, then: Callable[[About, Value], None], about: About, question: Callable[[Store], Value]
    ) -> None:
        """Have `question` answered in a thread: `then(about, value)` follows, or the screen's `failed(about, text)`.

        One question by `then` at a time; of those asked meanwhile only the latest is kept.
        """
        timed = partial(self._timed, then, question)
        self.work_out(then, about, partial(self._screen.interface.source.ask, timed))

    def _timed(self, then: Then, question: Callable[[Store], Value], store: Store) -> Value:
        begun = time.monotonic()
        value = question(store)
        ended = time.monotonic()
        self._rested[then] = ended + REST * (ended - begun)
        return value

    def rest_of(self, then: Then) -> float:
        """Seconds until `then` should be asked for again only because something was written; negative: at once."""
        return self._rested.get(then, 0.0) - time.monotonic()

    def work_out(self, then: Callable[[About, Value], None], about: About, job: Callable[[], Value]) -> None:
        """The same for what needs time but not the store."""
        self._asked[then] = about
        if then in self._busy:
            self._waiting[then] = (about, job)
            return
        self._busy.add(then)
        # It ends with the screen.
        work = partial(self._work, then, about, job)
        self._screen.run_worker(work, thread=True, group=then.__name__)

    def _work(self, then: Then, about: object, job: Callable[[], Any]) -> None:
        value = error = None
        try:
            value = job()
        except HvdsweepError as problem:
            log.warning("%s of %s: %s", then.__name__, about, problem)
            error = str(problem)
        self._screen.call_later(self._answered, then, about, value, error)

    def _answered(self, then: Then, about: object, value: object, error: str | None) -> None:
        self._busy.discard(then)
        waiting = self._waiting.pop(then, None)
        if waiting is not None:
            self.work_out(then, *waiting)
        if about != self._asked.get(then):
            return
        if error is not None:
            self._screen.failed(about, error)
        else:
            then(about, value)
        self._screen.keys.refresh()


def questions_of(widget: Widget) -> Questions:
    """Those of the widget's screen."""
    return cast("Asker", widget.screen).questions
