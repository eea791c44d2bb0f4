"""Corpora read one after the other, and tags in front of their sources."""

from itertools import permutations

import pytest

from seq2seq.corpora.config import DataConfig, MoreConfig, without_source
from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.corpora.mixture import MixedCorpus, TaggedCorpus, WeightedCorpus, add_tag
from seq2seq.corpora.monolingual import read_target_corpora
from seq2seq.corpora.reading import read_corpora
from seq2seq.run.pairs import saved_data, saved_pairs

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


@pytest.mark.parametrize("columns", [(None, None), ("2", "1")])
def test_dictionaries_of_two_columns_join_pairs_that_are_split(tmp_path, columns):
    """The pairs are kept as JSON lines with columns of their own; data.source_column is that of further files."""
    text = "".join(f"w{number}\tW{number}\n" for number in range(3))
    (tmp_path / "dictionary.tsv").write_text(text, "utf-8")
    file = str(tmp_path / "dictionary.tsv")
    more = [MoreConfig(file=file, weight=2), MoreConfig(file=file, source_column="1", target_column="2")]
    data = DataConfig(more=more, source_column=columns[0], target_column=columns[1])
    pairs = PairList("pairs", [Pair(f"{a}{b} is {a * 3}", f"{b * 3} {a}{b}") for a, b in permutations("abcdefgh", 2)])
    with saved_pairs(tmp_path / "run", pairs, data):
        saved = saved_data(tmp_path / "run", pairs, data)
        parts = read_corpora(saved).train.parts
        assert set(parts[0].corpus) < set(pairs)
        assert len(list(read_corpora(saved).validation)) > 0
    assert parts[1].weight == 2
    first = next(iter(parts[1].corpus))
    assert first == (Pair("w0", "W0") if columns[0] is None else Pair("W0", "w0"))
    assert next(iter(parts[2].corpus)) == Pair("w0", "W0"), "a file's own columns come first"
    target = read_target_corpora(without_source(saved))
    assert [pair.target for pair in target.train.parts[2].corpus] == ["W0", "W1", "W2"]
