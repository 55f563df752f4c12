"""The store as pandas frames, for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hvdsweep.store.rows import TrialFilter

if TYPE_CHECKING:
    import pandas as pd

    from hvdsweep.store.reader import Reader


def trials_frame(reader: Reader, workload: str | None, sweep_id: int | None) -> pd.DataFrame:
    """See `Reader.trials_frame`."""
    import pandas as pd

    page = reader.trials(TrialFilter(workload=workload, sweep_id=sweep_id))
    rows = []
    for trial in page.rows:
        row = {name: value for name, value in vars(trial).items() if name != "parameters"}
        row["status"], row["stop_reason"] = trial.status.name, trial.stop_reason.word
        row.update({f"parameters.{name}": value for name, value in trial.parameters.items()})
        rows.append(row)
    frame = pd.DataFrame(rows)
    return frame.set_index("id") if rows else frame


def losses_frame(reader: Reader, trial_ids: int | Sequence[int]) -> pd.DataFrame:
    """See `Reader.losses_frame`."""
    import pandas as pd

    ids = _ids(trial_ids)
    curves = [reader.losses(trial_id) for trial_id in ids]
    return pd.DataFrame(
        {
            "trial_id": np.repeat(np.array(ids, np.int64), [len(steps) for steps, _ in curves]),
            "step": np.concatenate([steps for steps, _ in curves]) if curves else np.empty(0, np.int64),
            "loss": np.concatenate([losses for _, losses in curves]) if curves else np.empty(0),
        }
    )


def measurements_frame(reader: Reader, trial_ids: int | Sequence[int]) -> pd.DataFrame:
    """See `Reader.measurements_frame`."""
    import pandas as pd

    names = reader.metrics()
    frames = [pd.DataFrame(columns=["trial_id", "step", *names])]
    for trial_id in _ids(trial_ids):
        found = reader.measurements(trial_id)
        frames.append(
            pd.DataFrame(
                {"trial_id": trial_id, "step": found.steps, **found.values}, columns=frames[0].columns
            )
        )
    frame = pd.concat([one for one in frames if len(one)] or frames[:1], ignore_index=True)
    return frame.astype(dict.fromkeys(["trial_id", "step"], "int64") | dict.fromkeys(names, "float64"))


def _ids(trial_ids: int | Sequence[int]) -> list[int]:
    return [trial_ids] if isinstance(trial_ids, int) else list(trial_ids)
