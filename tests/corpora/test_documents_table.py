"""Tables: a column of translations; every other character stays as it is."""

import csv
import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.corpora.config import FileFormat
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.documents.opening import check_output, kind_of_file, open_document
from seq2seq.corpora.documents.po import PoFile
from seq2seq.corpora.documents.table import TableDocument
from seq2seq.corpora.documents.tmx import TmxFile
from seq2seq.corpora.documents.xliff import XliffFile
from seq2seq.errors import ConfigError, DataError


def table(tmp_path, text, *columns, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return TableDocument(path, "en", "vi", *columns)


def written(document):
    output = io.BytesIO()
    document.write((f"<{text}>" for text in document.sources()), output)
    return output.getvalue().decode()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_new_column_is_named_after_the_language(tmp_path, end, mark):
    text = f'{mark}id;"English";note\n1;We work.;"a ""b"""\n\n2;"Two\nlines; or";c\n3;;d\n4;no note\n5;last;f'
    expected = (
        f'{mark}id;"English";note;vi\n1;We work.;"a ""b""";"<We work.>"\n\n2;"Two\nlines; or";c;"<Two\nlines; or>"\n'
        "3;;d\n4;no note;;<no note>\n5;last;f;<last>"
    )
    document = table(tmp_path, text.replace("\n", end))
    # The line ends of a cell are those that its row had; the parser gives the text line feeds.
    assert written(document) == expected.replace("\n", end).replace(f"<Two{end}", "<Two\n")
    assert document.report.endswith("4 cells filled; column 2 'English' is translated into the new column 4 'vi'")


def test_quoted_cells_after_a_space_and_carriage_returns_stay(tmp_path):
    document = table(tmp_path, 'Vietnamese, English\n"có, có", "yes, yes"\n, "no, no"\n\t,a\rb\n')
    assert written(document) == 'Vietnamese, English\n"có, có", "yes, yes"\n"<no, no>", "no, no"\n<a b>,a\rb\n'


@pytest.mark.parametrize("text", ["en\nYes.\nWell, yes.\nNo.\n", "en,note\nYes.,a\nWell, yes.,b\n", "en\nA, b\nC, d\n"])
def test_a_comma_that_is_text_is_refused_and_no_sentence_cut(tmp_path, text):
    with pytest.raises(DataError, match=r"in quotation marks, or set format=lines if each line is a sentence"):
        list(table(tmp_path, text).sources())


def test_a_single_column_of_tab_separated_text_may_have_commas(tmp_path):
    document = table(tmp_path, 'en\nWell, yes.\n"No", he said.\n', name="table.tsv")
    assert written(document) == 'en\tvi\nWell, yes.\t<Well, yes.>\n"No", he said.\t<"No", he said.>\n'


def test_blank_cells_of_the_column_of_the_language_are_filled(tmp_path):
    text = '"Vietnamese","English"\n"có","yes"\n"","no"\n,well\n"",\n'
    document = table(tmp_path, text)
    assert written(document) == '"Vietnamese","English"\n"có","yes"\n"<no>","no"\n<well>,well\n"",\n'
    assert "into blank cells of column 1 'Vietnamese'" in document.report


def test_a_title_above_the_header_stays(tmp_path):
    document = table(tmp_path, "Phrases of our village\n,\nVietnamese,English\n,We work.\ncó,yes\n")
    assert written(document) == "Phrases of our village\n,\nVietnamese,English\n<We work.>,We work.\ncó,yes\n"


def test_rows_that_are_not_filled_stay_as_they_are(tmp_path):
    rows = 'id,English,Vietnamese\n1,Hello.,\n2,Bye.\n3\n,,\n"4","",\n5,Yes.,có\n'
    filled = rows.replace("Hello.,", "Hello.,<Hello.>").replace("Bye.", "Bye.,<Bye.>")
    assert written(table(tmp_path, f"Word list\n\n{rows}")) == f"Word list\n\n{filled}"
    filled = rows.replace("Vietnamese", "Vietnamese,machine").replace("Hello.,", "Hello.,,<Hello.>")
    filled = filled.replace("Bye.", "Bye.,,<Bye.>").replace("có", "có,<Yes.>")
    assert written(table(tmp_path, rows, None, "machine")) == filled


def test_numbers_are_not_translated(tmp_path):
    rows = [f"{number},Sentence {chr(97 + number)}.\n" for number in range(12)]
    expected = "".join(f"{row[:-1]},<{row[:-1].split(',')[1]}>\n" for row in rows)
    assert written(table(tmp_path, "".join(rows))) == expected


def test_without_a_header_the_first_column_is_translated(tmp_path):
    assert written(table(tmp_path, "We work.,a\nYes.,b\n")) == "We work.,a,<We work.>\nYes.,b,<Yes.>\n"
    assert written(table(tmp_path, "a,We work.\nb,Yes.\n", "2")) == "a,We work.,<We work.>\nb,Yes.,<Yes.>\n"
    assert written(table(tmp_path, "Yes.\nNo.\n")) == "Yes.,<Yes.>\nNo.,<No.>\n"
    assert written(table(tmp_path, "a,Yes.\n", "2", "1")) == "a,Yes.\n"


@pytest.mark.parametrize(
    ("text", "report"),
    [
        (
            "Speaker,English,English notes,Vietnamese\nAnn,yes,x,\n",
            "2 'English' is translated into blank cells of column 4",
        ),
        ("Text (English),Notes\nyes,x\n", "1 'Text (English)' is translated into the new column 3 'vi'"),
        ("sentence_en,Notes\nyes,x\n", "1 'sentence_en' is translated into the new column 3 'vi'"),
        ("Foo,Vietnamese\nyes,\n", "1 'Foo' is translated into blank cells of column 2 'Vietnamese'"),
        ("Notes,\nBy,Ann\nVietnamese,English\n,yes\n", "2 'English' is translated into blank cells of column 1"),
        ("French,Italian\nyes,\n", "1 'French' is translated into the new column 3 'vi'"),
        ("en,yes,de,ja\nen,no,de,nein\nen,a,de,b\nen,c,de,d\n", "2 is translated into the new column 5"),
    ],
)
def test_the_columns_of_a_translation_are_found_as_those_of_pairs(tmp_path, text, report):
    document = table(tmp_path, text)
    written(document)
    assert f"column {report}" in document.report


def test_a_source_that_titles_do_not_decide_is_refused(tmp_path):
    text = "Spanish,Halunish,Vietnamese\nhola,foo,\n"
    with pytest.raises(DataError, match="the source could be column 'Spanish' or 'Halunish': set source_column to its"):
        list(table(tmp_path, text).sources())
    assert list(table(tmp_path, text, "Halunish").sources()) == ["foo"]


def test_a_title_that_no_column_has_is_that_of_the_new_one(tmp_path):
    text = "English,vi\nyes,có\n"
    assert written(table(tmp_path, text)) == text
    assert written(table(tmp_path, text, None, "machine")) == "English,vi,machine\nyes,có,<yes>\n"


def test_marks_in_tab_separated_text_are_text(tmp_path):
    document = table(tmp_path, b'a "b\t1\n"c\t2\n', name="table.tsv.gz.tsv")
    assert written(document) == 'a "b\t1\t<a "b>\n"c\t2\t<"c>\n'


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("English,note\nyes,a\n", ("French",), r"no column 'French' \(there are: English, note\)"),
        ("English,note\nyes,a\n", (None, "7"), "has 2 columns: set target_column to a number up to 3"),
        ('a,"b"c\n', (), "line 1: wrong quotation marks"),
        ("a,b\n" + "x" * 1_000_001, (), "line 2 has more than 1,000,000 bytes"),
    ],
)
def test_a_wrong_table_is_an_error_of_one_line(tmp_path, text, columns, message):
    with pytest.raises(DataError, match=message) as error:
        list(table(tmp_path, text, *columns).sources())
    assert "\n" not in str(error.value)


