"""Sampling: without replacement within an epoch, reshuffled every epoch, the same for any split."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.training.batches import Shuffle, feistel


@given(st.integers(1, 300), st.integers(0, 2**31 - 1), st.integers(0, 5), st.booleans())
def test_every_example_is_used_exactly_once_per_epoch(examples, seed, epoch, by_table):
    """The positions of one epoch cover each example once, by table and by arithmetic."""
    shuffle = Shuffle(examples, seed, table_limit=10**6 if by_table else 0)
    used = shuffle.at(np.arange(epoch * examples, (epoch + 1) * examples))
    assert sorted(used.tolist()) == list(range(examples))


@given(st.integers(2, 200), st.integers(1, 500), st.integers(0, 1000))
def test_batches_may_straddle_epochs_and_agree_with_single_positions(examples, batch_size, step):
    """A whole batch equals its rows asked for one by one, also where one batch holds several epochs."""
    shuffle = Shuffle(examples, 5)
    positions = step * batch_size + np.arange(batch_size)
    one_by_one = [int(Shuffle(examples, 5).at(np.array([p]))[0]) for p in positions[:5]]
    assert shuffle.at(positions)[:5].tolist() == one_by_one


@given(st.integers(1, 30), st.lists(st.lists(st.integers(0, 300), min_size=3, max_size=3), min_size=1))
def test_positions_in_any_order_and_shape(examples, positions):
    """Unsorted positions of many epochs, some twice: each has the example that it has when asked for alone."""
    shuffle = Shuffle(examples, 5)
    alone = [[int(shuffle.at(np.array([one]))[0]) for one in row] for row in positions]
    assert shuffle.at(np.array(positions)).tolist() == alone


def test_epochs_and_seeds_differ():
    """Two epochs, and two seeds, visit the examples in different orders."""
    first = Shuffle(100, 1)
    orders = [first.at(np.arange(100)), first.at(np.arange(100, 200)), Shuffle(100, 2).at(np.arange(100))]
    assert len({tuple(order.tolist()) for order in orders}) == 3


def test_an_order_never_changes():
    """A golden order: a stored sweep must continue with the same batches after an upgrade."""
    assert Shuffle(10, 7).at(np.arange(10)).tolist() == [6, 3, 9, 1, 2, 0, 5, 7, 8, 4]
    assert feistel(np.arange(10), 10, seed=7, epoch=0).tolist() == [3, 8, 1, 4, 0, 5, 9, 2, 7, 6]


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 10_007])
def test_feistel_permutes_and_mixes(size):
    """All images differ and fill the range; large ones move nearly every element."""
    image = feistel(np.arange(size), size, seed=3, epoch=1)
    assert sorted(image.tolist()) == list(range(size))
    if size > 1000:
        assert (image == np.arange(size)).mean() < 0.01
        assert abs(np.corrcoef(image, np.arange(size))[0, 1]) < 0.05


def test_feistel_reaches_sets_too_large_for_a_table():
    """25.8 billion sentences (Common Crawl): distinct, inside, and computed at once."""
    size = 25_800_000_000
    image = feistel(np.arange(10_000, dtype=np.int64) + 10**10, size, seed=3, epoch=0)
    assert len(set(image.tolist())) == 10_000
    assert 0 <= image.min() <= image.max() < size
