"""Which threads give way to training."""

import os
import threading

from hvdsweep.training.priority import threads_give_way


def test_threads_started_inside_the_block_give_way_and_no_others():
    """Those of the block are scheduled in batches; this one and one started before stay as they were."""
    end = threading.Event()
    before = threading.Thread(target=end.wait)
    before.start()
    with threads_give_way():
        inside = threading.Thread(target=end.wait)
        inside.start()
    policies = [os.sched_getscheduler(thread.native_id) for thread in (before, inside)]
    end.set()
    assert policies == [os.SCHED_OTHER, os.SCHED_BATCH]
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
