"""A replay equals the fused network, its gates obey the equations, and the network is not changed."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from letters import lettered
from networks import ARRANGEMENTS, BOS, EVERY, SAMPLES, model_configs, padded, random_network, random_sentences

from seq2seq.analysis import replay as replay_module
from seq2seq.analysis.replay import CellDirection, CellLocation, Side, replay, teacher_forced_batches
from seq2seq.corpora.corpus import Pair
from seq2seq.errors import DataError
from seq2seq.model import DecoderConfig, Direction, EncoderConfig, ModelConfig

PAIRS = [Pair("abc", "de"), Pair("a", "edcba"), Pair("", "a"), Pair("b", " "), Pair("ab,(c)", "e")]


def random_pairs(seed=0, sources=(4, 1, 6), targets=(3, 5, 1)):
    source_BS, lengths_B = padded(random_sentences(seed, sources))
    target_BT, target_lengths_B = padded([[BOS, *ids] for ids in random_sentences(seed + 1, targets)])
    return source_BS, lengths_B, target_BT, target_lengths_B


def replay_and_compare(network, seed=0):
    """Replay a batch and compare it with the network's own pass."""
    source_BS, lengths_B, target_BT, _ = random_pairs(seed)
    with torch.no_grad():
        replayed = replay(network, source_BS, lengths_B, target_BT)
        memory, state = network.encode(source_BS, lengths_B)
        decoded = network.decoder(network.target_embedding(target_BT), memory, state)
        torch.testing.assert_close(replayed.decoded.features_NTF, decoded.features_NTF)
        for actual, expected in zip(replayed.initial, state, strict=True):
            assert (actual is None) == (expected is None)
            if actual is not None:
                torch.testing.assert_close(actual, expected)
        torch.testing.assert_close(replayed.memory.context_BD, memory.context_BD)
        if decoded.weights_NTS is None:
            assert replayed.decoded.weights_NTS is None
        else:
            torch.testing.assert_close(replayed.decoded.weights_NTS, decoded.weights_NTS)
        torch.testing.assert_close(replayed.decoded.state.hidden_LNH, decoded.state.hidden_LNH)
    return replayed


@pytest.mark.parametrize("config", EVERY, ids=range(len(EVERY)))
def test_a_replay_equals_the_fused_pass(config):
    network = random_network(config, seed=3)
    replayed = replay_and_compare(network)
    encoder = [layer for layer in replayed.layers if layer.location.side is Side.encoder]
    decoder = [layer for layer in replayed.layers if layer.location.side is Side.decoder]
    cells = sum(2 if config.encoder.is_bidirectional(layer) else 1 for layer in range(config.encoder.layers))
    assert len(encoder) == cells
    assert [layer.location.layer for layer in decoder] == [*range(1, config.decoder.layers + 1)]
    for layer in replayed.layers:
        size, steps = (config.encoder.size, 6) if layer.location.side is Side.encoder else (config.decoder.size, 6)
        assert layer.hidden_BTH.shape == (3, steps, size)
        assert all(gate.shape == layer.hidden_BTH.shape for gate in layer.gates.values())


@given(model_configs(), st.integers(0, 99))
def test_any_configuration_is_replayed(config, seed):
    replay_and_compare(random_network(config, seed), seed)


@pytest.mark.parametrize("config", [SAMPLES[2], SAMPLES[6], SAMPLES[7], ARRANGEMENTS[3]], ids=range(4))
def test_the_recorded_gates_make_the_recorded_states(config):
    """Each row follows from the previous row by the equation, in reading order."""
    network = random_network(config, seed=5)
    source_BS, lengths_B, target_BT, target_lengths_B = random_pairs(2)
    with torch.no_grad():
        replayed = replay(network, source_BS, lengths_B, target_BT)
    for layer in replayed.layers:
        is_encoder = layer.location.side is Side.encoder
        for row, length in enumerate((lengths_B if is_encoder else target_lengths_B).tolist()):
            hidden = layer.hidden_BTH[row, :length]
            gates = {name: gate[row, :length] for name, gate in layer.gates.items()}
            cell = None if layer.cell_BTH is None else layer.cell_BTH[row, :length]
            if layer.location.direction is CellDirection.reversed:
                hidden, cell = hidden.flip(0), None if cell is None else cell.flip(0)
                gates = {name: gate.flip(0) for name, gate in gates.items()}
            depth = layer.location.layer - 1
            first = torch.zeros_like(hidden[0]) if is_encoder else replayed.initial.hidden_LNH[depth, row]
            if cell is not None:
                before = (
                    torch.zeros_like(cell[:1]) if is_encoder else replayed.initial.cell_LNH[depth, row].unsqueeze(0)
                )
                kept = gates["forget"] * torch.cat([before, cell[:-1]])
                torch.testing.assert_close(cell, kept + gates["input"] * gates["candidate"])
            elif "update" in gates:
                before = torch.cat([first.unsqueeze(0), hidden[:-1]])
                mixed = (1 - gates["update"]) * gates["candidate"] + gates["update"] * before
                torch.testing.assert_close(hidden, mixed)


