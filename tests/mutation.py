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
TESTS = ["test_side_by_side.py", "test_traps*.py", "test_side_by_side_traces.py"]
PURE = "src/twat_cache/_core_py.py"
PATIENCE = 240  # seconds; the tests take a fraction of it


class Change(NamedTuple):
    """One line, changed."""

    name: str
    file: str
    old: str
    new: str


def pure(name: str, old: str, new: str) -> Change:
    return Change(f"pure: {name}", PURE, old, new)


def compiled(name: str, file: str, old: str, new: str) -> Change:
    return Change(f"compiled: {name}", f"ext/{file}", old, new)


CHANGES = [
    pure(
        "a hit does not move its entry",
        "                entry.used = door.tick()\n",
        "                door.tick()\n",
    ),
    pure(
        "a hit on the long way does not move its entry",
        "            entry.used = self._door.tick()\n",
        "            self._door.tick()\n",
    ),
    pure(
        "the newest leaves first",
        "queue.sort(key=itemgetter(0), reverse=True)",
        "queue.sort(key=itemgetter(0))",
    ),
    pure(
        "what was used since it was queued leaves",
        "if entry is None or entry.used != used:",
        "if entry is None:",
    ),
    pure("one entry too many", "_len(entries) - most) > 0:", "_len(entries) - most) > 1:"),
    pure(
        "an eviction is a removal",
        "return self._leave(entry, self._evicted)",
        "return self._leave(entry, self._removed)",
    ),
    pure(
        "what leaves is not counted",
        "            gone.used = _GONE\n            count()\n",
        "            gone.used = _GONE\n",
    ),
    pure("all ticks are hits", "hits = ticks - stamps", "hits = ticks"),
    pure(
        "an error of __eq__ is taken for one of hashing",
        "                if _is_hashable(args):\n",
        "                if False:\n",
    ),
    pure(
        "fresh one tick too long",
        "(until is None or now < until)",
        "(until is None or now <= until)",
    ),
    pure(
        "the short way is fresh one tick too long",
        "is None or now() < until:",
        "is None or now() <= until:",
    ),
    pure(
        "dead one tick late", "last is not None and now >= last", "last is not None and now > last"
    ),
    pure("nothing is stale", "        last = entry.stale\n", "        last = None\n"),
    pure("valid one tick too long", "now >= self._valid_until", "now > self._valid_until"),
    pure("peek always gives what is stale", "is_kept = stale and not (", "is_kept = not ("),
    pure(
        "an unbounded table is in order of use",
        'attrgetter("since" if self._maxsize is None else "used")',
        'attrgetter("used")',
    ),
    pure(
        "a bound forgets the order of insertion",
        "                    entry.used = entry.since\n",
        "                    pass\n",
    ),
    pure("a deadline one tick late", "new.fresh = now + lasts", "new.fresh = now + lasts + 1"),
    pure(
        "what is stored again keeps its deadline",
        "        self.fresh = new.fresh\n",
        "        pass\n",
    ),
    pure(
        "what is stored again is not moved",
        "                entry.take_over(new)\n                entry.used = self._stamp()[0]\n",
        "                entry.take_over(new)\n",
    ),
    pure(
        "put grounds nothing",
        "        self._ground(hash(filed))\n        self._write(",
        "        self._write(",
    ),
    pure(
        "discard grounds nothing",
        "        self._ground(hash(filed))\n        now =",
        "        now =",
    ),
    pure(
        "clear grounds nothing",
        "        self._ground(None)\n        self._zero",
        "        self._zero",
    ),
    pure(
        "resize grounds nothing",
        "        self._ground(None)\n        if (maxsize",
        "        if (maxsize",
    ),
    pure(
        "a change grounds all flights",
        "if concerned is None or hash(flight._filed) == concerned:",
        "if True:",
    ),
    pure("a grounded flight lands", "        if flight.grounded:\n", "        if False:\n"),
    pure(
        "a landing never replaces",
        "elif not replace and self._is_fresh(entry, now):",
        "elif self._is_fresh(entry, now):",
    ),
    pure(
        "what leaves with its object is a removal",
        "            table._leave(entry, table._collected)\n",
        "            table._leave(entry, table._removed)\n",
    ),
    pure("objects are not told apart", "key = (id(key[0]), *key[1:])", "key = (0, *key[1:])"),
    pure("bypass is not looked at", "        if table._bypass:\n", "        if False:\n"),
    pure(
        "a lone int is no key of its own",
        "return key[0] if _len(key) == 1 and type(key[0]) in (int, str) else tuple(key)",
        "return tuple(key)",
    ),
    pure(
        "positional-only names are taken",
        "if index >= plan.positional_only and name in kwargs:",
        "if name in kwargs:",
    ),
    pure(
        "extra keywords keep their order",
        "extra = sorted(name for name",
        "extra = list(name for name",
    ),
    pure("typed forgets the types", "            key += map(type, values)\n", "            pass\n"),
    pure(
        "no mark before keywords",
        "            key.append(_MARK)\n            for name in extra:",
        "            for name in extra:",
    ),
    pure(
        "a result for the table's ttl is not stored",
        "if ttl is None or ttl >= 0:",
        "if ttl is None or ttl > 0:",
    ),
    pure(
        "results are stored uncopied",
        "kept = result if self._copier is None else self._copier(result)",
        "kept = result",
    ),
    compiled(
        "the order is not kept", "store.pxd", "    if s.ordered and prev != 0:\n", "    if False:\n"
    ),
    compiled(
        "a removal leaves a hole in the index",
        "store.pxd",
        "if ((position - home) & mask) >= ((position - hole) & mask):",
        "if ((position - home) & mask) > ((position - hole) & mask):",
    ),
    compiled("a change grounds nothing", "store.pxd", "if all or flight.hash == hash:", "if all:"),
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
        "if not replace and is_fresh(s, e, now):",
        "if False:",
    ),
    compiled(
        "an eviction is not counted", "write.pxi", "        s.evictions += 1\n", "        pass\n"
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
        for change in sorted(changes, key=lambda c: c.file != PURE):
            begun = time.perf_counter()
            caught = workshop.judge(change)
            missed += not caught or caught.startswith("!")
            seconds = time.perf_counter() - begun
            print(f"{seconds:5.1f} s  {change.name}: {caught or '! NOT CAUGHT'}", flush=True)  # noqa: T201
    print(f"{len(changes) - missed} of {len(changes)} changes caught")  # noqa: T201
    return missed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
