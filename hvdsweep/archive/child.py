"""Reads an archive in a separate process, so that parsing and writing each have a core.

`process.read` starts it: it reads its task as one pickle from stdin and writes messages as pickles to stdout.
"""

from __future__ import annotations

import pickle
import queue
import signal
import sys
import threading

from hvdsweep.archive.messages import Message
from hvdsweep.archive.process import open_archive

READY = 2
"""Most messages waiting to be written: reading continues while the other side is busy."""


def main() -> None:
    """Entry point of the process."""
    # Ctrl-C reaches the whole process group; the parent decides, and this process ends when its pipe does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    path, known, all_records = pickle.load(sys.stdin.buffer)
    ready: queue.Queue[Message | None] = queue.Queue(READY)
    gone = threading.Event()

    def write() -> None:
        try:
            while (message := ready.get()) is not None:
                if not gone.is_set():
                    pickle.dump(message, sys.stdout.buffer, protocol=5)
                    sys.stdout.buffer.flush()
        except BrokenPipeError:
            gone.set()
            while ready.get() is not None:
                pass

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for message in open_archive(path, known, all_records):
            if gone.is_set():
                break
            ready.put(message)
    finally:
        ready.put(None)
        writer.join()


if __name__ == "__main__":
    main()
