"""Next words, compared with every spelling of every word."""

import math
from collections import Counter
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from markov import BOS, EOS, MarkovStepper

from seq2seq.search.next_word import LONGEST, NextWord, next_words

LETTERS = [None, None, b" ", b"a", b"b", b" a", b" ab", b" b"]
DEPTH = 5


def random_table(seed: int, spelling: int) -> MarkovStepper:
    """Words and sentences end soon, so that few tokens hold nearly all the probability."""
    generator = torch.Generator().manual_seed(seed)
    logits_VVV = 1.5 * torch.randn(1, spelling, spelling, spelling, generator=generator)
    logits_VVV[..., EOS] += 4.5
    logits_VVV[..., BOS] = -math.inf
    return MarkovStepper(logits_VVV.log_softmax(-1), [1])


def probability(stepper: MarkovStepper, path: list[int]) -> float:
    path = [BOS, BOS, *path]
    return math.exp(
        sum(float(stepper.table_SVVV[0, a, b, c]) for a, b, c in zip(path, path[1:], path[2:], strict=False))
    )


def by_counting(
    stepper: MarkovStepper, before: list[int], partial_word: str, spelling: list[bytes | None]
) -> tuple[dict[str, float], float]:
    """Return the probability of every next word by enumeration, and the probability beyond ``DEPTH`` tokens."""
    typed, words, total, beyond = b" " + partial_word.encode(), Counter[str](), 0.0, 0.0
    letters = [number for number, token in enumerate(spelling) if token]
    paths = [path for length in range(DEPTH + 1) for path in product(letters, repeat=length)]
    for path in paths:
        writes = b"".join(spelling[token] or b"" for token in path)
        if not before and not writes.startswith(b" "):
            writes = b" " + writes if writes else b""
        if b" " in writes[1:] or (writes and not (writes.startswith(typed) or typed.startswith(writes))):
            continue
        reached = probability(stepper, [*before, *path])
        if path and writes.startswith(typed):
            shorter = b"".join(spelling[token] or b"" for token in path[:-1])
            if not before and not shorter.startswith(b" "):
                shorter = b" " + shorter if shorter else b""
            total += 0 if shorter.startswith(typed) else reached
            beyond += reached if len(path) == DEPTH else 0
        ends = [EOS, *(token for token in letters if (spelling[token] or b"").startswith(b" "))]
        if writes.startswith(typed) and writes != b" " and len(path) < DEPTH:
            words[writes[1:].decode()] += sum(probability(stepper, [*before, *path, token]) for token in ends)
        if not path and not partial_word:
            words[""] = probability(stepper, [*before, EOS])
            total += words[""]
    known = probability(stepper, before) if before else 1.0
    return {word: mass / total for word, mass in words.items()}, beyond / max(total, known * 1e-9)


@pytest.mark.parametrize("partial_word", ["", "a", "ab", "ba"])
@pytest.mark.parametrize("before", [[], [5], [6, 7, 4]])
@pytest.mark.parametrize("seed", range(3))
def test_word_probability_sums_over_all_spellings(seed, before, partial_word):
    stepper = random_table(seed, len(LETTERS))
    expected, beyond = by_counting(stepper, before, partial_word, LETTERS)
    assert beyond < 0.01
    suggestions = next_words(stepper, before, partial_word, LETTERS, count=6, beam_size=2000)
    assert 0 < len(suggestions) <= 6
    for word, share in suggestions:
        assert share == pytest.approx(expected.get(word, 0.0), abs=beyond + 2e-3)
    likeliest = sorted(expected.values(), reverse=True)
    assert [share for _, share in suggestions] == pytest.approx(likeliest[: len(suggestions)], abs=beyond + 2e-3)
    assert len(suggestions) == 6 or sum(likeliest[len(suggestions) : 6]) < 2e-3


@given(st.integers(0, 10_000), st.text("ab", max_size=3), st.lists(st.integers(2, 7), max_size=3), st.integers(1, 9))
def test_words_start_with_the_typed_letters_and_probabilities_sum_to_at_most_one(seed, partial_word, before, beam_size):
    suggestions = next_words(
        random_table(seed, len(LETTERS)), before, partial_word, LETTERS, count=100, beam_size=beam_size
    )
    assert all(suggestion.word.startswith(partial_word) for suggestion in suggestions)
    assert sum(suggestion.probability for suggestion in suggestions) <= 1 + 1e-6
    assert [suggestion.probability for suggestion in suggestions] == sorted(
        (suggestion.probability for suggestion in suggestions), reverse=True
    )
    assert len({suggestion.word for suggestion in suggestions}) == len(suggestions)
    assert not any(" " in suggestion.word for suggestion in suggestions)


