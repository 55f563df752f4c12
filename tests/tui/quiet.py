"""When a test of the interface may look: once the app has nothing left to do, not once the processor has had a rest.

Textual's own pilot sends a message to every widget and sleeps, 20 ms and more after every key, until the process uses little
processor time: half of what these tests take, and on a loaded machine a guess.
"""

from __future__ import annotations

import asyncio
from typing import Any

import textual.app
import textual.pilot
from textual._context import active_app
from textual._wait import wait_for_idle
from textual.pilot import Pilot

ROUNDS = 100
"""An app that is never done, because each drawing asks for another, gets no more of them at a time."""


async def quiet(*_: Any, **__: Any) -> None:
    """Until every message is dealt with, every answer of a thread has come that was near, and everything is drawn."""
    app, loop = active_app.get(), asyncio.get_running_loop()
    for _ in range(ROUNDS):
        await asyncio.sleep(0)
        while loop._ready:  # type: ignore[attr-defined]
            await asyncio.sleep(0)
        if app._resize_timer is not None or app._batch_count:
            # Textual itself waits: 8 ms for another size, 50 ms with what it draws after a command of the palette.
            await asyncio.sleep(0.005)
            continue
        if _draw(app):
            continue
        if any(worker.is_running for worker in app.workers):
            await wait_for_idle(0)
            if not loop._ready and not _due(app):  # type: ignore[attr-defined]
                return
        else:
            return


def _due(app: Any) -> bool:
    screen = app.screen_stack[-1] if app._screen_stack else None
    return (
        screen is not None
        and screen.is_current
        and not app._batch_count
        and bool(
            screen._layout_required
            or screen._scroll_required
            or screen._repaint_required
            or screen._recompose_required
            or screen._dirty_widgets
            or screen._callbacks
        )
    )


def _draw(app: Any) -> bool:
    """Draw what is to be drawn, as Textual's clock would at its next tick; whether there was something."""
    due = _due(app)
    if due:
        app.screen._on_timer_update()
    return due


async def _wait_for_screen(pilot: Pilot[Any], timeout: float = 30.0) -> bool:
    await quiet()
    return not pilot.app._exception_event.is_set()


def be_quiet() -> None:
    """From now on every pilot waits this way."""
    textual.pilot.wait_for_idle = textual.app.wait_for_idle = quiet
    Pilot._wait_for_screen = _wait_for_screen  # type: ignore[method-assign]
