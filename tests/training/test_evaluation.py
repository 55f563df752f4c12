"""What an evaluation computes from sums over the ranks."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from hvdsweep.training.evaluation import _all_equal

WORD = st.integers(0, 2**16 - 1)


@given(st.lists(st.tuples(WORD, WORD), min_size=2, max_size=20))
@example([(7, 65535)] * 20)
@example([(7, 65535)] * 19 + [(7, 65534)])
@example([(1, 5), (2, 5), (3, 5)])
def test_ranks_agree_exactly_where_all_their_words_are_the_same(words):
    """From the sums and the sums of squares alone, against comparing the words; a rank in the middle of the others too."""
    ranks = np.array(words, np.float64)
    assert _all_equal(ranks.sum(0), (ranks**2).sum(0), len(words)) == (len(set(words)) == 1)


@given(WORD, WORD, st.integers(2, 1000))
def test_ranks_with_the_same_words_agree(low, high, size):
    """However many there are."""
    ranks = np.full((size, 2), (low, high), np.float64)
    assert _all_equal(ranks.sum(0), (ranks**2).sum(0), size)
