"""Rules by which a bucket removes old objects by itself, in the form of each store's own tools."""

from __future__ import annotations

from operator import index
from typing import Any

from ...errors import refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .place import Place

__all__ = ["lifecycle_rule"]


def lifecycle_rule(place: Place, days: int) -> dict[str, Any]:
    """The rule that removes objects after so many days since they were put.

    Raises:
        ConfigurationError: It is no number of days from 1 on.
    """
    try:
        days = index(days)
    except TypeError:
        days = 0
    if days < 1:
        raise refused("days", days, "an int from 1 on")
    start = f"{place.prefix}/" if place.prefix else ""
    if place.scheme == "gs":
        condition: dict[str, Any] = {"age": days}
        if start:
            condition["matchesPrefix"] = [start]
        return {"rule": [{"action": {"type": "Delete"}, "condition": condition}]}
    if place.scheme == "az":
        return {
            "rules": [
                {
                    "enabled": True,
                    "name": "twat-cache",
                    "type": "Lifecycle",
                    "definition": {
                        "filters": {
                            "blobTypes": ["blockBlob"],
                            "prefixMatch": [f"{place.bucket}/{start}"],
                        },
                        "actions": {
                            "baseBlob": {"delete": {"daysAfterModificationGreaterThan": days}}
                        },
                    },
                }
            ]
        }
    return {
        "Rules": [
            {
                "ID": "twat-cache",
                "Status": "Enabled",
                "Filter": {"Prefix": start},
                "Expiration": {"Days": days},
            }
        ]
    }
