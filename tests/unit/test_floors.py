"""Imports go down only: the table of who may import whom, held against the code.

Imports for type checkers alone (`if TYPE_CHECKING:`) load nothing and are free; imports inside
functions count.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import twat_cache
from tests.fixtures import worlds

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(twat_cache.__file__).parent

FLOORS = {
    0: [
        "errors", "stats", "engine_types", "codec_types", "_option_types", "types", "event_types",
        "config_types", "stream_types", "_duration", "_size", "_missing", "_fork_lock",
    ],
    1: ["_core_py"],
    2: [
        "_core", "_keys", "_kinds", "codecs", "_archive", "_bar", "_footprint", "_listener",
        "_weighing", "_pressure", "_retry_option", "_coherence_option",
        "_path_options", "_options", "_recipe", "events",
        "_sinks", "_log", "_overrides", "_environment", "_settings", "_toml", "config", "_run",
    ],
    "3a": ["_coherence", "_stores", "steps"],
    3: ["engines"],
    4: ["_guard", "_registry", "_open"],
    5: [
        "_scopes", "_override", "_request_scope", "_counted", "_folders", "_tiers",
        "_engine_options", "_replay", "_path", "_store_of",
        "_tagging", "_bound", "_unhashable", "_snapshot", "_warm", "wrapper", "controls",
        "_memory_path", "cached", "async_cached", "replay_cached", "_per_instance", "decorators",
        "_tables", "engine_controls", "engine_cached", "replay_engine_cached", "engine_decorators",
        "_loaders", "_store_parts", "_operations", "stores", "async_stores",
    ],
    6: ["context", "__init__"],
    7: ["testing", "cli", "__main__"],
}  # fmt: skip
"""The rooms of a floor stand in order: each may import those before it."""

FLOORS_BELOW = {
    0: {0},
    1: set(),
    2: {0, 1, 2},
    "3a": {0, 2},
    3: {0},
    4: {0, 2, "3a", 3, 4},
    5: {0, 2, "3a", 4, 5},
    6: {0, 2, "3a", 4, 5, 6},
    7: {6, 7},
}

NOT_ON_ANY_FLOOR = {"utils", "common", "helpers", "manager", "base"}

NEEDS = {
    "engines.diskcache": "diskcache",
    "engines.memcached": "pymemcache",
    "engines.memcached.connection": "pymemcache",
    "engines.memcached.engine": "pymemcache",
    "engines.memcached.replies": "pymemcache",
    "engines.memcached.server": "pymemcache",
    "engines.objects": "obstore",
    "engines.objects.async_engine": "obstore",
    "engines.objects.engine": "obstore",
    "engines.objects.envelope": "obstore",
    "engines.objects.lifecycle": "obstore",
    "engines.objects.place": "obstore",
    "engines.objects.requests": "obstore",
    "engines.objects.steps": "obstore",
    "engines.objects.trouble": "obstore",
    "engines.postgresql": "psycopg",
    "engines.postgresql.async_engine": "psycopg",
    "engines.postgresql.bus": "psycopg",
    "engines.postgresql.commands": "psycopg",
    "engines.postgresql.drivers": "psycopg",
    "engines.postgresql.engine": "psycopg",
    "engines.postgresql.library": "psycopg",
    "engines.postgresql.link": "psycopg",
    "engines.postgresql.links": "psycopg",
    "engines.postgresql.place": "psycopg",
    "engines.postgresql.settled": "psycopg",
    "engines.postgresql.statements": "psycopg",
    "engines.postgresql.stream": "psycopg",
    "engines.postgresql.trouble": "psycopg",
    "engines.redis": "redis",
    "engines.redis.async_engine": "redis",
    "engines.redis.async_lines": "redis",
    "engines.redis.commands": "redis",
    "engines.redis.engine": "redis",
    "engines.redis.failures": "redis",
    "engines.redis.lines": "redis",
    "engines.redis.link": "hiredis",
    "engines.redis.place": "redis",
    "engines.redis.pool": "redis",
    "engines.redis.routes": "redis",
    "engines.redis.settled": "redis",
    "engines.redis.stream": "hiredis",
    "engines.redis.stream_thread": "hiredis",
    "engines.redis.streams": "hiredis",
    "engines.redis.wire": "hiredis",
}
"""Modules that can't be imported without a library that is optional."""

