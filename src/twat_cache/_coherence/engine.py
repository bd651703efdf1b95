"""An engine as a cache uses it that follows its stream: what it changes there, others are told.

What can be is changed on the stream's own connection, where it isn't echoed to who changes it;
anything else in the engine's ordinary way. What that is:

    by hand   told before, so that nobody keeps what was computed from the state before
    any       told after, unless the engine does so itself

If it can't be told, then as soon as the engine is back, as that anything may have changed; and
before what couldn't be dropped is, as well as after.

What was computed stays only if all is known that others changed up to when it was put. On the
stream's own connection the answer says so, since all comes in order. After a put in the ordinary
way the stream has to catch up. If it can't, or is down, nobody knows, and the result isn't kept.
Where the stream is refused for good, as by a server that is too old, nobody waits for it: tables
stay empty, and the engine is used as without coherence.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from .._run.drive import arun, run
from .._run.effects import Ask, Whole, ask
from ..errors import EngineConnectionError, EngineError, EngineTimeoutError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._guard.circuit import Circuit
    from .._run.drive import Effect, Steps
    from ..engine_types import Bytes, Capabilities
    from ..stream_types import Follower, Sent, Stream

__all__ = ["AsyncCoherentEngine", "CoherentEngine", "coherent"]


def coherent(engine: Any, stream: Stream, follower: Follower) -> Any:
    """The engine, of the same colour."""
    kind = AsyncCoherentEngine if engine.capabilities.async_ else CoherentEngine
    return kind(engine, stream, follower)


class _Coherent:
    """What both colours share: the steps.

    Args:
        engine: The engine; caches that have the same one share their tags.
        stream: What tells of its changes.
        follower: On whose behalf it is changed.
    """

    def __init__(self, engine: Any, stream: Stream, follower: Follower) -> None:
        self.guarded = engine
        self._stream = stream
        self._follower = follower

    @property
    def capabilities(self) -> Capabilities:
        """Those of the engine, but for values in pieces."""
        capabilities: Capabilities = self.guarded.capabilities
        return capabilities._replace(pieces=False)

    def __getattr__(self, name: str) -> Any:
        """What else the engine has."""
        if name.startswith("_") or name == "guarded":
            raise AttributeError(name)
        return getattr(self.guarded, name)

    # -- for those who compute -------------------------------------------------------------------

    @property
    def is_deaf(self) -> bool:
        """Whether it isn't known what others change, though it will be."""
        return not (self._stream.hears(self._follower) or self._stream.is_refused)

    def joining(self) -> Steps[None]:
        """Waits for the stream to begin, for the first time; if it is lost, for nothing."""
        if self.is_deaf:
            try:
                yield Ask(self._stream.check, self._follower)
            except EngineError:  # then what is computed isn't kept
                pass

    def _catching_up(self, keys: Sequence[str]) -> Steps[None]:
        """Learns what others changed before now; else what is being computed is grounded."""
        if self._stream.is_refused:
            return
        sent = self._stream.catch_up(self._follower)
        if sent is not None:
            try:
                yield sent
            except EngineError:
                pass
            else:
                return
        self._follower.changed(keys, by_hand=True)

    # -- changes ---------------------------------------------------------------------------------

    def _putting(
        self, items: Mapping[str, Bytes], ttl: float | None, *, by_hand: bool, is_computed: bool
    ) -> Steps[None]:
        keys = list(items)
        sent = self._stream.put(self._follower, items, ttl, by_hand=by_hand)
        is_other = not by_hand and hasattr(self.guarded, "keep")
        otherwise = ask(self.guarded, "keep" if is_other else "put", items, ttl)
        try:
            yield from self._changing(
                sent, otherwise, keys, by_hand=by_hand, is_computed=is_computed
            )
        except EngineTimeoutError as error:
            self._owes(error, keys)
            raise

    def _adding(self, key: str, value: Bytes, ttl: float | None) -> Steps[bool]:
        by_hand = not key.startswith(self._follower.prefixes[1:])  # else it is a tag's token
        sent = self._stream.add(self._follower, key, value, ttl, by_hand=by_hand)
        otherwise = ask(self.guarded, "add", key, value, ttl)
        if sent is not None:
            return bool((yield sent))  # once: if it fails, it may have been done
        return bool((yield from self._changing(None, otherwise, [key], by_hand=by_hand)))

    def _dropping(self, keys: Sequence[str]) -> Steps[int]:
        sent = self._stream.drop(self._follower, keys)
        otherwise = ask(self.guarded, "drop", keys)
        try:
            return int((yield from self._changing(sent, otherwise, keys, by_hand=True)))
        except (EngineConnectionError, EngineTimeoutError) as error:
            if self._owes(error, keys):
                return 0
            raise

    def _swapping(
        self,
        key: str,
        expected: Bytes | None,
        value: Bytes | None,
        ttl: float | None,
        *,
        is_computed: bool,
    ) -> Steps[bool]:
        if expected is None and value is not None:  # which the stream can do without an echo
            sent = self._stream.add(self._follower, key, value, ttl, by_hand=not is_computed)
            if sent is not None:
                return bool((yield sent))
        otherwise = ask(self.guarded, "swap", key, expected, value, ttl)
        return bool(
            (
                yield from self._changing(
                    None, otherwise, [key], by_hand=not is_computed, is_computed=is_computed
                )
            )
        )

    def _touching(self, keys: Sequence[str], ttl: float | None) -> Steps[int]:
        sent = self._stream.touch(self._follower, keys, ttl)
        otherwise = ask(self.guarded, "touch", keys, ttl)
        return int((yield from self._changing(sent, otherwise, keys)))

    def _changing(
        self,
        sent: Sent | None,
        otherwise: Effect,
        keys: Sequence[str],
        *,
        by_hand: bool = False,
        is_computed: bool = False,
    ) -> Steps[Any]:
        """What comes of a change, on the stream's connection or in the ordinary way."""
        if sent is not None:
            try:
                return (yield sent)
            except EngineConnectionError:
                pass  # the stream's connection broke, the engine's may be in order
        steps = self._changing_otherwise(otherwise, keys, by_hand=by_hand)
        if self._stream.tells_all:  # whoever gives up waiting: others have to know
            result = yield Whole(self.guarded, steps)
        else:
            result = yield from steps
        if is_computed:
            yield from self._catching_up(keys)
        return result

    def _changing_otherwise(
        self, otherwise: Effect, keys: Sequence[str], *, by_hand: bool
    ) -> Steps[Any]:
        untold = (yield from self._telling(keys)) if by_hand else None
        if (circuit := self._circuit_for(untold)) is not None:  # before keys may be noted
            circuit.outbox.tell(self._follower, self._telling_all)
        try:
            result = yield otherwise
        except EngineError:  # it may have been done all the same
            yield from self._telling_after(keys, untold, by_hand=by_hand)
            raise
        except BaseException:
            if untold is not None or self._stream.tells_all:
                self._owes(untold or EngineConnectionError("a change was interrupted"))
            raise
        yield from self._telling_after(keys, untold, by_hand=by_hand)
        return result

    def _telling_after(
        self, keys: Sequence[str], untold: EngineError | None, *, by_hand: bool
    ) -> Steps[None]:
        error = None
        if self._stream.tells_all:
            error = yield from self._telling(keys, by_hand=by_hand)
        is_owed = self._owes(error or untold)
        if error is not None and (by_hand or not is_owed):
            raise error  # others may answer with what was before for who knows how long

    def _telling(self, keys: Sequence[str], *, by_hand: bool = True) -> Steps[EngineError | None]:
        """Tells others; gives why it couldn't."""
        circuit = getattr(self.guarded, "circuit", None)
        error: EngineError | None = None if circuit is None else circuit.refusal()
        if error is None:
            tell = partial(self._stream.tell, self._follower, keys, by_hand=by_hand)
            try:
                yield (yield Ask(tell))
            except EngineError as failure:
                error = failure
        return error

    def _owes(self, error: EngineError | None, keys: Sequence[str] = ()) -> bool:
        """Word couldn't be sent: it will be when the engine is back, and these keys be dropped.

        Tells whether anything sees to that, which nothing does for what won't pass by itself.
        """
        circuit = self._circuit_for(error)
        if circuit is None or error is None:
            return False
        circuit.tell_later(error, self._follower, self._telling_all, keys)
        return True

    def _circuit_for(self, error: EngineError | None) -> Circuit | None:
        """What sees to it when the engine is back, if that may come to pass."""
        if isinstance(error, (EngineConnectionError, EngineTimeoutError)):
            circuit: Circuit | None = getattr(self.guarded, "circuit", None)
            return circuit
        return None

    def emptying(self) -> Steps[None]:
        """Much is about to be dropped by hand: nothing that is being computed is to be kept."""
        self._owes((yield from self._telling(())))

    def emptied_later(self, error: EngineError) -> None:
        """It couldn't be, or not all of it: when it is, nothing that was read is to be kept."""
        self._owes(error)

    def _telling_all(self, _: object) -> Steps[None]:
        yield (yield Ask(partial(self._stream.tell, self._follower, (), by_hand=True)))


