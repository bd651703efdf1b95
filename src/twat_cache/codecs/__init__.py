"""From values to bytes and back: codecs, and the records in which engines keep what they wrote.

For everyone are `Codec`, which says what a codec is, and `register_type`, which lets `msgpack`
carry a type of one's own; options name the rest.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..codec_types import Codec
    from .own_types import register_type

__all__ = ["Codec", "register_type"]


def __getattr__(name: str) -> object:
    """Loads one of them when it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = "..codec_types" if name == "Codec" else ".own_types"
    return getattr(import_module(module, __name__), name)
