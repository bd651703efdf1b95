"""`save` and `load`: a warm cache across restarts."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import warnings
from datetime import date
from decimal import Decimal

import pytest

from tests.fixtures import worlds
from twat_cache._archive import read_records, write_records
from twat_cache.codecs.msgpack import decode, encoder

SECOND = 1_000_000_000


def price(item, count=1, *rest, currency="EUR", **more):
    return [item, count, *rest, currency, *more.values()]


def twice(tc, function=price, **options):
    """Two caches of one function: where entries come from, and where they go."""
    return tc.mcache(**options)(function), tc.mcache(**options)(function)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "prices.cache"


@pytest.fixture
def later(monkeypatch):
    """Moves the wall clock."""
    shift = [0]
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + shift[0])

    def pass_by(seconds):
        shift[0] += int(seconds * SECOND)

    return pass_by


def changed(path, change):
    """Writes a file anew with other records."""
    records = [decode(record) for record in read_records(path)]
    write_records(path, map(encoder(), change(records)))


# -- there and back ------------------------------------------------------------------------------


def test_entries_come_back(tc, path):
    old, new = twice(tc)
    old("tea"), old("milk", 2), old("rice", 3, "a", "b", currency="NOK", z=1, y=(2,))
    assert old.save(path) == 3
    assert new.load(path) == 3
    assert new.items() == old.items()
    assert new("tea") == ["tea", 1, "EUR"]
    assert new("rice", 3, "a", "b", y=(2,), currency="NOK", z=1) == old.items()[-1][1]
    assert new.cache_info()[:2] == (2, 0)


def test_keys_of_all_kinds_come_back(tc, path):
    old, new = twice(tc, lambda *args, **kwargs: len(args))
    keys = [
        (),
        (1,),
        (1.5, None),
        ("a", b"b"),
        ((1, (2,)),),
        (frozenset({1}),),
        (date(2020, 1, 2),),
    ]
    keys += [(Decimal("0.5"),), (2**100,), (int,), (dict, str), ("**",)]
    for key in keys:
        old(*key), old(*key, a=1, b="b")
    assert old.save(path) == new.load(path) == 24
    assert new.items() == old.items()
    for key in keys:
        assert new(*key, b="b", a=1) == new(*key) == len(key)
    assert new.cache_info().misses == 0


def test_keys_with_types_come_back(tc, path):
    old, new = twice(tc, lambda *args, **kwargs: (args, kwargs), typed=True)
    for x in (1, 1.0, True, "1", date(2020, 1, 2)):
        old(x), old(x, k=x), old(x, x)
    assert old.save(path) == new.load(path) == 15
    assert new.items() == old.items()
    for x in (1, 1.0, True):
        assert type(new(x)[0][0]) is type(new(x, k=x)[1]["k"]) is type(x)
    assert new.cache_info().misses == 0


def test_keys_by_content_come_back(tc, path):
    old, new = twice(tc, unhashable="digest")
    old(["tea"]), old({"a": [1]}, more={1})
    assert old.save(path) == new.load(path) == 2
    new(["tea"]), new({"a": [1]}, more={1})
    assert new.cache_info()[:2] == (2, 0)


def test_a_default_that_cannot_be_hashed_comes_back(tc, path):
    def function(x, options=[]):
        return x

    old, new = twice(tc, function)
    old(1)
    assert old.save(path) == new.load(path) == 1
    new(1)
    assert new.cache_info().hits == 1


def test_keys_of_a_function_come_back(tc, path):
    old, new = twice(tc, key=lambda item, *args, **kwargs: item.lower())
    old("Tea")
    assert old.save(path) == new.load(path) == 1
    assert new.contains("TEA")


def test_the_order_comes_back(tc, path):
    old, new = twice(tc, maxsize=3)
    old(1), old(2), old(3), old(1)
    old.save(path)
    new.load(path)
    assert [key[0] for key, _ in new.items()] == [2, 3, 1]
    new(4)
    assert not new.contains(2)


@pytest.mark.parametrize("policy", ["fifo", "random", "lfu", "sieve", "s3fifo", "tinylfu"])
def test_every_policy_can_be_saved(tc, path, policy):
    old, new = twice(tc, maxsize=20, policy=policy)
    for n in [*range(30), *range(10), *range(5)]:
        old(n)
    assert old.save(path) == new.load(path) == 20
    assert sorted(new.items()) == sorted(old.items())


def test_coroutine_functions_can_be_saved(tc, path):
    async def fetch(x):
        return (x,)

    old, new = tc.acache(fetch), tc.acache(fetch)
    asyncio.run(old(1))
    assert old.save(path) == new.load(path) == 1
    assert asyncio.run(new(1)) == (1,)
    assert new.cache_info()[:2] == (1, 0)


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_a_path_is_a_text_or_a_path(tc, path, kind):
    old, new = twice(tc)
    old(1)
    assert old.save(kind(path)) == new.load(kind(path)) == 1


def test_the_other_core_reads_it(both, path):
    old = both.compiled.mcache(typed=True)(price)
    old("tea"), old(1, 2, "x", y=1.5)
    new = both.pure.mcache(typed=True)(price)
    assert old.save(path) == new.load(path) == 2
    assert repr(new.items()) == repr(old.items())
    assert new.save(path) == 2
    assert both.compiled.mcache(typed=True)(price).load(path) == 2


def test_another_process_reads_it(core, path):
    code = (
        "import sys; from twat_cache import mcache\n"
        "@mcache\n"
        "def f(x, *, y='a'): return {x: (y,)}\n"
        "if sys.argv[1] == 'save':\n"
        "    f(1), f('ø', y='b'), f.save(sys.argv[2])\n"
        "else:\n"
        "    print(f.load(sys.argv[2]), f('ø', y='b'), f(1), f.cache_info())"
    )
    said = ""
    for what, seed in (("save", "1"), ("load", "2")):
        done = subprocess.run(
            [sys.executable, "-X", "utf8", "-c", code, what, str(path)],
            env=worlds.environment(core) | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
        )
        said = done.stdout
    info = "CacheInfo(hits=2, misses=0, maxsize=1024, currsize=2)"
    assert said == f"2 {{'ø': ('b',)}} {{1: ('a',)}} {info}\n"


def test_an_empty_cache_is_a_file_as_well(tc, path):
    old, new = twice(tc)
    assert old.save(path) == new.load(path) == 0


# -- what is there already, and what there is room for -------------------------------------------


def test_an_entry_that_is_there_stays(tc, path):
    old, new = twice(tc)
    old(1), old(2)
    old.save(path)
    new.put("newer", 1)
    assert new.load(path) == 1
    assert new(1) == "newer"
    assert new.load(path) == 0


def test_the_last_to_leave_come_first_if_there_is_no_room_for_all(tc, path):
    gone = []
    old = tc.mcache(price)
    new = tc.mcache(maxsize=2, on_removal=lambda *heard: gone.append(heard))(price)
    for n in range(5):
        old(n)
    old(0)
    assert (old.save(path), new.load(path)) == (5, 2)
    assert [key[0] for key, _ in new.items()] == [4, 0]
    assert gone == [], "what doesn't fit never comes in"


def test_a_cache_that_is_off_loads_nothing(tc, path):
    old, new = tc.mcache(price), tc.mcache(maxsize=0)(price)
    old(1)
    old.save(path)
    assert new.load(path) == 0


def test_weights_come_back(tc, path):
    weigh = lambda result, x: x
    old = tc.mcache(max_weight=100, weigher=weigh)(lambda x: x)
    new = tc.mcache(max_weight=10, weigher=weigh)(lambda x: x)
    for n in (20, 5, 3, 2):
        old(n)
    assert (old.save(path), new.load(path)) == (4, 3)
    assert new.stats().weight == 10
    assert [key[0] for key, _ in new.items()] == [5, 3, 2]


def test_the_memory_is_looked_at_while_loading(tc, path, clock):
    pytest.importorskip("psutil")
    old = tc.mcache(maxsize=None)(lambda x: x)
    new = tc.mcache(maxsize=None, memory_limit="1kB", clock=clock)(old.__wrapped__)
    for x in range(100):
        old(x)
    for x in range(100, 200):
        new(x)
    old.save(path)
    clock.advance(1)
    assert new.load(path) == 100
    assert new.cache_info().currsize < 190


def test_bytes_are_estimated_anew(tc, path):
    old = tc.mcache(lambda x: "x" * x)
    new = tc.mcache(max_bytes="200kB")(old.__wrapped__)
    old(100_000), old(90_000), old(80_000)
    assert (old.save(path), new.load(path)) == (3, 2)
    assert new.stats().weight == pytest.approx(170_000, abs=1000)


def test_a_file_without_weights_is_refused_where_they_are_needed(tc, path):
    old = tc.mcache(lambda x: x)
    new = tc.mcache(max_weight=5, weigher=lambda *_: 1)(old.__wrapped__)
    old(1)
    old.save(path)
    with pytest.raises(tc.SerializationError, match="had no weigher"):
        new.load(path)


# -- time ----------------------------------------------------------------------------------------


def test_the_time_between_counts(tc, path, clock, later):
    old, new = twice(tc, ttl=100, clock=clock)
    old(1)
    clock.advance(40)
    old(2)
    clock.advance(10)
    old.save(path)
    later(30)
    assert new.load(path) == 2
    clock.advance(19)
    assert new.contains(1)
    clock.advance(2)
    assert (new.contains(1), new.contains(2)) == (False, True)
    clock.advance(39)
    assert not new.contains(2)


def test_what_is_over_by_then_does_not_come_back(tc, path, clock, later):
    old, new = twice(tc, ttl=100, clock=clock)
    old(1)
    clock.advance(50)
    old(2)
    old.save(path)
    later(60)
    assert new.load(path) == 1
    assert [key[0] for key, _ in new.items()] == [2]


def test_what_is_over_already_is_not_saved(tc, path, clock):
    old, _ = twice(tc, ttl=100, clock=clock)
    old(1)
    clock.advance(100)
    old(2)
    assert old.save(path) == 1


def test_a_wall_clock_that_went_back_makes_nothing_last_longer(tc, path, clock, later):
    old, new = twice(tc, ttl=100, clock=clock)
    old(1)
    clock.advance(50)
    old.save(path)
    later(-1000)
    new.load(path)
    clock.advance(51)
    assert not new.contains(1)


def test_a_shorter_ttl_holds_for_what_was_saved_under_a_longer_one(tc, path, clock):
    old, new = tc.mcache(ttl=100, clock=clock)(price), tc.mcache(ttl=10, clock=clock)(price)
    old(1)
    old.save(path)
    assert new.load(path) == 1
    clock.advance(10)
    assert not new.contains(1)


def test_an_entry_for_ever_gets_the_ttl_that_the_function_has_now(tc, path, clock):
    old, new = tc.mcache(price), tc.mcache(ttl=10, clock=clock)(price)
    old(1)
    old.save(path)
    assert new.load(path) == 1
    clock.advance(9)
    assert new.contains(1)
    clock.advance(2)
    assert not new.contains(1)


def test_an_entry_with_an_end_is_not_for_a_cache_without(tc, path):
    old, new = tc.mcache(ttl=100)(price), tc.mcache(price)
    old(1)
    old.save(path)
    with pytest.warns(RuntimeWarning, match=r"1 entries were not loaded, 0 were: .*time to live"):
        assert new.load(path) == 0


def test_what_lasts_for_ever_still_does(tc, path, clock, later):
    old, new = twice(tc, ttl=lambda result, *call: None, clock=clock)
    old(1)
    old.save(path)
    later(10**7)
    new.load(path)
    clock.advance(10**7)
    assert new.contains(1)


def test_idling_begins_anew(tc, path, clock):
    old, new = twice(tc, tti=10, clock=clock)
    old(1)
    clock.advance(5)
    old.save(path)
    new.load(path)
    clock.advance(9)
    assert new.contains(1)


# -- what can't come along -----------------------------------------------------------------------


class Own:
    pass


def test_what_cannot_be_written_is_left_out_with_one_warning(tc, path):
    old = tc.mcache(lambda x: x)
    new = tc.mcache(old.__wrapped__)
    secret = Own()
    for x in (1, secret, 2, Own(), bytearray):
        old(x)
    old.put(bytearray(b"secret"), 3)
    with pytest.warns(RuntimeWarning) as caught:
        assert old.save(path) == 2
    assert new.load(path) == 2
    (warning,) = caught
    message = str(warning.message)
    assert message.startswith(
        "test_what_cannot_be_written_is_left_out_with_one_warning.<locals>.<lambda>(): "
        "4 entries were not saved, 2 were: "
    )
    assert "test_snapshot.Own can't be written (2)" in message
    assert "bytearray can't be written (1)" in message
    assert "let the function take and return these" in message
    assert "secret" not in message
    assert warning.filename == __file__


def test_a_class_that_cannot_be_found_again_is_left_out(tc, path):
    class Local:
        pass

    old = tc.mcache(lambda x: 1)
    old(Local), old(int)
    with pytest.warns(RuntimeWarning, match="Local can't be found again by its name"):
        assert old.save(path) == 1


def test_a_class_that_is_not_here_is_left_out_at_loading(tc, path):
    old, new = twice(tc, lambda x: 1)
    old(int), old(Own)
    old.save(path)
    changed(path, lambda rows: [*rows[:2], [[None], {0: ["class", "os:nothing"]}, 1, None, 1]])
    with pytest.warns(RuntimeWarning, match="no class os:nothing here"):
        assert new.load(path) == 1


def test_no_class_is_imported_for_a_key(tc, path):
    old, new = twice(tc, lambda x: 1)
    old(int)
    old.save(path)
    name = "tests.fixtures.no_such_module:Thing"
    changed(path, lambda rows: [rows[0], [[None], {0: ["class", name]}, 1, None, 1]])
    with pytest.warns(RuntimeWarning, match="no class"):
        new.load(path)


# -- methods -------------------------------------------------------------------------------------


def test_entries_that_belong_to_objects_are_refused(tc, path):
    class Shop:
        @tc.mcache
        def price(self, item):
            return item

    shop = Shop()
    for control in (shop.price.save, Shop.price.save, shop.price.load, Shop.price.load):
        with pytest.raises(tc.SerializationError, match="per_instance=True"):
            control(path)
    assert not path.exists()


def test_each_object_can_be_saved_by_itself(tc, path):
    class Shop:
        @tc.mcache(per_instance=True)
        def price(self, item, count=1):
            return [item] * count

    old, new = Shop(), Shop()
    old.price("tea"), old.price("milk", count=2)
    assert old.price.save(path) == new.price.load(path) == 2
    assert new.price("milk", 2) == ["milk", "milk"]
    assert new.price.cache_info().misses == 0
    for control in (Shop.price.save, Shop.price.load):
        with pytest.raises(tc.SerializationError, match=r"\(\) of an object's method"):
            control(path)


def test_static_methods_and_methods_by_value_can_be_saved(tc, path):
    class Shop(str):
        @tc.mcache(method=False)
        def price(self, item):
            return item

        @staticmethod
        @tc.mcache
        def tax(amount):
            return amount

    Shop.tax(5)
    assert Shop.tax.save(path) == 1
    Shop.tax.cache_clear()
    assert Shop.tax.load(path) == 1


# -- files that aren't what they should be -------------------------------------------------------


@pytest.fixture
def saved(tc, path):
    """A function with one entry of its own, and the good file of two others."""
    old, new = twice(tc)
    old("tea"), old("milk")
    old.save(path)
    new("rice")
    return new


def refuses(tc, f, path, match="."):
    before = f.items(), f.stats()
    with pytest.raises(tc.SerializationError, match=match):
        f.load(path)
    assert (f.items(), f.stats()) == before


def test_a_damaged_file_changes_nothing(tc, saved, path):
    good = path.read_bytes()
    for index in range(0, len(good), 7):
        path.write_bytes(good[:index] + bytes([good[index] ^ 0x55]) + good[index + 1 :])
        refuses(tc, saved, path)
    for length in range(0, len(good), 7):
        path.write_bytes(good[:length])
        refuses(tc, saved, path)


def test_a_missing_file_is_an_error_of_the_system(saved, path):
    path.unlink()
    with pytest.raises(FileNotFoundError):
        saved.load(path)


def test_the_file_of_another_function_is_told(tc, saved, path):
    def cost(item, count=1, *rest, currency="EUR", **more):
        return 1

    refuses(tc, tc.mcache(cost), path, r"holds entries of .*price\(item, .*and this is .*cost\(")


@pytest.mark.parametrize("options", [{"typed": True}, {"ignore": "count"}, {"key": len}])
def test_the_file_of_another_signature_is_told(tc, saved, path, options):
    refuses(tc, tc.mcache(**options)(price), path, "holds entries of .*: save it anew")


def test_other_parameters_are_another_signature(tc, saved, path):
    namespace = {"__name__": price.__module__}
    exec("def price(item, number=1, *rest, currency='EUR', **more): return 1", namespace)
    refuses(tc, tc.mcache(namespace["price"]), path, "number")


@pytest.mark.parametrize(
    "row",
    [
        None,
        1,
        [],
        [1, 2],
        ["tea", {}, 1, None, 1],
        [[1, [], "EUR"], {}, 1, None, 1],
        [[1, {}, "EUR"], {}, 1, None, 1],
        [[1, 1, "EUR"], [], 1, None, 1],
        [[1, 1, "EUR"], {0: 5}, 1, None, 1],
        [[1, 1, "EUR"], {9: ["**", None]}, 1, None, 1],
        [[1, 1, "EUR"], {"a": ["**", None]}, 1, None, 1],
        [[1, 1, "EUR"], {0: ["content", 5]}, 1, None, 1],
        [[1, 1, "EUR"], {0: ["default", "x"]}, 1, None, 1],
        [[1, 1, "EUR"], {0: ["class", 5]}, 1, None, 1],
        [[1, 1, "EUR"], {0: ["code", "os:system"]}, 1, None, 1],
        [[1, 1, "EUR"], {}, 1, "soon", 1],
        [[1, 1, "EUR"], {}, 1, None, "heavy"],
        [[1, 1, "EUR"], {}, 1, None, -1],
    ],
    ids=repr,
)
def test_an_entry_that_no_save_wrote_changes_nothing(tc, saved, path, row):
    changed(path, lambda rows: [*rows, row])
    refuses(tc, saved, path, "has an entry that can't be read")


@pytest.mark.parametrize("header", [None, 5, [], {}, {"function": "x"}])
def test_a_header_that_no_save_wrote_changes_nothing(tc, saved, path, header):
    changed(path, lambda rows: [header, *rows[1:]])
    refuses(tc, saved, path, "header")


def test_a_header_of_wrong_kinds_changes_nothing(tc, saved, path):
    for part, wrong in (("time", "today"), ("parameters", 5), ("function", []), ("typed", "no")):
        old = path.read_bytes()
        changed(path, lambda rows: [{**rows[0], part: wrong}, *rows[1:]])
        refuses(tc, saved, path)
        path.write_bytes(old)


def test_bytes_that_are_no_records_change_nothing(tc, saved, path):
    records = list(read_records(path))
    for wrong in ([], [b"\xc1"], [*records, b"\xc1"], [records[0], b"\x91" * 5000]):
        write_records(path, wrong)
        refuses(tc, saved, path)


def test_a_width_that_the_table_has_not_changes_nothing(tc, path):
    old, new = twice(tc, lambda x, y=1: x)
    old(1)
    old.save(path)
    changed(path, lambda rows: [*rows, [[1, 2, 3], {}, 1, None, 1]])
    refuses(tc, new, path, "can't be read")


# -- round about ---------------------------------------------------------------------------------


def test_a_call_in_flight_is_older_than_what_was_loaded(tc, path):
    old = tc.mcache(lambda x: "saved")
    old(1)
    old.save(path)

    def function(x):
        new.load(path)
        return "computed"

    function.__name__ = old.__name__
    function.__qualname__ = old.__qualname__
    new = tc.mcache(function)
    assert new(1) == "computed"
    assert new(1) in ("saved", "computed")


def test_nothing_is_counted_but_the_stores(tc, path):
    old, new = twice(tc)
    old(1), old(2)
    before = old.stats()
    old.save(path)
    assert old.stats() == before
    new.load(path)
    assert new.stats()[:8] == (0, 0, 2, 0, 0, 0, 0, 0)


def test_copies_are_none_of_its_business(tc, path):
    old, new = twice(tc, lambda x: [x], copy=list)
    old(1)
    old.save(path)
    new.load(path)
    new(1).append("changed")
    assert new(1) == [1]


def test_saving_is_quiet(tc, path):
    old, new = twice(tc)
    old(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        old.save(path), new.load(path)
