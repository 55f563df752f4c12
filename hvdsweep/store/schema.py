"""The schema of a store: tables, migrations, and the rules shared by all its readers and writers."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from hvdsweep.lazy import hidden
from hvdsweep.repeats import FIRST_REPEAT

if TYPE_CHECKING:
    import sqlite_utils

APPLICATION_ID = 0x68766473
"""`PRAGMA application_id` of every store ("hvds"), which no other SQLite file has."""

PAGE_SIZE = 4096
"""Bytes per page of a new store."""

LONGEST_NAME = 100
"""Longest name of a sweep, in characters: it is shown in one cell of a table."""

SEARCH_TRIAL = f"t.number < {FIRST_REPEAT}"
"""SQL: whether trial t belongs to its study's search and is no repeat. By number, which every schema version has."""

REACHED = "CASE WHEN w.maximize THEN r.value > w.goal ELSE r.value < w.goal END"
"""SQL: whether record r has reached the goal of workload w."""

LARGEST_STEP = 2**32 - 1
"""The last step that a store can hold: a trial and a step together fit one integer of SQLite."""

MAXIMISED = frozenset({"average_precision", "accuracy"})
"""Metrics (last part of the name) of which more is better."""

TABLES = (
    """CREATE TABLE sweeps (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE,        -- hash of what makes it this sweep and no other
    source TEXT NOT NULL,            -- launch | import
    file TEXT,                       -- the TOML file or the archive it came from
    definition TEXT NOT NULL,        -- JSON
    state TEXT NOT NULL,             -- IDLE | RUNNING | STOPPING | DONE | FAILED
    request TEXT,                    -- NULL | stop
    created REAL NOT NULL,           -- times are unix seconds
    started REAL,                    -- of the latest run
    ended REAL,
    heartbeat REAL,                  -- last sign of life of the supervisor
    supervisor_pid INTEGER,
    supervisor_host TEXT,
    np INTEGER,                      -- ranks per gang
    gangs INTEGER,                   -- gangs side by side
    versions TEXT                    -- JSON: hvdsweep, tensorflow, horovod, ...
)""",
    """CREATE TABLE workloads (
    id INTEGER PRIMARY KEY,
    sweep_id INTEGER NOT NULL REFERENCES sweeps(id),
    name TEXT NOT NULL,              -- dataset/model/algorithm
    dataset TEXT NOT NULL,
    model TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    metric TEXT,                     -- of the goal
    goal REAL,                       -- reached strictly below (above, if maximize)
    maximize INTEGER NOT NULL DEFAULT 0,
    train_examples INTEGER,
    parameters INTEGER,              -- trainable weights of the model
    UNIQUE (sweep_id, name)
)""",
    """CREATE TABLE studies (
    id INTEGER PRIMARY KEY,
    workload_id INTEGER NOT NULL REFERENCES workloads(id),
    batch_size INTEGER NOT NULL,     -- global, over all ranks
    train_steps INTEGER NOT NULL,    -- budget; 0 = a wall-time budget
    target_trials INTEGER NOT NULL,  -- that did not diverge
    max_trials INTEGER NOT NULL,     -- replacements of diverged trials included
    seed INTEGER,
    definition TEXT NOT NULL,        -- JSON: all that training needs to know
    search TEXT NOT NULL,            -- JSON: the search space
    UNIQUE (workload_id, batch_size)
)""",
    """CREATE TABLE trials (
    id INTEGER PRIMARY KEY,
    study_id INTEGER NOT NULL REFERENCES studies(id),
    number INTEGER NOT NULL,         -- position in the study's sequence of points
    key TEXT,                        -- hash of all that determines the result; NULL if imported
    status TEXT NOT NULL,            -- PENDING | RUNNING | COMPLETE | INFEASIBLE | INCOMPLETE
    parameters TEXT NOT NULL,        -- JSON: metaparameter -> value
    seed INTEGER,
    steps INTEGER NOT NULL DEFAULT 0,    -- updates done
    attempts INTEGER NOT NULL DEFAULT 0, -- that failed
    gang_id INTEGER REFERENCES gangs(id),
    started REAL,
    ended REAL,
    stop_reason TEXT,                -- budget | goal | beaten | diverged | failed
    message TEXT,
    UNIQUE (study_id, number)
)""",
    "CREATE INDEX trials_by_status ON trials (study_id, status, number)",
    "CREATE INDEX trials_by_key ON trials (key) WHERE key IS NOT NULL",
    """CREATE TABLE losses (
    trial_id INTEGER NOT NULL REFERENCES trials(id),
    step INTEGER NOT NULL,           -- 1-based
    loss REAL,                       -- mean over the global batch, before the update; NULL = not a number
    PRIMARY KEY (trial_id, step)
) WITHOUT ROWID""",
    """CREATE TABLE measurements (
    trial_id INTEGER NOT NULL REFERENCES trials(id),
    step INTEGER NOT NULL,           -- updates done before this evaluation
    PRIMARY KEY (trial_id, step)
) WITHOUT ROWID""",
    """CREATE TABLE metrics (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,              -- the column of measurements
    maximize INTEGER NOT NULL,
    UNIQUE (name, maximize)
)""",
    """CREATE TABLE best_records (
    metric_id INTEGER NOT NULL REFERENCES metrics(id),
    trial_id INTEGER NOT NULL REFERENCES trials(id),
    step INTEGER NOT NULL,
    value REAL NOT NULL,             -- strictly better than every earlier finite value of the trial
    PRIMARY KEY (metric_id, trial_id, step)
) WITHOUT ROWID""",
    """CREATE VIEW running_best AS
    SELECT trial_id, name AS metric, maximize, step, value
    FROM best_records JOIN metrics ON metrics.id = best_records.metric_id""",
    """CREATE TABLE gangs (
    id INTEGER PRIMARY KEY,
    sweep_id INTEGER NOT NULL REFERENCES sweeps(id),
    np INTEGER NOT NULL,
    host TEXT,
    pid INTEGER,                     -- of horovodrun
    state TEXT NOT NULL,             -- STARTING | IDLE | TRAINING | STOPPED | DEAD
    trial_id INTEGER,                -- the trial it trains now
    started REAL NOT NULL,
    heartbeat REAL,
    ended REAL,
    message TEXT,
    log_dir TEXT
)""",
    """CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    sweep_id INTEGER,
    gang_id INTEGER,
    trial_id INTEGER,
    kind TEXT NOT NULL,
    message TEXT NOT NULL
)""",
    """CREATE TABLE throughput (
    id INTEGER PRIMARY KEY,
    time REAL NOT NULL,
    workload TEXT NOT NULL,
    batch_size INTEGER NOT NULL,
    np INTEGER NOT NULL,
    gangs INTEGER NOT NULL,
    host TEXT,
    steps INTEGER NOT NULL,
    seconds REAL NOT NULL,
    steps_per_second REAL NOT NULL,
    examples_per_second REAL NOT NULL,
    source TEXT NOT NULL             -- scale | trial (sum over trials)
)""",
    "CREATE INDEX throughput_by_study ON throughput (workload, batch_size, np, source)",
)
"""Version 1, statement by statement; the comments are stored in the file and shown by `.schema`."""

