"""What a cache tells of what it does beyond answering from memory: to hooks, as it happens."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

hooks: tuple[Callable[[Any], object], ...] = ()
