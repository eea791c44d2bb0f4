"""Attention: scores, heads, coverage, local windows."""

import math
from dataclasses import replace

import pytest
import torch
from networks import ARRANGEMENTS, BOS, EVERY, padded, random_network, random_sentences
from torch import Tensor

from seq2seq.model import AttentionKind, DecoderConfig, Direction, EncoderConfig, ModelConfig
from seq2seq.model.attention import Attention, Window

LENGTHS = [3, 1, 5]
KINDS = [kind for kind in AttentionKind if kind is not AttentionKind.none]
HEADS = [1, 2, 3]
CLOSE = {"rtol": 0, "atol": 1e-6}  # weights are float32 in every precision


def config(kind: AttentionKind, heads: int = 1, width: int = 6) -> ModelConfig:
    """Queries have 6 units, keys 6 or 12."""
    return ModelConfig(
        encoder=EncoderConfig(size=width, direction=Direction.forward),
        decoder=DecoderConfig(size=6),
        attention=kind,
        attention_heads=heads,
        attention_size=12 if kind in (AttentionKind.scaled_dot, AttentionKind.additive) else None,
    )


def world(model: ModelConfig) -> tuple[Attention, Tensor, Tensor, Tensor]:
    """Return attention, queries (3, 4, 6), states (3, 5, D) with noise at padding, and the padding mask."""
    model.check()
    generator = torch.Generator().manual_seed(11)
    attention = Attention(model).double()
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.uniform_(-1, 1, generator=generator)
    queries = torch.randn(3, 4, 6, generator=generator, dtype=torch.float64)
    states = torch.randn(3, 5, model.encoder.width, generator=generator, dtype=torch.float64)
    padding = torch.arange(5) >= torch.tensor(LENGTHS).unsqueeze(1)
    return attention, queries, states, padding


def attend(
    attention: Attention, queries: Tensor, states: Tensor, padding: Tensor | None, coverage: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    keys, values, _ = attention.memory(states, padding)
    return attention(queries, keys, values, padding, coverage)


def score(model: ModelConfig, attention: Attention, query: Tensor, state: Tensor, head: int, covered: float) -> float:
    """Return the score of one head, one query and one state by the equation."""
    key = state if attention.key_map is None else attention.key_map.weight @ state
    if attention.query_map is not None:
        query = attention.query_map.weight @ query + attention.query_map.bias
    if attention.coverage_map is not None:
        key = key + attention.coverage_map.weight[:, 0] * covered
    share = slice(head * len(key) // model.attention_heads, (head + 1) * len(key) // model.attention_heads)
    q, k = query[share].tolist(), key[share].tolist()
    if attention.energy is not None:
        v = attention.energy.weight[0, share].tolist()
        return sum(c * math.tanh(a + b) for a, b, c in zip(q, k, v, strict=True))
    product = sum(a * b for a, b in zip(q, k, strict=True))
    return product / math.sqrt(len(q)) if model.attention is AttentionKind.scaled_dot else product


def nearness(attention: Attention, query: Tensor, length: int) -> list[float]:
    """Return the window weights of all positions (Luong et al. 2015, eq. 9, 10); 0: outside the window."""
    if attention.window is None:
        return [1.0] * length
    hidden = (attention.window.query_map.weight @ query).tanh()
    place = length / (1 + math.exp(-(attention.window.place.weight[0] @ hidden).item()))
    reach = attention.window.reach
    return [
        math.exp(-((s - place) ** 2) / (2 * (reach / 2) ** 2)) if abs(s - place) <= reach else 0.0
        for s in range(1, length + 1)
    ]


def equation(
    model: ModelConfig, attention: Attention, query: Tensor, states: Tensor, coverage: list[float]
) -> tuple[Tensor, list[float]]:
    """Return context and mean weights of one query over the unpadded states: a softmax within the window."""
    near = nearness(attention, query, len(states))
    values = states if attention.value_map is None else states @ attention.value_map.weight.T
    parts, mean = [], [0.0] * len(states)
    for head, value in enumerate(values.chunk(model.attention_heads, 1)):
        exponentials = [
            math.exp(score(model, attention, query, state, head, covered)) if share else 0.0
            for state, covered, share in zip(states, coverage, near, strict=True)
        ]
        weights = [one / sum(exponentials) * share for one, share in zip(exponentials, near, strict=True)]
        parts.append(sum(weight * one for weight, one in zip(weights, value, strict=True)))
        mean = [so_far + weight / model.attention_heads for so_far, weight in zip(mean, weights, strict=True)]
    return torch.cat(parts), mean


@pytest.mark.grid(2)
@pytest.mark.parametrize("window", [None, 1, 2])
@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("kind", [*KINDS, "coverage"])
@torch.no_grad()
def test_weights_and_contexts_are_those_of_the_equation(kind, heads, window):
    covers = kind == "coverage"
    model = replace(config(AttentionKind.additive if covers else kind, heads), coverage=covers, attention_window=window)
    tolerance = 1e-6 if window is None else 1e-5  # the position is float32
    attention, queries, states, padding = world(model)
    coverage = torch.rand(3, 4, 5, generator=torch.manual_seed(2)) if covers else torch.zeros(3, 4, 5)
    contexts, weights = attend(attention, queries, states, padding, coverage if covers else None)
    assert contexts.shape == (3, 4, 6)
    for row, length in enumerate(LENGTHS):
        for position, query in enumerate(queries[row]):
            attended_before = coverage[row, position, :length].tolist()
            context, expected = equation(model, attention, query, states[row, :length], attended_before)
            assert weights[row, position, :length].tolist() == pytest.approx(expected, abs=tolerance)
            torch.testing.assert_close(contexts[row, position], context, rtol=0, atol=tolerance)


def test_dot_by_hand():
    attention = Attention(
        ModelConfig(
            encoder=EncoderConfig(size=2, direction=Direction.forward),
            decoder=DecoderConfig(size=2),
            attention=AttentionKind.dot,
        )
    )
    states = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]]])
    query = torch.tensor([[[math.log(3), 0.0]]])
    contexts, weights = attend(attention, query, states, torch.tensor([[False, False, True]]))
    assert weights.flatten().tolist() == pytest.approx([0.75, 0.25, 0.0])
    assert contexts.flatten().tolist() == pytest.approx([0.75, 0.25])


