"""What tells a function by its code, where its name doesn't, or shouldn't.

Two lambdas of one module have one name, two functions made by one `def` within another have too,
and so have all that `functools.wraps` made of one function. And a function that was changed keeps
its name, while its old results are wrong. A digest of what the compiler made of it tells them
apart, with its defaults and what it closes over at that time, or the object that it is bound to
(see `code`).

Bytecode differs between versions of Python (3.11 and 3.12, say; not 3.12.1 and 3.12.2), so these
digests do too, and what a program stored under one version it computes anew under another. What
the function calls in turn is no part of it, unless it closes over it.
"""

from __future__ import annotations

from ..errors import CacheKeyError
from .canonical import digest, encode
from .code import callable_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["source_digest"]


def source_digest(function: Callable[..., Any], *, strict: bool = False) -> str:
    """The digest, in 32 hexadecimal digits.

    Args:
        function: A function written in Python, a method of an object, or a `partial`; if strict,
            any callable that can be part of a key.
        strict: Whether each value that it closes over or has as a default must be told apart, and
            a function among them is told by its name if that is its own. Otherwise a function is
            told by its code, and of what can't be told apart the type will do.

    Raises:
        CacheKeyError: (if strict) One can't be.
    """
    return digest(callable_state(function, _told if strict else _or_kind, by_name=strict)).hex()


def _told(value: object) -> object:
    return "value", encode(value)


def _or_kind(value: object) -> object:
    try:
        return _told(value)
    except CacheKeyError:
        return "type", f"{type(value).__module__}:{type(value).__qualname__}"
