"""The line above the trials: a filter that takes effect while it is typed, or the number of a trial to go to."""

from __future__ import annotations

from dataclasses import dataclass

from textual import on
from textual.message import Message

from tui.widgets.prompt import Prompt
from tui.widgets.trials_table import TrialsTable


class TrialsPrompt(Prompt):
    """Filters a table of trials."""

    @dataclass
    class Jumped(Message):
        """A trial was named."""

        trial: int

    def __init__(self, trials: TrialsTable, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._trials = trials

    def open_filter(self) -> None:
        example = "learning_rate>=0.01 status=INFEASIBLE batch_size=64..512"
        self.open("filter", "filter", self._trials.filter_text, example)

    def open_jump(self) -> None:
        self.open("jump", "go to trial", "", "its number in the first column")

    def filter(self, text: str) -> None:
        """Filter the trials; what cannot be understood is said under the line."""
        self.wrong(self._trials.filter(text))

    def leave(self) -> None:
        """Put the line away; the trials have the keyboard again."""
        self.close()
        self._trials.focus()

    def on_descendant_blur(self) -> None:
        # A filter that was left by a click elsewhere stays as far as it was understood.
        self.close()

    @on(Prompt.Typed)
    def _typed(self, message: Prompt.Typed) -> None:
        message.stop()
        entered, number = isinstance(message, Prompt.Entered), message.text.strip()
        if message.purpose == "filter":
            from hvdsweep.store.filters import finished_part

            self.filter(message.text if entered else finished_part(message.text, self._trials.parameters))
        elif message.text and not number.isdigit():
            self.wrong(f"{message.text}: give a trial's number")
        else:
            self.wrong("")
        if entered and not self.has_class("-wrong") and (message.purpose == "filter" or number):
            self.leave()
            if message.purpose == "jump":
                self.post_message(self.Jumped(int(number)))
