"""What the tests of the steps share: both colours, and decorators on each kind of store."""

from __future__ import annotations

import threading
from importlib import import_module
from itertools import count

import pytest

from tests.fixtures.colours import COLOURS

_numbers = count()


@pytest.fixture(params=COLOURS)
def colour(request):
    """Functions of one colour, and how to call them."""
    return COLOURS[request.param]


@pytest.fixture(params=["memory", "mapping", "sqlite"])
def place(request):
    """Where results are kept."""
    return request.param


@pytest.fixture
def decorator(tc, place, clock, tmp_path):
    """Makes a decorator with options, for results in this place, by a clock that stands still."""
    engines = []

    def make(**options):
        options = {"name": f"function {next(_numbers)}", **options}
        if place == "memory":
            return tc.mcache(clock=clock, **{"single_flight": True, **options})
        kind = "mapping" if place == "near" else place
        module = import_module(f"{tc.__name__}.engines.{kind}")
        if place in {"mapping", "near"}:
            engine = module.MappingEngine(clock=lambda: clock.now / 1e9)
        else:
            engine = module.SqliteEngine(
                str(tmp_path / f"{len(engines)}.db"), clock=lambda: clock.now / 1e9
            )
        engines.append(engine)
        return tc.ucache(["memory", engine] if place == "near" else engine, clock=clock, **options)

    yield make
    for engine in engines:
        engine.close()


@pytest.fixture
def play(tc, colour):
    """Goes through a script; see `fixtures.colours`."""
    apart = import_module(f"{tc.__name__}._run.apart")
    return lambda script: colour.play(script, apart)


@pytest.fixture
def told(tc):
    """The names of all events, with what they tell."""
    found = []
    stop = tc.events.subscribe(found.append)
    yield found
    stop()


class Shop:
    """A cached function whose runs can be held up, and made to fail."""

    def __init__(self, colour, decorate):
        self.runs = []
        self.gates = {}
        self.failing = {}
        self.f = colour.cached(decorate, self._body())

    def _body(self):
        def body(x=1):
            self.runs.append(x)
            run = len(self.runs)
            if run in self.gates:
                yield self.gates[run]
            if run in self.failing:
                raise self.failing[run]
            return f"run {run}"

        return body

    def hold(self, run):
        """The run, counted from 1, waits until this is set."""
        gate = self.gates[run] = threading.Event()
        return gate

    def __call__(self, x=1):
        return self.f(x)

    def stats(self):
        return self.f.stats()


@pytest.fixture
def shop(colour, decorator):
    """Makes a shop with options."""
    return lambda **options: Shop(colour, decorator(**options))
