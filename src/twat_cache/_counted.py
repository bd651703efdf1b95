"""What a cache has counted: its table, and its miss path."""

from __future__ import annotations

from .stats import Stats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._core import Table
    from ._run.tally import Tally

__all__ = ["counted"]


def counted(
    tally: Tally,
    table: Table | None,
    *,
    is_function: bool,
    engine: object = None,
    errors: int = 0,
) -> Stats:
    """All the counts.

    Args:
        tally: Those of the miss path.
        table: Whose counts there are, too.
        is_function: Whether each call goes by the table first, so that what the miss path answers
            from a store was counted as a miss there.
        engine: Where results are, if there is no table before it: of its entries the bound is told,
            and not how many there are.
        errors: How often a listener raised.
    """
    hits = misses = 0
    others: tuple[int, ...] = (0,) * 6
    size: tuple[int, int | None] = (0, 0)
    rejections, weight = 0, (0, None)
    if table is not None:
        hits, misses, *others, rejections = table.counters()  # type: ignore[assignment]
        size = (len(table), table.maxsize)
        weight = (table.weight, table.max_weight)  # type: ignore[assignment]
    if engine is not None:
        bound = getattr(engine, "maxsize", None)
        size = (0, bound if isinstance(bound, int) else None)
    behind = tally.hits
    if is_function:
        hits, misses = hits + behind - tally.near, max(misses - behind, 0)
    else:
        hits = tally.found + behind
        misses = tally.missed + tally.loads + tally.failures + tally.joined - tally.refreshes
    return Stats._make(
        (
            *(hits, misses, *others, *size, rejections, errors, *weight),
            *(tally.loads, tally.failures, tally.seconds, tally.stale, tally.joined),
            *(tally.refreshes, tally.failed_refreshes),
            *(tally.engine_errors, tally.refused, tally.unstored),
        )
    )
