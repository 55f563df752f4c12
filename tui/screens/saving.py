"""Saving and launching what is composed: the path, what becomes of the sweep before, the file, the process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tui.composing.words import rank_options
from tui.launching import Pending
from tui.words import plural

if TYPE_CHECKING:
    from tui.composing.draft import Draft
    from tui.composing.outlook import Outlook
    from tui.composing.relatives import Relatives
    from tui.composing.standing import Standing
    from tui.interface import Interface
    from tui.widgets.form_dialogs import Target


def ask_path(
    app: Interface,
    draft: Draft,
    title: str,
    outlook: Outlook | None,
    standing: Standing,
    relatives: Relatives,
    *,
    launch: bool,
    then: Callable[[Target | None], None],
) -> None:
    """Open the window that asks where to save, and says what launching would begin."""
    from tui.widgets.form_dialogs import SaveDialog

    words = []
    if launch and outlook is not None and outlook.summary is not None:
        summary, begins = outlook.summary, f"{standing.words[:1].upper()}{standing.words[1:]}"
        words.append(f"{begins}; {plural(summary.trials, 'trial')}, {summary.at_once}.")
    if outlook is not None and standing.sweep is None and relatives.words:
        words.append(relatives.words)
    path = relatives.free(draft.file, Path.cwd() / f"{_file_name(title)}.toml")
    mistakes = 0 if outlook is None else len(outlook.problems)
    dialog = SaveDialog(path, own=draft.file, what="\n".join(words), launch=launch, mistakes=mistakes)
    app.push_screen(dialog, then)


def write(
    app: Interface,
    draft: Draft,
    title: str,
    target: Target,
    *,
    saved: Callable[[Path, str], None],
    launched: Callable[[], None] | None,
) -> None:
    """In a thread: write the text, then launch it where there is a `launched`; both are called once that is done."""
    path, text = target.path, draft.text
    before = draft.saved if path == draft.file else None
    arguments = [str(path), *rank_options(draft.np, draft.gangs, draft.slots)]

    def job() -> str:
        from tui.composing import files

        files.write(path, text, replace=target.replace, before=before, database=app.source.path)
        app.call_from_thread(saved, path, text)
        if launched is None:
            return f"Saved: {path}"
        from tui import launching

        process = launching.spawn_launch(app.source.path, arguments, partial(app.launch_ended, 0, title))
        app.pending = Pending(title, process.pid)
        app.call_from_thread(launched)
        return f"{title} starts as process {process.pid}; its output goes to {process.log}."

    app.do(job)


def _file_name(title: str) -> str:
    """A name for a file from that of a sweep."""
    kept = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in title)
    return kept.strip("._") or "sweep"
