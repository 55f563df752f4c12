"""The documentation is true: every command and option is in it, every command line in it parses, every example trains."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from hvdsweep.cli import COMMANDS, group

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "README.md"]
EXAMPLES = sorted((ROOT / "examples").rglob("*.toml"))


def command_lines() -> list[tuple[str, str]]:
    """(page, line) of every `hvdsweep ...` line in a shell block of the documentation, and in the examples' comments."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```(?:sh|console|bash)\n(.*?)```", page.read_text(), re.DOTALL):
            joined = block.replace("\\\n", " ")
            found += [
                (page.name, line) for line in joined.splitlines() if re.match(r"\s*(\$ )?hvdsweep\b", line)
            ]
    for example in EXAMPLES:
        lines = example.read_text().splitlines()
        found += [
            (example.name, line.lstrip("# ")) for line in lines if re.match(r"#\s+hvdsweep [a-z]", line)
        ]
    return found


@pytest.mark.parametrize(("page", "line"), command_lines(), ids=lambda value: str(value)[:60])
def test_every_documented_command_line_parses(page, line):
    """Its command exists, and so does every option it uses, with a value of the right kind."""
    words = shlex.split(line.strip().removeprefix("$ "), comments=True)
    for stop in ("|", ">", "&&", ";", "&"):
        if stop in words:
            words = words[: words.index(stop)]
    context = click.Context(group, info_name="hvdsweep")
    if words[1:] and words[1].startswith("-"):
        return
    name, arguments = (words[1], words[2:]) if len(words) > 1 else ("status", [])
    command = group.get_command(context, name)
    assert command is not None, f"{page}: there is no command {name}"
    # Files that the page only imagines need not exist.
    for parameter in command.params:
        if isinstance(parameter.type, click.Path):
            parameter.type.exists = False
    if "--help" not in arguments:
        command.make_context(name, [word for word in arguments if word != "..."], parent=context)


def test_the_reference_of_commands_is_current():
    """docs/commands.md is what `python -m hvdsweep.cli.reference` prints: every command, every option."""
    # In a separate process, since other tests may have changed the commands.
    printed = subprocess.run(
        [sys.executable, "-m", "hvdsweep.cli.reference"], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout
    assert (ROOT / "docs" / "commands.md").read_text() == printed, (
        "run: python -m hvdsweep.cli.reference > docs/commands.md"
    )


def test_every_command_and_every_option_says_what_it_does():
    """No command without a help text, no option without one, and the table's line names what the command's own help says."""
    context = click.Context(group, info_name="hvdsweep")
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        assert command.help, name
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.opts[0]}"


def test_links_lead_somewhere():
    """Every relative link and picture in the documentation exists."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if not target.startswith(("http://", "https://")):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_guarantee_names_its_tests():
    """In the table of docs/workloads.md and the sentence after it: files that exist, and words that stand in the row's files."""
    page = (ROOT / "docs" / "workloads.md").read_text()
    section = page.split("### Your own model: what is guaranteed")[1].split("\n#")[0]
    rows = [line.rstrip("| ").rpartition("|")[2] for line in section.splitlines() if line.startswith("| **")]
    last = section.strip().rsplit("\n\n", 1)[-1]
    assert len(rows) > 10
    for row in (*rows, last):
        names = re.findall(r"`([^`]+)`", row)
        files = [name for name in names if name.endswith(".py")]
        assert files, row
        paths = [ROOT / "tests" / ("" if "/" in name else "training") / name for name in files]
        # Their tables stand in modules of their own.
        tables = [path.with_name(path.name.removeprefix("test_")) for path in paths]
        found = [path.read_text() for path in (*paths, *filter(Path.exists, tables))]
        for word in set(names) - set(files):
            assert any(re.search(rf"\b{word}\b", text) for text in found), (row, word)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_example_trains(example, tmp_path):
    """One short trial of each study of its first batch size, by a gang of one: it ends COMPLETE or diverges, never fails."""
    from hvdsweep.plan import make_plan
    from hvdsweep.store.connection import connect
    from hvdsweep.store.lifecycle import new_gang, request_stop
    from hvdsweep.store.plans import save_plan
    from hvdsweep.store.writer import TrialWriter
    from hvdsweep.sweep.load import Overrides, load_sweep
    from hvdsweep.training.gang import Gang
    from hvdsweep.training.ranks import Ranks

    studies = list(make_plan(load_sweep(example)).studies)
    smallest = str(min(study.batch_size for study in studies))
    # A list of points is its own number of trials.
    trials = None if studies[0].space.listed else 1
    plan = make_plan(load_sweep(example, Overrides(trials=trials, batch_sizes=smallest)))
    path = tmp_path / "example.db"
    conn = connect(path, create=True)
    sweep = save_plan(conn, plan).sweep_id
    with TrialWriter(path, new_gang(conn, sweep, np=1)) as writer:
        commit = writer.commit

        def committing(update, *, claim, **more):
            reply = commit(update, claim=claim, **more)
            if claim and reply.claim is None and not reply.stop:
                request_stop(conn, sweep)
            return reply

        writer.commit = committing
        Gang(Ranks(), writer).work()
    ends = conn.execute("SELECT status, message FROM trials").fetchall()
    conn.close()
    assert ends
    assert {status for status, _ in ends} <= {"COMPLETE", "INFEASIBLE"}, ends
