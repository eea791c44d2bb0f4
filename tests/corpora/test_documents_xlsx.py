"""Excel workbooks: pairs in two columns; translations in a new column, every other part of the file as it was."""

import io
import sys
import zipfile

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.chart import BarChart, Reference
from openpyxl.styles import Font

from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.corpora.documents import xlsx
from seq2seq.corpora.documents.xlsx import XlsxFile
from seq2seq.errors import DataError

ROWS = [
    ["id", "English", "note"],
    [1, "We work.", "a"],
    [2, "Two\nlines", None],
    [3, None, "c"],
    [4, 5, "d"],
    [5, "<b> & =1", "e"],
]


def workbook(tmp_path, rows=ROWS, name="table.xlsx"):
    book = Workbook()
    for row in rows:
        book.active.append(row)
    book.active["B1"].font = Font(bold=True)
    book.active.column_dimensions["B"].width = 40
    chart = BarChart()
    chart.add_data(Reference(book.active, min_col=1, min_row=1, max_row=3))
    book.active.add_chart(chart, "H2")
    book.create_sheet("other").append(["kept"])
    book.save(tmp_path / name)
    return tmp_path / name


def written(document):
    output = io.BytesIO()
    document.write((f"={text}" for text in document.sources()), output)
    return output


def cells(file):
    return [list(row) for row in load_workbook(file).worksheets[0].iter_rows(values_only=True)]


def test_translations_stand_in_a_new_column_and_all_other_parts_stay(tmp_path):
    document = XlsxFile(workbook(tmp_path), "en", "vi")
    output = written(document)
    added = ["vi", "=We work.", "=Two\nlines", None, None, "=<b> & =1"]
    assert cells(output) == [[*row, new] for row, new in zip(ROWS, added, strict=True)]
    sheet = load_workbook(output).worksheets[0]
    assert (sheet["D1"].font.b, sheet["D2"].data_type, sheet.column_dimensions["D"].width) == (True, "s", 40)
    assert "3 cells filled; column 2 'English' is translated into the new column 4 'vi'" in document.report
    old, new = zipfile.ZipFile(document.path), zipfile.ZipFile(output)
    assert [info.filename for info in old.infolist()] == [info.filename for info in new.infolist()]
    for name in set(old.namelist()) - {"xl/worksheets/sheet1.xml"}:  # the chart is one of them
        assert old.read(name) == new.read(name)
    assert sheet.dimensions == "A1:D6"


def test_only_blank_cells_of_an_existing_column_are_filled(tmp_path):
    rows = [["Vietnamese", "English"], ["có", "yes"], [None, "no"], ["", "well"]]
    output = written(XlsxFile(workbook(tmp_path, rows), "en", "vi"))
    assert cells(output) == [["Vietnamese", "English"], ["có", "yes"], ["=no", "no"], ["=well", "well"]]
    (tmp_path / "filled.xlsx").write_bytes(output.getvalue())
    document = XlsxFile(tmp_path / "filled.xlsx", "en", "vi")
    assert list(document.sources()) == []
    assert list(document) == [Pair("yes", "có"), Pair("no", "=no"), Pair("well", "=well")]
    assert "the first row is a header: source 'English', target 'Vietnamese'" in document.note


def test_formulas_without_a_saved_result_stay(tmp_path):
    rows = [["English", "Vietnamese"], ["one", '=A2&"!"'], ["two", None], ["three", "=1+1"]]
    document = XlsxFile(workbook(tmp_path, rows), "en", "vi")
    assert list(document.sources()) == ["two"]
    assert [row[1] for row in cells(written(document))] == ["Vietnamese", '=A2&"!"', "=two", "=1+1"]


def test_cells_that_merged_cells_hide_are_not_filled(tmp_path):
    rows = [["English", "Vietnamese", "note"], ["Animals", None, None], ["dog", None, 1], ["hound", None, 2], ["cat"]]
    book = load_workbook(workbook(tmp_path, rows))
    for merged in ("A2:C2", "B3:B4", "C4:C5"):
        book.worksheets[0].merge_cells(merged)
    book.save(tmp_path / "merged.xlsx")
    document = XlsxFile(tmp_path / "merged.xlsx", "en", "vi")
    assert [row[1] for row in cells(written(document))] == ["Vietnamese", None, "=dog", None, "=cat"]
    assert "2 cells filled" in document.report


@pytest.mark.parametrize("tag", ["<c {}><v>1</v></c>", "<mergeCell {}", "<c {}"])
def test_a_hostile_tag_does_not_take_time_with_the_square_of_its_length(tmp_path, tag):
    path = workbook(tmp_path, [["English", "Vietnamese"], ["one", None]])
    hostile = "<!--" + tag.format('r="B2" ref="B1:B9 ' * 50_000) + "-->"  # minutes, with the square
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "hostile.xlsx", "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            changed = old.read(name).replace(b"</worksheet>", hostile.encode() + b"</worksheet>")
            new.writestr(name, changed if name == "xl/worksheets/sheet1.xml" else old.read(name))
    assert list(XlsxFile(tmp_path / "hostile.xlsx", "en", "vi").sources()) == ["one"]


