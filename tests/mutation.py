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
        "                entries.move_to_end(h)\n",
        "                pass\n",
    ),
    pure("a touch moves nothing", "self._entries.move_to_end(entry.slot)", "pass"),
    pure("the newest leaves first", "popitem(last=False)", "popitem(last=True)"),
    pure(
        "one entry too many",
        "len(self._entries) > self._maxsize:",
        "len(self._entries) > self._maxsize + 1:",
    ),
    pure("an eviction is not counted", 'self._count("evictions")', "pass"),
    pure("equal hashes are equal keys", "            or entry.key != key\n", ""),
    pure(
        "a hit does not look again after __eq__",
        "            or entries.get(h) is not entry  # __eq__ changed the table\n",
        "",
    ),
    pure(
        "the second of two equal hashes is not found",
        "in tuple(self._overflow.get(hash, ())):",
        "in ():",
    ),
    pure(
        "the second of two equal hashes displaces the first", "elif hash in entries:", "elif False:"
    ),
    pure(
        "a slot of an equal hash is not given back",
        "                slots.remove(slot)\n",
        "                slots.clear()\n",
    ),
    pure(
        "fresh one tick too long",
        "if entry.fresh is None or now < entry.fresh:",
        "if entry.fresh is None or now <= entry.fresh:",
    ),
    pure(
        "stale one tick too long",
        "if entry.stale is None or now >= entry.stale:",
        "if entry.stale is None or now > entry.stale:",
    ),
    pure(
        "peek gives nothing stale",
        "until = entry.stale if stale and entry.stale is not None else entry.fresh",
        "until = entry.fresh",
    ),
    pure(
        "items shows what has just expired",
        "if entry.fresh is not None and now >= entry.fresh:",
        "if entry.fresh is not None and now > entry.fresh:",
    ),
    pure(
        "a deadline one tick late",
        "new.fresh = self._now() + lasts",
        "new.fresh = self._now() + lasts + 1",
    ),
    pure(
        "put grounds nothing",
        "        self._ground(hash)\n        self._write(",
        "        self._write(",
    ),
    pure(
        "discard grounds nothing",
        "        self._ground(hash)\n        entry = self.find(",
        "        entry = self.find(",
    ),
    pure(
        "clear grounds nothing", "        self._ground(None)\n        dropped,", "        dropped,"
    ),
    pure(
        "resize grounds nothing",
        "        self._ground(None)\n        self._maxsize = maxsize",
        "        self._maxsize = maxsize",
    ),
    pure("a change grounds all flights", "if hash is None or flight.hash == hash:", "if True:"),
    pure("a grounded flight lands", "        if flight.grounded:\n", "        if False:\n"),
    pure(
        "a landing replaces what is there",
        " and not replace:\n            return False\n",
        " and False:\n            return False\n",
    ),
    pure(
        "the old weight stays", "new.weight - (old.weight if old is not None else 0)", "new.weight"
    ),
    pure(
        "what leaves with its object is a removal",
        'self._remove(entry, "collected")',
        'self._remove(entry, "removals")',
    ),
    pure(
        "an object gets a new record each time",
        "if owner is None or owner.ref() is not instance:",
        "if True:",
    ),
    pure("bypass is not looked at", "        if table.bypass:\n", "        if False:\n"),
    pure(
        "a lone str is no key of its own",
        "len(args) == 1 and type(args[0]) in (int, str):\n            key = args[0]",
        "len(args) == 1 and type(args[0]) is int:\n            key = args[0]",
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
