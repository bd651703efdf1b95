"""The pure-Python core: the same Table and Gate as the compiled one, meant to be read first.

gate.py       the callable that stands in for a function
table.py      finding what is stored, and changing it
store.py      what is stored, and how it leaves
policies/     who leaves when room is needed
expiry.py     who leaves when
record.py     what engines store, read where it is simple
"""

from __future__ import annotations

from .gate import MARK, Gate, detour, gates, ready
from .policies import POLICIES
from .table import Flight, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .record import plain_payload, plain_values
else:

    def __getattr__(name):
        """Of `record`, which is loaded for the first record: most programs have none."""
        if name in ("plain_payload", "plain_values"):
            from . import record

            return getattr(record, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "ABI",
    "MARK",
    "POLICIES",
    "Flight",
    "Gate",
    "Table",
    "detour",
    "gates",
    "plain_payload",
    "plain_values",
    "ready",
]

ABI = 4
