"""What the usual readers raise for is noted here, and reading goes on."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.corpora.columns import JsonLinesFile, ParquetFile
from seq2seq.corpora.corpus import Corpus, Pair, PairList
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.files import TextFiles, TsvFile
from seq2seq.corpora.lines import read_lines
from seq2seq.doctor import rows
from seq2seq.doctor.rows import Rows, read_rows
from seq2seq.errors import DataError


def whole(corpus: Corpus) -> Rows:
    """All rows as one."""
    parts = list(read_rows(corpus))
    starts = [sum(len(part.source) for part in parts[:number]) for number in range(len(parts))]
    return Rows(
        [line for part in parts for line in part.source],
        [line for part in parts for line in part.target],
        {start + place: why for start, part in zip(starts, parts, strict=True) for place, why in part.broken.items()},
        next((part.unpaired for part in parts if any(part.unpaired)), (0, 0)),
        tuple(note for part in parts for note in part.notes),
    )


def text_files(folder: Path, source: bytes, target: bytes) -> TextFiles:
    (folder / "a.en").write_bytes(source)
    (folder / "a.de").write_bytes(target)
    return TextFiles(folder / "a.en", folder / "a.de")


@pytest.mark.parametrize(("sources", "targets"), [(3, 3), (7, 4), (4, 9), (8, 8), (0, 2)])
def test_files_of_any_length_are_read_to_the_end(tmp_path, monkeypatch, sources, targets):
    monkeypatch.setattr(rows, "CHUNK", 4)
    found = whole(text_files(tmp_path, b"a\n" * sources, b"b\n" * targets))
    pairs = min(sources, targets)
    assert (found.source, found.target) == (["a"] * pairs, ["b"] * pairs)
    assert found.unpaired == (sources - pairs, targets - pairs)
    expected = f"{tmp_path}/a.de has {targets:,} lines, {tmp_path}/a.en {sources:,}: they must match"
    assert found.notes == ((expected,) if sources != targets else ())


def test_bytes_that_are_not_utf8_are_kept_as_they_are(tmp_path):
    found = whole(text_files(tmp_path, b"fine\nsch\xf6n\n\xc3\n", b"eins\r\nzwei\r\ndrei"))
    assert found.source == ["fine", "sch\udcf6n", "\udcc3"]
    assert found.target == ["eins", "zwei", "drei"]


@given(st.binary(max_size=60).map(lambda data: data.replace(b"\x80", b"\n")), st.booleans())
def test_lines_are_those_of_the_usual_reader(tmp_path_factory, data, packed):
    path = tmp_path_factory.getbasetemp() / ("any.txt.gz" if packed else "any.txt")
    path.write_bytes(gzip.compress(data) if packed else data)
    found = whole(TextFiles(path, path)).source
    assert b"".join(line.encode("utf-8", "surrogateescape") + b"\n" for line in found).count(b"\n") == len(found)
    try:
        assert found == list(read_lines(path))
    except DataError:
        assert any("\udc80" <= char <= "\udcff" for line in found for char in line)


def test_damaged_gzip_data_is_noted_and_what_came_before_is_read(tmp_path):
    data = gzip.compress("".join(f"line {n * n}\n" for n in range(9_999)).encode())
    (tmp_path / "a.en.gz").write_bytes(data[: len(data) // 2])
    (tmp_path / "a.de").write_bytes(b"x\n" * 9_999)
    found = whole(TextFiles(tmp_path / "a.en.gz", tmp_path / "a.de"))
    assert 100 < len(found.source) == len(found.target) < 9_999
    assert found.source[:2] == ["line 0", "line 1"]
    assert "a.en.gz: damaged or incomplete gzip data after line" in found.notes[0]
    assert "they must match" in found.notes[1]


def test_rows_that_cannot_be_read_are_numbered(tmp_path):
    (tmp_path / "a.tsv").write_bytes(b"a\tb\nonly one\nc\td\xff\n")
    found = whole(TsvFile(tmp_path / "a.tsv", "1", "2"))
    assert (found.source, found.target) == (["a", "", "c"], ["b", "", "d\udcff"])
    assert list(found.broken) == [1]
    assert "line 2: 1 tab-separated columns where 2 are needed" in found.broken[1]
    lines = [
        json.dumps({"en": "a", "de": "b"}),
        "{",
        json.dumps({"en": 1, "de": "b"}),
        json.dumps({"en": "x\ny"}),
        "[]",
    ]
    (tmp_path / "a.jsonl").write_text("\n".join([*lines, json.dumps({"en": "\ud800", "de": None})]))
    found = whole(JsonLinesFile(tmp_path / "a.jsonl", "en", "de"))
    assert (found.source, found.target) == (["a", "", "", "", "", "\ud800"], ["b", "", "", "", "", ""])
    assert sorted(found.broken) == [1, 2, 3, 4]


def test_parquet_with_bytes_that_are_not_utf8(tmp_path):
    raw = pa.array([b"fine", b"sch\xf6n", None], pa.binary())
    source = pa.StringArray.from_buffers(3, raw.buffers()[1], raw.buffers()[2], raw.buffers()[0])
    pyarrow.parquet.write_table(pa.table({"en": source, "de": pa.array(["a", "b", "c"])}), tmp_path / "a.parquet")
    found = whole(ParquetFile(tmp_path / "a.parquet", "en", "de"))
    assert (found.source, found.target) == (["fine", "sch\udcf6n", ""], ["a", "b", "c"])
    pyarrow.parquet.write_table(pa.table({"en": pa.array([1, 2]), "de": ["a", "b"]}), tmp_path / "b.parquet")
    assert sorted(whole(ParquetFile(tmp_path / "b.parquet", "en", "de")).broken) == [0, 1]


def test_other_corpora_are_read_as_far_as_they_go(monkeypatch):
    monkeypatch.setattr(rows, "CHUNK", 2)

    class Ends(PairList):
        def __iter__(self):
            yield from self.pairs
            raise DataError("the rest is gone")

    found = whole(Ends("list", [Pair("a", "b")] * 5))
    assert (found.source, found.notes) == (["a"] * 5, ("the rest is gone",))


def test_a_file_that_is_gone_or_can_be_read_once_only_is_refused(tmp_path):
    corpus = text_files(tmp_path, b"a\n", b"b\n")
    corpus.source.unlink()
    with pytest.raises(DataError, match=r"a\.en: no such file"):
        list(read_rows(corpus))
    with pytest.raises(DataError, match="can be read only once"):
        rows.LineFile(CorpusFile(Path("/dev/null")))
