"""The walls of the house: what may import what, and how light the front door is."""

import ast
import functools
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Collection
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
    """`import hvdsweep` and the table of commands need click alone: no numpy, no sqlite-utils, no rich, no `logging.handlers`
    (which alone brings `pickle`)."""
    loaded = loaded_after("import hvdsweep, hvdsweep.cli")
    assert "click" in loaded
    others = {"numpy", "scipy", "pandas", "pydantic", "rich", "sqlite_utils", "matplotlib", "pickle"}
    assert not loaded & {*HEAVY, *others}


@functools.cache
def imports_of(path: Path) -> set[str]:
    """Every module that a file imports: at its top, in a function, or for types alone."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported_modules(path: Path, known: Collection[str]) -> set[str]:
    """The modules in `known` that a file imports, or imports a name from."""
    names = imports_of(path)
    return {name if name in known else name.rpartition(".")[0] for name in names} & set(known)


def modules() -> dict[str, Path]:
    """The product's modules by name; a package is its `__init__`."""
    found = {}
    for room in ("hvdsweep", "workloads", "tui"):
        for path in (ROOT / room).rglob("*.py"):
            found[".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")] = path
    return found


def circles(arrows: dict[str, set[str]]) -> list[set[str]]:
    """Groups of modules each of which leads to every other one."""

    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        left = [start]
        while left:
            new = arrows[left.pop()] - seen
            seen |= new
            left += new
        return seen

    behind = {name: reachable(name) for name in arrows}
    found: list[set[str]] = []
    for name in arrows:
        circle = {other for other in behind[name] if name in behind[other]}
        if len(circle) > 1 and circle not in found:
            found.append(circle)
    return found


def test_imports_make_no_circle():
    """Not even those for types, nor those inside functions. A package that imports its parts' names when they are first used
    counts as none of them."""
    known = modules()
    lazy = {
        name
        for name, path in known.items()
        if path.name == "__init__.py" and "on_first_use" in path.read_text()
    }
    arrows = {
        name: imported_modules(path, known) - {name} for name, path in known.items() if name not in lazy
    }
    assert "hvdsweep.store.schema" in arrows["hvdsweep.store.repeats"]
    assert circles({name: targets & arrows.keys() for name, targets in arrows.items()}) == []


def test_a_circle_would_be_found():
    """The search itself: two that lead to each other, whatever else they lead to."""
    assert circles({"a": {"b", "c"}, "b": {"a"}, "c": set()}) == [{"a", "b"}]


ABOVE = {"launch", "training", "archive", "figures", "report", "cli"}
ROOMS_ABOVE = {
    "charts": {*ABOVE, "batch", "curves", "store", "sweep"},
    "curves": {*ABOVE, "batch", "store"},
    "store": {*ABOVE, "batch"},
}
"""Room of the core -> rooms that it may not know."""


@pytest.mark.parametrize("room", ROOMS_ABOVE)
def test_lower_rooms_do_not_know_those_above(room):
    """As docs/design.md lists them. The rows of the store are data, which curves may name."""
    for path in (ROOT / "hvdsweep" / room).rglob("*.py"):
        for name in imports_of(path):
            _, _, below = name.partition("hvdsweep.")
            assert below.partition(".")[0] not in ROOMS_ABOVE[room] or below.startswith("store.rows"), (
                f"{path}: {name}"
            )


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


def room_of(module: str) -> str:
    """The room of a module, as docs/design.md names it; `core` for the modules of hvdsweep that are in no folder."""
    first, *rest = module.split(".")
    if first != "hvdsweep":
        return first
    return rest[0] if rest and (ROOT / "hvdsweep" / rest[0]).is_dir() else "core"


def test_the_diagram_of_the_rooms_is_the_code():
    """docs/design.md lists for every room exactly the rooms that it imports from."""
    found: dict[str, set[str]] = {}
    for top in ("hvdsweep", "tui", "workloads"):
        for path in (ROOT / top).rglob("*.py"):
            room = room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
            names = [
                name for name in imports_of(path) if name.split(".")[0] in ("hvdsweep", "tui", "workloads")
            ]
            found.setdefault(room, set()).update({room_of(name) for name in names} - {room})
    text = (ROOT / "docs" / "design.md").read_text()
    drawn = {
        room: set(rooms.split(", ")) for room, rooms in re.findall(r"^(\w+) +-> (\w.*)$", text, re.MULTILINE)
    }
    lines = "\n".join(f"{room:<10} -> {', '.join(sorted(found[room]))}" for room in sorted(found))
    assert drawn == found, f"the list in docs/design.md should be\n{lines}"


NAMED_AGAIN = {
    "hvdsweep/training/step.py": "a neutral value for every one that enters the update as a tensor, without pydantic",
    "tui/trial_rows.py": "short titles of the longest names",
}
"""Modules that give every name of a registry, or some, something of their own."""


def lists_of(text: str, registry: set[str]) -> list[int]:
    """Lines of the lists, tuples, sets, dictionaries and Literals that spell out three or more of the registry's names."""
    found = []
    for node in ast.walk(ast.parse(text)):
        parts = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", None) or []
        names = {part.value for part in parts if isinstance(part, ast.Constant)}
        if len(names & registry) > 2:
            found.append(node.lineno)
    return found


def test_registries_are_declared_once():
    """No module but the registry lists the metaparameters or the algorithms: a name is added in one place."""
    from hvdsweep.algorithms import ALGORITHMS
    from hvdsweep.sweep.metaparameters import METAPARAMETERS

    registries = {
        "hvdsweep/algorithms.py": set(ALGORITHMS),
        "hvdsweep/sweep/metaparameters.py": set(METAPARAMETERS),
    }
    assert lists_of("x = {'sgd': 1, 'momentum': 2, 'nesterov_momentum': 3}", set(ALGORITHMS)) == [1]
    again = {
        str(path.relative_to(ROOT))
        for path in modules().values()
        for home, names in registries.items()
        if path != ROOT / home and lists_of(path.read_text(), names)
    }
    assert again == set(NAMED_AGAIN)


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
