"""The decoder that search steps, in lower precision and on its own; test_stepper holds that it is the network's."""

import pytest
import torch
from abilities import LOW, needs_bfloat16, needs_int8
from networks import BOS, EVERY, SAMPLES, VOCABULARY, padded, random_network, random_sentences
from torch import Tensor

from seq2seq.inference import InferencePrecision, PreparedDecoder
from seq2seq.inference.prepared_decoder import PackedDecoder, PreparedMemory, PreparedState, Vocabulary, can_pack
from seq2seq.inference.products import features_bounded
from seq2seq.model import AttentionKind, AttentionOrder, DecoderConfig, EncoderConfig, ModelConfig, Network

SOURCES = random_sentences(1, [4, 2, 6])
TARGETS = torch.tensor([[BOS, 5, 3], [BOS, 4, 7], [BOS, 6, 6]])


@torch.no_grad()
def followed(decoder: PreparedDecoder, network: Network) -> Tensor:
    """Log-probabilities (B, T, V) along the targets; the network encodes the sources."""
    memory, state = network.encode(*padded(SOURCES))
    prepared, rows, steps = decoder.memory(memory), decoder.start(state, 1), []
    for tokens_N in TARGETS.T:
        features_NF, rows = decoder.step(tokens_N, decoder.vocabulary.embedding_VE, prepared, rows)
        steps.append(decoder.vocabulary.log_probabilities(features_NF))
    return torch.stack(steps, 1)


def read(
    decoder: PreparedDecoder, vocabulary: Vocabulary, memory: PreparedMemory, rows: PreparedState
) -> tuple[Tensor, PreparedState]:
    """Log-probabilities and state after one piece."""
    features, after = decoder.step(TARGETS[:, 1], vocabulary.embedding_VE, memory, rows)
    return vocabulary.log_probabilities(features), after


@pytest.mark.parametrize("config", EVERY)
def test_lstm_layers_that_do_not_wait_for_attention_are_packed(config):
    decoder = PreparedDecoder(random_network(config, 1), InferencePrecision.float32)
    assert isinstance(decoder.steps, PackedDecoder) == can_pack(config)


@pytest.mark.grid
@pytest.mark.parametrize("precision", LOW)
@pytest.mark.parametrize("sample", range(len(EVERY)))
def test_lower_precision_stays_near(sample, precision):
    """However far embeddings reach: at ±40 as at ±1/2, where the weights that meet them are as much smaller."""
    config = EVERY[sample]
    for far in (1, 80):
        network = random_network(config, seed=5, spread=0.5, dtype=torch.float32)
        embedding = network.target_embedding.weight
        if far > 1 and network.output.weight is embedding:
            continue  # the output layer grows with embeddings that it shares, and so does what rounding does to it
        if far > 1 and not (can_pack(config) and not config.decoder.readout_sees_input):
            continue  # embeddings meet no weights in lower precision, or some that are not made smaller
        with torch.no_grad():
            embedding.mul_(far)
            network.decoder.layers[0].weights()[0][:, : embedding.size(1)].div_(far)
        wanted = followed(PreparedDecoder(network, InferencePrecision.float32), network)
        found = followed(PreparedDecoder(network, InferencePrecision(precision)), network)
        assert wanted.max() - wanted.min() > 0.5
        rounds = can_pack(config) or features_bounded(config) or precision == "bfloat16"
        difference = (found - wanted).abs().max()
        assert (1e-6 if rounds else -1) < difference < (0.03 if precision == "int8" else 0.015)
        assert rounds or difference == 0


@pytest.mark.grid
@pytest.mark.parametrize("precision", LOW)
@pytest.mark.parametrize("config", EVERY)
def test_weights_of_zero_are_met_like_any_other(config, precision):
    """An embedding, an output or a row of gates that is all zeros: of a piece never seen, or of a pruned unit."""
    for zeroed in ("target_embedding.weight", "output.weight", "decoder.layers.0"):
        network = random_network(config, seed=5, spread=0.5, dtype=torch.float32)
        with torch.no_grad():
            for name, parameter in network.named_parameters(remove_duplicate=False):
                if name.startswith(zeroed):
                    parameter.zero_()
        wanted = followed(PreparedDecoder(network, InferencePrecision.float32), network)
        found = followed(PreparedDecoder(network, InferencePrecision(precision)), network)
        torch.testing.assert_close(found, wanted, rtol=0, atol=0.03)


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


