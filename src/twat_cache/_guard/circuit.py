"""The circuit breaker of one engine, and how it closes again (Nygard, Release It!, 2007).

    closed ── a time-out, or some failures in a row ──► open
      ▲                                                  │   a probe in the background asks it
      └── what is due has reached the engine ◄───────────┘   at once, and then later and later

While it is open no call asks the engine, so a dead one costs a call a microsecond. A caller never
pays for a probe. A time-out opens it at once, since it has cost a caller all its time; if it was
but a hiccup, the first probe closes it again within a millisecond or two.

In the child of a fork, which has no probe, the next call starts one.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from random import uniform
from threading import Thread
from time import monotonic

from .._fork_lock import ForkSafeLock
from .._run.drive import arun, run
from .._run.effects import Sleep, ask
from .._run.flight import running_loop
from .._run.tally import label
from ..errors import EngineClosedError, EngineConnectionError, EngineError, EngineTimeoutError
from .outbox import Outbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .._run.drive import Steps
    from .outbox import Work

__all__ = ["Circuit"]

_FIRST = 0.02  # seconds between the first probe and the second
_BATCH = 500


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
        """How often it opened."""
        self._engine = engine
        self._window = window
        self._probe = probe
        self._failed: deque[float] = deque(maxlen=failures)
        self._error: EngineError | None = None  # what opened it; None is closed
        self._since = 0.0
        self._lock = ForkSafeLock()
        self._prober: object = None
        self._pid = 0
        self._is_over = False

    @property
    def is_open(self) -> bool:
        """Whether the engine isn't asked."""
        return self._error is not None

    def refusal(self) -> EngineError | None:
        """The error of a call now; None if the engine may be asked."""
        error = self._error
        if error is None:
            return None
        if self._pid != os.getpid():
            self._send_probe()
        waiting = monotonic() - self._since
        refusal = EngineConnectionError(
            f"{label(self._engine)} didn't serve {waiting:.1f} s ago and isn't asked until it "
            f"does: {error}"
        )
        refusal.__cause__ = error
        return refusal

    def worked(self) -> None:
        """The engine served."""
        if self._failed:
            self._failed.clear()

    def postpone(
        self, error: EngineError, keys: Sequence[str] = (), work: Work | None = None, name: str = ""
    ) -> None:
        """Keys couldn't be dropped, or more be done: it is due before the engine is asked again."""
        if work is not None:
            self.outbox.do(name, work)
        self.outbox.drop(keys)  # before it opens: when it closes, nothing may be in there
        self.failed(error, is_due=True)

    def failed(self, error: EngineError, *, is_due: bool = False) -> None:
        """The engine didn't serve."""
        now = monotonic()
        with self._lock:
            self._failed.append(now)
            is_row = len(self._failed) == self._failed.maxlen
            is_enough = is_row and now - self._failed[0] <= self._window
            is_enough = is_enough or is_due or isinstance(error, EngineTimeoutError)
            if self._error is not None or not is_enough:
                return
            self._error = error
            self._since = now
            self.opened += 1
        _log.warning("%s isn't asked until it serves again: %s", label(self._engine), error)
        self._send_probe()

    def end(self) -> None:
        """The engine is closed: it isn't probed any more."""
        self._is_over = True

    # -- the probe ----------------------------------------------------------------------------

    def _send_probe(self) -> None:
        with self._lock:
            self._pid = os.getpid()
            self._prober = mine = object()
        engine = self._engine
        if engine.capabilities.async_ and hasattr(engine, "blocking"):
            engine = engine.blocking
        steps = self._probing(engine, mine)
        if not engine.capabilities.async_:
            try:
                Thread(target=run, args=(steps,), daemon=True, name="twat_cache").start()
            except RuntimeError:  # the interpreter ends
                steps.close()
            return
        loop = running_loop()
        if loop is not None:
            task = loop.create_task(arun(steps))
            _probes.add(task)
            task.add_done_callback(_probes.discard)

    def _probing(self, engine: Any, mine: object) -> Steps[None]:
        """Asks until the engine has served, and knows all that is due; then closes the circuit."""
        pause = _FIRST
        while self._prober is mine and not self._is_over:
            try:
                yield ask(engine, "ping")
                yield from self._telling(engine)
            except EngineError as error:
                if isinstance(error, EngineClosedError):
                    return
                self._error = error
            else:
                if self._close(mine):
                    return
                continue  # something came to be due meanwhile
            yield Sleep(uniform(pause / 2, pause))
            pause = min(2 * pause, self._probe)

    def _telling(self, engine: Any) -> Steps[None]:
        """Tells the engine what is due."""
        while self.outbox:
            keys, work = self.outbox.take(_BATCH)
            try:
                if keys:
                    yield ask(engine, "drop", keys)
                while work:
                    yield from work[-1][1](engine)
                    work.pop()
            except BaseException:
                self.outbox.drop(keys)
                for name, one in work:
                    self.outbox.do(name, one)
                raise

    def _close(self, mine: object) -> bool:
        """Closes it, if nothing is due; so nobody can ask before the engine knows it all."""
        with self._lock:
            if self._prober is not mine:
                return True
            if self.outbox:
                return False
            self._failed.clear()
            self._error = None
        _log.warning(
            "%s serves again, after %.1f s", label(self._engine), monotonic() - self._since
        )
        return True


_log = logging.getLogger("twat_cache")
_probes: set[Any] = set()  # a loop alone doesn't keep its tasks from being collected
