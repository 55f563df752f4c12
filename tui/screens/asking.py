"""The controls of a curve's question: a goal and two budgets that move by keys and mouse, or are typed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal

from tui.screens.workload_place import WorkloadPlace, group_of
from tui.widgets.prompt import Prompt
from tui.widgets.slider import Slider
from tui.words import short

if TYPE_CHECKING:
    from hvdsweep.store.rows import WorkloadRow


class Asking(WorkloadPlace):
    """A place with sliders for the goal and for budgets in steps and examples."""

    DEFAULT_CSS = """
    Asking #controls { height: 1; }
    Asking #budgets { width: 1fr; height: 1; }
    Asking.-narrow #controls, Asking.-tiny #controls { height: 2; layout: vertical; }
    Asking.-low #controls { height: 1; }
    Asking.-low #budgets { display: none; }
    Asking.-tiny.-low #controls { display: none; }
    """

    def compose_controls(self) -> ComposeResult:
        """The sliders, and the line to type into."""
        with Horizontal(id="controls", classes="aside"):
            yield Slider("goal", id="goal")
            with Horizontal(id="budgets"):
                yield Slider("steps", unlimited=True, id="step_budget")
                yield Slider("examples", unlimited=True, id="example_budget")
        yield Prompt(id="prompt")

    def alike(self, row: WorkloadRow) -> list[int]:
        """The workloads in the chart that share the goal with `row`."""
        return [row.id]

    @property
    def is_typing(self) -> bool:
        """Whether the line is open."""
        return bool(self._prompt.purpose)

    @property
    def is_changed(self) -> bool:
        """Whether something is asked that the sweep itself does not ask."""
        row = self.row(self.current)
        if row is None or self.interface.desk is None:
            return False
        moved = self.desk.chosen.get(group_of(row)) not in (None, row.goal)
        return bool(moved or self.desk.step_budget or self.desk.example_budget)

    def put_controls(self, drawn: Sequence[int]) -> None:
        """Show what is asked now, of the workloads in the chart."""
        row = self.row(self.current)
        if row is None or not self.desk.has(row.id):
            return
        goal, alike = self.goal(row), self.alike(row)
        sign = ">" if row.maximize else "<"
        ladder = self.desk.goals(alike, row.goal)
        self.query_one("#goal", Slider).put(
            ladder,
            goal,
            "none" if goal is None else f"{sign} {goal:g}",
            home=row.goal,
            room=max((len(f"{sign} {rung:g}") for rung in ladder), default=0),
        )
        everyone = list(drawn) or [row.id]
        for name, value in (
            ("step_budget", self.desk.step_budget),
            ("example_budget", self.desk.example_budget),
        ):
            ladder = self.desk.budgets(everyone, examples=name == "example_budget")
            said = "≤ any" if value is None else f"≤ {short(value)}"
            room = max((len(f"≤ {short(rung)}") for rung in ladder), default=0)
            self.query_one(f"#{name}", Slider).put(ladder, value, said, room=room)

    @on(Slider.Moved)
    def _slid(self, message: Slider.Moved) -> None:
        value = message.value
        if message.slider.id == "goal":
            if value is not None:
                self._set_goal(value)
        elif message.slider.id == "step_budget":
            self.desk.step_budget = None if value is None else int(value)
        else:
            self.desk.example_budget = None if value is None else int(value)
        self.redraw_soon()

    @on(Slider.Asked)
    def _asked_to_type(self, message: Slider.Asked) -> None:
        self._type(str(message.slider.id))

    def _set_goal(self, value: float) -> None:
        row = self.row(self.current)
        if row is not None:
            self.desk.chosen[group_of(row)] = value
            self.redraw_soon()

    def action_goal(self, steps: int) -> None:
        self.query_one("#goal", Slider).move(steps)

    def action_step_budget(self, steps: int) -> None:
        self.query_one("#step_budget", Slider).move(steps)

    def action_example_budget(self, steps: int) -> None:
        self.query_one("#example_budget", Slider).move(steps)

    def action_type_goal(self) -> None:
        self._type("goal")

    def _type(self, what: str) -> None:
        row = self.row(self.current)
        if row is None:
            return
        if what == "goal":
            goal = self.goal(row)
            label = f"{row.metric or 'goal'} {'>' if row.maximize else '<'}"
            self._prompt.open(what, label, "" if goal is None else f"{goal:g}", "a number")
        else:
            value = self.desk.step_budget if what == "step_budget" else self.desk.example_budget
            label = "steps ≤" if what == "step_budget" else "examples ≤"
            self._prompt.open(what, label, "" if value is None else str(value), "a number; nothing: no limit")
        self.refresh_keys()

    @property
    def _prompt(self) -> Prompt:
        return self.query_one("#prompt", Prompt)

    @on(Prompt.Typed)
    def _typed(self, message: Prompt.Typed) -> None:
        message.stop()
        text = message.text.strip().replace("_", "")
        try:
            value = float(text) if text else None
        except ValueError:
            value = math.nan
        goal = message.purpose == "goal"
        if (value is None and goal) or (
            value is not None and (not math.isfinite(value) or (value < 1 and not goal))
        ):
            wanted = (
                "a number, such as 0.05" if goal else "a whole number of at least 1, or nothing for no limit"
            )
            self._prompt.wrong(f"{text or 'nothing'}: give {wanted}")
            return
        self._prompt.wrong("")
        if goal:
            assert value is not None
            self._set_goal(value)
        elif message.purpose == "step_budget":
            self.desk.step_budget = None if value is None else int(value)
        else:
            self.desk.example_budget = None if value is None else int(value)
        self.redraw_soon()

    @on(Prompt.Entered)
    def _entered(self, message: Prompt.Entered) -> None:
        message.stop()
        if not self._prompt.has_class("-wrong"):
            self.close_prompt()

    def close_prompt(self) -> None:
        """Put the line away; the chart has the keyboard again."""
        self._prompt.close()
        if self.chart is not None:
            self.chart.focus()
        self.refresh_keys()

    def action_reset(self) -> None:
        row = self.row(self.current)
        if row is not None:
            self.desk.chosen.pop(group_of(row), None)
        self.desk.step_budget = self.desk.example_budget = None
        self.redraw_soon()