@pytest.mark.parametrize("window", [None, 1])
@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("kind", KINDS)
def test_padding_weighs_exactly_nothing_and_the_rest_sums_to_one(kind, heads, window):
    attention, queries, states, padding = world(replace(config(kind, heads), attention_window=window))
    contexts, weights = attend(attention, queries, states, padding)
    assert weights.masked_select(padding.unsqueeze(1)).abs().sum() == 0
    if window is None:
        torch.testing.assert_close(weights.sum(2), torch.ones(3, 4), **CLOSE)
    other = states.masked_fill(padding.unsqueeze(2), 40.0)
    other_contexts, other_weights = attend(attention, queries, other, padding)
    assert torch.equal(weights, other_weights)
    assert torch.equal(contexts, other_contexts)


def test_large_scores_do_not_overflow():
    attention = Attention(
        ModelConfig(
            encoder=EncoderConfig(size=1, direction=Direction.forward),
            decoder=DecoderConfig(size=1),
            attention=AttentionKind.dot,
        )
    )
    states = torch.tensor([[[1e4], [-1e4], [0.0]]])
    contexts, weights = attend(attention, torch.tensor([[[1e4]]]), states, torch.zeros(1, 3, dtype=torch.bool))
    assert weights.flatten().tolist() == [1, 0, 0]
    assert contexts.item() == 1e4


@pytest.mark.parametrize("kind", KINDS)
def test_the_parameters_are_those_of_the_equation(kind):
    key = {"key_map.weight": (6, 2)}
    query = {"key_map.weight": (12, 2), "query_map.weight": (12, 6), "query_map.bias": (12,)}
    energy = query | {"energy.weight": (1, 12)}
    expected = dict(zip(KINDS, [{}, key, query, energy], strict=True))[kind]
    attention = Attention(config(kind, width=6 if kind is AttentionKind.dot else 2))
    assert {name: tuple(parameter.shape) for name, parameter in attention.named_parameters()} == expected


def test_heads_coverage_and_a_window_have_further_parameters():
    plain = replace(config(AttentionKind.additive), attention_size=None)
    whole = replace(plain, attention_heads=2, coverage=True, attention_window=3)
    before, after = ({name for name, _ in Attention(one).named_parameters()} for one in (plain, whole))
    assert after - before == {
        "value_map.weight",
        "coverage_map.weight",
        "window.query_map.weight",
        "window.place.weight",
    }


def test_coverage_can_lower_the_weight_of_an_attended_token():
    """With w = -v and otherwise positive weights, coverage lowers the score."""
    attention = Attention(replace(config(AttentionKind.additive), coverage=True))
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.zero_()
        attention.energy.weight.fill_(1.0)
        attention.coverage_map.weight.fill_(-2.0)
    queries, states = torch.zeros(1, 1, 6), torch.zeros(1, 3, 6)
    _, weights = attend(attention, queries, states, None, torch.tensor([[[0.0, 1.0, 0.5]]]))
    first, second, third = weights.flatten().tolist()
    assert first > third > second


@pytest.mark.parametrize("config", EVERY)
def test_the_network_returns_its_attention_weights_per_sentence(config):
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
        total = alone.sum(2)
        if config.attention_window is None:
            torch.testing.assert_close(total, torch.ones(1, 4), **CLOSE)
        else:
            assert (total > 0).all()
            assert (total <= 1 + 1e-6).all()


