"""The JSON Schema of the sweep file, for editors: descriptions, examples, defaults, and the names of built-in
workloads."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from hvdsweep.sweep.models import Budget, Sweep

DIALECT = "https://json-schema.org/draft/2020-12/schema"
USER_CODE = {
    "type": "string",
    "pattern": r"^[\w.]+:\w+$",
    "description": "module:function of your own next to the file",
}


class _WithoutNull(GenerateJsonSchema):
    """TOML has no null: a key that may be left out is optional, and its value is never null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default") is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def sweep_schema() -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) that accepts every valid sweep file and rejects most mistakes that need no
    arithmetic."""
    from workloads import architectures, catalogue

    schema = Sweep.model_json_schema(schema_generator=_WithoutNull)
    properties = schema["properties"]
    _names(properties["dataset"], [{"enum": catalogue.dataset_names()}, USER_CODE])
    models = [name for name in catalogue.model_names() if name != architectures.FC.name]
    widths = {
        "type": "string",
        "pattern": r"^fc(_[1-9]\d*)+$",
        "description": "fully connected, e.g. fc_1024_1024",
    }
    _names(properties["model"], [{"enum": models}, widths, USER_CODE])
    schema["anyOf"] = [{"required": ["algorithms"]}, {"required": ["algorithm"]}]
    for table in ("Budget", "BudgetOverride"):
        schema["$defs"][table]["oneOf"] = [{"required": [key]} for key in Budget.ONE_OF]
    del schema["title"]
    return {"$schema": DIALECT, "title": "hvdsweep sweep file", **_tidy(schema)}


def _tidy(schema: dict[str, Any]) -> dict[str, Any]:
    """Drop pydantic's titles, which repeat the key, and put descriptions on one line."""
    tidy: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str):
            continue
        if key == "description" and isinstance(value, str):
            value = " ".join(value.split())
        elif isinstance(value, dict):
            value = _tidy(value)
        elif isinstance(value, list):
            value = [_tidy(entry) if isinstance(entry, dict) else entry for entry in value]
        tidy[key] = value
    return tidy


def _names(property_schema: dict[str, Any], alternatives: list[dict[str, Any]]) -> None:
    for key in ("type", "minLength"):
        property_schema.pop(key, None)
    property_schema["anyOf"] = alternatives
