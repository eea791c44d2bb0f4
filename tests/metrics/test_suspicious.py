"""Counts of suspicious translations on made-up lists."""

import pytest

from seq2seq.metrics.suspicious import blank_report, count_outputs, is_looping


@pytest.mark.parametrize(
    ("text", "looping"),
    [
        ("", False),
        ("The man sees the man who sees the man.", False),
        ("No, no, no, no!", False),
        ("Wait ...", False),
        ("the house the house the house the house the ho", True),
        ("We work the the the the the the.", True),
        ("[[[[[[[[[[[[[[[[[[[[", True),
        ("我们我们我们我们我们我们我们我们我们我们", True),
        ("a loop at the start start start start start start start has ended here", False),
    ],
)
def test_a_loop_is_a_repetition_at_the_end(text, looping):
    assert is_looping(text) is looping


def test_sensible_translations_are_not_reported():
    outputs = [(f"Sentence {number}.", f"Satz {number}.", True) for number in range(99)]
    assert count_outputs([*outputs, ("A", "", True), ("", "", True), ("\t", "", True)]).report() == ""
    assert count_outputs([]).report() == ""
    assert count_outputs([("Yes.", "Ja.", True)] * 50).report() == "", "one source has one translation"


def test_blank_looping_cut_off_and_identical_translations_are_reported():
    counts = count_outputs([("a", " ", True), ("b", "no " * 9, False), ("c", "ja", False), ("", "", True)])
    assert (counts.sentences, counts.blank, counts.looping, counts.cut_off) == (3, 1, 1, 2)
    assert counts.report().startswith(
        "suspicious translations of 3 sentences: "
        "1 blank, 1 looping (the end repeats), 2 cut off at the maximum length: "
    )
    assert ": all the same: " in count_outputs((str(n), ".", True) for n in range(5)).report()
    assert count_outputs([("-" * 30, "-" * 30, True)]).looping == 0, "the source does so itself"


def test_blank_references_and_outputs_are_counted():
    assert blank_report(["a", " ", ""], ["a", "", "b"]) == "blank: 2 of 3 references, 1 output"
    assert blank_report(["a"], ["b"]) == ""