@pytest.mark.parametrize("order", [AttentionOrder.gnmt, AttentionOrder.luong])
@pytest.mark.parametrize("precision", LOW)
def test_contexts_that_several_heads_mix_know_no_bound(precision, order):
    """Whoever hears them: the layers above (gnmt) or the readout alone (luong)."""
    config = ModelConfig(
        embedding_size=4,
        encoder=EncoderConfig(size=3),
        decoder=DecoderConfig(layers=2, size=4),
        attention=AttentionKind.general,
        attention_order=order,
        attention_heads=2,
    )
    network = random_network(config, seed=5, spread=0.5, dtype=torch.float32)
    decoder = network.decoder
    with torch.no_grad():
        decoder.attention.value_map.weight.mul_(40)
        for weight in (decoder.readout.weight, *(cell.weights()[0] for cell in decoder.layers[1:])):
            weight[:, 4:].div_(40)  # of the context, whether it is heard here or not
        assert network.encode(*padded(SOURCES))[0].attention.values_BMSD.abs().max() > 2
    wanted = followed(PreparedDecoder(network, InferencePrecision.float32), network)
    found = followed(PreparedDecoder(network, InferencePrecision(precision)), network)
    assert wanted.max() - wanted.min() > 0.5
    assert (found - wanted).abs().max() < 0.02


FORMS = [
    (torch.float32, "float32"),
    (torch.float64, "float32"),
    pytest.param(torch.float32, "bfloat16", marks=needs_bfloat16),
    pytest.param(torch.float64, "bfloat16", marks=needs_bfloat16),
    pytest.param(torch.float32, "int8", marks=needs_int8),
]


@pytest.mark.grid
@pytest.mark.parametrize(("dtype", "precision"), FORMS)
@pytest.mark.parametrize("sample", range(len(EVERY)))
@torch.no_grad()
def test_what_happens_to_the_network_later_changes_nothing(sample, dtype, precision):
    network = random_network(EVERY[sample], 3, dtype=dtype)
    decoder = PreparedDecoder(network, InferencePrecision(precision))
    memory, state = network.encode(*padded(SOURCES))
    prepared, rows = decoder.memory(memory), decoder.start(state, 1)
    parts = decoder.vocabulary, decoder.vocabulary.select(torch.arange(VOCABULARY))
    before = [read(decoder, vocabulary, prepared, rows) for vocabulary in parts]
    for parameter in network.parameters():
        parameter.fill_(0.123)
    parts = decoder.vocabulary, decoder.vocabulary.select(torch.arange(VOCABULARY))
    for vocabulary, (wanted, after) in zip(parts, before, strict=True):
        found, found_after = read(decoder, vocabulary, prepared, rows)
        assert torch.equal(found, wanted)
        for one, other in zip(found_after, after, strict=True):
            assert (one is None and other is None) or torch.equal(one, other)
    again = decoder.memory(memory)
    for one, other in zip(again[1:], prepared[1:], strict=True):
        assert one is None or torch.equal(one, other)


@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize("config", EVERY)
@torch.no_grad()
def test_a_search_starts_from_the_states_of_its_sentences(config, beam_size):
    network = random_network(config, 3)
    decoder = PreparedDecoder(network, InferencePrecision.float32)
    _, state = network.encode(*padded(SOURCES))
    found = decoder.start(state, beam_size).unpacked(config.decoder.layers)
    for one, other, dimension in zip(found, state, (1, 1, 0, 0), strict=True):
        assert (one is None) == (other is None)
        assert one is None or torch.equal(one, other.repeat_interleave(beam_size, dimension))
