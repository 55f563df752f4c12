"""The store as pandas frames, for notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hvdsweep.store.rows import Measurements, TrialRow

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd


def trials_frame(trials: Iterable[TrialRow]) -> pd.DataFrame:
    """See `Store.trials_frame`."""
    import pandas as pd

    rows = []
    for trial in trials:
        row = {name: value for name, value in vars(trial).items() if name != "parameters"}
        row["status"], row["stop_reason"] = trial.status.name, trial.stop_reason.word
        row.update({f"parameters.{name}": value for name, value in trial.parameters.items()})
        rows.append(row)
    frame = pd.DataFrame(rows)
    return frame.set_index("id") if rows else frame


def losses_frame(curves: Mapping[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]) -> pd.DataFrame:
    """See `Store.losses_frame`; `curves` by trial."""
    import pandas as pd

    lengths = [len(steps) for steps, _ in curves.values()]
    return pd.DataFrame(
        {
            "trial_id": np.repeat(np.array([*curves], np.int64), lengths),
            "step": np.concatenate([np.empty(0, np.int64), *(steps for steps, _ in curves.values())]),
            "loss": np.concatenate([np.empty(0), *(losses for _, losses in curves.values())]),
        }
    )


def measurements_frame(names: Sequence[str], found: Mapping[int, Measurements]) -> pd.DataFrame:
    """See `Store.measurements_frame`; `found` by trial, `names` of all metrics."""
    import pandas as pd

    frames = [pd.DataFrame(columns=["trial_id", "step", *names])]
    for trial_id, one in found.items():
        row = {"trial_id": trial_id, "step": one.steps, **one.values}
        frames.append(pd.DataFrame(row, columns=frames[0].columns))
    frame = pd.concat([one for one in frames if len(one)] or frames[:1], ignore_index=True)
    return frame.astype(dict.fromkeys(["trial_id", "step"], "int64") | dict.fromkeys(names, "float64"))
