"""The seals of records: by them a reader knows that a holder of the secret wrote what it reads.

`secret=` signs with keyed BLAKE2b; `encrypt=` hides the payload too, with AES-256-GCM. What either
covers is the *context* (cache key and header) and the payload, so a record can't be altered, nor
moved to another key. Tags and times can still be read in an encrypted record, as its cache key can.

Which seal there has to be, and which algorithm made it, is the reader's decision alone: nothing in
a record chooses. Of several secrets the first seals, all are tried in opening; to change a secret,
put the new one in front and drop the old one when what it sealed has expired.

Each purpose has its own key made of a secret, so that one secret may serve both. It is used as it
is, however easy to guess: give random bytes or a long random text, such as `secrets.token_hex()`.

AES-GCM with random nonces is safe for 2³² uses of a key, which a busy cache would reach. So each
record has a key of its own, made of the secret's and 16 random bytes.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from hmac import compare_digest

from ..errors import CacheValueError, ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol, TypeAlias

    from ..engine_types import Bytes

    Secrets: TypeAlias = str | bytes | Sequence[str | bytes]

    class Seal(Protocol):
        """Closes and opens payloads. Safe in any thread.

        Attributes:
            flags: How the record's header names the seal.
            growth: How many bytes longer a payload is when it is sealed.
        """

        flags: int
        growth: int

        def close(self, context: bytes, pieces: Sequence[Bytes]) -> Sequence[Bytes]:
            """What is stored of a payload, in pieces as it came."""

        def open(self, context: bytes, sealed: memoryview) -> Bytes | None:
            """The payload; None if it wasn't closed in this context by a holder of the secret."""


__all__ = ["UNSEALED", "seal_of"]

_SIGNED, _ENCRYPTED = 2, 4
_MAC = 16
_SALT, _NONCE, _TAG = 16, 12, 16


def seal_of(secret: Secrets | None = None, encrypt: Secrets | None = None) -> Seal:
    """The seal for these options; with both, what is encrypted is signed too.

    Raises:
        ConfigurationError: A secret is empty or no secret, or a library is missing.
    """
    seal = UNSEALED
    if encrypt is not None:
        seal = _Encrypted(_keys("encrypt", encrypt))
    if secret is not None:
        seal = _Signed(_keys("secret", secret), seal)
    return seal


class _Unsealed:
    """Leaves everything as it is."""

    flags = 0
    growth = 0

    def close(self, context: bytes, pieces: Sequence[Bytes]) -> Sequence[Bytes]:  # noqa: ARG002
        return pieces

    def open(self, context: bytes, sealed: memoryview) -> Bytes | None:  # noqa: ARG002
        return sealed


UNSEALED: Seal = _Unsealed()
"""For records without a secret."""


class _Signed:
    """Puts a message authentication code behind the payload, as another seal left it."""

    def __init__(self, keys: Sequence[bytes], inner: Seal) -> None:
        self._keys = keys
        self._inner = inner
        self.flags = _SIGNED | inner.flags
        self.growth = _MAC + inner.growth

    def close(self, context: bytes, pieces: Sequence[Bytes]) -> Sequence[Bytes]:
        pieces = self._inner.close(context, pieces)
        return *pieces, _mac(self._keys[0], context, pieces)

    def open(self, context: bytes, sealed: memoryview) -> Bytes | None:
        if len(sealed) < self.growth:
            return None
        payload, found = sealed[:-_MAC], sealed[-_MAC:]
        if not any(compare_digest(_mac(key, context, [payload]), found) for key in self._keys):
            return None
        return self._inner.open(context, payload)


class _Encrypted:
    """Salt, nonce, ciphertext, tag."""

    flags = _ENCRYPTED
    growth = _SALT + _NONCE + _TAG

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = keys
        self._cipher, self._refusal = _aes_gcm()

    def close(self, context: bytes, pieces: Sequence[Bytes]) -> Sequence[Bytes]:
        salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
        cipher = self._cipher(_derived(self._keys[0], salt))
        try:
            return salt, nonce, cipher.encrypt(nonce, b"".join(pieces), context)
        except OverflowError as error:
            raise CacheValueError("a value of 2 GiB or more can't be encrypted") from error

    def open(self, context: bytes, sealed: memoryview) -> Bytes | None:
        if len(sealed) < self.growth:
            return None
        salt, nonce = sealed[:_SALT], sealed[_SALT : _SALT + _NONCE]
        for key in self._keys:
            try:
                return self._cipher(_derived(key, salt)).decrypt(
                    nonce, sealed[_SALT + _NONCE :], context
                )
            except self._refusal:
                continue
        return None


def _mac(key: bytes, context: bytes, pieces: Sequence[Bytes]) -> bytes:
    mac = blake2b(context, key=key, digest_size=_MAC)  # a header tells how long the payload is
    for piece in pieces:
        mac.update(piece)
    return mac.digest()


def _derived(key: bytes, salt: Bytes) -> bytes:
    return blake2b(salt, key=key, digest_size=32).digest()


def _keys(option: str, secrets: Secrets) -> list[bytes]:
    """A key for each secret, good for this option only."""
    purpose = f"twat-{option}".encode()
    several: object = [secrets] if isinstance(secrets, (str, bytes)) else secrets
    texts = [_text(secret) for secret in several] if isinstance(several, (list, tuple)) else []
    if not texts or not all(texts):  # the message shows none of them
        raise ConfigurationError(
            f"{option}= takes a text or bytes, neither of them empty, or a list of such, of which "
            "the first is used for writing"
        )
    return [blake2b(text, digest_size=32, person=purpose).digest() for text in texts]


def _text(secret: object) -> bytes:
    """A secret as bytes; none if it isn't any."""
    if isinstance(secret, str):
        return secret.encode("utf-8", "surrogatepass")
    return secret if isinstance(secret, bytes) else b""


def _aes_gcm() -> tuple[Callable[[bytes], _Cipher], type[Exception]]:
    try:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise ConfigurationError(
            "encrypt= needs cryptography, which isn't installed: pip install 'twat-cache[crypto]'"
        ) from error
    return AESGCM, InvalidTag


if TYPE_CHECKING:

    class _Cipher(Protocol):
        def encrypt(self, nonce: bytes, data: bytes, associated: bytes, /) -> bytes: ...
        def decrypt(self, nonce: Bytes, data: Bytes, associated: bytes, /) -> bytes: ...
