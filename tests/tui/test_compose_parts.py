"""What the Compose screen is made of, without the screen: words of fields, starts, kept drafts, files, the outlook."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from hvdsweep.charts import render
from hvdsweep.errors import RunFailed, UserError
from hvdsweep.opening import open_store
from hvdsweep.plan import make_plan
from hvdsweep.plan_summary import summarize
from hvdsweep.replacing import write_whole
from hvdsweep.store.connection import connect
from hvdsweep.store.plans import save_plan
from hvdsweep.sweep import metaparameters, models
from hvdsweep.sweep.load import Overrides, check_text, load_sweep
from hvdsweep.sweep.write import toml_value
from tui.composing import outlook, start, words
from tui.composing.draft import Draft
from tui.composing.draft_store import MOST, DraftStore
from tui.composing.fields import FieldSpec, sections
from tui.composing.files import write
from tui.composing.outlook import look
from tui.composing.start import TEMPLATE
from tui.composing.toml_text import REMOVED, parsed

ROOT = Path(__file__).parents[2]
OPEN = Path("/data/hvdsweep.db")
"""The database that the interface has open: not where these tests write."""
FILES = sorted([*(ROOT / "examples").rglob("*.toml"), *(ROOT / "workloads/presets").rglob("*.toml")])

# Words of fields


def read(value: object) -> object:
    """A value as a reader of the written text would find it."""
    return parsed(f"it = {toml_value(value)}")["it"]


@given(st.integers(-(10**17), 10**17))
def test_whole_numbers_are_whole_numbers(value):
    """What Python writes as a whole number goes into the text as one."""
    assert words.number_of(str(value)) == value
    assert isinstance(words.number_of(f"{value:+d}"), int)


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["r", ".3e", "f", "E"]))
def test_decimals_keep_their_value_and_their_digits(value, form):
    """Every way in which Python writes a float is taken as that float, and TOML reads it back as the same."""
    text = repr(value) if form == "r" else format(value, form)
    number = words.number_of(text)
    assert isinstance(number, float)
    assert number == float(text)
    assert read(number) == float(text)


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("1.", "1.0"),
        (".5", "0.5"),
        ("-.5e3", "-0.5e3"),
        ("007.5", "7.5"),
        ("1e-3", "1e-3"),
        ("1_000.5", "1_000.5"),
    ],
)
def test_numbers_as_people_write_them(typed, written):
    """A point without digits on one side is mended, everything else stays as typed."""
    assert toml_value(words.number_of(typed)) == written


@pytest.mark.parametrize(
    "typed",
    ["", "abc", "1e", "0x10", "1,5", "5 %", "--1", "1__0", "inf", "nan", "²", "12345678901234567890123"],
)
def test_what_is_no_number_stays_text(typed):
    """It goes into the text in quotes, and the check says what is wrong with it."""
    assert words.number_of(typed) == typed or isinstance(words.number_of(typed), float)
    if typed != "12345678901234567890123":
        assert isinstance(words.number_of(typed), str)


@given(st.text(max_size=12), st.sampled_from(["text", "name", "number", "numbers", "sizes", "any"]))
def test_whatever_is_typed_can_be_written(text, kind):
    """No text in any field breaks the file: it becomes a value that TOML holds, and reads back as that value."""
    value = words.value_of(kind, text)
    if value is REMOVED:
        assert not text.strip()
    else:
        assert read(value) == value or (isinstance(value, float) and math.isnan(value))


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("2^1..2^10", "2^1..2^10"),
        ("8, 16,30", [8, 16, 30]),
        ("[8, 16]", [8, 16]),
        ("64", [64]),
        ("8, 2^5", "8, 2^5"),
        ("eight", "eight"),
    ],
)
def test_batch_sizes_are_a_list_or_a_range(typed, value):
    """Plain numbers become a list, everything else is text that the file's own reader understands or refuses."""
    assert words.value_of("sizes", typed) == value


