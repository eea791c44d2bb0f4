"""Cleaned copies: what stays, what changes, where it is written, and what is refused."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.corpora.columns import JsonLinesFile
from seq2seq.corpora.corpus import Corpus, PairList
from seq2seq.corpora.files import TextFiles, TsvFile
from seq2seq.corpora.lines import read_lines
from seq2seq.doctor.cleaning import check_fix, clean, clean_paths
from seq2seq.doctor.examination import examine
from seq2seq.doctor.types import Reason
from seq2seq.errors import ConfigError

NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def written(folder: Path, packed: bool = False) -> TextFiles:
    """Twelve fine pairs and six that are not, and one line too many."""
    sources = [f"the number is {word}" for word in NUMBERS] + [
        "",
        "a\u2028b c d",
        "\u200b",
        "sch\udcf6n ist es",
        "x\0y",
    ]
    targets = [f"die Zahl heißt {word}" for word in NUMBERS] + ["leer", "e\rf g h", "i", "j k l m n", "z"]
    sources, targets = [*sources, sources[0]], [*targets, targets[0], "too much"]
    paths = []
    for name, lines in (("a.b.en", sources), ("a.b.de", targets)):
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
        paths.append(folder / (f"{name}.gz" if packed else name))
        paths[-1].write_bytes(gzip.compress(data) if packed else data)
    return TextFiles(*paths)


def looked_at(corpus: Corpus):
    return examine({"train": corpus}, max_length=100, max_ratio=9.0)[0]


@pytest.mark.parametrize("packed", [False, True])
def test_the_copy_holds_what_is_left_and_the_original_is_as_it_was(tmp_path, packed):
    corpus = written(tmp_path, packed)
    before = corpus.source.read_bytes(), corpus.target.read_bytes()
    done = clean(looked_at(corpus), [])
    assert (corpus.source.read_bytes(), corpus.target.read_bytes()) == before
    end = ".gz" if packed else ""
    assert (done.source, done.target) == (tmp_path / f"a.b.clean.en{end}", tmp_path / f"a.b.clean.de{end}")
    pairs = list(TextFiles(done.source, done.target))
    assert len(pairs) == done.kept == 14
    assert [pair.source for pair in pairs[12:]] == ["a b c d", "xy"]
    assert [pair.target for pair in pairs[12:]] == ["e f g h", "z"]
    assert done.pairs == done.kept + sum(done.dropped.values()) == 18
    assert done.dropped == {Reason.invalid_utf8: 1, Reason.blank: 2, Reason.duplicate: 1}
    assert done.changed == {Reason.separators: 1, Reason.control: 1}
    assert len(list(tmp_path.iterdir())) == 4
    again = looked_at(TextFiles(done.source, done.target))
    assert [found.reason for found in again.found if len(found.rows) and found.reason.remedy != "none"] == []


def test_what_is_to_be_kept_is_kept(tmp_path):
    done = clean(looked_at(written(tmp_path)), [Reason.duplicate, Reason.blank, Reason.control])
    lines = done.source.read_text(encoding="utf-8").split("\n")
    assert done.dropped == {Reason.invalid_utf8: 1, Reason.blank: 1}
    assert "x\0y" in lines
    assert lines.count("the number is one") == 2


def test_sides_that_are_exchanged_are_put_right(tmp_path):
    lines = [(f"the number is {word}", f"die Zahl heißt {word}") for word in NUMBERS * 20]
    lines[7] = lines[7][::-1]
    (tmp_path / "a.tsv").write_text(
        "".join(f"{source} {n}\t{target} {n}\n" for n, (source, target) in enumerate(lines))
    )
    done = clean(looked_at(TsvFile(tmp_path / "a.tsv", "1", "2")), [])
    assert done.changed == {Reason.exchanged: 1}
    assert done.kept == 240
    assert all(line.startswith("the") for line in done.source.read_text().splitlines())
    assert done.source.name == "a.clean.source.txt"


def test_a_sentence_of_several_lines_becomes_one(tmp_path):
    rows = [{"en": f"a {word}\nb", "de": f"c d {word}"} for word in NUMBERS] + [{"en": 1, "de": "x"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = clean(looked_at(JsonLinesFile(tmp_path / "a.jsonl", "en", "de")), [])
    assert done.source.read_text().splitlines() == [f"a {word} b" for word in NUMBERS]
    assert done.dropped == {Reason.unreadable: 1}


def test_nothing_is_written_over(tmp_path):
    corpus = written(tmp_path)
    (tmp_path / "a.b.clean.de").write_text("mine")
    with pytest.raises(ConfigError, match=r"a\.b\.clean\.de is there already and .*en is not, as a killed command"):
        clean_paths(corpus, "train")
    with pytest.raises(ConfigError, match="is there already"):
        clean(looked_at(corpus), [])
    assert (tmp_path / "a.b.clean.de").read_text() == "mine"
    assert not (tmp_path / "a.b.clean.en").exists()


def test_a_process_killed_between_the_two_names_leaves_no_pair(tmp_path, monkeypatch):
    """The target's file alone, which the next command refuses to complete."""
    report, replace = looked_at(written(tmp_path)), Path.replace

    def killed(place, path):
        if path.exists() or path.name == "a.b.clean.en":
            raise KeyboardInterrupt
        return replace(place, path)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        clean(report, [])
    assert (tmp_path / "a.b.clean.de").exists()
    assert not (tmp_path / "a.b.clean.en").exists()
    with pytest.raises(ConfigError, match="as a killed command leaves them: remove it"):
        clean(report, [])


def test_an_error_while_writing_leaves_nothing(tmp_path, monkeypatch):
    report = looked_at(written(tmp_path))
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr("seq2seq.doctor.cleaning.fold", lambda text: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        clean(report, [])
    assert sorted(tmp_path.iterdir()) == before


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_two_files_are_looked_at_and_cleaned(tmp_path_factory, source, target):
    folder = tmp_path_factory.mktemp("any")
    (folder / "a.en").write_bytes(source)
    (folder / "a.de").write_bytes(target.replace(b"\x01", b"\n"))
    report = looked_at(TextFiles(folder / "a.en", folder / "a.de"))
    done = clean(report, [])
    cleaned = [list(read_lines(path)) for path in (done.source, done.target)]
    assert len(cleaned[0]) == len(cleaned[1]) == done.kept == report.pairs - sum(done.dropped.values())
    assert all(line.strip() and len(line.splitlines()) == 1 for lines in cleaned for line in lines)


def test_names(tmp_path):
    for name, cleaned in {"train": "train.clean", "a.en.gz": "a.clean.en.gz", "x.tok.de": "x.tok.clean.de"}.items():
        (tmp_path / name).touch()
        (tmp_path / "other.de").touch()
        paths = clean_paths(TextFiles(tmp_path / name, tmp_path / "other.de"), "train")
        assert paths == (tmp_path / cleaned, tmp_path / "other.clean.de")


def test_what_cannot_be_done_is_said_before_anything_is_read(tmp_path):
    corpus = written(tmp_path)
    check_fix({"train": corpus}, [Reason.duplicate])
    with pytest.raises(ConfigError, match=r"name it with data\.train"):
        check_fix({}, [])
    with pytest.raises(ConfigError, match="keep=separators cannot be"):
        check_fix({"train": corpus}, [Reason.separators])
    with pytest.raises(ConfigError, match="fix=true writes beside files"):
        check_fix({"train": PairList("a list", [])}, [])
    with pytest.raises(ConfigError, match="on both sides"):
        check_fix({"more[0]": TextFiles(corpus.source, corpus.source)}, [])
