"""Keys of engines as events and logs show them: 128 bits as text, and no part of any argument."""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["digest_of_call", "digest_of_own"]


def digest_of_call(key: str) -> str:
    """The digest with which a function's cold key ends."""
    return key[-32:]


def digest_of_own(key: str) -> str:
    """A digest of a key that a program made itself, which may hold what nobody shall read."""
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
