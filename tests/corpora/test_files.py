import gzip
import os
from pathlib import Path

import pytest

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.files import TextFiles, TsvFile
from seq2seq.errors import ConfigError, DataError

HOSTILE = "a\u2028b\u2029c\u0085d\x0be\x0cf\rg"


def text_files(folder: Path, source: str, target: str) -> TextFiles:
    (folder / "text.en").write_bytes(source.encode())
    (folder / "text.de").write_bytes(target.encode())
    return TextFiles(folder / "text.en", folder / "text.de")


def test_hostile_characters_do_not_shift_a_side(tmp_path: Path) -> None:
    corpus = text_files(tmp_path, f"\ufeff{HOSTILE}\r\n\r\nlast", "eins\nzwei\ndrei\n")
    expected = [Pair(HOSTILE, "eins"), Pair("", "zwei"), Pair("last", "drei")]
    assert list(corpus) == expected
    assert list(corpus) == expected  # a corpus can be read again


@pytest.mark.parametrize(("sources", "targets"), [(1_002, 1_000), (1_000, 1_003), (0, 2)])
def test_files_of_different_length_give_both_counts(tmp_path: Path, sources: int, targets: int) -> None:
    corpus = text_files(tmp_path, "a\n" * sources, "b\n" * targets)
    with pytest.raises(DataError, match=rf"text\.de has {targets:,} lines, .*text\.en {sources:,}: they must match"):
        list(corpus)


def test_empty_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no lines found"):
        list(text_files(tmp_path, "", ""))
    with pytest.raises(DataError, match=r"none\.en: no such file"):
        TextFiles(tmp_path / "none.en", tmp_path / "text.de")
    with pytest.raises(DataError, match="is a folder"):
        TextFiles(tmp_path / "text.en", tmp_path)


def test_the_fingerprint_depends_on_the_content(tmp_path: Path) -> None:
    first = text_files(tmp_path, "a\n", "b\n").fingerprint
    state = (tmp_path / "text.en").stat()
    os.utime(tmp_path / "text.en", ns=(1, 1))
    assert TextFiles(tmp_path / "text.en", tmp_path / "text.de").fingerprint == first
    (tmp_path / "copy").mkdir()
    assert text_files(tmp_path / "copy", "a\n", "b\n").fingerprint == first
    (tmp_path / "text.en").write_bytes(b"c\n")  # of the same size, and below of the same age
    os.utime(tmp_path / "text.en", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert TextFiles(tmp_path / "text.en", tmp_path / "text.de").fingerprint != first
    swapped = TextFiles(tmp_path / "text.de", tmp_path / "text.en")
    assert len({swapped.fingerprint, first, TextFiles(tmp_path / "text.en", tmp_path / "text.de").fingerprint}) == 3


@pytest.mark.parametrize("name", ["pairs.tsv", "pairs.tsv.gz"])
def test_the_number_of_pairs_is_estimated_from_the_first_bytes(tmp_path: Path, name: str) -> None:
    data = "".join(f"{number} a sentence\tund noch einer {number * 7}\n" for number in range(80_000)).encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    expected = TsvFile(tmp_path / name, "1", "2").expected_pairs()
    assert expected is not None
    assert 76_000 < expected < 84_000
    (tmp_path / name).write_bytes(b"")
    assert TsvFile(tmp_path / name, "1", "2").expected_pairs() is None


@pytest.mark.parametrize("name", ["pairs.tsv", "pairs.tsv.gz"])
def test_tsv_splits_at_tabs_and_nothing_else(tmp_path: Path, name: str) -> None:
    data = f'\ufeff"quoted\tdas "Wort\r\n{HOSTILE}\tb\n\tblank\n\'a"\tc\textra'.encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    assert list(TsvFile(tmp_path / name, "1", "2")) == [
        Pair('"quoted', 'das "Wort'),
        Pair(HOSTILE, "b"),
        Pair("", "blank"),
        Pair("'a\"", "c"),
    ]


def test_tsv_columns(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("1\tb\ta\n2\td\n")
    assert next(iter(TsvFile(path, "3", "2"))) == Pair("a", "b")
    with pytest.raises(DataError, match=r"pairs\.tsv, line 2: 2 tab-separated columns, but 3 are needed"):
        list(TsvFile(path, "3", "2"))
    assert TsvFile(path, "3", "2").fingerprint != TsvFile(path, "2", "3").fingerprint
    for column in ("en", "0", "-1", "²"):
        with pytest.raises(ConfigError, match=r"data\.target_column must be a column number"):
            TsvFile(path, "1", column)


def test_tsv_empty(tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").touch()
    with pytest.raises(DataError, match=r"pairs\.tsv: no lines found"):
        list(TsvFile(tmp_path / "pairs.tsv", "1", "2"))
