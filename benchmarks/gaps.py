"""A gang whose training calls are timed: how long from the last step of one trial to the first step of the next.

Run by benchmarks/training.py under horovodrun with the arguments of `hvdsweep.training.gang` and, first, a file for the
result. It trains real trials into a real store; the only difference is a clock around each compiled call.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path


def main() -> None:
    out = Path(sys.argv.pop(1))
    from hvdsweep.store.connection import connect
    from hvdsweep.store.lifecycle import request_stop
    from hvdsweep.store.writer import TrialWriter
    from hvdsweep.training import gang, loop

    calls: list[tuple[int, float, float]] = []
    run, commit = loop.Loop.run, TrialWriter.commit
    database, sweep = sys.argv[sys.argv.index("--db") + 1], int(sys.argv[sys.argv.index("--sweep") + 1])

    def timed(self, *args, first_step, **kwargs):
        began = time.perf_counter()
        chunk = run(self, *args, first_step=first_step, **kwargs)
        calls.append((first_step, began, time.perf_counter()))
        return chunk

    def committing(self, update, *, claim, **kwargs):
        reply = commit(self, update, claim=claim, **kwargs)
        if claim and reply.claim is None:
            request_stop(connect(database), sweep)
            gaps = [b[1] - a[2] for a, b in itertools.pairwise(calls) if b[0] == 0]
            out.write_text(json.dumps(gaps))
        return reply

    loop.Loop.run, TrialWriter.commit = timed, committing
    sys.exit(gang.main())


if __name__ == "__main__":
    main()
