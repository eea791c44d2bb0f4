"""Tables for a terminal."""

from seq2seq.report.aligned import aligned


def test_names_begin_at_the_left_and_figures_end_at_the_right():
    assert aligned([["", "BLEU"], ["runs/a", "1.0"], ["b", "12.5"]]).splitlines() == [
        "           BLEU",
        "  runs/a    1.0",
        "  b        12.5",
    ]


def test_columns_of_text_begin_at_the_left():
    assert aligned([["a", "long", "1"], ["zz", "x", "10"]], texts=(0, 1), indent="") == "a    long    1\nzz   x      10"


def test_a_row_may_end_early_and_no_line_ends_in_blanks():
    assert aligned([["a"], ["b", "1"]], indent="").splitlines() == ["a", "b   1"]
    assert aligned([["a", "x"], ["b", ""]], texts=(0, 1), indent="").splitlines() == ["a   x", "b"]


def test_no_terminal_obeys_what_is_in_a_cell():
    assert aligned([["\x1b[31m\n", "1"]], indent="") == "\\x1b[31m\\n   1"
