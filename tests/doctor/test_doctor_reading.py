"""Reading to the end: errors of the usual readers are recorded, and reading continues."""

import gzip
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seq2seq.corpora.columns import JsonFile, JsonLinesFile, ParquetFile
from seq2seq.corpora.corpus import Corpus, Pair, PairList
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.files import TextFiles, TsvFile
from seq2seq.corpora.lines import read_lines
from seq2seq.corpora.table import TableFile
from seq2seq.doctor import reading
from seq2seq.doctor.reading import PairBlock, read_blocks
from seq2seq.errors import DataError


def read_whole(corpus: Corpus) -> PairBlock:
    """All rows as one block."""
    parts = list(read_blocks(corpus))
    starts = [sum(len(part.source) for part in parts[:number]) for number in range(len(parts))]
    return PairBlock(
        [line for part in parts for line in part.source],
        [line for part in parts for line in part.target],
        {start + row: error for start, part in zip(starts, parts, strict=True) for row, error in part.errors.items()},
        next((part.unpaired for part in parts if any(part.unpaired)), (0, 0)),
        tuple(note for part in parts for note in part.notes),
        parts[-1].stopped if parts else "",
    )


def text_files(folder: Path, source: bytes, target: bytes) -> TextFiles:
    (folder / "a.en").write_bytes(source)
    (folder / "a.de").write_bytes(target)
    return TextFiles(folder / "a.en", folder / "a.de")


@pytest.mark.parametrize(("sources", "targets"), [(3, 3), (7, 4), (4, 9), (8, 8), (0, 2)])
def test_files_of_any_length_are_read_to_the_end(tmp_path, monkeypatch, sources, targets):
    monkeypatch.setattr(reading, "BLOCK_PAIRS", 4)
    block = read_whole(text_files(tmp_path, b"a\n" * sources, b"b\n" * targets))
    pairs = min(sources, targets)
    assert (block.source, block.target) == (["a"] * pairs, ["b"] * pairs)
    assert block.unpaired == (sources - pairs, targets - pairs)
    expected = f"{tmp_path}/a.de has {targets:,} lines, {tmp_path}/a.en {sources:,}: they must match"
    assert block.notes == ((expected,) if sources != targets else ())


def test_bytes_that_are_not_utf8_are_preserved(tmp_path):
    block = read_whole(text_files(tmp_path, b"fine\nsch\xf6n\n\xc3\n", b"eins\r\nzwei\r\ndrei"))
    assert block.source == ["fine", "sch\udcf6n", "\udcc3"]
    assert block.target == ["eins", "zwei", "drei"]


@example(b"\x81o", False)  # the guess is EBCDIC, in which both are ASCII characters
@given(st.binary(max_size=60).map(lambda data: data.replace(b"\x80", b"\n")), st.booleans())
def test_lines_are_those_of_the_usual_reader(tmp_path_factory, data, compressed):
    path = tmp_path_factory.getbasetemp() / ("any.txt.gz" if compressed else "any.txt")
    path.write_bytes(gzip.compress(data) if compressed else data)
    try:
        lines = read_whole(TextFiles(path, path)).source
    except DataError as error:  # recognized as UTF-16, an archive, …
        with pytest.raises(DataError, match=re.escape(str(error))):
            list(read_lines(path, setting="data.encoding"))
        return
    assert b"".join(line.encode("utf-8", "surrogateescape") + b"\n" for line in lines).count(b"\n") == len(lines)
    try:
        assert lines == list(read_lines(path))
    except DataError:
        assert any("\udc80" <= char <= "\udcff" for line in lines for char in line)


