"""The decoder prepared for search; test_stepper compares it with the network."""

from dataclasses import replace

import pytest
import torch
from abilities import LOW, needs_bfloat16, needs_int8
from networks import BOS, EVERY, SAMPLES, VOCABULARY, padded, random_network, random_sentences
from torch import Tensor

from seq2seq.inference import PreparedDecoder
from seq2seq.inference.config import InferencePrecision
from seq2seq.inference.prepared_decoder import (
    PackedDecoder,
    PackedLayer,
    PlainDecoder,
    PreparedMemory,
    PreparedState,
    Vocabulary,
    can_pack,
    tanh,
)
from seq2seq.inference.products import allowed_precision, features_bounded
from seq2seq.model import AttentionKind, AttentionOrder, CellKind, DecoderConfig, EncoderConfig, ModelConfig, Network
from seq2seq.model.attention import AttentionMemory
from seq2seq.model.cell import CellState
from seq2seq.model.cells import make_cell
from seq2seq.model.decoder import State
from seq2seq.model.logits import CHUNK
from seq2seq.model.pointer import CopyMemory

SOURCES = random_sentences(1, [4, 2, 6])
TARGETS = torch.tensor([[BOS, 5, 3], [BOS, 4, 7], [BOS, 6, 6]])


@torch.no_grad()
def teacher_forced(decoder: PreparedDecoder, network: Network) -> Tensor:
    """Return log-probabilities (B, T, V) along the targets; the network encodes the sources."""
    memory, state = network.encode(*padded(SOURCES))
    prepared, rows, steps = decoder.memory(memory), decoder.start(state, 1), []
    for tokens_N in TARGETS.T:
        features_NF, rows, weights = decoder.step(tokens_N, decoder.vocabulary.embedding_VE, prepared, rows)
        log_probability_NV = decoder.vocabulary.log_probabilities(features_NF)
        steps.append(decoder.copied(log_probability_NV, features_NF, weights, prepared))
    return torch.stack(steps, 1)


def read(
    decoder: PreparedDecoder, vocabulary: Vocabulary, memory: PreparedMemory, rows: PreparedState
) -> tuple[Tensor, PreparedState]:
    """Return log-probabilities and state after one token."""
    features, after, weights = decoder.step(TARGETS[:, 1], vocabulary.embedding_VE, memory, rows)
    return decoder.copied(vocabulary.log_probabilities(features), features, weights, memory), after


@pytest.mark.parametrize("config", EVERY)
def test_lstm_layers_without_sequential_dependency_on_attention_are_packed(config):
    decoder = PreparedDecoder(random_network(config, 1), InferencePrecision.float32)
    assert isinstance(decoder.steps, PackedDecoder) == can_pack(config)


@pytest.mark.grid
@pytest.mark.parametrize("precision", LOW)
@pytest.mark.parametrize("sample", range(len(EVERY)))
def test_lower_precision_stays_close_to_float32(sample, precision):
    """For embeddings up to ±40 as for ±1/2, with the weights that multiply them scaled down."""
    config = EVERY[sample]
    for far in (1, 80):
        network = random_network(config, seed=5, spread=0.5, dtype=torch.float32)
        embedding = network.target_embedding.weight
        if far > 1 and network.output.weight is embedding:
            continue  # a tied output layer, and its rounding error, grow with the embeddings
        if far > 1 and not (can_pack(config) and not config.decoder.readout_sees_input):
            continue  # no weights of lower precision multiply the embeddings, or some that are not scaled down
        with torch.no_grad():
            embedding.mul_(far)
            network.decoder.layers[0].weights()[0][:, : embedding.size(1)].div_(far)
        expected = teacher_forced(PreparedDecoder(network, InferencePrecision.float32), network)
        actual = teacher_forced(PreparedDecoder(network, InferencePrecision(precision)), network)
        assert expected.max() - expected.min() > 0.5
        rounds = can_pack(config) or features_bounded(config) or precision == "bfloat16"
        difference = (actual - expected).abs().max()
        assert (1e-6 if rounds else -1) < difference < (0.03 if precision == "int8" else 0.015)
        assert rounds or difference == 0


