"""What survives a restart: the demo's work under `bcache`, in a process started twice.

`python -m twat_cache.cli._disk_tier FOLDER FILES` is one start; it prints what it found as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from .. import bcache
from . import _stdlib_index
from ._progress import Progress

__all__ = ["two_starts"]


def two_starts(files: int | None) -> list[dict[str, Any]] | None:
    """Two processes, one after the other, over one folder, which is removed afterwards.

    Args:
        files: How many files to index; all of them if None.

    Returns:
        What each counted and how long it took; None if one failed.
    """
    count = len(_stdlib_index.source_files(files))
    with tempfile.TemporaryDirectory(prefix="twat-cache-demo-") as folder:
        found = []
        for _ in range(2):
            command = [sys.executable, "-m", __name__, os.path.join(folder, "store"), str(count)]
            # stderr is the child's too: its bar is drawn where ours was.
            child = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
            if child.returncode:
                print(f"the disk tier's process ended with {child.returncode}", file=sys.stderr)
                return None
            found.append(json.loads(child.stdout))
    return found


def _one_start(folder: str, files: int) -> dict[str, Any]:
    @bcache(folder, name="index_file")
    def index_file(path: str) -> dict[str, int]:
        return _stdlib_index.index_file.__wrapped__(path)._asdict()

    paths = _stdlib_index.source_files(files)
    lines = 0
    taken = 0.0
    with Progress("disk tier", len(paths)) as progress:
        for path in paths:
            begun = time.perf_counter()
            lines += index_file(path)["lines"]
            taken += time.perf_counter() - begun
            progress.advance()
    stats = index_file.stats()
    index_file.close()
    return {
        "files": len(paths),
        "lines": lines,
        "seconds": taken,
        "computed": stats.loads,
        "from_disk": stats.hits,
    }


if __name__ == "__main__":
    print(json.dumps(_one_start(sys.argv[1], int(sys.argv[2]))))
