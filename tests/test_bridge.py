"""The bridge from context to initial state."""

import pytest
import torch
from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.model import BridgeKind, DecoderConfig, Direction, EncoderConfig, ModelConfig, Network
from seq2seq.model.bridge import Bridge


def bridge(kind: BridgeKind, encoder_layers: int, decoder_layers: int, width: int = 3, size: int = 3) -> Bridge:
    encoder = EncoderConfig(layers=encoder_layers, size=width, direction=Direction.forward)
    decoder = DecoderConfig(layers=decoder_layers, size=size)
    return Bridge(ModelConfig(encoder=encoder, decoder=decoder, bridge=kind))


def summaries(layers: int, width: int = 3) -> tuple[Tensor, Tensor]:
    """Hidden states and cells (layers, 2, width) of two sentences, larger than 1 in size so that tanh is seen."""
    generator = torch.Generator().manual_seed(layers)
    return 2 * torch.randn(layers, 2, width, generator=generator), 2 * torch.randn(
        layers, 2, width, generator=generator
    )


@pytest.mark.parametrize(
    ("encoder_layers", "decoder_layers", "heard"),
    [
        (1, 1, [0]),
        (2, 2, [0, 1]),
        (3, 2, [1, 2]),
        (3, 1, [2]),
        (2, 3, [0, 0, 1]),
        (1, 3, [0, 0, 0]),
    ],
)
def test_stacks_are_aligned_at_the_top(encoder_layers, decoder_layers, heard):
    hidden, cell = summaries(encoder_layers)
    found_hidden, found_cell = bridge(BridgeKind.copy, encoder_layers, decoder_layers)(hidden, cell)
    assert torch.equal(found_hidden, hidden[heard])
    assert torch.equal(found_cell, cell[heard])


@pytest.mark.parametrize("kind", [BridgeKind.linear, BridgeKind.tanh])
def test_maps_are_one_for_each_layer_and_for_hidden_and_cell(kind):
    built = bridge(kind, 3, 2, width=3, size=5)
    hidden, cell = summaries(3)
    found_hidden, found_cell = built(hidden, cell)
    for layer, heard in enumerate([1, 2]):
        for found, maps, summary in ((found_hidden, built.hidden_maps, hidden), (found_cell, built.cell_maps, cell)):
            wanted = summary[heard] @ maps[layer].weight.T + maps[layer].bias
            torch.testing.assert_close(found[layer], wanted.tanh() if kind is BridgeKind.tanh else wanted)
    assert found_hidden.shape == found_cell.shape == (2, 2, 5)
    assert len({id(parameter) for parameter in built.parameters()}) == 8


def test_a_copy_has_nothing_to_learn():
    assert list(bridge(BridgeKind.copy, 2, 2).parameters()) == []


def test_a_copy_into_another_width_is_refused():
    config = ModelConfig(
        encoder=EncoderConfig(size=3, direction=Direction.bidirectional),
        decoder=DecoderConfig(size=3),
        bridge=BridgeKind.copy,
    )
    with pytest.raises(
        ConfigError, match=r"^model\.bridge=copy .* set model\.decoder\.size=6 or model\.bridge=tanh .*is 3\)$"
    ):
        Network(config, 9, 9, joint=False)
