"""The circuit breaker of one engine, and how it closes again (Nygard, Release It!, 2007).

    closed ── a time-out, or some failures in a row ──► open
      ▲                                                  │   a probe in the background asks it
      └── what is due has reached the engine ◄───────────┘   at once, and then later and later

While it is open no call asks the engine, so a dead one costs a call some microseconds. A caller
never pays for a probe. A time-out opens it at once, since it has cost a caller all its time, unless
others were served meanwhile; if it was but a hiccup, the first probe closes it again within a
millisecond or two. If the engine answers the probe and then serves nobody, the next probe waits,
longer each time, up to two seconds.

In the child of a fork, which has no probe, the next call starts one; so it does if the probe is
gone for another reason.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from random import uniform
from threading import Thread
from time import monotonic
from weakref import WeakSet

from .._fork_lock import ForkSafeLock, living
from .._run.drive import arun, run
from .._run.effects import Sleep, ask, blocking
from .._run.flight import running_loop
from .._run.tally import label
from ..errors import EngineClosedError, EngineConnectionError, EngineError, EngineTimeoutError
from .outbox import Due, Outbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from .._run.drive import Steps
    from .outbox import Work

__all__ = ["TRANSIENT", "Circuit"]

TRANSIENT = (EngineTimeoutError, EngineConnectionError)
"""What may pass by itself."""

_FIRST = 0.02  # seconds between the first probe and the second
_LONGEST = 2.0  # seconds before the first probe of an engine that serves nobody but the probe


class Circuit:
    """Whether an engine may be asked, and what it has to be told when it may again. Thread-safe.

    Args:
        engine: What is probed: an engine that blocks, or one that is awaited, which is probed by
            its `blocking` twin, or else in the event loop of who found it dead.
        attempts: How often what may be repeated is tried, if it fails at once.
        failures: After how many in a row the circuit opens.
        window: Within how many seconds these must come.
        probe: The longest time in seconds from one probe to the next.
        queue: How many keys are kept to be dropped when the engine is back.

    Attributes:
        opened: How often it opened.
        served: How often the engine served; counted by who asked it.
        error: What opened it; None if it is closed.
    """

    def __init__(
        self,
        engine: Any,
        *,
        attempts: int = 2,
        failures: int = 3,
        window: float = 10.0,
        probe: float = 0.5,
        queue: int = 10_000,
    ) -> None:
        self.attempts = attempts
        self.outbox = Outbox(queue)
        self.opened = 0
        self.served = 0
        self._engine = engine
        self._most = failures
        self._window = window
        self._probe = probe
        self._row = 0  # failures, none of which the engine has served since
        self._served_before = 0  # the last of them
        self._row_since = 0.0
        self.error: EngineError | None = None
        self._since = 0.0
        self._served_at_close = -1
        self._penalty = 0.0
        self._lock = ForkSafeLock()
        self._prober: Any = None  # a thread or a task
        self._pid = 0
        self._is_over = False
        _every.add(self)

    @property
    def is_open(self) -> bool:
        """Whether the engine isn't asked."""
        return self.error is not None

    def refusal(self) -> EngineError | None:
        """The error of a call now; None if the engine may be asked."""
        error = self.error
        if error is None or self._is_over:
            return None
        if not self._is_probed() and not self._send_probe() and not self.outbox:
            return None  # nobody would ever ask, and nothing is due that calls must not see
        waiting = monotonic() - self._since
        refusal = EngineConnectionError(
            f"{label(self._engine)} didn't serve {waiting:.1f} s ago and isn't asked until it "
            f"does: {error}"
        )
        refusal.__cause__ = error
        return refusal

    def postpone(self, error: EngineError, keys: Sequence[str]) -> None:
        """Keys couldn't be dropped: that is due before the engine is asked again."""
        self.outbox.drop(keys)  # before it opens: when it closes, nothing may be in there
        self._open(error)

    def tell_later(
        self, error: EngineError, whose: object, word: Work, keys: Sequence[str] = ()
    ) -> None:
        """Word couldn't be sent, or keys not be dropped besides: that is due; see `Outbox.tell`."""
        self.outbox.tell(whose, word, keys)
        self._open(error)

    def forget_later(self, error: EngineError, key: str, value: bytes) -> None:
        """A key is to be dropped if it has this value."""
        self.outbox.forget(key, value)
        self._open(error)

    def clear_later(self, error: EngineError, prefix: str) -> None:
        """Keys that begin so couldn't be dropped, all of them: that is due."""
        self.outbox.clear(prefix)
        self._open(error)

    def failed(self, error: EngineError, served: int = -1) -> None:
        """The engine didn't serve; it had done so as often when this call began."""
        with self._lock:
            now = monotonic()
            is_after_success = self.served != self._served_before
            if is_after_success or not self._row or now - self._row_since > self._window:
                self._row, self._row_since = 0, now
            self._row += 1
            self._served_before = self.served
            is_slow = isinstance(error, EngineTimeoutError) and self.served == served
            if self._row < self._most and not is_slow:
                return
        self._open(error)

    def _open(self, error: EngineError) -> None:
        with self._lock:
            if self.error is not None:
                return
            is_relapse = self.served == self._served_at_close
            self._penalty = min(max(2 * self._penalty, _FIRST), _LONGEST) if is_relapse else 0.0
            self.error = error
            self._since = monotonic()
            self.opened += 1
        level = logging.DEBUG if is_relapse else logging.WARNING
        _log.log(level, "%s isn't asked until it serves again: %s", label(self._engine), error)
        self._send_probe()

    # -- the probe ----------------------------------------------------------------------------

    def _is_probed(self) -> bool:
        prober = self._prober
        if self._pid != os.getpid() or prober is None:
            return False
        if isinstance(prober, Thread):
            return prober.is_alive()
        alive: bool = not prober.done() and prober.get_loop().is_running()  # or it never goes on
        return alive

    def _send_probe(self) -> bool:
        """Lets somebody ask in the background; tells whether anybody does."""
        with self._lock:
            if self._is_probed():
                return True
            if self._is_over or sys.is_finalizing():  # a thread would start, and never run
                return False
            engine = self._engine
            if engine.capabilities.async_ and hasattr(engine, "blocking"):
                engine = blocking(engine)
            self._pid = os.getpid()
            if not engine.capabilities.async_:
                prober: Any = Thread(target=self._ask, args=(engine,), daemon=True)
                prober.name = "twat_cache"
                self._prober = prober
                try:
                    prober.start()
                except RuntimeError:  # there can be no thread now
                    self._prober = None
                return self._prober is not None
            loop = running_loop()
            if loop is None:
                return False
            self._prober = loop.create_task(arun(self._probing(engine)))
            return True

    def _ask(self, engine: Any) -> None:
        run(self._probing(engine))

    def _probing(self, engine: Any) -> Steps[None]:
        """Asks until the engine has served, and knows all that is due; then closes the circuit."""
        pause = _FIRST
        if self._penalty:
            yield Sleep(self._penalty)
        while not self._is_over:
            try:
                yield ask(engine, "ping")
                yield from self.telling(engine)
            except EngineClosedError:
                return
            except Exception as error:
                self.error = error if isinstance(error, EngineError) else _unheard_of(error)
            else:
                if self._close():
                    return
                continue  # something came to be due meanwhile
            yield Sleep(uniform(pause / 2, pause))
            pause = min(2 * pause, self._probe)

    def telling(self, engine: Any) -> Steps[None]:
        """Tells the engine what is due.

        Raises:
            EngineError: It can't be told now. What it will never hear is told of in the log.
        """
        while self.outbox:
            due = self.outbox.due()
            yield from self._doing(due.words, engine)
            for keys in due.batches():
                yield from self._dropping(engine, list(keys))
                self.outbox.done(Due(keys, {}, {}))
            yield from self._doing(due.work, engine)
            if due.keys or due.work:
                yield from self._doing(due.words, engine)
            self.outbox.done(due)

    def _doing(self, work: Mapping[Any, Work], engine: Any) -> Steps[None]:
        for steps in work.values():
            try:
                yield from steps(engine)
            except (*TRANSIENT, EngineClosedError):
                raise
            except EngineError as error:  # nor will it do so later
                name = label(self._engine)
                _log.warning("%s won't do what is due, so values may stay: %s", name, error)

    def _dropping(self, engine: Any, keys: Sequence[str]) -> Steps[None]:
        """Has the engine drop the keys; one by one, if it won't have one of them."""
        try:
            yield ask(engine, "drop", keys)
        except (*TRANSIENT, EngineClosedError):
            raise
        except EngineError:
            for key in keys:
                try:
                    yield ask(engine, "drop", [key])
                except (*TRANSIENT, EngineClosedError):
                    raise
                except EngineError as error:
                    name = label(self._engine)
                    _log.warning("%s won't drop a key, so its value stays: %s", name, error)

    def _close(self) -> bool:
        """Closes it, if nothing is due; so nobody can ask before the engine knows it all."""
        with self._lock:
            if self.outbox:
                return False
            was_told = not self._penalty
            self._row = 0
            self._served_at_close = self.served
            self.error = None
            self._prober = None
        level = logging.WARNING if was_told else logging.DEBUG
        took = monotonic() - self._since
        _log.log(level, "%s serves again, after %.1f s", label(self._engine), took)
        return True

    # -- the end ------------------------------------------------------------------------------

    def ending(self, engine: Any) -> Steps[None]:
        """Ends the probe; tells the engine what is due, or else the log that it couldn't be."""
        self._is_over = True
        try:
            yield from self.telling(engine)
        except EngineError as error:
            self.despair(error)

    def stop(self) -> None:
        """Ends the probe."""
        self._is_over = True

    def despair(self, error: EngineError) -> None:
        """Nobody is left who could tell the engine what is due."""
        self._is_over = True
        many = len(self.outbox)
        if many:
            name = label(self._engine)
            _log.error("%s wasn't told to drop %d keys, which may be stale: %s", name, many, error)


def _unheard_of(error: Exception) -> EngineError:
    wrong = EngineError(f"the engine raised what is no EngineError, a {type(error).__name__}")
    wrong.__cause__ = error
    return wrong


_log = logging.getLogger("twat_cache")
_every: WeakSet[Circuit] = WeakSet()


def _at_exit() -> None:
    """A program that ends tells its engines what is due, if they can be asked by now."""
    for circuit in living(_every):
        if circuit.outbox and not circuit._is_over:
            try:
                run(circuit.ending(blocking(circuit._engine)))
            except EngineError as error:
                circuit.despair(error)


atexit.register(_at_exit)
