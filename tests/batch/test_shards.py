"""Which shard trains what: every trial once, the same answer everywhere, and about the same work for all."""

import json
from collections import Counter
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvdsweep.batch.folder import BatchFolder, is_batch_folder
from hvdsweep.batch.shards import Shard, parse_shard, part_of, partition
from hvdsweep.cli.sharding import placed, shard_of
from hvdsweep.errors import UserError
from hvdsweep.store.connection import connect
from hvdsweep.store.plans import save_plan
from tests.batch.sweeps import Worker, content, plan_of, shards_of, train


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return plan_of(tmp_path_factory.mktemp("plan"))


def resized(plan, counts):
    """The plan with other numbers of trials."""
    workload = plan.workloads[0]
    studies = tuple(
        replace(study, target_trials=count, max_trials=3 * count)
        for study, count in zip(workload.studies, counts, strict=True)
    )
    return replace(plan, workloads=(replace(workload, studies=studies),))


SIZES = st.tuples(*[st.integers(1, 40)] * 3)
COSTS = st.tuples(*[st.floats(0.01, 1e4)] * 3)


@settings(max_examples=60, deadline=None)
@given(counts=SIZES, costs=COSTS, shards=st.integers(1, 50))
def test_every_trial_belongs_to_one_shard_and_work_is_balanced(plan, counts, costs, shards):
    """Each number below the target is in one part; a study's parts differ by one trial; loads by the longest trial."""
    plan = resized(plan, counts)
    names = [(study.workload, study.batch_size) for study in plan.studies]
    price = dict(zip(names, costs, strict=True))
    parts = partition(plan, shards, price)
    assert parts == partition(plan, shards, price)
    for name, count in zip(names, counts, strict=True):
        owners = Counter(number for numbers in parts[name] for number in numbers)
        assert owners == Counter(range(count))
        sizes = [len(numbers) for numbers in parts[name]]
        assert max(sizes) - min(sizes) <= 1
    loads = [sum(len(parts[name][index]) * price[name] for name in names) for index in range(shards)]
    assert max(loads) - min(loads) <= max(costs) * (1 + 1e-9)


def test_a_part_has_the_trials_of_the_whole_plan(plan):
    """The trials of all parts, keys and seeds included, are those of the plan; empty studies are left out."""
    parts = [part_of(plan, Shard(index, 5)) for index in range(1, 6)]
    for whole in plan.studies:
        trials = [
            trial
            for part in parts
            for study in part.studies
            if study.batch_size == whole.batch_size
            for trial in study.trials
        ]
        assert sorted(trials, key=lambda trial: trial.number) == list(whole.trials)
    assert all(study.target_trials for part in parts for study in part.studies)
    assert {part.key for part in parts} == {plan.key}


def test_diverged_trials_are_replaced_as_on_one_machine(plan, tmp_path):
    """Shards that train side by side, with one trial in three diverging, hold the very trials that one store would."""

    def diverges(workload, batch_size, number):
        return (batch_size + number) % 3 == 0

    train(tmp_path / "whole.db", plan, diverges)
    paths = shards_of(tmp_path, plan, 3, diverges)
    parts = [content(path) for path in paths]
    whole = content(tmp_path / "whole.db")
    for table in ("trials", "losses", "measurements", "records"):
        assert sorted(row for part in parts for row in part[table]) == whole[table]
    assert any(row[4] == "INFEASIBLE" for row in whole["trials"])


def test_a_claim_is_kept_by_a_shard_that_was_killed_before_it_used_it(plan, tmp_path):
    """The number that a shard claimed is given to it again, and to no other shard."""
    one, other = (next(part_of(plan, Shard(index, 2), tmp_path).studies) for index in (1, 2))
    assert one.next_numbers(set(range(4)), 1) == [4]
    assert other.next_numbers(set(range(4)), 2) == [5, 6]
    assert one.next_numbers(set(range(4)), 2) == [4, 7]
    assert one.next_numbers({*range(4), 4, 7}, 100) == list(range(8, one.max_trials))


def test_a_store_keeps_to_its_shard(plan, tmp_path):
    """A shard's store refuses the whole sweep, another part, and other numbers of trials, and names the remedy."""
    part = part_of(plan, Shard(1, 2))
    path = tmp_path / "shard.db"
    Worker(path, part).close()
    wider = resized(plan, (6, 6, 6))
    with closing(connect(path)) as conn:
        before = conn.execute("SELECT count(*) FROM trials").fetchone()
        for wrong, note, remedy in [
            (plan, None, "--shard 1/2"),
            (part_of(plan, Shard(2, 2)), part_of(plan, Shard(2, 2)).shard_json, "--shard 1/2"),
            (part_of(wider, Shard(1, 2)), part_of(wider, Shard(1, 2)).shard_json, "other numbers of trials"),
        ]:
            with pytest.raises(UserError, match=remedy):
                save_plan(conn, wrong, note)
        assert save_plan(conn, part, part.shard_json).outcome == "unchanged"
        assert conn.execute("SELECT count(*) FROM trials").fetchone() == before
    train(tmp_path / "whole.db", plan, most=0)
    with closing(connect(tmp_path / "whole.db")) as conn, pytest.raises(UserError, match="not a shard"):
        save_plan(conn, part, part.shard_json)