class CoherentEngine(_Coherent):
    """A blocking engine whose changes are told. Thread-safe."""

    def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """The values; whoever asks wants to be told of changes, too."""
        self._stream.start()
        values: list[bytes | memoryview | None] = self.guarded.get(keys)
        return values

    def put(self, items: Mapping[str, Bytes], ttl: float | None) -> None:
        """Stores the values, by hand."""
        run(self._putting(items, ttl, by_hand=True, is_computed=False))

    def keep(self, items: Mapping[str, Bytes], ttl: float | None, by_hand: bool = False) -> None:
        """Stores values that were computed."""
        run(self._putting(items, ttl, by_hand=by_hand, is_computed=True))

    def add(self, key: str, value: Bytes, ttl: float | None) -> bool:
        """Stores the value if there is none."""
        return run(self._adding(key, value, ttl))

    def drop(self, keys: Sequence[str]) -> int:
        """Forgets the keys."""
        return run(self._dropping(keys))

    def swap(
        self, key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None
    ) -> bool:
        """Stores the value if the expected one is there, by hand."""
        return run(self._swapping(key, expected, value, ttl, is_computed=False))

    def keep_instead(
        self, key: str, expected: Bytes | None, value: Bytes, ttl: float | None
    ) -> bool:
        """Stores a value that was computed if the expected one is there."""
        return run(self._swapping(key, expected, value, ttl, is_computed=True))

    def touch(self, keys: Sequence[str], ttl: float | None) -> int:
        """Gives the entries so many seconds from now."""
        return run(self._touching(keys, ttl))

    def ping(self) -> None:
        """Returns if the engine can serve, and tells of changes."""
        self.guarded.ping()
        self._stream.check(self._follower)


