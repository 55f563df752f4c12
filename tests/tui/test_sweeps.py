"""The Sweeps screen: what it shows, and that every change is asked for, made by the right function and told."""

from __future__ import annotations

import pytest

from tests.tui.conftest import pilot_of, screen_text


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 12)])
async def test_screen(source, golden, size):
    """Sweeps with state, progress, time left and gangs; the studies of the selected one; what happened to it."""
    async with pilot_of(source, size=size) as pilot:
        assert screen_text(pilot) == golden
