"""pandas' frames, series, indexes and moments as MessagePack: by labels, names and columns.

A column is written by its dtype: numbers and times as a numpy array, which may lie behind the
message; objects one by one, each as what it is; the others as the arrays and indexes that they are
made of. So what is read is what was written, to the dtype and the element, or it is refused. No
library is needed but pandas itself. Frames and series that are read have bytes of their own and can
be changed.
"""

from __future__ import annotations

import sys
from importlib import import_module

from ..errors import SerializationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["read_pandas", "write_pandas"]

_MASKED = {"i": "IntegerArray", "u": "IntegerArray", "f": "FloatingArray", "b": "BooleanArray"}


def write_pandas(value: Any) -> list[Any]:
    """Name of the type and state.

    Raises:
        SerializationError: It isn't exactly of one of the types below, or a column has a dtype
            that can't be written.
    """
    pandas = sys.modules["pandas"]
    for name in ("NaT", "NA"):
        if value is getattr(pandas, name):
            return [name]
    cls = type(value)
    if cls is not getattr(pandas, cls.__name__, None) or cls.__name__ not in _TYPES:
        raise SerializationError(f"values of type {cls.__module__}.{cls.__name__} can't be written")
    return [cls.__name__, *_TYPES[cls.__name__][0](value)]


def read_pandas(state: list[Any]) -> Any:
    """The value of a name and a state."""
    pandas: Any = import_module("pandas")
    name, *parts = state
    if name in {"NaT", "NA"} and not parts:
        return getattr(pandas, name)
    return _TYPES[name][1](pandas, *parts)


# -- columns -------------------------------------------------------------------------------------


def _column(values: Any) -> Any:
    """What is written of a series or an index: an array, a list of objects, or a tuple."""
    dtype = values.dtype
    kind = type(dtype).__name__
    if not hasattr(dtype, "construct_array_type"):  # numpy's own
        array = values.to_numpy()
        return list(array) if dtype.kind == "O" else array
    if kind == "CategoricalDtype":
        return kind, values.array.codes, dtype.categories, bool(dtype.ordered)
    if kind == "DatetimeTZDtype":
        return kind, values.to_numpy(f"M8[{dtype.unit}]"), _write_zone(dtype.tz)
    if kind == "StringDtype":
        objects = values.astype(object)
        texts = objects.where(values.notna(), None).tolist()
        return kind, dtype.storage, dtype.na_value is sys.modules["pandas"].NA, texts
    if hasattr(dtype, "numpy_dtype") and dtype.kind in _MASKED and kind != "ArrowDtype":
        blank = dtype.numpy_dtype.type(0)
        return "masked", values.to_numpy(dtype.numpy_dtype, na_value=blank), _missing(values)
    raise SerializationError(f"pandas' columns of dtype {dtype} can't be written")


def _missing(values: Any) -> Any:
    missing = values.isna()
    return missing.to_numpy() if hasattr(missing, "to_numpy") else missing


def _array(pandas: Any, column: Any) -> Any:
    """The array, to be the caller's own, of what was written of a column."""
    if type(column) is list:
        import numpy as np

        objects = np.empty(len(column), object)
        for place, item in enumerate(column):
            objects[place] = item
        return objects
    if type(column) is not tuple:
        return column if column.flags.writeable else column.copy()
    kind, *parts = column
    if kind == "CategoricalDtype":
        codes, categories, ordered = parts
        return pandas.Categorical.from_codes(codes, categories, ordered)
    if kind == "DatetimeTZDtype":
        array, zone = parts
        return pandas.DatetimeIndex(array).tz_localize("UTC").tz_convert(_read_zone(zone)).array
    if kind == "StringDtype":
        storage, is_na, texts = parts
        dtype = pandas.StringDtype(storage)
        if (dtype.na_value is pandas.NA) != is_na:
            dtype = pandas.StringDtype(storage, na_value=pandas.NA if is_na else float("nan"))
        return pandas.array(texts, dtype=dtype)
    array, mask = parts
    cls = getattr(pandas.arrays, _MASKED[array.dtype.kind])
    return cls(_array(pandas, array), _array(pandas, mask))


def _write_zone(zone: Any) -> Any:
    """Zones of pytz, which pandas had up to version 2, by their names; others as they are."""
    return [zone.zone] if type(zone).__module__.partition(".")[0] == "pytz" else zone