@pytest.mark.grid
@pytest.mark.parametrize("precision", LOW)
@pytest.mark.parametrize("config", EVERY)
def test_weights_of_zero_are_quantized_correctly(config, precision):
    """An embedding, an output or a row of gates of zeros: an unseen token or a pruned unit."""
    for zeroed in ("target_embedding.weight", "output.weight", "decoder.layers.0"):
        network = random_network(config, seed=5, spread=0.5, dtype=torch.float32)
        with torch.no_grad():
            for name, parameter in network.named_parameters(remove_duplicate=False):
                if name.startswith(zeroed):
                    parameter.zero_()
        expected = teacher_forced(PreparedDecoder(network, InferencePrecision.float32), network)
        actual = teacher_forced(PreparedDecoder(network, InferencePrecision(precision)), network)
        torch.testing.assert_close(actual, expected, rtol=0, atol=0.03)


@pytest.mark.parametrize("precision", LOW)
def test_initial_states_of_a_linear_bridge_are_unbounded(precision):
    network = random_network(SAMPLES[2], seed=5, spread=0.5, dtype=torch.float32)
    with torch.no_grad():
        for bridge in network.bridge.hidden_maps:
            bridge.weight.mul_(40)
        assert network.encode(*padded(SOURCES))[1].hidden_LNH.abs().max() > 2
    expected = teacher_forced(PreparedDecoder(network, InferencePrecision.float32), network)
    actual = teacher_forced(PreparedDecoder(network, InferencePrecision(precision)), network)
    assert (actual - expected).abs().max() < 0.1


@pytest.mark.parametrize("order", [AttentionOrder.gnmt, AttentionOrder.luong])
@pytest.mark.parametrize("precision", LOW)
def test_contexts_mixed_from_several_heads_are_unbounded(precision, order):
    """Whether the layers above (gnmt) or only the readout (luong) receive the context."""
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
            weight[:, 4:].div_(40)  # of the context, with or without effect on this layer
        assert network.encode(*padded(SOURCES))[0].attention.values_BMSD.abs().max() > 2
    expected = teacher_forced(PreparedDecoder(network, InferencePrecision.float32), network)
    actual = teacher_forced(PreparedDecoder(network, InferencePrecision(precision)), network)
    assert expected.max() - expected.min() > 0.5
    assert (actual - expected).abs().max() < 0.02


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
def test_later_changes_of_the_network_have_no_effect(sample, dtype, precision):
    network = random_network(EVERY[sample], 3, dtype=dtype)
    decoder = PreparedDecoder(network, InferencePrecision(precision))
    memory, state = network.encode(*padded(SOURCES))
    prepared, rows = decoder.memory(memory), decoder.start(state, 1)
    parts = decoder.vocabulary, decoder.vocabulary.select(torch.arange(VOCABULARY))
    before = [read(decoder, vocabulary, prepared, rows) for vocabulary in parts]
    for parameter in network.parameters():
        parameter.fill_(0.123)
    parts = decoder.vocabulary, decoder.vocabulary.select(torch.arange(VOCABULARY))
    for vocabulary, (expected, after) in zip(parts, before, strict=True):
        actual, found_after = read(decoder, vocabulary, prepared, rows)
        assert torch.equal(actual, expected)
        for one, other in zip(found_after, after, strict=True):
            assert (one is None and other is None) or torch.equal(one, other)
    again = decoder.memory(memory)
    for one, other in zip(again[1:-1], prepared[1:-1], strict=True):
        assert one is None or torch.equal(one, other)


@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize("config", EVERY)
@torch.no_grad()
def test_a_search_starts_from_the_states_of_its_sentences(config, beam_size):
    network = random_network(config, 3)
    decoder = PreparedDecoder(network, InferencePrecision.float32)
    _, state = network.encode(*padded(SOURCES))
    result = decoder.start(state, beam_size).unpacked(config.decoder.layers)
    for one, other, dimension in zip(result, state, (1, 1, 0, 0), strict=True):
        assert (one is None) == (other is None)
        assert one is None or torch.equal(one, other.repeat_interleave(beam_size, dimension))