CELL = st.text(st.sampled_from('ab",;\n\t é'), max_size=6)


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6), st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
def test_any_cell_survives(tmp_path_factory, rows, quoting):
    rows = [("English", "note"), *(("x", "y"),) * 9, *rows]
    text = io.StringIO()
    csv.writer(text, quoting=quoting, lineterminator="\n").writerows(rows)
    path = tmp_path_factory.mktemp("table") / "table.csv"
    path.write_text(text.getvalue(), "utf-8")
    read = list(csv.reader(io.StringIO(written(TableDocument(path, "en", "vi")), newline="")))
    added = [["vi"], *([f"<{source}>"] if source.strip() else [] for source, _ in rows[1:])]
    assert read == [[*row, *new] for row, new in zip(rows, added, strict=True)]


TMX, XLIFF = (
    b"<?xml version='1.0'?>\n<!-- <xliff> --><tmx version='1.4'>",
    "\ufeff<x:xliff version='2.0'>".encode("utf-16"),
)
PO = b'# Licence\n\nmsgid ""\nmsgstr ""\n'


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (TMX, TmxFile),
        (gzip.compress(TMX, mtime=0), TmxFile),
        (XLIFF[2:], XliffFile),
        (PO, PoFile),
        (b"We work.\nYes, we do.\n", None),
        (b"<b>Yes</b>\n", None),
        (b"", None),
    ],
)
def test_the_content_decides_not_the_name(tmp_path, data, kind):
    path = tmp_path / ("file.gz" if data.startswith(b"\x1f") else "file.csv")
    path.write_bytes(data)
    assert kind_of_file(CorpusFile(path)) is kind


