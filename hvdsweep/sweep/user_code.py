"""The user's own data sets and models, `module:function`, checked by reading their source; none of it is
run here."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import io
import re
import sys
import tokenize
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hvdsweep.errors import UserError
from hvdsweep.sweep.messages import closest

if TYPE_CHECKING:
    from hvdsweep.sweep.models import Sweep

_NAME = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<function>[^\W\d]\w*)")


def problem_of(name: str, source: str | None) -> str | None:
    """What is wrong with `module:function` in the directory `source`, as the rest of a
    sentence."""
    match = _NAME.fullmatch(name)
    if match is None:
        return "is not module:function, for example my_model:build_model"
    if source is None:
        return None
    file = _file(match["module"], source)
    if file is not None and (other := _namesake(match["module"].partition(".")[0])):
        return f"is not found: {file} has the name of {other}, which Python would import instead; rename it"
    if file is None:
        if _installed(match["module"]):
            return None
        return f"is not found: no module {match['module']} in {source} (nor among the installed packages)"
    try:
        names = _top_level_names(ast.parse(_text(file), filename=file.name))
    except UserError as error:
        return f"is not found: {error}"
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"is not found: {file} cannot be read as Python: {error}"
    if match["function"] in names or "*" in names:
        return None
    meant = closest(match["function"], names)
    return f"is not found: {file} defines no {match['function']}" + (
        f"; did you mean {meant}?" if meant else ""
    )


def fingerprint(name: str, source: str | None) -> str | None:
    """Hash of the source that `module:function` names, and of the modules in `source` that it imports, without comments,
    blank lines and trailing space; None if not found.

    Part of each trial's identity.
    """
    if source is None:
        return None
    texts = _texts(name, source)
    if not texts:
        return None
    code = _without_comments(texts.pop(name.partition(":")[0]))
    # A single module is hashed as it is; modules that it imports are appended.
    code += "".join(f"\0{other}\0{_without_comments(texts[other])}" for other in sorted(texts))
    return hashlib.sha256(code.encode()).hexdigest()[:16]


def files_of(sweep: Sweep, source: str | None) -> dict[str, Path]:
    """The files of a sweep's user code, with the files in `source` that they import: relative path -> file."""
    found = {}
    for name in (sweep.dataset, sweep.model):
        if source is not None and ":" in name:
            for module in _texts(name, source):
                file = _file(module, source)
                if file is not None:
                    found[str(file.relative_to(source))] = file
    return found


def _texts(name: str, source: str) -> dict[str, str]:
    """Module -> text, for the module of `module:function` and those in `source` that it imports; empty if not found."""
    module = name.partition(":")[0]
    file = _file(module, source)
    if file is None:
        return {}
    texts = {module: _text(file)}
    waiting = [module]
    while waiting:
        for other in _imported(texts[waiting.pop()], source):
            found = _file(other, source)
            if other not in texts and found is not None:
                texts[other] = _text(found)
                waiting.append(other)
    return texts


def _text(file: Path) -> str:
    try:
        # In the encoding that Python would use.
        with tokenize.open(file) as lines:
            return lines.read()
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{file} cannot be read as Python: {error}") from error


def _imported(text: str, source: str) -> set[str]:
    """The modules that a text imports, anywhere in it; packages of relative imports are looked up in `source`."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            names.add(base)
            names |= {f"{base}.{alias.name}".lstrip(".") for alias in node.names}
            if node.level:
                # Relative to an unknown package of the folder: try the same name in each of them.
                packages = [path.parent.name for path in Path(source).glob("*/__init__.py")]
                names |= {f"{package}.{name}" for package in packages for name in list(names)}
    # A package is imported before its modules.
    parents = {
        ".".join(name.split(".")[:length]) for name in names for length in range(1, name.count(".") + 1)
    }
    return {name for name in names | parents if name}


def _namesake(top: str) -> str | None:
    """The module that a rank has imported under this name before it looks for the user's modules."""
    if top in sys.stdlib_module_names:
        return f"Python's own module {top}"
    return f"the package {top}" if top in _LOADED else None


_LOADED = (
    "absl",
    "h5py",
    "horovod",
    "hvdsweep",
    "keras",
    "numpy",
    "optree",
    "rich",
    "scipy",
    "tensorflow",
    "tui",
    "workloads",
)
"""Packages that the ranks themselves import."""


def _file(module: str, source: str) -> Path | None:
    base = Path(source, *module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module.partition(".")[0]) is not None
    except (ImportError, ValueError):
        return False


def _top_level_names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef) and node in tree.body:
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names |= {(alias.asname or alias.name) for alias in node.names}
    return names


def _without_comments(text: str) -> str:
    lines = text.splitlines()
    # A module with a mistake in it fails when it is imported, with words of its own.
    with suppress(tokenize.TokenError, SyntaxError):
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                row, column = token.start
                lines[row - 1] = lines[row - 1][:column]
    return "\n".join(line.rstrip() for line in lines if line.strip())
