"""Finds and calls the user's own Python: `module:function`, searched first in the directory of the
sweep file."""

from __future__ import annotations

import importlib
import re
import sys
import textwrap
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hvdsweep.errors import UserError


def find(name: str, source: str | None) -> Callable[..., Any]:
    """The function named by `module:function`. Raises `UserError` saying which part of the name is
    wrong."""
    module_name, _, function_name = name.partition(":")
    if not module_name or not function_name:
        raise UserError(f"{name}: is not `module:function`, e.g. `my_model:build_model`")
    if source is not None:
        if source in sys.path:
            sys.path.remove(source)
        sys.path.insert(0, source)
        importlib.invalidate_caches()
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name.partition(".")[0] and error.name != module_name:
            raise UserError(
                f"{name}: importing it needs the module {error.name}, which is not installed"
            ) from error
        place = f" in {source} or" if source else ""
        raise UserError(f"{name}: no module {module_name}{place} among the installed packages") from error
    except BaseException as error:
        raise UserError(f"{name}: importing {module_name} failed: {describe(error)}") from error
    _refuse_namesake(name, module_name, module, source)
    function = getattr(module, function_name, None)
    if not callable(function):
        raise UserError(f"{name}: {module.__file__} has no function {function_name}")
    return function  # type: ignore[no-any-return]


def _refuse_namesake(name: str, module_name: str, module: Any, source: str | None) -> None:
    if source is None:
        return
    top = Path(source) / module_name.partition(".")[0]
    own = next((path for path in (top.with_suffix(".py"), top / "__init__.py") if path.exists()), None)
    loaded = getattr(sys.modules[module_name.partition(".")[0]], "__file__", None)
    if own is not None and (loaded is None or Path(loaded).resolve() != own.resolve()):
        raise UserError(
            f"{name}: {own} is hidden by another module of that name ({loaded or 'built in'}); rename it"
        )


def call(name: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """The result of the user's function; an exception becomes one `UserError` with the place it came
    from."""
    try:
        return function(*arguments, **options)
    except UserError:
        raise
    except BaseException as error:
        raise UserError(f"{name}: {describe(error)}") from error


LONGEST = 1000
"""Characters of an exception's message that are shown."""

_LIBRARIES = re.compile(
    rf"^<|/lib/python3[^/]*/|/site-packages/|^{re.escape(str(Path(__file__).parents[1]))}/(hvdsweep|workloads)/"
)
"""Files that are not the user's: their lines say less than the one that called them."""
_WRAPPED = re.compile(
    r"(?s)^(?:\w+: )?(Exception encountered when calling .*?|in user code:)\n+(.*?)(\n+Arguments received by .*)?$"
)


def _words(message: str) -> str:
    """What an exception says, without Keras' frame around it, colours and lines of a traceback."""
    message = re.sub(r"\x1b\[[0-9;]*m", "", message).strip()
    while match := _WRAPPED.match(message):
        lines = textwrap.dedent(match[2]).strip().splitlines()
        message = "\n".join(line for line in lines if not line.startswith(("File ", "    "))).strip()
    return " ".join(message.split())


def describe(error: BaseException) -> str:
    """An exception as one line: its type, message and innermost place, and the remedy if it is known."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    asked = any(Path(frame.filename).name == "argparse.py" for frame in frames)
    within = [frame for frame in frames if Path(frame.filename).name != "argparse.py"]
    own = [frame for frame in within if not _LIBRARIES.search(frame.filename)] or within
    place = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    try:
        words = _words(str(error))
    except Exception:
        words = "an exception without words: its __str__ fails"
    if len(words) > LONGEST:
        words = f"{words[:LONGEST]}..."
    text = f"{type(error).__name__}{words and ': '}{words}{place}"
    if isinstance(error, SystemExit):
        reason = "it reads a command line (argparse)" if asked else "it calls exit"
        return (
            f'{text}: {reason}; put what a script does under `if __name__ == "__main__":`, and take settings from '
            "dataset_options and model_options"
        )
    if "Horovod has not been initialized" in words:
        return (
            f"{text}: user code may not depend on the rank: give all data and the same model everywhere, hvdsweep shares the "
            "batches out"
        )
    return text
