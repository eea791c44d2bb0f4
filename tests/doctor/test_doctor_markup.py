"""Remains of other programs: entities, special tokens, quotation marks of CSV files, header rows."""

import csv
import io

import pytest

from seq2seq.doctor.arrays import PairArrays, SentenceArray, pair_statistics
from seq2seq.doctor.markup import CsvQuotes, Markup, find_header, unescape
from seq2seq.doctor.quotes import unquoted
from seq2seq.doctor.reasons import Reason


def arrays(sources: list[str], targets: list[str] | None = None) -> PairArrays:
    return PairArrays(SentenceArray(sources), SentenceArray(targets or ["x"] * len(sources)), {})


def markup(*sentences: str) -> dict[Reason, list[int]]:
    return {finding.reason: finding.rows.tolist() for finding in Markup().find(arrays([*sentences]))}


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ("salt &amp; pepper", "salt & pepper"),
        ("&quot;yes&quot;, he can&apos;t", '"yes", he can\'t'),
        ("caf&#233; &#x4E2D;", "café 中"),
        ("a &amp;lt; b", "a < b"),
    ],
)
def test_html_entities_are_found_and_replaced(text, repaired):
    assert markup("plain", text) == {Reason.html_entities: [1]}
    assert unescape(text) == repaired


@pytest.mark.parametrize(
    "text",
    [
        "R&D; and AT&T",
        "a & b",
        "&nothing; here",
        "tea&coffee",
        "x &lt y",
        "&#0; &#xD800;",
        "Größe & Maß",
        "日本 & 中国",
    ],
)
def test_other_ampersands_stay(text):
    assert markup(text) == {}
    assert unescape(text) == text


def test_special_tokens_are_found_and_html_tags_are_not():
    tokens = ["<s> a b </s>", "an <unk> word", "a <PAD>", "[UNK] b"]
    assert markup(*tokens, "a <b>bold</b> word", "a < s", "[sic]", "<small>", "x [pads]") == {
        Reason.special_tokens: [0, 1, 2, 3]
    }


def quoted(sources: list[str], targets: list[str]) -> list[int]:
    findings = CsvQuotes().find(pair_statistics(arrays(sources, targets)))
    return [row for finding in findings for row in finding.rows.tolist()]


def test_cells_of_a_csv_file_are_found_and_unquoted_as_a_csv_reader_does():
    rows = [["plain", "schlicht"], ['He said "no".', 'Er sagte "nein".'], ["a\tb", "c\td"], ["x", "y"]]
    file = io.StringIO()
    csv.writer(file, delimiter="|", lineterminator="\n").writerows([[*row, ""] for row in rows])
    cells = [line.split("|")[:2] for line in file.getvalue().splitlines()]
    cells[2] = [f'"{cell}"' for cell in cells[2]]  # as a spreadsheet quotes cells with its separator
    assert quoted(*map(list, zip(*cells, strict=True))) == [1, 2]
    assert [[*map(unquoted, pair)] for pair in cells] == rows


def test_quotations_are_no_cells():
    assert quoted(['"Come in."', 'He said "no".', "plain"], ['"Herein."', "x", "y"]) == []
    assert quoted(['"He said ""no""."', *['say "a"'] * 5], ["x"] * 6) == [], "no CSV file has such marks"
    assert quoted(['"" I am here ""', '"'], ["x", "y"]) == []
    assert unquoted('say "a"') == 'say "a"'


@pytest.mark.parametrize(
    ("source", "target", "is_header"),
    [
        ("source", "target", True),
        ("en", "gn", True),
        ("Spanish", "Guarani", True),
        ("Hello.", "Hallo.", False),
        ("the", "no", False),
        ("", "", False),
        ("\0", "\0", False),
    ],
)
def test_a_header_row_is_no_pair(source, target, is_header):
    assert [finding.rows.tolist() for finding in find_header(source, target, ("en", "gn"))] == [[0]] * is_header
    assert not is_header or find_header(source, target, ("en", "gn"))[0].reason is Reason.header