def test_a_table_is_known_by_its_name_or_by_a_column(tmp_path):
    path = tmp_path / "in.txt"
    path.write_text("Yes, we do.\n", "utf-8")
    assert open_document(CorpusFile(path), ("en", "vi")) is None
    assert isinstance(open_document(CorpusFile(path), ("en", "vi"), ("1", None)), TableDocument)
    path.rename(tmp_path / "in.CSV")
    assert isinstance(open_document(CorpusFile(tmp_path / "in.CSV"), ("en", "vi")), TableDocument)
    (tmp_path / "in.tmx").write_bytes(TMX)
    assert open_document(CorpusFile(tmp_path / "in.tmx"), ("en", "vi"), format=FileFormat.lines) is None
    with pytest.raises(ConfigError, match="format=parquet cannot be translated"):
        open_document(CorpusFile(tmp_path / "in.tmx"), ("en", "vi"), format=FileFormat.parquet)
    with pytest.raises(ConfigError, match="is a TMX file, without columns: leave"):
        open_document(CorpusFile(tmp_path / "in.tmx"), ("en", "vi"), ("1", None))


def test_an_output_of_another_format_is_refused(tmp_path):
    document = table(tmp_path, "a,b\n")
    for output in ("out.csv", "out.csv.gz", "out.txt", "out", "out.translated"):
        check_output(document, "table.csv", output)
    for output in ("out.xlsx", "out.po", "out.tsv", "out.XLF", "out.json"):
        with pytest.raises(ConfigError, match=r"table\.csv is a table, .* name a file that ends in \.csv"):
            check_output(document, "table.csv", output)
    check_output(None, "in.txt", "out.txt")
    with pytest.raises(ConfigError, match=r"in\.txt is lines of text, .* ends in \.xlsx"):
        check_output(None, "in.txt", "out.xlsx")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("end", ["\r", "\r\n"])
def test_the_encoding_and_the_line_ends_of_the_input_stay(tmp_path, encoding, end):
    text = "English;note\nCafé, yes;ä\nNo;\n".replace("\n", end)
    (tmp_path / "in.csv").write_bytes(text.encode(encoding))
    document = TableDocument(CorpusFile(tmp_path / "in.csv", encoding), "en", "fr")
    output = io.BytesIO()
    document.write((text.upper() for text in document.sources()), output)
    expected = "English;note;fr\nCafé, yes;ä;CAFÉ, YES\nNo;;NO\n".replace("\n", end)
    assert output.getvalue() == expected.encode(encoding)


def test_an_encoding_without_the_letters_is_an_error(tmp_path):
    (tmp_path / "in.csv").write_bytes("English;note\nCafé;ä\n".encode("cp1252"))
    document = TableDocument(CorpusFile(tmp_path / "in.csv", "cp1252"), "en", "vi")
    with pytest.raises(DataError, match="is in cp1252, which lacks 'ũ': save it as UTF-8 first"):
        document.write(iter(["cũ"]), io.BytesIO())
    with pytest.raises(DataError, match="line 2: byte 0xe9"):
        list(TableDocument(CorpusFile(tmp_path / "in.csv"), "en", "vi").sources())


def test_a_title_in_other_code_points_is_the_column_that_a_setting_names(tmp_path):
    document = table(tmp_path, "Quelle,U\u0308bersetzung\nWe work.,\n", "Quelle", "\u00dcbersetzung")
    assert written(document) == "Quelle,U\u0308bersetzung\nWe work.,<We work.>\n"