def chain(following: dict[int, dict[int, float]], spelling: int) -> MarkovStepper:
    table_SVVV = torch.full((1, spelling, spelling, spelling), -math.inf)
    for last, probabilities in following.items():
        for token, share in probabilities.items():
            table_SVVV[0, :, last, token] = math.log(share)
    return MarkovStepper(table_SVVV, [1])


def test_typed_letters_may_be_spelled_by_other_tokens_than_the_tokenizers():
    """``Ma`` and ``Mann`` are both tokens: continuing only ``Ma`` would miss ``Mann``."""
    spelling = [None, None, b" Ma", b" Mann", b"us", b" Haus"]
    stepper = chain({BOS: {2: 0.1, 3: 0.3, 5: 0.6}, 2: {4: 1.0}, 3: {EOS: 1.0}, 4: {EOS: 1.0}, 5: {EOS: 1.0}}, 6)
    assert next_words(stepper, [], "Ma", spelling, 5) == [
        NextWord("Mann", pytest.approx(0.75)),
        NextWord("Maus", pytest.approx(0.25)),
    ]
    assert [suggestion.word for suggestion in next_words(stepper, [], "", spelling, 2)] == ["Haus", "Mann"]
    assert next_words(stepper, [], "x", spelling, 5) == []


def test_end_of_sentence_is_suggested_only_after_white_space():
    spelling = [None, None, b" a"]
    stepper = chain({BOS: {2: 1.0}, 2: {EOS: 0.8, 2: 0.2}}, 3)
    assert next_words(stepper, [2], "", spelling, 5) == [
        NextWord("", pytest.approx(0.8)),
        NextWord("a", pytest.approx(0.2)),
    ]
    assert next_words(stepper, [], "a", spelling, 5) == [NextWord("a", pytest.approx(1.0))]


def test_byte_tokens_form_letters_and_invalid_bytes_form_no_word():
    spelling = [None, None, b" M", b"\xc3", b"\xbc", b"\xff"]
    stepper = chain({BOS: {2: 1.0}, 2: {3: 0.5, 5: 0.5}, 3: {4: 1.0}, 4: {EOS: 1.0}, 5: {EOS: 1.0}}, 6)
    assert next_words(stepper, [], "M", spelling, 5) == [NextWord("Mü", pytest.approx(0.5))]
    assert next_words(stepper, [], "Mü", spelling, 5) == [NextWord("Mü", pytest.approx(1.0))]


def test_token_of_two_words_ends_the_first():
    spelling = [None, None, b" in", b" in dem", b"nen", b"n den"]
    stepper = chain({BOS: {2: 0.4, 3: 0.6}, 2: {4: 0.5, 5: 0.25, EOS: 0.25}, 4: {EOS: 1.0}}, 6)
    suggestions = next_words(stepper, [], "", spelling, 5)
    assert [suggestion.word for suggestion in suggestions] == ["in", "innen", "inn"]
    assert [suggestion.probability for suggestion in suggestions] == pytest.approx([0.7, 0.2, 0.1])


def test_endless_word_ends_the_search():
    spelling = [None, None, b" a", b"a"]
    stepper = chain({BOS: {2: 1.0}, 2: {3: 1.0}, 3: {3: 1.0}}, 4)
    assert next_words(stepper, [], "", spelling, 5) == []
    assert len(stepper.rows_stepped) == LONGEST + 1


def test_a_long_typed_text_is_completed_in_scripts_without_spaces():
    """The typed text is one word there, of more tokens than a word may have otherwise."""
    spelling = [None, None, b" a", b"a", b"b"]
    stepper = chain({BOS: {2: 1.0}, 2: {3: 1.0}, 3: {3: 0.5, 4: 0.5}, 4: {EOS: 1.0}}, 5)
    typed = "a" * 100
    assert next_words(stepper, [], typed, spelling, 1) == [NextWord(f"{typed}b", pytest.approx(0.5))]
