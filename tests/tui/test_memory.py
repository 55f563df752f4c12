"""What is remembered between starts: read back as written; anything that cannot be understood is as if nothing were there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.conftest import FakeSource, pilot_of
from tui.memory import VERSION, Memory, memory_file, remember, remembered


@given(
    st.none() | st.text(max_size=20), st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4)
)
def test_what_is_written_is_read_back(tmp_path_factory, theme, layout):
    """Any theme and layout survive."""
    path = tmp_path_factory.mktemp("state") / "deep" / "tui.json"
    remember(path, Memory(theme, layout))
    assert remembered(path) == Memory(theme, layout)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "7", '"x"', "{}", '{"version": 1}', '{"version": 2, "theme": null, "layout": {}}',
        '{"version": 1, "theme": 3, "layout": {}}', '{"version": 1, "theme": null, "layout": 3}', "\udcff",
    ],
)  # fmt: skip
def test_nonsense_is_ignored(tmp_path, text):
    """A file that is broken, of another version or of another shape is as if it were not there."""
    path = tmp_path / "tui.json"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    assert remembered(path) == Memory()


def test_a_state_directory_that_may_not_be_written_is_no_reason_to_complain(tmp_path):
    """Where the directory is a file, nothing is remembered and nothing is raised."""
    (tmp_path / "file").write_text("")
    remember(tmp_path / "file" / "tui.json", Memory("dark"))
    assert remembered(tmp_path / "file" / "tui.json") == Memory()


def test_it_lies_in_the_state_directory(monkeypatch):
    """$XDG_STATE_HOME, else ~/.local/state."""
    monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
    assert memory_file() == Path("/somewhere/hvdsweep/tui.json")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert memory_file() == Path(os.path.expanduser("~/.local/state/hvdsweep/tui.json"))


async def test_the_theme_and_the_order_of_trials_are_remembered(source, tmp_path):
    """What is chosen in one run is there in the next; an unknown theme is the default one."""
    file = tmp_path / "tui.json"
    async with pilot_of(source, memory_file=file, place="live") as pilot:
        pilot.app.theme = "hvdsweep-light"
        await pilot.pause()
        await pilot.press("s", "S")
        order = pilot.app.screen.query_one("#trials").sorted_by
    assert json.loads(file.read_text())["version"] == VERSION
    async with pilot_of(FakeSource(source.latest, source.store), memory_file=file, place="live") as pilot:
        assert pilot.app.theme == "hvdsweep-light"
        assert pilot.app.screen.query_one("#trials").sorted_by == order == ("workload", True)
    remember(file, Memory("no-such-theme"))
    async with pilot_of(source, memory_file=file) as pilot:
        assert pilot.app.theme == "hvdsweep-dark"
