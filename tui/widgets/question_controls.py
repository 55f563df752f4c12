"""The controls of a curve's question: a goal and two budgets that move by keys and mouse, or are typed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from tui.widgets.prompt import Prompt
from tui.widgets.slider import Slider
from tui.words import short

if TYPE_CHECKING:
    from hvdsweep.store.rows import WorkloadRow
    from tui.curve_cache import CurveCache

BUDGETS = {"step_budget": "steps", "example_budget": "examples"}


class QuestionControls(Vertical):
    """Sliders for the goal and for budgets in steps and examples, and under them the line to type into, which moves them, too."""

    SCOPED_CSS = False  # Its rules begin with classes of the screen.
    DEFAULT_CSS = """
    QuestionControls { height: auto; }
    QuestionControls #controls { height: 1; }
    QuestionControls #budgets { width: 1fr; height: 1; }
    .-narrow QuestionControls #controls, .-tiny QuestionControls #controls { height: auto; layout: vertical; }
    .-tiny QuestionControls #budgets { height: 2; layout: vertical; }
    .-low QuestionControls #budgets { display: none; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._goal = ("goal", "<")
        """What the goal is of, and its sign."""
        self._values: dict[str, float | None] = {}

    def compose(self) -> ComposeResult:
        with Horizontal(id="controls", classes="aside"):
            yield Slider("goal", id="goal")
            with Horizontal(id="budgets"):
                for name, title in BUDGETS.items():
                    yield Slider(title, unlimited=True, id=name)
        yield Prompt(id="prompt")

    @property
    def prompt(self) -> Prompt:
        return self.query_one("#prompt", Prompt)

    @property
    def is_typing(self) -> bool:
        return bool(self.prompt.purpose)

    def put(
        self,
        cache: CurveCache,
        row: WorkloadRow,
        goal: float | None,
        alike: Sequence[int],
        drawn: Sequence[int],
    ) -> None:
        """Show what is asked about a workload: the goal on a ladder for those `alike`, the budgets on one for all `drawn`."""
        sign = ">" if row.maximize else "<"
        self._goal, self._values["goal"] = (row.metric or "goal", sign), goal
        ladder = cache.goals(alike, row.goal)
        words = "none" if goal is None else f"{sign} {goal:g}"
        room = max((len(f"{sign} {rung:g}") for rung in ladder), default=0)
        self.query_one("#goal", Slider).put(ladder, goal, words, home=row.goal, room=room)
        for name in BUDGETS:
            ladder = cache.budgets(drawn, examples=name == "example_budget")
            value = self._values[name] = getattr(cache, name)
            words = "≤ any" if value is None else f"≤ {short(value)}"
            room = max((len(f"≤ {short(rung)}") for rung in ladder), default=0)
            self.query_one(f"#{name}", Slider).put(ladder, value, words, room=room)

    @on(Slider.Asked)
    def _asked_to_type(self, message: Slider.Asked) -> None:
        message.stop()
        self.action_type(str(message.control.id))

    def action_type(self, name: str) -> None:
        """Open the line for a goal or a budget."""
        value = self._values.get(name)
        if name in BUDGETS:
            text = "" if value is None else str(value)
            self.prompt.open(name, f"{BUDGETS[name]} ≤", text, "a number; nothing: no limit")
        else:
            self.prompt.open(name, " ".join(self._goal), "" if value is None else f"{value:g}", "a number")

    @on(Prompt.Typed)
    def _typed(self, message: Prompt.Typed) -> None:
        if isinstance(message, Prompt.Entered):
            # The screen closes the line, since it knows where the keyboard goes.
            if self.prompt.has_class("-wrong"):
                message.stop()
            return
        message.stop()
        text, is_goal = message.text.strip().replace("_", ""), message.purpose == "goal"
        try:
            value = float(text) if text else None
        except ValueError:
            value = math.nan
        least = -math.inf if is_goal else 1
        if (value is None and is_goal) or (
            value is not None and not (math.isfinite(value) and value >= least)
        ):
            budget = "a whole number of at least 1, or nothing for no limit"
            wanted = "a number, such as 0.05" if is_goal else budget
            self.prompt.wrong(f"{text or 'nothing'}: give {wanted}")
            return
        self.prompt.wrong("")
        self.post_message(Slider.Moved(self.query_one(f"#{message.purpose}", Slider), value))
