"""The replay by equations: equal to the fused network, gate by gate what the equations say, and nothing is changed."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import ARRANGEMENTS, BOS, EVERY, SAMPLES, model_configs, padded, random_network, random_sentences

from seq2seq.analysis.recording import Place, Reading, Side, replay
from seq2seq.model import DecoderConfig, Direction, EncoderConfig, ModelConfig


def pairs(seed=0, sources=(4, 1, 6), targets=(3, 5, 1)):
    source_BS, lengths_B = padded(random_sentences(seed, sources))
    target_BT, target_lengths_B = padded([[BOS, *ids] for ids in random_sentences(seed + 1, targets)])
    return source_BS, lengths_B, target_BT, target_lengths_B


def agrees(network, seed=0):
    """The replay of a batch and the network's own pass give the same numbers."""
    source_BS, lengths_B, target_BT, _ = pairs(seed)
    with torch.no_grad():
        seen = replay(network, source_BS, lengths_B, target_BT)
        memory, state = network.encode(source_BS, lengths_B)
        decoded = network.decoder(network.target_embedding(target_BT), memory, state)
        torch.testing.assert_close(seen.decoded.features_NTF, decoded.features_NTF)
        for one, other in zip(seen.initial, state, strict=True):
            assert (one is None) == (other is None)
            if one is not None:
                torch.testing.assert_close(one, other)
        torch.testing.assert_close(seen.memory.context_BD, memory.context_BD)
        if decoded.weights_NTS is None:
            assert seen.decoded.weights_NTS is None
        else:
            torch.testing.assert_close(seen.decoded.weights_NTS, decoded.weights_NTS)
        torch.testing.assert_close(seen.decoded.state.hidden_LNH, decoded.state.hidden_LNH)
    return seen


@pytest.mark.parametrize("config", EVERY, ids=range(len(EVERY)))
def test_a_replay_is_the_fused_pass(config):
    network = random_network(config, seed=3)
    seen = agrees(network)
    encoder = [layer for layer in seen.layers if layer.place.side is Side.encoder]
    decoder = [layer for layer in seen.layers if layer.place.side is Side.decoder]
    both = sum(2 if config.encoder.is_bidirectional(layer) else 1 for layer in range(config.encoder.layers))
    assert len(encoder) == both
    assert [layer.place.layer for layer in decoder] == [*range(1, config.decoder.layers + 1)]
    for layer in seen.layers:
        size, steps = (config.encoder.size, 6) if layer.place.side is Side.encoder else (config.decoder.size, 6)
        assert layer.hidden_BTH.shape == (3, steps, size)
        assert all(gate.shape == layer.hidden_BTH.shape for gate in layer.gates.values())


@given(model_configs(), st.integers(0, 99))
def test_any_arrangement_is_replayed(config, seed):
    agrees(random_network(config, seed), seed)


@pytest.mark.parametrize("config", [SAMPLES[2], SAMPLES[6], SAMPLES[7], ARRANGEMENTS[3]], ids=range(4))
def test_the_recorded_gates_make_the_recorded_states(config):
    """Each row follows from the one before by the equation, in the order in which the cell reads."""
    network = random_network(config, seed=5)
    source_BS, lengths_B, target_BT, target_lengths_B = pairs(2)
    with torch.no_grad():
        seen = replay(network, source_BS, lengths_B, target_BT)
    for layer in seen.layers:
        is_encoder = layer.place.side is Side.encoder
        for row, length in enumerate((lengths_B if is_encoder else target_lengths_B).tolist()):
            hidden = layer.hidden_BTH[row, :length]
            gates = {name: gate[row, :length] for name, gate in layer.gates.items()}
            cell = None if layer.cell_BTH is None else layer.cell_BTH[row, :length]
            if layer.place.reading is Reading.reversed:
                hidden, cell = hidden.flip(0), None if cell is None else cell.flip(0)
                gates = {name: gate.flip(0) for name, gate in gates.items()}
            depth = layer.place.layer - 1
            first = torch.zeros_like(hidden[0]) if is_encoder else seen.initial.hidden_LNH[depth, row]
            if cell is not None:
                before = torch.zeros_like(cell[:1]) if is_encoder else seen.initial.cell_LNH[depth, row].unsqueeze(0)
                kept = gates["forget"] * torch.cat([before, cell[:-1]])
                torch.testing.assert_close(cell, kept + gates["input"] * gates["candidate"])
            elif "update" in gates:
                before = torch.cat([first.unsqueeze(0), hidden[:-1]])
                mixed = (1 - gates["update"]) * gates["candidate"] + gates["update"] * before
                torch.testing.assert_close(hidden, mixed)


def test_a_sentence_is_recorded_alike_alone_and_among_longer_ones():
    network = random_network(SAMPLES[1], seed=4)
    source_BS, lengths_B, target_BT, _ = pairs(7)
    with torch.no_grad():
        together = replay(network, source_BS, lengths_B, target_BT)
        alone = replay(network, source_BS[1:2, :1], lengths_B[1:2], target_BT[1:2])
    for one, other in zip(alone.layers, together.layers, strict=True):
        torch.testing.assert_close(one.hidden_BTH[0], other.hidden_BTH[1, : one.hidden_BTH.size(1)])


def test_gradients_are_those_of_the_fused_pass_and_the_network_stays_as_it_was():
    network = random_network(SAMPLES[4], seed=1)
    before = str(network), {name: id(tensor) for name, tensor in network.named_parameters()}
    source_BS, lengths_B, target_BT, _ = pairs(3)
    memory, state = network.encode(source_BS, lengths_B)
    fused = network.decoder(network.target_embedding(target_BT), memory, state).features_NTF.sum()
    wanted = torch.autograd.grad(fused, [network.encoder.layers[0].forward_cell.weight_hh_l0])
    seen = replay(network, source_BS, lengths_B, target_BT).decoded.features_NTF.sum()
    torch.testing.assert_close(torch.autograd.grad(seen, [network.encoder.layers[0].forward_cell.weight_hh_l0]), wanted)
    assert (str(network), {name: id(tensor) for name, tensor in network.named_parameters()}) == before


def test_places_say_where_a_cell_stands():
    encoder = EncoderConfig(layers=2, size=2, direction=Direction.gnmt)
    network = random_network(ModelConfig(embedding_size=3, encoder=encoder, decoder=DecoderConfig(size=3)), seed=0)
    source_BS, lengths_B, target_BT, _ = pairs()
    with torch.no_grad():
        seen = replay(network, source_BS, lengths_B, target_BT)
    assert [str(layer.place) for layer in seen.layers] == [
        "encoder.1.forward",
        "encoder.1.reversed",
        "encoder.2.forward",
        "decoder.1.forward",
    ]
    assert seen.layers[0].place == Place(Side.encoder, 1, Reading.forward)
    record = seen.layers[0]
    assert record.carried is record.cell_BTH
    assert record._replace(cell_BTH=None).carried is record.hidden_BTH
