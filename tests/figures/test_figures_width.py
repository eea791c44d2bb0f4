"""A point of the bottleneck's curve."""

from laboratories import system

from seq2seq.corpora.corpus import Pair
from seq2seq.figures.width import measure
from seq2seq.metrics.score import score

PAIRS = [Pair("We work.", "Wir arbeiten."), Pair("She sleeps.", "Sie schläft.")]


def test_a_point_says_how_wide_how_large_and_how_good(tiny_run, tmp_path):
    one = system(tiny_run, tmp_path / "narrow", {"attention": "none", "encoder.size": 3})
    point = measure(one, PAIRS, 1, 20)
    assert (point.width, point.decoder) == (6, 20)
    assert point.parameters == sum(parameter.numel() for parameter in one.network.parameters())
    texts = [str(one.translator.translate(pair.source, beam_size=1)) for pair in PAIRS]
    assert point.score == score(texts, [pair.target for pair in PAIRS], bootstrap=20)
    assert point.origin["search"]["beam_size"] == 1
    assert measure(one, PAIRS, None, 20).origin["search"]["beam_size"] == 2
