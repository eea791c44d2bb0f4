"""Corpora read one after the other, and tags in front of their sources."""

import pytest

from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.corpora.mixture import MixedCorpus, TaggedCorpus, WeightedCorpus, add_tag

ONE = PairList("one", [Pair("a", "b"), Pair(" ", "c"), Pair("", "")])
TWO = PairList("two", [Pair("d", "e")])


def test_a_tag_is_the_first_word_and_blank_text_stays_blank():
    assert add_tag("a b", "<2de>") == "<2de> a b"
    assert add_tag("a b", "<2de> <bt>") == "<2de> <bt> a b"
    assert add_tag("a b", None) == "a b"
    assert add_tag("", "<2de>") == ""
    assert add_tag(" \u2028 ", "<2de>") == " \u2028 "


def test_a_tagged_corpus_has_other_sources_name_and_fingerprint():
    corpus = TaggedCorpus(ONE, "<2de>")
    assert list(corpus) == [Pair("<2de> a", "b"), Pair(" ", "c"), Pair("", "")]
    assert list(corpus) == list(corpus)
    assert corpus.name == "one (<2de>)"
    assert len({ONE.fingerprint, corpus.fingerprint, TaggedCorpus(ONE, "<2fr>").fingerprint}) == 3


@pytest.mark.parametrize("weight", [1.0, 0.1, 3.0])
def test_a_mixture_reads_every_pair_once_for_any_weight(weight):
    mix = MixedCorpus([WeightedCorpus(ONE), WeightedCorpus(TWO, weight)])
    assert list(mix) == list(mix) == [*ONE.pairs, *TWO.pairs]
    assert mix.name == "one + two"


def test_a_mixture_of_one_is_that_corpus():
    mix = MixedCorpus([WeightedCorpus(ONE)])
    assert (mix.name, mix.fingerprint, list(mix)) == (ONE.name, ONE.fingerprint, list(ONE))
