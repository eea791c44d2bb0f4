"""Pairs as bounded batches: nothing lost, nothing doubled, and what cannot be read said."""

import pytest
from letters import lettered
from networks import SAMPLES

from seq2seq.analysis import teacher_forcing as teacher
from seq2seq.analysis.recording import Side
from seq2seq.analysis.teacher_forcing import taught
from seq2seq.corpora.corpus import Pair
from seq2seq.errors import DataError
from seq2seq.model import DecoderConfig, EncoderConfig, ModelConfig

PAIRS = [Pair("abc", "de"), Pair("a", "edcba"), Pair("", "a"), Pair("b", " "), Pair("ab,(c)", "e")]


def test_every_pair_that_is_not_blank_is_read_once(monkeypatch):
    monkeypatch.setattr(teacher, "PIECES", 12)
    batches = taught(lettered(SAMPLES[0]), PAIRS)
    assert len(batches) > 1
    sources = [pieces for one in batches for pieces in one.source_pieces]
    assert sorted(sources) == sorted([[*"abc", "</s>"], ["a", "</s>"], [*"ab,(c)", "</s>"]])
    assert sorted(pieces for one in batches for pieces in one.pieces(Side.decoder)) == sorted(
        [["<s>", *"de"], ["<s>", *"edcba"], ["<s>", "e"]]
    )
    for one in batches:
        assert one.batch.source_lengths_B.tolist() == [len(pieces) for pieces in one.pieces(Side.encoder)]
        assert one.batch.target_BT.numel() <= 12 or len(one.read_pieces) == 1


def test_a_language_model_reads_targets_alone():
    config = ModelConfig(embedding_size=4, encoder=EncoderConfig(layers=0), decoder=DecoderConfig(size=3))
    (batch,) = taught(lettered(config), PAIRS)
    assert len(batch.read_pieces) == 4
    assert batch.source_pieces == [[], [], [], []]


@pytest.mark.parametrize("pairs", [[], [Pair("", "a")], [Pair("a" * 300, "b")]], ids=["none", "blank", "long"])
def test_where_nothing_is_left_it_is_said(pairs):
    with pytest.raises(DataError, match="can be looked at"):
        taught(lettered(SAMPLES[0]), pairs)
