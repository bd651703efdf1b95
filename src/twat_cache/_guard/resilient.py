"""An engine that is asked again if it fails at once, and not at all while it is out of order.

What a call can't have is an `EngineError`, as ever, and at once while the circuit is open. But to
forget something never fails for want of a connection: it is noted, and the engine is told before it
is asked for anything else. So is what couldn't be put, or the value before would answer; and what
was added by a call that failed, or couldn't be forgotten on condition: else a lease that nobody has
would keep others waiting.
"""

from __future__ import annotations

from random import uniform
from time import monotonic
from typing import Any
from weakref import finalize

from .._run.drive import arun, run
from .._run.effects import Sleep, ask
from ..errors import EngineClosedError, EngineConnectionError, EngineError
from .circuit import TRANSIENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from .._run.drive import Steps
    from ..engine_types import Bytes
    from .circuit import Circuit

__all__ = ["AsyncResilientEngine", "ResilientEngine"]

_AT_ONCE = 0.02  # seconds: what fails later has had its time
_PAUSE = 0.01  # seconds at most before another try


class _Resilient:
    """What both colours share: the steps of a call."""

    def __init__(self, engine: Any, circuit: Circuit) -> None:
        self.guarded = engine
        self.circuit = circuit
        self.circuits = (circuit,)
        self.capabilities = engine.capabilities._replace(pieces=False)
        finalize(self, circuit.stop).atexit = False

    def __getattr__(self, name: str) -> Any:
        """What else the engine has."""
        if name.startswith("_") or name in {"guarded", "circuit", "circuits"}:
            raise AttributeError(name)
        return getattr(self.guarded, name)

    def _asking(
        self, method: str, *args: Any, attempts: int = 0, counts: bool = True
    ) -> Steps[Any]:
        """Asks the engine, and again if it fails at once and the method may be repeated."""
        circuit = self.circuit
        refusal = circuit.refusal()
        if refusal is not None:
            raise refusal
        left, served = (attempts or circuit.attempts) - 1, circuit.served
        while True:
            start = monotonic()
            try:
                answer = yield ask(self.guarded, method, *args)
            except EngineError as error:
                if not (left and _is_worth_another(error, start)):
                    if counts and (method == "get" or isinstance(error, TRANSIENT)):
                        self._count(error, served)
                    raise
                left -= 1
            else:
                circuit.served += 1
                return answer
            yield Sleep(uniform(0, _PAUSE))

    def _count(self, error: EngineError, served: int) -> None:
        if not isinstance(error, EngineClosedError):
            self.circuit.failed(error, served)

    def _getting_again(self, keys: Sequence[str]) -> Steps[list[bytes | memoryview | None]]:
        """What is left to be tried after a first get has failed at once."""
        yield Sleep(uniform(0, _PAUSE))
        values: list[bytes | memoryview | None]
        values = yield from self._asking("get", keys, attempts=self.circuit.attempts - 1)
        return values

    def _putting(self, items: Mapping[str, Bytes], ttl: float | None) -> Steps[None]:
        try:
            yield from self._asking("put", items, ttl, counts=False)
        except EngineClosedError:
            raise
        except TRANSIENT as error:
            self.circuit.postpone(error, list(items))
            raise
        except EngineError:  # it is full, say: but what it has is of no use
            yield from self._dropping(list(items))
            raise
        except BaseException:
            self.circuit.postpone(_interrupted(), list(items))
            raise

    def _adding(self, key: str, value: Bytes, ttl: float | None) -> Steps[bool]:
        refusal = self.circuit.refusal()
        if refusal is not None:  # then it is sure that it isn't there
            raise refusal
        try:
            return bool((yield from self._asking("add", key, value, ttl, attempts=1)))
        except TRANSIENT as error:
            self._forget_later(error, key, value)
            raise
        except EngineError:
            raise
        except BaseException:
            self._forget_later(_interrupted(), key, value)
            raise

    def _swapping(
        self, key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None
    ) -> Steps[bool]:
        try:
            return bool((yield from self._asking("swap", key, expected, value, ttl, attempts=1)))
        except TRANSIENT as error:
            if value is None and expected is not None:
                self._forget_later(error, key, expected)
            raise
        except EngineError:
            raise
        except BaseException:
            if value is None and expected is not None:
                self._forget_later(_interrupted(), key, expected)
            raise

    def _forget_later(self, error: EngineError, key: str, value: Bytes) -> None:
        if self.capabilities.swap:
            self.circuit.forget_later(error, key, bytes(value))

    def _dropping(self, keys: Sequence[str]) -> Steps[int]:
        try:
            return int((yield from self._asking("drop", keys, counts=False)))
        except TRANSIENT as error:
            self.circuit.postpone(error, keys)
            return 0
        except EngineError:
            raise
        except BaseException:
            self.circuit.postpone(_interrupted(), keys)
            raise


def _is_worth_another(error: EngineError, start: float) -> bool:
    return isinstance(error, EngineConnectionError) and monotonic() - start < _AT_ONCE


def _interrupted() -> EngineError:
    return EngineConnectionError("a call was interrupted, so nobody knows what it has changed")


