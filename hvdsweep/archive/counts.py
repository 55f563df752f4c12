"""The number of trials per outcome of every study, compared with the published numbers."""

from __future__ import annotations

from dataclasses import dataclass

from hvdsweep.figures import paper
from hvdsweep.states import Status
from hvdsweep.store.store import Store


@dataclass(frozen=True)
class StudyCount:
    """A study of the store and the published study of the same name."""

    sweep_id: int
    workload: str
    batch_size: int
    trials: dict[str, int]
    """Status -> number of trials."""
    published: dict[str, int] | None
    """The same of the published study; None if there is none."""

    @property
    def agrees(self) -> bool | None:
        """Whether all numbers equal the published ones; None if there are none."""
        return (
            None
            if self.published is None
            else {k: n for k, n in self.trials.items() if n} == {k: n for k, n in self.published.items() if n}
        )


def study_counts(reader: Store, sweep: int | None = None) -> list[StudyCount]:
    """Every study of a sweep, or of all, by workload and batch size."""
    published = {
        (workload, study.batch_size): {
            Status.COMPLETE.name: study.complete,
            Status.INCOMPLETE.name: study.incomplete,
            Status.INFEASIBLE.name: study.infeasible,
        }
        for workload, studies in paper.published_studies().items()
        for study in studies
    }
    counts = reader.counts()
    return [
        StudyCount(
            study.sweep_id,
            study.workload,
            study.batch_size,
            {status.name: counts.get(study.id, {}).get(status, 0) for status in Status},
            published.get((study.workload, study.batch_size)),
        )
        for study in reader.studies(sweep)
    ]
