"""A main pane and a side pane: the side pane is hidden if there is little room, and each can fill the screen."""

from __future__ import annotations

from textual.containers import Horizontal
from textual.widget import Widget


class Panes(Horizontal):
    """Holds two panes, of the classes `main` and `side`.

    Where the screen is narrow the side takes the main pane's place when it is asked for, and is away otherwise. While a pane
    has the whole screen, the screen has the class `-full`: what stands around (`aside`) is then hidden.
    """

    SCOPED_CSS = False  # Its rules begin with classes of the screen.
    DEFAULT_CSS = """
    Panes { height: 1fr; }
    .-narrow Panes > .side, .-tiny Panes > .side { display: none; }
    Panes.-side-over > .side { display: block; width: 1fr !important; border-left: none !important; }
    Panes.-side-over > .main { display: none; }
    Panes.-side-off > .side { display: none; }
    .-full Panes > .side, .-full Panes > .main { display: none; }
    .-full Panes > .-filled { display: block; width: 1fr !important; height: 1fr; border-left: none !important; }
    """

    @property
    def narrow(self) -> bool:
        """Whether there is room for one pane only."""
        return self.screen.has_class("-narrow") or self.screen.has_class("-tiny")

    @property
    def full(self) -> bool:
        """Whether one pane has the whole screen."""
        return self.screen.has_class("-full")

    @property
    def side_shown(self) -> bool:
        return self.has_class("-side-over") if self.narrow else not self.has_class("-side-off")

    @property
    def can_go_back(self) -> bool:
        """Whether `go_back` would do something."""
        return self.full or self.has_class("-side-over")

    def _pane(self, name: str) -> Widget:
        return next(pane for pane in self.children if pane.has_class(name))

    def toggle_side(self) -> None:
        """Fold the side pane away, or bring it back."""
        if self.full:
            self.fill()
        self.toggle_class("-side-over" if self.narrow else "-side-off")
        self._keep_focus()

    def on_resize(self) -> None:
        if not self.narrow:
            self.remove_class("-side-over")

    def _keep_focus(self) -> None:
        """The keyboard goes to the pane in view where its own went away."""
        pane, focused = self._pane("side" if self.side_shown and self.narrow else "main"), self.screen.focused
        if focused is None or not focused.display or (self.narrow and pane not in focused.ancestors):
            target = next((widget for widget in pane.query("*") if widget.can_focus and widget.display), None)
            if target is not None:
                self.screen.set_focus(target)

    def fill(self) -> None:
        """Give the whole screen to the pane with the keyboard, or take it back."""
        if not self.full:
            side, focused = self._pane("side"), self.screen.focused
            inside = focused is not None and side in focused.ancestors_with_self
            side.set_class(inside, "-filled")
            self._pane("main").set_class(not inside, "-filled")
        self.screen.toggle_class("-full")

    def go_back(self) -> bool:
        """Leave the full screen or the side pane; whether there was something to leave."""
        had = self.can_go_back
        if self.full:
            self.fill()
        elif had:
            self.toggle_side()
        return had
