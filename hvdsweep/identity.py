"""The identity of a trial, a study or a sweep: canonical JSON, the part of it that counts, and its hash.

Equal keys mean equal results: a trial's key is a hash of everything that determines its losses, a sweep's key a hash of
everything that determines what its trials are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

KEY_VERSION = 2
"""Part of every key; raised when training changes so that the same definition gives other losses."""


def canonical_json(value: object) -> str:
    """JSON with sorted keys, without spaces, floats by `repr`: equal values give equal text. Raises
    ValueError for NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_key(value: object) -> str:
    """sha256 (hexadecimal) of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json({"version": KEY_VERSION, "is": value}).encode()).hexdigest()


def derived_seed(bits: int, *parts: object) -> int:
    """An integer in [0, 2^bits) that depends on every part; other parts give unrelated integers."""
    digest = hashlib.sha256(canonical_json(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - bits)


def study_identity(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a study's definition that determines the result of its trials.

    Left out: the path of the user's code; how a batch is cut into passes; the goal, unless trials end at it; the
    margin, since it only changes the end of beaten trials, whose results are never reused in another sweep; estimates
    of the noise scale, which change no loss.
    """
    left_out = {"source", "micro_batch", "workload", "margin", "noise_scale"}
    if definition["stop"] == "budget":
        left_out.add("goal")
    identity = {key: value for key, value in definition.items() if key not in left_out}
    evaluation = identity["evaluation"]
    identity["evaluation"] = {**evaluation, "splits": sorted(evaluation["splits"])}
    return identity


def sweep_identity(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a sweep's definition that determines its trials, except how many there are."""
    identity = {key: value for key, value in definition.items() if key not in ("name", "description")}
    identity["studies"] = {"seed": definition["studies"]["seed"]}
    identity["training"] = {
        key: value
        for key, value in definition["training"].items()
        if key not in ("micro_batch", "noise_scale", "noise_layers")
    }
    identity["algorithms"] = sorted(definition["algorithms"])
    if definition["training"]["stop"] == "budget":
        del identity["goal"]
    return identity


def definition_diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The differences between two sweeps: a line `key: old -> new` per key of the sweep file that differs; empty if
    they are the same sweep."""
    one, other = sweep_identity(old), sweep_identity(new)
    if ("goal" in one) != ("goal" in other):
        # Only one of them ends trials at its goal: that is the difference, not the goal itself.
        one["goal"], other["goal"] = old["goal"], new["goal"]
    return _differences(one, other, "")


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str) -> list[str]:
    lines = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            lines += _differences(before, after, f"{prefix}{key}.")
        elif _shown(before) != _shown(after):
            lines.append(f"{prefix}{key}: {_shown(before)} -> {_shown(after)}")
    return lines


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if value not in (None, {}) else "(not set)"
