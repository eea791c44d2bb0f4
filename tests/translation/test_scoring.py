"""What a model makes of translations that are given."""

import math

import pytest
import torch
from translators import LIMITS, SENTENCES, TEXTS, member, translator

from seq2seq import Translator
from seq2seq.data.batch import source_tensors, target_input
from seq2seq.tokenizer.config import Algorithm
from seq2seq.tokenizer.tokenizer import EOS
from seq2seq.translation import batching


def by_training(source: str, target: str) -> list[float]:
    """Log-probability of every piece by the pass that training takes."""
    own = member()
    pieces = own.tokenizers.target.encode(target)
    places = torch.arange(len(pieces) + 1)
    with torch.inference_mode():
        sources = source_tensors([own.tokenizers.source.encode(source)])
        logits = own.network(*sources, target_input([pieces]), places).double().log_softmax(1)
    return [float(logits[place, piece]) for place, piece in enumerate([*pieces, EOS])]


def test_pairs_are_scored_as_training_sees_them(monkeypatch):
    pairs = [*zip(SENTENCES, TEXTS, strict=False), ("Wir.", ""), ("", "Wir."), ("", "")]
    monkeypatch.setattr(batching, "CHUNK", 3)
    found = list(translator().score_all(iter(pairs)))
    for (source, target), one in zip(pairs, found, strict=True):
        assert one.token_log_probabilities == pytest.approx(by_training(source, target), abs=1e-4)
        assert one.log_probability == pytest.approx(sum(one.token_log_probabilities))
        assert one.score == pytest.approx(one.log_probability / len(one.token_log_probabilities))
        assert (one.source, one.text) == (source, target)
        alone = translator().score(source, target)
        assert alone.log_probability == pytest.approx(one.log_probability, abs=1e-4)


def test_a_translation_has_the_score_that_its_search_gave_it():
    own, checked = translator(1, 2, algorithm=Algorithm.word), 0
    for one in own.translate(SENTENCES, n_best=3):
        for other in one.n_best:
            forced = own.score(other.source, other.text)
            if forced.tokens == other.tokens:  # a search may cut a text otherwise than the tokenizer
                limit = LIMITS.max_lengths(torch.tensor([len(other.source_tokens) + 1])).item()
                assert len(other.tokens) == limit or forced.log_probability == pytest.approx(
                    other.log_probability, abs=1e-4
                )
                checked += 1
    assert checked


def test_a_long_source_is_cut_as_it_is_translated():
    """The translation that a search cut into sentences has the score of those, not that of one endless sentence."""
    own = translator(algorithm=Algorithm.word)
    source, targets = "Der Mann arbeitet. " * 60, ["Das Haus ist alt.", "Wir arbeiten."] * 30
    found = own.score(source, " ".join(targets))
    parts = [own.score("Der Mann arbeitet.", target) for target in targets]
    assert found.log_probability == pytest.approx(sum(part.log_probability for part in parts), rel=1e-4)
    assert found.score == pytest.approx(found.log_probability / sum(len(part.tokens) + 1 for part in parts))
    assert found.token_log_probabilities == pytest.approx(
        [value for part in parts for value in part.token_log_probabilities], abs=1e-3
    )
    assert len(found.tokens) + 1 == len(found.token_log_probabilities)
    assert (found.source, found.text) == (source, " ".join(targets))
    for target in ("", "Wir arbeiten.", "Wir. " * 100):
        assert math.isfinite(own.score(source, target).log_probability)


def test_a_shortlist_has_no_say(monkeypatch):
    own = Translator([member()], LIMITS)
    wanted = own.score("Wir.", "Das Haus.").log_probability
    assert math.isfinite(wanted)
    bound = []
    bind = type(own.ensemble).bind
    monkeypatch.setattr(
        type(own.ensemble), "bind", lambda self, encoded, **other: bound.append(other) or bind(self, encoded, **other)
    )
    assert own.score("Wir.", "Das Haus.").log_probability == wanted
    assert bound == [{"shortlist": False}]