@pytest.mark.parametrize(
    ("columns", "pairs"),
    [
        ((None, None), [Pair("We work.", "a"), Pair("Two lines", "")]),
        (("3", "2"), [Pair("a", "We work."), Pair("", "Two lines")]),
        (("note", "English"), [Pair("a", "We work."), Pair("", "Two lines")]),
    ],
)
def test_columns_of_pairs_are_chosen_as_in_tables(tmp_path, columns, pairs):
    assert list(XlsxFile(workbook(tmp_path), "en", "vi", *columns))[:2] == pairs


def test_a_workbook_says_which_columns_are_read_unless_settings_do(tmp_path):
    path = workbook(tmp_path, [("no", "text", "note"), (1, "We work.", "x")])
    assert "the first two of 3 columns are read as source and target" in XlsxFile(path, "en", "de").note
    assert "columns" not in XlsxFile(path, "en", "de", "2", "3").note
    titled = XlsxFile(path, "en", "de", "text", "note")
    assert "the first row is a header: source 'text', target 'note'" in titled.note
    assert titled.titles == ("text", "note")


def test_a_title_above_the_header_is_left_as_it_is(tmp_path):
    rows = [["Phrases of our village"], [None], ["No.", "Vietnamese", "English"], [1, "có", "yes"], [2, None, "no"]]
    document = XlsxFile(workbook(tmp_path, rows), "en", "vi")
    assert list(document) == [Pair("yes", "có"), Pair("no", "")]
    assert "row 3 is a header, rows above it are left out" in document.note
    assert cells(written(document)) == [
        ["Phrases of our village", None, None],
        [None, None, None],
        ["No.", "Vietnamese", "English"],
        [1, "có", "yes"],
        [2, "=no", "no"],
    ]


def test_one_title_decides_in_sheets_too(tmp_path):
    rows = [["Words"], ["Collected by", "Ann"], ["No.", "Gherdëina", "English"], [1, "foo", "hello"], [2, None, "yes"]]
    document = XlsxFile(workbook(tmp_path, rows), "en", "lld")
    assert list(document) == [Pair("hello", "foo"), Pair("yes", "")]
    assert "row 3 is a header, rows above it are left out: source 'English', target 'Gherdëina'" in document.note
    assert list(document.sources()) == ["hello", "yes"], "no title says that the column of words is to be filled"
    assert cells(written(document))[2] == ["No.", "Gherdëina", "English", "lld"]


def test_other_sheets_with_text_are_named(tmp_path):
    document = XlsxFile(workbook(tmp_path, [["English", "Vietnamese"], ["yes", None]]), "en", "vi")
    assert document.note.endswith("target 'Vietnamese'; only the first sheet, not 'other'")
    written(document)
    assert document.report.endswith("; only the first sheet, not 'other'")
    plain = XlsxFile(workbook(tmp_path, [["yes", "có"]], "plain.xlsx"), "en", "vi")
    assert plain.note == f"{plain.path}: read as pairs; only the first sheet, not 'other'"
    book = load_workbook(document.path)
    book.remove(book["other"])
    book.create_sheet("blank")
    book.save(document.path)
    document = XlsxFile(document.path, "en", "vi")
    assert document.note.endswith("target 'Vietnamese'")
    written(document)
    assert "only the first sheet" not in document.report


def test_one_language_in_a_header_names_no_column_to_fill(tmp_path):
    document = XlsxFile(workbook(tmp_path, [("English", "page"), ("We work.", None)]), "en", "de")
    document.write(iter(["Wir arbeiten."]), io.BytesIO())
    assert "translated into the new column 3 'de'" in document.report


def test_wrong_columns_are_errors_of_one_line(tmp_path):
    path = workbook(tmp_path)
    with pytest.raises(DataError, match=r"no column 'French' \(there are: English, id, note\)"):
        list(XlsxFile(path, "en", "vi", "French").sources())
    with pytest.raises(DataError, match="has 3 columns: set target_column to a number up to 4"):
        list(XlsxFile(path, "en", "vi", None, "9").sources())
    with pytest.raises(DataError, match="column 2 is both source and target"):
        list(XlsxFile(path, "en", "vi", "2", "2").sources())


def test_rows_and_cells_without_references_are_counted(tmp_path):
    path = workbook(tmp_path, [["a", "yes"], ["b", "no"]])
    bare = tmp_path / "bare.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(bare, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                for mark in ("A1", "B1", "A2", "B2", "1", "2"):
                    data = data.replace(f' r="{mark}"'.encode(), b"")
            new.writestr(name, data)
    assert cells(written(XlsxFile(bare, "en", "vi", "2"))) == [["a", "yes", "=yes"], ["b", "no", "=no"]]


