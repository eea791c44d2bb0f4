"""Prefix constraints, compared with all possible translations."""

import math
from dataclasses import replace
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from markov import BOS, EOS, A, B, MarkovStepper, every_path, random_stepper, sentence_of

from seq2seq.errors import DataError
from seq2seq.search import (
    Method,
    PrefixStepper,
    SearchConfig,
    TokenIndex,
    beam_search,
    greedy_search,
    search,
    token_indexes,
)
from seq2seq.search.prefix import prefix_paths

# Letters that overlap in many ways: one text is written by several paths.
SPELLED = [None, None, b" ab", b"b"]
RICH = [None, None, b" a", b" ab", b"b", b"bc", b"c", b" ", b"a", b" \xff", b"c d"]


def config(beam_size: int, longest: int = 4) -> SearchConfig:
    return SearchConfig(beam_size=beam_size, n_best=beam_size, max_length_ratio=0.0, max_length_offset=longest)


def path(one) -> tuple[int, ...]:
    return (*one.tokens, EOS) if one.finished else tuple(one.tokens)


def text(tokens, spelling) -> bytes:
    written = b"".join(spelling[token] or b"" for token in tokens)
    return written if not written or written.startswith(b" ") else b" " + written


def most(spelling, prefix: bytes, *given_: int) -> int:
    """Return the maximum number of tokens, starting with the given ones, of which the last completes the prefix."""
    numbers = range(A, len(spelling))
    bodies = [(*given_, *more) for count in range(4) for more in product(numbers, repeat=count) if given_ or count]
    writes = [
        len(body)
        for body in bodies
        if text(body, spelling).startswith(prefix) and not text(body[:-1], spelling).startswith(prefix)
    ]
    return max(writes, default=0)


@given(st.text("abc d", min_size=1, max_size=4))
def test_index_equals_linear_search(prefix):
    prefix, index = prefix.encode(), TokenIndex(RICH)
    assert sorted(index.covering(prefix)) == [
        number for number, token in enumerate(RICH) if token and token.startswith(prefix)
    ]
    assert sorted(index.within(prefix)) == [
        (number, len(token))
        for number, token in enumerate(RICH)
        if token and prefix.startswith(token) and token != prefix
    ]


@given(st.integers(0, 10_000), st.sampled_from([b" ab", b" abb", b" a", b" b", b" ", b" ab ", b""]))
def test_wide_beam_finds_every_translation_with_the_prefix(seed, prefix):
    stepper = random_stepper(seed, [1], impossible=0.2)
    bound = PrefixStepper(stepper, [prefix], *token_indexes(SPELLED))
    [result] = beam_search(bound, config(400, 3))
    limit = 3 + most(SPELLED, prefix)
    begins = {
        whole: total / len(whole)
        for whole, total in every_path(stepper, 0, limit).items()
        if BOS not in whole and text(whole, SPELLED).startswith(prefix)
    }
    got = [path(hypothesis) for hypothesis in result if hypothesis.score > -math.inf and BOS not in hypothesis.tokens]
    assert set(got) == set(begins) or (not prefix and set(got) >= set(begins))
    scores = [hypothesis.score for hypothesis in result if path(hypothesis) in begins]
    ranked = sorted(begins, key=lambda whole: (whole[-1] == EOS, begins[whole]), reverse=True)
    assert scores == pytest.approx([begins[whole] for whole in ranked], abs=1e-4)


@given(st.integers(0, 10_000), st.randoms())
def test_prefixes_work_with_every_method_and_do_not_depend_on_the_batch(seed, random):
    prefixes = [b" ab", b"", b" abb", b" b"]
    stepper = random_stepper(seed, [2] * 4)

    def bound(order):
        return PrefixStepper(sentence_of(stepper, order), [prefixes[place] for place in order], *token_indexes(SPELLED))

    order = random.sample(range(4), 4)
    for settings_ in (config(3), SearchConfig(method=Method.sampling, n_best=3, max_length_ratio=2.0)):
        together = search(bound(range(4)), settings_, [1, 2, 3, 4])
        turned = search(bound(order), settings_, [order[place] + 1 for place in range(4)])
        assert turned == [together[place] for place in order]
        for prefix, result in zip(prefixes, together, strict=True):
            assert all(
                text(hypothesis.tokens, SPELLED).startswith(prefix)
                for hypothesis in result
                if hypothesis.score > -math.inf
            )
    assert [[hypothesis] for hypothesis in greedy_search(bound(order), config(1))] == beam_search(
        bound(order), config(1)
    )