@pytest.fixture
def launched(tmp_path: Path) -> tuple[Path, Path]:
    """(store, file): a store with the sweep of a file that has comments."""
    file, db = tmp_path / "mine.toml", tmp_path / "x.db"
    file.write_text(f"# Mine.\n{TEMPLATE}")
    with closing(connect(db, create=True)) as conn:
        save_plan(conn, make_plan(load_sweep(file)))
        conn.execute("UPDATE sweeps SET np = 2, gangs = 3")
        conn.commit()
    return db, file


def test_a_sweep_of_the_store_is_its_file(launched):
    """If the file still describes that sweep, its text is used, with its comments, and saved there."""
    db, file = launched
    with open_store(db) as reader:
        begun = start.stored(1, reader)
    assert (begun.text, begun.file, begun.name) == (file.read_text(), file, "mine")
    assert (begun.np, begun.gangs, begun.remark) == ("2", "3", "")


@pytest.mark.parametrize("what", ["changed", "gone", "broken", "other trials"])
def test_a_sweep_whose_file_says_something_else_is_what_the_store_keeps(launched, what):
    """If it does not, the text is written from the store, belongs to no file, and says so."""
    db, file = launched
    if what == "gone":
        file.unlink()
    elif what == "broken":
        file.write_text("= nothing")
    else:
        old, new = ("steps = 300", "steps = 400") if what == "changed" else ("trials = 6", "trials = 5")
        file.write_text(file.read_text().replace(old, new))
    with open_store(db) as reader:
        begun = start.stored(1, reader)
        key = reader.sweeps()[0].key
    assert begun.file is None
    assert "From what the database keeps" in begun.remark
    assert make_plan(check_text(begun.text, "x.toml").loaded).key == key


def test_a_sweep_launched_with_options_is_what_was_launched(tmp_path):
    """A file whose trials were overridden on the command line does not stand for that sweep."""
    file, db = tmp_path / "mine.toml", tmp_path / "x.db"
    file.write_text(TEMPLATE)
    with closing(connect(db, create=True)) as conn:
        save_plan(conn, make_plan(load_sweep(file, Overrides(trials=2))))
    with open_store(db) as reader:
        begun = start.stored(1, reader)
    assert parsed(begun.text)["studies"]["trials"] == 2


def test_presets_are_read_only(tmp_path):
    """A sweep of a preset begins with the preset's text, but not in the preset's file."""
    db = tmp_path / "x.db"
    with closing(connect(db, create=True)) as conn:
        save_plan(conn, make_plan(load_sweep("small/fc")))
    with open_store(db) as reader:
        begun = start.stored(1, reader)
    assert begun.text == start.preset("small/fc").text
    assert begun.file is None
    assert begun.name == "small/fc"


def test_sweeps_that_cannot_be_begun_with(tmp_path):
    """A sweep that is gone and an imported one are refused with a message."""
    db = tmp_path / "x.db"
    with closing(connect(db, create=True)) as conn:
        conn.execute(
            "INSERT INTO sweeps (name, key, source, definition, state, created) VALUES ('i', 'k', 'import', '{}', 'DONE', 0)"
        )
        conn.commit()
    with open_store(db) as reader:
        with pytest.raises(UserError, match="imported"):
            start.stored(1, reader)
        with pytest.raises(UserError, match="not in the database"):
            start.stored(9, reader)


def test_files_that_cannot_be_read(tmp_path):
    """Not UTF-8, a directory, nothing there: one sentence each."""
    bad = tmp_path / "bad.toml"
    bad.write_bytes(b"a = '\xff'")
    for path, says in (
        (bad, "UTF-8"),
        (tmp_path, "cannot be read"),
        (tmp_path / "none.toml", "cannot be read"),
    ):
        with pytest.raises(UserError, match=says):
            start.file_at(path)


# The drafts


