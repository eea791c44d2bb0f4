"""The bridge from context to initial state."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.model import AttentionKind, BridgeKind, DecoderConfig, Direction, EncoderConfig, ModelConfig, Network
from seq2seq.model.bridge import Bridge
from seq2seq.model.choices import CellKind, Summary

MAPS = [BridgeKind.linear, BridgeKind.tanh]


def bridge(
    kind: BridgeKind,
    encoder_layers: int,
    decoder_layers: int,
    width: int = 3,
    size: int = 3,
    cell: CellKind = CellKind.lstm,
    shared: bool = False,
) -> Bridge:
    encoder = EncoderConfig(layers=encoder_layers, size=width, direction=Direction.forward)
    decoder = DecoderConfig(cell=cell, layers=decoder_layers, size=size)
    return Bridge(ModelConfig(encoder=encoder, decoder=decoder, bridge=kind, bridge_shared=shared))


def summaries(layers: int, width: int = 3) -> tuple[Tensor, Tensor]:
    """Return hidden and cell states (layers, 2, width) of two sentences, beyond ±1 so that tanh has an effect."""
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


@pytest.mark.parametrize("kind", MAPS)
def test_each_layer_has_separate_maps_for_hidden_and_cell_state(kind):
    built = bridge(kind, 3, 2, width=3, size=5)
    hidden, cell = summaries(3)
    found_hidden, found_cell = built(hidden, cell)
    for layer, heard in enumerate([1, 2]):
        for actual, maps, summary in ((found_hidden, built.hidden_maps, hidden), (found_cell, built.cell_maps, cell)):
            expected = summary[heard] @ maps[layer].weight.T + maps[layer].bias
            torch.testing.assert_close(actual[layer], expected.tanh() if kind is BridgeKind.tanh else expected)
    assert found_hidden.shape == found_cell.shape == (2, 2, 5)
    assert len({id(parameter) for parameter in built.parameters()}) == 8


@pytest.mark.parametrize("kind", MAPS)
def test_a_shared_bridge_gives_all_layers_one_map_of_the_top_layer(kind):
    built = bridge(kind, 2, 3, width=3, size=5, shared=True)
    hidden, cell = summaries(2)
    assert len(list(built.parameters())) == 4
    for actual, (mapped,), summary in zip(
        built(hidden, cell), (built.hidden_maps, built.cell_maps), (hidden, cell), strict=True
    ):
        expected = summary[-1] @ mapped.weight.T + mapped.bias
        torch.testing.assert_close(actual, (expected.tanh() if kind is BridgeKind.tanh else expected).expand(3, -1, -1))


def test_a_shared_copy_gives_all_layers_the_top_state():
    hidden, cell = summaries(2)
    found_hidden, found_cell = bridge(BridgeKind.copy, 2, 3, shared=True)(hidden, cell)
    assert torch.equal(found_hidden, hidden[[1, 1, 1]])
    assert torch.equal(found_cell, cell[[1, 1, 1]])


@pytest.mark.parametrize("kind", BridgeKind)
@pytest.mark.parametrize("cell", CellKind)
def test_every_map_is_used_by_the_decoder_cell(kind, cell):
    built = bridge(kind, 2, 2, cell=cell)
    found_hidden, found_cell = built(*summaries(2))
    assert found_hidden.shape == (2, 2, 3)
    assert (found_cell is not None) == (cell in (CellKind.lstm, CellKind.layer_norm_lstm, CellKind.slstm))
    loss = found_hidden.sum() + (found_cell.sum() if found_cell is not None else 0)
    parameters = list(built.parameters())
    assert len(parameters) == ((4 if found_cell is None else 8) if kind in MAPS else 0)
    if parameters:
        assert all(gradient.any() for gradient in torch.autograd.grad(loss, parameters))


def test_zero_states_have_the_width_of_the_decoder():
    hidden, cell = bridge(BridgeKind.zero, 2, 3, width=3, size=5)(*summaries(2))
    assert hidden.shape == cell.shape == (3, 2, 5)
    assert not hidden.any()
    assert not cell.any()


def test_layers_of_different_width_have_maps_of_their_width():
    config = ModelConfig(
        encoder=EncoderConfig(layers=2, size=3, direction=Direction.gnmt), decoder=DecoderConfig(layers=3, size=4)
    )
    built = Bridge(config)
    assert [mapped.in_features for mapped in built.hidden_maps] == [6, 6, 3]
    wide, narrow = torch.randn(2, 6), torch.randn(2, 3)
    hidden, _ = built((wide, narrow), (wide, narrow))
    torch.testing.assert_close(hidden[1], built.hidden_maps[1](wide).tanh())
    torch.testing.assert_close(hidden[2], built.hidden_maps[2](narrow).tanh())


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


def test_a_copy_requires_equal_width_of_the_copied_layers_only():
    def config(decoder_layers: int, shared: bool = False) -> ModelConfig:
        return ModelConfig(
            encoder=EncoderConfig(layers=3, size=3, direction=Direction.gnmt),
            decoder=DecoderConfig(layers=decoder_layers, size=3),
            bridge=BridgeKind.copy,
            bridge_shared=shared,
        )

    config(2).check()
    config(3, shared=True).check()
    with pytest.raises(ConfigError, match=r"^model\.bridge=copy .*bridge_shared=true or .* layers of 6, 3, 3\)$"):
        config(3).check()


@pytest.mark.parametrize("encoder_cell", [CellKind.lstm, CellKind.gru])
def test_concatenated_summaries_are_mapped_and_cannot_be_copied(encoder_cell):
    """An encoder without cell states passes its summary, twice as wide as a state, in their place."""
    config = ModelConfig(
        encoder=EncoderConfig(cell=encoder_cell, size=3), decoder=DecoderConfig(size=6), summary=Summary.max_mean
    )
    built, cell_width = Bridge(config), 6 if encoder_cell is CellKind.lstm else 12
    hidden, cell = built((torch.randn(2, 12),), (torch.randn(2, cell_width),))
    assert hidden.shape == cell.shape == (1, 2, 6)
    with pytest.raises(
        ConfigError, match=r"^model\.summary=max_mean .* set model\.bridge=tanh, or model\.summary=max$"
    ):
        replace(config, bridge=BridgeKind.copy).check()


def test_without_a_bridge_the_decoder_needs_another_path_to_the_source():
    zero = {"bridge": BridgeKind.zero, "encoder": EncoderConfig(size=3)}
    ModelConfig(**zero, attention=AttentionKind.additive).check()
    ModelConfig(**zero, decoder=DecoderConfig(feed_context=True)).check()
    with pytest.raises(ConfigError, match=r"^model\.bridge=zero gives the decoder no information .*: set "):
        ModelConfig(**zero).check()
