"""Hands of a test on the Compose screen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from tests.tui.conftest import FakeSource, pilot_of
from tui.composing.start import template
from tui.screens.compose import ComposeScreen
from tui.widgets.form_row import FormRow

Claim = Callable[[Pilot[None]], Awaitable[None]]

OVERRIDES = """\
# Fully connected nets: small batches want
# smaller learning rates.
dataset = "digits"
model = "fc_128"
algorithms = ["sgd", "nesterov_momentum"]

[goal]
metric = "val/classification_error"
value = 0.04   # reached strictly below

[budget]
steps = 400

[[budget.override]]
batch_sizes = [2]
steps = 2000

[[budget.override]]
batch_sizes = [4, 8]
steps = 1000

[studies]
batch_sizes = "2^1..2^6"
trials = 16

[search]
learning_rate = { scale = "log", min = 0.02, max = 2.0 }   # per example
momentum = { scale = "reverse_log", min = 0.5, max = 0.98 }

[[search.override]]
batch_sizes = [2, 4]
learning_rate = { scale = "log", min = 0.004, max = 0.4 }
"""


def screen_of(pilot: Pilot[None]) -> ComposeScreen:
    screen = pilot.app.screen_stack[1]
    assert isinstance(screen, ComposeScreen)
    return screen


def row(pilot: Pilot[None], key: str) -> FormRow:
    found = screen_of(pilot).composer.form.row(key)
    assert found is not None
    return found


def said(pilot: Pilot[None], key: str) -> str:
    """The note next to a field, or in the line below."""
    return str(row(pilot, key).query_one(".note", Static).content)


async def type_into(pilot: Pilot[None], key: str, text: str, place: int = 0) -> None:
    """Go to a field, and type in place of what is there."""
    field = [field for field in row(pilot, key).fields if field.display][place]
    screen_of(pilot).set_focus(field)
    field.value = text
    await settle(pilot)


async def settle(pilot: Pilot[None]) -> None:
    """Until all that was typed is in the text, checked and drawn."""
    await pilot.pause()
    for _ in range(2):
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()


def text_of(pilot: Pilot[None]) -> str:
    screen = screen_of(pilot)
    assert screen.composer.draft.text == screen.composer.editor.text
    return screen.composer.draft.text


def claims() -> tuple[Callable[[Claim], Claim], Any]:
    """A decorator for claims about the screen without a database, and the test that looks at them all in one app: starting it
    for each would take most of their time. Each finds the template, and no field in use."""
    found: list[Claim] = []

    def claim(check: Claim) -> Claim:
        found.append(check)
        return check

    async def test(empty: FakeSource, subtests: pytest.Subtests) -> None:
        """Every claim of this module holds."""
        async with pilot_of(empty, place="compose") as pilot:
            for check in found:
                with subtests.test(f"{check.__name__}: {check.__doc__}"):
                    pilot.app.go("compose")
                    screen_of(pilot).set_focus(None)
                    screen_of(pilot).session.begin(template())
                    await settle(pilot)
                    await check(pilot)

    return claim, test
