"""A study puts together what its parts find, over all pairs and in bounded memory."""

import json
import math

import pytest
from letters import lettered
from networks import SAMPLES

from seq2seq.analysis import teacher_forcing as teacher
from seq2seq.analysis.config import CorpusConfig
from seq2seq.analysis.study import evenly, study
from seq2seq.corpora.corpus import Pair
from seq2seq.model import DecoderConfig, EncoderConfig, ModelConfig

PAIRS = [Pair("ab(c)de", "de,a,bc"), Pair("edcba", "abcd"), Pair("a,b", "(b"), Pair("abcab", "cab")]
CONFIG = CorpusConfig(silenced=3, translated=1, positions=3)


@pytest.mark.parametrize("number", [1, 6, 8])
def test_a_study_is_the_same_however_the_pairs_share_batches(monkeypatch, number):
    member = lettered(SAMPLES[number], spread=0.7)
    whole = study(member, PAIRS, "pairs", CONFIG)
    monkeypatch.setattr(teacher, "PIECES", 16)
    parted = study(member, PAIRS, "pairs", CorpusConfig(silenced=3, translated=1, positions=0))
    assert (whole.pairs, whole.pieces) == (parted.pairs, parted.pieces) == (4, 7 + 4 + 2 + 3 + 4)
    assert parted.loss == pytest.approx(whole.loss)
    for one, other in zip(whole.gates, parted.gates, strict=True):
        assert (one.place, one.gate, one.positions) == (other.place, other.gate, other.positions)
        assert one.mean.tolist() == pytest.approx(other.mean.tolist(), abs=1e-5)
    for name, found in whole.tracking.items():
        assert [one.correlation for one in found] == pytest.approx(
            [one.correlation for one in parted.tracking[name]], abs=1e-4
        )
    assert [one.loss for one in whole.silenced] == pytest.approx([one.loss for one in parted.silenced], abs=1e-5)
    assert parted.reaches == []
    assert len(whole.silenced) == 3
    told = json.loads(json.dumps(whole.as_dict()))
    assert told["gates"] == [] or len(told["gates"][0]["mean"]) == SAMPLES[number].encoder.size
    assert all(len(row) == len(names) for _, names, rows in whole.tables() for row in rows)


def test_a_language_model_is_studied_by_its_targets():
    config = ModelConfig(embedding_size=4, encoder=EncoderConfig(layers=0), decoder=DecoderConfig(size=3))
    found = study(lettered(config), PAIRS, "text", CONFIG)
    assert {one.place.side for one in found.gates} == {"decoder"}
    assert [reach.side for reach in found.reaches] == ["target"]
    assert all(one.bleu is None for one in found.silenced)
    assert math.isfinite(found.loss)


def test_pairs_come_evenly_from_all_of_a_corpus():
    pairs = [Pair(str(number), "x") for number in range(1000)]
    assert evenly(pairs[:5], 7) == pairs[:5]
    chosen = [int(pair.source) for pair in evenly(iter(pairs), 7)]
    assert len(chosen) == len(set(chosen)) == 7
    assert chosen == sorted(chosen)
    assert chosen[0] < 200
    assert chosen[-1] > 700
