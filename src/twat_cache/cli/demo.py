"""`python -m twat_cache demo`: the library at its main job, on this interpreter's own sources.

One run happens in this process, on whichever core was chosen; the other in a child process that
was told to use the pure core. Then a process with a disk tier is started twice.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

from .. import core_info
from . import _disk_tier, _hit_cost, _report, _stdlib_index
from ._progress import Progress
from .info import installed_version, interpreter

CHUNK = 5_000


def run(*, lookups: int, files: int | None, with_pure: bool, as_json: bool) -> int:
    """Run the demo on this process's core, on the pure one, and on disk; print what came out.

    Args:
        lookups: Length of the stream of look-ups.
        files: How many files to index; all of them if None.
        with_pure: Whether to run once more on the pure core.
        as_json: Print one JSON document instead of text.

    Returns:
        The exit status.
    """
    try:
        paths = _stdlib_index.source_files(files)
    except _stdlib_index.NoSourcesError as error:
        print(f"the demo needs the standard library in source form: {error}", file=sys.stderr)
        return 1
    head = {
        "version": installed_version(),
        "python": interpreter(),
        "library": _stdlib_index.library_folder(),
        "left_out": sorted(_stdlib_index.LEFT_OUT),
    }
    first = _one_run(paths, lookups)
    runs = [first]
    if not as_json:
        print(_report.heading(head))
        print(_report.section(first), flush=True)
    if with_pure and first["core"] != "pure":
        second = _pure_run(lookups, files)
        if second is None:
            return 1
        runs.append(second)
        if not as_json:
            print(_report.section(second))
            print(_report.comparison(first, second))
    elif not as_json:
        print(_report.no_second_run(first["core"]))
    starts = _disk_tier.two_starts(files)
    if starts is None:
        return 1
    if as_json:
        print(json.dumps({**head, "runs": runs, "disk": starts}, indent=2))
    else:
        print(_report.disk_tier(*starts))
    return 0


def _one_run(paths: list[str], lookups: int) -> dict[str, Any]:
    index_file = _stdlib_index.index_file
    stream = _stdlib_index.popular_stream(paths, lookups)
    core = core_info()
    index_file.cache_clear()

    answers = {}
    cold = 0.0
    with Progress(f"{core.name} core, cold pass", len(paths)) as progress:
        for path in paths:
            begun = time.perf_counter()
            answers[path] = index_file(path)
            cold += time.perf_counter() - begun
            progress.advance()

    begun = time.perf_counter()
    for path in paths:
        index_file(path)
    warm = time.perf_counter() - begun

    answered = 0.0
    lines = 0
    with Progress(f"{core.name} core, look-ups", len(stream)) as progress:
        for at in range(0, len(stream), CHUNK):
            chunk = stream[at : at + CHUNK]
            begun = time.perf_counter()
            for path in chunk:
                lines += index_file(path).lines
            answered += time.perf_counter() - begun
            progress.advance(len(chunk))
    if lines != sum(answers[path].lines for path in stream):
        raise AssertionError("a look-up was answered with another file's index")

    info = index_file.cache_info()
    with Progress(f"{core.name} core, one hit", _hit_cost.ROUNDS) as progress:
        cost = _hit_cost.measure(index_file, index_file.__wrapped__, answers, stream, progress)
    return {
        "core": core.name,
        "reason": core.reason,
        "files": len(paths),
        "library": _stdlib_index.total(list(answers.values()))._asdict(),
        "lookups": len(stream),
        "cold_pass_s": cold,
        "warm_pass_s": warm,
        "lookups_s": answered,
        "hits": info.hits,
        "misses": info.misses,
        "hit_ratio": info.hits / (info.hits + info.misses),
        "hit_ns": cost.ours,
        "lru_cache_hit_ns": cost.lru_cache,
        "ratio_to_lru_cache": cost.ours / cost.lru_cache,
        "undecorated_call_ns": cost.undecorated,
    }


def _pure_run(lookups: int, files: int | None) -> dict[str, Any] | None:
    command = [sys.executable, "-m", "twat_cache", "demo", "--json", "--no-pure"]
    command += ["--lookups", str(lookups)]
    if files is not None:
        command += ["--files", str(files)]
    environment = {**os.environ, "TWAT_CACHE_NO_EXTENSIONS": "1"}
    environment.pop("TWAT_CACHE_REQUIRE_EXTENSIONS", None)
    # stderr is the child's too: its bar is drawn where ours was.
    child = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if child.returncode:
        print(f"the run on the pure core ended with status {child.returncode}", file=sys.stderr)
        return None
    second: dict[str, Any] = json.loads(child.stdout)["runs"][0]
    return second