MIGRATIONS = {
    "1: tables": TABLES,
    "2: order of trials": (
        "ALTER TABLE sweeps ADD COLUMN trial_order TEXT",  # of the latest run: NULL (the default) | plain | breadth | merit
        "ALTER TABLE trials ADD COLUMN chosen TEXT",  # why it was trained when it was; NULL: in the order of numbers
    ),
    "3: stages of a start": (
        "ALTER TABLE gangs ADD COLUMN stage TEXT",  # of its start, for people; NULL once it has made its first step
        "ALTER TABLE gangs ADD COLUMN first_step REAL",  # when that was, unix seconds
    ),
    # A process is identified independently of clocks.
    "4: identities of processes": (
        "ALTER TABLE sweeps ADD COLUMN supervisor TEXT",  # PID:START:BOOT@HOST (hvdsweep.process_id)
        "ALTER TABLE gangs ADD COLUMN process TEXT",  # the same of horovodrun
    ),
    # The ranks that train each study under `--np auto`.
    "5: layouts": (
        "ALTER TABLE sweeps ADD COLUMN slots INTEGER",  # of --np auto; NULL: np and gangs as given
        "ALTER TABLE studies ADD COLUMN np INTEGER",  # ranks of the gangs that train it; NULL: any
        "ALTER TABLE studies ADD COLUMN gangs INTEGER",  # of them side by side
    ),
    # Sweeps that many databases train together (`hvdsweep.batch`).
    "6: shards": (
        "ALTER TABLE sweeps ADD COLUMN shard TEXT",  # JSON: which part of the sweep this file trains; NULL: all of it
        "ALTER TABLE trials ADD COLUMN origin TEXT",  # the file it was merged from; NULL: it was trained, or copied, here
        "ALTER TABLE throughput ADD COLUMN origin TEXT",  # as that of trials
    ),
    # A trial resumes from where it was interrupted.
    "7: checkpoints": (
        "ALTER TABLE trials ADD COLUMN checkpoint INTEGER",  # step that an open trial resumes from; NULL: from the first
        "ALTER TABLE trials ADD COLUMN checkpoint_seconds REAL",  # between `started` and that checkpoint
    ),
    # The best trial of a study trained again with other seeds (`hvdsweep.repeats`).
    "8: repeats": (
        "ALTER TABLE studies ADD COLUMN repeats INTEGER",  # of its best trial, that the study is to have; NULL: none
        "ALTER TABLE trials ADD COLUMN repeats INTEGER",  # number of the trial that this one repeats; NULL: a trial of the search
    ),
    # Estimates of the gradient noise scale.
    "9: gradient noise": (
        """CREATE TABLE gradient_noise (
    trial_id INTEGER NOT NULL REFERENCES trials(id),
    step INTEGER NOT NULL,           -- updates done before this estimate
    layer TEXT NOT NULL,             -- '' = all weights together
    grad_sq REAL,                    -- of |G|^2, the squared norm of the gradient; NULL = not a number
    trace_sigma REAL,                -- of tr Sigma, the variance of one example's gradient; NULL = not a number
    PRIMARY KEY (trial_id, step, layer)
) WITHOUT ROWID""",
    ),
    # The training time lost when a run was killed.
    "10: lost seconds": (
        "ALTER TABLE gangs ADD COLUMN lost_seconds REAL",  # of training, after the last checkpoint, lost with its supervisor
    ),
    # Trials with a checkpoint, which few of a study have, are found without reading all others.
    "11: interrupted trials": (
        "CREATE INDEX trials_with_checkpoint ON trials (study_id, number) WHERE checkpoint IS NOT NULL",
    ),
}
"""Name, which every store records, -> the statements of one schema version after the other."""

