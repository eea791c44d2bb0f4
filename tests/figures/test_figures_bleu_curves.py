"""BLEU by source length and by width of the context vector."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from laboratories import system

from seq2seq.corpora.corpus import Pair
from seq2seq.figures.bleu_curves import Range, bleu_by_length, bleu_of_width, length_ranges
from seq2seq.figures.config import LengthsConfig
from seq2seq.metrics.score import score


@given(st.lists(st.integers(1, 40), min_size=1, max_size=80), st.integers(1, 9))
def test_ranges_contain_every_sentence_once_and_are_about_equally_filled(lengths, bins):
    ranges = length_ranges(lengths, LengthsConfig(bins=bins))
    counts = [sum(span.shortest <= length <= span.longest for length in lengths) for span in ranges]
    assert sum(counts) == len(lengths)
    assert min(counts) > 0
    assert len(ranges) <= bins
    most = Counter(lengths).most_common(1)[0][1]
    assert max(counts) <= -(-len(lengths) // min(bins, len(lengths))) + most


@given(st.lists(st.integers(1, 40), min_size=1, max_size=80), st.lists(st.integers(1, 40), min_size=1, unique=True))
def test_edges_are_the_ends_of_the_ranges(lengths, edges):
    edges = sorted(edges)
    ranges = length_ranges(lengths, LengthsConfig(edges=edges))
    assert sum(sum(span.shortest <= length <= span.longest for length in lengths) for span in ranges) == len(lengths)
    assert all(span.longest in edges or span is ranges[-1] for span in ranges)


def test_a_range_is_written_by_its_ends():
    assert [str(span) for span in length_ranges([1, 2, 2, 7], LengthsConfig(edges=[2, 5]))] == ["1–2", "6–7"]
    assert str(Range(3, 3)) == "3"


def test_each_range_is_scored_separately(tiny_run, tmp_path):
    context = system(tiny_run, tmp_path / "context")
    sources = ["We work.", "The man helps the woman.", "She sleeps.", "The woman helps the man."]
    texts = [str(context.translator.translate(source, beam_size=1)) for source in sources]
    pairs = [Pair(source, f"{text} und mehr") for source, text in zip(sources, texts, strict=True)]
    curve = bleu_by_length(context, pairs, LengthsConfig(bins=2), 1, 20)
    assert [(str(bin_.range), bin_.score.sentences, bin_.words) for bin_ in curve.bins] == [
        ("2", 2, 2.0),
        ("3–5", 2, 5.0),
    ]
    references = [pair.target for pair in pairs]
    assert curve.bins[0].score == score(texts[::2], references[::2], bootstrap=20)
    assert curve.bins[1].score == score(texts[1::2], references[1::2], bootstrap=20)
    assert curve.whole == score(texts, references, bootstrap=20)
    assert (curve.name, curve.beam_size) == ("context", 1)
    assert curve.bins[0].score.bleu.ci95 is not None
    assert bleu_by_length(context, pairs, LengthsConfig(), None, 20).beam_size == 2


def test_a_point_has_width_size_and_score(tiny_run, tmp_path):
    narrow = system(tiny_run, tmp_path / "narrow", {"attention": "none", "encoder.size": 3})
    pairs = [Pair("We work.", "Wir arbeiten."), Pair("She sleeps.", "Sie schläft.")]
    point = bleu_of_width(narrow, pairs, 1, 20)
    assert (point.width, point.decoder) == (6, 20)
    assert point.parameters == sum(parameter.numel() for parameter in narrow.network.parameters())
    texts = [str(narrow.translator.translate(pair.source, beam_size=1)) for pair in pairs]
    assert point.score == score(texts, [pair.target for pair in pairs], bootstrap=20)
    assert point.origin["search"]["beam_size"] == 1
    assert bleu_of_width(narrow, pairs, None, 20).origin["search"]["beam_size"] == 2
