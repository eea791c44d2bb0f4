"""Scoring of given translations."""

import contextlib
import math

import pytest
import torch
from translators import LIMITS, SENTENCES, TEXTS, member, translator

from seq2seq import Translator
from seq2seq.data.batch import source_tensors, target_input
from seq2seq.errors import DataError
from seq2seq.tokenizer.config import Algorithm
from seq2seq.tokenizer.tokenizer import EOS
from seq2seq.translation import batching, scoring


def by_training(source: str, target: str) -> list[float]:
    """Return the log-probability of every token by the training pass."""
    own = member()
    tokens = own.tokenizers.target.encode(target)
    places = torch.arange(len(tokens) + 1)
    with torch.inference_mode():
        sources = source_tensors([own.tokenizers.source.encode(source)])
        logits = own.network(*sources, target_input([tokens]), places).double().log_softmax(1)
    return [float(logits[place, token]) for place, token in enumerate([*tokens, EOS])]


def test_scores_match_the_training_pass(monkeypatch):
    pairs = [*zip(SENTENCES, TEXTS, strict=False), ("Wir.", ""), ("", "Wir."), ("", "")]
    monkeypatch.setattr(batching, "CHUNK", 3)
    translations = list(translator().score_all(iter(pairs)))
    for (source, target), one in zip(pairs, translations, strict=True):
        assert one.token_log_probabilities == pytest.approx(by_training(source, target), abs=1e-4)
        assert one.log_probability == pytest.approx(sum(one.token_log_probabilities))
        assert one.score == pytest.approx(one.log_probability / len(one.token_log_probabilities))
        assert (one.source, one.text) == (source, target)
        alone = translator().score(source, target)
        assert alone.log_probability == pytest.approx(one.log_probability, abs=1e-4)


def test_scores_match_the_search():
    own, checked = translator(1, 2, algorithm=Algorithm.word), 0
    for translation in own.translate(SENTENCES, n_best=3):
        for other in translation.n_best:
            forced = own.score(other.source, other.text)
            if forced.tokens == other.tokens:  # search and tokenizer may segment a text differently
                limit = LIMITS.max_lengths(torch.tensor([len(other.source_tokens) + 1])).item()
                assert len(other.tokens) == limit or forced.log_probability == pytest.approx(
                    other.log_probability, abs=1e-4
                )
                checked += 1
    assert checked


def test_long_source_is_scored_by_segments():
    """A translation by segments has the score of its segments, not that of one long sentence."""
    own = translator(algorithm=Algorithm.word)
    source, targets = "Der Mann arbeitet. " * 60, ["Das Haus ist alt.", "Wir arbeiten."] * 30
    score = own.score(source, " ".join(targets))
    parts = [own.score("Der Mann arbeitet.", target) for target in targets]
    assert score.log_probability == pytest.approx(sum(part.log_probability for part in parts), rel=1e-4)
    assert score.score == pytest.approx(score.log_probability / sum(len(part.tokens) + 1 for part in parts))
    assert score.token_log_probabilities == pytest.approx(
        [value for part in parts for value in part.token_log_probabilities], abs=1e-3
    )
    assert len(score.tokens) + 1 == len(score.token_log_probabilities)
    assert (score.source, score.text) == (source, " ".join(targets))
    for target in ("", "Wir arbeiten.", "Wir. " * 100):
        assert math.isfinite(own.score(source, target).log_probability)


def test_scoring_ignores_the_shortlist(monkeypatch):
    own = Translator([member()], LIMITS)
    expected = own.score("Wir.", "Das Haus.").log_probability
    assert math.isfinite(expected)
    bound = []
    bind = type(own.ensemble).bind
    monkeypatch.setattr(
        type(own.ensemble), "bind", lambda self, encoded, **other: bound.append(other) or bind(self, encoded, **other)
    )
    assert own.score("Wir.", "Das Haus.").log_probability == expected
    assert bound == [{"shortlist": False}]


@pytest.mark.parametrize("pair", ["ab", ("a", "b", "c"), ("a",), 5])
def test_what_is_no_pair_is_refused_in_one_line(pair):
    with pytest.raises(DataError, match=r"is not a pair: pass \(source, target\)"):
        list(translator().score_all([pair]))


def test_tags_stand_once_at_the_start_of_each_scored_segment(monkeypatch):
    """Two target sentences join the many source sentences to two segments."""
    own, seen = translator(), []
    monkeypatch.setattr(own.ensemble.source_tokenizers[0], "tags", frozenset({"<2de>"}))
    monkeypatch.setattr(scoring, "_score_segments", lambda members, pairs, penalty: seen.extend(pairs) or iter(()))
    source = "<2de> " + "The dog sleeps in the old house. " * 60
    with contextlib.suppress(IndexError):
        own.score(source.strip(), "Der Hund schläft. Er schläft lange.")
    assert len(seen) == 2
    assert [segment.count("<2de>") for segment, _ in seen] == [1, 1]
    assert all(segment.startswith("<2de> The dog") for segment, _ in seen)
