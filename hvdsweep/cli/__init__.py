"""The command line: one module per command, imported only when that command runs, so that `--help` is instant."""

from __future__ import annotations

import atexit
import copy
import errno
import gc
import importlib
import io
import keyword
import logging
import math
import os
import re
import sqlite3
import sys
from collections.abc import Iterable
from functools import partial
from typing import Any

import click

from hvdsweep import debug_log
from hvdsweep.cli.streams import GuardedStream, Messages, guarded, into_nothing
from hvdsweep.errors import HvdsweepError
from hvdsweep.visible import visible

log = logging.getLogger(__name__)

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("Train a small sweep and draw its curve: up to three minutes.", ""),
    "launch": ("Train a sweep, or resume it where it stopped.", "--np 2 --gangs 2 sweep.toml"),
    "batch": ("Train a sweep as array jobs of a cluster (Slurm).", "submit sweep.toml"),
    "status": ("Show the progress of every sweep and what its gangs do.", "--watch"),
    "trials": (
        "List trials by filter and order; show one in full.",
        "--filter 'batch_size=64 status=COMPLETE' --sort best",
    ),
    "events": ("List what happened: runs, gangs, failures.", "--last 20"),
    "logs": ("Show the last lines of the ranks' logs.", "--rank 0 --follow"),
    "tui": ("Compose, launch and watch sweeps in the terminal.", ""),
    "curve": ("Print the steps to the goal against batch size.", "--goal 0.1"),
    "best": ("Print the best metaparameters of every batch size.", ""),
    "figure": ("Draw a figure of the paper or of your sweeps.", "curve --out curve.png"),
    "report": ("Write one HTML file with everything about a sweep.", "--out sweep.html"),
    "import": ("Import the published database.", "published/zhang_2024 --db published.db"),
    "export": ("Write sweeps in the published database's layout.", "out"),
    "merge": ("Merge the shards of a sweep into one database.", "main.db shards/*.db"),
    "scale": ("Measure examples per second against ranks, in short runs.", "--np 1,2,4 sweep.toml"),
    "workloads": ("List what can be trained; print a preset.", "small/fc"),
    "datasets": ("List the data sets, and how to get those that are missing.", ""),
    "schema": ("Print the JSON Schema of the sweep file.", ""),
    "doctor": ("Check this machine: versions, Horovod, allreduce, disk, GPUs.", "--quick"),
}
"""Command -> (one line of help, arguments of the example at the top of its help). Module `hvdsweep.cli.COMMAND` holds a click
command of that name; for one that Python reserves (`import`), both have an underscore after it."""

MEANT = dict.fromkeys(("run", "train", "resume", "continue", "start", "sweep"), "launch") | {
    "ls": "status",
    "list": "status",
    "plot": "figure",
    "stop": "tui",
    "delete": "tui",
    "ui": "tui",
    "version": "--version",
}
"""Words of other programs -> what does it here."""


def python_name(command: str) -> str:
    """The name of a command's module and function."""
    return f"{command}_" if keyword.iskeyword(command) else command


