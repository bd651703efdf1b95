"""The codec `pickle`: for nearly every Python value, and dangerous.

Reading a pickle runs what its writer wants. `codec_named` therefore gives this codec out only where
records are sealed, or where whoever can write to the store is said to be trusted.
"""

from __future__ import annotations

import pickle

from ..errors import SerializationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..engine_types import Bytes

__all__ = ["Pickle"]

_PROTOCOL = 5  # of Python 3.8 and later, so a record can be read by all that this library runs on


class Pickle:
    """Values as pickles."""

    name = "pickle"
    id = 3

    def encode(self, value: Any, /) -> bytes:
        """The pickle."""
        try:
            return pickle.dumps(value, _PROTOCOL)
        except Exception as error:  # of pickle, or of a foreign __reduce__
            raise SerializationError(
                f"a value of type {type(value).__qualname__} can't be pickled: "
                f"{type(error).__name__}"
            ) from error

    def decode(self, data: Bytes, /) -> Any:
        """The value; runs what is in the pickle."""
        try:
            return pickle.loads(data)  # noqa: S301 (where it may be used, `codec_named` sees to)
        except Exception as error:
            raise SerializationError(f"a pickle can't be read: {type(error).__name__}") from error
