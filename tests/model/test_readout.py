"""What stands before the output layer; `test_decoder` holds the sizes to the configurations."""

import pytest
import torch

from seq2seq.model import DecoderConfig, EncoderConfig, ModelConfig, Readout, Tying
from seq2seq.model.decoder import maxout


def test_maxout_takes_the_larger_of_two_neighbours():
    mixed = torch.tensor([[1.0, 3.0, -2.0, -5.0], [0.0, 0.0, 7.0, 8.0]])
    assert maxout(mixed).tolist() == [[3, -2], [0, 8]]
    assert maxout(mixed.unsqueeze(0)).shape == (1, 2, 2)


def test_only_the_larger_learns():
    mixed = torch.tensor([[1.0, 3.0]], requires_grad=True)
    maxout(mixed).sum().backward()
    assert mixed.grad.tolist() == [[0, 1]]


@pytest.mark.parametrize(("tying", "width"), [(Tying.none, 7), (Tying.output, 5), (Tying.all, 5)])
def test_a_shared_matrix_settles_the_width(tying, width):
    config = ModelConfig(embedding_size=5, decoder=DecoderConfig(size=7), tying=tying)
    assert config.feature_size == width


@pytest.mark.parametrize("readout", Readout)
def test_a_readout_has_the_units_it_is_told(readout):
    decoder = DecoderConfig(size=7, readout=readout, readout_size=3)
    config = ModelConfig(embedding_size=5, decoder=decoder, tying=Tying.none)
    config.check()
    assert config.feature_size == 3
    assert config.readout_sizes == (7, 6 if readout is Readout.maxout else 3)


def test_a_readout_as_wide_as_it_would_be_is_no_other():
    config = ModelConfig(decoder=DecoderConfig(size=7, readout_size=7), tying=Tying.none)
    assert config.readout_sizes is None
    tied = ModelConfig(embedding_size=5, decoder=DecoderConfig(size=7, readout_size=5))
    tied.check()
    assert tied.readout_sizes == (7, 5)


def test_a_readout_sees_state_context_and_piece():
    config = ModelConfig(
        embedding_size=5,
        encoder=EncoderConfig(size=4),
        decoder=DecoderConfig(size=7, feed_context=True, readout_sees_input=True, readout=Readout.maxout),
        tying=Tying.none,
    )
    assert config.readout_sizes == (7 + 8 + 5, 14)
