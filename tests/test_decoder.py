"""The decoder, against its equations written out step by step."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import SAMPLES, model_configs, padded, random_network, random_sentences
from torch import Tensor, nn

from seq2seq.model import (
    AttentionKind,
    DecoderConfig,
    Direction,
    EncoderConfig,
    ModelConfig,
    Network,
    Tying,
)
from seq2seq.model.decoder import Decoder, Memory, State

CLOSE = {"rtol": 0, "atol": 1e-6}  # attention weights are float32 in every precision
STEPS, BEAM = 5, 3


def lstm_cell(lstm: nn.LSTM, inputs: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Hochreiter & Schmidhuber (1997) with forget gates, gates in torch's order."""
    gates = lstm.weight_ih_l0 @ inputs + lstm.bias_ih_l0 + lstm.weight_hh_l0 @ hidden + lstm.bias_hh_l0
    admit, forget, candidate, show = gates.chunk(4)
    cell = forget.sigmoid() * cell + admit.sigmoid() * candidate.tanh()
    return show.sigmoid() * cell.tanh(), cell


def decode_one(decoder: Decoder, embedded_TE: Tensor, memory: Memory, state: State, row: int, sentence: int) -> Tensor:
    """Features (T, F) of one row, a step and a layer at a time."""
    states = [(state.hidden_LNH[depth, row], state.cell_LNH[depth, row]) for depth in range(len(decoder.layers))]
    features = []
    for piece in embedded_TE:
        context = memory.context_BD[sentence]
        inputs = torch.cat([piece, context]) if decoder.feed_context else piece
        for depth, layer in enumerate(decoder.layers):
            states[depth] = lstm_cell(layer, inputs, *states[depth])
            output = states[depth][0]
            if decoder.attention is not None and depth == 0:
                one = (part[sentence : sentence + 1] for part in memory.attended)
                context = decoder.attention(output.view(1, 1, -1), *one)[0][0, 0]
            inputs = output if decoder.attention is None else torch.cat([output, context])
        mixed = torch.cat([output, context]) if decoder.attention is not None or decoder.feed_context else output
        features.append(mixed if decoder.readout is None else decoder.readout(mixed).tanh())
    return torch.stack(features)


def world(network: Network, beam: int = 1) -> tuple[Tensor, Memory, State]:
    """Random inputs (3·beam, STEPS, E), the memory of three sentences, and random initial states of the rows."""
    memory, state = network.encode(*padded(random_sentences(4, [2, 5, 3])))
    generator = torch.Generator().manual_seed(9)
    rows = 3 * beam
    shape = (rows, STEPS, network.config.embedding_size)
    parts = [torch.randn(part.size(0), rows, part.size(2), generator=generator, dtype=part.dtype) for part in state]
    return torch.randn(shape, generator=generator, dtype=torch.float64), memory, State(*parts)


@pytest.mark.parametrize("config", SAMPLES)
@pytest.mark.parametrize("beam", [1, BEAM])
@torch.no_grad()
def test_features_are_those_of_the_equations(config, beam):
    network = random_network(config, seed=1)
    embedded, memory, state = world(network, beam)
    found = network.decoder(embedded, memory, state).features_NTF
    assert found.shape == (3 * beam, STEPS, network.decoder.feature_size)
    for row in range(3 * beam):
        wanted = decode_one(network.decoder, embedded[row], memory, state, row, sentence=row // beam)
        torch.testing.assert_close(found[row], wanted, **CLOSE)


@settings(deadline=None, max_examples=25)
@given(model_configs(), st.integers(0, 10_000), st.sampled_from([1, BEAM]), st.integers(1, STEPS - 1))
@torch.no_grad()
def test_all_at_once_is_the_same_as_in_parts(config, seed, beam, cut):
    network = random_network(config, seed)
    embedded, memory, state = world(network, beam)
    whole = network.decoder(embedded, memory, state)
    first = network.decoder(embedded[:, :cut], memory, state)
    second = network.decoder(embedded[:, cut:], memory, first.state)
    torch.testing.assert_close(torch.cat([first.features_NTF, second.features_NTF], 1), whole.features_NTF, **CLOSE)
    for one, other in zip(second.state, whole.state, strict=True):
        torch.testing.assert_close(one, other, **CLOSE)
    assert (whole.weights_NTS is None) == (config.attention is AttentionKind.none)
    if whole.weights_NTS is not None:
        torch.testing.assert_close(torch.cat([first.weights_NTS, second.weights_NTS], 1), whole.weights_NTS, **CLOSE)


@pytest.mark.parametrize(
    ("tying", "attention", "feed_context", "embedding_size", "readout"),
    [
        (Tying.none, AttentionKind.none, False, 5, None),
        (Tying.output, AttentionKind.none, False, 4, None),
        (Tying.output, AttentionKind.none, False, 5, (5, 4)),
        (Tying.none, AttentionKind.none, True, 5, (4, 10)),
        (Tying.none, AttentionKind.general, False, 5, (4, 10)),
        (Tying.all, AttentionKind.general, False, 5, (5, 10)),
    ],
)
def test_a_readout_is_there_to_mix_or_to_change_the_width(tying, attention, feed_context, embedding_size, readout):
    config = ModelConfig(
        embedding_size=embedding_size,
        encoder=EncoderConfig(size=3, direction=Direction.bidirectional),
        decoder=DecoderConfig(size=4, feed_context=feed_context),
        attention=attention,
        tying=tying,
    )
    built = Decoder(config).readout
    assert (None if built is None else tuple(built.weight.shape)) == readout


@pytest.mark.parametrize("tying", [Tying.none, Tying.output])
def test_dropout_is_on_in_training_alone(tying):
    """On the embeddings, on what a layer hands on, and on the readout."""
    config = ModelConfig(
        embedding_size=6, encoder=EncoderConfig(size=3), decoder=DecoderConfig(size=8), tying=tying, dropout=0.5
    )
    network = random_network(config, seed=1)
    embedded, memory, state = world(network)
    still = network.decoder(embedded, memory, state)
    assert torch.equal(network.decoder(embedded, memory, state).features_NTF, still.features_NTF)
    assert (still.features_NTF != 0).all()
    torch.manual_seed(1)
    learning = network.decoder.train()(embedded, memory, state)
    silenced_NF = (learning.features_NTF == 0).all(1)
    assert silenced_NF.any()
    assert not silenced_NF.all()
    # The state hears the dropped embeddings, and no dropped unit is lost to it.
    assert not torch.allclose(learning.state.hidden_LNH, still.state.hidden_LNH, atol=1e-3)
    assert (learning.state.hidden_LNH != 0).all()


def test_what_the_readout_mixes_is_dropped_too():
    config = ModelConfig(embedding_size=6, encoder=EncoderConfig(size=3), decoder=DecoderConfig(size=8), dropout=0.5)
    network = random_network(config, seed=1)
    embedded, memory, state = world(network)
    mixed: list[Tensor] = []
    network.decoder.readout.register_forward_pre_hook(lambda _, inputs: mixed.append(inputs[0]))
    torch.manual_seed(1)
    network.decoder.train()(embedded, memory, state)
    assert (mixed[0] == 0).all(1).any()
