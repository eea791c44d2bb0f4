"""What recipes' settings ask of a translator."""

import gzip
import io
import sys

import pytest

from seq2seq.errors import ConfigError, DataError
from seq2seq.translation.config import ScoreConfig, TranslateConfig
from seq2seq.translation.io import load_glossary, opened, pairs_of, read_text, requests, scored_pairs
from seq2seq.translation.types import Request


def test_lines_get_their_tag_prefix_and_phrases(tmp_path):
    (tmp_path / "terms.tsv").write_text("key\tSchlüssel\n", encoding="utf-8")
    (tmp_path / "begun.txt").write_text("Wo \n\n", encoding="utf-8")
    config = TranslateConfig(
        tag="<de>", prefixes=str(tmp_path / "begun.txt"), phrases=["Haus"], glossary=str(tmp_path / "terms.tsv")
    )
    assert [one.with_terms() for one in requests(config, ["A key?", ""])] == [
        Request("<de> A key?", "Wo ", ("Haus", "Schlüssel")),
        Request("", "", ("Haus",)),
    ]
    assert list(requests(TranslateConfig(prefix="Wo"), ["a", "b"])) == [Request("a", "Wo"), Request("b", "Wo")]
    with pytest.raises(DataError, match=r"begun.txt has a line 2 and the input has not: they must match line by line"):
        list(requests(config, ["A key?"]))
    assert load_glossary(None) is None


def test_pairs_match_line_by_line(tmp_path):
    assert list(pairs_of(["a"], ["b"], "one", "other")) == [("a", "b")]
    for first, second, message in (
        (["a"], [], "one has a line 1 and other"),
        ([], ["a"], "other has a line 1 and one"),
    ):
        with pytest.raises(DataError, match=message):
            list(pairs_of(first, second, "one", "other"))
    (tmp_path / "a").write_text("x\n")
    with pytest.raises(ConfigError, match=r"^nothing to score: name source=FILE and target=FILE"):
        list(scored_pairs(ScoreConfig(source="a")))
    config = ScoreConfig(source=str(tmp_path / "a"), target=str(tmp_path / "a"), tag="<de>")
    assert list(scored_pairs(config)) == [("<de> x", "x")]


def test_a_text_is_read_and_written_as_it_is(tmp_path, monkeypatch):
    text = "Ä b\r\n\n  c\u2028d"
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + text.encode())
    (tmp_path / "a.gz").write_bytes(gzip.compress(text.encode()))
    assert read_text(str(tmp_path / "a.txt")) == read_text(str(tmp_path / "a.gz")) == text
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert read_text("-") == text
    with opened(str(tmp_path / "out.txt")) as output:
        output.write(text)
    assert (tmp_path / "out.txt").read_bytes() == text.encode()
    for name in ("one.gz", "two.gz"):
        with opened(str(tmp_path / name)) as output:
            output.write(text)
    assert read_text(str(tmp_path / "one.gz")) == text, "what is written is read again by its name"
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()
    (tmp_path / "bad.txt").write_bytes(b"a\n\xff\n")
    with pytest.raises(DataError, match=r"bad.txt, line 2: byte 0xff"):
        read_text(str(tmp_path / "bad.txt"))
    with pytest.raises(DataError, match="no such file"):
        read_text(str(tmp_path / "none.txt"))
    (tmp_path / "bad.gz").write_bytes(gzip.compress(b"text" * 50)[:20])
    with pytest.raises(DataError, match=r"bad\.gz"):
        read_text(str(tmp_path / "bad.gz"))
