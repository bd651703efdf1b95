"""The states of pandas' types. Nothing is imported: where there is a value, there is pandas.

Frames, series and indexes are their labels, names and columns, each column by its dtype and its
elements. Where those are bytes and nothing more they are taken as such, otherwise one by one.
"""

from __future__ import annotations

from .zones import zone_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["pandas_state"]


def pandas_state(pandas: Any, value: Any) -> tuple[str, object] | None:
    """The name and the state of a value; None if its type isn't exactly one of pandas'."""
    for name in ("NaT", "NA"):
        if value is getattr(pandas, name, None):
            return f"pandas:{name}", None
    name = type(value).__name__
    if name in _STATES and getattr(pandas, name, None) is type(value):
        return f"pandas:{name}", _STATES[name](value)
    return None


def _frame(value: Any) -> object:
    columns = tuple(_column(value.iloc[:, place]) for place in range(value.shape[1]))
    return value.index, value.columns, columns, *_remarks(value)


def _series(value: Any) -> object:
    return value.name, value.index, _column(value), *_remarks(value)


def _remarks(value: Any) -> tuple[object, ...]:
    return value.attrs, value.flags.allows_duplicate_labels


def _index(value: Any) -> object:
    return value.name, _column(value), getattr(value, "freqstr", None)


def _range(value: Any) -> object:
    return value.name, value.start, value.stop, value.step


def _levels(value: Any) -> object:
    return tuple(value.names), tuple(value.levels), tuple(value.codes)


def _column(value: Any) -> object:
    """Dtype and elements of a series or an index."""
    dtype = value.dtype
    name = type(dtype).__name__
    if name == "CategoricalDtype":
        codes = value.array.codes
        return name, dtype.categories, dtype.ordered, codes
    if not hasattr(dtype, "construct_array_type"):  # numpy's own
        array = value.to_numpy()
        return "numpy", dtype.str, tuple(array) if dtype.kind == "O" else array
    return name, str(dtype), getattr(dtype, "storage", None), tuple(value.array)


def _moment(value: Any) -> object:
    return value.unit, int(value.asm8.view("i8")), value.fold, zone_state(value)


def _span(value: Any) -> object:
    return value.unit, int(value.asm8.view("i8"))


def _period(value: Any) -> object:
    return value.freqstr, value.ordinal


def _interval(value: Any) -> object:
    return value.left, value.right, value.closed


_STATES: dict[str, Callable[[Any], object]] = {
    "DataFrame": _frame,
    "Series": _series,
    "Index": _index,
    "RangeIndex": _range,
    "MultiIndex": _levels,
    "CategoricalIndex": _index,
    "DatetimeIndex": _index,
    "TimedeltaIndex": _index,
    "PeriodIndex": _index,
    "IntervalIndex": _index,
    "Timestamp": _moment,
    "Timedelta": _span,
    "Period": _period,
    "Interval": _interval,
}
