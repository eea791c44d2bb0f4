import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from markov import EOS, A, B, chain, every_path, log_probability, random_stepper
from networks import BOS as NETWORK_BOS
from networks import EOS as NETWORK_EOS
from networks import SAMPLES, padded, random_network, random_sentences

from seq2seq.inference import NetworkStepper, PreparedDecoder
from seq2seq.inference.config import InferencePrecision
from seq2seq.search import Method, SearchConfig, greedy_search
from seq2seq.search.sampling import draw_tokens, sample, truncate

SHORT = SearchConfig(method=Method.sampling, max_length_ratio=0, max_length_offset=4)


def path(one) -> tuple[int, ...]:
    return (*one.tokens, EOS) if one.finished else tuple(one.tokens)


def test_tokens_are_drawn_with_their_probabilities():
    log_probability_NV = torch.tensor([[0.5, 0.2, 0.0, 0.3]]).log().expand(20_000, -1)
    torch.manual_seed(0)
    for temperature in (1.0, 0.5, 3.0):
        shares = torch.bincount(draw_tokens(log_probability_NV, temperature), minlength=4) / 20_000
        weights = torch.tensor([0.5, 0.2, 0.0, 0.3]) ** (1 / temperature)
        assert torch.allclose(shares, weights / weights.sum(), atol=0.015)
        assert shares[2] == 0


def test_very_low_temperature_draws_only_the_most_probable_token():
    """Even if every weight by itself would underflow."""
    log_probability_NV = torch.tensor([[0.3, 0.25, 0.25, 0.2]]).log().expand(100, -1)
    for temperature in (0.01, 1e-4):
        assert set(draw_tokens(log_probability_NV, temperature).tolist()) == {0}
    nothing = draw_tokens(torch.full((2, 4), -math.inf), 0.5)
    assert ((nothing >= 0) & (nothing < 4)).all()


def test_whole_translations_are_drawn_with_their_probabilities():
    stepper = random_stepper(3, [1, 2])
    torch.manual_seed(1)
    hypotheses = sample(stepper, replace(SHORT, n_best=4000))
    for sentence in range(2):
        expected = every_path(stepper, sentence, 4)
        counts = dict.fromkeys(expected, 0)
        for hypothesis in hypotheses[sentence]:
            counts[path(hypothesis)] += 1
        for each, total in expected.items():
            assert counts[each] / 4000 == pytest.approx(math.exp(total), abs=0.03)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_samples_have_the_models_log_probability_and_respect_the_length_limit(temperature):
    lengths = [1, 5, 2]
    stepper = random_stepper(5, lengths)
    config = replace(
        SHORT, n_best=30, temperature=temperature, max_length_ratio=1.0, max_length_offset=1, length_penalty=0.5
    )
    torch.manual_seed(2)
    for sentence, samples in enumerate(sample(stepper, config)):
        assert len(samples) == 30
        for hypothesis in samples:
            tokens = path(hypothesis)
            assert hypothesis.log_probability == pytest.approx(log_probability(stepper, sentence, tokens), abs=1e-5)
            assert hypothesis.score == pytest.approx(hypothesis.log_probability / len(tokens) ** 0.5)
            assert EOS not in hypothesis.tokens
            assert (
                len(tokens) == lengths[sentence] + 1
                if not hypothesis.finished
                else len(tokens) <= lengths[sentence] + 1
            )


def test_unused_rows_leave_the_batch():
    ends, lasts = {0: {EOS: 1.0}}, {0: {A: 1.0}, A: {B: 1.0}, B: {EOS: 1.0}}
    stepper = chain(ends, lasts)
    hypotheses = sample(stepper, replace(SHORT, n_best=3))
    assert [path(hypothesis) for hypothesis in hypotheses[0]] == [(EOS,)] * 3
    assert [path(hypothesis) for hypothesis in hypotheses[1]] == [(A, B, EOS)] * 3
    assert stepper.rows_stepped == [6, 3, 3]
    split = chain({0: {EOS: 0.5, A: 0.5}, A: {A: 1.0}})
    torch.manual_seed(0)
    lengths = [len(path(hypothesis)) for hypothesis in sample(split, replace(SHORT, n_best=8))[0]]
    alive = lengths.count(4)
    assert 0 < alive < 8
    assert split.rows_stepped == [8, alive, alive, alive]


def test_same_seed_gives_same_samples():
    stepper = random_stepper(7, [2, 3])
    result = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        result.append(
            [[path(hypothesis) for hypothesis in samples] for samples in sample(stepper, replace(SHORT, n_best=6))]
        )
    assert result[0] == result[1] != result[2]