class ResilientEngine(_Resilient):
    """An engine behind a circuit breaker. Thread-safe.

    Args:
        engine: What is asked.
        circuit: Its circuit, which the async engine on the same place may share.
    """

    def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """The values, in the order of the keys."""
        circuit = self.circuit
        if circuit.error is not None and (refusal := circuit.refusal()) is not None:
            try:
                raise refusal
            finally:
                del refusal  # an exception refers to this frame
        start, served = monotonic(), circuit.served
        try:  # without steps: this is what is mostly done, and mostly it works
            values: list[bytes | memoryview | None] = self.guarded.get(keys)
        except EngineError as error:
            if circuit.attempts < 2 or not _is_worth_another(error, start):
                self._count(error, served)
                raise
        else:
            circuit.served += 1
            return values
        return run(self._getting_again(keys))

    def put(self, items: Mapping[str, Bytes], ttl: float | None) -> None:
        """Stores the values; if that fails, the engine will forget those before."""
        run(self._putting(items, ttl))

    def keep(self, items: Mapping[str, Bytes], ttl: float | None) -> None:
        """As `put`, where there is no harm in what was there before."""
        run(self._asking("put", items, ttl))

    def add(self, key: str, value: Bytes, ttl: float | None) -> bool:
        """Stores the value if there is none; tried once."""
        return run(self._adding(key, value, ttl))

    def drop(self, keys: Sequence[str]) -> int:
        """Forgets the keys, now or when the engine is back; then it tells of none."""
        return run(self._dropping(keys))

    def scan(self, prefix: str) -> Iterator[str]:
        """The keys that begin so."""
        refusal = self.circuit.refusal()
        if refusal is not None:
            raise refusal
        try:
            yield from self.guarded.scan(prefix)
        except TRANSIENT as error:
            self.circuit.failed(error)
            raise

    def swap(
        self, key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None
    ) -> bool:
        """Stores the value if the expected one is there; tried once."""
        return run(self._swapping(key, expected, value, ttl))

    def touch(self, keys: Sequence[str], ttl: float | None) -> int:
        """Gives the entries so many seconds from now."""
        return int(run(self._asking("touch", keys, ttl)))

    def left(self, keys: Sequence[str]) -> list[float | None]:
        """The seconds that the entries still have."""
        left: list[float | None] = run(self._asking("left", keys))
        return left

    def close(self) -> None:
        """Closes the engine, which is told before what is due."""
        run(self.circuit.ending(self.guarded))
        self.guarded.close()

    def ping(self) -> None:
        """Returns if the engine can serve: it is asked, whatever happened before."""
        self.guarded.ping()


class AsyncResilientEngine(_Resilient):
    """As `ResilientEngine`, of an engine whose methods are coroutine functions."""

    _twin: ResilientEngine | None = None

    @property
    def blocking(self) -> Any:
        """The engine for those who can't await, behind the same circuit."""
        twin = self._twin
        if twin is None:
            twin = self._twin = ResilientEngine(self.guarded.blocking, self.circuit)
        return twin

    async def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """The values, in the order of the keys."""
        circuit = self.circuit
        if circuit.error is not None and (refusal := circuit.refusal()) is not None:
            try:
                raise refusal
            finally:
                del refusal  # an exception refers to this frame
        start, served = monotonic(), circuit.served
        try:
            values: list[bytes | memoryview | None] = await self.guarded.get(keys)
        except EngineError as error:
            if circuit.attempts < 2 or not _is_worth_another(error, start):
                self._count(error, served)
                raise
        else:
            circuit.served += 1
            return values
        return await arun(self._getting_again(keys))

    async def put(self, items: Mapping[str, Bytes], ttl: float | None) -> None:
        """Stores the values; if that fails, the engine will forget those before."""
        await arun(self._putting(items, ttl))

    async def keep(self, items: Mapping[str, Bytes], ttl: float | None) -> None:
        """As `put`, where there is no harm in what was there before."""
        await arun(self._asking("put", items, ttl))

    async def add(self, key: str, value: Bytes, ttl: float | None) -> bool:
        """Stores the value if there is none; tried once."""
        return await arun(self._adding(key, value, ttl))

    async def drop(self, keys: Sequence[str]) -> int:
        """Forgets the keys, now or when the engine is back; then it tells of none."""
        return await arun(self._dropping(keys))

    async def scan(self, prefix: str) -> AsyncIterator[str]:
        """The keys that begin so."""
        refusal = self.circuit.refusal()
        if refusal is not None:
            raise refusal
        try:
            async for key in self.guarded.scan(prefix):
                yield key
        except TRANSIENT as error:
            self.circuit.failed(error)
            raise

    async def swap(
        self, key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None
    ) -> bool:
        """Stores the value if the expected one is there; tried once."""
        return await arun(self._swapping(key, expected, value, ttl))

    async def touch(self, keys: Sequence[str], ttl: float | None) -> int:
        """Gives the entries so many seconds from now."""
        return int(await arun(self._asking("touch", keys, ttl)))

    async def left(self, keys: Sequence[str]) -> list[float | None]:
        """The seconds that the entries still have."""
        left: list[float | None] = await arun(self._asking("left", keys))
        return left

    async def close(self) -> None:
        """Closes the engine, which is told before what is due."""
        await arun(self.circuit.ending(self.guarded))
        await self.guarded.close()

    async def ping(self) -> None:
        """Returns if the engine can serve: it is asked, whatever happened before."""
        await self.guarded.ping()
