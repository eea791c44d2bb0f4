import json
import unicodedata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from rows import PAIRS, ROWS, nested, write_json, write_parquet

from seq2seq.corpora.columns import JsonLinesFile, ParquetFile
from seq2seq.corpora.config import DataConfig
from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.formats import open_pairs
from seq2seq.doctor.reading import read_blocks
from seq2seq.errors import DataError


@pytest.mark.parametrize("rows", [ROWS, nested(ROWS)], ids=["flat", "nested"])
@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.jsonl.gz"])
def test_json_lines(tmp_path: Path, name: str, rows: list[Any]) -> None:
    corpus = JsonLinesFile(write_json(tmp_path / name, rows, "\r\n"), "en", "de")
    assert list(corpus) == PAIRS
    assert list(corpus) == PAIRS


def test_json_lines_may_contain_lone_surrogates_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"en": "\\ud800", "de": "\\ud83d\\ude00"}')
    assert list(JsonLinesFile(path, "en", "de")) == [Pair("\ud800", "\U0001f600")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"en": "a", "fr": "b"}, r"no column 'de' \(there are: en, fr\): set data\.target_column=NAME"),
        ({"translation": {"de": "b"}}, r"no column 'en' \(there are: de\): set data\.source_column=NAME"),
        ({"en": 5, "de": "b"}, "'en' is of type int, not text"),
        (["a", "b"], "a JSON list, not an object: write one object per line"),
    ],
)
def test_json_lines_without_the_required_columns(tmp_path: Path, row: Any, message: str) -> None:
    path = write_json(tmp_path / "pairs.jsonl", [{"en": "a", "de": "b"}, row])
    with pytest.raises(DataError, match=rf"pairs\.jsonl, line 2: {message}") as error:
        list(JsonLinesFile(path, "en", "de"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_of_columns_may_be_in_another_unicode_form(tmp_path: Path, forms: tuple[str, str]) -> None:
    ours, theirs = (unicodedata.normalize(form, "Übersetzung") for form in forms)
    rows = [{"Satz": "a", theirs: "b"}]
    write_parquet(tmp_path / "a.parquet", rows)
    write_parquet(tmp_path / "b.parquet", nested(rows))
    write_json(tmp_path / "a.jsonl", rows)
    (tmp_path / "a.json").write_text(json.dumps(nested(rows)))
    (tmp_path / "a.csv").write_text(f"Wörter,,\n1,Satz,{theirs}\n2,a,b\n", "utf-8")
    config = DataConfig(source_column="Satz", target_column=ours)
    for name in ("a.parquet", "b.parquet", "a.jsonl", "a.json", "a.csv"):
        assert list(open_pairs(config, tmp_path / name)) == [Pair("a", "b")]


def test_blank_lines_between_json_lines_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('\n{"en": "a", "de": "b"}\n\n \n{"en": "c", "de": "d"}\n\n{"en": 1, "de": ""}\n')
    corpus = open_pairs(DataConfig(), path)
    (block,) = read_blocks(corpus)
    assert (block.source, block.target, list(block.errors)) == (["a", "c", ""], ["b", "d", ""], [2])
    with pytest.raises(DataError, match=r"pairs\.jsonl, line 7: 'en' is of type int"):
        list(corpus)
    path.write_text('{"en": "a", "de": "b"}\n\n')
    assert list(open_pairs(DataConfig(), path)) == [Pair("a", "b")]


def test_invalid_or_empty_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text('{"en": "a"\n')
    with pytest.raises(DataError, match=r"pairs\.jsonl, line 1: not JSON"):
        list(JsonLinesFile(path, "en", "de"))
    path.write_text("")
    with pytest.raises(DataError, match=r"pairs\.jsonl: no lines found"):
        list(JsonLinesFile(path, "en", "de"))


@pytest.mark.parametrize("rows", [ROWS, nested(ROWS)], ids=["flat", "nested"])
def test_parquet(tmp_path: Path, rows: list[Any]) -> None:
    corpus = ParquetFile(write_parquet(tmp_path / "pairs.parquet", rows), "en", "de")
    assert list(corpus) == PAIRS
    assert list(corpus) == PAIRS


def test_parquet_without_the_required_columns(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "pairs.parquet", [{"en": "a", "n": 1}, {"en": "b", "n": 2}])
    with pytest.raises(DataError, match=r"no column 'de' \(there are: en, n\): set data\.target_column=NAME"):
        ParquetFile(path, "en", "de")
    with pytest.raises(DataError, match=r"pairs\.parquet, row 1: 'n' is of type int, not text"):
        list(ParquetFile(path, "en", "n"))
    with pytest.raises(DataError, match="no such file"):
        ParquetFile(tmp_path / "none.parquet", "en", "de")
    with pytest.raises(DataError, match="is a folder"):
        ParquetFile(tmp_path, "en", "de")
    for data in (b"", b"not parquet", path.read_bytes()[:-9]):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"pairs\.parquet is not a readable Parquet file") as error:
            ParquetFile(path, "en", "de")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("there", "instead"),
    [(b"\x18\x03odd", b"\x18\x03\xe9dd"), (b"\x16\x04\x19", b"\x16\x0b\x19")],
    ids=["a name that is no UTF-8", "-6 rows"],
)
def test_parquet_with_a_manipulated_footer(tmp_path: Path, there: bytes, instead: bytes) -> None:
    path = write_parquet(tmp_path / "pairs.parquet", [{"en": "a", "de": "b", "odd": "c"}] * 2)
    data = path.read_bytes()
    assert there in data
    path.write_bytes(data.replace(there, instead))
    with pytest.raises(DataError, match=r"pairs\.parquet is not a readable Parquet file"):
        ParquetFile(path, "en", "de")


def test_empty_parquet(tmp_path: Path) -> None:
    empty = pa.table({"en": pa.array([], pa.string()), "de": pa.array([], pa.string())})
    pyarrow.parquet.write_table(empty, tmp_path / "pairs.parquet")
    with pytest.raises(DataError, match="no lines found"):
        list(ParquetFile(tmp_path / "pairs.parquet", "en", "de"))


@pytest.mark.parametrize("first", ["{} files", '{"name"} is here', "{0}"])
def test_a_sentence_that_begins_with_a_brace_is_no_json(tmp_path: Path, first: str) -> None:
    (tmp_path / "pairs.txt").write_text(f"{first}\t{first} Dateien\nYes.\tJa.\n")
    assert next(iter(open_pairs(DataConfig(), tmp_path / "pairs.txt"))) == (first, f"{first} Dateien")


def test_an_array_without_its_end_is_incomplete(tmp_path: Path) -> None:
    (tmp_path / "pairs.json").write_text('[{"en": "Yes.", "de": "Ja."},\n')
    with pytest.raises(DataError, match="ends within its JSON array: fetch or write it again"):
        list(open_pairs(DataConfig(), tmp_path / "pairs.json"))