def test_low_temperature_equals_greedy_search():
    stepper = random_stepper(11, [1, 3, 2])
    for one, best in zip(
        sample(stepper, replace(SHORT, n_best=2, temperature=0.01)), greedy_search(stepper, SHORT), strict=True
    ):
        assert {path(each) for each in one} == {path(best)}


def test_impossible_sentence_gives_empty_samples():
    hypotheses = sample(chain({}, {0: {EOS: 1.0}}), replace(SHORT, n_best=2))
    assert [(hypothesis.tokens, hypothesis.log_probability) for hypothesis in hypotheses[0]] == [([], -math.inf)] * 2
    assert [hypothesis.finished for hypothesis in hypotheses[1]] == [True, True]


@pytest.mark.parametrize("model", [SAMPLES[1], SAMPLES[4]])
def test_network_samples_have_the_networks_log_probability(model):
    network = random_network(model, 3, spread=0.6)
    source_BS, lengths_B = padded(random_sentences(1, [3, 5]))
    decoder = PreparedDecoder(network, InferencePrecision.float32)
    stepper = NetworkStepper(network, decoder, source_BS, lengths_B, NETWORK_BOS, NETWORK_EOS)
    torch.manual_seed(4)
    for sentence, samples in enumerate(sample(stepper, replace(SHORT, n_best=5))):
        for hypothesis in samples:
            tokens = [*hypothesis.tokens, *([NETWORK_EOS] if hypothesis.finished else [])]
            target = torch.tensor([[NETWORK_BOS, *tokens[:-1]]])
            source = source_BS[sentence : sentence + 1], lengths_B[sentence : sentence + 1]
            with torch.no_grad():
                logits = network(*source, target, torch.arange(len(tokens)))
            total = logits.log_softmax(1).gather(1, torch.tensor(tokens)[:, None]).sum()
            assert hypothesis.log_probability == pytest.approx(total.item(), abs=1e-4)


# Top-k and nucleus

SHARES = [0.2, 0.5, 0.05, 0.25]


def left(top_k=None, top_p=1.0, shares=SHARES) -> set[int]:
    kept = truncate(torch.tensor([shares]).log(), top_k, top_p)
    return set(kept[0].isfinite().nonzero().flatten().tolist())


@pytest.mark.parametrize(
    ("top_k", "top_p", "expected"),
    [
        (None, 1.0, {0, 1, 2, 3}),
        (1, 1.0, {1}),
        (2, 1.0, {1, 3}),
        (9, 1.0, {0, 1, 2, 3}),
        (None, 0.01, {1}),
        (None, 0.49, {1}),
        (None, 0.6, {1, 3}),
        (None, 0.8, {1, 3, 0}),
        (None, 0.96, {1, 3, 0, 2}),
        (2, 0.6, {1}),  # 0.5 is two thirds of 0.5 + 0.25
        (3, 0.6, {1, 3}),
    ],
)
def test_top_k_is_applied_before_the_nucleus(top_k, top_p, expected):
    assert left(top_k, top_p) == expected
    assert left(top_k, top_p, [7 * share for share in SHARES]) == expected, "weights need not sum to 1"


def test_kept_weights_are_unchanged_and_impossible_stays_impossible():
    log_share_NV = torch.tensor([[0.0, 0.7, 0.1, 0.2], [0.0, 0.0, 0.0, 0.0]]).log()
    kept = truncate(log_share_NV, 2, 0.99)
    assert kept[0].tolist() == [-math.inf, log_share_NV[0, 1].item(), -math.inf, log_share_NV[0, 3].item()]
    assert kept[1].isinf().all()


@given(st.lists(st.integers(1, 20), min_size=1, max_size=8), st.integers(1, 8), st.floats(0.05, 0.95))
def test_truncation_matches_the_definition(weights, top_k, top_p):
    ranked = sorted(range(len(weights)), key=lambda token: -weights[token])[:top_k]
    expected, sum_of_all = [], sum(weights[token] for token in ranked)
    for token in ranked:
        expected.append(token)
        if sum(weights[one] for one in expected) / sum_of_all >= top_p + 1e-9:
            break
    total = sum(weights[one] for one in expected) / sum_of_all
    if abs(total - top_p) > 1e-6 and abs(total - weights[expected[-1]] / sum_of_all - top_p) > 1e-6:
        assert left(top_k, top_p, [float(weight) for weight in weights]) == set(expected)
