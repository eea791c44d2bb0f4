"""Interruption of searches of any method."""

import pytest
import torch
from translators import SENTENCES, translator

from seq2seq.inference import watched as watched_module
from seq2seq.model import AttentionKind, CellKind, DecoderConfig, Direction, EncoderConfig, ModelConfig, Network
from seq2seq.model.cells import make_cell
from seq2seq.model.network import shared_copy
from seq2seq.search import SearchConfig
from seq2seq.tokenizer.tokenizer import PAD

SEARCHES = {
    "greedy": {"beam_size": 1},
    "beam": {"beam_size": 3},
    "phrases": {"phrases": ["Haus"]},
    "prefix": {"prefix": "Da"},
    "diverse": {"search": SearchConfig(method="diverse_beam", beam_size=4)},
    "sampling": {"search": SearchConfig(method="sampling")},
    "risk": {"search": SearchConfig(method="minimum_bayes_risk", samples=4)},
}


class EndedError(Exception):
    pass


class Counted:
    """Raises at a given step to stop the search."""

    def __init__(self, last=None):
        self.count, self.last = 0, last

    def __call__(self):
        self.count += 1
        if self.count == self.last:
            raise EndedError


@pytest.mark.parametrize("name", SEARCHES)
def test_every_search_can_be_stopped_at_each_step_and_is_otherwise_unchanged(name):
    own, counted = translator(), Counted()
    translation = own.watched(counted).translate(SENTENCES[0], **SEARCHES[name])
    assert translation == own.translate(SENTENCES[0], **SEARCHES[name])
    assert counted.count >= len(translation.tokens)
    for last in (1, 2, counted.count):
        ended = Counted(last)
        with pytest.raises(EndedError):
            own.watched(ended).translate(SENTENCES[0], **SEARCHES[name])
        assert ended.count == last


def test_streaming_suggestions_scoring_and_tracing_can_be_stopped_at_each_step():
    for last in (1, 2):
        own = translator().watched(Counted(last))
        with pytest.raises(EndedError):
            list(own.stream(SENTENCES[0]))
        with pytest.raises(EndedError):
            translator().watched(Counted(last)).suggest(SENTENCES[0])
        with pytest.raises(EndedError):
            translator().watched(Counted(last)).score(SENTENCES[0], "Das Haus")
        with pytest.raises(EndedError):
            translator().watched(Counted(last)).trace(SENTENCES[0])


@pytest.mark.parametrize("kind", CellKind)
@pytest.mark.parametrize("direction", Direction)
def test_encoding_in_parts_gives_the_same_result(monkeypatch, kind, direction):
    """With rows of different lengths: some end before the last part."""
    config = ModelConfig(
        embedding_size=6,
        encoder=EncoderConfig(layers=2, size=8, cell=kind, direction=direction),
        decoder=DecoderConfig(layers=2, size=8, cell=kind),
        attention=AttentionKind.general,
    )
    torch.manual_seed(1)
    own, parts = Network(config, 20, 20, joint=False).eval(), []
    monkeypatch.setattr(watched_module, "MAX_POSITIONS", 3)
    other = watched_module.watched(own, lambda: parts.append(1))
    lengths_B = torch.tensor([11, 2, 6, 1])
    source_BS = torch.randint(4, 20, (4, 11)).masked_fill(torch.arange(11) >= lengths_B.unsqueeze(1), PAD)
    given = (source_BS, lengths_B, torch.randint(4, 20, (4, 7)), torch.arange(28))
    with torch.inference_mode():
        assert torch.allclose(other(*given), own(*given), atol=1e-5)
    assert len(parts) == 4 * sum(direction_count(direction, depth) for depth in (0, 1)) + 3 * 2
    assert {id(parameter) for parameter in other.parameters()} == {id(parameter) for parameter in own.parameters()}, (
        "the same weights"
    )


def direction_count(direction, depth):
    return sum(direction.reads(depth))


def test_an_interruption_of_the_encoder_propagates_and_copies_are_watched():
    """`inspect` copies the network before recording."""

    def ended():
        raise EndedError

    watched = translator().watched(ended).ensemble.translators[0].network
    batch = torch.full((1, 5), 7), torch.tensor([5])
    for network in (watched, shared_copy(watched)):
        with pytest.raises(EndedError):
            network.encode(*batch)


def test_parts_are_shorter_for_larger_networks(monkeypatch):
    cell, parts = make_cell(CellKind.lstm, 4, 5), []
    monkeypatch.setattr(watched_module, "MAX_PRODUCTS", 4 * 5 * (4 + 5) * 6)
    watched_module.WatchedCell(cell, lambda: parts.append(1)).run(torch.zeros(3, 8, 4))
    assert len(parts) == 4, "two positions of three rows"
