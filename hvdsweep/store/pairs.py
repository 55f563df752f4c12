"""Two readers of one state of a file, for two threads: SQLite works without the interpreter's lock."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from hvdsweep.store.reader import Reader

ATTEMPTS = 5
"""How often a second reader tries to reach the same state before it is given up: writers commit about once a second."""

Answer = TypeVar("Answer")
One = TypeVar("One", bound=Reader)


@contextmanager
def paired(reader: One) -> Iterator[One | None]:
    """Inside the block `reader` is a snapshot; yields a second reader of the same snapshot.

    Yields None if the file was written at the wrong moment each time. Keep the block short, as for any snapshot.
    """
    reader.need_records()
    with type(reader)(reader.path) as twin:
        for _ in range(ATTEMPTS):
            version = twin.data_version()
            with ExitStack() as both:
                for one in (reader, twin):
                    both.enter_context(one.snapshot())
                    # A snapshot begins with the first query after BEGIN.
                    one.rows("SELECT count(*) FROM sqlite_master")
                # The twin saw the same state before and after, so the snapshot that began in between has it too.
                if twin.data_version() == version:
                    yield twin
                    return
    with reader.snapshot():
        yield None


def asked_by_both(
    reader: Reader, twin: Reader | None, questions: Sequence[Callable[[Reader], Answer]]
) -> list[Answer]:
    """The answers in the questions' order, asked by two threads if there is a twin. Raises their errors."""
    answers: dict[int, Answer] = {}
    errors: list[BaseException] = []
    left = deque(enumerate(questions))

    def work(one: Reader) -> None:
        while not errors:
            try:
                place, question = left.popleft()
            except IndexError:
                return
            try:
                answers[place] = question(one)
            except BaseException as error:
                errors.append(error)

    helper = None if twin is None else threading.Thread(target=work, args=(twin,))
    if helper is not None:
        helper.start()
    work(reader)
    if helper is not None:
        helper.join()
    if errors:
        raise errors[0]
    return [answers[place] for place in range(len(questions))]