def test_tokens_that_lead_to_a_dead_end_are_excluded():
    """ " a" matches " ab", but no token continues it here."""
    spelling = [None, None, b" a", b" ab"]
    stepper = random_stepper(1, [1])
    bound = PrefixStepper(stepper, [b" abc"[:3]], *token_indexes(spelling))
    first, _ = bound.step(bound.source_lengths * 0 + BOS, bound.start(1))
    assert first[0].isfinite().tolist() == [False, False, False, True]


@given(st.integers(0, 10_000), st.sampled_from([b" ab ab", b" ab a", b" ab", b" abb ", b" bb a"]), st.integers(1, 2))
def test_given_tokens_are_kept_and_the_length_limit_starts_after_the_prefix(seed, prefix, longest):
    """Compared with all paths that begin with the token of the first word."""
    spelling = [None, None, b" ab", b"b", b" a"]
    first = B if prefix.startswith(b" b") else A
    table = (2 * torch.randn(1, 5, 5, 5, generator=torch.Generator().manual_seed(seed))).log_softmax(-1)
    stepper = MarkovStepper(table, [1])
    bound = PrefixStepper(stepper, [prefix], *token_indexes(spelling), [[first]])
    limit = most(spelling, prefix, first) + longest
    begins = {
        whole: total
        for whole, total in every_path(stepper, 0, limit).items()
        if BOS not in whole and whole[0] == first and text(whole, spelling).startswith(prefix)
    }
    [result] = beam_search(bound, replace(config(800, longest), length_penalty=0.0))
    got = {
        path(hypothesis): hypothesis.log_probability
        for hypothesis in result
        if hypothesis.score > -math.inf and BOS not in hypothesis.tokens
    }
    assert got == pytest.approx(begins, abs=1e-4)
    for method in (
        greedy_search(bound, config(1, longest)),
        *search(bound, SearchConfig(method=Method.sampling), [seed]),
    ):
        assert all(text(one.tokens, spelling).startswith(prefix) for one in method[:1])


def test_characters_with_a_token_are_not_spelled_in_bytes():
    """ "b" and "ab" are tokens and so is the byte of "b"; "c" has only its byte."""
    spelling, single_bytes = [None, None, b" a", b"b", b"b", b"c", b" ab"], {4, 5}
    inside = token_indexes(spelling, single_bytes)
    assert prefix_paths(b" ab", *inside).next == {0: {2: 2, 6: 3}, 2: {3: 3}}
    assert prefix_paths(b" abc", *inside).next == {0: {2: 2, 6: 3}, 2: {3: 3}, 3: {5: 4}}


def test_combining_characters_cannot_follow_a_prefix():
    mark = "\u0308".encode()
    spelling = [None, None, b" u", mark, mark[:1], b"x"]
    stepper = MarkovStepper(torch.zeros(1, 6, 6, 6), [1])
    bound = PrefixStepper(stepper, [b" u"], *token_indexes(spelling, {4}))
    _, state = bound.step(torch.tensor([BOS]), bound.start(1))
    second, state = bound.step(torch.tensor([2]), state)
    assert second[0].isfinite().tolist() == [True, True, True, False, False, True]
    third, _ = bound.step(torch.tensor([5]), state)
    assert third.isfinite().all()


def test_impossible_prefix_raises():
    with pytest.raises(DataError, match=r"^the vocabulary cannot write the prefix 'ax': check its words and their"):
        PrefixStepper(random_stepper(1, [1]), [b" ax"], *token_indexes(SPELLED))
