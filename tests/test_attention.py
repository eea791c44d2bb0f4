"""Attention, against the equations written out number by number."""

import math

import pytest
import torch
from networks import BOS, SAMPLES, padded, random_network, random_sentences
from torch import Tensor

from seq2seq.model import AttentionKind
from seq2seq.model.attention import Attention

LENGTHS = [3, 1, 5]
KINDS = [kind for kind in AttentionKind if kind is not AttentionKind.none]
CLOSE = {"rtol": 0, "atol": 1e-6}  # weights are float32 in every precision


def world(kind: AttentionKind) -> tuple[Attention, Tensor, Tensor, Tensor]:
    """Attention, queries (3, 4, 6), states (3, 5, D) with noise on padding, and the mask of padding."""
    width = 6 if kind is AttentionKind.dot else 2
    generator = torch.Generator().manual_seed(11)
    attention = Attention(kind, 6, width).double()
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.uniform_(-1, 1, generator=generator)
    queries = torch.randn(3, 4, 6, generator=generator, dtype=torch.float64)
    states = torch.randn(3, 5, width, generator=generator, dtype=torch.float64)
    padding = torch.arange(5) >= torch.tensor(LENGTHS).unsqueeze(1)
    return attention, queries, states, padding


def score(attention: Attention, query: Tensor, state: Tensor) -> float:
    """The equation for one query and one state."""
    if attention.kind is AttentionKind.dot:
        return sum(q * s for q, s in zip(query.tolist(), state.tolist(), strict=True))
    assert attention.key_map is not None
    key = attention.key_map.weight @ state
    if attention.kind is AttentionKind.general:
        return float(query @ key)
    assert attention.query_map is not None
    assert attention.energy is not None
    mapped = attention.query_map.weight @ query + attention.query_map.bias
    return sum(
        v * math.tanh(a + b)
        for v, a, b in zip(attention.energy.weight[0].tolist(), mapped.tolist(), key.tolist(), strict=True)
    )


@torch.no_grad()
def scores(attention: Attention, query: Tensor, states: Tensor) -> list[float]:
    return [score(attention, query, state) for state in states]


@pytest.mark.parametrize("kind", KINDS)
def test_weights_and_contexts_are_those_of_the_equation(kind):
    attention, queries, states, padding = world(kind)
    contexts, weights = attention(queries, attention.keys(states), states, padding)
    for row, length in enumerate(LENGTHS):
        for position, query in enumerate(queries[row]):
            exponentials = [math.exp(one) for one in scores(attention, query, states[row, :length])]
            wanted = [one / sum(exponentials) for one in exponentials]
            assert weights[row, position, :length].tolist() == pytest.approx(wanted, abs=1e-6)
            context = sum(weight * state for weight, state in zip(wanted, states[row], strict=False))
            torch.testing.assert_close(contexts[row, position], context, **CLOSE)


def test_dot_by_hand():
    attention = Attention(AttentionKind.dot, 2, 2)
    states = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]]])
    query = torch.tensor([[[math.log(3), 0.0]]])
    contexts, weights = attention(query, attention.keys(states), states, torch.tensor([[False, False, True]]))
    assert weights.flatten().tolist() == pytest.approx([0.75, 0.25, 0.0])
    assert contexts.flatten().tolist() == pytest.approx([0.75, 0.25])


@pytest.mark.parametrize("kind", KINDS)
def test_padding_weighs_exactly_nothing_and_the_rest_sums_to_one(kind):
    attention, queries, states, padding = world(kind)
    contexts, weights = attention(queries, attention.keys(states), states, padding)
    assert weights.masked_select(padding.unsqueeze(1)).abs().sum() == 0
    torch.testing.assert_close(weights.sum(2), torch.ones(3, 4), **CLOSE)
    other = states.masked_fill(padding.unsqueeze(2), 40.0)
    other_contexts, other_weights = attention(queries, attention.keys(other), other, padding)
    assert torch.equal(weights, other_weights)
    assert torch.equal(contexts, other_contexts)


def test_large_scores_do_not_overflow():
    attention = Attention(AttentionKind.dot, 1, 1)
    states = torch.tensor([[[1e4], [-1e4], [0.0]]])
    contexts, weights = attention(torch.tensor([[[1e4]]]), states, states, torch.zeros(1, 3, dtype=torch.bool))
    assert weights.flatten().tolist() == [1, 0, 0]
    assert contexts.item() == 1e4


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_learnt_is_what_the_equation_names(kind):
    attention, *_ = world(kind)
    shapes = {name: tuple(parameter.shape) for name, parameter in attention.named_parameters()}
    general = {"key_map.weight": (6, 2)}
    additive = general | {"query_map.weight": (6, 6), "query_map.bias": (6,), "energy.weight": (1, 6)}
    assert shapes == {AttentionKind.dot: {}, AttentionKind.general: general, AttentionKind.additive: additive}[kind]


@pytest.mark.parametrize("config", SAMPLES)
def test_the_network_tells_its_weights_sentence_by_sentence(config):
    network = random_network(config, seed=3)
    sources, targets = random_sentences(1, [4, 2, 6]), random_sentences(2, [3, 3, 3])
    source_BS, lengths_B = padded(sources, more=1)
    target_BT = torch.tensor([[BOS, *target] for target in targets])
    weights = network.attention_weights(source_BS, lengths_B, target_BT)
    if config.attention is AttentionKind.none:
        assert weights is None
        return
    assert weights.shape == (3, 4, 7)
    assert not torch.allclose(weights[0, 0], weights[0, 1], atol=1e-3)
    for row, source in enumerate(sources):
        assert weights[row, :, len(source) :].abs().sum() == 0
        alone = network.attention_weights(*padded([source]), target_BT[row : row + 1])
        torch.testing.assert_close(weights[row, :, : len(source)], alone[0], **CLOSE)
        torch.testing.assert_close(alone.sum(2), torch.ones(1, 4), **CLOSE)
