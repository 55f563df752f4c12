"""Starting, resuming and extending a sweep from any screen, and cancelling jobs: the dialogs and the launch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hvdsweep.store.status import SweepStatus
    from tui.interface import Interface
    from tui.launching import Extent


def can_extend(app: Interface, sweep: SweepStatus | None) -> bool:
    """Whether a sweep can be started or extended now: not an imported one, nor one in training."""
    return sweep is not None and not sweep.live and sweep.source == "launch" and sweep.id not in app.begun


def ask_launch(
    app: Interface,
    sweep: SweepStatus,
    *,
    extend: bool,
    batch_size: int | None = None,
    trial: int | None = None,
) -> None:
    """Open the dialog that starts a sweep; with `extend` one that extends it, or only the trials of one batch size (or of
    that of a trial)."""

    def job() -> str:
        from tui.launching import extent_of

        extent, size = app.source.ask(partial(extent_of, sweep.id)), batch_size
        if trial is not None:
            size = app.source.ask(lambda store: store.trial(trial).batch_size)
        app.call_from_thread(_open, app, sweep, extent, extend, size)
        return ""

    app.do(job)


def ask_cancel(app: Interface, jobs: Sequence[str], text: str) -> None:
    """Ask, then cancel these jobs of a batch folder; `text` names them."""
    from tui.screens.dialogs import Confirm
    from tui.widgets.window import open_window

    text += " What is trained is saved; `hvdsweep batch resubmit` continues."
    cancel = partial(app.jobs.cancel, jobs)
    open_window(app, Confirm("Cancel?", text, "Cancel"), lambda sure: app.do(cancel) if sure else None)


def _open(app: Interface, sweep: SweepStatus, extent: Extent, extend: bool, batch_size: int | None) -> None:
    from tui.launching import AUTO, Changes
    from tui.screens.dialogs import LaunchDialog
    from tui.widgets.window import open_window

    # A number for one batch size does not go with trials in rounds.
    one = batch_size if extent.until is None and batch_size in extent.trials else None
    now = Changes(AUTO if sweep.slots else sweep.np or 1, sweep.gangs or 1, sweep.slots)
    dialog = LaunchDialog(sweep.name, now, extent, extend=extend, batch_size=one)
    open_window(app, dialog, partial(_launch, app, sweep.id, sweep.name))


def _launch(app: Interface, sweep_id: int, name: str, changes: object) -> None:
    from tui.launching import Changes, arguments_of

    if not isinstance(changes, Changes):
        return
    app.begin(sweep_id, partial(app.launch, name, arguments_of(sweep_id, changes), sweep=sweep_id))
