"""The two ways a command may end badly, and the exit codes that say which."""

from __future__ import annotations


class HvdsweepError(Exception):
    """A failure with a message meant for the person at the terminal; never shown as a traceback."""

    exit_code = 1


class RunFailed(HvdsweepError):
    """Something that was asked for rightly could not be done (exit code 1)."""


class UserError(HvdsweepError):
    """What was asked for is wrong: one or several problems, each naming place, value and remedy (exit code 2)."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        """One complete sentence each."""
