"""A study does not depend on the batches and covers the corpus evenly."""

import json
import math

import pytest
from letters import lettered
from networks import SAMPLES

from seq2seq.analysis import replay as replay_module
from seq2seq.analysis.config import CorpusConfig
from seq2seq.analysis.study import evenly_sampled, study
from seq2seq.corpora.corpus import Pair
from seq2seq.model import DecoderConfig, EncoderConfig, ModelConfig

PAIRS = [Pair("ab(c)de", "de,a,bc"), Pair("edcba", "abcd"), Pair("a,b", "(b"), Pair("abcab", "cab")]
CONFIG = CorpusConfig(ablated=3, translated=1, positions=3)


@pytest.mark.parametrize("number", [1, 6, 8])
def test_a_study_does_not_depend_on_the_batches(monkeypatch, number):
    member = lettered(SAMPLES[number], spread=0.7)
    whole = study(member, PAIRS, "pairs", CONFIG)
    monkeypatch.setattr(replay_module, "MAX_BATCH_TOKENS", 16)
    split = study(member, PAIRS, "pairs", CorpusConfig(ablated=3, translated=1, positions=0))
    assert (whole.pairs, whole.tokens) == (split.pairs, split.tokens) == (4, 7 + 4 + 2 + 3 + 4)
    assert split.loss == pytest.approx(whole.loss)
    for gate, other in zip(whole.gates, split.gates, strict=True):
        assert (gate.location, gate.gate, gate.positions) == (other.location, other.gate, other.positions)
        assert gate.mean.tolist() == pytest.approx(other.mean.tolist(), abs=1e-5)
    for name, units in whole.tracking.items():
        assert [unit.correlation for unit in units] == pytest.approx(
            [unit.correlation for unit in split.tracking[name]], abs=1e-4
        )
    assert [ablation.loss for ablation in whole.ablations] == pytest.approx(
        [ablation.loss for ablation in split.ablations], abs=1e-5
    )
    assert split.gradients == []
    assert len(whole.ablations) == 3
    read = json.loads(json.dumps(whole.as_dict()))
    assert read["gates"] == [] or len(read["gates"][0]["mean"]) == SAMPLES[number].encoder.size
    assert all(len(row) == len(names) for _, names, rows in whole.tables() for row in rows)


def test_a_language_model_is_analysed_on_its_targets():
    config = ModelConfig(embedding_size=4, encoder=EncoderConfig(layers=0), decoder=DecoderConfig(size=3))
    result = study(lettered(config), PAIRS, "text", CONFIG)
    assert {gate.location.side for gate in result.gates} == {"decoder"}
    assert [norms.side for norms in result.gradients] == ["target"]
    assert all(ablation.bleu is None for ablation in result.ablations)
    assert math.isfinite(result.loss)


def test_pairs_are_evenly_sampled_from_a_corpus():
    pairs = [Pair(str(number), "x") for number in range(1000)]
    assert evenly_sampled(pairs[:5], 7) == pairs[:5]
    chosen = [int(pair.source) for pair in evenly_sampled(iter(pairs), 7)]
    assert len(chosen) == len(set(chosen)) == 7
    assert chosen == sorted(chosen)
    assert chosen[0] < 200
    assert chosen[-1] > 700