VERSION = len(MIGRATIONS)
"""`PRAGMA user_version` of the stores this program writes: the number of migrations applied."""

STATEMENTS = tuple(statement for statements in MIGRATIONS.values() for statement in statements)
"""The whole schema, for a store in memory: without the record of migrations and its imports."""

MARGIN = (
    "(SELECT CASE json_extract(s.definition, '$.stop') WHEN 'beaten' THEN json_extract(s.definition, '$.margin') END"
    " FROM studies s WHERE s.workload_id = workloads.id LIMIT 1)"
)
"""Of a row of workloads: the share beyond the fewest steps up to which beaten trials are trained; NULL: no further."""


def migrate(conn: sqlite3.Connection) -> None:
    """Bring an empty or older store up to VERSION. The caller holds the write transaction."""
    # sqlite-utils would import pandas, if installed, to know its types: half of the time of a launch's start.
    with hidden(("pandas",)):
        import sqlite_utils
        from sqlite_utils import Migrations

    migrations = Migrations("hvdsweep")
    for name, statements in MIGRATIONS.items():
        migrations(name=name)(_executing(statements))
    migrations.apply(sqlite_utils.Database(conn, recursive_triggers=False, execute_plugins=False))
    conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    conn.execute(f"PRAGMA user_version = {VERSION}")


def _executing(statements: Iterable[str]) -> Callable[[sqlite_utils.Database], None]:
    def execute(db: sqlite_utils.Database) -> None:
        for statement in statements:
            db.execute(statement)

    return execute


def quoted(name: str) -> str:
    """`name` as an SQL identifier: metric names contain slashes, and may contain anything."""
    if not name or "\x00" in name:
        raise ValueError(f"not a metric's name: {name!r}")
    return '"' + name.replace('"', '""') + '"'


def naturally_maximised(metric: str) -> bool:
    """Whether more of `metric` ("val/average_precision") is better, if no goal says otherwise."""
    return metric.rpartition("/")[2] in MAXIMISED


def metric_columns(conn: sqlite3.Connection) -> list[str]:
    """The metrics that `measurements` has a column for, in order of appearance."""
    names = [row[1] for row in conn.execute("PRAGMA table_info(measurements)")]
    return names[2:]


def ensure_metric_column(conn: sqlite3.Connection, metric: str) -> None:
    """Add a column for `metric` if there is none. Inside the caller's write transaction.

    SQLite compares column names without case: ValueError for two metrics that differ only in case.
    """
    taken = {name.lower(): name for name in ["trial_id", "step", *metric_columns(conn)]}
    present = taken.get(metric.lower())
    if present is None:
        conn.execute(f"ALTER TABLE measurements ADD COLUMN {quoted(metric)} REAL")
    elif present != metric:
        raise ValueError(
            f"metric {metric!r} clashes with the column {present!r}: SQLite ignores case in names"
        )


def metric_id(conn: sqlite3.Connection, metric: str, maximize: bool) -> int:
    """The id of `metric` in that direction, added if new. Inside the caller's write transaction."""
    key = (metric, int(maximize))
    row = conn.execute("SELECT id FROM metrics WHERE name = ? AND maximize = ?", key).fetchone()
    if row is None:
        cursor = conn.execute("INSERT INTO metrics (name, maximize) VALUES (?, ?)", key)
        assert cursor.lastrowid is not None
        return cursor.lastrowid
    return int(row[0])
