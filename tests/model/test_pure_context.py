"""model=sutskever: the last states of the encoder become the initial states of the decoder, and nothing else does."""

from dataclasses import replace

import pytest
import torch
from networks import EOS, VOCABULARY, padded, random_network
from torch import nn

from seq2seq.config.hydra import compose_train
from seq2seq.model import BridgeKind, Direction, Network
from seq2seq.model.decoder import Memory

SENTENCES = [[3, 4, 5, EOS], [6, EOS], [7, 7, 3, 5, 4, EOS]]


def network(bridge: BridgeKind, direction: Direction, size: int) -> Network:
    config = replace(compose_train(overrides=["model=sutskever"]).model, embedding_size=4, bridge=bridge, dropout=0.0)
    encoder = replace(config.encoder, size=3, direction=direction)
    return random_network(replace(config, encoder=encoder, decoder=replace(config.decoder, size=size)), 1)


def torch_lstm(net: Network) -> nn.LSTM:
    """PyTorch's bidirectional LSTM with the weights of the encoder."""
    lstm = nn.LSTM(4, 3, bidirectional=True, batch_first=True).double()
    layer = net.encoder.layers[0]
    for suffix, cell in (("", layer.forward_cell), ("_reverse", layer.reversed_cell)):
        for name, weight in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), cell.weights(), strict=True):
            getattr(lstm, f"{name}_l0{suffix}").data.copy_(weight)
    return lstm


@pytest.mark.parametrize(("bridge", "size"), [(BridgeKind.copy, 6), (BridgeKind.linear, 5), (BridgeKind.tanh, 5)])
def test_the_decoder_starts_from_h_and_c_of_both_directions(bridge: BridgeKind, size: int):
    net = network(bridge, Direction.bidirectional, size)
    _, state = net.encode(*padded(SENTENCES))
    for row, sentence in enumerate(SENTENCES):
        _, ends = torch_lstm(net)(net.source_embedding(torch.tensor([sentence])))
        for found_NH, last_2BH, maps in zip(
            (state.hidden_LNH[0], state.cell_LNH[0]), ends, (net.bridge.hidden_maps, net.bridge.cell_maps), strict=True
        ):
            expected_H = torch.cat([last_2BH[0, 0], last_2BH[1, 0]])
            if bridge is not BridgeKind.copy:
                expected_H = maps[0].weight @ expected_H + maps[0].bias
            if bridge is BridgeKind.tanh:
                expected_H = expected_H.tanh()
            assert torch.allclose(found_NH[row], expected_H, atol=1e-12)


@pytest.mark.parametrize("direction", [Direction.bidirectional, Direction.reversed])
def test_the_decoder_sees_nothing_else_of_the_source(direction: Direction):
    net = network(BridgeKind.linear, direction, 5)
    target_BTE = net.target_embedding(torch.tensor([[1, 4, 5]] * len(SENTENCES)))
    memory, state = net.encode(*padded(SENTENCES))
    features = net.decoder(target_BTE, memory, state).features_NTF
    nothing = Memory(torch.full_like(memory.context_BD, torch.nan), None)
    assert torch.equal(net.decoder(target_BTE, nothing, state).features_NTF, features)
    assert (features[0, -1] - features[1, -1]).abs().max() > 1e-3
    assert len(net.output.weight) == VOCABULARY


def test_the_gradient_of_the_last_word_reaches_the_first_state_of_both_directions():
    net = network(BridgeKind.linear, Direction.bidirectional, 5)
    source_1S = torch.tensor([SENTENCES[2]])
    embedded_1SE = net.source_embedding(source_1S).detach().requires_grad_()
    encoded = net.encoder(embedded_1SE, torch.tensor([6]))
    state = net.decoder.start(*net.bridge(encoded.hidden, encoded.cell), None)
    target_1TE = net.target_embedding(torch.tensor([[1, 4, 5, 3]]))
    net.decoder(target_1TE, Memory(encoded.hidden[-1], None), state).features_NTF[0, -1].sum().backward()
    assert embedded_1SE.grad[0].abs().amax(1).min() > 1e-9
