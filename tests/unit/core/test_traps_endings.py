"""Interpreters that end or have a sister, pinned on both cores, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from tests.fixtures import worlds


@pytest.fixture
def run(core):
    """Runs a script on the core under test; it has to end well, without a word of complaint."""

    def run(script, *options):
        ended = subprocess.run(
            [sys.executable, "-X", "faulthandler", *options, "-c", textwrap.dedent(script)],
            env=worlds.environment(core),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout.split()

    return run


def test_values_that_call_the_cache_as_they_die_at_shutdown(run):
    assert run("""
        from twat_cache import lru_cache, mcache

        class Value:
            def __init__(self, n):
                self.n = n

            def __del__(self):
                if self.n < 1_000:
                    f(self.n + 1_000)
                    g(self.n + 1_000)

        f = mcache(maxsize=None)(Value)
        g = lru_cache(maxsize=3)(Value)
        for n in range(100):
            f(n), g(n)
        print("bye")
        """) == ["bye"]


def test_methods_and_weakref_callbacks_that_call_the_cache_at_shutdown(run):
    assert run("""
        import weakref
        from twat_cache import mcache

        class Class:
            @mcache
            def method(self, x):
                return self, x

            def __del__(self):
                other.method(id(self))
                Class.method.cache_info()

        other = Class()
        kept = [Class() for _ in range(100)]
        for one in kept:
            one.method(1)
            one.watch = weakref.ref(one, lambda _: other.method(2))
        kept.append(kept)
        print("bye")
        """) == ["bye"]


def test_a_cache_in_a_module_level_cycle_at_shutdown(run):
    assert run("""
        import sys
        from twat_cache import mcache

        class Node:
            @mcache(ttl=60)
            def children(self):
                return [self]

            @mcache
            def __eq__(self, other):
                return self is other

            __hash__ = object.__hash__

        nodes = [Node() for _ in range(50)]
        for node in nodes:
            node.children()
            node.me = node
        sys.modules["nodes_live_on"] = nodes
        print("bye")
        """) == ["bye"]


def test_threads_that_call_the_cache_while_the_interpreter_ends(run):
    assert run("""
        import threading
        from twat_cache import mcache

        @mcache(maxsize=10, ttl=60)
        def f(x):
            return [x]

        def work():
            n = 0
            while True:
                n += 1
                f(n % 20)

        for _ in range(4):
            threading.Thread(target=work, daemon=True).start()
        for n in range(10_000):
            f(n % 20)
        print("bye")
        """) == ["bye"]


def test_coroutine_functions_that_were_closed_and_live_at_shutdown(run):
    assert run("""
        import asyncio
        from twat_cache import acache

        @acache
        async def f(x):
            return [x]

        async def main():
            return await f(1), await f(1)

        asyncio.run(main())
        kept = [f(1), f(1), f(2)]
        kept[0].close()
        kept.pop(1).close()
        kept[1].close()
        print("bye")
        """) == ["bye"]


def test_a_cache_filled_at_exit(run):
    assert run("""
        import atexit
        from twat_cache import mcache

        f = mcache(maxsize=2)(lambda x: [x])
        atexit.register(lambda: print(*[f(n % 3)[0] for n in range(5)]))
        atexit.register(f.cache_clear)
        """) == ["0", "1", "2", "0", "1"]


def test_the_collector_switched_to_its_most_eager(run):
    assert run("""
        import gc
        from twat_cache import mcache

        gc.set_threshold(1, 1, 1)

        class Class:
            def __init__(self):
                self.me = self

            @mcache(maxsize=50)
            def method(self, *args, **kwargs):
                return [self, args]

        for n in range(300):
            one = Class()
            assert one.method(n, [].__class__, k=(n,))[1] == (n, list)
            assert one.method(n, list, k=(n,))[1] == (n, list)
        print(Class.method.cache_info().hits)
        """) == ["300"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_child_goes_on_with_its_copy(run):
    assert sorted(
        run("""
        import os
        from twat_cache import mcache

        f = mcache(lambda x: os.getpid())
        parent = f(1)
        child = os.fork()
        assert f(1) == parent
        os.write(1, b"parent " if child else b"child ")
        if not child:
            assert f(2) == os.getpid()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        """)
    ) == ["child", "parent"]


# -- subinterpreters -------------------------------------------------------------------------------

IN_ANOTHER = """
    import sys
    {main}
    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters

    script = '''if True:
        from twat_cache import core_info, lru_cache, mcache
        f, g = mcache(maxsize=2)(lambda x: [x]), lru_cache(maxsize=2)(lambda x: [x])
        for n in range(20):
            assert f(n % 4) == f(x=n % 4) == g(n % 4) == [n % 4]
        assert core_info().name in ("compiled", "pure") and core_info().reason
        '''
    for _ in range(3):
        {make}
        failed = interpreters.run_string(one, script)
        assert failed is None, failed
        interpreters.destroy(one)
    {end}
    print("bye")
    """


def in_another(main, make, end="pass"):
    return textwrap.dedent(IN_ANOTHER).format(main=main, make=make, end=end)


USED_HERE = "import twat_cache; h = twat_cache.mcache(lambda x: [x]); h(1)"
STILL_USED = "assert h(1) is h(1) and h.cache_info().hits == 2"
LEGACY = (
    "one = interpreters.create('legacy')"
    if sys.version_info >= (3, 13)
    else "one = interpreters.create(isolated=False)"
)


@pytest.mark.parametrize("main", ["pass", USED_HERE], ids=["first there", "first here"])
@pytest.mark.parametrize("make", ["one = interpreters.create()", LEGACY], ids=["own", "legacy"])
def test_a_subinterpreter_imports_the_package_on_whatever_core_it_can(main, make):
    pytest.importorskip(
        "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters",
        reason="this Python makes no subinterpreters",
    )
    script = in_another(main, make, STILL_USED if main == USED_HERE else "pass")
    rest = {k: v for k, v in worlds.environment("pure").items() if k != worlds.FORBIDDEN}
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-X", "faulthandler", "-c", script],
        env=rest,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr, ended.stdout.split()) == (0, "", ["bye"])
