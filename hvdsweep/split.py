"""How the rows of a global batch are split: first over ranks, then into passes of bounded size."""

from __future__ import annotations

from itertools import accumulate, pairwise


def split_batch(batch_size: int, np: int, granule: int = 1) -> list[tuple[int, int]]:
    """Contiguous [start, stop) rows for each of `np` ranks, in order, together 0 .. batch_size.

    Cuts fall at multiples of `granule`, the number of rows that a model's layers process together, so a last,
    incomplete granule stays whole. Shares differ by at most one granule. With fewer granules than ranks the later ranks
    get none; rank 0 always has rows.
    """
    if batch_size < 1 or np < 1 or granule < 1:
        raise ValueError(f"batch_size {batch_size}, np {np} and granule {granule} must be at least 1")
    granules = -(-batch_size // granule)
    fair, more = divmod(granules, np)
    shares = [fair + (rank < more) for rank in range(np)]
    if fair and more and batch_size % granule:
        # The last rank has the incomplete granule; it also takes a spare one, to stay within a granule of the others.
        shares[more - 1] -= 1
        shares[-1] += 1
    ends = accumulate(shares, initial=0)
    return list(pairwise(min(end * granule, batch_size) for end in ends))


def micro_batches(share: tuple[int, int], micro_batch: int, granule: int = 1) -> list[tuple[int, int]]:
    """The rows [start, stop) of one rank in as few passes of at most `micro_batch` rows as the granule
    allows.

    Like shares, passes differ in size by at most one granule. A micro-batch below one granule
    counts as one granule. An empty share has no pass.
    """
    start, stop = share
    if micro_batch < 1 or granule < 1 or stop < start:
        raise ValueError(f"share {share}, micro_batch {micro_batch} and granule {granule} make no passes")
    rows = stop - start
    if rows == 0:
        return []
    most = max(micro_batch // granule, 1) * granule
    passes = -(-rows // most)
    return [(start + low, start + high) for low, high in split_batch(rows, passes, granule)]


def equal_passes(share: tuple[int, int], micro_batch: int, granule: int = 1) -> list[tuple[int, int]]:
    """The rows [start, stop) of one rank in as few passes of equal size as `micro_batch` and the granule allow.

    A share that ends with an incomplete granule is one pass. An empty share has none.
    """
    start, stop = share
    rows = stop - start
    if rows == 0:
        return []
    most = max(micro_batch // granule, 1) * granule
    sizes = (size for size in range(min(most, rows), 0, -1) if rows % size == 0 and size % granule == 0)
    size = next(sizes, rows)
    return [(low, low + size) for low in range(start, stop, size)]
