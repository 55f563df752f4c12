"""Results of proofs of the user's own code, stored on this machine, so that a plan made without running that code has
the same keys as a launch. Only previews rely on it: every launch proves the code again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from hvdsweep.identity import content_key
from hvdsweep.replacing import write_whole
from hvdsweep.sweep.models import Sweep
from hvdsweep.sweep.user_code import fingerprint
from workloads import catalogue


def has_user_code(sweep: Sweep) -> bool:
    """Whether the data set or the model is the user's own."""
    return catalogue.is_user_code(sweep.dataset) or catalogue.is_user_code(sweep.model)


def remember(sweep: Sweep, source: str | None, content: Mapping[str, str]) -> None:
    """Store the result of a proof. Does nothing if the home directory cannot be written."""
    file = _file(sweep, source)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(dict(content)).encode())
    except OSError:
        return


def remembered(sweep: Sweep, source: str | None) -> dict[str, str]:
    """The result of the latest proof of this code with these options; empty if there was none."""
    if not has_user_code(sweep):
        return {}
    try:
        found = json.loads(_file(sweep, source).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(key): str(value) for key, value in found.items()}


def _file(sweep: Sweep, source: str | None) -> Path:
    names = [name for name in (sweep.dataset, sweep.model) if catalogue.is_user_code(name)]
    key = content_key(
        {
            "dataset": [sweep.dataset, sweep.dataset_options],
            "model": [sweep.model, sweep.model_options],
            "source": source,
            "code": [fingerprint(name, source) for name in names],
        }
    )
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    return home / "hvdsweep" / "proofs" / f"{key[:32]}.json"
