"""BLEU by source length."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from laboratories import system

from seq2seq.corpora.corpus import Pair
from seq2seq.figures.config import LengthsConfig
from seq2seq.figures.lengths import Range, measure, ranges
from seq2seq.metrics.score import score


@given(st.lists(st.integers(1, 40), min_size=1, max_size=80), st.integers(1, 9))
def test_ranges_hold_every_sentence_once_and_are_filled_alike(lengths, bins):
    found = ranges(lengths, LengthsConfig(bins=bins))
    counts = [sum(one.shortest <= length <= one.longest for length in lengths) for one in found]
    assert sum(counts) == len(lengths)
    assert min(counts) > 0
    assert len(found) <= bins
    most = Counter(lengths).most_common(1)[0][1]
    assert max(counts) <= -(-len(lengths) // min(bins, len(lengths))) + most


@given(st.lists(st.integers(1, 40), min_size=1, max_size=80), st.lists(st.integers(1, 40), min_size=1, unique=True))
def test_ends_are_as_asked(lengths, edges):
    edges = sorted(edges)
    found = ranges(lengths, LengthsConfig(edges=edges))
    assert sum(sum(one.shortest <= length <= one.longest for length in lengths) for one in found) == len(lengths)
    assert all(one.longest in edges or one is found[-1] for one in found)


def test_a_range_reads_as_it_is():
    assert [str(one) for one in ranges([1, 2, 2, 7], LengthsConfig(edges=[2, 5]))] == ["1–2", "6–7"]
    assert str(Range(3, 3)) == "3"


def test_each_range_is_scored_by_itself(tiny_run, tmp_path):
    one = system(tiny_run, tmp_path / "context")
    sources = ["We work.", "The man helps the woman.", "She sleeps.", "The woman helps the man."]
    texts = [str(one.translator.translate(source, beam_size=1)) for source in sources]
    pairs = [Pair(source, f"{text} und mehr") for source, text in zip(sources, texts, strict=True)]
    curve = measure(one, pairs, LengthsConfig(bins=2), 1, 20)
    assert [(str(part.range), part.score.sentences, part.words) for part in curve.bins] == [
        ("2", 2, 2.0),
        ("3–5", 2, 5.0),
    ]
    references = [pair.target for pair in pairs]
    assert curve.bins[0].score == score(texts[::2], references[::2], bootstrap=20)
    assert curve.bins[1].score == score(texts[1::2], references[1::2], bootstrap=20)
    assert curve.whole == score(texts, references, bootstrap=20)
    assert (curve.name, curve.beam_size) == ("context", 1)
    assert curve.bins[0].score.bleu.ci95 is not None
    assert measure(one, pairs, LengthsConfig(), None, 20).beam_size == 2
