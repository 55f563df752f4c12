"""Every model family with every algorithm, each killed in training: some half an hour, so only when asked for."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable

import pytest

from hvdsweep.store.checkpoints import being_written, files, folder_of
from tests.launch.conftest import wait_for
from tests.launch.test_kill import Sweep
from tests.launch.test_kill import sweep as sweep
from tests.limits import HANG_SECONDS

pytestmark = [
    pytest.mark.horovod,
    pytest.mark.skipif(
        not os.environ.get("HVDSWEEP_SLOW_TESTS"),
        reason="half an hour; set HVDSWEEP_SLOW_TESTS=1 to run it",
    ),
]

FAMILY = """
dataset = "{dataset}"
model = "{model}"
model_options = {options}
algorithms = ["sgd", "momentum", "nesterov_momentum"]
goal = {{ metric = "{metric}", value = 0.05 }}
budget = {{ steps = {steps} }}
evaluation = {{ count = 8 }}
studies = {{ batch_sizes = [{batch_size}], trials = 1, seed = 1 }}
[search]
learning_rate = 0.002
momentum = 0.9
"""

ERROR = "val/classification_error"
FAMILIES = (
    ("digits", "fc_16", "{}", 32, 12000, ERROR),
    ("digits", "simple_cnn_narrow", "{ filters = [3, 4], hidden = 16 }", 16, 4000, ERROR),
    ("digits", "resnet_8", "{}", 8, 600, ERROR),
    (
        "digits",
        "resnet_50",
        '{ width = 4, blocks = [1, 1, 1, 1], stem = "small", ghost_batch = 16 }',
        32,
        600,
        ERROR,
    ),
    ("digits", "vgg_11", "{ filters = [2, 4, 4, 4, 4, 4, 4, 4], hidden = 8 }", 16, 1500, ERROR),
    (
        "python_source",
        "transformer_base",
        "{ layers = 2, width = 16, heads = 2, filter = 32 }",
        8,
        1000,
        "val/cross_entropy_error",
    ),
    (
        "python_source",
        "lstm",
        "{ embedding = 8, hidden = 16, projection = 8 }",
        8,
        300,
        "val/cross_entropy_error",
    ),
    ("noisy_quadratic", "noisy_quadratic", "{}", 16, 12000, "val/loss"),
)
TRIALS = 3 * len(FAMILIES)


def made(sweep: Sweep) -> Sweep:
    """The sweep with a file for each family."""
    for dataset, model, options, batch_size, steps, metric in FAMILIES:
        file = sweep.folder / f"{model}.toml"
        file.write_text(
            FAMILY.format(
                dataset=dataset,
                model=model,
                options=options,
                batch_size=batch_size,
                steps=steps,
                metric=metric,
            )
        )
        sweep.files.append(file)
    return sweep


def test_every_family_and_algorithm_ends_as_if_it_had_not_been_killed(sweep: Callable[..., Sweep]) -> None:
    """SIGKILL of a rank, of horovodrun, of the supervisor, and of rank 0 while it writes a checkpoint: each trial once, at a
    random instant. No process is left, and every loss, measurement and record is that of the undisturbed sweep, bit for bit."""
    undisturbed = made(sweep("undisturbed", ""))
    assert undisturbed.start().wait(HANG_SECONDS) == 0, undisturbed.events()[-1]
    seed = int.from_bytes(os.urandom(4), "little")
    chance = random.Random(seed)
    kinds = ["rank", "horovodrun", "supervisor", "writing"] * (TRIALS // 4)
    chance.shuffle(kinds)
    disturbed = made(sweep("disturbed", ""))
    options = (
        "--max-attempts",
        "99",
        "--start-timeout",
        "900",
        "--hang-timeout",
        "600",
        "--checkpoint-every",
        "0.2s",
    )
    disturbed.start(*options)
    killed: set[int] = set()
    done_to_it = []

    def over() -> bool:
        return disturbed.process is not None and disturbed.process.poll() is not None

    def victim() -> int | None:
        """A trial in training that has a checkpoint and was not killed yet."""
        rows = disturbed.store.rows(
            "SELECT id FROM trials WHERE status = 'RUNNING' AND checkpoint IS NOT NULL"
        )
        return next((trial for (trial,) in rows if trial not in killed), None)

    while kinds:
        story = f"seed {seed}: {done_to_it}"
        trial = wait_for(lambda: victim() or (over() and -1), f"training ({story})")
        if trial == -1:
            break
        killed.add(trial)
        kind = kinds.pop()
        gangs = disturbed.store.one("SELECT count(*) FROM gangs")
        ranks = disturbed.ranks()
        if not ranks:
            continue
        if kind == "writing":
            # Looking for the ranks takes longer than a checkpoint.
            until = time.monotonic() + 10
            while not being_written(disturbed.store.path) and time.monotonic() < until:
                pass
        else:
            time.sleep(chance.uniform(0.0, 1.0))
        if kind == "supervisor":
            disturbed.process.kill()
            disturbed.process.wait()
            wait_for(lambda: not disturbed.store.processes(), f"the gang to follow its supervisor ({story})")
            disturbed.start(*options)
        else:
            target = disturbed.horovodrun() if kind == "horovodrun" else ranks[0]
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(ranks) if kind == "rank" else target, signal.SIGKILL)
        partial = any(file.path.suffix == ".partial" for file in files(disturbed.store.path))
        done_to_it.append((trial, kind, partial))
        wait_for(
            lambda gangs=gangs: disturbed.store.one("SELECT count(*) FROM gangs") > gangs or over(),
            f"another gang ({story})",
        )
    assert disturbed.process.wait(HANG_SECONDS) == 0, (done_to_it, disturbed.events()[-1])
    print(f"seed {seed}: {done_to_it}")
    assert len(done_to_it) >= TRIALS - 4, done_to_it
    assert disturbed.store.processes() == []
    expected, found = undisturbed.store.results(), disturbed.store.results()
    assert [row[3] for row in found["trials"]] == ["COMPLETE"] * TRIALS, done_to_it
    for table in expected:
        assert found[table] == expected[table], (table, done_to_it)
    assert not folder_of(disturbed.store.path).exists()
    resumed = disturbed.store.rows("SELECT message FROM events WHERE kind = 'checkpoint'")
    assert sum(" resumes at step " in message for (message,) in resumed) >= len(done_to_it) // 2, (
        resumed,
        done_to_it,
    )
