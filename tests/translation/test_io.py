"""Requests, input, output and progress of the recipes."""

import gzip
import io
import sys
from itertools import count, islice

import pytest

from seq2seq.errors import ConfigError, DataError
from seq2seq.translation.batching import CHUNK
from seq2seq.translation.config import DocumentConfig, ScoreConfig, TranslateConfig, TranslatorConfig
from seq2seq.translation.io import (
    load_glossary,
    load_translator,
    opened,
    read_text,
    requests,
    scored_pairs,
    with_progress,
    zip_lines,
)
from seq2seq.translation.types import Request


def test_requests_get_tag_prefix_and_phrases(tmp_path):
    (tmp_path / "terms.tsv").write_text("key\tSchlüssel\n", encoding="utf-8")
    (tmp_path / "prefixes.txt").write_text("Wo \n\n", encoding="utf-8")
    config = TranslateConfig(
        tag="<de>", prefixes=str(tmp_path / "prefixes.txt"), phrases=["Haus"], glossary=str(tmp_path / "terms.tsv")
    )
    assert [one.with_terms() for one in requests(config, ["A key?", ""])] == [
        Request("<de> A key?", "Wo ", ("Haus", "Schlüssel")),
        Request("", "", ("Haus",)),
    ]
    assert list(requests(TranslateConfig(prefix="Wo"), ["a", "b"])) == [Request("a", "Wo"), Request("b", "Wo")]
    with pytest.raises(
        DataError,
        match=r"prefixes.txt has more lines than the input, which ends before line 2: they must match line by line",
    ):
        list(requests(config, ["A key?"]))
    assert load_glossary(None) is None


def test_a_tag_that_the_model_does_not_know_is_refused(tiny_run):
    for config in (TranslateConfig, DocumentConfig, ScoreConfig):
        with pytest.raises(ConfigError, match=r"tiny was not trained with the tag <2xx>: leave tag out"):
            load_translator(config(run=str(tiny_run), tag="<2xx>"))
    load_translator(TranslatorConfig(run=str(tiny_run)))


def test_pairs_must_match_line_by_line(tmp_path):
    assert list(zip_lines(["a"], ["b"], "one", "other")) == [("a", "b")]
    for first, second, message in (
        (["a"], [], "one has more lines than other, which ends before line 1"),
        ([], ["a"], "other has more lines than one, which ends before line 1"),
    ):
        with pytest.raises(DataError, match=message):
            list(zip_lines(first, second, "one", "other"))
    (tmp_path / "a").write_text("x\n")
    with pytest.raises(ConfigError, match=r"^nothing to score: set source=FILE and target=FILE"):
        list(scored_pairs(ScoreConfig(source="a")))
    config = ScoreConfig(source=str(tmp_path / "a"), target=str(tmp_path / "a"), tag="<de>")
    assert list(scored_pairs(config)) == [("<de> x", "x")]


def test_text_is_read_and_written_unchanged(tmp_path, monkeypatch):
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
    assert read_text(str(tmp_path / "one.gz")) == text, "written files are read by the same name"
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()
    (tmp_path / "bad.txt").write_bytes(b"a\n\xff\n")
    with pytest.raises(DataError, match=r"bad.txt, line 2: byte 0xff"):
        read_text(str(tmp_path / "bad.txt"))
    with pytest.raises(DataError, match="no such file"):
        read_text(str(tmp_path / "none.txt"))
    (tmp_path / "bad.gz").write_bytes(gzip.compress(b"text" * 50)[:20])
    with pytest.raises(DataError, match=r"bad\.gz"):
        read_text(str(tmp_path / "bad.gz"))


# Progress


def test_progress_shows_count_speed_and_time_on_stderr(capsys):
    assert list(with_progress(iter("abc"), 3, "translating")) == ["a", "b", "c"]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("\rtranslating:   0%")
    last = captured.err.split("\r")[-1]
    for part in ("translating: 100%", "3/3", "sentence/s", "<"):
        assert part in last
    assert last.endswith("\n")


def test_progress_without_total_shows_the_count(capsys):
    assert list(with_progress([1, 2], None, "translating")) == [1, 2]
    assert "translating: 2sentence" in capsys.readouterr().err.split("\r")[-1]


def test_progress_can_be_hidden(capsys):
    assert list(with_progress([1, 2], None, "translating", shown=False)) == [1, 2]
    assert capsys.readouterr().err == ""


def test_progress_moves_by_chunks(capsys, monkeypatch):
    """All items of a chunk are done when the first one comes."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("tqdm.std.time", map(float, count(0, 10)).__next__)  # clock readings are far apart
    assert len(list(with_progress(range(2 * CHUNK + 1), 2 * CHUNK + 1, "translating"))) == 2 * CHUNK + 1
    err = capsys.readouterr().err
    for done in (CHUNK, 2 * CHUNK, 2 * CHUNK + 1):
        assert f" {done}/{2 * CHUNK + 1}" in err
    assert f" 1/{2 * CHUNK + 1}" not in err


def test_progress_reads_one_chunk_ahead():
    read = []
    stream = with_progress((read.append(number) or number for number in count()), None, "translating")
    assert list(islice(stream, 3)) == [0, 1, 2]
    assert len(read) == CHUNK
    stream.close()


def test_progress_passes_errors_on_and_closes_the_bar(capsys):
    def broken():
        yield 1
        raise ValueError("anything")

    with pytest.raises(ValueError, match="anything"):
        list(with_progress(broken(), 2, "translating"))
    assert capsys.readouterr().err.endswith("\n")
