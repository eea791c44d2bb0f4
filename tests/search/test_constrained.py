"""Constrained beam search, compared with all possible translations."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markov import BOS, EOS, A, B, chain, every_path, log_probability, random_stepper, sentence_of

from seq2seq.search import Phrase, SearchConfig, beam_search, constrained_beam_search
from seq2seq.search.constrained import all_complete, bank_number

C = BOS  # an additional token of the table that occurs in no text
THREE_LETTERS = st.lists(st.sampled_from([A, B, C]), min_size=1, max_size=3).map(tuple)
LETTERS = st.lists(st.sampled_from([A, B]), min_size=1, max_size=2).map(tuple)


def config(beam_size: int, n_best: int = 1, longest: int = 4) -> SearchConfig:
    return SearchConfig(beam_size=beam_size, n_best=n_best, max_length_ratio=0.0, max_length_offset=longest)


def path(one) -> tuple[int, ...]:
    return (*one.tokens, EOS) if one.finished else tuple(one.tokens)


def has(tokens: tuple[int, ...], phrase: tuple[int, ...], inner: set[int]) -> bool:
    """Return whether a translation contains a phrase that ends at a word end."""
    places = [place for place in range(len(tokens)) if tokens[place : place + len(phrase)] == phrase]
    return any(not {*tokens[place + len(phrase) :][:1]} & inner for place in places)


@given(
    st.integers(0, 10_000),
    st.lists(LETTERS, min_size=1, max_size=2),
    st.sampled_from([set(), {B}]),
    st.sampled_from([0.0, 0.3]),
)
def test_wide_beam_finds_the_best_translations_with_all_phrases(seed, phrases, inner, impossible):
    stepper, limit = random_stepper(seed, [1], impossible), 1
    [actual] = constrained_beam_search(
        stepper, config(400, 400, limit), [[Phrase(phrase, inner) for phrase in phrases]]
    )
    raised = limit + sum(map(len, phrases))
    expected = {
        whole: total / len(whole)
        for whole, total in every_path(stepper, 0, raised).items()
        if whole[-1] == EOS and all(has(whole[:-1], phrase, inner) for phrase in phrases)
    }
    ended = [hypothesis for hypothesis in actual if hypothesis.finished]
    assert {path(one) for one in ended} == set(expected)
    assert [one.score for one in ended] == pytest.approx(sorted(expected.values(), reverse=True), abs=1e-4)


@given(st.integers(0, 10_000), st.integers(1, 6), st.lists(THREE_LETTERS, min_size=1, max_size=3))
def test_any_beam_size_completes_every_phrase(seed, beam_size, phrases):
    stepper = random_stepper(seed, [1, 1])
    inner = {B} if all(phrase[-1] == A for phrase in phrases) else set()
    required = [[Phrase(phrase, inner) for phrase in phrases], []]
    hypotheses = constrained_beam_search(stepper, config(beam_size, longest=3), required)
    for sentence, [best] in enumerate(hypotheses):
        if sentence == 0:
            assert all(has(tuple(best.tokens), phrase, inner) for phrase in phrases)
        assert best.log_probability == pytest.approx(log_probability(stepper, sentence, path(best)), abs=1e-4)


@given(st.integers(0, 10_000), st.integers(1, 5), st.lists(st.integers(1, 4), min_size=1, max_size=4), st.randoms())
def test_without_phrases_equals_beam_search_and_results_do_not_depend_on_the_batch(seed, beam_size, lengths, random):
    stepper = random_stepper(seed, lengths, impossible=0.2)
    settings_ = SearchConfig(beam_size=beam_size, n_best=beam_size, max_length_ratio=1.5, max_length_offset=1)
    plain = constrained_beam_search(stepper, settings_, [[] for _ in lengths])
    for sentence, (one, other) in enumerate(zip(plain, beam_search(stepper, settings_), strict=True)):
        # Sorted by score, because the order of ties is undefined.
        assert [each.score for each in one] == pytest.approx([each.score for each in other], abs=1e-5)
        assert len({path(each) for each in one}) == len(one)
        for each in one:
            if each.log_probability > -math.inf:  # otherwise nothing is possible
                assert each.log_probability == pytest.approx(log_probability(stepper, sentence, path(each)), abs=1e-4)
    phrases = [[Phrase((A, B), set())] if length % 2 else [Phrase((B,), {A})] for length in lengths]
    order = random.sample(range(len(lengths)), len(lengths))
    together = constrained_beam_search(stepper, settings_, phrases)
    turned = constrained_beam_search(sentence_of(stepper, order), settings_, [phrases[place] for place in order])
    assert turned == [together[place] for place in order]


def test_two_partial_phrases_do_not_displace_a_complete_one():
    """`A B` ranks at least as high as `A A`, whose final A starts both phrases."""
    table = {0: {A: 0.9, EOS: 0.1}, A: {A: 0.98, B: 0.01, C: 0.01}, B: {A: 0.9, EOS: 0.1}}
    for beam_size in (1, 2, 3, 5):
        [[best]] = constrained_beam_search(chain(table), config(beam_size), [[Phrase((A, B), ()), Phrase((A, C), ())]])
        assert has(tuple(best.tokens), (A, B), set()), beam_size
        assert has(tuple(best.tokens), (A, C), set()), beam_size


def test_wide_beam_places_the_phrase_where_it_fits():
    table = {0: {A: 0.9, B: 0.1}, A: {B: 0.9, EOS: 0.1}, B: {EOS: 1.0}}
    [[wide]] = constrained_beam_search(chain(table), config(8), [[Phrase((B,), ())]])
    assert path(wide) == (A, B, EOS)
    [[narrow]] = constrained_beam_search(chain(table), config(1), [[Phrase((B,), ())]])
    assert path(narrow) == (B, EOS), "one place is reserved for the bank with the most progress"


def test_impossible_phrase_is_missing_from_the_result():
    table = {0: {A: 1.0}, A: {A: 0.5, EOS: 0.5}}
    [result] = constrained_beam_search(chain(table), config(3), [[Phrase((B,), ())]])
    assert [hypothesis.finished for hypothesis in result] == [False]
    assert B not in result[0].tokens
    [nothing] = constrained_beam_search(chain({}), config(3), [[Phrase((B,), ())]])
    assert [hypothesis.log_probability for hypothesis in nothing] == [-math.inf]


# Progress of a hypothesis in a phrase

INNER = 9
tokens = st.lists(st.sampled_from([2, 3, INNER]), max_size=10)


def contains(text: list[int], phrase: list[int], *, at_end: bool) -> bool:
    """Return whether the text contains the phrase, with a word end after it."""
    places = range(len(text) - len(phrase) + 1)
    return any(
        text[place : place + len(phrase)] == phrase
        and (text[place + len(phrase)] != INNER if place + len(phrase) < len(text) else at_end)
        for place in places
    )


@given(tokens, tokens.filter(bool))
def test_phrase_progress_matches_substring_search(text, phrase_tokens):
    phrase, progress = Phrase(tuple(phrase_tokens), frozenset({INNER})), 0
    for number, token in enumerate(text, 1):
        progress = phrase.advance(progress, token)
        read = text[:number]
        assert all_complete([phrase], [progress], at_end=True) == contains(read, phrase_tokens, at_end=True)
        assert all_complete([phrase], [progress], at_end=False) == contains(read, phrase_tokens, at_end=False)
        if progress < phrase.complete:  # the longest suffix of the text that is a prefix of the phrase
            fits = [
                length
                for length in range(len(phrase_tokens) + 1)
                if read[len(read) - length :] == phrase_tokens[:length]
            ]
            assert progress == max(length for length in fits if length <= number)


OTHER_FIRST = 7
with_other_first = st.lists(st.sampled_from([2, 3, OTHER_FIRST, INNER]), max_size=10)


@given(with_other_first, with_other_first.filter(bool))
def test_another_first_token_begins_the_phrase_too(text, phrase_tokens):
    phrase, progress = Phrase(tuple(phrase_tokens), frozenset({INNER}), OTHER_FIRST), 0
    beginnings = [phrase_tokens, [OTHER_FIRST, *phrase_tokens[1:]]]
    for number, token in enumerate(text, 1):
        following = {each for each in range(2, 10) if phrase.advance(progress, each) > progress}
        if progress < len(phrase_tokens):
            assert following == {*phrase.next_tokens(progress)}
        progress = phrase.advance(progress, token)
        for at_end in (False, True):
            found = any(contains(text[:number], each, at_end=at_end) for each in beginnings)
            assert all_complete([phrase], [progress], at_end=at_end) == found


@given(st.integers(0, 10_000), st.lists(LETTERS, min_size=1, max_size=2), st.sampled_from([set(), {B}]))
def test_wide_beam_finds_the_best_translations_with_either_first_token(seed, phrases, inner):
    stepper, limit = random_stepper(seed, [1], 0.0), 1
    constraints = [Phrase(phrase, inner, C) for phrase in phrases]
    [actual] = constrained_beam_search(stepper, config(400, 400, limit), [constraints])
    raised = limit + sum(map(len, phrases))
    expected = {
        whole: total / len(whole)
        for whole, total in every_path(stepper, 0, raised).items()
        if whole[-1] == EOS
        and all(any(has(whole[:-1], (first, *each[1:]), inner) for first in (each[0], C)) for each in phrases)
    }
    ended = [hypothesis for hypothesis in actual if hypothesis.finished]
    assert {path(one) for one in ended} == set(expected)
    assert [one.score for one in ended] == pytest.approx(sorted(expected.values(), reverse=True), abs=1e-4)


def test_phrase_needs_a_word_end():
    phrase = Phrase((2, 3), frozenset({INNER}))
    assert phrase.advance(2, 4) == phrase.complete
    assert phrase.advance(2, INNER) == 0
    assert phrase.advance(phrase.complete, INNER) == phrase.complete


def test_bank_counts_complete_phrases_and_the_longest_partial_one():
    phrases = [Phrase((2, 3), ()), Phrase((4,), ())]
    far = [bank_number(phrases, progress) for progress in ((0, 0), (1, 0), (1, 1), (2, 1), (3, 0), (3, 1), (3, 2))]
    assert far == [0, 1, 1, 2, 3, 4, 5]
    assert not all_complete(phrases, (2, 2), at_end=False)
    assert all_complete(phrases, (2, 2), at_end=True)


some_phrases = st.lists(st.lists(st.integers(2, 4), min_size=1, max_size=3), min_size=1, max_size=3)


@given(some_phrases, st.lists(st.integers(2, 5)))
def test_some_token_always_advances_a_hypothesis(token_lists, text):
    phrases = [Phrase(tuple(tokens), frozenset({INNER})) for tokens in token_lists]
    progress = [0] * len(phrases)
    for token in text:
        progress = [phrase.advance(far, token) for phrase, far in zip(phrases, progress, strict=True)]
    bank = bank_number(phrases, progress)
    later = [
        bank_number(phrases, [phrase.advance(far, token) for phrase, far in zip(phrases, progress, strict=True)])
        for token in range(2, 7)
    ]
    assert max(later) > bank or all_complete(phrases, progress, at_end=False)
