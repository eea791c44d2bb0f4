"""Words found by how rare they are, counted by hand."""

from seq2seq.comparison.rare_words import Words, count_words, wins_by_rare_words


def test_words_are_those_of_bleu():
    assert Words(False)("Der Hund, der bellt.") == ["Der", "Hund", ",", "der", "bellt", "."]
    assert Words(True)("Der Hund") == ["der", "hund"]
    counts = count_words(["Der Hund bellt.", "Der Hund, der bellt."], Words(True))
    assert Words(False, "zh")("我们工作。We work.") == ["我", "们", "工", "作", "。", "We", "work", "."]
    assert counts == {"der": 3, "hund": 2, "bellt": 2, ".": 2, ",": 1}


def test_rare_words_of_both_systems_are_counted():
    counts = {"a": 100, "b": 20, "x": 3, "y": 1}
    references = ["a b x", "a x x y", "a z"]
    baseline = ["a x", "x x y", "a a"]
    other = ["a b", "a x y", "z a"]
    wins = wins_by_rare_words(references, baseline, other, counts, [1, 10], Words(False))
    assert [tuple(group) for group in wins] == [
        ("0", 1, 0, 1, 0, 0, 1),  # z
        ("1–9", 4, 4, 2, 2, 0, 0),  # x; x x y
        ("10 and more", 4, 2, 4, 0, 1, 2),  # a b; a; a
    ]


def test_a_word_counts_at_most_as_often_as_in_the_reference():
    (group,) = wins_by_rare_words(["x x"], ["x"], ["x x x"], {"x": 5}, [1], Words(False))
    assert (group.words, group.found_baseline, group.found_other) == (2, 1, 2)


def test_case_counts_unless_it_is_ignored():
    cased = wins_by_rare_words(["Hund"], ["hund"], ["Hund"], {"Hund": 5}, [1], Words(False))
    assert [(one.found_baseline, one.found_other) for one in cased] == [(0, 1)]
    lowered = wins_by_rare_words(["Hund"], ["hund"], ["Hund"], {"hund": 5}, [1], Words(True))
    assert [(one.group, one.found_baseline, one.found_other) for one in lowered] == [("1 and more", 1, 1)]
