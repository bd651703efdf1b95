"""pandas' values in stores: what comes back is what was written, to the dtype and the element."""

from __future__ import annotations

import datetime as dt
import decimal
import math

import pytest

from tests.unit.keys.test_frames import distinct
from twat_cache._keys.canonical import encode
from twat_cache.codecs.msgpack_codec import Msgpack
from twat_cache.codecs.record import Damage
from twat_cache.codecs.transcoder import Transcoder
from twat_cache.errors import SerializationError

pd = pytest.importorskip("pandas")
np = pytest.importorskip("numpy")

REFUSED = {"Period", "PeriodIndex", "Interval", "IntervalIndex"}


def more():
    zone = dt.timezone(dt.timedelta(hours=1))
    days = pd.date_range("2020-10-24", periods=4, freq="12h")
    wide = pd.DataFrame(np.arange(60_000.0).reshape(300, 200), columns=range(5, 205))
    missing = float("nan")
    return [
        wide, wide.T, wide[::2], wide.iloc[:, ::3], wide.astype("f4"), wide.astype(bool),
        pd.DataFrame({"a": range(20_000), "b": 1.5, "c": "text"}),
        pd.DataFrame({1: [1, 2], "1": [1.0, 2.0], None: [True, False]}),
        pd.DataFrame([[1, 2], [3, 4]], columns=["same", "same"]),
        pd.DataFrame(index=["a", "b"]), pd.DataFrame(columns=["a", "b"]),
        pd.DataFrame({"a": [1]}, index=pd.Index([0.5], name=("a", 1))),
        pd.DataFrame({"a": [None, "x", missing, pd.NA, 1, True, (1, [2]), {"k": b"v"}]}),
        pd.DataFrame({"a": [decimal.Decimal("1.0"), decimal.Decimal("1.00"), dt.date(2020, 1, 1)]}),
        pd.DataFrame({"z": days.tz_localize("UTC"), "n": days, "d": days - days[0]}),
        pd.DataFrame({"a": pd.array([1, None, 3], dtype="Int8")}),
        pd.DataFrame({"a": pd.array([1, None, 3], dtype="UInt64")}),
        pd.DataFrame({"a": pd.array([1.5, None, -0.0], dtype="Float32")}),
        pd.DataFrame({"a": pd.array([True, None], dtype="boolean")}),
        pd.DataFrame({"a": pd.array(["x", None], dtype="string[python]")}),
        pd.DataFrame({"a": [1, 2, 3, 4]}, index=days),
        pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_product([["x"], days[:2]])),
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("b", None)])),
        pd.Series(["x", missing]), pd.Series(["x", None], dtype=object),
        pd.Series([math.nan, -0.0, math.inf]), pd.Series([1j, 2]), pd.Series([], dtype="f8"),
        pd.Series([[1, 2], [3, 4]]), pd.Series([pd.Timestamp(5), pd.NaT], dtype=object),
        pd.Series([np.int8(1), np.float32(2)], dtype=object),
        pd.Series(pd.Categorical(["b", "a", None], categories=["b", "a"], ordered=True)),
        pd.Series(pd.Categorical(days, categories=days)), pd.Series(days.tz_localize(zone)),
        pd.Series(days.as_unit("s")), pd.Series((days - days[0]).as_unit("ms")),
        pd.Series([1], name=("a", 1)), pd.Series([pd.Series([1]), pd.DataFrame({"a": [1]})]),
        days, days.tz_localize("Europe/Paris"), days.as_unit("s"), days - days[0], days[[0, 1, 3]],
        pd.Index(["a", 1], dtype=object, name="n"), pd.Index([(1, 2), (3, 4)], tupleize_cols=False),
        pd.Index([1, None], dtype="Int64"), pd.Index(["a", "b"]), pd.Index([True, False]),
        pd.CategoricalIndex(["a", "b"], ordered=True, name="c"), pd.RangeIndex(5, 1, -2),
        pd.MultiIndex.from_arrays([[1, 1], ["a", None]], names=["x", None]),
        pd.Timestamp("2020-10-25 02:30").replace(fold=1),
        pd.Timestamp("2020-10-25 00:30", tz="UTC").tz_convert("Europe/Paris"),
        pd.Timestamp("2020-10-25 01:30", tz="UTC").tz_convert("Europe/Paris"),
        pd.Timestamp("1000-01-01").as_unit("s"), pd.Timedelta(days=10_000).as_unit("s"),
        pd.Timestamp.max, pd.Timedelta.min,
        {"frame": wide, "list": [wide, days]},
    ]  # fmt: skip


