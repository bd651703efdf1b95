"""What twat-cache raises of its own accord.

```
TwatCacheError
├── ConfigurationError (ValueError)    an option that can't be honoured
└── CacheOperationError                a call that a cache couldn't serve
    ├── CacheKeyError (TypeError)      an argument that can't be part of a key
    └── SerializationError             a value or a file that can't be written or read
```

What a cached function itself raises passes through unchanged. Each class has the built-in base
that an `except` written before the cache came would name. All carry one message and nothing else,
so they survive pickling and copying.
"""

from __future__ import annotations

__all__ = [
    "CacheKeyError",
    "CacheOperationError",
    "ConfigurationError",
    "SerializationError",
    "TwatCacheError",
]

_LONGEST = 80


class TwatCacheError(Exception):
    """The root: catches everything that twat-cache raises of its own accord."""


class ConfigurationError(TwatCacheError, ValueError):
    """An option that can't be honoured; names the option, its value and what is accepted."""


class CacheOperationError(TwatCacheError):
    """A call that a cache couldn't serve, although its options are sound."""


class CacheKeyError(CacheOperationError, TypeError):
    """An argument that can't be part of a key; names its type and the remedies, never its value."""


class SerializationError(CacheOperationError):
    """A value that can't be written, or a file that can't be read; says which and what to do."""


def shown(value: object) -> str:
    """The value as a message may show it: its repr, cut at 80 characters.

    Only for options that a programmer wrote; the arguments of a cached call are never shown.
    """
    try:
        text = repr(value)
    except Exception:  # a broken __repr__ must not hide the error that is being told
        text = f"<{type(value).__qualname__}>"
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def refused(option: str, value: object, accepted: str) -> ConfigurationError:
    """The error, to be raised, that names an option, its value and what is accepted instead."""
    return ConfigurationError(f"{option}={shown(value)} is not accepted; accepted: {accepted}")
