"""The states of time zones and time spans in the canonical encoding."""

from __future__ import annotations

import sys

from .naming import unencodable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["fixed_state", "timedelta_state", "zone_state"]


def timedelta_state(value: Any) -> object:
    """How long it is."""
    return value.days, value.seconds, value.microseconds


def fixed_state(zone: Any) -> object:
    """The offset of a `timezone`, and the name if it was given one."""
    offset, *name = zone.__getinitargs__()
    return timedelta_state(offset), *name


def zone_state(value: Any) -> object:
    """Which zone, by rule and by offset: two zones may agree today and differ next summer."""
    zone = value.tzinfo
    if zone is None:
        return None
    offset = value.utcoffset()
    shift = None if offset is None else timedelta_state(offset)
    if type(zone) is sys.modules["datetime"].timezone:
        return fixed_state(zone)
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)  # zoneinfo; pytz
    if not isinstance(name, str):
        raise unencodable(type(zone), "it doesn't tell which zone it is")
    return shift, value.tzname(), type(zone).__module__.partition(".")[0], name