def test_a_kept_draft_comes_back_whole(tmp_path):
    """Text, file, ranks and what was saved; the newest first."""
    drafts = DraftStore(tmp_path)
    first, second = drafts.new_id(), drafts.new_id()
    begun = Draft("a = 1", "n", Path("/x/y.toml"), "2", "3", saved="a = 0")
    drafts.keep(first, begun)
    drafts.keep(second, Draft("b"))
    os.utime(tmp_path / "drafts" / f"{first}.json", (2e9, 2e9))
    kept = drafts.all()
    assert [draft.id for _, draft in kept] == [first, second]
    assert kept[0] == (2e9, Draft("a = 1", "n", Path("/x/y.toml"), "2", "3", id=first, saved="a = 0"))
    assert kept[0][1].saved == "a = 0"
    drafts.drop(first)
    assert [draft.id for _, draft in drafts.all()] == [second]


def test_a_shelf_with_rubbish(tmp_path):
    """Files of another version, half-written ones and foreign ones are passed over; too many drafts are not kept."""
    drafts = DraftStore(tmp_path)
    for _ in range(MOST + 3):
        drafts.keep(drafts.new_id(), Draft("x"))
    folder = tmp_path / "drafts"
    for name, text in (("a", "{"), ("b", "[]"), ("c", '{"version": 99}'), ("d", '{"version": 1}')):
        (folder / f"{name}.json").write_text(text)
    assert len(drafts.all()) == MOST
    assert len(list(folder.glob("*-*.json"))) == MOST


def test_no_shelf_is_no_trouble(tmp_path):
    """Nothing is kept without a state directory, or if it cannot be written; there is no error."""
    (tmp_path / "drafts").write_text("in the way")
    for drafts in (DraftStore(None), DraftStore(tmp_path)):
        drafts.keep("a", Draft("x"))
        drafts.drop("a")
        assert drafts.all() == []


# Files


def test_writing_over_nothing_and_over_oneself(tmp_path):
    """A new file, then the same again, then another text over what was there; permissions stay."""
    path = tmp_path / "x.toml"
    write(path, "a = 1\n", replace=False, before=None, database=OPEN)
    path.chmod(0o600)
    write(path, "a = 1\n", replace=False, before=None, database=OPEN)
    write(path, "a = 2\n", replace=True, before="a = 1\n", database=OPEN)
    assert path.read_text() == "a = 2\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.toml"]


def test_nothing_is_overwritten_silently(tmp_path):
    """A file that was not asked about, and one's own that was changed meanwhile, stay as they are."""
    path = tmp_path / "x.toml"
    path.write_text("theirs")
    with pytest.raises(UserError, match="another program has changed it"):
        write(path, "mine", replace=False, before=None, database=OPEN)
    with pytest.raises(UserError, match="another program has changed it"):
        write(path, "mine", replace=True, before="what I read", database=OPEN)
    assert path.read_text() == "theirs"
    write(path, "mine", replace=True, before=None, database=OPEN)
    assert path.read_text() == "mine"


def test_a_file_that_comes_there_meanwhile_stays(tmp_path, monkeypatch):
    """Between the look and the writing another process makes the file."""
    path = tmp_path / "x.toml"

    def late(path: Path, content: bytes, *, new: bool) -> None:
        path.write_text("theirs")
        write_whole(path, content, new=new)

    monkeypatch.setattr("tui.composing.files.write_whole", late)
    with pytest.raises(UserError, match="File exists"):
        write(path, "mine", replace=False, before=None, database=OPEN)
    assert path.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_that_is_not_there(tmp_path):
    """One sentence, and nothing is left behind."""
    with pytest.raises(RunFailed, match="cannot be written"):
        write(tmp_path / "no" / "x.toml", "a", replace=False, before=None, database=OPEN)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize("is_open", [True, False])
def test_no_database_is_overwritten(tmp_path, suffix, is_open):
    """Neither the one that is open here, which is not even read, nor another one, nor their logs; not by a link either."""
    database = tmp_path / "x.db"
    connect(database, create=True).close()
    before = database.read_bytes()
    link = tmp_path / "link.toml"
    link.symlink_to(f"{database}{suffix}")
    for path in (database.with_name(f"{database.name}{suffix}"), link):
        with pytest.raises(UserError, match=r"belongs to (the|a) database"):
            write(path, "a = 1", replace=True, before=None, database=database if is_open else OPEN)
    assert database.read_bytes() == before
    assert {entry.name for entry in tmp_path.iterdir()} == {"x.db", "link.toml"}
    with pytest.raises(UserError, match="belongs to the database"):
        start.taken(DraftStore(None), f"file:{database}", database)


