"""Between two contexts."""

import pytest
import torch
from laboratories import system

from seq2seq.errors import ConfigError, RunError
from seq2seq.figures.interpolation import interpolate, mixed
from seq2seq.model import ModelConfig, Network
from seq2seq.model.config import EncoderConfig

FIRST, SECOND = "We work.", "Does the boy want to read the book?"


@pytest.mark.parametrize(
    "model",
    [
        None,
        {"attention": "none", "decoder.layers": 2, "encoder.layers": 2, "summary": "last"},
        {"attention": "none", "encoder.cell": "gru", "decoder.cell": "gru", "bridge": "linear"},
    ],
)
@pytest.mark.parametrize("beam_size", [1, 3])
def test_the_ends_are_the_translations(tiny_run, tmp_path, model, beam_size):
    one = system(tiny_run, tmp_path / "context", model)
    walk = interpolate(one, FIRST, SECOND, 5, beam_size)
    assert [mixture.t for mixture in walk.mixtures] == [0, 0.25, 0.5, 0.75, 1]
    for sentence, mixture in ((FIRST, walk.mixtures[0]), (SECOND, walk.mixtures[-1])):
        expected = one.translator.translate(sentence, beam_size=beam_size)
        assert mixture.text == expected.text
        assert mixture.log_probability == pytest.approx(expected.log_probability, abs=1e-3)
    assert walk.mixtures[0].to_first == walk.mixtures[-1].to_second == 100


def test_between_them_is_what_a_context_half_way_says(tiny_run, tmp_path):
    """By hand: the summaries of two encodings, averaged, bridged, decoded by the greedy rule."""
    one = system(tiny_run, tmp_path / "context")
    network, member = one.network, one.translator.members[0]
    sources = member.sources(one.encoded([FIRST, SECOND]))
    share = torch.tensor([0.0, 0.5, 1.0])
    memory, state = mixed(network, *sources, share)
    encoded = network.encoder(network.source_embedding(sources.source_BS), sources.lengths_B)
    assert torch.allclose(memory.context_BD[1], encoded.hidden[-1].mean(0))
    hidden, cell = network.bridge([part.mean(0, keepdim=True) for part in encoded.hidden],
                                  [part.mean(0, keepdim=True) for part in encoded.cell])  # fmt: skip
    assert torch.allclose(state.hidden_LNH[:, 1:2], hidden, atol=1e-6)
    assert torch.allclose(state.cell_LNH[:, 1:2], cell, atol=1e-6)
    usual_memory, usual = network.encode(*sources)
    assert torch.allclose(memory.context_BD[::2], usual_memory.context_BD)
    assert torch.allclose(state.cell_LNH[:, ::2], usual.cell_LNH)


def test_a_sentence_mixed_with_itself_stays_itself(tiny_run, tmp_path):
    one = system(tiny_run, tmp_path / "context")
    texts = {mixture.text for mixture in interpolate(one, FIRST, FIRST, 4, None).mixtures}
    assert texts == {one.translator.translate(FIRST).text}


def test_attention_is_refused(tiny_run, tmp_path):
    with pytest.raises(ConfigError, match="name a run without attention"):
        interpolate(system(tiny_run, tmp_path / "attends", {}), FIRST, SECOND, 3, 1)


def test_without_an_encoder_there_is_nothing_to_mix():
    network = Network(ModelConfig(embedding_size=4, encoder=EncoderConfig(layers=0)), 8, 8, joint=True)
    with pytest.raises(RunError, match="no context"):
        mixed(network, torch.ones(2, 3, dtype=torch.int64), torch.tensor([3, 3]), torch.tensor([0.5]))