class AsyncCoherentEngine(_Coherent):
    """As `CoherentEngine`, with coroutine functions."""

    _twin: CoherentEngine | None = None

    @property
    def blocking(self) -> CoherentEngine:
        """For those who can't await."""
        if self._twin is None:
            self._twin = CoherentEngine(self.guarded.blocking, self._stream, self._follower)
        return self._twin

    async def get(self, keys: Sequence[str]) -> list[bytes | memoryview | None]:
        """The values."""
        self._stream.start()
        values: list[bytes | memoryview | None] = await self.guarded.get(keys)
        return values

    async def put(self, items: Mapping[str, Bytes], ttl: float | None) -> None:
        """Stores the values, by hand."""
        await arun(self._putting(items, ttl, by_hand=True, is_computed=False))

    async def keep(
        self, items: Mapping[str, Bytes], ttl: float | None, by_hand: bool = False
    ) -> None:
        """Stores values that were computed."""
        await arun(self._putting(items, ttl, by_hand=by_hand, is_computed=True))

    async def add(self, key: str, value: Bytes, ttl: float | None) -> bool:
        """Stores the value if there is none."""
        return await arun(self._adding(key, value, ttl))

    async def drop(self, keys: Sequence[str]) -> int:
        """Forgets the keys."""
        return await arun(self._dropping(keys))

    async def swap(
        self, key: str, expected: Bytes | None, value: Bytes | None, ttl: float | None
    ) -> bool:
        """Stores the value if the expected one is there, by hand."""
        return await arun(self._swapping(key, expected, value, ttl, is_computed=False))

    async def keep_instead(
        self, key: str, expected: Bytes | None, value: Bytes, ttl: float | None
    ) -> bool:
        """Stores a value that was computed if the expected one is there."""
        return await arun(self._swapping(key, expected, value, ttl, is_computed=True))

    async def touch(self, keys: Sequence[str], ttl: float | None) -> int:
        """Gives the entries so many seconds from now."""
        return await arun(self._touching(keys, ttl))

    async def ping(self) -> None:
        """Returns if the engine can serve, and tells of changes."""
        await self.guarded.ping()
        await Ask(self._stream.check, self._follower).arun()