def packed(tmp_path, **changes):
    """A workbook with other contents of some parts, by the last words of their names."""
    with zipfile.ZipFile(workbook(tmp_path)) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    path = tmp_path / "hostile.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for name, data in parts.items():
            new.writestr(name, changes.get(name.rpartition("/")[2].partition(".")[0], data))
    return path


SHEET = b"<worksheet xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main'><sheetData>ROW</sheetData></worksheet>"
ENTITY = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sheet1": bytes(20 << 20)}, "unpacks from .* too many for a workbook of sentences: save the sheet as CSV"),
        ({"sheet1": ENTITY + SHEET.replace(b"ROW", b'<row r="1"><c><v>&a;&b;</v></c></row>')}, "EntitiesForbidden"),
        ({"sheet1": SHEET.replace(b"ROW", b'<row r="99999999"><c/></row>')}, "a row beyond"),
        ({"sheet1": SHEET.partition(b"ROW")[0]}, "not a readable Excel workbook"),
        ({"workbook": b"nonsense"}, "not a readable Excel workbook"),
    ],
)
def test_a_hostile_workbook_is_an_error_of_one_line(tmp_path, monkeypatch, changes, message):
    monkeypatch.setattr(xlsx, "MOST_ROWS", 1_000)
    document = XlsxFile(packed(tmp_path, **changes), "en", "vi", "2")
    for read in (list, written):
        with pytest.raises(DataError, match=message) as error:
            read(document)
        assert "\n" not in str(error.value)


def test_a_workbook_without_text_is_an_error(tmp_path):
    with pytest.raises(DataError, match="the first sheet is blank"):
        list(XlsxFile(workbook(tmp_path, []), "en", "vi"))


def test_a_missing_library_is_named_with_its_command(tmp_path, monkeypatch):
    path = workbook(tmp_path)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(DataError, match=r"needs openpyxl and defusedxml: python -m pip install .*\[documents\]"):
        list(XlsxFile(path, "en", "vi"))


def test_a_corpus_is_read_from_a_workbook_whatever_its_name(tmp_path):
    rows = [["Vietnamese", "English"], ["có", "yes"], ["không", "no"], ["nhà", "house"], ["đi", "go"]]
    corpus = Corpus.read(workbook(tmp_path, rows, "pairs"), "en", "vi")
    assert list(corpus)[:2] == [Pair("yes", "có"), Pair("no", "không")]
    assert corpus.split(1, 1).report.pairs == 4


def test_a_header_of_other_languages_is_reported(tmp_path, caplog):
    assert list(XlsxFile(workbook(tmp_path, [["French", "Italian"], ["oui", "si"]]), "en", "vi")) == [("oui", "si")]
    assert "names the languages French and Italian, but the settings say en and vi" in caplog.text


def test_carriage_returns_as_excel_writes_them_are_line_ends(tmp_path):
    path = workbook(tmp_path, [["en", "vi"], ["Two_x000D_\nlines", "Hai_x000D_\ndòng"], ["One_x000D_", None]])
    assert [*XlsxFile(path, "en", "vi")] == [Pair("Two lines", "Hai dòng"), Pair("One", "")]
    assert [*XlsxFile(path, "en", "vi").sources()] == ["One\r"]


def test_cells_whose_formula_failed_are_blank(tmp_path):
    """As lookups leave them: neither text to translate nor a translation."""
    rows = [["English", "German"], ["We work.", "Wir arbeiten."], ["Hello", "#REF!"], ["#N/A", "Hallo"]]
    document = XlsxFile(workbook(tmp_path, rows), "en", "de")
    assert list(document) == [Pair("We work.", "Wir arbeiten."), Pair("Hello", ""), Pair("", "Hallo")]
    assert list(document.sources()) == ["Hello"]


def test_a_hidden_sheet_is_not_read(tmp_path):
    book = Workbook()
    book.active.append(["key", "value"])
    book.active.sheet_state = "hidden"
    data = book.create_sheet("data")
    for row in (["English", "German"], ["We work.", "Wir arbeiten."], ["Yes.", None]):
        data.append(row)
    book.active = 1
    book.save(tmp_path / "hidden.xlsx")
    document = XlsxFile(tmp_path / "hidden.xlsx", "en", "de")
    assert next(iter(document)) == Pair("We work.", "Wir arbeiten.")
    sheets = load_workbook(written(document)).worksheets
    assert [[cell.value for cell in row] for row in sheets[1].iter_rows()][2] == ["Yes.", "=Yes."]
    assert sheets[0]["A1"].value == "key"
