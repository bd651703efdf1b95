"""The estimate of how many bytes a value takes."""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass, make_dataclass

import pytest

from twat_cache._footprint import footprint

size = sys.getsizeof


@dataclass
class Plain:
    text: str
    numbers: list[float]


class Slotted:
    __slots__ = ("text", "unset")

    def __init__(self, text):
        self.text = text


class SlottedBelow(Slotted):
    __slots__ = ("more",)

    def __init__(self, text, more):
        super().__init__(text)
        self.more = more


def texts(many, length=100):
    return [f"{n:0{length}}" for n in range(many)]


@pytest.mark.parametrize("value", [0, 10**100, 1.5, "x" * 1000, b"x" * 1000, bytearray(500), 1j])
def test_an_atom_takes_what_python_says(value):
    assert footprint(value) == size(value)


@pytest.mark.parametrize("value", [None, True, False, (), int, len, sys, footprint, Plain])
def test_what_is_there_anyway_takes_nothing(value):
    assert footprint(value) == 0


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset, deque])
def test_a_container_takes_what_it_holds_as_well(kind):
    held = texts(50)
    value = kind(held)
    assert footprint(value) == size(value) + sum(map(size, held))


def test_a_dict_takes_its_keys_and_its_values():
    value = {f"key {n}": float(n) for n in range(20)}
    parts = sum(size(key) + size(item) for key, item in value.items())
    assert footprint(value) == size(value) + parts


def test_the_attributes_of_an_instance_count():
    text, numbers = "x" * 1000, [1.5, 2.5]
    held = size(text) + size(numbers) + 2 * size(1.5)
    value = Plain(text, numbers)
    assert footprint(value) == size(value) + size(vars(value)) + held


def test_slots_count_and_those_never_set_do_not():
    assert footprint(Slotted("x" * 1000)) == size(Slotted("")) + size("x" * 1000)
    below = SlottedBelow("x" * 1000, "y" * 500)
    assert footprint(below) == size(below) + size("x" * 1000) + size("y" * 500)


def test_what_is_met_twice_counts_once():
    text = "x" * 1000
    value = [text] * 5
    assert footprint(value) == size(value) + size(text)
    assert footprint(text, text) == size(text)
    value.append(value)
    assert footprint(value) == size(value) + size(text)


@pytest.mark.parametrize("many", [65, 100, 1000, 20_000])
def test_a_large_container_is_told_from_a_sample(many):
    value = texts(many)
    assert footprint(value) == pytest.approx(size(value) + many * size(value[0]), rel=0.02)


def test_the_sample_is_spread_over_the_container():
    value = texts(500) + [0.5] * 500
    truth = size(value) + 500 * size(value[0]) + size(0.5)
    assert footprint(value) == pytest.approx(truth, rel=0.1)


def test_a_table_of_records_is_told_about_right():
    rows = [{"name": f"{n:050}", "numbers": [float(n), n + 0.5]} for n in range(2000)]
    truth = size(rows) + sum(
        size(row) + size(row["name"]) + size(row["numbers"]) + 2 * size(0.5) for row in rows
    )
    assert footprint(rows) == pytest.approx(truth, rel=0.1)


def test_it_ends_on_what_is_nested_without_end():
    nested = wide = []
    for _ in range(100_000):
        nested = [nested]
    for _ in range(20):
        wide = [wide] * 50
    assert footprint(nested) > 0
    assert footprint(wide) > 0
    while nested:  # or it is taken apart by recursion
        nested = nested.pop()


def test_the_order_of_the_work_is_bounded():
    looked_at = []

    class Told(list):
        def __sizeof__(self):
            looked_at.append(self)
            return 50

    value = Told(Told(Told(Told([0.5]) for _ in range(40)) for _ in range(40)) for _ in range(40))
    looked_at.clear()
    footprint(value)
    assert len(looked_at) < 5000


@pytest.mark.parametrize("broken", ["__sizeof__", "nbytes", "__getattr__"])
def test_what_cannot_tell_its_size_is_passed_over(broken):
    def fail(*_):
        raise RuntimeError

    namespace = {broken: property(fail) if broken == "nbytes" else fail}
    value = make_dataclass("Broken", ["text"], namespace=namespace)("x" * 100)
    assert footprint([value, "x" * 5000]) >= size("x" * 5000)


def test_where_python_cannot_tell_the_length_does(monkeypatch):
    def getsizeof(value):
        raise TypeError("as PyPy does")

    monkeypatch.setattr(sys, "getsizeof", getsizeof)
    assert footprint("x" * 1000) == 1050
    assert footprint([1.5, 2.5]) == 50 + 2 * 8 + 2 * 50
    assert footprint(Slotted("x" * 100)) == 50 + 150


def test_a_memoryview_takes_its_buffer():
    assert footprint(memoryview(b"x" * 5000)) == pytest.approx(5000, abs=300)


def test_numpy_arrays_take_their_elements():
    np = pytest.importorskip("numpy")
    array = np.zeros((100, 100))
    assert footprint(array) == pytest.approx(80_000, abs=300)
    assert footprint(array[:10]) == pytest.approx(8_000, abs=300), "a view of ten rows"
    assert footprint([array, array]) == pytest.approx(80_000, abs=500)
    assert footprint(np.float64(1.5)) == pytest.approx(32, abs=32)


def test_numpy_arrays_of_objects_take_those():
    np = pytest.importorskip("numpy")
    held = texts(1000)
    array = np.array(held, dtype=object)
    assert footprint(array) == pytest.approx(8000 + sum(map(size, held)), rel=0.05)


def test_pandas_tells_by_itself():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"text": texts(1000), "number": range(1000)})
    assert footprint(frame) == frame.memory_usage(deep=True).sum()
    assert footprint(frame["text"]) == frame["text"].memory_usage(deep=True)
    assert footprint(frame.index) == frame.index.memory_usage(deep=True)


def test_neither_numpy_nor_pandas_is_imported():
    import subprocess

    code = (
        "import sys; from twat_cache._footprint import footprint; footprint([1.5, {'a': len}]);"
        "print([n for n in ('numpy', 'pandas') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
