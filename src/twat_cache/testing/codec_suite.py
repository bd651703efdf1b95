"""The contract of codecs as tests: inherit the suite, make your codec, run pytest.

    class TestMyCodec(CodecSuite):
        def make(self):
            return MyCodec()

The promises, in the order of the tests: a codec has a name and a number; what it writes comes back
equal and of its type, from any kind of buffer, and is neither changed by what is written or read
next nor changes the value; what it can't write it refuses by one error, which tells no contents;
what nobody wrote is refused by the same error or read as something, and never ends in any other;
and it is safe in any thread.
"""

from __future__ import annotations

from copy import deepcopy
from random import Random
from threading import Thread
from typing import Any, ClassVar

import pytest

from .. import SerializationError

__all__ = ["CodecSuite"]

THREADS = 8
ROUNDS = 200
SEED = 20_240_229


class CodecSuite:
    """Tests of one codec."""

    values: ClassVar[list[Any]] = [
        None,
        True,
        False,
        0,
        1,
        -1,
        2**31,
        -(2**63),
        2**64,
        10**40,
        0.0,
        -0.0,
        1.5,
        5e-324,
        "",
        "text",
        "é\0\n\U0001f600",
        "x" * 100_000,
        [],
        [1, "a", None, [2.5, [True]]],
        {},
        {"a": {"b": [1, 2]}, "": None},
        [[1, 1.0, True], [0, 0.0, False]],
    ]
    """What has to come back; take from it or add to it as your codec carries less or more."""

    refused: ClassVar[list[Any]] = [(number for number in range(3))]
    """What has to be refused, and not shown in the error; add what your codec can't carry."""

    def make(self) -> Any:
        """A codec to be tested."""
        raise NotImplementedError("a CodecSuite needs make(self), which gives the codec")

    def write(self, value: Any) -> bytes:
        """All the bytes of a value, whether they come in one piece or in several."""
        return _whole(self.make().encode(value))

    def same(self, one: Any, other: Any) -> bool:
        """Whether two values are alike to the last part and its type."""
        if type(one) is not type(other):
            return False
        if isinstance(one, dict):
            return self.same([*one.items()], [*other.items()])
        if isinstance(one, (list, tuple)):
            return len(one) == len(other) and all(map(self.same, one, other))
        return repr(one) == repr(other)

    def test_it_has_a_name_and_a_number(self) -> None:
        codec = self.make()
        assert type(codec.name) is str
        assert codec.name
        assert type(codec.id) is int
        assert 1 <= codec.id <= 255

    def test_what_is_written_comes_back(self) -> None:
        codec = self.make()
        for index, value in enumerate(self.values):
            data = self.write(value)
            for kind in (bytes, bytearray, memoryview):
                found = codec.decode(kind(data))
                assert self.same(found, value), f"values[{index}], from {kind.__name__}"

    def test_what_was_read_does_not_change_with_what_is_read_next(self) -> None:
        codec = self.make()
        found = [codec.decode(self.write(value)) for value in self.values]
        assert self.same(found, self.values)

    def test_what_was_written_does_not_change_with_what_is_written_next(self) -> None:
        codec = self.make()
        written = [codec.encode(value) for value in self.values]
        for index, (data, value) in enumerate(zip(written, self.values, strict=True)):
            assert self.same(codec.decode(_whole(data)), value), f"values[{index}]"

    def test_writing_does_not_change_the_value(self) -> None:
        codec = self.make()
        before = deepcopy(self.values)
        for value in self.values:
            codec.encode(value)
        assert self.same(self.values, before)

    def test_what_can_not_be_written_is_refused_and_not_shown(self) -> None:
        codec = self.make()
        for index, value in enumerate(self.refused):
            for wrong in (value, [value], {"key": [value]}):
                with pytest.raises(SerializationError) as caught:
                    codec.encode(wrong)
                assert repr(value) not in str(caught.value), f"refused[{index}] is shown"
                assert self.same(codec.decode(self.write(["sound"])), ["sound"])

    def test_damage_is_refused_by_one_error(self) -> None:
        codec = self.make()
        random = Random(SEED)
        for value in self.values:
            sound = self.write(value)[:1000]
            for _ in range(20):
                damaged = bytearray(sound)
                for _ in range(random.randint(1, 3)):
                    if damaged:
                        damaged[random.randrange(len(damaged))] = random.randrange(256)
                self._read_or_refuse(codec, damaged[: random.randint(0, len(damaged))])

    def test_junk_is_refused_by_one_error(self) -> None:
        codec = self.make()
        random = Random(SEED)
        for _ in range(500):
            self._read_or_refuse(codec, random.randbytes(random.randint(0, 60)))

    def test_nothing_at_all_is_refused(self) -> None:
        with pytest.raises(SerializationError):
            self.make().decode(b"")

    def test_it_is_safe_in_any_thread(self) -> None:
        codec = self.make()
        wrong: list[object] = []

        def work(number: int) -> None:
            for turn in range(ROUNDS):
                value = [number, turn, "x" * turn]
                if not self.same(codec.decode(_whole(codec.encode(value))), value):
                    wrong.append(value)

        threads = [Thread(target=work, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []

    def _read_or_refuse(self, codec: Any, data: bytes | bytearray) -> None:
        try:
            codec.decode(data)
        except SerializationError:
            pass


def _whole(data: Any) -> bytes:
    """All bytes of a value, in one piece."""
    return b"".join([data] if isinstance(data, (bytes, bytearray, memoryview)) else data)
