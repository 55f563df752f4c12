"""The table: rows by key, only changes redrawn, pages requested for the visible rows, columns that fit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.events import MouseScrollDown
from textual.geometry import Region

from tests.tui.conftest import screen_text, settle
from tui.widgets.columns import GAP, Column, Row, fitted, further
from tui.widgets.known_rows import KEPT
from tui.widgets.table import PAGE, Table

COLUMNS = (
    Column("name", 8, fixed=True, sort="name"),
    Column("value", 6, right=True, sort="value"),
    Column("words", 10, grow=True),
)


class Shown(App[None]):
    """One table, and what it says."""

    def __init__(self, columns: tuple[Column, ...] = COLUMNS) -> None:
        super().__init__()
        self.table = Table(columns, empty="nothing here")
        self.said: list[object] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def on_table_highlighted(self, message: Table.Highlighted) -> None:
        self.said.append(("highlighted", message.key))

    def on_table_opened(self, message: Table.Opened) -> None:
        self.said.append(("opened", self.table.key))

    def on_table_sort_asked(self, message: Table.SortAsked) -> None:
        self.said.append(("sort", message.by))

    def on_table_wanted(self, message: Table.Wanted) -> None:
        self.said.append(("wanted", message.offset, message.limit))


def rows(*keys: str, value: str = "1") -> list[Row]:
    return [Row(key, (key, value, f"words of {key}")) for key in keys]


async def test_the_cursor_stays_on_its_row_while_rows_come_and_go():
    """Rows before it, after it and in another order: the same key stays selected; if it goes, its neighbour is."""
    app = Shown()
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.put(rows("a", "b", "c"))
        await pilot.press("down")
        assert app.table.key == "b"
        app.table.put(rows("x", "y", "a", "b", "c"))
        assert (app.table.key, app.table.cursor) == ("b", 3)
        app.table.put(rows("b", "a"))
        assert (app.table.key, app.table.cursor) == ("b", 0)
        app.table.put(rows("a"))
        assert app.table.key == "a"
        app.table.put([])
        assert app.table.key is None
        await pilot.pause()
        assert app.said[-1] == ("highlighted", None)
        assert "nothing here" in screen_text(pilot)


async def test_only_changed_rows_are_drawn_again(monkeypatch):
    """Putting 500 rows of which one in view has changed refreshes that one line."""
    app = Shown()
    async with app.run_test(size=(40, 10)) as pilot:
        many = rows(*(f"r{n}" for n in range(500)))
        app.table.put(many)
        await pilot.pause()
        drawn: list[Region] = []
        monkeypatch.setattr(app.table, "refresh", lambda *regions, **_: drawn.extend(regions))
        app.table.put(many)
        assert drawn == []
        app.table.put([*many[:3], *rows("r3", value="2"), *many[4:499], *rows("r499", value="2")])
        assert drawn == [Region(0, 4, 40, 1)]


async def test_keys_move_the_cursor_and_keep_it_in_view():
    """Arrows, hjkl, g, G and the pages; never beyond the first or last row."""
    app = Shown()
    async with app.run_test(size=(40, 11)) as pilot:
        app.table.put(rows(*(f"r{n}" for n in range(100))))
        for keys, place in (
            (("down", "j", "j"), 3), (("k", "up"), 1), (("k", "k", "k"), 0), (("G",), 99), (("down",), 99),
            (("pageup",), 90), (("g",), 0), (("pagedown", "ctrl+f"), 18), (("end",), 99), (("home",), 0),
        ):  # fmt: skip
            await pilot.press(*keys)
            assert app.table.cursor == place, keys
            assert f"r{place} " in screen_text(pilot)


async def test_the_mouse_selects_opens_sorts_and_scrolls():
    """A click selects, a second one opens, a click on a title asks to sort by it, the wheel scrolls."""
    app = Shown()
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.put(rows(*(f"r{n}" for n in range(50))))
        await pilot.click(app.table, offset=(3, 4))
        assert app.table.key == "r3"
        await pilot.click(app.table, offset=(3, 4), times=2)
        assert ("opened", "r3") in app.said
        await pilot.click(app.table, offset=(2, 0))
        await pilot.click(app.table, offset=(13, 0))
        assert app.said[-2:] == [("sort", "name"), ("sort", "value")]
        assert "words of r30" not in screen_text(pilot)
        for _ in range(12):
            wheel = MouseScrollDown(app.table, 3, 3, 0, 0, 0, shift=False, meta=False, ctrl=False)
            app.table.post_message(wheel)
        await pilot.pause()
        assert app.table.scroll_y > 0
        assert app.table.key == "r3"


async def test_pages_are_asked_for_where_the_reader_looks():
    """Of 168,160 rows only a page around the view is asked for; unknown rows are dots until they come."""
    app = Shown()
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.put_page(0, rows(*(f"r{n}" for n in range(PAGE))), 168_160)
        await pilot.pause()
        assert not [said for said in app.said if said[0] == "wanted"]
        await pilot.press("G")
        assert " …" in screen_text(pilot)
        await settle(pilot)
        _, offset, limit = next(said for said in app.said if said[0] == "wanted")
        assert offset <= 168_159 < offset + limit
        assert limit <= 2 * PAGE
        assert app.table.key is None
        app.table.put_page(offset, rows(*(f"r{n}" for n in range(offset, 168_160))), 168_160)
        await pilot.pause()
        assert app.table.key == "r168159"
        assert "r168159" in screen_text(pilot)
        await pilot.press("g")
        assert app.table.key == "r0"


async def test_rows_read_before_something_was_written_are_asked_for_when_they_are_seen():
    """They show what they said until the answer comes; rows that were read since are not asked for."""
    app = Shown()
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.put_page(0, rows(*(f"r{n}" for n in range(40)), value="old"), 40)
        app.table.put_page(*_view(app, "new"), 40, again=True)
        await settle(pilot)
        assert "old" not in screen_text(pilot)
        assert not [said for said in app.said if said[0] == "wanted"]
        await pilot.press("G")
        assert "r39      " in screen_text(pilot)
        assert "old" in screen_text(pilot)
        await settle(pilot)
        _, offset, limit = next(said for said in app.said if said[0] == "wanted")
        assert offset <= 31 < 39 < offset + limit
        app.table.put_page(offset, rows(*(f"r{n}" for n in range(offset, 40)), value="new"), 40)
        await settle(pilot)
        assert "old" not in screen_text(pilot)
        assert len([said for said in app.said if said[0] == "wanted"]) == 1


async def test_a_page_that_comes_after_the_reader_has_gone_elsewhere_is_followed_by_another():
    """The rows in view by now were not in it."""
    app = Shown()
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.put_page(0, rows(*(f"r{n}" for n in range(40))), 40)
        await settle(pilot)
        page = _view(app, "new")
        await pilot.press("G")
        assert not [said for said in app.said if said[0] == "wanted"]
        app.table.put_page(*page, 40, again=True)
        await settle(pilot)
        assert [said for said in app.said if said[0] == "wanted"]


async def test_rows_that_were_forgotten_are_asked_for_again():
    """More than KEPT rows are not held, nor any after an empty `put`: what is in view then is asked for, not left as dots."""
    app = Shown()
    async with app.run_test(size=(40, 10)) as pilot:
        for known in (KEPT + 1, 0):
            app.table.put_page(0, rows(*(f"r{n}" for n in range(known))), 168_160)
            await settle(pilot)
            if not known:
                app.table.put(())
            app.said.clear()
            app.table.put_page(KEPT, rows("later"), 168_160)
            await settle(pilot)
            assert " …" in screen_text(pilot)
            _, offset, limit = next(said for said in app.said if said[0] == "wanted")
            assert offset <= 0 < 9 < offset + limit
            app.table.put_page(0, rows(*(f"r{n}" for n in range(PAGE))), 168_160)
            await settle(pilot)
            assert " …" not in screen_text(pilot)


def _view(app: Shown, value: str) -> tuple[int, list[Row]]:
    """(offset, rows) as an answer to what is in view now."""
    offset, limit = app.table.in_view
    return offset, rows(*(f"r{n}" for n in range(offset, offset + limit)), value=value)


async def test_a_fresh_page_forgets_what_was_known():
    """After another filter or order no row of before is shown again."""
    app = Shown()
    async with app.run_test(size=(40, 10)) as pilot:
        app.table.put_page(0, rows(*(f"old{n}" for n in range(20))), 20)
        app.table.put_page(0, rows(*(f"new{n}" for n in range(5))), 20, fresh=True)
        await pilot.pause()
        assert "old" not in screen_text(pilot)
        assert "new4" in screen_text(pilot)


async def test_columns_that_do_not_fit_come_by_scrolling():
    """What is fixed stays; → brings the further columns, ← the first ones back."""
    columns = (Column("a", 6, fixed=True), *(Column(f"c{n}", 8) for n in range(9)))
    app = Shown(columns)
    async with app.run_test(size=(42, 6)) as pilot:
        app.table.put([Row("r", ("A", *(f"C{n}" for n in range(9))))])
        await pilot.pause()
        assert "C0" in screen_text(pilot)
        assert "C8" not in screen_text(pilot)
        header = screen_text(pilot).splitlines()[0]
        assert header.startswith(" a ")
        assert header.endswith(f" +{9 - header.count('c')} ›")
        await pilot.click(app.table, offset=(40, 0))
        assert app.table.shift == 1
        assert screen_text(pilot).startswith("‹a ")
        await pilot.click(app.table, offset=(0, 0))
        assert app.table.shift == 0
        await pilot.press(*["right"] * 12)
        assert "›" not in screen_text(pilot)
        assert screen_text(pilot).startswith("‹a ")
        assert "C8" in screen_text(pilot)
        assert "A " in screen_text(pilot)
        assert "C0" not in screen_text(pilot)
        await pilot.press(*["left"] * 12)
        assert "C0" in screen_text(pilot)
        await pilot.resize_terminal(120, 6)
        await pilot.pause()
        assert not set("‹›") & set(screen_text(pilot))


column = st.builds(
    Column,
    title=st.text("abcdef", max_size=12),
    width=st.integers(1, 40),
    right=st.booleans(),
    grow=st.booleans(),
    fixed=st.booleans(),
    sort=st.sampled_from(["", "x"]),
)


@given(st.lists(column, min_size=1, max_size=12), st.integers(1, 200))
def test_columns_always_fit(columns, width):
    """Whatever the columns and the width: the shown ones fit, at least one is shown, in order, none below its least width
    unless it stands alone, and no fixed one is left out for one that is not."""
    shown = fitted(columns, width)
    assert shown
    assert [place for place, _ in shown] == sorted({place for place, _ in shown})
    if len(shown) > 1:
        assert sum(cells for _, cells in shown) + GAP * (len(shown) - 1) <= width - 2
        assert all(cells >= columns[place].least for place, cells in shown)
    places = {place for place, _ in shown}
    if any(not columns[place].fixed for place in places):
        assert all(place in places for place, one in enumerate(columns) if one.fixed)


@given(st.lists(column, min_size=1, max_size=8), st.integers(1, 120))
def test_every_column_is_shown_at_some_shift(columns, width):
    """One step to the right after the other, until nothing is further to the right: no column was left out, fixed or not."""
    seen: set[int] = set()
    for shift in range(len(columns)):
        shown = fitted(columns, width, shift)
        seen |= {place for place, _ in shown}
        if not further(columns, width, shown):
            break
    assert seen == set(range(len(columns)))
