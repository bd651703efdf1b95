"""`warm`: calls made ahead of time, so that others find their results."""

from __future__ import annotations

from .errors import refused
from .stats import Warmed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Any, Protocol, TypeAlias

    Progress: TypeAlias = bool | Callable[[int, int | None], object] | None
    Outcome: TypeAlias = str | Exception

    class CachedLike(Protocol):
        """What is warmed."""

        @property
        def _label(self) -> str: ...
        def _has(self, /, *args: Any, **kwargs: Any) -> bool: ...
        def contains(self, /, *args: Any, **kwargs: Any) -> Any: ...
        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...


__all__ = ["warm", "warm_awaiting", "warm_iterating"]


def warm(
    gate: CachedLike,
    calls: Iterable[Any],
    workers: int | None,
    progress: Progress,
    first: tuple[Any, ...] = (),
) -> Warmed:
    """Makes the calls in this thread, or in so many others; `first` stands before all arguments."""

    def make(call: Any) -> Outcome:
        try:
            args, kwargs = _arguments(first, call)
            if gate._has(*args, **kwargs):
                return "fresh"
            gate(*args, **kwargs)
            return "loaded" if gate._has(*args, **kwargs) else "called"
        except Exception as error:
            return error

    with _Job(gate, calls, workers, progress) as job:
        if workers is None:
            for call in calls:
                job.note(make(call))
        else:
            _in_threads(make, calls, workers, job.note)
        return job.end()


async def warm_awaiting(
    gate: CachedLike,
    calls: Iterable[Any],
    workers: int | None,
    progress: Progress,
    first: tuple[Any, ...] = (),
) -> Warmed:
    """Awaits the calls in this task, or in so many others of this event loop."""

    async def make(call: Any) -> Outcome:
        try:
            args, kwargs = _arguments(first, call)
            if await gate.contains(*args, **kwargs):
                return "fresh"
            await gate(*args, **kwargs)
            return "loaded" if await gate.contains(*args, **kwargs) else "called"
        except Exception as error:
            return error

    with _Job(gate, calls, workers, progress) as job:
        waiting = iter(calls)
        is_over = False

        async def work() -> None:
            nonlocal is_over
            try:
                for call in waiting:
                    job.note(await make(call))
                    if is_over:  # another worker was stopped
                        return
            finally:
                is_over = True

        if workers is None:
            await work()
        else:
            await _in_tasks(work, workers)
        return job.end()


async def warm_iterating(
    gate: CachedLike,
    calls: Iterable[Any],
    workers: int | None,
    progress: Progress,
    first: tuple[Any, ...] = (),
) -> Warmed:
    """Goes through the async generators of the calls, as `warm_awaiting` awaits."""
    return await warm_awaiting(_Iterating(gate), calls, workers, progress, first)


class _Iterating:
    """Calls that give async generators, as calls that are awaited."""

    def __init__(self, gate: Any) -> None:
        self._gate = gate
        self._label = gate._label
        self._has = gate._has
        self.contains = gate.contains

    async def __call__(self, *args: Any, **kwargs: Any) -> None:
        async for _ in self._gate(*args, **kwargs):
            pass


class _Job:
    """Counts what came of each call, and tells how far the job has come."""

    def __init__(self, gate: CachedLike, calls: Iterable[Any], workers: Any, progress: Any) -> None:
        if workers is not None and (type(workers) is not int or workers < 1):
            raise refused("workers", workers, "an int from 1 on, or None (one after the other)")
        self._total = len(calls) if hasattr(type(calls), "__len__") else None  # type: ignore[arg-type]
        self._called = self._loaded = self._fresh = self._failed = 0
        self._error: Exception | None = None
        self._bar = None
        if progress is True:
            from ._bar import Bar

            progress = self._bar = Bar(f"warm {gate._label}")
        elif progress is not None and progress is not False and not callable(progress):
            raise refused("progress", progress, "True, False, None or a function (done, total)")
        self._tell = progress or _nobody

    def note(self, outcome: Outcome) -> None:
        """Counts one call: `"fresh"`, `"loaded"`, `"called"`, or what it raised."""
        if outcome == "fresh":
            self._fresh += 1
        else:
            self._called += 1
            if outcome == "loaded":
                self._loaded += 1
            elif isinstance(outcome, Exception):
                self._failed += 1
                self._error = self._error or outcome
        self._tell(self._called + self._fresh, self._total)

    def end(self) -> Warmed:
        """What came of all."""
        return Warmed(self._called, self._loaded, self._fresh, self._failed, self._error)

    def __enter__(self) -> _Job:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


def _nobody(done: int, total: int | None) -> None:
    """Whom it is told, if nobody wants to know."""


def _arguments(first: tuple[Any, ...], call: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The positional and the keyword arguments that a call is written as."""
    if isinstance(call, dict):
        return first, call
    return (*first, *call) if isinstance(call, tuple) else (*first, call), {}


def _in_threads(
    make: Callable[[Any], Outcome],
    calls: Iterable[Any],
    workers: int,
    note: Callable[[Outcome], None],
) -> None:
    """Runs the calls in threads that see this one's context; takes few of them ahead."""
    from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
    from contextvars import copy_context

    under_way: set[Future[Outcome]] = set()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="twat-cache-warm")
    try:
        for call in calls:
            under_way.add(pool.submit(copy_context().run, make, call))
            if len(under_way) >= 2 * workers:
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    note(future.result())
        while under_way:
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                note(future.result())
    finally:
        pool.shutdown(cancel_futures=True)


async def _in_tasks(work: Callable[[], Awaitable[None]], workers: int) -> None:
    """Runs as many workers as tasks; when one ends by an exception, all do."""
    from asyncio import ensure_future, gather

    tasks = [ensure_future(work()) for _ in range(workers)]
    try:
        await gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await gather(*tasks, return_exceptions=True)
