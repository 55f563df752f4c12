"""Splitting a batch over ranks and passes loses no row, cuts no granule, and is as even as that allows."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hvdsweep.split import equal_passes, micro_batches, split_batch

sizes = st.integers(1, 5000)


def check_cover(pieces, start, stop, granule):
    """Contiguous, in order, together start .. stop, cut at multiples of the granule from `start`."""
    assert pieces[0][0] == start
    assert pieces[-1][1] == stop
    for (_, end), (begin, _) in pairwise(pieces):
        assert end == begin
        assert (end - start) % granule == 0 or end == stop


@given(sizes, st.integers(1, 40), st.sampled_from([1, 2, 3, 32]))
def test_ranks_share_every_row_evenly(batch_size, np, granule):
    """Shares differ by at most one granule; rank 0, which records, always has rows; no batch is too small."""
    shares = split_batch(batch_size, np, granule)
    assert len(shares) == np
    check_cover(shares, 0, batch_size, granule)
    lengths = [stop - start for start, stop in shares]
    assert max(lengths) - min(lengths) <= granule
    assert lengths[0] > 0


@given(st.integers(0, 1000), st.integers(0, 3000), st.integers(1, 700), st.sampled_from([1, 2, 3, 32]))
def test_passes_share_every_row_within_their_bound(start, rows, micro_batch, granule):
    """No pass exceeds the micro-batch (or one granule, where that is more), there are no more than needed,
    all are even."""
    passes = micro_batches((start, start + rows), micro_batch, granule)
    if rows == 0:
        assert passes == []
        return
    check_cover(passes, start, start + rows, granule)
    lengths = [stop - begin for begin, stop in passes]
    bound = max(micro_batch // granule, 1) * granule
    assert max(lengths) <= bound
    assert max(lengths) - min(lengths) <= granule
    assert len(passes) == -(-rows // bound)


def test_examples():
    """Cases worked out by hand, incomplete granules and more ranks than rows included."""
    assert split_batch(7, 3) == [(0, 3), (3, 5), (5, 7)]
    assert split_batch(2, 3) == [(0, 1), (1, 2), (2, 2)]
    assert split_batch(129, 2, 32) == [(0, 64), (64, 129)]
    assert split_batch(64, 3, 32) == [(0, 32), (32, 64), (64, 64)]
    assert micro_batches((10, 20), 4) == [(10, 14), (14, 17), (17, 20)]
    assert micro_batches((0, 100), 10, 32) == [(0, 32), (32, 64), (64, 96), (96, 100)]


@pytest.mark.parametrize("arguments", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_nothing_to_split(arguments):
    """Sizes below one are refused."""
    with pytest.raises(ValueError, match="at least 1"):
        split_batch(*arguments)


@given(st.integers(0, 1000), st.integers(0, 300), st.integers(1, 70), st.sampled_from([1, 2, 32]))
def test_equal_passes_share_every_row_without_padding(start, rows, micro_batch, granule):
    """All passes have one size, cut no granule, and exceed the micro-batch only where the granule does."""
    passes = equal_passes((start, start + rows), micro_batch, granule)
    assert [row for low, high in passes for row in range(low, high)] == list(range(start, start + rows))
    lengths = {high - low for low, high in passes}
    assert len(lengths) <= 1
    for length in lengths:
        assert length == rows or (
            length % granule == 0 and length <= max(micro_batch // granule, 1) * granule
        )
