"""The walls of the house: what may import what, and how light the front door is."""

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("tensorflow", "keras", "horovod", "textual")


def loaded_after(statement: str) -> set[str]:
    """The top-level modules in a fresh interpreter after `statement`."""
    code = (
        f"import json, sys; {statement}; print(json.dumps(sorted({{n.split('.')[0] for n in sys.modules}})))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(json.loads(run.stdout.splitlines()[-1]))


def core_modules() -> list[str]:
    """Every module of the core but training/, and the light part of workloads/."""
    paths = [
        p for p in (ROOT / "hvdsweep").rglob("*.py") if "training" not in p.parts and p.parent.name != "cli"
    ]
    names = [".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for p in paths]
    return [*names, "workloads", "workloads.catalogue"]


def test_the_core_loads_neither_tensorflow_nor_textual():
    """Importing every module of the core leaves TensorFlow, Keras, Horovod and Textual out of the process."""
    loaded = loaded_after(
        "import importlib; [importlib.import_module(n) for n in " + repr(core_modules()) + "]"
    )
    assert not loaded & set(HEAVY)


def test_help_loads_next_to_nothing():
    """`import hvdsweep` and the table of commands need click alone: no numpy, no sqlite-utils, no rich."""
    loaded = loaded_after("import hvdsweep, hvdsweep.cli")
    assert "click" in loaded
    assert not loaded & {*HEAVY, "numpy", "scipy", "pandas", "pydantic", "rich", "sqlite_utils", "matplotlib"}


def imports_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
    return names


@pytest.mark.parametrize("room", ["hvdsweep", "workloads", "tui"])
def test_arrows_run_one_way(room):
    """Nothing imports cli or tui but cli itself (the `tui` command) and tui; the core knows of workloads only its catalogue."""
    for path in (ROOT / room).rglob("*.py"):
        inside = path.relative_to(ROOT).parts
        in_cli = inside[:2] == ("hvdsweep", "cli")
        for name in imports_of(path):
            if name.startswith("hvdsweep.cli"):
                assert in_cli, f"{path}: imports {name}"
            if name == "tui" or name.startswith("tui."):
                assert room == "tui" or in_cli, f"{path}: imports {name}"
            if name == "tensorflow" or name.startswith(("horovod", "keras")):
                assert inside[:2] == ("hvdsweep", "training") or room == "workloads", (
                    f"{path}: imports {name}"
                )


def test_the_public_api_is_what_it_says():
    """Every public name can be had, and none is missing from the documentation of the module."""
    import hvdsweep

    for name in hvdsweep.__all__:
        assert getattr(hvdsweep, name) is not None
    assert "open_store" in hvdsweep.__doc__


def test_packages_are_typed_and_metadata_names_the_licence():
    """Users' type checkers see the annotations of every package, and the licence that the metadata names is there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert [name for name in packages if not (ROOT / name / "py.typed").exists()] == []
    assert project["project"]["license"] == "Apache-2.0"
    assert "Apache License\n                           Version 2.0" in (ROOT / "LICENSE").read_text()
    assert f"## [{project['project']['version']}]" in (ROOT / "CHANGELOG.md").read_text()
