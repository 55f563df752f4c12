"""Panes of which one can have the whole screen, and a side pane that folds away where there is little room."""

from __future__ import annotations

from typing import ClassVar

from tui.screens.base import Place


class Paned(Place):
    """A place with a main pane and a side pane, both named by their ids.

    Where the screen is narrow the side pane takes the main one's place when it is asked for, and is away otherwise.
    """

    MAIN: ClassVar[str] = "main"
    SIDE: ClassVar[str] = "side"
    DEFAULT_CSS = """
    Paned #middle { height: 1fr; }
    Paned.-narrow .side, Paned.-tiny .side { display: none; }
    Paned.-side-over .side { display: block; width: 1fr !important; border-left: none !important; }
    Paned.-side-over .main { display: none; }
    Paned.-side-off .side { display: none; }
    Paned.-full .aside { display: none; }
    Paned.-full .side, Paned.-full .main { display: none; }
    Paned.-full .-filled { display: block; width: 1fr !important; height: 1fr; border-left: none !important; }
    """

    @property
    def narrow(self) -> bool:
        """Whether there is room for one pane only."""
        return self.has_class("-narrow") or self.has_class("-tiny")

    @property
    def side_shown(self) -> bool:
        return self.has_class("-side-over") if self.narrow else not self.has_class("-side-off")

    def action_side(self) -> None:
        """Fold the side pane away, or bring it back."""
        if self.has_class("-full"):
            self.fill()
        if self.narrow:
            self.toggle_class("-side-over")
        else:
            self.toggle_class("-side-off")
        self._keep_focus()
        self.refresh_keys()

    def on_resize(self) -> None:
        if not self.narrow:
            self.remove_class("-side-over")

    def _keep_focus(self) -> None:
        """The keyboard goes to the pane in view where its own went away."""
        pane = self.query_one(f"#{self.SIDE if self.side_shown and self.narrow else self.MAIN}")
        if (
            self.focused is None
            or not self.focused.display
            or (self.narrow and pane not in self.focused.ancestors)
        ):
            target = next((widget for widget in pane.query("*") if widget.can_focus and widget.display), None)
            if target is not None:
                self.set_focus(target)

    @property
    def can_fill(self) -> bool:
        return True

    @property
    def can_go_back(self) -> bool:
        return self.has_class("-full") or self.has_class("-side-over") or super().can_go_back

    def fill(self) -> None:
        if self.has_class("-full"):
            self.remove_class("-full")
        else:
            side = self.query_one(f"#{self.SIDE}")
            inside = self.focused is not None and side in self.focused.ancestors_with_self
            side.set_class(inside, "-filled")
            self.query_one(f"#{self.MAIN}").set_class(not inside, "-filled")
            self.add_class("-full")
        self.refresh_keys()

    def go_back(self) -> bool:
        if self.has_class("-full"):
            self.fill()
        elif self.has_class("-side-over"):
            self.action_side()
        else:
            return super().go_back()
        self.refresh_keys()
        return True
