"""The JSON Schema and the reference say what the program does, and the committed reference is the generated
one."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from hvdsweep.cli import group
from hvdsweep.sweep.load import check_text
from hvdsweep.sweep.models import TABLES
from hvdsweep.sweep.reference import reference, renewed
from hvdsweep.sweep.schema import sweep_schema
from tests.sweep.bad_inputs import BAD_INPUTS
from tests.sweep.json_schema import is_valid
from tests.sweep.texts import GOOD, edited
from workloads import catalogue

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "sweep-file.md"
EXAMPLES = sorted((ROOT / "examples").glob("*.toml"))
PRESETS = sorted(catalogue.presets().items())
SNIPPETS = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)


def test_the_command_prints_the_schema():
    """`hvdsweep schema` prints JSON on stdout, with the dialect that editors look for."""
    result = CliRunner().invoke(group, ["schema"])
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    assert printed == sweep_schema()
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(
    "text", [GOOD, *(path.read_text() for path in EXAMPLES)], ids=["good", *(p.stem for p in EXAMPLES)]
)
def test_the_schema_accepts_what_the_program_accepts(text):
    """Right files are valid."""
    schema = sweep_schema()
    assert is_valid(tomllib.loads(text), schema, schema)


@pytest.mark.parametrize(("name", "path"), PRESETS, ids=[name for name, _ in PRESETS])
def test_presets_are_right(name, path):
    """Every preset is a right sweep without warnings, and valid under the schema."""
    schema = sweep_schema()
    checked = check_text(path.read_text(), name)
    assert checked.problems == ()
    assert is_valid(tomllib.loads(path.read_text()), schema, schema)


def test_the_schema_refuses_most_of_what_the_program_refuses():
    """Mistakes of type, name and bound are marked in the editor already: at least half of the table of bad
    inputs."""
    schema = sweep_schema()
    refused = 0
    for bad in BAD_INPUTS:
        try:
            raw = tomllib.loads(edited((bad.old, bad.new)))
        except tomllib.TOMLDecodeError:
            continue
        refused += not is_valid(raw, schema, schema)
    assert refused >= len(BAD_INPUTS) / 2


def test_every_key_is_described():
    """No key without a description, no required key without an example, no null, no title that repeats the
    key."""
    schema = sweep_schema()
    text = json.dumps(schema)
    assert '"null"' not in text
    for name, table in TABLES.items():
        for key, field in table.model_fields.items():
            assert field.description or key in TABLES, f"{name}.{key}"
            assert field.examples or not field.is_required(), f"{name}.{key}"
    for node in [schema, *schema["$defs"].values()]:
        assert node["description"]
        for key, entry in node["properties"].items():
            assert entry.get("description") or "$ref" in entry, key
            assert "title" not in entry


def test_names_that_exist_are_enumerated():
    """Editors complete data sets and models; user code and any widths of fully connected nets are allowed
    too."""
    schema = sweep_schema()
    raw = tomllib.loads(GOOD)
    for dataset in [*catalogue.dataset_names(), "own:load"]:
        assert is_valid(raw | {"dataset": dataset}, schema, schema)
    for model in ["resnet_8", "fc_1024_1024", "own.models:build"]:
        assert is_valid(raw | {"model": model}, schema, schema)
    for bad in [{"dataset": "digit"}, {"model": "fc_"}, {"model": "fc_N.._N"}]:
        assert not is_valid(raw | bad, schema, schema)


def test_the_committed_reference_is_current():
    """`python -m hvdsweep.sweep.reference docs/sweep-file.md` changes nothing."""
    page = DOCUMENT.read_text()
    assert renewed(page) == page


def test_the_reference_names_every_key():
    """Each key of each table has its row."""
    text = reference()
    for table in TABLES.values():
        for key in table.model_fields:
            assert f"`{key}`" in text or f"`[{key}]`" in text


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_every_snippet_of_the_reference_is_right(snippet):
    """A whole file stands alone; a part replaces tables of the first snippet; neither gives a mistake."""
    whole = SNIPPETS[0]
    if "dataset" not in snippet:
        tables = re.split(r"(?m)^(?=\[)", whole)
        given = set(re.findall(r"(?m)^\[(\w+)\]", snippet))
        whole = (
            "".join(table for table in tables if table.partition("]")[0].strip("[") not in given) + snippet
        )
        text = whole
    else:
        text = snippet
    assert check_text(text, "snippet.toml").problems == ()
    assert len(SNIPPETS) >= 6
