"""The file of records: whole or not there, private, and every damage is found."""

from __future__ import annotations

import os
import stat
import sys

import pytest

from twat_cache._archive import read_records, write_records
from twat_cache.errors import SerializationError

RECORDS = [b"header", b"x", b"y" * 3_000_000, bytes(100)]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="has no such permissions or files")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "saved.cache"


def test_records_come_back_in_order(path):
    write_records(path, RECORDS)
    assert list(read_records(path)) == RECORDS


@pytest.mark.parametrize("kind", [str, os.fspath, os.fsencode])
def test_a_path_may_be_a_text_or_bytes(path, kind):
    write_records(kind(path), RECORDS)
    assert list(read_records(kind(path))) == RECORDS


def test_no_records_are_a_file_as_well(path):
    write_records(path, [])
    assert list(read_records(path)) == []


def test_a_relative_path_is_of_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_records("saved.cache", RECORDS)
    assert [file.name for file in tmp_path.iterdir()] == ["saved.cache"]


@POSIX
def test_only_the_owner_may_read_it_also_where_all_could_before(path):
    path.write_bytes(b"")
    path.chmod(0o666)
    write_records(path, RECORDS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_old_file_stays_whole_while_the_new_one_is_written(path):
    write_records(path, [b"old"])

    def records():
        yield b"new"
        assert list(read_records(path)) == [b"old"]

    write_records(path, records())
    assert list(read_records(path)) == [b"new"]


def test_a_failure_leaves_the_old_file_and_nothing_else(path):
    write_records(path, [b"old"])

    def records():
        yield b"new"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_records(path, records())
    assert list(read_records(path)) == [b"old"]
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_is_missing_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_records(tmp_path / "no" / "where", RECORDS)
    with pytest.raises(FileNotFoundError):
        list(read_records(tmp_path / "nothing"))


def test_every_changed_byte_is_found(path):
    write_records(path, [b"header", b"entry"])
    good = path.read_bytes()
    for index in range(len(good)):
        for flip in (0x01, 0xFF):
            path.write_bytes(good[:index] + bytes([good[index] ^ flip]) + good[index + 1 :])
            with pytest.raises(SerializationError):
                list(read_records(path))


def test_every_cut_is_found(path):
    write_records(path, [b"header", b"entry"])
    good = path.read_bytes()
    for length in range(len(good)):
        path.write_bytes(good[:length])
        with pytest.raises(SerializationError):
            list(read_records(path))


@pytest.mark.parametrize("more", [b"\0", b"\0" * 16, b"x" * 100])
def test_something_appended_is_found(path, more):
    write_records(path, RECORDS)
    with open(path, "ab") as file:
        file.write(more)
    with pytest.raises(SerializationError, match="damaged"):
        list(read_records(path))


@pytest.mark.parametrize("data", [b"", b"x", b"PK\x03\x04" * 50, b"\x89PNG\r\n\x1a\n" * 9])
def test_a_foreign_file_is_told(path, data):
    path.write_bytes(data)
    with pytest.raises(SerializationError, match="isn't a saved cache"):
        list(read_records(path))


def test_a_file_of_a_newer_version_is_told(path):
    write_records(path, RECORDS)
    data = bytearray(path.read_bytes())
    data[8:10] = (2).to_bytes(2, "big")
    path.write_bytes(data)
    with pytest.raises(SerializationError, match=r"a newer twat-cache, in format 2.*update it"):
        list(read_records(path))


@POSIX
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_what_is_no_file_is_not_read(device):
    with pytest.raises(SerializationError, match="isn't a saved cache"):
        list(read_records(device))


@POSIX
def test_a_length_that_no_file_has_takes_no_memory(path):
    from hashlib import blake2b

    write_records(path, [])
    data = path.read_bytes()[:10] + b"\x7f" * 8
    path.write_bytes(data + blake2b(data, digest_size=16).digest())
    with pytest.raises(SerializationError, match="damaged"):
        list(read_records(path))


def test_reading_may_end_early(path):
    write_records(path, RECORDS)
    records = read_records(path)
    assert next(records) == b"header"
    records.close()
    path.unlink()
