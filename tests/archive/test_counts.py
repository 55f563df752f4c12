"""The published counts of all 454 studies come out of an archive that has them."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

from click.testing import CliRunner

from hvdsweep.archive import import_archive, study_counts
from hvdsweep.cli import group
from hvdsweep.figures import paper
from hvdsweep.opening import open_store
from tests.archive.generator import add

STATUSES = ("COMPLETE", "INCOMPLETE", "INFEASIBLE")


def write_counted(path: Path, counts: dict[str, list[tuple[int, ...]]]) -> None:
    """A tar with so many trials of each outcome, one measurement each."""
    with tarfile.open(path, "w") as archive:
        for workload, studies in counts.items():
            dataset, model, optimizer = workload.rsplit("/", 2)
            for batch_size, *numbers in studies:
                document = {
                    "batch_size": batch_size,
                    "dataset": dataset,
                    "model": model,
                    "optimizer": optimizer,
                    "train_steps": 9,
                }
                base = f"batch_science/{workload}/{batch_size}"
                add(archive, f"{base}/study.json", json.dumps(document).encode())
                trial = 0
                for status, count in zip(STATUSES, numbers, strict=True):
                    for _ in range(count):
                        trial += 1
                        metadata = {"parameters": {}, "status": status, "steps": 9, "trial_id": trial}
                        add(archive, f"{base}/{trial}/metadata.json", json.dumps(metadata).encode())
                        add(
                            archive,
                            f"{base}/{trial}/measurements.csv",
                            b"step,val/classification_error\n9,0.5\n",
                        )


def test_catalogue_is_the_paper_s() -> None:
    """35 workloads and 454 studies; the released table counts more trials than the 168,160 models of the abstract."""
    published = paper.published_studies()
    rows = [study for studies in published.values() for study in studies]
    assert (len(published), len(rows)) == (35, 454)
    assert sum(row.complete for row in rows) == 108_194
    assert sum(row.complete + row.incomplete + row.infeasible for row in rows) == 194_399


def test_counts_of_every_study(tmp_path: Path) -> None:
    """A fortieth of every study's trials, and all trials of some: every count comes out, and only the whole ones agree."""
    whole = {"common_crawl/transformer_base/nesterov_momentum", "lm1b/lstm/nesterov_momentum"}
    planted: dict[str, list[tuple[int, ...]]] = {}
    for workload, studies in paper.published_studies().items():
        share = 1 if workload in whole else 40
        planted[workload] = [
            (s.batch_size, -(-s.complete // share), -(-s.incomplete // share), -(-s.infeasible // share))
            for s in studies
        ]
    write_counted(tmp_path / "a.tar", planted)
    report = import_archive(tmp_path / "a.tar", tmp_path / "x.db", aside=False)
    assert (report.problems, report.studies_new) == ([], 454)
    with open_store(tmp_path / "x.db") as reader:
        found = study_counts(reader)
        by_status = reader.rows("SELECT status, count(*) FROM trials GROUP BY 1 ORDER BY 1")
    command = CliRunner().invoke(
        group, ["workloads", "--counts", "--json", "--db", str(tmp_path / "x.db")], standalone_mode=False
    )
    printed = {(one["workload"], one["batch_size"]): one for one in json.loads(command.stdout)}
    for workload, rows in planted.items():
        for size, *numbers in rows:
            assert [printed[workload, size][status.lower()] for status in STATUSES] == numbers
    text = (
        CliRunner()
        .invoke(group, ["workloads", "--counts", "--db", str(tmp_path / "x.db")], standalone_mode=False)
        .stdout
    )
    assert "35 workloads, 454 studies" in text
    assert " of 454 have as many trials of each outcome as the published study." in text
    assert {
        workload: [
            (one.batch_size, *(one.trials[status] for status in STATUSES))
            for one in found
            if one.workload == workload
        ]
        for workload in planted
    } == planted
    assert dict(by_status) == {
        status: sum(row[index + 1] for rows in planted.values() for row in rows)
        for index, status in enumerate(STATUSES)
    }
    assert {one.workload for one in found if one.agrees} >= whole
    assert all(one.agrees is not None for one in found)
    assert not any(one.agrees for one in found if one.workload == "imagenet/resnet_50/nesterov_momentum")
