"""Two readers of one state of a file, so that two threads may ask at once: SQLite works without the interpreter's lock."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from hvdsweep.store.reader import Reader

ATTEMPTS = 5
"""How often a second reader tries to come to the same state before it is left out: writers commit about once a second."""

Answer = TypeVar("Answer")
One = TypeVar("One", bound=Reader)


@contextmanager
def paired(reader: One) -> Iterator[One | None]:
    """In the block `reader` is a snapshot, and what this yields is a second reader of the very same one.

    None if the file was written again and again at the wrong moment. Keep it short, as any snapshot.
    """
    reader.need_records()
    with type(reader)(reader.path) as twin:
        for _ in range(ATTEMPTS):
            version = twin.data_version()
            with ExitStack() as both:
                for one in (reader, twin):
                    both.enter_context(one.snapshot())
                    # A snapshot is taken by the first question after BEGIN.
                    one.rows("SELECT count(*) FROM sqlite_master")
                # The twin saw the same state before and after: so did the one that began in between.
                if twin.data_version() == version:
                    yield twin
                    return
    with reader.snapshot():
        yield None


def asked_by_both(
    reader: Reader, twin: Reader | None, questions: Sequence[Callable[[Reader], Answer]]
) -> list[Answer]:
    """The answers in the order of the questions, asked by two threads where there is a twin. Raises what a question raised."""
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
