"""The pure-Python core: the same Table and Gate as the compiled one, meant to be read first.

gate.py       the callable that stands in for a function
table.py      finding what is stored, and changing it
store.py      what is stored, and how it leaves
policies/     who leaves when room is needed
expiry.py     who leaves when
"""

from __future__ import annotations

from .gate import MARK, Gate, detour, gates, ready
from .policies import POLICIES
from .table import Flight, Table

__all__ = ["ABI", "MARK", "POLICIES", "Flight", "Gate", "Table", "detour", "gates", "ready"]

ABI = 3
