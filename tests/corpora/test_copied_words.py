"""Words of the target that stand in the source."""

from seq2seq.corpora.copied_words import copied_words
from seq2seq.corpora.corpus import Pair


def test_names_and_numbers_count_and_punctuation_does_not():
    assert copied_words(Pair("we saw Anna , 12 times .", "wir sahen Anna , 12 Mal .")) == (2, 5)
    assert copied_words(Pair("", "1 , 2")) == (0, 2)
    assert copied_words(Pair(". ,", ". ,")) == (0, 0)


def test_punctuation_is_no_part_of_a_word():
    assert copied_words(Pair("Anna, Bo und Carl.", "Anna Bo und Carl")) == (4, 4)
    assert copied_words(Pair("l\u2019eau 3,5", "eau 3.5")) == (3, 3)


def test_text_without_spaces_is_compared_by_two_characters():
    assert copied_words(Pair("我今天不去学校。", "我今日唔去学校。")) == (3, 6)  # 我今, 去学, 学校
    assert copied_words(Pair("店 is a shop", "shop 店")) == (2, 2)
    assert copied_words(Pair("ไปตลาด", "ไปตลาดABC")) == (5, 6)
