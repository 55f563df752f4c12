"""A table of any length: only the rows in view are rendered, and only those in view need to be known.

Small tables are handed over whole with `put`; long ones by pages with `put_page`, asked for by the message `Wanted`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textual import events, on
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.actions import bindings
from tui.widgets.columns import Column, ColumnLayout, Row
from tui.widgets.known_rows import KnownRows
from tui.widgets.lines import in_lines, line_of
from tui.widgets.messages import KeysChanged, WidgetMessage

PAGE = 80
"""Rows asked for at a time."""

MARGIN = 8
"""Rows above and below those in view that are asked for with them when something was written."""


class Table(ScrollView, can_focus=True):
    """Rows under a header that stays, with a cursor that stays on its row's key while rows come, go and change."""

    BINDINGS = [*bindings("table")]  # noqa: RUF012
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header",
        "table--header-hover",
        "table--cursor",
        "table--hover",
        "table--loading",
    }
    DEFAULT_CSS = """
    Table {
        height: 1fr; width: 1fr; background: $background; color: $foreground;
        overflow-x: hidden; overflow-y: auto; scrollbar-size-vertical: 1;
        & > .table--header { color: $foreground-muted; text-style: bold; }
        & > .table--header-hover { color: $foreground; text-style: bold underline; }
        & > .table--cursor { background: $block-cursor-blurred-background; color: $block-cursor-blurred-foreground; }
        & > .table--hover { background: $boost; }
        & > .table--loading { color: $foreground-muted; }
        &:focus > .table--cursor { background: $block-cursor-background; color: $block-cursor-foreground; text-style: bold; }
        &:focus > .table--header { color: $primary; }
    }
    Table:nocolor > .table--cursor { text-style: underline; }
    Table:nocolor:focus > .table--cursor { text-style: reverse; }
    """

    cursor: reactive[int] = reactive(0)
    """Index of the selected row."""
    hovered: reactive[int] = reactive(-1)
    """Index of the row under the mouse; -2 - i for the title of the visible column i; -1 for none."""
    shift: reactive[int] = reactive(0)
    """How many columns that are not fixed are scrolled out at the left."""
    sorted_by: reactive[tuple[str, bool]] = reactive(("", False))
    """What the rows are sorted by (a column's `sort`), and whether descending."""

    @dataclass
    class Highlighted(WidgetMessage, KeysChanged):
        """The cursor came to another row; None if there is none."""

        key: str | None
        by_user: bool
        """False if the rows have changed under the cursor."""

    class Opened(WidgetMessage):
        """The selected row was opened: a click on it, or a second click."""

    @dataclass
    class SortAsked(WidgetMessage):
        """A title was clicked."""

        by: str

    @dataclass
    class Wanted(WidgetMessage):
        """Rows that are in view are not known: `limit` of them from `offset` on would help."""

        offset: int
        limit: int

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Table.Wanted)

    empty: reactive[str] = reactive("", init=False)
    """The text shown if there are no rows."""

    def __init__(self, columns: Sequence[Column[Any]], *, empty: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self._columns = ColumnLayout(columns)
        self.set_reactive(Table.empty, empty)
        self._known = KnownRows()
        self._key: str | None = None
        self._lines: dict[Row, dict[tuple[object, ...], Strip]] = {}
        """Rows as drawn, by what else they depend on."""
        self._asked: tuple[int, int] | None = None

    @property
    def total(self) -> int:
        """Rows, known or not."""
        return self._known.total

    @property
    def key(self) -> str | None:
        """The selected row's key; None if there is none or it is not known yet."""
        row = self._known.row(self.cursor)
        return None if row is None else row.key

    @property
    def about(self) -> Any:
        """What the selected row stands for; None if there is none or it is not known yet."""
        row = self._known.row(self.cursor)
        return None if row is None else row.about

    def row(self, index: int) -> Row | None:
        """The row at an index, where it is known."""
        return self._known.row(index)

    @property
    def window(self) -> tuple[int, int]:
        """(offset, limit) of a page around what is in view."""
        first = max(0, int(self.scroll_y) - PAGE // 4)
        return first, max(PAGE, self.size.height + PAGE // 2)

    @property
    def in_view(self) -> tuple[int, int]:
        """(offset, limit) of hardly more than what is in view."""
        first = max(0, int(self.scroll_y) - MARGIN)
        return first, int(self.scroll_y) - first + self.size.height + MARGIN

    def put_columns(self, columns: Sequence[Column[Any]]) -> None:
        """Change the columns; rows must be put again where their cells change."""
        if tuple(columns) != self.columns:
            self.columns = tuple(columns)
            self._columns = ColumnLayout(columns)
            self._lay_out()

    def put(self, rows: Sequence[Row]) -> None:
        """These are all rows, in this order. Cells that did not change are not rendered again."""
        before, total = self._known.rows, self.total
        self._known.put(rows)
        self._show(before, total)

    def put_page(
        self, offset: int, rows: Sequence[Row], total: int, *, fresh: bool = False, again: bool = False
    ) -> None:
        """These are the rows from `offset` on, of `total`. `fresh`: what was known before no longer holds; `again`: it
        may have changed, and is asked for when it comes into view."""
        before, earlier = self._known.rows, self.total
        self._known.put_page(offset, rows, total, fresh=fresh, again=again)
        self._asked = None
        self._show(before, earlier)
        in_view = range(int(self.scroll_y), min(total, int(self.scroll_y) + self.size.height - 1))
        stale = next((place for place in in_view if not self._known.is_current(place)), None)
        if stale is not None:
            self._want(stale)

    def move_to(self, key: str) -> bool:
        """Put the cursor on the row with that key; whether it is known."""
        place = self._known.place(key)
        if place is None:
            self._key = key
            return False
        self.cursor = place
        return True

    def _show(self, before: Mapping[int, Row], earlier: int) -> None:
        """Follow other rows; until now `before` were known, of `earlier` in all."""
        total, followed = self.total, self._known.place(self._key)
        with self.prevent(Table.Highlighted):
            if followed is not None:
                self.cursor = followed
            elif self.cursor >= total:
                self.cursor = max(0, total - 1)
        if total != earlier:
            self._lay_out()
        else:
            first, last = int(self.scroll_y), int(self.scroll_y) + self.size.height
            for place in range(first, last):
                old = before.get(place)
                if old != self._known.row(place):
                    if old is not None:
                        self._lines.pop(old, None)
                    self.refresh(Region(0, place + 1 - first, self.size.width, 1))
        if self.key != self._key:
            self._key = self.key
            self.post_message(self.Highlighted(self, self._key, by_user=False))

    # What is seen

    def _lay_out(self) -> None:
        """Which columns are shown, how wide, and how far the rows reach, or the text shown if there are none."""
        self._columns.fit(self.scrollable_content_region.width or self.size.width, self.shift)
        rows = self.total or len(in_lines(self.empty, self.size.width))
        self.virtual_size = Size(self.size.width, 1 + rows)
        self._lines.clear()
        self.refresh()

    # More rows than fit bring a scroll bar, which takes its cells from the columns.
    on_resize = watch_show_vertical_scrollbar = watch_shift = watch_empty = _lay_out

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            hovered = -2 - self.hovered if self.hovered < -1 else None
            header = self._columns.header(self.sorted_by, hovered, shifted=bool(self.shift))
            return line_of(self, header, width, "table--header")
        index = int(self.scroll_y) + y - 1
        if index >= self.total:
            if self.total == 0 and index < len(said := in_lines(self.empty, width)):
                return line_of(self, Content(said[index]), width, "table--loading")
            return Strip.blank(width, self.rich_style)
        row = self._known.row(index)
        if not self._known.is_current(index):
            self._want(index)
        if row is None:
            return line_of(self, Content(" …"), width, "table--loading")
        name = "table--cursor" if index == self.cursor else "table--hover" if index == self.hovered else ""
        if row not in self._lines and len(self._lines) > 1000:
            self._lines.clear()
        drawn = self._lines.setdefault(row, {})
        key = (name, self.has_focus, width, self.app.theme)
        if key not in drawn:
            drawn[key] = line_of(self, self._columns.line(row.cells), width, name)
        return drawn[key]

    def _want(self, index: int) -> None:
        offset, limit = self.window
        if not offset <= index < offset + limit:
            offset = max(0, index - PAGE // 4)
        if self._asked != (offset, limit):
            self._asked = (offset, limit)
            # Not at once: a message that is posted while the screen draws ends at the screen.
            self.call_later(lambda: self.post_message(self.Wanted(self, offset, limit)))

    def watch_cursor(self) -> None:
        rows, top = max(1, self.size.height - 1), int(self.scroll_y)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= top + rows:
            self.scroll_to(y=self.cursor - rows + 1, animate=False, immediate=True)
        if self.key != self._key:
            self._key = self.key
            self.post_message(self.Highlighted(self, self._key, by_user=True))

    def validate_cursor(self, cursor: int) -> int:
        return max(0, min(cursor, self.total - 1))

    def validate_shift(self, shift: int) -> int:
        return max(0, min(shift, len(self.columns) - 1))

    # What the user does

    @on(events.MouseMove)
    @on(events.Leave)
    def _hover(self, event: events.MouseMove | events.Leave) -> None:
        self.hovered = self._under(event.x, event.y) if isinstance(event, events.MouseMove) else -1

    def _under(self, x: int, y: int) -> int:
        if y > 0:
            index = int(self.scroll_y) + y - 1
            return index if index < self.total else -1
        column = self._columns.at(x)
        return -1 if column is None else -2 - column

    def on_click(self, event: events.Click) -> None:
        index = self._under(event.x, event.y)
        if event.y == 0 and event.x == 0:
            self.action_shift(-1)
        elif event.y == 0 and event.x >= self._columns.room - 2:
            self.action_shift(1)
        elif index < -1:
            by = self.columns[self._columns.widths[-2 - index][0]].sort
            if by:
                self.post_message(self.SortAsked(self, by))
        elif index >= 0:
            again = index == self.cursor and event.chain > 1
            self.cursor = index
            if again and self.key is not None:
                self.post_message(self.Opened(self))

    def action_move(self, rows: int) -> None:
        self.cursor += rows

    def action_page(self, way: int) -> None:
        self.cursor += way * max(1, self.size.height - 2)

    def action_end(self, way: int) -> None:
        self.cursor = 0 if way < 0 else self.total - 1

    def action_shift(self, way: int) -> None:
        if way < 0 or self._columns.further:
            self.shift += way
