"""`hvdsweep datasets`: which data sets are here, their folders, how to get them, and whether they are
intact."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from hvdsweep.cli.columns import table
from hvdsweep.cli.options import json_option, print_json
from hvdsweep.errors import RunFailed, UserError
from hvdsweep.words import short

if TYPE_CHECKING:
    pass


@click.command()
@click.argument("name", required=False)
@click.option("--verify", is_flag=True, help="Read everything and compare checksums; exit code 1 for damage.")
@json_option
def datasets(name: str | None, verify: bool, as_json: bool) -> None:
    """List the data sets, which of them this machine has, and how to get the others.

    Files are looked for below $HVDSWEEP_DATA, else ~/.cache/hvdsweep/data. Nothing is downloaded.
    """
    from workloads import catalogue
    from workloads.datasets import files

    names = catalogue.dataset_names()
    if name is not None:
        if name not in names:
            raise UserError(str(catalogue.UnknownName("data set", name, names)))
        names = [name]
    if verify:
        # TFRecords are read by TensorFlow, whose log would bury our output.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    damages: dict[str, list[str]] = {}
    entries = [_entry(each, verify, damages) for each in names]
    if as_json:
        print_json(entries if name is None else entries[0])
    elif name is None:
        for line in _lines(entries):
            click.echo(line)
        click.echo(
            f"\nLooked for below {files.root()} (HVDSWEEP_DATA). How to get one: hvdsweep datasets NAME"
        )
    else:
        for line in _details(entries[0]):
            click.echo(line)
    damaged = [f"{folder}: {problem}" for folder, problems in damages.items() for problem in problems]
    if verify and name is not None and entries[0]["missing"]:
        damaged = [f"{name}: is missing, so there is nothing to verify"]
    if damaged:
        raise RunFailed("\n".join(damaged))


def _entry(name: str, verify: bool, damages: dict[str, list[str]]) -> dict[str, Any]:
    """One data set as JSON. `damages`: results of verification by folder; a shared folder is read once."""
    from workloads import catalogue
    from workloads.datasets import files

    info = catalogue.dataset_info(name)
    home = files.home_of(name)
    entry: dict[str, Any] = {
        "name": name,
        "task": info.task,
        "train": info.train,
        "val": info.val,
        "test": info.test,
        "input_shape": list(info.input_shape),
        "classes": info.classes,
        "state": "built in",
        "folder": None,
        "bytes": 0,
        "missing": None,
        "problems": [],
        "how": None,
    }
    if home is None:
        if name == "python_source":
            from workloads.datasets import python_source

            entry["how"] = f"always there: {python_source.describe()}"
        return entry
    entry["folder"] = str(files.folder_of(home))
    entry["how"] = files.instructions(home)
    try:
        present = files.present(home)
    except UserError as missing:
        entry["state"] = "missing"
        # The first line names the missing file; the rest are the instructions in `how`.
        entry["missing"] = str(missing).splitlines()[0]
        return entry
    entry["state"] = "present"
    entry["bytes"] = sum(path.stat().st_size for path in present)
    if verify:
        from workloads.datasets import verification

        if home.folder not in damages:
            damages[home.folder] = verification.damage(home, present)
        entry["problems"] = damages[home.folder]
        entry["state"] = "damaged" if entry["problems"] else "verified"
    return entry


def _lines(entries: list[dict[str, Any]]) -> list[str]:
    rows = [
        [
            entry["name"],
            entry["task"].replace("_", " "),
            short(entry["train"]),
            short(entry["val"]),
            short(entry["test"]),
            "x".join(map(str, entry["input_shape"])),
            short(entry["classes"]),
            entry["state"],
        ]
        for entry in entries
    ]
    header = ["data set", "task", "train", "val", "test", "example", "classes", "state"]
    return table(header, rows, left=("data set", "task", "state"))


def _details(entry: dict[str, Any]) -> list[str]:
    shape = " x ".join(map(str, entry["input_shape"]))
    lines = [
        f"{entry['name']}: {entry['task'].replace('_', ' ')}, {entry['classes']:,} classes, examples of {shape}",
        f"train {entry['train']:,}, validation {entry['val']:,}, test {entry['test']:,} examples",
        f"state: {entry['state']}"
        + (f", {entry['bytes']:,} bytes in {entry['folder']}" if entry["bytes"] else ""),
    ]
    return lines + [entry[key] for key in ("missing", "how") if entry[key]]