def levelled():
    """Indexes of several levels, with what is missing, unused, empty, uneven, or called alike."""
    days = pd.date_range("2020-01-01", periods=3, tz="Europe/Paris")
    made = pd.MultiIndex.from_arrays
    return [
        made([[1, None, 2], ["a", "b", None]], names=["x", ("y", 1)]),
        made([[None, None], [float("nan"), "a"]], names=[None, None]),
        made([[], []], names=["x", "y"]), made([[1, 2]], names=["only"]),
        made([days, [True, False, True], [1.5, -0.0, None]], names=["n", "n", None]),
        made([pd.Categorical(["b", "a", None], ["b", "a", "z"]), pd.array([1, None, 3], "Int64")]),
        pd.MultiIndex.from_product([range(300), ["a", "b"]])[5:500:3],  # levels that are unused
        pd.MultiIndex.from_product([range(70_000), [0]]),  # more than 16 bits, behind the message
        pd.MultiIndex(levels=[["a", "b", "unused"], [1]], codes=[[-1, 1, 0], [0, -1, 0]]),
    ]  # fmt: skip


VALUES = [value for value in distinct() if type(value).__module__.startswith("pandas")] + more()


def is_refused(value):
    column = getattr(value, "dtype", None)
    return {type(value).__name__, f"{type(column).__name__[:-5]}Index"} & REFUSED


def copied(value, **options):
    codec = Msgpack(**options)
    return codec.decode(b"".join(codec.encode(value)))


@pytest.mark.parametrize("views", [True, False])
@pytest.mark.parametrize("place", range(len(VALUES)))
def test_a_value_comes_back_as_it_was(place, views):
    value = VALUES[place]
    if is_refused(value):
        with pytest.raises(SerializationError, match="can't be written"):
            copied(value)
        return
    found = copied(value, views=views)
    assert type(found) is type(value)
    assert encode(found) == encode(value)
    if type(value) is pd.DataFrame:
        pd.testing.assert_frame_equal(found, value, check_exact=True, check_freq=True)
        assert list(found.dtypes) == list(value.dtypes)
    elif type(value) is pd.Series:
        pd.testing.assert_series_equal(found, value, check_exact=True, check_freq=True)


@pytest.mark.parametrize("views", [True, False])
@pytest.mark.parametrize("place", range(len(levelled())))
def test_an_index_of_several_levels_comes_back_level_by_level(place, views):
    index = levelled()[place]
    kept = {"index": index, "rows": pd.Series(range(len(index)), index=index)}
    stored = Transcoder()
    record = stored.dump("key", kept, now=0.0)
    for found in (copied(kept, views=views), stored.load("key", record).value):
        for back in (found["index"], found["rows"].index):
            pd.testing.assert_index_equal(back, index, exact=True, check_exact=True)
            assert list(back.names) == list(index.names)
            for mine, its in zip(back.levels, index.levels, strict=True):
                pd.testing.assert_index_equal(mine, its, exact=True)
            for mine, its in zip(back.codes, index.codes, strict=True):
                assert (mine.dtype, mine.tolist()) == (its.dtype, its.tolist())


def test_a_long_index_of_several_levels_takes_as_many_bytes_as_it_has():
    index = pd.MultiIndex.from_arrays([np.arange(10_000) % 100, np.arange(10_000) % 7])
    size = sum(code.nbytes for code in index.codes) + sum(level.nbytes for level in index.levels)
    assert len(b"".join(Msgpack().encode(index))) < size + 1_000


def test_a_frame_that_was_read_can_be_changed():
    for frame in (pd.DataFrame({"a": range(50_000), "b": 1.5}), pd.DataFrame(np.zeros((9_000, 9)))):
        found = copied(frame)
        name = found.columns[0]
        found.loc[3, name] = -1
        found[name] += 1
        assert found.loc[3, name] == 0
        found["new"] = 5
        series = copied(frame[frame.columns[1]])
        series.iloc[0] = 7.5
        assert series.iloc[0] == 7.5


def test_what_is_more_than_pandas_own_is_refused():
    class Richer(pd.DataFrame):
        """May hold more."""

    for value in (Richer({"a": [1]}), pd.DataFrame({"a": [object()]})):
        with pytest.raises(SerializationError, match="can't be written"):
            copied(value)
    for attrs in ({"a": bytearray(b"x")}, {"a": [memoryview(b"x")]}):
        frame = pd.DataFrame({"a": [1]})
        frame.attrs = attrs
        with pytest.raises(SerializationError):
            copied(frame)


def test_damage_is_a_miss_and_no_error():
    made = Transcoder()
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]}, index=pd.date_range("2020", periods=2))
    sound = made.dump("key", frame, now=0.0)
    assert made.load("key", sound).value.equals(frame)
    message = b"".join(Msgpack().encode(frame))
    for offset in range(len(message)):
        for change in (1, 0x10, 0x80):
            wrong = bytearray(message)
            wrong[offset] ^= change
            try:
                Msgpack().decode(bytes(wrong))
            except SerializationError:
                pass
    assert isinstance(made.load("other", sound), Damage)


def test_pandas_is_not_loaded_for_values_that_are_none_of_its(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    assert copied({"a": 1}) == {"a": 1}


def test_the_bytes_are_a_format():
    value = [pd.Timedelta(5), pd.NaT, pd.RangeIndex(3)]
    assert b"".join(Msgpack().encode(value)).hex() == (
        "9394c70015a954696d6564656c7461a26e730592c70015a34e615496c70015aa52616e6765496e646578c0000301"
    )
