"""Cleaned copies: what is kept, what changes, where it is written, and what is an error."""

import gzip
import json
import lzma
import random
import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.corpora.columns import JsonLinesFile
from seq2seq.corpora.corpus import Corpus, PairList
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.files import TextFiles, TsvFile
from seq2seq.corpora.lines import read_lines
from seq2seq.corpora.table import TableFile
from seq2seq.doctor.cleaning import check_fix, clean, clean_paths
from seq2seq.doctor.diagnosis import Diagnosis, diagnose
from seq2seq.doctor.reasons import Reason
from seq2seq.errors import ConfigError, DataError

NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def write_corpus(folder: Path, compressed: bool = False) -> TextFiles:
    """Twelve good pairs, six with problems, and one surplus line."""
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
        paths.append(folder / (f"{name}.gz" if compressed else name))
        paths[-1].write_bytes(gzip.compress(data) if compressed else data)
    return TextFiles(*paths)


def diagnosed(corpus: Corpus) -> Diagnosis:
    return diagnose({"train": corpus}, max_length=100, max_ratio=9.0)[0]


@pytest.mark.parametrize("compressed", [False, True])
def test_the_copy_is_clean_and_the_original_unchanged(tmp_path, compressed):
    corpus = write_corpus(tmp_path, compressed)
    before = corpus.source.read_bytes(), corpus.target.read_bytes()
    result = clean(diagnosed(corpus), [])
    assert (corpus.source.read_bytes(), corpus.target.read_bytes()) == before
    ending = ".gz" if compressed else ""
    assert result.paths == (tmp_path / f"a.b.clean.en{ending}", tmp_path / f"a.b.clean.de{ending}")
    pairs = list(TextFiles(*result.paths))
    assert len(pairs) == result.kept == 14
    assert [pair.source for pair in pairs[12:]] == ["a b c d", "xy"]
    assert [pair.target for pair in pairs[12:]] == ["e f g h", "z"]
    assert result.pairs == result.kept + sum(result.dropped.values()) == 18
    assert result.dropped == {Reason.invalid_utf8: 1, Reason.blank: 2, Reason.duplicate: 1}
    assert result.changed == {Reason.separators: 1, Reason.control: 1}
    assert len(list(tmp_path.iterdir())) == 4
    again = diagnosed(TextFiles(*result.paths))
    assert [finding.reason for finding in again.findings if len(finding.rows) and finding.reason.remedy != "none"] == []


def test_reasons_in_keep_are_ignored(tmp_path):
    result = clean(diagnosed(write_corpus(tmp_path)), [Reason.duplicate, Reason.blank, Reason.control])
    lines = result.paths[0].read_text(encoding="utf-8").split("\n")
    assert result.dropped == {Reason.invalid_utf8: 1, Reason.blank: 1}
    assert "x\0y" in lines
    assert lines.count("the number is one") == 2


def test_exchanged_sides_are_swapped(tmp_path):
    lines = [(f"the number is {word}", f"die Zahl heißt {word}") for word in NUMBERS * 20]
    lines[7] = lines[7][::-1]
    (tmp_path / "a.tsv").write_text(
        "".join(f"{source} {n}\t{target} {n}\n" for n, (source, target) in enumerate(lines))
    )
    result = clean(diagnosed(TsvFile(tmp_path / "a.tsv", "1", "2")), [])
    assert result.changed == {Reason.exchanged: 1}
    assert result.kept == 240
    assert result.paths == (tmp_path / "a.clean.tsv",)
    assert all(line.startswith("the") for line in result.paths[0].read_text("utf-8").splitlines())


def test_the_cleaned_table_is_read_by_the_settings_of_the_original(tmp_path):
    rows = [("no", "Ladin", "my own"), *((n, f"ba {word}", f"{word} li") for n, word in enumerate(NUMBERS))]
    (tmp_path / "a.csv").write_text("".join(f"{n};{left};{right}\n" for n, left, right in rows), "utf-8")
    columns = "my own", "Ladin"
    result = clean(diagnosed(TableFile(tmp_path / "a.csv", "en", "lld", *columns)), [])
    cleaned = TableFile(result.paths[0], "en", "lld", *columns)
    assert list(cleaned) == list(TableFile(tmp_path / "a.csv", "en", "lld", *columns))
    assert result.kept == len(NUMBERS)