LONGEST = 400

FLOOR = {room: floor for floor, rooms in FLOORS.items() for room in rooms}


def module_name(file: Path) -> str:
    """Dotted, without the package: `_keys.plan`, `_keys`, and `__init__` for the door."""
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


FILES = {module_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}


def room(module: str) -> str:
    return module.partition(".")[0]


def run_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker sees."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield other
                yield from run_time_nodes(other)
        else:
            yield child
            yield from run_time_nodes(child)


def imported_modules(module: str) -> Iterator[tuple[str, int]]:
    """The package's own modules that a module imports at run time, with the line."""
    file = FILES[module]
    here = file.relative_to(PACKAGE).parent.parts
    for node in run_time_nodes(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                start = here[: len(here) - node.level + 1]
                origin = ".".join([*start, *filter(None, [node.module])])
            elif (node.module or "").partition(".")[0] == PACKAGE.name:
                origin = (node.module or "").partition(".")[2]
            else:
                continue
            for alias in node.names:
                full = f"{origin}.{alias.name}".lstrip(".")
                yield full if full in FILES else origin or "__init__", node.lineno
        elif isinstance(node, ast.Import):
            for alias in node.names:
                head, _, rest = alias.name.partition(".")
                if head == PACKAGE.name:
                    yield rest or "__init__", node.lineno


def test_every_room_has_a_floor():
    assert {room(module) for module in FILES} == set(FLOOR)


@pytest.mark.parametrize("module", FILES)
def test_imports_go_down(module):
    mine = FLOOR[room(module)]
    order = FLOORS[mine]
    wrong = []
    for target, line in imported_modules(module):
        its = FLOOR[room(target)]
        if room(target) == room(module):
            continue
        down = its in FLOORS_BELOW[mine]
        if its == mine:
            down = down and order.index(room(target)) < order.index(room(module))
        if not down:
            wrong.append(f"{module}:{line} (floor {mine}) imports {target} (floor {its})")
    assert wrong == []


def test_only_the_chooser_imports_a_core():
    floor = {m for m in FILES if FLOOR[room(m)] == 1}
    users = {m for m in FILES for target, _ in imported_modules(m) if target in floor} - floor
    assert users == {"_core"}


def test_what_stands_on_top_uses_public_names_only():
    for module in FILES:
        if room(module) not in {"cli", "testing"}:
            continue
        for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level > len(module.split(".")):
                assert not {a.name for a in node.names} - set(twat_cache.__all__), module


def test_no_circle_of_modules():
    graph = {m: {t for t, _ in imported_modules(m) if t != m} for m in FILES}
    graph["__main__"].discard("__init__")
    while leaves := {m for m, targets in graph.items() if not targets & set(graph) - {m}}:
        graph = {m: targets for m, targets in graph.items() if m not in leaves}
    assert graph == {}


def test_imports_inside_the_package_are_relative():
    for module, file in FILES.items():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert not [n for n in names if n.partition(".")[0] == PACKAGE.name], module


def test_no_room_without_a_name():
    assert not {part for module in FILES for part in module.split(".")} & NOT_ON_ANY_FLOOR


@pytest.mark.parametrize("module", FILES)
def test_a_long_file_says_why(module):
    text = FILES[module].read_text(encoding="utf-8")
    if text.count("\n") > LONGEST:
        essay = ast.get_docstring(ast.parse(text)) or ""
        assert essay.count("\n") >= 10, f"{module} is over {LONGEST} lines and opens with no essay"


def test_every_module_imports_alone():
    """On the core that is there; the suite runs on an installation without the extension, too."""
    names = [
        PACKAGE.name if module == "__init__" else f"{PACKAGE.name}.{module}"
        for module in FILES
        if module not in NEEDS or find_spec(NEEDS[module]) is not None
    ]
    with ThreadPoolExecutor(4) as pool:
        errors = {name: error for name, error in zip(names, pool.map(_error, names)) if error}
    assert errors == {}


def _error(name):
    """What it says when it is imported, or with which code it ends."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import {name}"],
        env=worlds.environment(twat_cache.core_info().name),
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    return done.stderr or done.returncode
