"""The second process of a race of stores: ``python -m benchmarks.store_neighbour FOLDER SIZE``.

Each line that it reads is the name of a store, which it then uses until it reads ``stop``; it tells
that it has begun, and that it has stopped.
"""

from __future__ import annotations

import random
import sys
from queue import SimpleQueue
from threading import Thread

from benchmarks.store_contestants import NAMES, Store, open_store
from benchmarks.store_races import keys_for, values_for

CALLS = 5


def work(store: Store, keys: list[str], values: list[bytes]) -> None:
    """Puts and gets in turn, a few times."""
    for _ in range(CALLS):
        store.write([(random.choice(keys), random.choice(values))])
        store.read([random.choice(keys)])


def main(folder: str, size: int) -> None:
    """Obeys until the input ends."""
    keys, values = keys_for(size), values_for(size, seed=1)
    orders: SimpleQueue[str] = SimpleQueue()
    Thread(target=listen, args=(orders,), daemon=True).start()
    stores: dict[str, Store] = {}
    while name := orders.get():
        if name not in stores and name in NAMES:
            stores[name] = open_store(name, folder, keys)
        work(stores[name], keys, values)
        print("begun", flush=True)
        while orders.empty():
            work(stores[name], keys, values)
        orders.get()
        print("stopped", flush=True)
    for store in stores.values():
        store.close()


def listen(orders: SimpleQueue[str]) -> None:
    """Hands on what is read; an empty text at the end."""
    for line in sys.stdin:
        orders.put(line.strip())
    orders.put("")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
