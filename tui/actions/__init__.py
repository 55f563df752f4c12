"""The one table of what the user can do. Key bindings, footer, help screen and command palette are all made from it.

An action's `id` is a Textual action: the method `action_<id>` of the app, of a screen or of a widget. `owner` says where its
key works: "app"; the name of a screen; "chart" for every screen that shows one; "plot", "table" and "log" for widgets that
have the keyboard. `part` names the widget of the screen that has the method, where the screen itself has not. `when` names an
attribute of the screen that is true, or not None, while the action makes sense; otherwise its key is hidden.

The lines of the table are in `shared` and `screens`.
"""

from __future__ import annotations

from textual.binding import Binding

from tui.actions.action import Action
from tui.actions.screens import COMPOSE, LIVE, METAPARAMETERS, SCALING, SWEEPS, THROUGHPUT, TRIAL
from tui.actions.shared import APP, CHART, CHOICE, FORM, LOG, PLOT, SLIDER, TABLE

__all__ = ["ACTIONS", "APP", "SWEEPS", "WIDGETS", "Action", "actions_of", "bindings", "conditions"]

ACTIONS: tuple[Action, ...] = (
    APP
    + SWEEPS
    + COMPOSE
    + FORM
    + CHOICE
    + LIVE
    + TRIAL
    + SCALING
    + METAPARAMETERS
    + THROUGHPUT
    + CHART
    + PLOT
    + SLIDER
    + TABLE
    + LOG
)
"""Every action of the interface."""

WIDGETS = {
    "form": "In the form",
    "choice": "At a choice",
    "plot": "In a chart",
    "slider": "On a slider",
    "table": "In a table",
    "log": "In a log",
}
"""Owners that are widgets, with the heading the help gives them."""


def actions_of(*owners: str) -> tuple[Action, ...]:
    """The actions of these owners, in the table's order."""
    return tuple(action for action in ACTIONS if action.owner in owners)


def bindings(*owners: str) -> list[Binding]:
    """Textual's bindings for these owners."""
    return [
        Binding(
            action.key,
            action.command,
            action.label,
            show=action.footer,
            key_display=action.key_names[0],
            # The app itself handles such a key, before it looks for the widget that gets the next one.
            priority=action.opens_line,
            tooltip=action.help,
        )
        for action in actions_of(*owners)
    ]


def conditions(*owners: str) -> dict[str, str]:
    """Action without its arguments -> the attribute that allows it; only those that have a condition."""
    return {action.name: action.when for action in actions_of(*owners) if action.when}