# Offers


def test_what_is_offered(tmp_path, monkeypatch):
    """Drafts but the current one, small things, sweep files of the directory and its examples, every preset."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(TEMPLATE)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "other.toml").write_text(TEMPLATE)
    drafts = DraftStore(tmp_path / "state")
    drafts.keep("one", Draft("a = 1\n"))
    drafts.keep("two", Draft("a = 2\n"))
    entries = start.offers(drafts, "two", None)
    values = [entry.value for entry in entries if entry.value]
    assert values[:3] == ["draft:one", "template:", "nothing:"]
    assert [value for value in values if value.startswith("file:")] == [
        f"file:{tmp_path / 'mine.toml'}",
        f"file:{tmp_path / 'examples' / 'other.toml'}",
    ]
    assert "preset:small/fc" in values
    for value in values:
        begun = start.taken(drafts, value, OPEN)
        assert value == "nothing:" or begun.text
    assert start.taken(drafts, "draft:one", OPEN).id == "one"
    with pytest.raises(UserError, match="gone"):
        start.taken(drafts, "draft:three", OPEN)


def test_the_path_of_a_file_is_an_offer(tmp_path, monkeypatch):
    """What is typed is offered where it is a file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(TEMPLATE)
    entry = start.typed("mine.toml")
    assert entry is not None
    assert start.taken(DraftStore(None), entry.value, OPEN).file == tmp_path / "mine.toml"
    assert start.typed("none.toml") is None
    assert start.typed("a\0b") is None


# The outlook


def draft(text: str, np: str = "1", gangs: str = "1") -> Draft:
    return Draft(text, "mine", ROOT / "sweep.toml", np, gangs)


def test_mistakes_are_those_of_the_check():
    """Sentence for sentence, without the file's name and the key, which is given separately."""
    text = (
        TEMPLATE.replace("value = 0.1", "value = 5")
        .replace("fc_128", "fc_")
        .replace("every = 10", "evry = 10")
    )
    found = look(draft(text))
    checked = check_text(text, outlook.FILE, source=str(ROOT), name="mine")
    assert found.plan is None
    assert found.summary is None
    assert [f"{outlook.FILE}: {remark.key}: {remark.text}" for remark in found.problems] == list(
        checked.problems
    )
    assert [remark.key for remark in found.problems] == [one.key for one in checked.mistakes]
    assert {"goal.value", "model", "evaluation.evry"} <= {remark.key for remark in found.problems}


def test_warnings_keep_their_key():
    """A warning is shown at the key it is about."""
    text = TEMPLATE.replace(
        "[search]", '[search]\nmomentum = { scale = "reverse_log", min = 0.8, max = 0.9 }'
    )
    found = look(draft(text))
    assert found.summary
    assert [(remark.key, remark.text) for remark in found.warnings] == [
        ("search.momentum", "is ignored by sgd, the only algorithm of this sweep")
    ]


@pytest.mark.parametrize(
    ("text", "place"), [("a = 1\nb = = 2\n", (2, 5)), ("a = 1\nb = [1,\n", (3, 1)), ("a = \n", (1, 5))]
)
def test_a_syntax_error_has_a_place(text, place):
    """Line and column, from 1, where the text stops being TOML."""
    found = look(draft(text))
    assert found.place == place
    assert len(found.problems) == 1


def test_the_plan_is_that_of_the_planner():
    """Summary and names are what the planner and its summary say for these ranks."""
    plan = make_plan(check_text(TEMPLATE, "mine.toml").loaded)
    found = look(draft(TEMPLATE, "3", "2"))
    assert found.plan is not None
    assert found.plan.key == plan.key
    assert found.summary.studies == summarize(plan, 3, 2).studies
    assert found.defaults["name"] == "mine"
    assert found.defaults["studies.max_trials"] == "24"
    assert found.facts["model"] == "9,610 weights"


