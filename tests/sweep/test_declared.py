"""A metaparameter or a key that is declared once is in the file, in the schema and in the reference."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import Field, create_model

from hvdsweep.sweep import models, reference, schema
from hvdsweep.sweep.metaparameters import DOMAINS, METAPARAMETERS, Domain, Metaparameter, Metaparameters
from hvdsweep.sweep.models import TABLES, Studies, Sweep


def test_a_metaparameter_is_declared_once():
    """Its domain, its exact values in `points` and the spaces of other batch sizes all come from one declaration."""
    assert tuple(DOMAINS) == METAPARAMETERS == tuple(Metaparameters.model_fields)
    assert tuple(models.Point.model_fields) == METAPARAMETERS
    assert set(METAPARAMETERS) <= set(models.SearchOverride.model_fields)


def test_a_key_declared_once_is_everywhere(monkeypatch: pytest.MonkeyPatch):
    """A key and a metaparameter that a model gets have their line of the reference and their place in the schema, by which
    editors complete them."""
    about: Any = Field(default=1, ge=1, examples=[3], description="Studies made again.")
    studies = create_model("Studies", __base__=Studies, __doc__=Studies.__doc__, repeats=(int, about))
    noise = Annotated[Metaparameter | None, Domain(0, low_included=True)]
    about = Field(
        default=None, examples=[{"scale": "log", "min": 0.1, "max": 2.0}], description="Noise added."
    )
    search = create_model(
        "Search", __base__=models.Search, __doc__=models.Search.__doc__, noise_scale=(noise, about)
    )
    sweep = create_model(
        "Sweep",
        __base__=Sweep,
        __doc__=Sweep.__doc__,
        studies=(studies, Field(examples=[{}])),
        search=(search, Field(examples=[{}])),
    )
    monkeypatch.setattr(reference, "TABLES", {**TABLES, "": sweep, "studies": studies, "search": search})
    monkeypatch.setattr(schema, "Sweep", sweep)
    text, found = reference.reference(), schema.sweep_schema()
    for table, key in (("Studies", "repeats"), ("Search", "noise_scale")):
        assert f"| `{key}` |" in text
        assert key in found["$defs"][table]["properties"]
