"""Made-up workloads, each from a seed: the same on every machine and every run.

Zipf's law: the key of rank r is asked for in proportion to r to the power of -s. Many real
workloads come near it, with s between 0.6 and 1.2; alone it is easy, since what was popular stays
so. Hence the harder ones beside it: scans of keys that never come again, and a popularity that
moves on to other keys. A loop is the worst case of recency, uniform keys give nothing to learn.
"""

from __future__ import annotations

import random
from itertools import accumulate, cycle, islice

SEED = 20181210


def zipf(requests: int, keys: int, s: float, seed: int = SEED) -> list[int]:
    """Keys 0 (the most popular) to ``keys`` - 1 by Zipf's law."""
    weights = list(accumulate(rank**-s for rank in range(1, keys + 1)))
    return random.Random(seed).choices(range(keys), cum_weights=weights, k=requests)


def with_scans(stream: list[int], every: int, length: int) -> list[int]:
    """The stream with a scan after ``every`` of its requests: ``length`` new keys, once each."""
    scanned = max(stream) + 1
    mixed: list[int] = []
    for start in range(0, len(stream), every):
        mixed += stream[start : start + every]
        mixed += range(scanned, scanned + length)
        scanned += length
    return mixed


def shifting(stream: list[int], every: int, by: int) -> list[int]:
    """The stream with its popularity moving on: after ``every`` requests all keys rise by ``by``.

    What was the most popular key is soon never asked for again, and what was hardly known rises.
    """
    return [key + at // every * by for at, key in enumerate(stream)]


def loop(requests: int, keys: int) -> list[int]:
    """Keys 0 to ``keys`` - 1 in order, again and again."""
    return list(islice(cycle(range(keys)), requests))


def uniform(requests: int, keys: int, seed: int = SEED) -> list[int]:
    """Keys 0 to ``keys`` - 1, all as likely."""
    return random.Random(seed).choices(range(keys), k=requests)
