"""How many bytes a value takes, as `max_bytes` counts them.

An estimate, made while a caller waits for the value: it may neither take long over a large one nor
fail on a strange one. What counts is

- what `sys.getsizeof` tells, for everything; on PyPy, which can't tell, a guess by the length;
- what a container holds, and what the attributes of an instance hold;
- the buffer of what has `nbytes` (numpy arrays, memoryviews, Arrow tables), of a view as well;
- what pandas tells of its own, texts included.

Large containers are sampled: 64 items, spread evenly, stand for all. Nested ones share a budget of
1,024 objects, split fairly at each level; where it is used up, nothing is opened any more. So a
list of a million numbers takes microseconds, a table of records is told to within some per cent,
and what hides below the fourth or fifth level of something huge is left out.

What is met twice counts once. Types, modules, functions, None, True and False count nothing: they
would be there anyway. Foreign code that is asked (`__sizeof__`, `nbytes`, `memory_usage`) may raise
what it likes; then the answer goes without it.
"""

from __future__ import annotations

import sys
from collections import deque
from types import BuiltinFunctionType, FunctionType, MemberDescriptorType, MethodType, ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ["footprint"]

_BUDGET = 1024
_SAMPLE = 64
_ATOMS = (int, float, str, bytes, bytearray, complex)
_THERE_ANYWAY = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)


def footprint(*values: object) -> int:
    """The bytes that the values take together: an estimate, 0 or more, and never an error."""
    unseen = [(value, 1.0, _BUDGET) for value in values]  # each, what it stands for, its budget
    seen = {id(None), id(True), id(False), id(())}
    total = 0.0
    while unseen:
        value, times, budget = unseen.pop()
        if id(value) in seen or isinstance(value, _THERE_ANYWAY):
            continue
        seen.add(id(value))
        try:
            size, parts = _opened(value)
            total += size * times
            many = len(parts)
            if many and budget:
                step = -(-many // min(_SAMPLE, budget))
                sample = parts[::step]
                times *= many / len(sample)
                budget = (budget - len(sample)) // len(sample)
                unseen += [(part, times, budget) for part in sample]
        except Exception:  # noqa: S112 - what can't tell its size has none
            continue
    return int(total)


def _opened(value: Any) -> tuple[int, Sequence[object]]:
    """What a value takes by itself, and what it holds."""
    size = _shallow(value)
    if isinstance(value, _ATOMS):
        return size, ()
    if isinstance(value, (list, tuple)):
        return size, value
    if isinstance(value, dict):
        return size, (*value, *value.values())
    if isinstance(value, (set, frozenset, deque)):
        return size, (*value,)
    pandas = sys.modules.get("pandas")
    if pandas is not None:
        if isinstance(value, pandas.DataFrame):
            return int(value.memory_usage(deep=True).sum()), ()
        if isinstance(value, (pandas.Series, pandas.Index)):
            return int(value.memory_usage(deep=True)), ()
    buffer = getattr(value, "nbytes", None)
    if isinstance(buffer, int):
        is_of_objects = getattr(getattr(value, "dtype", None), "kind", "") == "O"
        return max(size, buffer), value.ravel() if is_of_objects else ()
    return _instance(value, size)


def _shallow(value: Any) -> int:
    """What a value takes without what it holds."""
    try:
        return sys.getsizeof(value)
    except TypeError:
        length = len(value) if hasattr(value, "__len__") else 0
        return 50 + length * (1 if isinstance(value, _ATOMS) else 8)


def _instance(value: Any, size: int) -> tuple[int, Sequence[object]]:
    """The same for anything else: what stands in its attributes and slots."""
    parts: list[object] = []
    own = getattr(value, "__dict__", None)
    if type(own) is dict:
        size += _shallow(own)
        parts += own.values()
    for cls in type(value).__mro__:
        for slot in vars(cls).values():
            if type(slot) is MemberDescriptorType:
                try:
                    parts.append(slot.__get__(value))
                except AttributeError:  # never set
                    pass
    return size, parts
