"""How throughput changes when a second thread looks up in the same cache."""

from __future__ import annotations

import sys
from threading import Barrier, Thread
from time import perf_counter_ns

from benchmarks.cases import Decorate, hits
from benchmarks.measure import Contender, Spread, quiet

PASSES = 100


def elapsed(made: Contender, threads: int) -> int:
    """Nanoseconds until each of so many threads has made its ``PASSES`` over the look-ups."""
    ready, done = Barrier(threads + 1), Barrier(threads + 1)
    args = made.fresh()

    def work() -> None:
        ready.wait()
        for _ in range(PASSES):
            made.run(args)
        done.wait()

    workers = [Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    ready.wait()
    start = perf_counter_ns()
    done.wait()
    took = perf_counter_ns() - start
    for worker in workers:
        worker.join()
    return took


def scaling(decorate: Decorate, rounds: int) -> Spread:
    """Throughput of two threads over that of one, on one shared cache, loops included.

    With the GIL both threads keep to one CPU: two would only add the time that the interpreter
    takes to wake a thread on another one. Without it they get all CPUs.
    """
    made = hits("int", decorate)
    with quiet(pin=getattr(sys, "_is_gil_enabled", lambda: True)()):
        pairs = [(elapsed(made, 1), elapsed(made, 2)) for _ in range(rounds)]
    return Spread.of([2 * one / two for one, two in pairs])
