"""The codec `json`: what other programs can read, and nothing that it would change.

Only what comes back equal and of equal type is carried: None, bools, ints, finite floats, texts,
lists, and dicts whose keys are texts. Tuples would come back as lists and `{1: 2}` as `{"1": 2}`,
so they are refused.
"""

from __future__ import annotations

import json

from ..errors import SerializationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from ..engine_types import Bytes

__all__ = ["Json"]

_ATOMS = {type(None), bool, int, float, str}
_DEEPEST = 200  # levels: what is written here can be read by whoever has some stack left


class Json:
    """Values as JSON in UTF-8."""

    name = "json"
    id = 2

    def encode(self, value: Any, /) -> bytes:
        """The text, without blanks."""
        try:
            text = json.dumps(
                value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_refuse
            )
            data = text.encode()
        except (TypeError, ValueError, RecursionError) as error:  # nor is half a surrogate a text
            raise SerializationError(
                f"JSON can't carry this value of type {type(value).__qualname__}, or a part of it: "
                f"{type(error).__name__}"
            ) from None  # those errors may show the value
        _check(value)
        return data

    def decode(self, data: Bytes, /) -> Any:
        """The value."""
        try:
            return json.loads(str(data, "utf-8"), parse_constant=_refuse)
        except (TypeError, ValueError, RecursionError) as error:
            raise SerializationError(f"bytes that nobody wrote: {type(error).__name__}") from error


def _check(value: Any) -> None:
    """Refuses what JSON would change, level by level."""
    level = [value]
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for part in level:
            cls = type(part)
            if cls is dict:
                for key in part:
                    if type(key) is not str:
                        raise _changed(type(key), "the key of a dict")
                below += part.values()
            elif cls is list:
                below += part
            elif cls not in _ATOMS:
                raise _changed(cls, "a value")
        if not below:
            return
        level = [part for part in below if type(part) not in _ATOMS]
    raise SerializationError(f"JSON carries no value that is nested {_DEEPEST} deep")


def _changed(cls: type, what: str) -> SerializationError:
    return SerializationError(
        f"JSON has no word for {what} of type {cls.__qualname__}; it would come back as another"
    )


def _refuse(value: object) -> NoReturn:
    raise TypeError(type(value).__qualname__)