ATTENDING = ModelConfig(attention=AttentionKind.additive)
PACKED = set(CellKind) - {CellKind.gru, CellKind.rnn_tanh, CellKind.rnn_relu, CellKind.layer_norm_lstm}


@pytest.mark.parametrize(
    ("config", "packs"),
    [
        (ModelConfig(), True),
        (ATTENDING, True),
        (replace(ATTENDING, attention_order=AttentionOrder.luong, attention_heads=4, attention_window=2), True),
        (replace(ATTENDING, attention_order=AttentionOrder.bahdanau), False),
        (ModelConfig(attention_order=AttentionOrder.bahdanau), True),
        (replace(ATTENDING, coverage=True), False),
        (replace(ATTENDING, decoder=DecoderConfig(input_feeding=True)), False),
        *[(ModelConfig(decoder=DecoderConfig(cell=cell)), cell in PACKED) for cell in CellKind],
    ],
)
def test_only_layers_without_sequential_dependency_are_packed(config, packs):
    config.check()
    assert can_pack(config) == packs


@torch.no_grad()
def test_a_packed_layer_is_one_step_of_the_cell():
    torch.manual_seed(1)
    cell = make_cell(CellKind.lstm, 3, 4).double()
    packed = PackedLayer(cell, cell.weights()[0], InferencePrecision.float32)
    inputs, hidden, before = (torch.randn(5, width).double() for width in (3, 4, 4))
    after, _ = cell.step(inputs, CellState(hidden, before))
    result, found_cell = packed(inputs, hidden, before, None)
    torch.testing.assert_close(result, after.hidden_NH)
    torch.testing.assert_close(found_cell, after.cell_NH)


@pytest.mark.parametrize("precision", InferencePrecision)
def test_only_integers_need_bounds(precision):
    assert allowed_precision(precision, True) is precision
    expected = InferencePrecision.float32 if precision is InferencePrecision.int8 else precision
    assert allowed_precision(precision, False) is expected


def test_the_sample_configs_include_packed_and_plain_decoders():
    assert {can_pack(config) for config in SAMPLES} == {True, False}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tanh_is_computed_from_the_sigmoid(dtype):
    inputs = torch.cat([torch.linspace(-12, 12, 4001), torch.tensor([-1e4, -1e-6, 0.0, 1e-6, 1e4, 3e38])]).to(dtype)
    before = inputs.clone()
    torch.testing.assert_close(tanh(inputs), inputs.tanh(), rtol=0, atol=1e-6)
    assert (tanh(inputs).abs() <= 1).all(), "integer products rely on it"
    assert torch.equal(inputs, before)


@pytest.mark.parametrize("config", [config for config in EVERY if can_pack(config)])
@torch.no_grad()
def test_packed_decoders_can_also_be_stepped_plainly(config):
    network = random_network(config, 2)
    memory, state = network.encode(*padded(random_sentences(1, [4, 2, 6])))
    inputs = torch.randn(3, config.embedding_size, dtype=torch.float64)
    both = PlainDecoder(network), PackedDecoder(network, InferencePrecision.float32, 1.0)
    rows = PreparedState.of(state)
    for _ in range(2):
        (plain, rows, weights), (packed, other, others) = (
            steps.step(inputs, steps.memory(memory), rows) for steps in both
        )
        torch.testing.assert_close(plain, packed)
        torch.testing.assert_close(weights, others)
        torch.testing.assert_close(rows.states_ZNH, other.states_ZNH)


def test_the_prepared_decoder_is_a_copy_without_dropout():
    network = random_network(EVERY[-1], 2).train()
    decoder = PlainDecoder(network).decoder
    assert not decoder.training
    assert network.decoder.training
    assert all(one is not other for one, other in zip(decoder.parameters(), network.decoder.parameters(), strict=True))


