"""The two ways in which a command can fail, and their exit codes."""

from __future__ import annotations


class HvdsweepError(Exception):
    """A failure with a message for the user; never shown as a traceback."""

    exit_code = 1


class RunFailed(HvdsweepError):
    """A valid request that could not be carried out (exit code 1)."""


class UserError(HvdsweepError):
    """An invalid request: one or more problems, each naming place, value and remedy (exit code 2)."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        """One complete sentence each."""