def test_a_record_does_not_depend_on_the_batch():
    network = random_network(SAMPLES[1], seed=4)
    source_BS, lengths_B, target_BT, _ = random_pairs(7)
    with torch.no_grad():
        together = replay(network, source_BS, lengths_B, target_BT)
        alone = replay(network, source_BS[1:2, :1], lengths_B[1:2], target_BT[1:2])
    for single, batched in zip(alone.layers, together.layers, strict=True):
        torch.testing.assert_close(single.hidden_BTH[0], batched.hidden_BTH[1, : single.hidden_BTH.size(1)])


def test_gradients_equal_those_of_the_fused_pass_and_the_network_is_unchanged():
    network = random_network(SAMPLES[4], seed=1)
    before = str(network), {name: id(tensor) for name, tensor in network.named_parameters()}
    source_BS, lengths_B, target_BT, _ = random_pairs(3)
    memory, state = network.encode(source_BS, lengths_B)
    fused = network.decoder(network.target_embedding(target_BT), memory, state).features_NTF.sum()
    expected = torch.autograd.grad(fused, [network.encoder.layers[0].forward_cell.weight_hh_l0])
    replayed = replay(network, source_BS, lengths_B, target_BT).decoded.features_NTF.sum()
    torch.testing.assert_close(
        torch.autograd.grad(replayed, [network.encoder.layers[0].forward_cell.weight_hh_l0]), expected
    )
    assert (str(network), {name: id(tensor) for name, tensor in network.named_parameters()}) == before


def test_locations_name_side_layer_and_direction():
    encoder = EncoderConfig(layers=2, size=2, direction=Direction.gnmt)
    network = random_network(ModelConfig(embedding_size=3, encoder=encoder, decoder=DecoderConfig(size=3)), seed=0)
    source_BS, lengths_B, target_BT, _ = random_pairs()
    with torch.no_grad():
        replayed = replay(network, source_BS, lengths_B, target_BT)
    assert [str(layer.location) for layer in replayed.layers] == [
        "encoder.1.forward",
        "encoder.1.reversed",
        "encoder.2.forward",
        "decoder.1.forward",
    ]
    assert replayed.layers[0].location == CellLocation(Side.encoder, 1, CellDirection.forward)
    record = replayed.layers[0]
    assert record.recurrent_state is record.cell_BTH
    assert record._replace(cell_BTH=None).recurrent_state is record.hidden_BTH


def test_every_pair_that_is_not_blank_is_in_one_batch(monkeypatch):
    monkeypatch.setattr(replay_module, "MAX_BATCH_TOKENS", 12)
    batches = teacher_forced_batches(lettered(SAMPLES[0]), PAIRS)
    assert len(batches) > 1
    sources = [tokens for batch in batches for tokens in batch.source_tokens]
    assert sorted(sources) == sorted([[*"abc", "</s>"], ["a", "</s>"], [*"ab,(c)", "</s>"]])
    assert sorted(tokens for batch in batches for tokens in batch.tokens(Side.decoder)) == sorted(
        [["<s>", *"de"], ["<s>", *"edcba"], ["<s>", "e"]]
    )
    for batch in batches:
        assert batch.batch.source_lengths_B.tolist() == [len(tokens) for tokens in batch.tokens(Side.encoder)]
        assert batch.batch.target_BT.numel() <= 12 or len(batch.input_tokens) == 1


def test_a_language_model_reads_targets_only():
    config = ModelConfig(embedding_size=4, encoder=EncoderConfig(layers=0), decoder=DecoderConfig(size=3))
    (batch,) = teacher_forced_batches(lettered(config), PAIRS)
    assert len(batch.input_tokens) == 4
    assert batch.source_tokens == [[], [], [], []]


@pytest.mark.parametrize("pairs", [[], [Pair("", "a")], [Pair("a" * 300, "b")]], ids=["none", "blank", "long"])
def test_it_is_an_error_if_no_pair_is_left(pairs):
    with pytest.raises(DataError, match="can be analysed"):
        teacher_forced_batches(lettered(SAMPLES[0]), pairs)
