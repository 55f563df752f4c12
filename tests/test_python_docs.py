"""The Python of the documentation runs as it is printed, on stores that hold what it names."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from hvdsweep.cli import group
from tests.archive.generator import files, planted, write_tar
from tests.curves import database
from tests.curves.oracle import Study, Trial

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *(page for page in sorted((ROOT / "docs").glob("*.md")) if "```python" in page.read_text()),
]
ELSEWHERE = {"workloads.md"}
"""Pages whose Python is about one's own model and data; `tests/workloads` trains those."""


def studies():
    """Three trials per batch size, steps falling with batch size."""
    return [
        Study(
            size,
            [
                Trial(
                    n,
                    [(0, 0.9), (2000 // size + n, 0.2), (5000, 0.04)],
                    parameters={"learning_rate": 0.01 * size},
                )
                for n in range(3)
            ],
            train_steps=6000,
        )
        for size in (8, 16, 32)
    ]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the files that the pages name."""
    for name in ("hvdsweep.db", "demo.db"):
        database.write(tmp_path / name, {f"digits/fc_128/{way}": studies() for way in ("sgd", "momentum")})
    write_tar(tmp_path / "batch_science_data.tar.bz2", files(planted(trials=2)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in ELSEWHERE], ids=lambda page: page.name
)
def test_every_block_runs(page, here, capsys):
    """One after the other, in one namespace; each page is on its own."""
    import hvdsweep

    if page.name == "figures.md":
        hvdsweep.import_archive("batch_science_data.tar.bz2", "paper.db", aside=False)
    names = {"hvdsweep": hvdsweep}
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, page.name, "exec"), names)
    if page.name == "python.md":
        assert names["curve"].steps == [250, 125, 62]
        assert names["report"].trials_imported > 0
        assert (here / "curve.svg").read_text().lstrip().startswith("<?xml")
        assert (here / "figure1.png").read_bytes().startswith(b"\x89PNG")
        assert names["page"].startswith("<!doctype html>")
        assert (here / "out/digits/fc_128/sgd/8/study.json").exists()


def test_the_tutorial_runs(here, capsys):
    """Its commands answer as it says, on a finished sweep; those that train are only planned, `demo` and screens left out."""
    (here / "demo.db").rename("tutorial.db")
    (here / "examples").mkdir()
    text = (ROOT / "docs" / "tutorial.md").read_text()
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    for name in ("examples/digits.toml", "mine.toml"):
        shutil.copy(ROOT / "examples" / "digits.toml", here / name)
    ran = set()
    for line in lines:
        program, command, *arguments = shlex.split(line, comments=True)
        if program == "hvdsweep" and command not in ("demo", "doctor", "tui"):
            planned = ["--dry-run"] if command == "launch" else []
            done = CliRunner().invoke(group, [command, *planned, *arguments])
            assert done.exit_code == 0, f"{line}: {done.output}"
            assert done.output
            ran.add(command)
    assert ran == {"curve", "best", "trials", "launch"}


def test_every_function_of_curves_is_on_the_page():
    """docs/python.md names every public function of `hvdsweep.curves`."""
    from hvdsweep import curves

    text = (ROOT / "docs" / "python.md").read_text()
    functions = [name for name in curves.__all__ if name[0].islower()]
    assert len(functions) > 20
    missing = [name for name in functions if not re.search(rf"\b{name}\b", text)]
    assert missing == []
