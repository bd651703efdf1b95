"""Shows that a changed line of either core is caught: `python -m tests.mutation [part of name …]`.

Run it by hand, from the top of a checkout, in an environment that has the package, pytest and
hypothesis, and for the compiled core Cython, setuptools and a C compiler. It copies the package,
changes one line of a core, builds if it has to, and runs the side-by-side and trap tests on the
copy until the first one fails; then the next line. It ends with the score; the exit status is the
number of changes that nothing caught, or that no longer fit the source.

The changes are small on purpose: a comparison turned, a guard dropped, a count forgotten. A crash
and a hang count as caught. Some ten minutes for all, `python -m tests.mutation pure` for half.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

TOP = Path(__file__).parents[1]
TESTS = ["policies/*.py", "test_side_by_side.py", "test_traps*.py", "test_side_by_side_traces.py"]
PURE = "src/twat_cache/_core_py/"
PATIENCE = 240  # seconds; the tests take a fraction of it


class Change(NamedTuple):
    """One line, changed."""

    name: str
    file: str
    old: str
    new: str


def pure(name: str, file: str, old: str, new: str) -> Change:
    return Change(f"pure: {name}", PURE + file, old, new)


def compiled(name: str, file: str, old: str, new: str) -> Change:
    return Change(f"compiled: {name}", f"ext/{file}", old, new)


CHANGES = [
    pure(
        "a hit does not move its entry",
        "gate.py",
        "                entry.used = door.tick()\n",
        "                door.tick()\n",
    ),
    pure(
        "a hit on the long way does not move its entry",
        "table.py",
        "            entry.used = self._door.tick()\n",
        "            self._door.tick()\n",
    ),
    pure(
        "a hit on the long way is not heeded",
        "table.py",
        "            if self._heeds:",
        "            if False:",
    ),
    pure(
        "the newest leaves first",
        "policies/lru.py",
        "queue.sort(key=itemgetter(0), reverse=True)",
        "queue.sort(key=itemgetter(0))",
    ),
    pure(
        "what was used since it was queued leaves",
        "policies/lru.py",
        "not entry.gone and tick(entry) == since:",
        "not entry.gone:",
    ),
    pure("fifo is lru", "policies/fifo.py", 'attrgetter("since")', 'attrgetter("used")'),
    pure(
        "frequencies are not in order",
        "policies/lfu.py",
        "if bucket.frequency != frequency:",
        "if bucket is self._ring:",
    ),
    pure(
        "the hand forgets nothing",
        "policies/sieve.py",
        "            entry.place = entry.used\n            del",
        "            del",
    ),
    pure(
        "new entries are visited",
        "policies/sieve.py",
        "place = entry.used\n        self._ahead",
        "place = -1\n        self._ahead",
    ),
    pure(
        "the hand stays past the head",
        "policies/sieve.py",
        "            self._turn()\n        return",
        "        return",
    ),
    pure("once is enough for main", "policies/s3fifo.py", "entry.hits <= 1", "entry.hits < 1"),
    pure("main forgives at once", "policies/s3fifo.py", "entry.hits -= 1", "entry.hits = 0"),
    pure(
        "ghosts are not remembered",
        "policies/s3fifo.py",
        "if entry.hash in self._ghosts:",
        "if False:",
    ),
    pure(
        "a ghost stays one", "policies/s3fifo.py", "            del self._ghosts[entry.hash]\n", ""
    ),
    pure("there are too many ghosts", "policies/s3fifo.py", "size * 9 // 10", "size"),
    pure(
        "small is asked at a ninth", "policies/s3fifo.py", "len(small) * 10 >=", "len(small) * 9 >="
    ),
    pure(
        "a lead of one lets a newcomer in",
        "policies/segments.py",
        "frequency(new) > frequency(old) + 1 else new",
        "frequency(new) > frequency(old) else new",
    ),
    pure(
        "who left is forgotten",
        "policies/tinylfu.py",
        "        self._sketch.raise_to(entry.place, self._times_seen(entry))\n",
        "",
    ),
    pure(
        "counts are never halved",
        "policies/tinylfu.py",
        "            self._age += _AGE\n",
        "",
    ),
    pure(
        "a count is halved when it is used, and not else",
        "policies/tinylfu.py",
        "return self._of_age(entry.hits) & _TIMES",
        "return entry.hits & _TIMES",
    ),
    pure(
        "an age waits for nobody",
        "policies/tinylfu.py",
        "self._unvisited = self._size",
        "self._unvisited = 0",
    ),
    pure(
        "hits without newcomers are shown for ever",
        "policies/tinylfu.py",
        "            self._shown += 1\n",
        "",
    ),
    pure(
        "what is to be halved is not told doubled",
        "policies/sketch.py",
        "            least = min(least * 2, _MOST)\n",
        "            pass\n",
    ),
    pure(
        "half of m is enough to lead",
        "policies/simulation.py",
        "if most > 3 * m // 5:",
        "if most > m // 2:",
    ),
    pure(
        "a hit is not heard of before its entry leaves",
        "store.py",
        "        if self._word:\n            self._settle(now, gone)\n        return self._leave",
        "        return self._leave",
    ),
    pure(
        "room for a heavier value is made too early",
        "store.py",
        " and entry not in self._word:",
        ":",
    ),
    pure("hits are counted to four", "policies/s3fifo.py", "_MOST = 3", "_MOST = 4"),
    pure(
        "one entry too many",
        "store.py",
        "self._known + entries > self._maxsize",
        "self._known + entries > self._maxsize + 1",
    ),
    pure(
        "one unit of weight too many",
        "store.py",
        "self._load + weight > self._max_weight",
        "self._load + weight > self._max_weight + 1",
    ),
    pure("an eviction is a removal", "store.py", 'cause = "size"', 'cause = "explicit"'),
    pure("a dead victim is evicted", "store.py", 'cause = "expired"', "pass"),
    pure("what leaves is not counted", "store.py", "        self._count[cause]()\n", ""),
    pure(
        "what leaves is not told of", "store.py", "gone.append((left, left.value, cause))", "pass"
    ),
    pure("all ticks are hits", "store.py", "(ticks - stamps, *events)", "(ticks, *events)"),
    pure("what is heavier now weighs as before", "store.py", "weight - entry.weighed", "0"),
    pure("what left weighs on", "store.py", "            self._load -= entry.weighed\n", ""),
    pure(
        "a bound forgets the order of insertion",
        "store.py",
        "            entry.used = entry.since = self._tally.stamp()[0]",
        "            pass",
    ),
    pure("no more than sixteen", "table.py", "_PER_WRITE = 16", "_PER_WRITE = 17"),
    pure(
        "the running tick is over",
        "table.py",
        "self._expire(now >> TICK_BITS, _PER",
        "self._expire((now >> TICK_BITS) + 1, _PER",
    ),
    pure("a sweep is one late", "store.py", "end <= now:", "end < now:"),
    pure(
        "what moved on is dead",
        "expiry.py",
        "end >> self._bits == tick",
        "end >> self._bits >= tick",
    ),
    pure("an earlier end is missed", "expiry.py", "is None or tick < entry.alarm", "is None"),
    pure(
        "a tick is looked through once",
        "expiry.py",
        "self._add(tick)",
        "self._ticks or self._add(tick)",
    ),
    pure(
        "an error of __eq__ is taken for one of hashing",
        "gate.py",
        "                if _is_hashable(args):\n",
        "                if False:\n",
    ),
    pure(
        "fresh one tick too long",
        "table.py",
        "(until is None or now < until)",
        "(until is None or now <= until)",
    ),
    pure(
        "busy one tick too long",
        "table.py",
        "(idle is None or now < idle)",
        "(idle is None or now <= idle)",
    ),
    pure(
        "the short way is fresh one tick too long",
        "table.py",
        "is None or now() < until:",
        "is None or now() <= until:",
    ),
    pure("the short way is busy one tick too long", "table.py", "time >= idle", "time > idle"),
    pure("a hit does not keep busy", "table.py", "            entry.idle = time + tti\n", ""),
    pure("dead one tick late", "table.py", "now >= end and", "now > end and"),
    pure(
        "nothing is stale",
        "store.py",
        "self.fresh if self.stale is None else self.stale",
        "self.fresh",
    ),
    pure(
        "valid one tick too long", "table.py", "now >= self._valid_until", "now > self._valid_until"
    ),
    pure(
        "peek always gives what is stale",
        "table.py",
        "is_kept = stale and not (",
        "is_kept = not (",
    ),
    pure(
        "a deadline one tick late",
        "table.py",
        "new.fresh = now + lasts",
        "new.fresh = now + lasts + 1",
    ),
    pure(
        "what is stored again keeps its deadline",
        "store.py",
        "        self.fresh = new.fresh\n",
        "",
    ),
    pure(
        "what is stored again keeps its weight",
        "store.py",
        "        self.weight = new.weight\n",
        "",
    ),
    pure(
        "what is stored again is not moved",
        "table.py",
        "                    entry.used = self._tally.stamp()[0]\n",
        "",
    ),
    pure("the same object is told of", "table.py", "if old is not value:", "if True:"),
    pure(
        "a rejected value leaves what it would replace",
        "table.py",
        'self._let_go(entry, "replaced", now, gone)',
        "pass",
    ),
    pure("a rejection is not counted", "table.py", "        self._tally.rejected()\n", ""),
    pure(
        "put grounds nothing",
        "table.py",
        "        self._ground(hash(filed))\n        self._write(",
        "        self._write(",
    ),
    pure(
        "discard grounds nothing",
        "table.py",
        "        self._ground(hash(filed))\n        now =",
        "        now =",
    ),
    pure(
        "clear grounds nothing",
        "table.py",
        "        self._ground(None)\n        now =",
        "        now =",
    ),
    pure(
        "resize grounds nothing",
        "table.py",
        "        self._ground(None)\n        self._maxsize",
        "        self._maxsize",
    ),
    pure(
        "a change grounds all flights",
        "table.py",
        "if concerned is None or hash(flight._filed) == concerned:",
        "if True:",
    ),
    pure("a grounded flight lands", "table.py", "flight is not None and flight.grounded", "False"),
    pure(
        "a landing never replaces",
        "table.py",
        "elif not replace and self._is_fresh(entry, now):",
        "elif self._is_fresh(entry, now):",
    ),
    pure(
        "what leaves with its object is a removal",
        "store.py",
        'store._drop(entry, "collected", store._time())',
        'store._drop(entry, "explicit", store._time())',
    ),
    pure(
        "objects are not told apart",
        "table.py",
        "key = (id(key[0]), *key[1:])",
        "key = (0, *key[1:])",
    ),
    pure(
        "bypass is not looked at", "gate.py", "        if table._bypass:\n", "        if False:\n"
    ),
    pure(
        "a lone int is no key of its own",
        "gate.py",
        "return key[0] if _len(key) == 1 and type(key[0]) in (int, str) else tuple(key)",
        "return tuple(key)",
    ),
    pure(
        "positional-only names are taken",
        "gate.py",
        "if index >= plan.positional_only and name in kwargs:",
        "if name in kwargs:",
    ),
    pure(
        "extra keywords keep their order",
        "gate.py",
        "extra = sorted(name for name",
        "extra = list(name for name",
    ),
    pure(
        "typed forgets the types",
        "gate.py",
        "            key += map(type, values)\n",
        "            pass\n",
    ),
    pure(
        "no mark before keywords",
        "gate.py",
        "            key.append(MARK)\n            for name in extra:",
        "            for name in extra:",
    ),
    pure(
        "a result for the table's ttl is not stored",
        "gate.py",
        "if ttl is None or ttl >= 0:",
        "if ttl is None or ttl > 0:",
    ),
    pure(
        "results are stored uncopied",
        "gate.py",
        "kept = result if self._copier is None else self._copier(result)",
        "kept = result",
    ),
    pure(
        "results are not weighed",
        "gate.py",
        "1 if self._weigh is None else self._weigh(result, args, kwargs)",
        "1",
    ),
    pure(
        "a gate is kept alive",
        "gate.py",
        "_live[seen.number] = seen\n",
        "_live[seen.number] = lambda: self\n",
    ),
    compiled("the order is not kept", "order.pxd", "    if prev != 0:\n", "    if False:\n"),
    compiled(
        "a removal leaves a hole in the index",
        "index.pxd",
        "if ((position - home) & mask) >= ((position - hole) & mask):",
        "if ((position - home) & mask) > ((position - hole) & mask):",
    ),
    compiled(
        "a change grounds nothing", "flights.pxd", "if all or flight.hash == hash:", "if all:"
    ),
    compiled(
        "a search goes on after __eq__ changed the table",
        "keys.pxd",
        "if s.changes != changes:",
        "if False:",
    ),
    compiled(
        "fresh one tick too long",
        "keys.pxd",
        "(s.fresh_at and now >= wide(e, s.fresh_at)[0])",
        "(s.fresh_at and now > wide(e, s.fresh_at)[0])",
    ),
    compiled(
        "-1 has the hash of an error",
        "gate.h",
        "return tc_likely(*hash != -1);\n    }\n    if (PyUnicode",
        "return 1;\n    }\n    if (PyUnicode",
    ),
    compiled(
        "a landing replaces what is there",
        "write.pxi",
        "if not replace and is_fresh(s, at(s, i), now):",
        "if False:",
    ),
    compiled(
        "an eviction is not counted",
        "table.pxi",
        "            s.evictions += 1\n",
        "            pass\n",
    ),
    compiled(
        "a hand stays at an entry that leaves",
        "policies/sieve.pxd",
        "    if hand_of(s) == i:\n",
        "    if False:\n",
    ),
    compiled(
        "a ghost that returns stays a ghost",
        "policies/ghosts.pxd",
        "    lay_ghost(g, position)\n    return True\n",
        "    return True\n",
    ),
    compiled(
        "a bucket is left behind when it is empty",
        "policies/lfu.pxd",
        "    if bucket.oldest == 0 and b:\n",
        "    if False:\n",
    ),
    compiled(
        "a lead of one lets a newcomer in",
        "policies/tinylfu.pxd",
        "times_seen(s, t, old) + 1 else new",
        "times_seen(s, t, old) else new",
    ),
    compiled(
        "who left is forgotten",
        "policies/tinylfu.pxd",
        "    raise_to(&t.sketch, seen_as(at(s, i)), times_seen(s, t, i))\n",
        "",
    ),
    compiled(
        "an age visits nobody",
        "policies/tinylfu.pxd",
        "        mark[0] = of_age(mark[0], t.age)\n",
        "",
    ),
    compiled(
        "what is to be halved is not told doubled",
        "policies/sketch.pxd",
        "        least = min(least * 2, <uint32_t> 15)\n",
        "        pass\n",
    ),
    compiled(
        "an alarm stays where the entry was",
        "wheel.pxd",
        "        s.wheel.first[timer.before & ~HEAD] = i\n    else",
        "        pass\n    else",
    ),
    compiled(
        "a write reclaims nothing",
        "write.pxi",
        "        self.reclaim(now, &spoils)\n",
        "        pass\n",
    ),
    compiled(
        "a victim is never dead",
        "table.pxi",
        "        return EXPIRED if is_dead(s, at(s, i), now) else SIZE\n",
        "        return SIZE\n",
    ),
    compiled(
        "a shape is told by its names alone",
        "shape.pxi",
        "if shape.kwnames == kwnames and shape.nargs == nargs:",
        "if shape.kwnames == kwnames:",
    ),
    compiled(
        "a chain is not mended", "table.pxi", "            self.rechain(i)\n", "            pass\n"
    ),
]


class Workshop:
    """A copy of the checkout in which a core may be spoilt."""

    def __init__(self, place: Path) -> None:
        self.place = place
        rubbish = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", "*.egg-info")
        for name in ("src", "ext", "tests"):
            shutil.copytree(TOP / name, place / name, ignore=rubbish)
        for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(TOP / name, place / name)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs Python in the copy, with the package of the copy."""
        env = os.environ | {
            "PYTHONPATH": str(self.place / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TWAT_CACHE_REQUIRE_EXTENSIONS": "1",
            "SHRINK": "0",
        }
        return subprocess.run(
            [sys.executable, *command],
            cwd=self.place,
            env=env,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def build(self) -> str:
        """Builds the compiled core in place; gives the complaint if that fails."""
        built = self.run("setup.py", "-q", "build_ext", "--inplace", "--force")
        return "" if built.returncode == 0 else (built.stdout + built.stderr)[-800:]

    def verdict(self) -> str:
        """What caught the change; empty if nothing did."""
        core = self.place / "tests" / "unit" / "core"
        files = [str(found) for name in TESTS for found in sorted(core.glob(name))]
        try:
            ran = self.run("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *files)
        except subprocess.TimeoutExpired:
            return "it hangs"
        if ran.returncode == 0:
            return ""
        if ran.returncode != 1:
            return f"it crashes ({ran.returncode})"
        failed = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return failed[0].rpartition("/")[2][:90] if failed else "a failure without a name"

    def judge(self, change: Change) -> str:
        """Makes a change, gives what caught it, and takes it back."""
        path = self.place / change.file
        source = path.read_text(encoding="utf-8")
        if source.count(change.old) != 1:
            return f"! its text occurs {source.count(change.old)} times, not once"
        path.write_text(source.replace(change.old, change.new), encoding="utf-8")
        try:
            complaint = self.build() if change.file.startswith("ext/") else ""
            return f"! it doesn't build: {complaint}" if complaint else self.verdict()
        finally:
            path.write_text(source, encoding="utf-8")


def main(wanted: list[str]) -> int:
    changes = [c for c in CHANGES if all(word in c.name for word in wanted)]
    missed = 0
    with tempfile.TemporaryDirectory(prefix="mutation-") as place:
        workshop = Workshop(Path(place))
        complaint = workshop.build() or workshop.verdict()
        if complaint:
            print(f"The tests have to pass on the unchanged cores first: {complaint}")  # noqa: T201
            return 1
        for change in sorted(changes, key=lambda c: not c.file.startswith(PURE)):
            begun = time.perf_counter()
            caught = workshop.judge(change)
            missed += not caught or caught.startswith("!")
            seconds = time.perf_counter() - begun
            print(f"{seconds:5.1f} s  {change.name}: {caught or '! NOT CAUGHT'}", flush=True)  # noqa: T201
    print(f"{len(changes) - missed} of {len(changes)} changes caught")  # noqa: T201
    return missed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
