"""A main pane and a side pane: the side pane is hidden if there is little room, and each can fill the screen."""

from __future__ import annotations

from textual.containers import Horizontal

from tui.widgets.messages import KeysChanged


class Panes(Horizontal):
    """Holds two panes, of the classes `main` and `side`.

    Where the screen is narrow the side pane takes the main one's place when it is asked for, and is hidden otherwise. While it
    does, the screen has the class `-side-over`.
    """

    SCOPED_CSS = False  # Its rules begin with classes of the screen.
    DEFAULT_CSS = """
    Panes { height: 1fr; }
    .-narrow Panes > .side, .-tiny Panes > .side { display: none; }
    .-side-over Panes > .side { display: block; width: 1fr !important; border-left: none !important; }
    .-side-over Panes > .main { display: none; }
    Panes.-side-off > .side { display: none; }
    """

    def __init__(self) -> None:
        super().__init__(id="panes", classes="pane")

    @property
    def narrow(self) -> bool:
        """Whether there is room for one pane only."""
        return self.screen.has_class("-narrow") or self.screen.has_class("-tiny")

    def on_resize(self) -> None:
        if not self.narrow:
            self.screen.remove_class("-side-over")

    def action_side(self) -> None:
        """Fold the side pane away, or bring it back; the keyboard goes to the pane in view where its own went away."""
        screen = self.screen
        screen.remove_class("-full")
        (screen if self.narrow else self).toggle_class("-side-over" if self.narrow else "-side-off")
        shown = self.query_children(".side" if screen.has_class("-side-over") else ".main").first()
        focused = screen.focused
        if focused is None or not focused.display or (self.narrow and shown not in focused.ancestors):
            target = next(
                (widget for widget in shown.query("*") if widget.can_focus and widget.display), None
            )
            if target is not None:
                screen.set_focus(target)
        self.post_message(KeysChanged())
