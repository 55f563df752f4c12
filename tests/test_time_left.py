"""Times left, against plain arithmetic."""

from __future__ import annotations

import pytest

from hvdsweep.time_left import Left, Pace, Work, remaining


def pace(*seconds: float, lost: float = 0.0) -> Pace:
    return Pace(len(seconds), seconds[0], None, lost, seconds)


def work(
    study: int,
    batch_size: int,
    trials: float,
    gangs: int = 0,
    workload: str = "set/net/sgd",
    steps: int = 100,
) -> Work:
    return Work(study, workload, batch_size, steps, trials, gangs)


def test_the_first_trial_does_not_spoil_the_estimate() -> None:
    """A first trial that took ten times as long (it compiled) does not set the pace."""
    assert pace(10.0, 1.0).per_trial == 1.0
    assert pace(10.0, 1.0, 1.2).per_trial == 1.2
    assert Pace().per_trial is None


def test_diverged_trials_are_part_of_the_price() -> None:
    """Two trials of 3 s, and 2 s lost on a diverged one: 4 s per trial."""
    assert pace(3.0, 3.0, lost=2.0).per_trial == pytest.approx(4.0)


def test_what_is_left_is_shared_by_the_gangs() -> None:
    """10 trials of 2 s and 4 of 5 s on 2 gangs: 20 s; each study by the gangs that are on it."""
    each, total = remaining([work(1, 8, 10, gangs=2), work(2, 16, 4)], {1: pace(2.0), 2: pace(5.0)}, gangs=2)
    assert [left.seconds for left in each] == [10.0, 20.0]
    assert [left.work for left in each] == [20.0, 20.0]
    assert total == pytest.approx(20.0)


def test_one_trial_is_never_shared() -> None:
    """Half a trial of 60 s left takes 30 s however many gangs there are."""
    assert remaining([work(1, 8, 0.5, gangs=1)], {1: pace(60.0)}, gangs=8)[1] == pytest.approx(30.0)


def test_unknown_studies_are_judged_by_the_nearest_batch_size() -> None:
    """Faster per step at a smaller batch size, slower at a larger one, less than in proportion; other models do not count."""
    works = [
        work(1, 64, 0),
        work(2, 256, 1),
        work(3, 16, 1, steps=300),
        work(4, 64, 1, workload="set/net/momentum"),
        work(5, 64, 1, workload="set/other/sgd"),
    ]
    each, total = remaining(works, {1: pace(2.0, 2.0)}, gangs=1)
    done, larger, smaller, own, other = (left.seconds for left in each)
    assert (done, own, other) == (0.0, pytest.approx(2.0), None)
    assert larger is not None
    assert 2.0 < larger < 8.0
    assert smaller is not None
    assert 1.5 < smaller < 6.0
    assert total is None


def test_small_batches_do_not_promise_hours() -> None:
    """Seconds of the demo's trials on two ranks, the largest batch 256 times the first: the time left is right within
    a factor of 4 after its first study, of 2.5 after its second, of 1.5 once the first workload is done."""
    batch_sizes = [4, 8, 16, 32, 64, 128, 256, 512, 1024]
    truth = [2.4, 1.8, 2.4, 2.2, 1.5, 1.53, 2.05, 2.54, 2.63]
    setup = 3.0
    works = [
        work(study, size, 8, workload=f"set/net/{name}", steps=1000 if size < 128 else 500)
        for name in ("nesterov_momentum", "sgd")
        for study, size in enumerate(batch_sizes, 0 if name == "sgd" else len(batch_sizes))
    ]
    seconds = dict(enumerate(truth * 2))
    for done, factor in ((1, 4.0), (2, 2.5), (5, 2.5), (9, 1.5)):
        paces = {
            one.study: pace(seconds[one.study] + setup, *[seconds[one.study]] * 7) for one in works[:done]
        }
        left = [work(one.study, one.batch_size, 0, 0, one.workload, one.train_steps) for one in works[:done]]
        expected = sum(8 * seconds[one.study] + setup for one in works[done:])
        total = remaining(left + works[done:], paces, gangs=1)[1]
        assert total is not None
        assert expected / factor < total < expected * factor


def test_a_single_trial_does_not_count_its_compilation_for_the_others() -> None:
    """A study's only trial took 5 s, another study's first took 5 s and later ones 1 s: 1 s for each trial left."""
    paces = {1: pace(5.0, 1.0, 1.0), 2: pace(5.0)}
    each, _ = remaining([work(1, 8, 0), work(2, 8, 10, gangs=1, workload="set/net/momentum")], paces, gangs=1)
    assert each[1].seconds == pytest.approx(10.0)


def test_a_study_not_begun_pays_for_being_compiled() -> None:
    """4 s, by which other studies' first trials took longer than later ones, plus 1 s for each of its trials."""
    works = [work(1, 8, 0), work(2, 8, 10, workload="set/net/momentum")]
    assert remaining(works, {1: pace(5.0, 1.0, 1.0)}, gangs=1)[1] == pytest.approx(14.0)


def test_nothing_left_takes_no_time() -> None:
    """All trials done: 0 s, also where nothing was ever measured."""
    assert remaining([work(1, 8, 0)], {}, gangs=1) == ([Left(0.0, 0.0)], 0.0)


def test_a_single_short_trial_sets_no_pace() -> None:
    """A first trial of 5 s, which also compiled, gives no estimate; a second trial, or a long first one, does."""
    works = [work(1, 8, 9, gangs=1), work(2, 16, 4)]
    assert remaining(works, {1: pace(5.0)}, gangs=1) == ([Left(None, None)] * 2, None)
    assert remaining(works, {1: pace(5.0, 1.0)}, gangs=1)[0][0].seconds == pytest.approx(9.0)
    assert remaining(works, {1: pace(60.0)}, gangs=1)[0][0].seconds == pytest.approx(540.0)


def test_what_compiling_took_is_not_left_again() -> None:
    """A study whose first trial took 3 s, 0.2 s of that in steps: its 7 other trials take 0.2 s each, from the first
    finished trial on; a study not begun pays its own 2.8 s."""
    first = Pace(1, 3.0, 0.2, recent=[3.0])
    works = [work(1, 8, 7, gangs=1), work(2, 8, 8, workload="set/net/momentum")]
    each, total = remaining(works, {1: first}, gangs=1)
    assert each[0].seconds == pytest.approx(7 * 0.2)
    assert total == pytest.approx(7 * 0.2 + 8 * 0.2 + 2.8)
    assert Pace(2, 3.0, 0.2, recent=[0.25, 3.0]).per_trial == pytest.approx(0.25)
