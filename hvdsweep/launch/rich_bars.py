"""rich's console and progress bars for `launch`: no thread, no exit on a closed pipe, more lines below the bars."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress


def console_of(stream: TextIO) -> Console:
    """A console on the stream that raises if nobody reads it any more."""
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            # rich would end the process.
            raise BrokenPipeError

    return Ours(file=stream)


def bars_on(console: Console, below: Callable[[], Iterable[RenderableType]]) -> Progress:
    """Progress bars with the result of `below` under them."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    class WithMore(Progress):
        def get_renderables(self) -> Iterable[RenderableType]:
            yield from super().get_renderables()
            yield from below()

    # Without a refreshing thread: horovodrun is forked from this process.
    return WithMore(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        TaskProgressColumn(),
        TextColumn("{task.fields[detail]}", justify="right"),
        TextColumn("{task.fields[eta]}", justify="right"),
        console=console,
        auto_refresh=False,
        redirect_stdout=False,
        redirect_stderr=False,
        expand=True,
    )