@pytest.mark.parametrize(("np", "gangs"), [("", "1"), ("1", "0"), ("many", "1"), ("99999999999", "1")])
def test_ranks_that_are_none(np, gangs):
    """A right text with impossible ranks has no plan to show, and says why."""
    found = look(draft(TEMPLATE, np, gangs))
    assert found.plan is not None
    assert found.summary is None
    assert all("is not a whole number from 1 to 4,096" in problem.text for problem in found.problems)
    assert {problem.key for problem in found.problems} <= {"np", "gangs"}
    assert found.problems


def test_a_plan_with_too_many_passes_is_not_previewed():
    """A batch of 2^30 examples in passes of one would fill the memory."""
    text = TEMPLATE.replace('"2^3..2^8"', '"2^20..2^30"') + "micro_batch = 1\n"
    found = look(draft(text))
    assert found.summary is None
    assert "too large to preview (2,146,435,072 passes a step" in found.unplanned


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_shipped_file_has_an_outlook_and_points(file):
    """The preview shows the very points of the study's first trials, on the scales they are searched on."""
    found = look(Draft(file.read_text(), "mine", file, "2", "2"))
    assert found.summary
    study = list(found.plan.studies)[-1]
    chart = outlook.points_chart(study)
    points = [trial.metaparameters for trial in study.trials[: outlook.SHOWN_POINTS]]
    xs, ys = chart.series[0].x.tolist(), chart.series[0].y.tolist()
    assert len(xs) == len(points)
    assert xs == [point["learning_rate"] for point in points]
    if chart.y.title == "1 - momentum":
        assert ys == [1 - point["momentum"] for point in points]
    assert render(chart, 60, 12).text()


def test_a_single_trial_is_not_several():
    """In the title of the preview."""
    found = look(draft(TEMPLATE.replace("trials = 6", "trials = 1")))
    assert ": 1 trial, " in outlook.points_chart(next(iter(found.plan.studies))).title


def specs_by_key() -> dict[str, FieldSpec]:
    """Key -> the field that shows it."""
    return {key: spec for _, specs in sections() for spec in specs for key in spec.keys}


def test_every_key_of_the_file_is_a_field():
    """Each key of each table has a field, with what the reference says of it; entries of lists of tables are in a note."""
    found = specs_by_key()
    for table, model in models.TABLES.items():
        for key in model.model_fields:
            name = f"{table}.{key}" if table else key
            if table in ("budget.override", "search.override", "search.points"):
                assert found[table].kind == "note"
            elif name not in models.TABLES or name in found:
                assert found[name].meaning, name
                assert found[name].hint or found[name].kind in ("options", "note", "name"), name
    assert not {"np", "gangs", "slots"} & set(models.KEYS[""])


def test_a_key_that_is_declared_is_a_field(monkeypatch):
    """A new key, a new algorithm and a new metaparameter come into the form by their declaration alone."""

    class Space(models.Search):
        warmup: Annotated[
            metaparameters.Metaparameter | None, metaparameters.Domain(0, low_included=True)
        ] = Field(default=None, examples=[{"scale": "log", "min": 0.1, "max": 1.0}, 0.5])
        """Warms up."""

    class Train(models.Training):
        clip: float | None = Field(default=None, gt=0, examples=[1.0])
        """Clips."""
        how: list[Literal["one", "two"]] = Field(default=["one"], title="in which way")
        """How."""

    monkeypatch.setattr(models, "TABLES", models.TABLES | {"search": Space, "training": Train})
    found = specs_by_key()
    assert (found["search.warmup"].kind, found["search.warmup"].meaning) == ("space", "Warms up.")
    assert (found["training.clip"].kind, found["training.clip"].hint) == ("number", "e.g. 1.0")
    how = found["training.how"]
    assert (how.label, how.kind, list(how.choices), how.default) == (
        "in which way",
        "ticks",
        ["one", "two"],
        "one",
    )


def test_the_screen_opens_without_pydantic_and_scipy():
    """What takes long to import is left to the thread that checks."""
    slow = "{'pydantic', 'scipy', 'tensorflow'}"
    code = f"import sys, tui.screens.compose, tui.widgets.form_dialogs; print({slow} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "set()"
