"""Samples that are text: the bytes that may follow, against Python's own decoder."""

import math

import pytest
import torch
from markov import EOS, MarkovStepper
from translators import SENTENCES, translator

from seq2seq.portable.text import complete_characters
from seq2seq.search import CharacterStepper, Method, SearchConfig, search
from seq2seq.tokenizer.config import Algorithm

MARKS = 3  # beginning, end, padding; then the 256 bytes, then a letter
VOCABULARY = MARKS + 256 + 1
SPELLED = [None] * MARKS + [*range(256)] + [None]


class Uniform:
    """A `Stepper` to which every token is as likely as any other."""

    bos, eos, sentences = 0, EOS, 1
    source_lengths = torch.tensor([1])

    def start(self, beam_size):
        return None

    def step(self, tokens_N, state):
        return torch.full((len(tokens_N), VOCABULARY), -math.log(VOCABULARY)), None

    def select(self, state, rows_N, sentences_B):
        return None


def begins_a_character(text: bytes) -> bool:
    """Whether Python reads one character in these bytes with some that are added."""
    return any(is_character(text + fill * count) for fill in (b"\x80", b"\xbf") for count in range(4))


def is_character(text: bytes) -> bool:
    try:
        return len(text.decode()) == 1
    except UnicodeDecodeError:
        return False


def test_allowed_bytes_are_those_that_python_decodes():
    stepper = CharacterStepper(Uniform(), SPELLED, {0, 2})
    states = [(b"", stepper.start(1), 0)]
    while states:
        text, state, token = states.pop()
        log_probability, after = stepper.step(torch.tensor([token]), state)
        possible = log_probability[0].isfinite().tolist()
        whole = not text or text.decode(errors="ignore") != ""
        assert [possible[mark] for mark in (0, EOS, 2, VOCABULARY - 1)] == [False, whole, False, whole]
        fits = [byte for byte in range(256) if begins_a_character((b"" if whole else text) + bytes([byte]))]
        assert [byte for byte in range(256) if possible[MARKS + byte]] == fits
        following = [] if whole and text else fits if not text else {fits[0], fits[-1]}
        states += [(text + bytes([byte]), after, MARKS + byte) for byte in following]


def test_samples_are_text():
    """Of a model to which all is alike, of whose free samples next to none would be."""
    stepper = CharacterStepper(Uniform(), SPELLED, {0, 2})
    config = SearchConfig(method=Method.sampling, n_best=300, max_length_ratio=0, max_length_offset=40)
    for hypothesis in search(stepper, config, [1])[0]:
        tokens = hypothesis.tokens if hypothesis.finished else complete_characters(hypothesis.tokens, SPELLED)
        b"".join(b"x" if SPELLED[token] is None else bytes([SPELLED[token]]) for token in tokens).decode()
        assert hypothesis.log_probability == pytest.approx(
            -math.log(VOCABULARY) * (len(hypothesis.tokens) + hypothesis.finished), rel=1e-5
        )


def test_without_a_valid_continuation_all_tokens_remain_possible():
    stepper = CharacterStepper(MarkovStepper(torch.zeros(1, 4, 4, 4), [1]), [None, None, 0xC3, None])
    _, state = stepper.step(torch.tensor([0]), stepper.start(1))
    after, _ = stepper.step(torch.tensor([2]), state)
    assert after.isfinite().all()


def test_a_truncated_text_ends_with_a_complete_character():
    written = [None, *range(256)]
    for text in ("aé", "a中", "a😀", "aa"):
        tokens = [0, *(1 + byte for byte in text.encode())]
        for end in range(1, len(tokens) + 1):
            kept = bytes(written[token] for token in complete_characters(tokens[1:end], written))
            assert kept == bytes(written[token] for token in tokens[1:end]).decode(errors="ignore").encode()


@pytest.mark.parametrize("method", [Method.sampling, Method.minimum_bayes_risk, Method.diverse_beam])
def test_sampled_translations_have_no_special_tokens_or_invalid_characters(method):
    """The model is random: of its free samples most held some."""
    counts = {Method.sampling: {"n_best": 40}, Method.minimum_bayes_risk: {"n_best": 20, "samples": 20}}
    config = SearchConfig(method=method, **counts.get(method, {"beam_size": 8, "n_best": 8}), max_length_offset=20)
    for result in translator().translate(SENTENCES, search=config):
        for hypothesis in result.n_best:
            assert "\ufffd" not in hypothesis.text
            assert not {"<unk>", "<s>", "<pad>"} & set(hypothesis.tokens)


def test_word_vocabularies_can_write_unk():
    config = SearchConfig(method=Method.sampling, n_best=60, max_length_offset=10)
    translation = translator(algorithm=Algorithm.word).translate(SENTENCES, search=config)
    tokens = {piece for each in translation for alternative in each.n_best for piece in alternative.tokens}
    assert "<unk>" in tokens
    assert not {"<s>", "<pad>"} & tokens
