"""A real terminal for tests: a private tmux server with one window of a given size."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType

import pytest

from tests.limits import HANG_SECONDS

LIFE = round(8 * HANG_SECONDS)
"""Seconds after which the program is ended in any case."""


class Terminal:
    """Shows what the user would see, and passes on keys as the user would press them."""

    def __init__(
        self, command: list[str], folder: Path, size: tuple[int, int] = (120, 40), **environment: str
    ) -> None:
        """Runs `command` in `folder`. Skips the test where there is no tmux."""
        if shutil.which("tmux") is None:
            pytest.skip("tmux is not installed")
        self._socket = f"hvdsweep-{os.getpid()}-{id(self)}"
        self._command = command
        self._folder = folder
        self._size = size
        self._environment = {"XDG_STATE_HOME": str(folder / "state"), "TERM": "xterm-256color", **environment}

    def __enter__(self) -> Terminal:
        settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in self._environment.items())
        # Textual would believe these rather than the terminal.
        program = f"env -u COLUMNS -u LINES {settings} {shlex.join(self._command)}"
        # Should the test be killed, nothing stays behind for ever.
        program = f"timeout --foreground {LIFE} {program}"
        shell = f"cd {shlex.quote(str(self._folder))} && {program}; echo ENDED $?; sleep {LIFE}"
        width, height = self._size
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height), shell)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            print(self.screen())
        self._tmux("kill-server")

    def screen(self) -> str:
        """What is seen now."""
        return self._tmux("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        """Keys by tmux's names: q, Enter, Down, C-p."""
        self._tmux("send-keys", *keys)

    def wait_for(self, *texts: str) -> str:
        """The screen as soon as all of `texts` are on it; fails where they never come."""
        deadline = time.monotonic() + HANG_SECONDS
        while True:
            shown = self.screen()
            if all(text in shown for text in texts):
                return shown
            assert time.monotonic() < deadline, f"{texts} did not come:\n{shown}"
            time.sleep(0.1)

    def _tmux(self, *words: str) -> str:
        run = subprocess.run(["tmux", "-L", self._socket, *words], capture_output=True, text=True, check=True)
        return run.stdout
