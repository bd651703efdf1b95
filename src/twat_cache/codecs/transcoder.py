"""From a value to what an engine stores for it, and back: all of this folder joined.

    value ── codec ──► payload ── compression ──► payload ── seal, record ──► bytes

Writing may be refused. Reading never raises: what can't be read is a miss, and says why. Nothing is
given to the compression or to the codec before the record has been found to be sound and, where
there is a secret, authentic; and both are the reader's own, whatever the record says.
"""

from __future__ import annotations

from functools import cached_property
from math import inf
from typing import NamedTuple

from .._core import plain_payload, plain_values
from ..errors import SerializationError
from .compression import ABOVE, compression_named
from .named import codec_named
from .record import Damage, Record, pieces, plain_beginnings, unpack
from .seal import UNSEALED, seal_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from ..codec_types import Codec
    from ..engine_types import Bytes
    from .seal import Secrets

__all__ = ["Loaded", "Transcoder"]


class Loaded(NamedTuple):
    """A value as it was stored.

    Attributes:
        value: The value.
        created: When it was made, in seconds since the epoch, as the others.
        fresh_until: From then on it is stale …
        stale_until: … and from then on it mustn't be used at all; for ever is infinity.
        tags: The tokens of its tags when it was made.
        took: How many seconds it took to make it.
        raised: 0; or n for the arguments of an exception of the nth class that is kept.
    """

    value: Any
    created: float
    fresh_until: float
    stale_until: float
    tags: Mapping[str, bytes]
    took: float = 0.0
    raised: int = 0


class Transcoder:
    """Writes and reads what engines store. Safe in any thread.

    Args:
        codec: `"msgpack"`, `"json"`, `"pickle"` or a codec of one's own.
        compress: None, `"zlib"`, `"lz4"` or `"zstd"`.
        above: From how many bytes on to compress.
        secret: Signs: a text or bytes, or several, the first for writing and all for reading.
        encrypt: Encrypts, likewise.
        checksum: Whether payloads of any length have a checksum; up to 4 KB all have, and what is
            signed, encrypted or compressed is checked anyway.
        unsafe: Whether to read pickles without a secret.

    Raises:
        ConfigurationError: An option can't be honoured, or a library is missing.
    """

    def __init__(
        self,
        codec: str | Codec = "msgpack",
        *,
        compress: str | None = None,
        above: int = ABOVE,
        secret: Secrets | None = None,
        encrypt: Secrets | None = None,
        checksum: bool = False,
        unsafe: bool = False,
    ) -> None:
        self._seal = seal_of(secret, encrypt)
        self._codec = codec_named(codec, sealed=self._seal is not UNSEALED, unsafe=unsafe)
        self._compression = compression_named(compress, above)
        self._checksum = checksum
        self._plain = plain_beginnings(self._codec.id) if self._seal is UNSEALED else None

    def dump(self, key: str, value: Any, **about: Any) -> bytes:
        """What `pieces` gives, in one; takes and raises the same."""
        return b"".join(self.pieces(key, value, **about))

    def pieces(
        self,
        key: str,
        value: Any,
        *,
        now: float,
        fresh_until: float = inf,
        stale_until: float | None = None,
        tags: Mapping[str, bytes] | None = None,
        took: float = 0.0,
        raised: int = 0,
    ) -> Sequence[Bytes]:
        """What is to be stored for the key, a large array as it lies: its bytes aren't copied.

        Args:
            key: Under which key; what is stored can be read under this one only.
            value: The value.
            now: The time, in seconds since the epoch, as the others.
            fresh_until: From when on the value is stale.
            stale_until: From when on it mustn't be used at all; as soon as it's stale, by default.
            tags: The tokens of its tags.
            took: How many seconds it took to make it.
            raised: 0; or n for the arguments of an exception of the nth class that is kept.

        Raises:
            SerializationError: The codec can't carry the value.
            CacheValueError: The tags are too long, or the value too large to be encrypted.
        """
        try:
            encoded = self._codec.encode(value)
        except SerializationError:
            raise
        except Exception as error:  # of a codec of one's own
            raise SerializationError(
                f"the codec {self._codec.name!r} raised {type(error).__name__} for a value of type "
                f"{type(value).__qualname__}"
            ) from error
        compression, payload = self._compression.pack(encoded)
        stale_until = fresh_until if stale_until is None else stale_until
        record = Record(
            payload,
            self._codec.id,
            compression,
            now,
            fresh_until,
            stale_until,
            tags or {},
            took,
            raised,
        )
        return pieces(record, key, self._seal, checksum=self._checksum)

    def load(self, key: str, data: Bytes) -> Loaded | Damage:
        """The value that was stored for the key, or why there is none; never raises."""
        record = self.open(key, data)
        return record if isinstance(record, Damage) else self.read(record)

    def open(self, key: str, data: Bytes) -> Record | Damage:
        """The first half of `load`: all but the value, to be looked at before it is made."""
        record = unpack(data, key, self._seal)
        if type(record) is Record and record.codec != self._codec.id:
            return Damage.CODEC
        return record

    def plain(self, key: str, data: Bytes, now: float, tags: bytes = b"") -> Any:
        """The value, of what has no more to it than that; or `Damage.VALUE`, no last word.

        That is what a fresh value is, neither sealed nor compressed, and with these tags alone, as
        they stand in a record; for all else there is `open`.
        """
        if self._plain is None:
            return Damage.VALUE
        payload = plain_payload(data, key, self._plain, now, tags)
        if payload is None:
            return Damage.VALUE
        try:
            return self._decode(payload)
        except Exception:  # as in `value`
            return Damage.VALUE

    def plain_values(
        self,
        names: Sequence[str],
        keys: Sequence[str],
        data: Sequence[Any],
        now: float,
        tags: bytes | None,
    ) -> tuple[dict[str, Any], list[int]]:
        """What `plain` makes of many data, by name; and the indices of all else that is there.

        Args:
            names: What the keys are to be called.
            keys: What the engine was asked for.
            data: What it gave for each; None is nothing.
            now: The time, in seconds since the epoch.
            tags: As they stand in a record; None if there is no such record.
        """
        if self._plain is None or tags is None:
            return {}, [at for at, one in enumerate(data) if one is not None]
        return plain_values(names, keys, data, self._plain, now, tags, self._decode)

    @cached_property
    def _decode(self) -> Callable[[Bytes], Any]:
        """The codec's own, or what one of this folder's calls; looked up for the first."""
        codec, decode = self._codec, self._codec.decode
        is_ours = type(codec).__module__.startswith(f"{__package__}.")
        return getattr(codec, "reader", decode) if is_ours else decode

    def read(self, record: Record) -> Loaded | Damage:
        """The second half of `load`: the value too."""
        value = self.value(record)
        return value if isinstance(value, Damage) else Loaded(value, *record[3:])

    def value(self, record: Record) -> Any:
        """The value of a record that was opened, alone; or the `Damage` why there is none."""
        payload: Any = record.payload  # in one piece, as it was read
        if record.compression:
            payload = self._compression.unpack(record.compression, payload)
            if isinstance(payload, Damage):
                return payload
        try:
            return self._decode(payload)
        except Exception:  # of a SerializationError, or what a codec of one's own lets through
            return Damage.VALUE
