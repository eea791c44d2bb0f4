"""Interpolation between two context vectors."""

import pytest
import torch
from laboratories import system

from seq2seq.errors import ConfigError, RunError
from seq2seq.figures.interpolation import interpolate, mixed_contexts
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
def test_the_ends_are_the_usual_translations(tiny_run, tmp_path, model, beam_size):
    context = system(tiny_run, tmp_path / "context", model)
    walk = interpolate(context, FIRST, SECOND, 5, beam_size)
    assert [mixture.t for mixture in walk.mixtures] == [0, 0.25, 0.5, 0.75, 1]
    for sentence, mixture in ((FIRST, walk.mixtures[0]), (SECOND, walk.mixtures[-1])):
        expected = context.translator.translate(sentence, beam_size=beam_size)
        assert mixture.text == expected.text
        assert mixture.log_probability == pytest.approx(expected.log_probability, abs=1e-3)
    assert walk.mixtures[0].to_first == walk.mixtures[-1].to_second == 100


def test_a_mixture_is_decoded_from_the_mean_of_the_summaries(tiny_run, tmp_path):
    """The summaries of two encodings, averaged and bridged by hand."""
    context = system(tiny_run, tmp_path / "context")
    network, member = context.network, context.translator.members[0]
    sources = member.sources(context.encoded([FIRST, SECOND]))
    share = torch.tensor([0.0, 0.5, 1.0])
    memory, state = mixed_contexts(network, *sources, share)
    encoded = network.encoder(network.source_embedding(sources.source_BS), sources.lengths_B)
    assert torch.allclose(memory.context_BD[1], encoded.hidden[-1].mean(0))
    hidden, cell = network.bridge([part.mean(0, keepdim=True) for part in encoded.hidden],
                                  [part.mean(0, keepdim=True) for part in encoded.cell])  # fmt: skip
    assert torch.allclose(state.hidden_LNH[:, 1:2], hidden, atol=1e-6)
    assert torch.allclose(state.cell_LNH[:, 1:2], cell, atol=1e-6)
    expected_memory, expected = network.encode(*sources)
    assert torch.allclose(memory.context_BD[::2], expected_memory.context_BD)
    assert torch.allclose(state.cell_LNH[:, ::2], expected.cell_LNH)


def test_mixing_a_sentence_with_itself_changes_nothing(tiny_run, tmp_path):
    context = system(tiny_run, tmp_path / "context")
    texts = {mixture.text for mixture in interpolate(context, FIRST, FIRST, 4, None).mixtures}
    assert texts == {context.translator.translate(FIRST).text}


def test_attention_is_rejected(tiny_run, tmp_path):
    with pytest.raises(ConfigError, match="give a run without attention"):
        interpolate(system(tiny_run, tmp_path / "attends", {}), FIRST, SECOND, 3, 1)


def test_a_language_model_is_rejected():
    network = Network(ModelConfig(embedding_size=4, encoder=EncoderConfig(layers=0)), 8, 8, joint=True)
    with pytest.raises(RunError, match="no context vector"):
        mixed_contexts(network, torch.ones(2, 3, dtype=torch.int64), torch.tensor([3, 3]), torch.tensor([0.5]))
