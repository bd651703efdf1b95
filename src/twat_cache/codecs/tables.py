"""Arrow's tables and record batches as MessagePack: the stream of bytes that Arrow makes of them.

That stream is data alone. Up to version 14.0.0 the library ran what a type in it said, so older
ones are not used to read. What is read is looked through once: in a stream that nobody wrote, an
offset may lead out of its buffer.
"""

from __future__ import annotations

import sys
from importlib import import_module

from ..errors import SerializationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["read_arrow", "write_arrow"]

_SAFE = 15


def write_arrow(value: Any) -> list[Any]:
    """Name of the type and the stream.

    Raises:
        SerializationError: It is neither a table nor a record batch.
    """
    arrow: Any = sys.modules["pyarrow"]
    if type(value) not in {arrow.Table, arrow.RecordBatch}:
        raise SerializationError(f"values of type pyarrow.{type(value).__name__} can't be written")
    sink = arrow.BufferOutputStream()
    with arrow.ipc.new_stream(sink, value.schema) as stream:
        stream.write(value)
    return [type(value).__name__, memoryview(sink.getvalue())]


def read_arrow(state: list[Any]) -> Any:
    """The value of a name and a stream."""
    name, data = state
    arrow: Any = import_module("pyarrow")
    if int(arrow.__version__.partition(".")[0]) < _SAFE:
        raise SerializationError(f"Arrow's tables are read by pyarrow {_SAFE} and later only")
    stream = arrow.ipc.open_stream(data)
    found = {"Table": stream.read_all, "RecordBatch": stream.read_next_batch}[name]()
    found.validate(full=True)
    return found
