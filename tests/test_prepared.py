"""The decoder that search steps, in lower precision and on its own; test_stepper holds that it is the network's."""

import pytest
import torch
from networks import BOS, SAMPLES, VOCABULARY, padded, random_network, random_sentences
from torch import Tensor

from seq2seq.model import InferencePrecision, Network, PreparedDecoder, has_int8
from seq2seq.model.prepared import CHUNK, PreparedMemory, Vocabulary, tanh

needs_int8 = pytest.mark.skipif(not has_int8(torch.device("cpu")), reason="this processor has no integer products")
LOW = ["bfloat16", pytest.param("int8", marks=needs_int8)]
SOURCES = random_sentences(1, [4, 2, 6])
TARGETS = torch.tensor([[BOS, 5, 3], [BOS, 4, 7], [BOS, 6, 6]])


@torch.no_grad()
def followed(decoder: PreparedDecoder, network: Network) -> Tensor:
    """Log-probabilities (B, T, V) along the targets; the network encodes the sources."""
    memory, state = network.encode(*padded(SOURCES))
    prepared, states, steps = decoder.memory(memory), torch.cat(state), []
    for tokens_N in TARGETS.T:
        features_NF, states = decoder.step(tokens_N, decoder.vocabulary.embedding_VE, prepared, states)
        steps.append(decoder.vocabulary.log_probabilities(features_NF))
    return torch.stack(steps, 1)


def read(
    decoder: PreparedDecoder, vocabulary: Vocabulary, memory: PreparedMemory, states: Tensor
) -> tuple[Tensor, Tensor]:
    """Log-probabilities and states after one piece."""
    features, after = decoder.step(TARGETS[:, 1], vocabulary.embedding_VE, memory, states)
    return vocabulary.log_probabilities(features), after


@torch.no_grad()
@pytest.mark.parametrize("rows", [1, CHUNK, 2 * CHUNK + 3])
def test_logits_in_parts_are_those_of_the_whole(rows):
    """Each part's softmax writes into the result it is a part of."""
    network = random_network(SAMPLES[0], 3, dtype=torch.float32)
    vocabulary = PreparedDecoder(network, InferencePrecision.float32).vocabulary
    features = torch.rand(rows, network.output.in_features) * 2 - 1
    torch.testing.assert_close(vocabulary.log_probabilities(features), network.output(features).log_softmax(1))


@pytest.mark.parametrize("precision", LOW)
@pytest.mark.parametrize("far", [1, 80])
@pytest.mark.parametrize("sample", range(len(SAMPLES)))
def test_lower_precision_stays_near(sample, far, precision):
    """However far embeddings reach: at ±40 as at ±1/2, where the weights that meet them are as much smaller."""
    network = random_network(SAMPLES[sample], seed=5, spread=0.5, dtype=torch.float32)
    embedding = network.target_embedding.weight
    if far > 1 and network.output.weight is embedding:
        pytest.skip("the output layer grows with embeddings that it shares, and so does what rounding does to it")
    with torch.no_grad():
        embedding.mul_(far)
        network.decoder.layers[0].weight_ih_l0[:, : embedding.size(1)].div_(far)
    wanted = followed(PreparedDecoder(network, InferencePrecision.float32), network)
    found = followed(PreparedDecoder(network, InferencePrecision(precision)), network)
    assert wanted.max() - wanted.min() > 0.9
    assert 1e-5 < (found - wanted).abs().max() < (0.03 if precision == "int8" else 0.015)


@pytest.mark.parametrize("precision", LOW)
def test_first_states_of_a_linear_bridge_know_no_bound(precision):
    network = random_network(SAMPLES[2], seed=5, spread=0.5, dtype=torch.float32)
    with torch.no_grad():
        for bridge in network.bridge.hidden_maps:
            bridge.weight.mul_(40)
        assert network.encode(*padded(SOURCES))[1].hidden_LNH.abs().max() > 2
    wanted = followed(PreparedDecoder(network, InferencePrecision.float32), network)
    found = followed(PreparedDecoder(network, InferencePrecision(precision)), network)
    assert (found - wanted).abs().max() < 0.1


@pytest.mark.parametrize("precision", ["float32", *LOW])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sample", range(len(SAMPLES)))
@torch.no_grad()
def test_what_happens_to_the_network_later_changes_nothing(sample, dtype, precision):
    if precision == "int8" and dtype is torch.float64:
        pytest.skip("integer products give float32")
    network = random_network(SAMPLES[sample], 3, dtype=dtype)
    decoder = PreparedDecoder(network, InferencePrecision(precision))
    memory, state = network.encode(*padded(SOURCES))
    prepared, states = decoder.memory(memory), torch.cat(state)
    parts = decoder.vocabulary, decoder.vocabulary.only(torch.arange(VOCABULARY))
    before = [read(decoder, vocabulary, prepared, states) for vocabulary in parts]
    for parameter in network.parameters():
        parameter.fill_(0.123)
    parts = decoder.vocabulary, decoder.vocabulary.only(torch.arange(VOCABULARY))
    for vocabulary, (wanted, after) in zip(parts, before, strict=True):
        found, found_after = read(decoder, vocabulary, prepared, states)
        assert torch.equal(found, wanted)
        assert torch.equal(found_after, after)
    again = decoder.memory(memory)
    for one, other in zip(again[1:], prepared[1:], strict=True):
        assert one is None or torch.equal(one, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tanh_by_way_of_the_sigmoid(dtype):
    inputs = torch.cat([torch.linspace(-12, 12, 4001), torch.tensor([-1e4, -1e-6, 0.0, 1e-6, 1e4, 3e38])]).to(dtype)
    before = inputs.clone()
    torch.testing.assert_close(tanh(inputs), inputs.tanh(), rtol=0, atol=1e-6)
    assert (tanh(inputs).abs() <= 1).all(), "integer products rely on it"
    assert torch.equal(inputs, before)
