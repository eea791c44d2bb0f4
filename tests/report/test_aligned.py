"""Tables for a terminal."""

from seq2seq.report.aligned import aligned


def test_names_are_left_aligned_and_numbers_right_aligned():
    assert aligned([["", "BLEU"], ["runs/a", "1.0"], ["b", "12.5"]]).splitlines() == [
        "           BLEU",
        "  runs/a    1.0",
        "  b        12.5",
    ]


def test_text_columns_are_left_aligned():
    assert aligned([["a", "long", "1"], ["zz", "x", "10"]], texts=(0, 1), indent="") == "a    long    1\nzz   x      10"


def test_short_rows_are_allowed_and_lines_have_no_trailing_spaces():
    assert aligned([["a"], ["b", "1"]], indent="").splitlines() == ["a", "b   1"]
    assert aligned([["a", "x"], ["b", ""]], texts=(0, 1), indent="").splitlines() == ["a   x", "b"]


def test_control_characters_in_cells_are_escaped():
    assert aligned([["\x1b[31m\n", "1"]], indent="") == "\\x1b[31m\\n   1"