def test_beaten_trials_hear_of_the_best_of_other_shards(tmp_path):
    """The best steps of one shard's finished trial limit those of another, and no running trial's do."""
    plan = plan_of(tmp_path, more='[training]\nstop = "beaten"\n')
    one, other = (
        Worker(tmp_path / f"{index}.db", part_of(plan, Shard(index, 2), tmp_path / "exchange"))
        for index in (1, 2)
    )
    goal = {"metric": "val/classification_error", "goal": 0.3, "maximize": False}
    claim = one.claim()
    update = one.writer
    from tests.batch.sweeps import outcome

    ended = outcome(claim)
    running = replace(ended, final=None, measurements=[(15, {"val/classification_error": 0.1})])
    update.commit(running, claim=False)
    size = claim.definition["batch_size"]
    with closing(connect(other.path)) as conn:
        (study,) = conn.execute("SELECT id FROM studies WHERE batch_size = ?", (size,)).fetchone()
    assert other.writer.best_steps_to_goal(study, **goal) is None
    update.commit(replace(ended, losses=ended.losses[:0], first_step=21, measurements=()), claim=False)
    other.writer._exchange._looked = float("-inf")
    assert other.writer.best_steps_to_goal(study, **goal) == 15
    assert update.best_steps_to_goal(claim.study_id, **goal) == 15
    one.close(), other.close()


SLURM = {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_COUNT": "9"}

SGE = {"SGE_TASK_ID": "3", "SGE_TASK_FIRST": "1", "SGE_TASK_LAST": "9", "SGE_TASK_STEPSIZE": "2"}


@pytest.mark.parametrize(
    ("environment", "submitted", "shard"),
    [
        (SLURM, None, "5/9"),
        (SLURM, 20, "7/20"),
        (SLURM | {"HVDSWEEP_SHARD_OFFSET": "1000"}, 2000, "1007/2000"),
        ({"PBS_ARRAY_INDEX": "2"}, 4, "2/4"),
        ({"LSB_JOBINDEX": "2", "LSB_JOBINDEX_END": "6"}, None, "2/6"),
        (SGE | {"LSB_JOBINDEX": "0"}, None, "2/5"),
        ({"JOB_COMPLETION_INDEX": "0"}, 8, "1/8"),
    ],
)  # fmt: skip
def test_the_array_job_says_which_shard(tmp_path, environment, submitted, shard):
    """`auto` reads the scheduler's variables; a folder's number of shards goes before the array's."""
    folder = BatchFolder(tmp_path)
    if submitted is not None:
        folder.record.write_text(json.dumps({"shards": submitted}))
    assert str(parse_shard("auto", folder, environment)) == shard


@pytest.mark.parametrize(
    ("text", "environment", "remedy"),
    [
        ("auto", {}, "no array job"),
        ("auto", {"LSB_JOBINDEX": "0", "SGE_TASK_ID": "undefined"}, "no array job"),
        ("auto", {"PBS_ARRAY_INDEX": "2"}, r"--shard \$PBS_ARRAY_INDEX/N"),
        ("auto", {"JOB_COMPLETION_INDEX": "0"}, r"--shard \$\(\(JOB_COMPLETION_INDEX \+ 1\)\)/N"),
        ("auto", {"LSB_JOBINDEX": "7", "LSB_JOBINDEX_END": "6"}, "none of 6 shards"),
        ("3", {}, "neither K/N"),
        ("0/4", {}, "K counts from 1"),
        ("5/4", {}, "K counts from 1"),
        ("1/4000000", {}, "neither K/N"),
        ("-1/4", {}, "neither K/N"),
    ],
)
def test_what_is_no_shard_is_refused(text, environment, remedy):
    """Every wrong value of --shard is one UserError that says what to give instead."""
    with pytest.raises(UserError, match=remedy):
        parse_shard(text, None, environment)


@pytest.mark.parametrize(
    ("db", "place"),
    [
        ("new.batch", "new.batch/shards/0002.db"),
        ("runs/new", "runs/new/shards/0002.db"),
        ("two.db", "two.db"),
        ("file", "file"),
        ("there.db", "there.db/shards/0002.db"),
    ],
)
def test_a_shard_of_a_new_name_gets_a_folder(tmp_path, plan, db, place):
    """All jobs of an array are given the same --db: where nothing is there yet, only a name with .db is a file."""
    (tmp_path / "file").touch()
    (tmp_path / "there.db").mkdir()
    parts, found = shard_of([plan], "2/3", tmp_path / db)
    assert found == tmp_path / place
    assert not (tmp_path / "new.batch").exists()
    with placed(parts, found, None) as ready:
        assert (found.parent.is_dir(), ready) == (True, found)


def test_a_folder_knows_its_shards(tmp_path):
    """Shards are listed by number, other files are not; a folder is known by its shards or its record."""
    folder = BatchFolder(tmp_path)
    assert (is_batch_folder(tmp_path), folder.shards(), folder.count) == (False, [], None)
    folder.shards_folder.mkdir()
    for name in ("0002.db", "0001.db", "0001.db-wal", "12345.db", "x.db", ".0003.db.partial"):
        (folder.shards_folder / name).touch()
    assert is_batch_folder(tmp_path)
    assert [index for index, _ in folder.shards()] == [1, 2, 12345]
    folder.record.write_text("[1")
    with pytest.raises(UserError, match="cannot be read"):
        parse_shard("1/2", folder)
