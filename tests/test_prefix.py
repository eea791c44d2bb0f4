"""Translations that begin as was typed, against all translations there are."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markov import BOS, EOS, A, B, every_path, random_stepper, sentence_of

from seq2seq.errors import DataError
from seq2seq.search import Method, PieceIndex, PrefixStepper, SearchConfig, beam, greedy, indexes, search

# Letters that overlap in many ways: one text is written by several paths.
SPELLED = [None, None, b" ab", b"b"]
RICH = [None, None, b" a", b" ab", b"b", b"bc", b"c", b" ", b"a", b" \xff", b"c d"]


def config(beam_size: int, longest: int = 4) -> SearchConfig:
    return SearchConfig(beam_size=beam_size, n_best=beam_size, max_length_ratio=0.0, max_length_offset=longest)


def path(one) -> tuple[int, ...]:
    return (*one.tokens, EOS) if one.finished else tuple(one.tokens)


def text(tokens, pieces) -> bytes:
    written = b"".join(pieces[piece] or b"" for piece in tokens)
    return written if not written or written.startswith(b" ") else b" " + written


@given(st.text("abc d", min_size=1, max_size=4))
def test_the_index_finds_what_looking_at_every_piece_finds(wanted):
    wanted, index = wanted.encode(), PieceIndex(RICH)
    assert sorted(index.covering(wanted)) == [
        number for number, piece in enumerate(RICH) if piece and piece.startswith(wanted)
    ]
    assert sorted(index.within(wanted)) == [
        (number, len(piece))
        for number, piece in enumerate(RICH)
        if piece and wanted.startswith(piece) and piece != wanted
    ]


@given(st.integers(0, 10_000), st.sampled_from([b" ab", b" abb", b" a", b" b", b" ", b" ab ", b""]))
def test_a_beam_as_wide_as_the_tree_finds_exactly_what_begins_so(seed, prefix):
    stepper = random_stepper(seed, [1], impossible=0.2)
    bound = PrefixStepper(stepper, [prefix], *indexes(SPELLED))
    [found] = beam(bound, config(200))
    begins = {
        whole: total / len(whole)
        for whole, total in every_path(stepper, 0, 4).items()
        if BOS not in whole and text(whole, SPELLED).startswith(prefix)
    }
    got = [path(one) for one in found if one.score > -math.inf and BOS not in one.tokens]
    assert set(got) == set(begins) or (not prefix and set(got) >= set(begins))
    scores = [one.score for one in found if path(one) in begins]
    ranked = sorted(begins, key=lambda whole: (whole[-1] == EOS, begins[whole]), reverse=True)
    assert scores == pytest.approx([begins[whole] for whole in ranked], abs=1e-4)


@given(st.integers(0, 10_000), st.randoms())
def test_a_prefix_goes_with_every_search_and_no_sentence_sees_anothers(seed, random):
    prefixes = [b" ab", b"", b" abb", b" b"]
    stepper = random_stepper(seed, [2] * 4)

    def bound(order):
        return PrefixStepper(sentence_of(stepper, order), [prefixes[place] for place in order], *indexes(SPELLED))

    order = random.sample(range(4), 4)
    for settings_ in (config(3), SearchConfig(method=Method.sampling, n_best=3, max_length_ratio=2.0)):
        together = search(bound(range(4)), settings_, [1, 2, 3, 4])
        turned = search(bound(order), settings_, [order[place] + 1 for place in range(4)])
        assert turned == [together[place] for place in order]
        for prefix, found in zip(prefixes, together, strict=True):
            assert all(text(one.tokens, SPELLED).startswith(prefix) for one in found if one.score > -math.inf)
    assert [[one] for one in greedy(bound(order), config(1))] == beam(bound(order), config(1))


def test_no_way_is_taken_that_leads_nowhere():
    """ " a" would fit " ab", but here nothing goes on with it."""
    pieces = [None, None, b" a", b" ab"]
    stepper = random_stepper(1, [1])
    bound = PrefixStepper(stepper, [b" abc"[:3]], *indexes(pieces))
    first, _ = bound.step(bound.source_lengths * 0 + BOS, bound.start(1))
    assert first[0].isfinite().tolist() == [False, False, False, True]


def test_the_limit_leaves_room_for_the_prefix():
    stepper = random_stepper(1, [1])
    bound = PrefixStepper(stepper, [b" ab" + b"b" * 8], *indexes(SPELLED))
    assert bound.source_lengths.tolist() == [9]
    [one] = greedy(bound, SearchConfig(beam_size=1, max_length_ratio=1.0, max_length_offset=0))
    assert one.tokens == [A, *[B] * 8]


def test_what_no_pieces_write_is_refused():
    with pytest.raises(
        DataError, match=r"^no pieces of the vocabulary write the prefix 'ax': check its words and their"
    ):
        PrefixStepper(random_stepper(1, [1]), [b" ax"], *indexes(SPELLED))
