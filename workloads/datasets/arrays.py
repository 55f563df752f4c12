"""The user's arrays as float32 and int32 for training; refused if the conversion would change their meaning."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Number
from typing import Any

import numpy as np
import numpy.typing as npt

from hvdsweep.errors import UserError

LOSS = 1e-3
"""Most of a feature's standard deviation that rounding to float32 may take."""
NUMBERED = "`np.searchsorted(names, y)` with `names = np.unique(y)` of all splits"
"""Names, or numbers of any kind, as class numbers."""
BLOCK = 1 << 22
"""Numbers checked at a time, so that a check needs little memory."""


def plain(where: str, value: Any) -> npt.NDArray[Any]:
    """`value` as a numpy array. UserError if it is no array, or the conversion would lose something."""
    if value is None:
        raise UserError(f"{where} are missing (None)")
    if isinstance(value, Mapping):
        raise UserError(
            f"{where} are a dict of {_listed(value)}; a model has one input here: put them into one array [n, ...]"
        )
    if isinstance(value, np.ma.MaskedArray):
        if np.ma.is_masked(value):  # type: ignore[no-untyped-call]
            raise UserError(
                f"{where} are a masked array, and training knows no masks; fill it (`x.filled(0)`), or leave these "
                "examples out"
            )
        value = value.data
    if hasattr(value, "toarray") and hasattr(value, "nnz"):
        raise UserError(f"{where} are a sparse matrix; give it as an array: `x.toarray()`")
    if hasattr(value, "dense_shape"):
        raise UserError(f"{where} are a sparse tensor; give it as an array: `tf.sparse.to_dense(x).numpy()`")
    if hasattr(value, "to_tensor") and hasattr(value, "row_splits"):
        raise UserError(f"{where} are a ragged tensor; give all examples one length: `x.to_tensor()`")
    try:
        array = np.asarray(value)
    except ValueError as error:
        if "inhomogeneous" in str(error):
            raise UserError(
                f"{where} have examples of different lengths; give all of them one length"
            ) from error
        raise UserError(f"{where} cannot be made an array: {error}") from error
    except Exception as error:
        raise UserError(f"{where} cannot be made an array: {type(error).__name__}: {error}") from error
    if array.dtype.kind == "O":
        kinds = {type(entry) for entry in array.ravel()[:1000]}
        remedy = "convert them to numbers" if array.ndim else "read them into an array: `np.array(list(x))`"
        if all(issubclass(kind, Number) for kind in kinds):
            whole = all(issubclass(kind, Integral) for kind in kinds)
            remedy = f"give the array a type: `x.astype({'int' if whole else 'float'})`"
        elif kinds <= {np.ndarray, list, tuple}:
            remedy = "make them one array: `np.stack(list(x))`"
        elif where.endswith("labels") and array.ndim:
            remedy = NUMBERED
        raise UserError(
            f"{where} are Python objects ({', '.join(sorted(kind.__name__ for kind in kinds))}), not numbers; {remedy}"
        )
    # bfloat16 and other types of at most 16 bits that numpy itself does not have.
    if array.dtype.isbuiltin == 2:
        array = array.astype(np.float32)
    if array.dtype.kind == "c":
        raise UserError(
            f"{where} are complex numbers; give real and imaginary parts as features of their own"
        )
    return array


def _listed(value: Mapping[Any, Any]) -> str:
    names = [str(name) for name in value]
    return ", ".join(names[:4]) + (" and more" if len(names) > 4 else "")


def as_int32(where: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The integers as int32. UserError if one is outside its range."""
    limits = np.iinfo(np.int32)
    if values.size:
        low, high = int(values.min()), int(values.max())
        if low < limits.min or high > limits.max:
            raise UserError(
                f"{where} hold {low if low < limits.min else high}, beyond the whole numbers of 32 bits; number classes and "
                "tokens from 0"
            )
    return np.ascontiguousarray(values, np.int32)


def as_float32(where: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The numbers as float32. UserError if they are not finite, or differ by less than float32 can distinguish."""
    if values.dtype.kind == "f":
        # One masked value or NaN would make every loss NaN.
        if not np.isfinite(values).all():
            raise UserError(f"{where} hold NaN or infinite values; replace them, or leave these examples out")
        largest = float(np.abs(values).max()) if values.size else 0.0
        if largest > float(np.finfo(np.float32).max):
            raise UserError(f"{where} hold {largest:g}, beyond float32; scale them, to about 1 in size")
        if 0 < largest < float(np.finfo(np.float32).tiny):
            raise UserError(
                f"{where} are {largest:g} at most, which TensorFlow takes for 0; scale them, to about 1 in size"
            )
    with np.errstate(over="ignore", under="ignore"):
        single = np.ascontiguousarray(values, np.float32)
    if values.dtype.kind in "iu" and values.dtype.itemsize > 2:
        _refuse_inexact(where, values, single)
    elif values.dtype.kind == "f" and values.dtype.itemsize > 4:
        _refuse_collapsed(where, values, single)
    return single


def _refuse_inexact(where: str, values: npt.NDArray[Any], single: npt.NDArray[Any]) -> None:
    """Integers may be names (of words, of users), so each has to keep its value."""
    for whole, rounded in _blocks(values, single):
        # Beyond 2^63 the conversion back would wrap; such numbers are compared as longer floats.
        changed = np.flatnonzero(rounded.astype(np.longdouble) != whole.astype(np.longdouble))
        if len(changed):
            one = whole[changed[0]]
            raise UserError(
                f"{where} hold the whole number {one}, which float32 rounds to {int(rounded[changed[0]])}; scale them, "
                "subtract an offset, or number them from 0"
            )


def _refuse_collapsed(where: str, values: npt.NDArray[Any], single: npt.NDArray[Any]) -> None:
    """Fractions are rounded anyway, but a feature's differences between examples have to survive."""
    wide = values.reshape(len(values), -1)
    narrow = single.reshape(len(single), -1)
    columns = max(1, BLOCK // max(1, len(wide)))
    for start in range(0, wide.shape[1], columns):
        here = wide[:, start : start + columns]
        error = np.abs(here - narrow[:, start : start + columns]).max(0)
        # Relative to the first example: the variance of 1e9 + small numbers would be lost in rounding.
        spread = (here - here[:1]).std(0)
        lost = np.flatnonzero((error > LOSS * spread) & (spread > 0))
        if len(lost):
            column = int(lost[0])
            place = np.unravel_index(start + column, values.shape[1:]) if values.ndim > 1 else ()
            name = f"feature {', '.join(str(int(axis)) for axis in place)}" if len(place) else "a feature"
            raise UserError(
                f"{where}: {name} lies between {here[:, column].min():.9g} and {here[:, column].max():.9g}, too close together "
                "for float32 to tell its examples apart; subtract its mean and divide by its standard deviation"
            )


def _blocks(*together: npt.NDArray[Any]) -> Any:
    flat = [array.ravel() for array in together]
    for start in range(0, flat[0].size, BLOCK):
        yield tuple(array[start : start + BLOCK] for array in flat)
