"""Words of the target that stand in the source."""

from seq2seq.corpora.copied_words import copied_words
from seq2seq.corpora.corpus import Pair


def test_names_and_numbers_count_and_punctuation_does_not():
    assert copied_words(Pair("we saw Anna , 12 times .", "wir sahen Anna , 12 Mal .")) == (2, 5)
    assert copied_words(Pair("", "1 , 2")) == (0, 2)
    assert copied_words(Pair(". ,", ". ,")) == (0, 0)
