"""How far a hypothesis has come with a phrase."""

from hypothesis import given
from hypothesis import strategies as st

from seq2seq.search.tracking import Phrase, all_met, progress

INNER = 9
pieces = st.lists(st.sampled_from([2, 3, INNER]), max_size=10)


def contains(text: list[int], phrase: list[int], *, at_end: bool) -> bool:
    """Whether the phrase stands in the text, its last word ending there."""
    places = range(len(text) - len(phrase) + 1)
    return any(
        text[place : place + len(phrase)] == phrase
        and (text[place + len(phrase)] != INNER if place + len(phrase) < len(text) else at_end)
        for place in places
    )


@given(pieces, pieces.filter(bool))
def test_a_phrase_is_met_where_it_stands_and_nowhere_else(text, wanted):
    phrase, written = Phrase(tuple(wanted), frozenset({INNER})), 0
    for number, piece in enumerate(text, 1):
        written = phrase.after(written, piece)
        read = text[:number]
        assert all_met([phrase], [written], at_end=True) == contains(read, wanted, at_end=True)
        assert all_met([phrase], [written], at_end=False) == contains(read, wanted, at_end=False)
        if written < phrase.met:  # the longest end of the text that is a beginning of the phrase
            fits = [length for length in range(len(wanted) + 1) if read[len(read) - length :] == wanted[:length]]
            assert written == max(length for length in fits if length <= number)


def test_a_word_that_goes_on_is_another_word():
    phrase = Phrase((2, 3), frozenset({INNER}))
    assert phrase.after(2, 4) == phrase.met
    assert phrase.after(2, INNER) == 0
    assert phrase.after(phrase.met, INNER) == phrase.met


def test_progress_counts_what_is_met_and_the_longest_phrase_begun():
    phrases = [Phrase((2, 3), ()), Phrase((4,), ())]
    far = [progress(phrases, written) for written in ((0, 0), (1, 0), (1, 1), (2, 1), (3, 0), (3, 1), (3, 2))]
    assert far == [0, 1, 1, 2, 3, 4, 5]
    assert not all_met(phrases, (2, 2), at_end=False)
    assert all_met(phrases, (2, 2), at_end=True)


some_phrases = st.lists(st.lists(st.integers(2, 4), min_size=1, max_size=3), min_size=1, max_size=3)


@given(some_phrases, st.lists(st.integers(2, 5)))
def test_some_piece_always_takes_a_hypothesis_farther(wanted, text):
    phrases = [Phrase(tuple(pieces), frozenset({INNER})) for pieces in wanted]
    written = [0] * len(phrases)
    for piece in text:
        written = [phrase.after(far, piece) for phrase, far in zip(phrases, written, strict=True)]
    now = progress(phrases, written)
    later = [
        progress(phrases, [phrase.after(far, piece) for phrase, far in zip(phrases, written, strict=True)])
        for piece in range(2, 7)
    ]
    assert max(later) > now or all_met(phrases, written, at_end=False)
