"""Values of pandas in keys: told apart by labels, names, dtypes and elements."""

from __future__ import annotations

import pytest

from twat_cache._keys.canonical import encode
from twat_cache.errors import CacheKeyError

pd = pytest.importorskip("pandas")
np = pytest.importorskip("numpy")


def distinct():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    marked = frame.copy()
    marked.attrs["unit"] = "m"
    days = pd.to_datetime(["2020-01-01", "2020-01-02"])
    return [
        frame,
        marked,
        frame.rename(columns={"a": "c"}),
        frame[["b", "a"]],
        frame.set_index("a"),
        frame.astype({"a": "int32"}),
        frame.astype({"a": "float64"}),
        frame.astype({"a": "Int64"}),
        frame.astype({"b": "string"}),
        frame.astype({"b": "category"}),
        frame.astype({"b": pd.CategoricalDtype(["x", "y", "z"])}),
        frame.astype({"b": pd.CategoricalDtype(["x", "y"], ordered=True)}),
        frame.set_flags(allows_duplicate_labels=False),
        frame.iloc[:0],
        frame.T,
        pd.DataFrame(),
        frame["a"],
        frame["a"].rename("c"),
        frame["a"].to_frame(),
        pd.Series([1, 2]),
        pd.Series([1.0, 2.0]),
        pd.Series([1, None]),
        pd.Series([1, None], dtype="Int64"),
        pd.Series([1, None], dtype=object),
        pd.Series([1, "1"], dtype=object),
        pd.Series([True, False]),
        pd.Series(days),
        pd.Series(days.tz_localize("UTC")),
        pd.Series(days.tz_localize("Europe/Oslo")),
        pd.Series(pd.period_range("2020", periods=2, freq="D")),
        pd.Series(pd.interval_range(0, 2)),
        days,
        pd.date_range("2020-01-01", periods=2),
        pd.Index([0, 1]),
        pd.RangeIndex(2),
        pd.RangeIndex(2, name="n"),
        pd.CategoricalIndex(["x", "y"]),
        pd.MultiIndex.from_tuples([(1, "a"), (2, "b")]),
        pd.MultiIndex.from_tuples([(1, "a"), (2, "b")], names=["x", "y"]),
        pd.MultiIndex.from_tuples([(1, "a"), (2, "b")], names=["y", "x"]),
        pd.MultiIndex.from_tuples([(1, "a"), (2, "b"), (3, "c")])[:2],
        pd.MultiIndex.from_tuples([(1, "a"), (2, None)]),
        pd.MultiIndex.from_arrays([[], []]),
        pd.MultiIndex.from_arrays([[], [], []]),
        pd.TimedeltaIndex([1, 2]),
        pd.Timestamp("2020-01-01"),
        pd.Timestamp("2020-01-01", tz="UTC"),
        pd.Timestamp("2020-01-01 00:00:00.000000001"),
        pd.Timestamp(1, unit="s").as_unit("s"),
        pd.Timestamp(1, unit="ms").as_unit("ms"),
        pd.Timedelta(1),
        pd.Timedelta(2),
        pd.Period("2020", "D"),
        pd.Period("2020", "M"),
        pd.Interval(0, 1),
        pd.Interval(0, 1, closed="both"),
        pd.NaT,
        pd.NA,
        np.nan,
        None,
        np.array([1, 2]),
        [1, 2],
    ]


def test_values_that_can_be_told_apart_have_encodings_of_their_own():
    assert len(set(map(encode, distinct()))) == len(distinct())


def test_values_that_can_not_be_told_apart_share_one():
    assert list(map(encode, distinct())) == list(map(encode, distinct()))


def test_how_a_frame_lies_in_memory_does_not_show():
    frame = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    piecewise = pd.DataFrame(index=frame.index)
    piecewise["a"] = [1, 2]
    piecewise["b"] = [3, 4]
    strided = pd.DataFrame(np.array([[1, 3], [2, 4]]), columns=["a", "b"])
    assert encode(frame) == encode(piecewise) == encode(strided)


def test_a_subclass_may_hold_more_and_is_refused():
    class Frame(pd.DataFrame):
        pass

    for value in (Frame(), pd.DataFrame({"a": [object()]}), pd.Series([Frame()])):
        with pytest.raises(CacheKeyError):
            encode(value)