def test_lines_before_damaged_gzip_data_are_read_and_the_damage_is_noted(tmp_path):
    data = gzip.compress("".join(f"line {n * n}\n" for n in range(9_999)).encode())
    (tmp_path / "a.en.gz").write_bytes(data[: len(data) // 2])
    (tmp_path / "a.de").write_bytes(b"x\n" * 9_999)
    block = read_whole(TextFiles(tmp_path / "a.en.gz", tmp_path / "a.de"))
    assert 100 < len(block.source) == len(block.target) < 9_999
    assert block.source[:2] == ["line 0", "line 1"]
    assert "a.en.gz: damaged or incomplete gzip data after line" in block.notes[0]
    assert "they must match" in block.notes[1]
    assert block.stopped == block.errors[len(block.source) - 1] == block.notes[0], "the last row stands for the rest"


def test_unreadable_rows_are_recorded_with_their_number(tmp_path):
    (tmp_path / "a.tsv").write_bytes(b"a\tb\nonly one\nc\td\xff\n")
    block = read_whole(TsvFile(tmp_path / "a.tsv", "1", "2"))
    assert (block.source, block.target) == (["a", "", "c"], ["b", "", "d\udcff"])
    assert list(block.errors) == [1]
    assert "line 2: 1 tab-separated columns, but 2 are needed" in block.errors[1]
    lines = [
        json.dumps({"en": "a", "de": "b"}),
        "{",
        json.dumps({"en": 1, "de": "b"}),
        json.dumps({"en": "x\ny"}),
        "[]",
    ]
    (tmp_path / "a.jsonl").write_text("\n".join([*lines, json.dumps({"en": "\ud800", "de": None})]))
    block = read_whole(JsonLinesFile(tmp_path / "a.jsonl", "en", "de"))
    assert (block.source, block.target) == (["a", "", "", "", "", "\ud800"], ["b", "", "", "", "", ""])
    assert sorted(block.errors) == [1, 2, 3, 4]
    (tmp_path / "a.json").write_text('[{"en": "a", "de": "b"}, {"en": "c"}, {"en": "e", "de": "f"}]')
    block = read_whole(JsonFile(tmp_path / "a.json", "en", "de"))
    assert (block.source, sorted(block.errors)) == (["a", "", "e"], [1])


def test_parquet_with_bytes_that_are_not_utf8(tmp_path):
    raw = pa.array([b"fine", b"sch\xf6n", None], pa.binary())
    source = pa.StringArray.from_buffers(3, raw.buffers()[1], raw.buffers()[2], raw.buffers()[0])
    pyarrow.parquet.write_table(pa.table({"en": source, "de": pa.array(["a", "b", "c"])}), tmp_path / "a.parquet")
    block = read_whole(ParquetFile(tmp_path / "a.parquet", "en", "de"))
    assert (block.source, block.target) == (["fine", "sch\udcf6n", ""], ["a", "b", "c"])
    pyarrow.parquet.write_table(pa.table({"en": pa.array([1, 2]), "de": ["a", "b"]}), tmp_path / "b.parquet")
    assert sorted(read_whole(ParquetFile(tmp_path / "b.parquet", "en", "de")).errors) == [0, 1]


def test_other_corpora_are_read_up_to_their_first_error(monkeypatch):
    monkeypatch.setattr(reading, "BLOCK_PAIRS", 2)

    class Failing(PairList):
        def __iter__(self):
            yield from self.pairs
            raise DataError("the rest is gone")

    block = read_whole(Failing("list", [Pair("a", "b")] * 5))
    assert (block.source, block.notes) == (["a"] * 5 + [""], ("the rest is gone",))
    assert (block.errors, block.stopped) == ({5: "the rest is gone"}, "the rest is gone")


@pytest.mark.parametrize("lost", ['"We sleep', '"We" sleep', '"We sleep""', 'x,"Wir"schlafen'])
@pytest.mark.parametrize("after", [["c,d", "e,f"], ['"c","d"', '"e","f"'], ['c,"d"', 'e,"f"']])
def test_a_row_with_wrong_quotation_marks_is_the_only_one_that_is_lost(tmp_path, lost, after):
    (tmp_path / "a.csv").write_text("\n".join(["en,de", "a,b", f"{lost},Wir schlafen", *after, ""]))
    block = read_whole(TableFile(tmp_path / "a.csv", "en", "de"))
    assert (block.source, block.target) == (["a", "", "c", "e"], ["b", "", "d", "f"])
    assert list(block.errors) == [1]
    assert "a.csv, line 3: wrong quotation marks" in block.errors[1]
    assert block.stopped == ""


def test_a_table_is_read_on_after_bytes_that_are_not_utf8(tmp_path):
    rows = [f"a{number},b{number}" for number in range(20)]
    for place in (12, 19):
        lines = [row.encode() for row in rows]
        lines[place] = b"sch\xf6n,ja"
        (tmp_path / "a.csv").write_bytes(b"\n".join(lines))
        corpus = TableFile(tmp_path / "a.csv", "en", "de")
        block = read_whole(corpus)
        assert (len(block.source), block.source[place], block.errors) == (20, "sch\udcf6n", {})
        with pytest.raises(DataError, match=rf"a\.csv, line {place + 1}: byte 0xf6 at position 4 is not UTF-8"):
            list(corpus)
    (tmp_path / "a.csv").write_bytes(b"\n".join([b"\xf6,de", *lines]))
    with pytest.raises(DataError, match=r"line 1: byte 0xf6 .* is not UTF-8"):
        TableFile(tmp_path / "a.csv", "en", "de")
    (tmp_path / "a.json").write_bytes(b'[{"en": "a", "de": "b"}, {"en": "\xf6", "de": "b"}, {"en": "c", "de": "d"}]')
    assert read_whole(JsonFile(tmp_path / "a.json", "en", "de")).source == ["a", "\udcf6", "c"]


def test_a_missing_file_and_a_pipe_are_errors(tmp_path):
    corpus = text_files(tmp_path, b"a\n", b"b\n")
    corpus.source.unlink()
    with pytest.raises(DataError, match=r"a\.en: no such file"):
        list(read_blocks(corpus))
    with pytest.raises(DataError, match="can be read only once"):
        reading.LineReader(CorpusFile(Path("/dev/null")))