def closest(typed: str, names: Iterable[str]) -> str:
    """The name closest to a mistyped one; "" if none is close."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(typed.lower(), list(names), n=1, cutoff=0.6)), "")


class LazyGroup(click.Group):
    """A group that knows its commands' names and imports a command only to run it or to show its help."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`help COMMAND` means `COMMAND --help`."""
        return super().parse_args(ctx, [*args[1:], "--help"] if args[:1] == ["help"] else args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        python = python_name(cmd_name)
        command: Any = getattr(importlib.import_module(f"hvdsweep.cli.{python}"), python)
        assert isinstance(command, click.Command)
        commands = command.commands.values() if isinstance(command, click.Group) else ()
        for parameter in [parameter for one in (command, *commands) for parameter in one.params]:
            # A command that runs a second time in this process has its checks already.
            if isinstance(parameter.type, CHECKED) and "convert" not in vars(parameter.type):
                parameter.type = _checked(parameter.type)
        example = f"{cmd_name} {COMMANDS[cmd_name][1]}".rstrip()
        setattr(command, "format_help", partial(_help, command, example))  # noqa: B010
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            close = MEANT.get(args[0].lower()) or closest(args[0], COMMANDS)
            advice = f"Did you mean {close}?" if close else f"There is {', '.join(COMMANDS)}."
            raise click.UsageError(f"No such command '{args[0]}'. {advice}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; for an option that it does not have, name only the one that begins most like it."""
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            typed = error.option_name
            starts = [typed[:length] for length in range(len(typed), 0, -1)]
            # The dashes alone make short options alike.
            alike = [
                one
                for one in error.possibilities or ()
                if one[:3] == typed[:3] or closest(typed.strip("-"), [one.strip("-")])
            ]
            # The first of those with the longest common beginning.
            close = [one for start in starts for one in alike if one.startswith(start)]
            raise click.NoSuchOption(typed, error.message, close[:1], error.ctx) from None

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Put the tool's purpose first."""
        self.format_help_text(ctx, formatter)
        formatter.write("\n")
        self.format_usage(ctx, formatter)
        self.format_options(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (line, _) in COMMANDS.items()])


def _help(
    command: click.Command, example: str, context: click.Context, formatter: click.HelpFormatter
) -> None:
    formatter.write(f"Example: hvdsweep {example}\n\n")
    type(command).format_help(command, context, formatter)


CHECKED = (click.types.IntParamType, click.types.FloatParamType, click.types.StringParamType, click.Path)


def _checked(kind: click.ParamType[Any]) -> click.ParamType[Any]:
    """The same type, restricted to what SQLite can hold: whole numbers of 64 bits, numbers, and text that is UTF-8; and to
    paths that name something."""
    # A copy, since all commands share the original.
    checked, convert = copy.copy(kind), kind.convert

    def within(value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        if value == "" and isinstance(kind, click.Path):
            # Python would take the working folder.
            kind.fail("It is empty. Name a file or a folder.", parameter, context)
        found = convert(value, parameter, context)
        match found:
            case int() if not -(2**63) <= found < 2**63:
                kind.fail(f"{str(value)[:40]} is beyond 64 bits.", parameter, context)
            case float() if math.isnan(found):
                kind.fail(f"{value} is not a number.", parameter, context)
            case str() if re.search("[\ud800-\udfff]", found):
                kind.fail(f"{found[:40]} has bytes that are not UTF-8.", parameter, context)
        return found

    setattr(checked, "convert", within)  # noqa: B010
    return checked


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hvdsweep")
@click.option(
    "--log-level",
    type=click.Choice(debug_log.LEVELS),
    envvar=debug_log.VARIABLE,
    help=f"Log what the program does to stderr. [default: ${debug_log.VARIABLE}, else nothing]",
)
@click.pass_context
def group(context: click.Context, log_level: str | None) -> None:
    """How far does data parallelism pay for your workload?

    Compose a sweep over batch sizes and metaparameters, train it through horovodrun, and read the scaling curve.
    """
    if context.invoked_subcommand == "tui":
        # The interface uses the terminal as its screen.
        from tui.memory import memory_file

        debug_log.configure(log_level, memory_file().with_name("tui.log"))
    else:
        debug_log.configure(log_level)
    log.info("%s", context.invoked_subcommand)


def main() -> None:
    """The console script: expected errors go to stderr as one clear message, with the exit code for their kind."""
    _streams()
    # Most of the time of ending is a last search for garbage; on a crowded node it took a minute.
    atexit.register(gc.freeze)
    try:
        # A command that ends by `ctx.exit(code)` returns its code.
        code = group.main(prog_name="hvdsweep", standalone_mode=False)
        # Flush here, where an error can still be reported: the rest of the buffer may not fit on the disk.
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as error:
        setattr(error, "message", visible(error.message, lines=True))  # noqa: B010
        error.show()
        sys.exit(error.exit_code)
    except HvdsweepError as error:
        click.echo(visible(str(error), lines=True), err=True)
        sys.exit(error.exit_code)
    except (sqlite3.Error, ArithmeticError, LookupError, TypeError, ValueError, OSError) as error:
        message = _unwritable(error) or _unreachable(error) or _explained(error)
        if message is None:
            raise
        click.echo(visible(message, lines=True), err=True)
        sys.exit(2 if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG else 1)


def _streams() -> None:
    """Make streams that every command can write to, and through which foreign text cannot control the terminal."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # Closed (`2>&-`). The next file opened, perhaps a database, would get this number and with it all messages.
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115
    for name, kind in (("stdout", GuardedStream), ("stderr", Messages)):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, guarded(stream, kind))


def _unwritable(error: Exception) -> str | None:
    """Why stdout cannot be written; None for any other error."""
    if (
        not isinstance(error, OSError)
        or error.filename is not None
        or error.errno not in (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG)
    ):
        return None
    into_nothing(1)
    return f"The output cannot be written: {error.strerror}."


def _unreachable(error: Exception) -> str | None:
    """Which file the machine does not let us use, and why; None for any other error."""
    if not isinstance(error, OSError) or error.filename is None:
        return None
    return f"{os.fsdecode(error.filename)}: {error.strerror}."


def _explained(error: Exception) -> str | None:
    """What is wrong with the store that was read, if that caused the error; None for a bug of this program."""
    opened = sys.modules.get("hvdsweep.store.connection")
    if opened is None:
        return None
    from hvdsweep.opening import open_store

    for path in opened.OPENED:
        try:
            with open_store(path) as reader:
                reader.explain(error)
        except HvdsweepError as found:
            return str(found)
    return None
