"""The reference of all commands as Markdown, from the commands themselves.

`python -m hvdsweep.cli.reference > docs/commands.md` writes it; a test checks that it is current.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from hvdsweep.cli import COMMANDS, LazyGroup, group

HEAD = """# Commands

Every command and option, as `hvdsweep COMMAND --help` prints them. Commands that print results take `--json`. Errors
go to stderr. Exit codes: 0 success, 1 failed, 2 bad usage or input (nothing was changed), 130 interrupted.
"""


def reference() -> str:
    """The whole page."""
    context = click.Context(group, info_name="hvdsweep")
    parts = [
        HEAD,
        "Options of `hvdsweep` itself, given before the command:\n",
        "\n".join(_options(group, context)),
    ]
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        own = click.Context(command, info_name=name, parent=context)
        parts.append("\n".join(_section(command, own)))
        if isinstance(command, click.Group):
            for one, part in command.commands.items():
                parts.append("\n".join(_section(part, click.Context(part, info_name=one, parent=own))))
    return "\n".join(parts)


def _section(command: click.Command, context: click.Context) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(context))
    depth = "##" if isinstance(context.parent and context.parent.command, LazyGroup) else "###"
    yield f"{depth} {context.info_name}\n"
    yield f"`{context.command_path} {usage}`\n"
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b\n"):
            yield f"```\n{paragraph[2:]}\n```\n"
        else:
            yield f"{' '.join(paragraph.split())}\n"
    if isinstance(command, click.Group):
        return
    yield from _options(command, context)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    yield "| option | meaning |"
    yield "| --- | --- |"
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            option, meaning = (text.replace("|", "\\|") for text in record)
            # Two brackets in a row would be a link.
            yield f"| `{option}` | {' '.join(meaning.split()).replace('] [', '; ')} |"
    yield ""


if __name__ == "__main__":
    click.echo(reference(), nl=False)
