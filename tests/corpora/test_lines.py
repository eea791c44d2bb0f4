import gzip
import io
import os
import sys
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from seq2seq.corpora.lines import read_input, read_lines
from seq2seq.errors import DataError

SEPARATORS = "\u2028\u2029\u0085\x0b\x0c\r\x1c\x1d\x1e"


def written(folder: Path, data: bytes, name: str = "text.en") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


@pytest.mark.parametrize("name", ["text.en", "text.en.gz"])
@pytest.mark.parametrize("separator", SEPARATORS)
def test_only_a_line_feed_ends_a_line(tmp_path: Path, separator: str, name: str) -> None:
    path = written(tmp_path, f"one{separator}two\nthree\n".encode(), name)
    assert list(read_lines(path)) == [f"one{separator}two", "three"]


@pytest.mark.parametrize("name", ["text.en", "text.en.gz"])
@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\r\r\nb", ["a\r", "b"]),
        (b"\xef\xbb\xbfa\nb\n", ["a", "b"]),
        (b"\xef\xbb\xbf\nb\n", ["", "b"]),
        (b"a\n\xef\xbb\xbfb\n", ["a", "\ufeffb"]),
        (b"\xef\xbb\xbf", []),
        (b"", []),
        (b"a\nb", ["a", "b"]),
        (b"\n\na\n\n", ["", "", "a", ""]),
        (b"a\0b\n", ["a\0b"]),
    ],
)
def test_line_ends_byte_order_marks_and_blank_lines(tmp_path: Path, data: bytes, lines: list[str], name: str) -> None:
    assert list(read_lines(written(tmp_path, data, name))) == lines


@given(
    st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])).map(lambda s: s.rstrip("\r")))
)
@example(["0\0"])
def test_lines_written_are_lines_read(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    assume(sum(line.count("\r") for line in lines) <= len(lines))  # more of them would end lines
    path = written(tmp_path_factory.getbasetemp(), b"\xef\xbb\xbf" + "".join(f"{line}\n" for line in lines).encode())
    assert list(read_lines(path)) == lines


def test_invalid_utf8_names_file_line_and_byte(tmp_path: Path) -> None:
    path = written(tmp_path, b"fine\nsch\xf6n\n")
    with pytest.raises(DataError, match=r"text\.en, line 2: byte 0xf6 at position 4 is not UTF-8.*iconv") as error:
        list(read_lines(path))
    assert "\n" not in str(error.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.en: no such file"):
        list(read_lines(tmp_path / "none.en"))
    with pytest.raises(DataError, match="is a folder"):
        list(read_lines(tmp_path))


def test_damaged_gzip(tmp_path: Path) -> None:
    path = tmp_path / "text.en.gz"
    path.write_bytes(b"not packed\n")  # as a browser saves it
    assert list(read_lines(path)) == ["not packed"]
    path.write_bytes(gzip.compress("".join(f"line {n}\n" for n in range(9_999)).encode())[:-20])
    with pytest.raises(DataError, match=r"text\.en\.gz: damaged or incomplete gzip"):
        list(read_lines(path))


def test_lines_are_read_lazily(tmp_path: Path) -> None:
    path = written(tmp_path, b"first\n\xff\n")
    assert next(read_lines(path)) == "first"


def test_regular_input_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines, count = read_input(str(written(tmp_path, b"a\n\nb", "text.gz")))
    assert (list(lines), count) == (["a", "", "b"], 3)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\nb\n")))
    lines, count = read_input("-")
    assert (list(lines), count) == (["a", "b"], None)
    reader, writer = os.pipe()
    os.write(writer, b"a\n")
    os.close(writer)
    lines, count = read_input(f"/dev/fd/{reader}")
    assert (list(lines), count) == (["a"], None)
    os.close(reader)


def test_an_invalid_file_is_reported_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 2: byte 0xff"):
        read_input(str(written(tmp_path, b"a\n\xff\n")))
    with pytest.raises(DataError, match="no such file"):
        read_input(str(tmp_path / "nowhere"))