COVERING = ARRANGEMENTS[5]


@pytest.mark.parametrize("beam", [1, 2])
@torch.no_grad()
def test_coverage_is_the_sum_of_the_weights_so_far(beam):
    network = random_network(COVERING, 1)
    memory, state = network.encode(*padded(random_sentences(1, [4, 2, 6])))
    queries = torch.randn(3 * beam, 4, COVERING.decoder.size, dtype=torch.float64)
    coverage = state.coverage_NS.repeat_interleave(beam, 0)
    attended = network.decoder.attention.attend(queries, memory.attention, coverage)
    assert attended[1].shape == (3 * beam, 4, 6)
    torch.testing.assert_close(attended[2], attended[1].sum(1))
    first = network.decoder.attention.attend(queries[:, :3], memory.attention, coverage)
    last = network.decoder.attention.attend(queries[:, 3:], memory.attention, first[2])
    torch.testing.assert_close(last[1][:, 0], attended[1][:, 3])
    blind = network.decoder.attention.attend(queries[:, 3:], memory.attention, coverage)
    assert not torch.allclose(blind[1], last[1], atol=1e-3)


@torch.no_grad()
def test_a_row_attends_to_its_own_sentence():
    network = random_network(ARRANGEMENTS[1], 1)
    memory, _ = network.encode(*padded(random_sentences(1, [4, 2, 6])))
    queries = torch.randn(6, 3, ARRANGEMENTS[1].decoder.size, dtype=torch.float64)
    attended = network.decoder.attention.attend(queries, memory.attention, None)
    assert attended[2] is None
    for row in range(6):
        own = memory.attention.select(torch.tensor([row // 2]))
        alone = network.decoder.attention.attend(queries[row : row + 1], own, None)
        torch.testing.assert_close(attended[0][row], alone[0][0])
        torch.testing.assert_close(attended[1][row], alone[1][0])


def test_coverage_passes_gradients_from_later_queries_to_earlier_ones():
    network = random_network(COVERING, 1)
    memory, state = network.encode(*padded(random_sentences(1, [4, 2, 6])))
    queries = torch.randn(3, 4, COVERING.decoder.size, dtype=torch.float64, requires_grad=True)
    attended = network.decoder.attention.attend(queries, memory.attention, state.coverage_NS)
    first, *_ = attended[1][:, 3].unbind(1)
    [gradient] = torch.autograd.grad(first.sum(), queries)
    assert (gradient.abs().amax(2) > 0).all()


def window(reach: int, place: float, inputs: torch.Tensor) -> Window:
    """Return a window centred at ``place`` (a share of the sentence) for queries of ones."""
    local_window = Window(inputs.size(2), reach)
    with torch.no_grad():
        local_window.query_map.weight.fill_(0.5)
        hidden = math.tanh(0.5 * inputs.size(2))
        local_window.place.weight.fill_(math.log(place / (1 - place)) / hidden / inputs.size(2))
    return local_window


def test_the_window_is_a_gaussian_around_the_predicted_position():
    """Luong et al. 2015, eq. 10: exp(-(s - p)² / 2σ²), σ = D/2, positions counted from 1, zero beyond D."""
    queries = torch.ones(1, 1, 3)
    nearness = window(2, 0.5, queries)(queries, None, 8).flatten().tolist()  # p = 4
    assert nearness == pytest.approx([0, math.exp(-2), math.exp(-0.5), 1, math.exp(-0.5), math.exp(-2), 0, 0], abs=1e-6)


def test_each_sentence_has_its_own_length():
    queries = torch.ones(2, 1, 3)
    padding = torch.arange(8) >= torch.tensor([[8], [4]])
    result = window(1, 0.5, queries)(queries, padding, 8)
    assert result.argmax(2).flatten().tolist() == [3, 1]  # p = 4 and p = 2
    alone = window(1, 0.5, queries)(queries[1:], None, 4)
    torch.testing.assert_close(result[1, :, :4], alone[0])


@pytest.mark.parametrize("extreme", [-1e3, 1e3])
@pytest.mark.parametrize("length", [1, 2, 7])
def test_at_least_one_position_is_always_within_the_window(extreme, length):
    local_window = Window(2, 1)
    with torch.no_grad():
        local_window.query_map.weight.fill_(1.0)
        local_window.place.weight.fill_(extreme)
    padding = (torch.arange(9) >= length).unsqueeze(0)
    nearness = local_window(torch.ones(1, 1, 2), padding, 9)
    assert (nearness[..., :length] > 0).any()


def test_the_predicted_position_has_gradients():
    queries = torch.ones(1, 1, 3)
    local_window = window(3, 0.4, queries)
    local_window(queries, None, 6)[..., 4].sum().backward()
    assert local_window.place.weight.grad.abs().sum() > 0
    assert local_window.query_map.weight.grad.abs().sum() > 0
