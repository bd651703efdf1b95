"""Two processes do anything to one store, at random, and every value that they read is checked.

    python -m tests.soak --seconds 60 --engine sqlite [--seed 7] [--plant drop]

It ends with 0 if all was right, with 1 if a read was wrong or too little was done, and prints its
seed, what was done, and what was wrong. With `--plant` the store has an error on purpose.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fixtures.telling_values import number_of
from tests.soak import worker
from tests.soak.history import GET, NOTHING, Operation, counts, read_log, wrong_reads
from twat_cache import Cache

PROCESSES = 2
ENGINES = {
    "sqlite": "sqlite:///{}/store.db",
    "disk": "disk://{}/disk",
    "file": "file://{}/files",
}
DATABASES = {"sqlite": "store.db", "disk": "disk/index.db"}
LEAST = 4
"""How many operations of each kind there must have been for each second."""
SHOWN = 5


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--engine", choices=ENGINES, required=True)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", default=str(int.from_bytes(os.urandom(4), "big")))
    parser.add_argument("--plant", choices=["", "drop", "put", "tags"], default="")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def work(given: argparse.Namespace, folder: str) -> None:
    """Lets the processes work, from one moment on.

    Raises:
        RuntimeError: A process failed.
    """
    command = [sys.executable, "-m", "tests.soak", "--engine", given.engine, "--seed", given.seed,
               "--seconds", str(given.seconds), "--plant", given.plant]  # fmt: skip
    running = [
        subprocess.Popen(
            [*command, "--worker", folder, str(me)], cwd=Path(__file__).parents[2], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for me in range(PROCESSES)
    ]  # fmt: skip
    for process in running:
        process.stdout.readline()
    start = time.monotonic_ns()
    said = []
    for process in running:
        process.stdin.write(f"{start}\n")
        process.stdin.flush()
    for process in running:
        said.append(process.communicate(timeout=given.seconds + 120)[1])
    if any(process.returncode for process in running):
        raise RuntimeError("".join(said))


def at_rest(url: str) -> list[Operation]:
    """What is in the store in the end, as reads."""
    with Cache(url) as cache:
        begin = time.monotonic_ns()
        values = [cache.get(name) for name in worker.NAMES]
    end = time.monotonic_ns()
    return [
        Operation(GET, key, NOTHING if value is None else number_of(key, value), begin, end)
        for key, value in enumerate(values)
    ]


def damage(engine: str, folder: str) -> str:
    """What SQLite finds wrong with its file."""
    if engine not in DATABASES:
        return "ok"
    with sqlite3.connect(os.path.join(folder, DATABASES[engine])) as db:
        (found,) = db.execute("PRAGMA integrity_check").fetchone()
    db.close()
    return found


def soak(given: argparse.Namespace, folder: str) -> int:
    url = ENGINES[given.engine].format(folder)
    work(given, folder)
    operations = [op for log in Path(folder).glob("*.log") for op in read_log(str(log))]
    operations += at_rest(url)
    found = counts(operations)
    wrong = wrong_reads(operations)
    say("; ".join(f"{kind}: {number}" for kind, number in sorted(found.items())))
    few = [kind for kind, number in found.items() if number < LEAST * given.seconds]
    if few:
        say(f"too few of {', '.join(few)}")
    for text in wrong[:SHOWN]:
        say(f"wrong: {text}")
    state = damage(given.engine, folder)
    say(f"{len(wrong)} wrong of {found['get']} reads; the files: {state}")
    return 1 if wrong or few or state != "ok" else 0


def main() -> int:
    given = parsed()
    if given.worker:
        folder, me = given.worker
        url = ENGINES[given.engine].format(folder)
        return worker.main(url, folder, given.seed, int(me), PROCESSES, given.seconds, given.plant)
    say(f"{given.engine}, seed {given.seed}, {PROCESSES} processes, {given.seconds} s")
    with tempfile.TemporaryDirectory() as folder:
        return soak(given, folder)


if __name__ == "__main__":
    sys.exit(main())
