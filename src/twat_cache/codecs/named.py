"""Which codec a name stands for."""

from __future__ import annotations

from ..errors import ConfigurationError, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..codec_types import Codec

__all__ = ["codec_named"]

_FREE = range(128, 256)
_PICKLE = 3
_NAMES = "'msgpack', 'json', 'pickle'"


def codec_named(codec: str | Codec, *, sealed: bool = False, unsafe: bool = False) -> Codec:
    """The codec of that name, or the codec itself.

    Args:
        codec: `"msgpack"`, `"json"`, `"pickle"`, or an object with the methods of `Codec`.
        sealed: Whether only records that a secret made are read.
        unsafe: Whether to read pickles without a secret all the same.

    Raises:
        ConfigurationError: There is none of that name, or it isn't safe.
    """
    found = _built_in(codec) if isinstance(codec, str) else codec
    parts = ("name", "id", "encode", "decode")
    if isinstance(found, type) or not all(hasattr(found, part) for part in parts):
        raise refused("codec", codec, f"{_NAMES}, or a codec with name, id, encode and decode")
    if found.id not in _FREE and not type(found).__module__.startswith(f"{__package__}."):
        raise refused("codec.id", found.id, "an int from 128 to 255; those below are taken")
    if found.id == _PICKLE and not sealed and not unsafe:
        raise ConfigurationError(
            "codec='pickle' needs secret=: reading a pickle runs whatever its writer wants, so "
            "only those with the secret may write. For a private folder that nobody else can "
            "write to, unsafe=True will do"
        )
    return found


def _built_in(name: str) -> Codec:
    if name == "msgpack":
        from .msgpack_codec import Msgpack

        return Msgpack()
    if name == "json":
        from .json_codec import Json

        return Json()
    if name == "pickle":
        from .pickle_codec import Pickle

        return Pickle()
    raise refused("codec", name, f"{_NAMES}, or a codec of your own")
