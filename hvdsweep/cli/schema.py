"""`hvdsweep schema`: the sweep file's JSON Schema, to complete and check sweep files in an editor."""

from __future__ import annotations

import json

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The same: a schema is JSON already.")
def schema(as_json: bool) -> None:
    """Print the JSON Schema of the sweep file.

    Save it (hvdsweep schema > sweep.schema.json) and begin a sweep file with `#:schema ./sweep.schema.json`:
    editors with a TOML language server (Taplo, Even Better TOML) then complete its keys, show what they mean
    and mark mistakes.
    """
    from hvdsweep.sweep.schema import sweep_schema

    click.echo(json.dumps(sweep_schema(), indent=2, ensure_ascii=False))
