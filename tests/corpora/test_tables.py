"""Tables of pairs: separators, quotes, headers, columns."""

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.corpora.documents.table import TableDocument
from seq2seq.corpora.table import TableFile
from seq2seq.corpora.table_titles import header_columns
from seq2seq.doctor.reading import read_blocks
from seq2seq.errors import DataError, program

WE, YES = Pair("We work.", "Wir arbeiten."), Pair("Well, yes; 7.", 'Nun, "ja".')


def table(tmp_path: Path, content: str | bytes, *columns: str | None, name: str = "pairs.csv") -> TableFile:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return TableFile(path, "en", "de", *columns)


@pytest.mark.parametrize("separator", ["\t", ",", ";", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_separator_is_found_in_quoted_cells(tmp_path, separator, end):
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator=end).writerows([WE, YES, ("Two\nlines", "Zwei\r\n Zeilen")])
    assert list(table(tmp_path, text.getvalue())) == [WE, YES, Pair("Two lines", "Zwei Zeilen")]


def test_a_separator_in_all_quoted_cells_is_text(tmp_path):
    rows = [("dog; hound", "Hund; Köter"), ("go; walk", "gehen; laufen")]
    content = "".join(f'"{source}","{target}"\n' for source, target in rows)
    assert list(table(tmp_path, content)) == [Pair(*row) for row in rows]


def test_byte_order_marks_blank_lines_and_further_columns_are_left_out(tmp_path):
    corpus = table(tmp_path, '\ufeff"\ufeffWe work.",\ufeffWir arbeiten.,Tatoeba\n\n"Yes.","Ja.",\n')
    assert list(corpus) == [WE, Pair("Yes.", "Ja.")]
    assert "the first two of 3 columns are read as source and target" in corpus.note
    two = table(tmp_path, "We work.,Wir arbeiten.\n")
    assert two.note == f"{two.name}: no header: column 1 is read as en, column 2 as de"


def test_quotation_marks_of_tab_separated_text_stay_unless_all_enclose_cells(tmp_path):
    raw = '"Yes," he said.\t"Ja", sagte er.\n"No."\t"Nein."\nHe said "no".\tEr sagte "nein".\n'
    assert list(table(tmp_path, raw)) == [Pair(*line.split("\t")) for line in raw.splitlines()]
    quoted = '"He said ""no"".\t"\tEr sagte „nein“.\n"No."\t"Nein,\nnein."\n'
    assert list(table(tmp_path, quoted)) == [Pair('He said "no".\t', "Er sagte „nein“."), Pair("No.", "Nein, nein.")]


def test_whole_sentences_in_quotation_marks_keep_them_beside_others(tmp_path):
    raw = '"No, Tom."\t"Nein, Tom."\nHello, Tom.\tHallo, Tom.\n' * 600 + '"Yes," he said.\t"Ja", sagte er.\n'
    assert list(table(tmp_path, raw)) == [Pair(*line.split("\t")) for line in raw.splitlines()]


@pytest.mark.parametrize("first", ["en\tde\n", '7\t"No."\n', '"x"\t"y"\n'])
def test_marks_around_all_cells_are_those_of_a_program(tmp_path, first):
    assert list(table(tmp_path, first + '"No."\t"Nein."\n'))[-1] == ("No.", "Nein.")


def test_a_program_may_enclose_the_cells_with_a_comma(tmp_path):
    raw = '"No, Tom."\t"Nein, Tom."\nHello.\tHallo.\n'
    assert list(table(tmp_path, raw)) == [Pair("No, Tom.", "Nein, Tom."), Pair("Hello.", "Hallo.")]


def test_quoted_cells_may_follow_a_space(tmp_path):
    corpus = table(tmp_path, 'en, de\n"No, Tom.", "Nein, Tom."\nHello., Hallo.\n')
    assert list(corpus) == [Pair("No, Tom.", "Nein, Tom."), Pair("Hello.", "Hallo.")]


@pytest.mark.parametrize("separator", ["\t", ";"])
def test_a_carriage_return_within_a_sentence_is_a_space(tmp_path, separator):
    content = f"Yes.{separator}Ja.\r\nWe\rwork.{separator}Wir\rarbeiten.\r\n"
    assert list(table(tmp_path, content)) == [Pair("Yes.", "Ja."), WE]


def test_line_ends_within_a_cell_become_one_space_in_linear_time(tmp_path):
    spaces = " " * 100_000
    assert list(table(tmp_path, f'"a \n \n\tb{spaces}c","d\n"\n')) == [Pair(f"a b{spaces}c", "d ")]


def test_a_long_quoted_table_is_recognised_by_its_beginning(tmp_path):
    rows = '"He said ""no""."\tNein.\n' * 999 + '"Two\nlines"\tZwei.\n' + "Yes.\tJa.\n" * 500
    pairs = list(table(tmp_path, rows))
    assert len(pairs) == 1500
    assert pairs[0] == ('He said "no".', "Nein.")
    assert pairs[999] == ("Two lines", "Zwei.")


@pytest.mark.parametrize(
    ("late", "pair"),
    [
        ('"He said ""no""."\t"Er sagte ""nein""."', ('He said "no".', 'Er sagte "nein".')),
        ('"Two\tcells"\tZwei', ("Two\tcells", "Zwei")),
        ('"Two\nlines"\t"Zwei\nZeilen"', ("Two lines", "Zwei Zeilen")),
        ('"No, Tom."\t"Nein, Tom."', ("No, Tom.", "Nein, Tom.")),  # as Excel writes: no other cell has a comma
        ('"No."\t"Nein."', ('"No."', '"Nein."')),  # no program encloses these and not the others
        ('"Yes," he said.\t"Ja", sagte er.', ('"Yes," he said.', '"Ja", sagte er.')),
        ('He said "no".\tEr sagte "nein".', ('He said "no".', 'Er sagte "nein".')),
    ],
)
@pytest.mark.parametrize("end", ["", "Bye.\tTschau.\n", "Bye.\tTschau.\n" * 1_500])
def test_the_first_quotation_marks_decide_wherever_they_stand(tmp_path, late, pair, end):
    before = "Go.\tGeh.\nCome.\tKomm.\n" * 600
    pairs = list(table(tmp_path, f"{before}{late}\n{end}"))
    assert pairs[1_200] == pair
    assert len(pairs) == 1_201 + end.count("\n")
    if not end:
        document = TableDocument(tmp_path / "pairs.csv", "en", "de")
        assert document.quoted == (pair[0][0] != '"' and late[0] == '"')


def test_spaces_before_quoted_cells_are_found_wherever_they_stand(tmp_path):
    corpus = table(tmp_path, "Go., Geh.\n" * 1_200 + '"No, Tom.", "Nein, Tom."\n')
    assert list(corpus)[1_200] == ("No, Tom.", "Nein, Tom.")


@pytest.mark.parametrize(
    ("header", "swapped"),
    [
        ("en,de", False),
        ("de,en", True),
        ("English,German", False),
        ("Deutsch,Englisch"[:8] + "English", True),
        ("ger,eng", True),
        ("de-AT,en_GB", True),
        ("target,source", True),
        ("Source Sentence,Translation", False),
    ],
)
def test_a_header_that_names_the_languages_or_sides_decides_the_order(tmp_path, header, swapped):
    row = ",".join(reversed(WE) if swapped else WE)
    corpus = table(tmp_path, f"{header}\n{row}\n")
    assert list(corpus) == [WE]
    assert "the first row is a header: source" in corpus.note


def test_a_header_finds_the_columns_among_others(tmp_path):
    corpus = table(tmp_path, "No.;German;Notes;English\n1;Wir arbeiten.;;We work.\n")
    assert list(corpus) == [WE]
    assert corpus.note.endswith("the first row is a header: source 'English', target 'German'")


@pytest.mark.parametrize(
    "cells",
    [
        ["We work.", "Wir arbeiten."],
        ["German", "Deutsch"],  # one language
        ["is", "ist"],  # codes of two languages, but of three letters
        ["the", "das"],
        ["English", "Englisch spricht man hier"],
        ["source", "Quelle"],
        ["", ""],
        [],
    ],
)
def test_a_pair_is_no_header(cells):
    assert header_columns(cells, "en", "de") is None
    assert header_columns(["", "b"], "", "") is None, "languages may be unknown"


def test_a_header_with_other_languages_is_left_out_with_a_warning(tmp_path, caplog):
    assert list(table(tmp_path, "English,Tiếng Việt\nHello.,Xin chào.\n")) == [Pair("Hello.", "Xin chào.")]
    assert "names the languages English and Tiếng Việt, but the settings say en and de" in caplog.text


def test_a_title_of_one_of_the_languages_beside_another_word_is_a_header(tmp_path, caplog):
    assert list(table(tmp_path, "English,Halunish\nWe work.,Vir orbata.\n")) == [Pair("We work.", "Vir orbata.")]
    assert not caplog.text


@pytest.mark.parametrize("header", ["Halunish,English", "Deutsch,Halunisch", "Translation,English", "German,Word"])
def test_one_title_of_a_language_decides_the_order(tmp_path, caplog, header):
    assert list(table(tmp_path, f"{header}\nWir arbeiten.,We work.\n")) == [WE]
    assert not caplog.text


def test_one_side_may_be_named_by_its_language_and_the_other_as_a_side(tmp_path):
    corpus = table(tmp_path, "ID,Translation,English,Notes\n1,Wir arbeiten.,We work.,good\n")
    assert list(corpus) == [WE]
    assert corpus.note.endswith("the first row is a header: source 'English', target 'Translation'")


@pytest.mark.parametrize("header", ["SENTENCE_EN,sentence_de", "Text (en),Text (German)", "word,translation"])
def test_titles_may_have_other_words(tmp_path, header):
    assert list(table(tmp_path, f"{header}\nWe work.,Wir arbeiten.\n")) == [WE]


def read(tmp_path: Path, languages: str, content: str) -> TableFile:
    (tmp_path / "pairs.csv").write_text(content, "utf-8")
    return TableFile(tmp_path / "pairs.csv", *languages.split())


VERSES = "".join(f"GEN,1,{n},foo {'abc'[n]},hello {'abc'[n]}\n" for n in range(3))
SOUNDS = "".join(f"rec_{a}.wav,foo {a},hello {a}\n" for a in "abc")


@pytest.mark.parametrize(
    ("languages", "content", "columns"),
    [
        ("en lld", "Gherdëina,English,Speaker\nfoo,hello,Ann\n", (1, 0)),
        ("lld en", "Gherdëina,English,Speaker\nfoo,hello,Ann\n", (0, 1)),
        ("en lld", "Gherdëina;English;\nfoo;hello;\n", (1, 0)),
        ("en lld", "No.,Foo,English,How sure are we of it?\n7,foo,hello,very\n", (2, 1)),
        ("en lld", "Book,Chapter,Verse,Foo,English\n" + VERSES, (4, 3)),
        ("en lld", "audio,Foo,English\n" + SOUNDS, (2, 1)),
        ("en lld", "foo,en,notes\nfoo,hello,x\n", (1, 0)),
        ("en lld", "Translation,Word,English\nfoo,x,hello\n", (2, 0)),
        ("en id", "ID,English,Indonesian\n1,hello,halo\n2,yes,ya\n3,no,tidak\n", (1, 2)),
        ("en ckb", "Kurdish,English\nSilav,Hello\n", (1, 0)),
        ("es quy", "Quechua,Spanish\nfoo,hola\n", (1, 0)),
        ("es nah", "Náhuatl,Español\nfoo,hola\n", (1, 0)),
        ("en arz", "Arabic,English,ID\nfoo,hello,1\n", (1, 0)),
        ("quy en", "Spanish,English,Quechua\nhola,hello,foo\n", (2, 1)),
    ],
)
def test_a_title_of_one_language_decides_among_any_number_of_columns(tmp_path, caplog, languages, content, columns):
    corpus = read(tmp_path, languages, content)
    assert (corpus.columns, corpus.header) == (columns, content.splitlines()[0].replace(";", ",").split(","))
    assert not caplog.text
    assert "the first row is a header: source" in corpus.note


def test_what_titles_do_not_decide_is_refused_in_one_line(tmp_path):
    for content, side, choices in (
        ("Spanish,English,Halunish\nhola,hello,foo\n", "target", "'Spanish' or 'Halunish'"),
        ("Quechua A,English,German (A),German (B)\na,b,c,d\n", "target", "'German (A)' or 'German (B)'"),
    ):
        with pytest.raises(DataError, match=r": set data\.target_column to its title$") as error:
            table(tmp_path, content)
        assert f"pairs.csv: the {side} could be column {choices}" in str(error.value)
    assert table(tmp_path, content, None, "4").columns == (1, 3)
    with pytest.raises(DataError, match=r"column 2 is both source and target: set data\.source_column or data\.target"):
        table(tmp_path, "id,English,page\n1,hello,2\n")


@pytest.mark.parametrize(
    ("languages", "header", "columns"),
    [
        ("en de", "ID,English,English notes,German", (1, 3)),
        ("es gn", "Guarani,Guarani (revisado),Español", (2, 0)),
        ("en de", "German (1912),German,English (1912),English", (3, 1)),
        ("en de", "German text,English text,text", (1, 0)),
        ("tw fat", "Twi,Fante", (0, 1)),
        ("fat tw", "Twi,Fante", (1, 0)),
        ("pt-PT pt-BR", "pt_BR,pt_PT", (1, 0)),
        ("sr-Latn sr-Cyrl", "sr-Cyrl,sr-Latn", (1, 0)),
        ("quy quz", "Quechua (Cusco),Quechua (Ayacucho)", (1, 0)),
        ("foo en", "en,foo", (1, 0)),
    ],
)
def test_the_title_that_names_a_language_exactly_wins(tmp_path, caplog, languages, header, columns):
    cells = ",".join("abcd"[: header.count(",") + 1])
    corpus = read(tmp_path, languages, f"{header}\n{cells}\n")
    assert (corpus.columns, corpus.header) == (columns, header.split(","))
    assert not caplog.text


def test_two_kinds_of_one_language_are_a_header_and_their_order_is_reported(tmp_path, caplog):
    corpus = read(tmp_path, "sr hr", "German (Basel),German (Bern)\na,b\n")
    assert list(corpus) == [Pair("a", "b")]
    assert "names the languages German (Basel) and German (Bern), but the settings say sr and hr" in caplog.text


@pytest.mark.parametrize(
    "first", ["English is hard\tDeutsch ist schwer", "English\tDeutsch ist schön.", "Learn English\tDeutsch lernen"]
)
def test_a_sentence_that_begins_with_a_language_is_no_title(tmp_path, first):
    assert next(iter(table(tmp_path, f"{first}\nHello\tHallo\n"))) == tuple(first.split("\t"))


@pytest.mark.parametrize(
    ("languages", "notes", "columns"),
    [
        ("en lld", "Ladin words,\nCollected by,Ann\nLadin,English\n", (1, 0)),
        ("en lld", "Title,Ladin words\nCollected by,Ann\nLadin,English\n", (1, 0)),
        ("en lld", "Language,Ladin\nCollected by,Ann\nLadin,English\n", (1, 0)),
        ("en lld", "Words,\nCollected by,Ann\nGherdëina,English\n", (1, 0)),
        ("en lld", "Words,,\nCollected by,Ann,2014\nNo.,Gherdëina,English\n", (2, 1)),
    ],
)
def test_notes_may_stand_above_the_header(tmp_path, languages, notes, columns):
    corpus = read(tmp_path, languages, notes + ("7,x,y\n" if "No." in notes else "x,y\n"))
    assert (corpus.columns, corpus.header) == (columns, notes.splitlines()[-1].split(","))
    assert len(list(corpus)) == 1
    assert "row 3 is a header, rows above it are left out" in corpus.note


@pytest.mark.parametrize("count", [2, 5, 30])
@pytest.mark.parametrize("row", ["en,hello {0},de,hallo {0}", "{1},en,hello {0},{1},de,hallo {0}"])
def test_a_language_code_in_every_row_is_no_title(tmp_path, row, count):
    letters = [chr(97 + n % 26) * (1 + n // 26) for n in range(count)]
    content = "".join(row.format(letter, 1000 + n) + "\n" for n, letter in enumerate(letters))
    pairs = [Pair(f"hello {letter}", f"hallo {letter}") for letter in letters]
    corpus = read(tmp_path, "en de", content)
    assert corpus.header is None
    if count > 3:  # fewer rows do not show labels
        assert list(corpus) == pairs
        assert list(read(tmp_path, "de en", content)) == [pair[::-1] for pair in pairs], "the codes tell the direction"


NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def labelled(label: str) -> list[list[str]]:
    return [[label.format(n), f"We have {word}.", f"Wir haben {word}."] for n, word in enumerate(NUMBERS)]


@pytest.mark.parametrize("label", ["{}", "GEN 1:{}", "2021-03-{}", "{}.5", "Genesis", "n.", ""])
def test_columns_of_numbers_and_labels_are_no_text(tmp_path, label):
    rows = labelled(label)
    content = "".join("\t".join(row) + "\n" for row in rows)
    corpus = table(tmp_path, content)
    assert list(corpus) == [Pair(*row[1:]) for row in rows]
    assert "columns 2 and 3 of 3 are read as source and target: for others, set" in corpus.note
    assert table(tmp_path, content, "1", "2").columns == (0, 1)


def test_letters_of_a_font_of_its_own_are_text(tmp_path):
    rows = [[chr(0xE000 + n) + chr(0xE100 + 2 * n), f"word {word}", "verb"] for n, word in enumerate(NUMBERS)]
    assert list(table(tmp_path, "".join("\t".join(row) + "\n" for row in rows))) == [Pair(*row[:2]) for row in rows]


def test_numbers_below_a_title_show_a_header(tmp_path):
    rows = [["no", "en", "our village"], *labelled("{}")]
    corpus = table(tmp_path, "".join(",".join(row) + "\n" for row in rows))
    assert list(corpus) == [Pair(*row[1:]) for row in rows[1:]]
    assert "the first row is a header: source 'en', target 'our village'; for others of the 3 columns" in corpus.note
    assert corpus.titles is None, "the cleaned copy has no numbers that would show it"


def test_sentences_with_numbers_are_text(tmp_path):
    rows = [[f"Room {n} has {word} beds.", f"Zimmer {n} hat {word} Betten.", "x"] for n, word in enumerate(NUMBERS)]
    assert list(table(tmp_path, "".join("\t".join(row) + "\n" for row in rows))) == [Pair(*row[:2]) for row in rows]


def test_a_header_may_stand_below_the_title_of_the_table(tmp_path):
    corpus = table(tmp_path, "Phrases of our village,\nmade in 2014,\n\nGerman,English\nWir arbeiten.,We work.\n")
    assert list(corpus) == [WE]
    assert "row 3 is a header, rows above it are left out: source 'English', target 'German'" in corpus.note
    named = table(tmp_path, "Phrases,,\nid,Lesson,Answer\n7,We work.,Wir arbeiten.\n", "Lesson", "Answer")
    assert list(named) == [WE]
    dictionary = table(tmp_path, "dog,Hund\nEnglish,Englisch\n")
    assert list(dictionary) == [Pair("dog", "Hund"), Pair("English", "Englisch")], "a pair stands above it"


def test_columns_are_chosen_by_number_or_title(tmp_path):
    content = "id,Lesson,Answer\n7,We work.,Wir arbeiten.\n"
    assert list(table(tmp_path, content, "Lesson", "Answer")) == [WE]
    assert list(table(tmp_path, content, "Lesson", "3")) == [WE]
    assert list(table(tmp_path, content, "2", "3")) == [Pair("Lesson", "Answer"), WE]
    assert table(tmp_path, content, "2", "3").note == ""
    assert "the first two of 3 columns are read" in table(tmp_path, content).note
    with pytest.raises(DataError, match=r"no column 'French' \(there are: Answer, Lesson, id\): set data\.target"):
        table(tmp_path, content, "Lesson", "French")
    with pytest.raises(DataError, match="no column '0'"):
        table(tmp_path, content, "0", "1")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("One sentence.\nAnother, longer one.\nA third.\n", "has no columns: write one pair per line"),
        ("", "no lines found"),
        ("Yes. ||| Ja.\nNo. ||| Nein.\n", r"has \|\|\| between source and target: replace it by a tab"),
        (
            '"a"\t"b ""c"""\n' * 1_001 + '"d"e\tf\n',
            'write a mark within a quoted cell twice, "", or set data.format=tsv',
        ),
        ("a,b\nc,d\ne\n", r"line 3: 1 column separated by ',', but 2 are needed: fix the row"),
        ('a,b\n"c" x,d\n', r"line 2: wrong quotation marks \(.*\): write a mark within a quoted cell twice"),
        ('a,b\nc,d\n"e,f\n', r"line 3: wrong quotation marks \(unexpected end of data\)"),
        (
            'a,b\n"c,d\ne,f\ng,h\n',
            r"line 2: wrong quotation marks \(unexpected end of data\).* drop such rows with fix",
        ),
        ('a,b\n"c,d\ne,f\n"g",h\n', r"line 2: wrong quotation marks \(',' expected after '\"'\)"),
        (b"a,b\nc,\xff\n", r"line 2: byte 0xff at position 3 is not UTF-8"),
    ],
)
def test_a_damaged_table_is_one_line(tmp_path, content, words):
    with pytest.raises(DataError, match=words) as error:
        list(table(tmp_path, content))
    assert "\n" not in str(error.value)


def test_a_file_that_is_only_a_header_has_no_pairs(tmp_path):
    with pytest.raises(DataError, match="no lines found"):
        list(table(tmp_path, "en,de\n"))


def test_byte_order_marks_within_a_table_are_removed_and_counted(tmp_path, caplog):
    corpus = table(tmp_path, '\ufeffa,b\n\ufeff"\ufeffWe, too.","W\ufeffir auch."\n')
    assert list(corpus) == list(corpus) == [Pair("a", "b"), Pair("We, too.", "Wir auch.")]
    assert caplog.messages == [f"{tmp_path}/pairs.csv: removed 3 byte-order marks (U+FEFF) within it"]


def test_the_doctor_reads_on_after_a_row_without_a_pair(tmp_path):
    block, *_ = read_blocks(table(tmp_path, "a\tb\nc\nd\te\n"))
    assert block.source == ["a", "", "d"]
    assert block.errors == {
        1: f"{tmp_path}/pairs.csv, line 2: 1 column separated by '\\t', but 2 are needed: fix the row, set "
        f"data.source_column=NUMBER data.target_column=NUMBER, or let {program('doctor')} drop such rows with fix=true"
    }


@given(st.lists(st.tuples(*[st.text("ab ,;\t|\"'ñß\n\r", min_size=1)] * 2), min_size=1, max_size=8))
def test_what_csv_writes_is_read(tmp_path_factory, rows):
    folder, text = tmp_path_factory.mktemp("table"), io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([("en", "de"), *rows])
    read = list(table(folder, text.getvalue()))
    assert [[side.split() for side in pair] for pair in read] == [[side.split() for side in row] for row in rows]


def test_the_content_decides_the_reader_of_a_file(tmp_path):
    (tmp_path / "a.json").write_text('{"fr": "b", "en": "a"}\n')
    assert list(Corpus.read(tmp_path / "a.json", "en", "fr")) == [Pair("a", "b")]
    with gzip.open(tmp_path / "b.txt.gz", "wt") as file:
        file.write("a\tb\n")
    assert list(Corpus.read(tmp_path / "b.txt.gz")) == [Pair("a", "b")]
    (tmp_path / "c.csv").write_bytes(b"PK\3\4rest")
    with pytest.raises(DataError, match=r"c\.csv: damaged or incomplete zip archive"):
        Corpus.read(tmp_path / "c.csv")
    with pytest.raises(DataError, match="no such file"):
        Corpus.read(tmp_path / "d.csv")


@pytest.mark.parametrize(
    ("content", "pairs"),
    [
        ("One; two,Eins; zwei\nA; b,C; d\n", [("One; two", "Eins; zwei"), ("A; b", "C; d")]),
        ("Well, yes\tJa doch\nGo, now\tGeh, du\tnote\n", [("Well, yes", "Ja doch"), ("Go, now", "Geh, du")]),
        (
            '"Come in.\t„Komm rein.\nSit down."\tSetz dich.“\nHe left.\tEr ging.\n',
            [('"Come in.', "„Komm rein."), ('Sit down."', "Setz dich.“"), ("He left.", "Er ging.")],
        ),
        ("Hi\tOi\nBye\tTchau\n", [("Hi", "Oi"), ("Bye", "Tchau")]),
        ("is\tam\nyes\tja\n", [("is", "am"), ("yes", "ja")]),
        ("Turkish.\tGerman.\nYes.\tJa.\n", [("Turkish.", "German."), ("Yes.", "Ja.")]),
        ("Turkish\tGerman\nYes.\tJa.\n", [("Yes.", "Ja.")]),
        ("{0} files\t{0} Dateien\n{1}\t{1}\n", [("{0} files", "{0} Dateien"), ("{1}", "{1}")]),
    ],
)
def test_what_looks_like_another_table_is_read_as_the_pairs_it_has(tmp_path, content, pairs):
    path = tmp_path / "pairs.txt"
    path.write_text(content, "utf-8")
    assert [tuple(pair) for pair in Corpus.read(path, "en", "de")] == pairs


def test_a_comma_outside_quotation_marks_is_refused(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("Hello, you,Hallo du\nBye,Tschau\nGood,Gut\n", "utf-8")
    with pytest.raises(
        DataError, match=r"pairs\.csv, line 1: 3 columns separated by ',', but most rows have 2: write "
    ):
        list(Corpus.read(path, "en", "de"))


def test_a_mark_of_a_dialogue_that_joins_rows_is_reported(tmp_path, caplog):
    """Nothing else shows it: the other side has marks of its own language."""
    rows = [f"He waits {number}.;Il attend {number}." for number in range(40)]
    rows[10:15] = ['"Come here.;«Viens ici.', *rows[11:14], 'I see you.";Je te vois.»']
    corpus = table(tmp_path, "\n".join(rows) + "\n")
    assert len(list(corpus)) == 36
    assert "line 11: a quotation mark joins lines that are rows by themselves (1 such row)" in caplog.text
    caplog.clear()
    list(table(tmp_path, '"Hello,\nall of\nyou.","Bonjour\nà vous\ntous."\n' + "Yes.,Oui.\n" * 20))
    assert "joins" not in caplog.text


def test_a_tab_too_many_is_reported(tmp_path, caplog):
    list(table(tmp_path, "the cat\tle chat\n" * 99 + "the dog\tsleeps\tle chien dort\n"))
    assert "line 100: more than 2 columns (1 such row): columns 1 and 2 are read" in caplog.text
