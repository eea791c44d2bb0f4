"""Groups of whole numbers."""

from seq2seq.comparison.groups import label, place


def test_a_group_begins_where_the_one_before_ends():
    starts = [0, 1, 10, 1000]
    assert [place(starts, value) for value in (0, 1, 9, 10, 999, 1000, 10**6)] == [0, 1, 1, 2, 2, 3, 3]
    assert [label(starts, number) for number in range(4)] == ["0", "1–9", "10–999", "1,000 and more"]
    assert label([0], 0) == "0 and more"
