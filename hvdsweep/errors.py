"""The two ways in which a command can fail, and their exit codes."""

from __future__ import annotations

MOST_PROBLEMS = 40
"""Problems that one message lists."""

LONGEST = 4000
"""Characters of each that it shows."""


class HvdsweepError(Exception):
    """A failure with a message for the user; never shown as a traceback."""

    exit_code = 1


class RunFailed(HvdsweepError):
    """A valid request that could not be carried out (exit code 1)."""


class UserError(HvdsweepError):
    """An invalid request: one or more problems, each naming place, value and remedy (exit code 2)."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        more = len(problems) - MOST_PROBLEMS
        lines = [one if len(one) <= LONGEST else f"{one[:LONGEST]} ..." for one in problems[:MOST_PROBLEMS]]
        super().__init__("\n".join([*lines, *([f"... and {more:,} more"] if more > 0 else [])]))
        self.problems = problems
        """One complete sentence each."""
