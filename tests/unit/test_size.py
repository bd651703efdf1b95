"""Amounts of memory, from numbers and texts."""

import pytest

from twat_cache._size import read_size
from twat_cache.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("4096", 4096),
        ("4096B", 4096),
        ("64kB", 64_000),
        ("64MB", 64_000_000),
        ("2GB", 2_000_000_000),
        ("1TB", 10**12),
        ("64KiB", 65_536),
        ("64MiB", 67_108_864),
        ("2GiB", 2_147_483_648),
        ("1TiB", 2**40),
        ("1.5 GiB", 1_610_612_736),
        (" 1.5 kB ", 1500),
        (".5kb", 500),
        ("1.kB", 1000),
        ("64mb", 64_000_000),
        ("64MIB", 67_108_864),
        ("0.1GB", 100_000_000),
        ("1.0009kB", 1000),
    ],
)
def test_a_text_is_read_exactly(text, size):
    assert read_size(text, option="max_bytes") == size


@pytest.mark.parametrize("size", [1, 5000, 2**70])
def test_an_int_is_bytes(size):
    assert read_size(size, option="max_bytes") == size


WRONG = [
    0, -1, True, 1.5, None, b"1MB", "", " ", "MB", ".", "1.2.3MB", "1 MB 5", "-1MB", "0", "0.1B",
    "1e3", "64 parsecs", "1,5MB", "٣MB", "9" * 40,
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_anything_else_is_refused_by_name(wrong):
    with pytest.raises(ConfigurationError, match=r"^max_bytes=.*accepted: bytes as an int"):
        read_size(wrong, option="max_bytes")
