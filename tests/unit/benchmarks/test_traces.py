"""The readers of recorded workloads."""

import gzip

import pytest

from benchmarks.traces import UnknownFormat, found, ranked, read

FORMATS = {
    "lirs": ("7\n9\n*\n7\n\n8\n", [0, 1, 0, 2]),
    "arc": ("10 3 0 1\n11 2 0 2\n", [0, 1, 2, 1, 2]),
    "keys": ("user:1\nuser:2\nuser:1\n", [0, 1, 0]),
    "csv with a header": ("time,Key,size\n1,a,10\n2,b,10\n3,a,10\n", [0, 1, 0]),
    "csv without": ("a,10\nb,20\na,30\n", [0, 1, 0]),
    "quoted": ('id\n"a, b"\n"a"\n"a, b"\n', [0, 1, 0]),
}


@pytest.fixture(params=[False, True], ids=["plain", "gzipped"])
def write(request, tmp_path):
    def written(name, text):
        path = tmp_path / (f"{name}.gz" if request.param else name)
        path.write_bytes(gzip.compress(text.encode()) if request.param else text.encode())
        return path

    return written


@pytest.mark.parametrize(("text", "keys"), FORMATS.values(), ids=FORMATS)
def test_a_format_is_known_by_its_content(write, text, keys):
    trace = read(write("some.txt", text))
    assert keys == trace.keys
    assert len(set(keys)) == trace.distinct


@pytest.mark.parametrize("file", ["day.trace", "day.arc", "day.csv", "day"])
def test_a_trace_has_the_name_of_its_file(write, file):
    assert "day" == read(write(file, "1\n")).name


@pytest.mark.parametrize("text", ["", "\n*\n", "1 2 3 4\n" * 20 + "a b c d\n", "7\n" * 20 + "b\n"])
def test_what_is_no_trace_is_refused_by_name(write, text):
    path = write("broken.trace", text)
    with pytest.raises(UnknownFormat, match=r"broken\.trace"):
        read(path)


def test_keys_become_the_ranks_of_their_first_appearance():
    assert [0, 1, 0, 2, 1] == ranked(["b", "a", "b", 7, "a"])


def test_a_folder_s_traces_are_found_by_their_names(write, tmp_path):
    traces = [write(name, "1\n") for name in ("a.trace", "b.csv", "c.ARC")]
    for other in ("README.md", "reference.json"):
        write(other, "1\n")
    (tmp_path / "deeper.trace").mkdir()
    assert traces == found(tmp_path)
