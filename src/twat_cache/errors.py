"""What twat-cache raises of its own accord.

```
TwatCacheError
├── ConfigurationError (ValueError)    an option that can't be honoured
├── EngineError                        an engine that couldn't serve
│   ├── EngineNotAvailableError (ImportError)   its library is missing; says which extra has it
│   ├── EngineTimeoutError (TimeoutError)       it didn't answer in time
│   ├── EngineConnectionError (ConnectionError) it can't be reached, or the connection broke
│   └── EngineClosedError                       it was closed
├── ResourceError                      something around the cache that can't be had
│   ├── ConcurrencyError               threads, tasks or processes in each other's way
│   └── PathError                      a name or a folder that can't be used
└── CacheOperationError                a call that a cache couldn't serve
    ├── LoadTimeoutError (TimeoutError)   a computation that took longer than it may
    ├── CacheKeyError (TypeError)      an argument that can't be part of a key
    ├── CacheValueError                a value, or what is stored with it, that can't be taken
    ├── SerializationError             a value or a file that can't be written or read
    └── TamperedValueError             what is stored was not written by a holder of the secret
```

What a cached function itself raises passes through unchanged. Each class has the built-in base
that an `except` written before the cache came would name. All carry one message and nothing else,
so they survive pickling and copying.
"""

from __future__ import annotations

__all__ = [
    "CacheKeyError",
    "CacheOperationError",
    "CacheValueError",
    "ConcurrencyError",
    "ConfigurationError",
    "EngineClosedError",
    "EngineConnectionError",
    "EngineError",
    "EngineNotAvailableError",
    "EngineTimeoutError",
    "LoadTimeoutError",
    "PathError",
    "ResourceError",
    "SerializationError",
    "TamperedValueError",
    "TwatCacheError",
]

_LONGEST = 80


class TwatCacheError(Exception):
    """The root: catches everything that twat-cache raises of its own accord."""


class ConfigurationError(TwatCacheError, ValueError):
    """An option that can't be honoured; names the option, its value and what is accepted."""


class EngineError(TwatCacheError):
    """An engine that couldn't serve; says what to do, and its cause is the engine's own error."""


class EngineNotAvailableError(EngineError, ImportError):
    """An engine whose library isn't installed; says which extra brings it."""


class EngineTimeoutError(EngineError, TimeoutError):
    """An engine that didn't answer in the time it was given."""


class EngineConnectionError(EngineError, ConnectionError):
    """An engine that can't be reached, or whose connection broke; it may pass by itself."""


class EngineClosedError(EngineError):
    """An engine that was used after `close()`."""


class ResourceError(TwatCacheError):
    """Something around the cache that can't be had: a folder, a lock, a worker."""


class ConcurrencyError(ResourceError):
    """Threads, tasks or processes that are in each other's way."""


class PathError(ResourceError):
    """A name or a folder that can't be used for a store."""


class CacheOperationError(TwatCacheError):
    """A call that a cache couldn't serve, although its options are sound."""


class LoadTimeoutError(CacheOperationError, TimeoutError):
    """A computation that took longer than it may; names the function and the option."""


class CacheKeyError(CacheOperationError, TypeError):
    """An argument that can't be part of a key; names its type and the remedies, never its value."""


class SerializationError(CacheOperationError):
    """A value that can't be written, or a file that can't be read; says which and what to do."""


class CacheValueError(CacheOperationError):
    """A value, or what is to be stored with it, that can't be taken; says what is too much."""


class TamperedValueError(CacheOperationError):
    """What is stored isn't what a holder of the secret wrote; names the key, never the value."""


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