def _read_zone(zone: Any) -> Any:
    return import_module("pytz").timezone(*zone) if type(zone) is list else zone


# -- types ---------------------------------------------------------------------------------------


def _write_frame(value: Any) -> list[Any]:
    dtypes = {*value.dtypes}
    (dtype,) = dtypes if len(dtypes) == 1 else (None,)
    if dtype is not None and dtype.kind in "biuf" and not hasattr(dtype, "construct_array_type"):
        columns = value.to_numpy().T  # all in one array, as they lie
    else:
        columns = [_column(value.iloc[:, place]) for place in range(value.shape[1])]
    return [value.index, value.columns, columns, *_remarks(value)]


def _read_frame(pandas: Any, index: Any, names: Any, columns: Any, *remarks: Any) -> Any:
    if type(columns) is list:
        arrays = [_array(pandas, column) for column in columns]
        series = {place: _series(pandas, array) for place, array in enumerate(arrays)}
        frame = pandas.DataFrame(series, index=None if series else index)
        if series:
            frame.index = index
    else:
        frame = pandas.DataFrame(_array(pandas, columns).T, index=index, copy=False)
    frame.columns = names
    return _remarked(frame, *remarks)


def _write_series(value: Any) -> list[Any]:
    return [value.name, value.index, _column(value), *_remarks(value)]


def _read_series(pandas: Any, name: Any, index: Any, column: Any, *remarks: Any) -> Any:
    series = _series(pandas, _array(pandas, column))
    series.index, series.name = index, name
    return _remarked(series, *remarks)


def _series(pandas: Any, array: Any) -> Any:
    return pandas.Series(array, dtype=array.dtype, copy=False)


def _remarks(value: Any) -> list[Any]:
    return [value.attrs, value.flags.allows_duplicate_labels]


def _remarked(value: Any, attrs: Any, allows_duplicates: Any) -> Any:
    value.attrs = attrs
    value.flags.allows_duplicate_labels = allows_duplicates
    return value


def _write_index(value: Any) -> list[Any]:
    return [value.name, _column(value), getattr(value, "freqstr", None)]


def _read_index(pandas: Any, name: Any, column: Any, frequency: Any) -> Any:
    array = _array(pandas, column)
    index = pandas.Index(array, dtype=array.dtype, name=name, tupleize_cols=False)
    if frequency is not None:
        index.freq = frequency
    return index


def _write_range(value: Any) -> list[Any]:
    return [value.name, value.start, value.stop, value.step]


def _read_range(pandas: Any, name: Any, *bounds: Any) -> Any:
    return pandas.RangeIndex(*bounds, name=name)


def _write_levels(value: Any) -> list[Any]:
    return [list(value.names), list(value.levels), list(value.codes)]


def _read_levels(pandas: Any, names: Any, levels: Any, codes: Any) -> Any:
    return pandas.MultiIndex(levels, codes, names=names)


def _write_moment(value: Any) -> list[Any]:
    return [value.unit, int(value.asm8.view("i8")), _write_zone(value.tzinfo), value.fold]


def _read_moment(pandas: Any, unit: Any, number: Any, zone: Any, fold: Any) -> Any:
    import numpy as np

    moment = pandas.Timestamp(np.datetime64(number, unit))
    if zone is not None:
        return moment.tz_localize("UTC").tz_convert(_read_zone(zone))
    return moment.replace(fold=fold) if fold else moment


def _write_span(value: Any) -> list[Any]:
    return [value.unit, int(value.asm8.view("i8"))]


def _read_span(pandas: Any, unit: Any, number: Any) -> Any:
    import numpy as np

    return pandas.Timedelta(np.timedelta64(number, unit))


_INDEX = _write_index, _read_index
_TYPES: dict[str, tuple[Callable[[Any], list[Any]], Callable[..., Any]]] = {
    "DataFrame": (_write_frame, _read_frame),
    "Series": (_write_series, _read_series),
    "Index": _INDEX,
    "CategoricalIndex": _INDEX,
    "DatetimeIndex": _INDEX,
    "TimedeltaIndex": _INDEX,
    "RangeIndex": (_write_range, _read_range),
    "MultiIndex": (_write_levels, _read_levels),
    "Timestamp": (_write_moment, _read_moment),
    "Timedelta": (_write_span, _read_span),
}