def test_settings_that_do_not_fit_the_cleaned_table_are_named(recipe, tmp_path):
    (tmp_path / "a.csv").write_text("".join(f"{n};{word} li;ba {word}\n" for n, word in enumerate(NUMBERS)), "utf-8")
    settings = ["data.source_column=3", "data.target_column=2", "data.encoding=cp1252", "data.format=table"]
    outcome = recipe("doctor", f"data.file={tmp_path / 'a.csv'}", *settings, "fix=true")
    unfit = " and ".join(["data.encoding", "data.format", "data.source_column", "data.target_column"])
    assert f"to read it, leave {unfit} out\n" in outcome.out
    assert (tmp_path / "a.clean.tsv").read_text("utf-8").startswith(f"ba {NUMBERS[0]}\t{NUMBERS[0]} li\n")


def test_mojibake_is_repaired_or_its_pair_dropped(tmp_path):
    lines = [(f"the number is {word}", f"die Zahl heißt {word}") for word in NUMBERS]
    lines[3] = ("the number is four", "die Zahl heiÃŸt vier")
    lines[5] = ("the numberâ€¨is six", "die Zahl heißt sechs")  # a line separator, U+2028
    lines[7] = ("the number is eight", "die Zahl heiï¿½t acht")
    (tmp_path / "a.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in lines), "utf-8")
    corpus = TsvFile(tmp_path / "a.tsv", "1", "2")
    result = clean(diagnosed(corpus), [])
    assert result.changed == {Reason.mojibake: 2}
    assert result.dropped == {Reason.lost_characters: 1}
    pairs = list(TsvFile(result.paths[0], "1", "2"))
    assert pairs[3] == ("the number is four", "die Zahl heißt vier")
    assert pairs[5] == ("the number is six", "die Zahl heißt sechs")
    result.paths[0].unlink()
    assert clean(diagnosed(corpus), [Reason.mojibake]).kept == len(lines)


def test_a_sentence_of_several_lines_becomes_one(tmp_path):
    rows = [{"en": f"a {word}\nb", "de": f"c\td {word}"} for word in NUMBERS] + [{"en": 1, "de": "x"}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = clean(diagnosed(JsonLinesFile(tmp_path / "a.jsonl", "en", "de")), [])
    assert list(Corpus.read(result.paths[0], "en", "de")) == [(f"a {word} b", f"c d {word}") for word in NUMBERS]
    assert result.dropped == {Reason.unreadable: 1}


def test_the_copy_is_utf8_with_line_feeds_whatever_the_original_is(tmp_path):
    sides = [f"the número {word}" for word in NUMBERS], [f"die Größe {word}" for word in NUMBERS]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("sub/a.en", "\r\n".join([*sides[0], ""]).encode("cp1252"))
        archive.writestr("sub/a.de", "nothing")
    (tmp_path / "a.de.xz").write_bytes(lzma.compress("\r".join([*sides[1], ""]).encode("cp1252")))
    paths = [tmp_path / "all.zip" / "sub" / "a.en", tmp_path / "a.de.xz"]
    diagnosis = diagnosed(TextFiles(*(CorpusFile(path, "cp1252") for path in paths)))
    assert f"{paths[1]}: lines end in carriage returns and text in cp1252; fix=true" in "".join(diagnosis.notes)
    result = clean(diagnosis, [])
    assert result.paths == (tmp_path / "a.clean.en", tmp_path / "a.clean.de")
    for path, lines in zip(result.paths, sides, strict=True):
        assert path.read_bytes() == "".join(f"{line}\n" for line in lines).encode()


def test_entities_quotes_and_decomposed_text_are_repaired(tmp_path):
    lines = [(f"the number is {word}", f"die Zahl heißt {word}") for word in NUMBERS]
    lines[2] = ("salt &amp; pepper", "Salz &amp; Pfeffer")
    lines[4] = ('"He said ""no""."', '"Er sagte ""nein""."')
    lines[6] = ("cafe\u0301", "Kaffee")
    lines[8] = ("the \ufeffnumber", "die Zahl")
    (tmp_path / "a.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in lines), "utf-8")
    result = clean(diagnosed(TsvFile(tmp_path / "a.tsv", "1", "2")), [])
    pairs = list(TsvFile(result.paths[0], "1", "2"))
    assert pairs[2] == ("salt & pepper", "Salz & Pfeffer")
    assert pairs[4] == ('He said "no".', 'Er sagte "nein".')
    assert (pairs[6].source, pairs[8].source) == ("café", "the number")
    repairs = (Reason.csv_quotes, Reason.html_entities, Reason.byte_order_marks, Reason.not_nfc)
    assert result.changed == dict.fromkeys(repairs, 1)


def test_marks_within_a_table_are_reported(recipe, tmp_path):
    rows = [f"the number is {word},\ufeffdie Zahl heißt {word}\n" for word in NUMBERS]
    (tmp_path / "a.csv").write_text("".join(rows), "utf-8")
    report = json.loads(recipe("doctor", f"data.file={tmp_path / 'a.csv'}", "json=true").out)
    line = f"{tmp_path / 'a.csv'}: removed 12 byte-order marks (U+FEFF) within it"
    assert line in json.dumps(report, ensure_ascii=False)


def test_an_empty_copy_is_never_written(tmp_path):
    (tmp_path / "a.tsv").write_text("a\t\n\tb\n")
    diagnosis = diagnosed(TsvFile(tmp_path / "a.tsv", "1", "2"))
    with pytest.raises(DataError, match=r"would drop every pair \(blank\): correct the files, or set keep=\[blank\]"):
        clean(diagnosis, [])
    (tmp_path / "a.tsv").write_text("a\nb\n")
    with pytest.raises(DataError, match=r"every pair \(unreadable; .*a\.tsv, line 1: 1 tab-.*\): correct the files$"):
        clean(diagnosed(TsvFile(tmp_path / "a.tsv", "1", "2")), [])
    (tmp_path / "a.tsv").write_bytes(b"")
    with pytest.raises(DataError, match=r"there is no pair to clean \(.* has no lines: check that"):
        clean(diagnosed(TsvFile(tmp_path / "a.tsv", "1", "2")), [])
    assert [*tmp_path.iterdir()] == [tmp_path / "a.tsv"]


def test_one_bad_row_costs_the_copy_that_row_only(recipe, tmp_path):
    rows = [f"the number is {word},die Zahl heißt {word}".encode() for word in [*NUMBERS, "last"]]
    rows[3], rows[11] = b'the number is four,"vier" heisst sie', b"the number is twelve,zw\xf6lf"
    (tmp_path / "a.csv").write_bytes(b"\n".join(rows))
    outcome = recipe("doctor", f"data.file={tmp_path / 'a.csv'}", "fix=true")
    assert "a.clean.tsv: 11 of 13 pairs; dropped 1 unreadable, 1 invalid_utf8\n" in outcome.out
    assert "a.csv, line 12: byte 0xf6 at position 24 is not UTF-8: as Latin-1 or Windows-1252 it reads" in outcome.out
    assert (tmp_path / "a.clean.tsv").read_text("utf-8").endswith("the number is last\tdie Zahl heißt last\n")


@pytest.mark.parametrize("kind", ["text", "table", "json lines", "json"])
@pytest.mark.parametrize("same", [0, 60])  # the first pairs are the same bytes in both encodings
def test_no_copy_is_written_of_a_corpus_in_another_encoding(recipe, tmp_path, kind, same):
    right = [(f"the number is {word} {n}", f"die schöne Größe heißt {word} {n}") for n, word in enumerate(NUMBERS * 9)]
    rows = [
        *((source, target.replace("schöne Größe heißt", "Zahl ist")) for source, target in right[:same]),
        *right[same:],
    ]
    if kind == "text":
        for name, side in (("a.en", 0), ("a.de", 1)):
            (tmp_path / name).write_text("".join(f"{row[side]}\n" for row in rows), "cp1252")
        names = [f"data.train.source={tmp_path / 'a.en'}", f"data.train.target={tmp_path / 'a.de'}"]
    else:
        objects = [json.dumps({"en": source, "de": target}, ensure_ascii=False) for source, target in rows]
        text = {
            "table": "".join(f"{source},{target}\n" for source, target in rows),
            "json lines": "\n".join(objects),
            "json": f"[{', '.join(objects)}]",
        }[kind]
        file = tmp_path / ("a.csv" if kind == "table" else "a.json")
        file.write_text(text, "cp1252")
        names = [f"data.file={file}"]
    before = {*tmp_path.iterdir()}
    outcome = recipe("doctor", *names, "data.target_language=de", "fix=true")
    assert outcome.code == 1
    assert "Latin-1 or Windows-1252" in outcome.err.splitlines()[-1]
    assert "data.encoding=cp1252" in outcome.err.splitlines()[-1]
    assert {*tmp_path.iterdir()} == before
    outcome = recipe("doctor", *names, "data.target_language=de", "data.encoding=cp1252", "fix=true")
    assert outcome.code == 0
    assert f": {len(rows)} of {len(rows)} pairs\n" in outcome.out


@pytest.mark.parametrize("kind", ["text", "table", "json"])
def test_no_copy_is_written_of_a_corpus_that_cannot_be_read_to_its_end(recipe, tmp_path, kind):
    if kind == "json":
        text = "[" + "".join(f'{{"en": "the number is {word}", "de": "die Zahl"}},\n' for word in NUMBERS) + '{"en'
        (tmp_path / "a.json").write_text(text)
        names, reason = ["data.file=a.json"], "a.json: not JSON"
    else:
        chance, separator = random.Random(1), "\t" if kind == "table" else " "
        lines = [f"{chance.random()}{separator}{chance.random()} x\n" for _ in range(3_000)]
        packed = gzip.compress("".join(lines).encode())
        (tmp_path / "a.en.gz").write_bytes(packed[:-9_000])
        (tmp_path / "a.de").write_text("".join(lines))
        names = ["data.file=a.en.gz"] if kind == "table" else ["data.train.source=a.en.gz", "data.train.target=a.de"]
        reason = "a.en.gz: damaged or incomplete gzip data after line 2,"
    before = sorted(tmp_path.iterdir())
    outcome = recipe("doctor", *(name.replace("=", f"={tmp_path}/") for name in names), "fix=true")
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert reason in outcome.err
    assert "; fix=true wrote nothing, because the copy would lack pairs that are right\n" in outcome.err
    assert re.search(r"^unreadable +1   drops$", outcome.out, re.MULTILINE)
    assert sorted(tmp_path.iterdir()) == before


def test_a_table_that_changes_after_the_diagnosis_is_not_cleaned(tmp_path):
    (tmp_path / "a.csv").write_text("".join(f"the number is {word},die Zahl {word}\n" for word in NUMBERS))
    diagnosis = diagnosed(TableFile(tmp_path / "a.csv", "en", "de"))
    (tmp_path / "a.csv").write_text("another,andere\n")
    with pytest.raises(DataError, match=r"a\.csv has changed while it was in use: .*; fix=true wrote nothing"):
        clean(diagnosis, [])
    assert [*tmp_path.iterdir()] == [tmp_path / "a.csv"]


def test_an_existing_file_is_never_replaced(tmp_path):
    corpus = write_corpus(tmp_path)
    (tmp_path / "a.b.clean.de").write_text("mine")
    with pytest.raises(ConfigError, match=r"a\.b\.clean\.de already exists without .*en, as an interrupted command"):
        clean_paths(corpus, "train")
    with pytest.raises(ConfigError, match="already exists"):
        clean(diagnosed(corpus), [])
    assert (tmp_path / "a.b.clean.de").read_text() == "mine"
    assert not (tmp_path / "a.b.clean.en").exists()


def test_a_process_killed_between_the_two_files_leaves_no_pair(tmp_path, monkeypatch):
    """It leaves the target file alone, and the next command refuses to complete it."""
    diagnosis, replace = diagnosed(write_corpus(tmp_path)), Path.replace

    def killed(temporary, path):
        if path.exists() or path.name == "a.b.clean.en":
            raise KeyboardInterrupt
        return replace(temporary, path)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        clean(diagnosis, [])
    assert (tmp_path / "a.b.clean.de").exists()
    assert not (tmp_path / "a.b.clean.en").exists()
    with pytest.raises(ConfigError, match="as an interrupted command leaves it: remove it"):
        clean(diagnosis, [])


def test_an_error_while_writing_leaves_nothing(tmp_path, monkeypatch):
    diagnosis = diagnosed(write_corpus(tmp_path))
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr("seq2seq.doctor.cleaning.fold", lambda text: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        clean(diagnosis, [])
    assert sorted(tmp_path.iterdir()) == before


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_two_files_can_be_diagnosed_and_cleaned(tmp_path_factory, source, target):
    folder = tmp_path_factory.mktemp("any")
    (folder / "a.en").write_bytes(source)
    (folder / "a.de").write_bytes(target.replace(b"\x01", b"\n"))
    try:
        diagnosis = diagnosed(TextFiles(folder / "a.en", folder / "a.de"))
    except DataError as error:
        assert str(error).startswith(str(folder))  # noqa: PT017
        return
    try:
        result = clean(diagnosis, [])
    except DataError as error:
        words = "would drop every pair" if diagnosis.pairs else "there is no pair to clean"
        assert words in str(error)  # noqa: PT017
        return
    cleaned = [list(read_lines(path)) for path in result.paths]
    assert len(cleaned[0]) == len(cleaned[1]) == result.kept == diagnosis.pairs - sum(result.dropped.values())
    assert all(line.strip() and len(line.splitlines()) == 1 for lines in cleaned for line in lines)


def test_the_names_of_cleaned_copies(tmp_path):
    for name, cleaned in {"train": "train.clean", "a.en.gz": "a.clean.en.gz", "x.tok.de": "x.tok.clean.de"}.items():
        (tmp_path / name).touch()
        (tmp_path / "other.de").touch()
        paths = clean_paths(TextFiles(tmp_path / name, tmp_path / "other.de"), "train")
        assert paths == (tmp_path / cleaned, tmp_path / "other.clean.de")


def test_impossible_settings_are_errors_before_anything_is_read(tmp_path):
    corpus = write_corpus(tmp_path)
    check_fix({"train": corpus}, [Reason.duplicate])
    with pytest.raises(ConfigError, match=r"name it with data\.train"):
        check_fix({}, [])
    with pytest.raises(ConfigError, match="keep=separators is impossible"):
        check_fix({"train": corpus}, [Reason.separators])
    with pytest.raises(ConfigError, match="fix=true needs files"):
        check_fix({"train": PairList("a list", [])}, [])
    with pytest.raises(ConfigError, match="on both sides"):
        check_fix({"more[0]": TextFiles(corpus.source, corpus.source)}, [])


def test_named_columns_of_json_do_not_fit_the_cleaned_table(recipe, tmp_path):
    rows = [{"src": f"the dog {number} sleeps", "tgt": f"der Hund {number} schläft"} for number in [*range(30), 1]]
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    named = [f"data.file={tmp_path / 'pairs.jsonl'}", "data.source_column=src", "data.target_column=tgt"]
    outcome = recipe("doctor", *named, "fix=true")
    assert "to read it, leave data.source_column and data.target_column out" in outcome.out
    assert len(list(Corpus.read(tmp_path / "pairs.clean.tsv", "en", "de"))) == 30
