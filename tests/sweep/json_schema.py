"""A small, slow validator for the keywords of JSON Schema that the sweep file's schema uses: an oracle for
the tests."""

from __future__ import annotations

import re
from typing import Any

KEYWORDS = {
    "$schema", "$defs", "title", "description", "examples", "default", "$ref", "type", "enum", "const", "properties",
    "required", "additionalProperties", "items", "minItems", "uniqueItems", "minLength", "maxLength", "pattern", "minimum",
    "maximum", "exclusiveMinimum", "exclusiveMaximum", "anyOf", "oneOf", "patternProperties", "minProperties",
}  # fmt: skip
"""All of them; another keyword in the schema is a mistake of this oracle, or of the schema."""

TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
}


def is_valid(value: Any, schema: Any, root: dict[str, Any]) -> bool:
    """Whether `value` satisfies `schema`, whose references point into `root`."""
    if isinstance(schema, bool):
        return schema
    assert set(schema) <= KEYWORDS, set(schema) - KEYWORDS
    if "$ref" in schema and not is_valid(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root):
        return False
    if "type" in schema and not TYPES[schema["type"]](value):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if "anyOf" in schema and not any(is_valid(value, entry, root) for entry in schema["anyOf"]):
        return False
    if "oneOf" in schema and sum(is_valid(value, entry, root) for entry in schema["oneOf"]) != 1:
        return False
    if isinstance(value, dict):
        return _table(value, schema, root)
    if isinstance(value, list):
        distinct = len({repr(entry) for entry in value}) == len(value)
        return (
            len(value) >= schema.get("minItems", 0)
            and (distinct or not schema.get("uniqueItems"))
            and all(is_valid(entry, schema.get("items", True), root) for entry in value)
        )
    if isinstance(value, str):
        return (
            schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
            and re.search(schema.get("pattern", ""), value) is not None
        )
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (
            value >= schema.get("minimum", value)
            and value <= schema.get("maximum", value)
            and ("exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"])
            and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
        )
    return True


def _table(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any]) -> bool:
    properties = schema.get("properties", {})
    if any(key not in value for key in schema.get("required", [])):
        return False
    if len(value) < schema.get("minProperties", 0):
        return False
    rest, patterns = schema.get("additionalProperties", True), schema.get("patternProperties", {})

    def schema_of(key: str) -> Any:
        matching = [entry for pattern, entry in patterns.items() if re.search(pattern, key)]
        return matching[0] if matching else properties.get(key, rest)

    return all(is_valid(entry, schema_of(key), root) for key, entry in value.items())
