"""The check of what is composed: its latest result, and what launching it would begin."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from tui.composing.draft import Draft
from tui.composing.outlook import Outlook, look
from tui.composing.relatives import Standing, standing_of
from tui.widgets.composer import Composer

if TYPE_CHECKING:
    from tui.snapshot import Snapshot


class Checking:
    """Checks the draft in a thread, with the speeds and the sweeps that the store knows."""

    def __init__(self, composer: Composer) -> None:
        self._composer = composer
        self.outlook: Outlook | None = None
        """The latest result; it may be about an earlier text."""
        self._seen: object = None
        self._then: Callable[[], object] | None = None
        """What the user asked for while the check was running."""

    def check(self, *, alone: bool = False) -> None:
        """Check the draft as it is now; `alone`: without what the store knows."""
        draft, questions = copy.copy(self._composer.draft), self._composer.questions
        if alone or self._composer.interface.snapshot is None:
            questions.work_out(self.answer_outlook, draft, partial(look, draft))
        else:
            questions.ask(self.answer_outlook, draft, partial(look, draft))

    def answer_outlook(self, about: Draft, value: Outlook) -> None:
        self.outlook = value
        self._composer.judge(value)
        self._say_standing()
        if self._then is not None and self.current is not None:
            then, self._then = self._then, None
            then()

    @property
    def current(self) -> Outlook | None:
        """The result for the draft as it is now; None while that is not there."""
        found = self.outlook
        return found if found is not None and found.draft == self._composer.draft else None

    def afterwards(self, then: Callable[[], object]) -> None:
        """Check, and do `then` once the result is there."""
        self._then = then
        self.check()

    def follow(self, snapshot: Snapshot) -> None:
        """What was read of the store just now."""
        seen = [(sweep.id, sweep.live) for sweep in snapshot.sweeps]
        if seen != self._seen:
            self._seen = seen
            self.check()
        else:
            self._say_standing()

    @property
    def standing(self) -> Standing:
        """What launching this would begin."""
        return standing_of(self.outlook, self._composer.interface.snapshot)

    def _say_standing(self) -> None:
        """The line at the left of the buttons."""
        if self.outlook is not None:
            self._composer.say_standing(self.outlook, self.standing)