def test_a_packed_state_unpacks_unchanged():
    hidden, cell, fed, coverage = torch.rand(2, 3, 4), torch.rand(2, 3, 4), torch.rand(3, 5), torch.rand(3, 6)
    packed = PreparedState.of(State(hidden, cell, fed, coverage))
    assert packed.states_ZNH.shape == (4, 3, 4)
    for one, other in zip(packed.unpacked(2), (hidden, cell, fed, coverage), strict=True):
        assert torch.equal(one, other)
    without = PreparedState.of(State(hidden, None, None, None)).unpacked(2)
    assert torch.equal(without.hidden_LNH, hidden)
    assert without[1:] == (None, None, None)


def test_reordered_rows_keep_their_whole_state():
    state = PreparedState(torch.rand(2, 3, 4), torch.rand(3, 5), torch.rand(3, 6), torch.rand(2, 3, 9))
    chosen = state.select(torch.tensor([2, 0, 0, 1]))
    assert torch.equal(chosen.states_ZNH[:, 1], state.states_ZNH[:, 0])
    assert torch.equal(chosen.fed_NX[0], state.fed_NX[2])
    assert torch.equal(chosen.coverage_NS[3], state.coverage_NS[1])
    assert torch.equal(chosen.wide_LNC[:, 1], state.wide_LNC[:, 0])
    assert PreparedState(state.states_ZNH, None, None).select(torch.tensor([0]))[1:] == (None, None, None)


def test_repeated_rows_are_adjacent_in_the_new_precision():
    parts = torch.rand(2, 3, 4), torch.rand(3, 5), torch.rand(3, 6), torch.rand(2, 3, 9)
    state = PreparedState(*parts).repeated(2, torch.float64)
    assert state.states_ZNH.shape == (2, 6, 4)
    assert torch.equal(state.states_ZNH[:, 0], state.states_ZNH[:, 1])
    assert torch.equal(state.fed_NX[4], state.fed_NX[5])
    assert [part.dtype for part in state] == [torch.float64, torch.float64, torch.float32, torch.float64]
    assert torch.equal(state.wide_LNC[:, 4], state.wide_LNC[:, 5])


def test_selecting_sentences_selects_from_every_tensor_of_the_memory():
    attended = AttentionMemory(torch.rand(3, 1, 5, 4), torch.rand(3, 1, 5, 2), torch.rand(3, 5) > 0.5)
    copies = CopyMemory.of(torch.randint(-1, 4, (3, 5)))
    memory = PreparedMemory(attended, torch.rand(3, 2), torch.rand(3, 8), torch.rand(3, 6), copies=copies)
    chosen = memory.select(torch.tensor([2, 0]))
    every = [*chosen.attention, *chosen[1:-1], *chosen.copies], [*attended, *memory[1:-1], *copies]
    for one, other in zip(*every, strict=True):
        assert one is other is None or torch.equal(one, other[[2, 0]])
    assert PreparedMemory(None).select(torch.tensor([0])) == PreparedMemory(None)


@torch.no_grad()
@pytest.mark.parametrize("rows", [1, CHUNK, 2 * CHUNK + 3])
def test_logits_in_parts_equal_logits_of_the_whole_vocabulary(rows):
    """The softmax of each part writes into the whole result."""
    network = random_network(SAMPLES[0], 3, dtype=torch.float32)
    vocabulary = PreparedDecoder(network, InferencePrecision.float32).vocabulary
    features = torch.rand(rows, network.output.in_features) * 2 - 1
    torch.testing.assert_close(vocabulary.log_probabilities(features), network.output(features).log_softmax(1))


@torch.no_grad()
def test_a_part_of_the_vocabulary_is_renumbered():
    network = random_network(SAMPLES[0], 3, dtype=torch.float32)
    vocabulary = PreparedDecoder(network, InferencePrecision.float32).vocabulary
    tokens = torch.tensor([5, 0, 3])
    part = vocabulary.select(tokens)
    features = torch.rand(4, network.output.in_features) * 2 - 1
    assert torch.equal(part.embedding_VE, network.target_embedding.weight[tokens])
    torch.testing.assert_close(part.output(features), network.output(features)[:, tokens])
