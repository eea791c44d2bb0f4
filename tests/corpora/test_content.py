"""What a file is, by its bytes: compressed, an archive, text in an encoding, a document of another program."""

import bz2
import gzip
import io
import json
import lzma
import re
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seq2seq.corpora.columns import JsonFile
from seq2seq.corpora.config import DataConfig, FileFormat, Split, SplitConfig
from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.files import TextFiles
from seq2seq.corpora.formats import open_pairs
from seq2seq.corpora.lines import read_input, read_lines
from seq2seq.corpora.reading import named_corpora, read_split
from seq2seq.corpora.streams import with_line_feeds
from seq2seq.errors import ConfigError, DataError
from seq2seq.translation.io import read_text

PACK = {"gzip": gzip.compress, "xz": lzma.compress, "bzip2": bz2.compress}
TEXT = "Dia duit, a chara.\nConas atá tú?\n"
LINES = TEXT.splitlines()


def written(folder: Path, data: bytes, name: str = "text.ga") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def tarred(members: dict[str, bytes | None]) -> bytes:
    """A tar archive; None makes a link to the first member."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            if data is None:
                info.type, info.linkname = tarfile.SYMTYPE, next(iter(members))
            else:
                info.size = len(data)
            archive.addfile(info, io.BytesIO(data or b""))
    return file.getvalue()


@pytest.mark.parametrize("kind", PACK)
def test_compressed_text_is_read_whatever_its_name(tmp_path, kind, monkeypatch):
    path = written(tmp_path, PACK[kind](TEXT.encode()))
    assert list(read_lines(path)) == list(CorpusFile(path).lines()) == LINES
    assert read_text(str(path)) == TEXT
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    assert list(read_input("-")[0]) == LINES
    assert 1 <= CorpusFile(path).expected_lines() <= 3
    for data in (path.read_bytes()[:-9], path.read_bytes()[:20]):
        with pytest.raises(DataError, match=rf"text\.ga: damaged or incomplete {kind} data after line [0-2]"):
            list(read_lines(written(tmp_path, data)))


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", [TEXT, "ਸਤ ਸ੍ਰੀ ਅਕਾਲ\nਕਿਤਾਬ\n", "你好\n书\n", "Hi\r\nNo\r\n", "a\r\rb"])
def test_utf16_is_named_and_read_with_the_setting_that_is_named(tmp_path, text, encoding, mark):
    path = written(tmp_path, f"{mark}{text}".encode(encoding))
    named = encoding[:6] if mark else encoding
    with pytest.raises(DataError, match=rf"UTF-(16|32).*: data\.encoding={named} reads it, or .*iconv -f") as error:
        list(CorpusFile(path).lines())
    assert "\n" not in str(error.value)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    assert list(CorpusFile(path, named).lines()) == lines
    assert list(CorpusFile(path, encoding[:6]).lines()) == lines
    with pytest.raises(DataError, match=f"text.ga is {named.upper()}"):
        list(CorpusFile(path, "cp1252").lines())


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Die Straße führt über den Hügel.\nEr hört schöne Musik.\n"),
        ("cp1251", "Привет, как дела?\nСегодня хорошая погода.\n"),
        ("cp1250", "Zażółć gęślą jaźń.\nSłońce świeci mocno dziś.\n"),
        ("cp932", "こんにちは、お元気ですか。\n今日は天気がいいです。\n"),
        ("gb18030", "你好,今天天气很好。\n我在图书馆看书。\n"),
        ("cp949", "안녕하세요, 잘 지내세요?\n오늘은 날씨가 좋습니다.\n"),
        ("koi8-r", "Привет, как дела?\nСегодня хорошая погода.\n"),
        ("cp1252", "It’s late.\n“No.”\n"),
        ("cp1252", "Ñuke ñi ruka mew’ kiñe domo\n« Où êtes-vous ? » – l’été\n"),
        ("iso8859-2", "Řeka teče kolem našeho domu.\nKůň běží přes širokou louku a my ho vidíme.\n"),
        ("iso8859-2", "A kisfiú örült, hogy őszre hűvösebb lett az idő.\nA nővérem könyvet olvas.\n"),
        ("cp1254", "Bugün hava çok güzel, değil mi?\nŞimdi eve gidiyoruz, sonra yemek yiyeceğiz.\n"),
        ("cp1257", "Šiandien oras labai gražus.\nMūsų namai stovi prie upės, o čia auga ąžuolai.\n"),
        ("mac-roman", "Él dijo “sí” – mañana\n¿Dónde está el niño?\n"),
    ],
)
def test_other_encodings_are_guessed_and_the_guess_is_shown(tmp_path, encoding, text):
    path = written(tmp_path, b"OK.\n" + text.encode(encoding), "text.txt")
    with pytest.raises(DataError, match=r"text\.txt, line 2: byte 0x.. at position \d+ is not UTF-8: as ") as error:
        list(CorpusFile(path).lines())
    assert any(f"it reads “{line[:25]}" in str(error.value) for line in text.splitlines())
    named = re.search(r"data\.encoding=(\S+) reads it, or convert it: iconv -f (\S+) -t UTF-8 ", str(error.value))
    assert named is not None
    assert list(CorpusFile(path, named[1]).lines()) == ["OK.", *text.splitlines()]


def test_a_letter_that_similar_encodings_read_otherwise_is_shown_in_all_of_them(tmp_path):
    """Its neighbours are equal in them: é of cp1252 and of cp1250. The reader knows which word is right."""
    lines = [
        "Che róga tuicha ha iporã.",
        "Mitã oñembosarái okápe.",
        "Ñande ñe'e",
        "Kuñatai",
    ]
    path = written(tmp_path, "\n".join(lines * 9).encode("cp1252"))
    with pytest.raises(DataError, match=r"data\.encoding=cp1252 reads it") as error:
        list(CorpusFile(path).lines())
    assert "as Latin-1 or Windows-1252 it reads “Che róga tuicha ha iporã.”" in str(error.value)
    assert "as cp1250 (Central Europe) it reads “Che róga tuicha ha iporă.”" in str(error.value)
    assert "if the first is right" in str(error.value)


@given(st.text(st.characters(codec="utf-16", exclude_characters="\r\0")), st.sampled_from(["utf-16", "utf-32"]))
def test_any_marked_utf16_is_read_exactly_with_the_setting_named(tmp_path_factory, text, encoding):
    path = written(tmp_path_factory.getbasetemp(), f"{text}\n".encode(encoding))
    with pytest.raises(DataError, match=rf"data\.encoding={encoding} reads it"):
        list(CorpusFile(path).lines())
    assert list(CorpusFile(path, encoding).lines()) == text.split("\n")


@example("Ã©", "latin-1")  # also valid UTF-8
@example("0", "utf-16-le")  # decodes as UTF-32, to U+A0030
@given(st.text(max_size=30), st.sampled_from(["latin-1", "cp1251", "utf-16-le", "shift_jis"]))
def test_any_text_is_read_exactly_with_its_encoding(tmp_path_factory, text, encoding):
    data = f"{text}\n".replace("\r", "").encode(encoding, "ignore")
    text = data.decode(encoding)
    path = written(tmp_path_factory.getbasetemp(), data)
    if "\0" not in text and not (encoding == "utf-16-le" and text.startswith("\ufeff")):
        assert list(CorpusFile(path, encoding).lines()) == text.removesuffix("\n").split("\n")
    if encoding != "utf-16-le":
        try:
            data.decode()
        except UnicodeDecodeError:
            with pytest.raises(DataError, match=r"is not UTF-8: |is UTF-"):
                list(CorpusFile(path).lines())


def test_the_encoding_is_a_setting_and_part_of_the_fingerprint(tmp_path):
    path = written(tmp_path, "Привет\tHallo\n".encode("cp1251"))
    corpora = [Corpus.read(path, encoding=encoding) for encoding in ("cp1251", "koi8-r")]
    assert [next(iter(corpus)).source for corpus in corpora] == ["Привет", "оПХБЕР"]
    assert corpora[0].fingerprint != corpora[1].fingerprint
    config = DataConfig(test=SplitConfig(source=str(path), target=str(path)), encoding="cp1251")
    assert list(read_split(config, Split.test)) == [Pair("Привет\tHallo", "Привет\tHallo")]
    with pytest.raises(ConfigError, match=r"data\.encoding=latin9000 is not a text encoding: name one such as"):
        Corpus.read(path, encoding="latin9000")
    with pytest.raises(ConfigError, match=r"encoding=base64 is not a text encoding"):
        list(read_lines(path, "base64"))
    with pytest.raises(DataError, match=r"position 1 of the file is not cp1252: "):
        list(read_lines(written(tmp_path, b"\x81\n"), "cp1252"))
    with pytest.raises(DataError, match=r"text\.ga is not UTF-16: leave data\.encoding=utf-16 out"):
        list(CorpusFile(written(tmp_path, TEXT.encode()), "utf-16").lines())


def test_a_line_in_another_encoding_than_the_others_is_named(tmp_path):
    data = TEXT.encode() + b"caf\xe9\n" + "Cén fáth?\n".encode() * 20
    with pytest.raises(DataError, match=r"line 3: byte 0xe9 .* the lines after it are: fix this line in a text editor"):
        list(read_lines(written(tmp_path, data)))
    with pytest.raises(DataError, match=r"the file is binary data and not text"):
        list(read_lines(written(tmp_path, bytes(range(256)))))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_carriage_returns_end_lines_if_there_is_no_line_feed(tmp_path, pack, caplog, monkeypatch):
    path = written(tmp_path, pack(TEXT.replace("\n", "\r").encode()))
    file = CorpusFile(path)
    assert list(file.lines()) == list(file.lines()) == LINES
    assert caplog.messages == [f"{path}: lines end in carriage returns, and are read so"]
    lines, count = read_input(str(path))
    assert (list(lines), count) == (LINES, 2)
    assert len(caplog.messages) == 2, "said once by each"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    assert list(read_input("-")[0]) == LINES
    assert list(Corpus.read(written(tmp_path, b"a\tb\rc\td\r"))) == [Pair("a", "b"), Pair("c", "d")]
    assert list(read_lines(written(tmp_path, b"a\rb\nc"))) == ["a\rb", "c"]


@pytest.mark.parametrize(
    "content",
    [
        "en,de\rWe work.,Wir arbeiten.\rYes.,Ja.\r\n",
        "en,de\rWe work.,Wir arbeiten.\rYes.,Ja.\n",
        'en,de\r"We\nwork.","Wir\narbeiten."\rYes.,Ja.\r',
        'en\tde\r"We\nwork."\t"Wir\narbeiten."\rYes.\tJa.\r',
    ],
)
def test_a_few_line_feeds_among_carriage_returns_are_no_other_kind_of_file(tmp_path, content):
    pairs = [Pair("We work.", "Wir arbeiten."), Pair("Yes.", "Ja.")]
    assert list(Corpus.read(written(tmp_path, content.encode()))) == pairs
    assert list(Corpus.read(written(tmp_path, gzip.compress(content.encode())))) == pairs


def test_a_return_and_its_line_feed_end_one_line_wherever_blocks_end():
    for size in range(1, 8):
        stream = with_line_feeds(io.BufferedReader(io.BytesIO(b"a\rb\r\n\r\nc\n\rd\r"), size))
        assert b"".join(iter(lambda stream=stream, size=size: stream.read1(size), b"")) == b"a\nb\n\nc\n\nd\n"


def test_a_line_of_standard_input_may_have_carriage_returns(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\rb\rc\nd\n")))
    assert list(read_input("-")[0]) == ["a\rb\rc", "d"]


def test_more_than_a_megabyte_of_carriage_returns_is_lines(tmp_path):
    lines = [f"Sentence number {number}." for number in range(60_000)]
    assert list(read_lines(written(tmp_path, "\r".join(lines).encode()))) == lines


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"%PDF-1.7\n", "a PDF document, which has no sentences: try pdftotext"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive: unpack it with 7z x"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", r"an old Word or Excel file \(.doc, .xls\)"),
        (zipped({"[Content_Types].xml": b"", "word/document.xml": b""}), r"a Word document \(.docx\): save it as"),
        (zipped({"[Content_Types].xml": b"", "xl/workbook.xml": b""}), r"an Excel workbook \(.xlsx\): save "),
        (zipped({"mimetype": b"", "META-INF/manifest.xml": b""}), r"an OpenDocument file"),
        (b"\x28\xb5\x2f\xfd\0", "compressed with zstd: decompress it with zstd -d"),
        (b"PAR1\x15\4", "a Parquet file, with columns"),
    ],
)
def test_files_that_are_no_text_are_named(tmp_path, data, words):
    path = written(tmp_path, data)
    with pytest.raises(DataError, match=rf"text\.ga is {words}"):
        list(read_lines(path))
    if not data.startswith(b"PAR1") and b"xl/workbook.xml" not in data:  # which are files of pairs
        with pytest.raises(DataError, match=rf"text\.ga is {words}"):
            open_pairs(DataConfig(), path)


OPUS = {
    "GNOME.en-ga.en": b"Hello.\nYes.\n",
    "README": b"A corpus.\n",
    "LICENSE": b"Free.\n",
    "GNOME.en-ga.ga": b"Dia duit.\nSea.\n",
    "GNOME.en-ga.xml": b"<cesAlign/>",
    "GNOME.en-ga.ids": b"1\n2\n",
}
PAIRS = [Pair("Hello.", "Dia duit."), Pair("Yes.", "Sea.")]


@pytest.mark.parametrize(
    "pack", [zipped, tarred, *(lambda members, pack=pack: pack(tarred(members)) for pack in PACK.values())]
)
def test_an_archive_of_opus_is_two_aligned_files(tmp_path, pack):
    path = written(tmp_path, pack(OPUS), "corpus")
    corpora = [Corpus.read(path, *sides) for sides in (("en", "ga"), ("gle", "eng"))]
    assert list(corpora[0]) == list(corpora[0]) == PAIRS
    assert list(corpora[1]) == [Pair(*reversed(pair)) for pair in PAIRS]
    assert corpora[0].fingerprint != corpora[1].fingerprint
    assert list(tmp_path.iterdir()) == [path], "nothing is extracted"
    with pytest.raises(DataError, match=r"corpus is an archive with 2 files \(GNOME\.en-ga\.en, .*such as path=\S+/GN"):
        Corpus.read(path)
    side = path / "GNOME.en-ga.ga"
    assert list(read_lines(side)) == list(CorpusFile(side).lines()) == ["Dia duit.", "Sea."]
    with pytest.raises(DataError, match="corpus is an archive with 2 files"):
        list(read_lines(path / "none"))
    others = {"GNOME.de-en.de": b"Hallo.\n", "GNOME.de-en.en": b"Hi.\n", "GNOME.de-ga.ga": b"Sea.\n"}
    path.write_bytes(pack(OPUS | others))
    assert list(Corpus.read(path, "en", "ga")) == PAIRS, "of several pairs of languages"


@pytest.mark.parametrize("name", ["a.tsv", "folder/a.json.gz"])
def test_the_only_file_in_an_archive_is_read_by_its_content(tmp_path, name):
    data = gzip.compress(b'{"en": "a", "de": "b"}\n') if name.endswith("gz") else b"a\tb\n"
    path = written(tmp_path, zipped({name: data, "README.md": b"x"}))
    assert list(Corpus.read(path)) == list(Corpus.read(path / name)) == [Pair("a", "b")]
    path = written(tmp_path, zipped({"a.zip": zipped({"b": b"c"})}))
    with pytest.raises(DataError, match="is an archive in an archive: unpack it"):
        list(read_lines(path))


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_names_that_begin_with_the_folder_itself_are_names(tmp_path, pack):
    path = written(tmp_path, pack({"./README": b"x", "./b//pairs.tsv": b"a\tb\n"}), "corpus")
    assert list(Corpus.read(path)) == list(Corpus.read(path / "b" / "pairs.tsv")) == [Pair("a", "b")]
    path = written(tmp_path, pack({"./a.en": b"a\n", "./a.ga": b"b\n"}), "corpus")
    assert list(Corpus.read(path, "en", "ga")) == [Pair("a", "b")]
    with pytest.raises(DataError, match=r"2 files \(a\.en, a\.ga\).*such as path=\S+/corpus/a\.en;"):
        Corpus.read(path)
    with pytest.raises(DataError, match=r"a Word document"):
        Corpus.read(written(tmp_path, zipped({"./word/document.xml": b""}), "corpus"))


@pytest.mark.parametrize("folder", ["", "./", "corpus/"])
@pytest.mark.parametrize("attributes", ["{}._{}", "__MACOSX/{}._{}", "{}.DS_Store"])
@pytest.mark.parametrize("name", ["train", "README", "notice"])
def test_hidden_files_are_no_text(tmp_path, folder, attributes, name):
    names = [f"{name}.en", f"{name}.ga"]
    members = {folder + name: f"{name[-2:]}\n".encode() for name in names}
    members |= {attributes.format(folder, name): b"\0\5\x16\7" for name in names}
    path = written(tmp_path, tarred(members), "corpus")
    assert list(Corpus.read(path, "en", "ga")) == [Pair("en", "ga")]
    path = written(tmp_path, zipped({f"{folder}.pairs": b"a\tb\n"}), "hidden.zip")
    assert list(Corpus.read(path)) == [Pair("a", "b")], "the only file"


def test_archives_lead_nowhere_else(tmp_path):
    secret = written(tmp_path, b"secret\tsecret\n", "secret")
    names = {"a.tsv": b"a\tb\n", str(secret): b"c\td\n", "../secret": b"e\tf\n", "link.tsv": None}
    path = written(tmp_path, tarred(names), "corpus.tar")
    assert list(Corpus.read(path)) == [Pair("a", "b")]
    with pytest.raises(DataError, match="is an archive with 1 files"):
        list(read_lines(path / "link.tsv"))


def test_bombs_and_damage_in_archives_are_one_line(tmp_path):
    path = written(tmp_path, zipped({"a.txt": bytes(3_000_000)}))
    assert path.stat().st_size < 10_000
    with pytest.raises(DataError, match=r"line 1 has more than 1,000,000 bytes"):
        list(read_lines(path))
    layers = TEXT.encode()
    for _ in range(4):
        layers = gzip.compress(layers)
    with pytest.raises(DataError, match="compressed several times"):
        list(read_lines(written(tmp_path, layers)))
    for pack in (zipped, lambda members: gzip.compress(tarred(members), 0)):
        data = pack({"a.txt": b"line\n" * 50_000, "b.txt": b"x"})
        for cut in (data[: len(data) // 2], data[:50], data[:100] + b"\xff" + data[101:]):
            with pytest.raises(DataError) as error:
                list(read_lines(written(tmp_path, cut) / "a.txt"))
            assert "\n" not in str(error.value)


def test_both_sides_may_be_compressed_differently_and_in_different_encodings_of_unicode(tmp_path):
    source = written(tmp_path, bz2.compress(b"a\nb\n"), "source")
    target = written(tmp_path, lzma.compress(b"\xef\xbb\xbfc\r\nd\r\n"), "target.gz")
    assert list(TextFiles(source, target)) == [Pair("a", "c"), Pair("b", "d")]


CSV = 'English,German\n"No, thanks.","Nein, danke."\nYes.,Ja.\n"He said ""no"".","Er sagte ""nein""."\n'


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        (CSV * 2, "its lines are CSV: cells in quotation marks, separated by ,"),
        ('"No, thanks."\nYes.\n"He said ""no""."\n' * 2, r"its lines are CSV: cells in quotation marks\)"),
        ("Yes.\tJa.\nNo.\tNein.\nHm.\tHm.\n", "every line has a tab"),
        ('"No," he said.\n"Yes, please."\n"Oh, well."\n"Ah, so."\n', None),
        ("One, two.\nYes, no.\nHm, so.\n" * 3, None),
        ('"Come in, please."\nYes, we do.\n"Oh, well."\n"Ah, so."\n', None),
        ("A\tb\nc\nd\te\n", None),
    ],
)
def test_a_table_that_is_taken_for_text_is_named(tmp_path, text, sign, caplog):
    path = written(tmp_path, text.encode())
    lines, count = read_input(str(path))
    assert (list(lines), count) == (text.splitlines(), text.count("\n"))
    assert [message.partition(" (")[0] for message in caplog.messages] == [f"{path} looks like a table"] * bool(sign)
    config = DataConfig(train=SplitConfig(source=str(path), target=str(path)))
    pairs = [Pair(line, line) for line in text.splitlines()]
    if sign is None:
        assert list(read_split(config, Split.train)) == pairs
        return
    with pytest.raises(DataError, match=rf"text\.ga is a table and not text \({sign}.* name it as data\.train\.file"):
        read_split(config, Split.train)
    assert list(named_corpora(config)["train"]) == pairs, "the doctor reads it"
    config.format = FileFormat.lines
    assert list(read_split(config, Split.train)) == pairs


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize(
    "text",
    [
        '[{"en": "a", "de": "b"}, {"en": "ç, d", "de": "e"}]',
        '\n[{\n  "en": "a", "de": "b"},\n {"en": "ç, d", "de": "e"}]',
        '{\n"en": "a", "de": "b"}\n{"en": "ç, d", "de": "e"}',
        '["a","b"]\n["ç, d", "e"]\n',
        '{"en": "a", "de": "b"}\r\n{"en": "ç, d", "de": "e"}\r\n',
    ],
)
def test_json_is_recognized_by_its_text_in_any_encoding(tmp_path, text, encoding):
    path = written(tmp_path, text.encode(encoding), "a.json")
    named = None if encoding.startswith("utf-8") else encoding
    assert list(Corpus.read(path, encoding=named)) == [Pair("a", "b"), Pair("ç, d", "e")]


def test_json_of_any_layout_is_read_one_value_at_a_time(tmp_path):
    rows = [{"translation": {"en": f"a{number}", "de": "b"}, "id": [number]} for number in range(30_000)]
    pairs = [Pair(f"a{number}", "b") for number in range(30_000)]
    for text in (json.dumps(rows), "\n".join(json.dumps(row, indent=1) for row in rows)):
        corpus = Corpus.read(written(tmp_path, text.encode(), "a.json"))
        assert isinstance(corpus, JsonFile)
        assert list(corpus) == pairs
    for text, words in {
        '[{"en": "a", "de": "b"}, {"en": "a"}]': r"value 2: no column 'de'",
        '[{"en": "a", "de": "b"}, {"en": ': r"text\.ga: not JSON \(",
        '[{"en": "a", "de": "b"} x]': r"text\.ga: not JSON \(",
        '[{"en": 1, "de": "b"}]': r"value 1: 'en' is of type int",
        '{"data": [{"en": "a", "de": "b"}]}': "no column 'en', and 'data' is a list: write its values alone",
        json.dumps({f"{number:03}": "" for number in range(99)}): r"no column 'en' \(there are: .*, 019 and 79 more\)",
        '[["a", "b"], ["c"]]': r"value 2: a JSON list, not an object",
        "[]": "no lines found",
    }.items():
        with pytest.raises(DataError, match=words):
            list(JsonFile(written(tmp_path, text.encode()), "en", "de"))


def test_utf8_is_not_read_in_the_encoding_of_another_file(tmp_path):
    """The setting holds for all files of a run, and copies by the doctor are UTF-8."""
    path = written(tmp_path, ("Das süße Café öffnet später.\n" * 10).encode())
    with pytest.raises(DataError, match=r"is UTF-8 and not cp1252: leave data\.encoding=cp1252 out, and convert"):
        list(CorpusFile(path, "cp1252").lines())
    assert list(CorpusFile(written(tmp_path, b"ASCII\n"), "utf-16").lines()) == ["ASCII"]


def test_a_folder_that_may_not_be_entered_and_a_name_that_is_too_long_are_one_line(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="cannot be read: File name too long"):
        CorpusFile(tmp_path / ("x" * 300))
    with pytest.raises(DataError, match="cannot be read: File name too long"):
        list(read_lines(tmp_path / ("x" * 300)))


def test_a_file_of_an_archive_in_another_script_of_the_language_is_not_taken(tmp_path):
    path = written(tmp_path, zipped({"X.en": b"We work.\n", "X.zh_CN": "我们工作。\n".encode()}), "x.zip")
    assert list(Corpus.read(path, "en", "zh")) == [Pair("We work.", "我们工作。")]
    with pytest.raises(DataError, match=r"X\.en|X\.zh_CN"):
        list(Corpus.read(path, "en", "zh-TW"))
