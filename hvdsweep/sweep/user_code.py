"""The user's own data sets and models, `module:function`, judged by reading their source: nothing of theirs
is run here."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import io
import re
import tokenize
from pathlib import Path

from hvdsweep.sweep.messages import closest

_NAME = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<function>[^\W\d]\w*)")


def problem_of(name: str, source: str | None) -> str | None:
    """What is wrong with `module:function` looked for in the directory `source`, as the rest of a
    sentence."""
    match = _NAME.fullmatch(name)
    if match is None:
        return "is not module:function, for example my_model:build_model"
    if source is None:
        return None
    file = _file(match["module"], source)
    if file is None:
        if _installed(match["module"]):
            return None
        return f"is not found: no module {match['module']} in {source} (nor among the installed packages)"
    try:
        names = _top_level_names(ast.parse(file.read_bytes()))
    except (OSError, SyntaxError, ValueError) as error:
        return f"is not found: {file} cannot be read as Python: {error}"
    if match["function"] in names or "*" in names:
        return None
    meant = closest(match["function"], names)
    return f"is not found: {file} defines no {match['function']}" + (
        f"; did you mean {meant}?" if meant else ""
    )


def fingerprint(name: str, source: str | None) -> str | None:
    """Hash of the source that `module:function` names, without comments, blank lines and trailing space; None
    if not found.

    It makes the user's code part of what a trial is. Other modules that the code imports are not followed.
    """
    file = _file(name.partition(":")[0], source) if source is not None else None
    if file is None:
        return None
    # In the encoding that Python would read it in.
    with tokenize.open(file) as lines:
        text = lines.read()
    return hashlib.sha256(_without_comments(text).encode()).hexdigest()[:16]


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
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return "\n".join(line.rstrip() for line in lines if line.strip())
