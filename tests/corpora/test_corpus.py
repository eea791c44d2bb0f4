"""What every corpus offers: defaults, pairs from memory and from one file, changed pairs."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.columns import JsonLinesFile, ParquetFile
from seq2seq.corpora.config import BuiltinConfig
from seq2seq.corpora.corpus import Corpus, Pair, PairList, pairs_with_progress
from seq2seq.corpora.mixture import MixedCorpus, TaggedCorpus, WeightedCorpus
from seq2seq.corpora.monolingual import TargetSide
from seq2seq.corpora.table import TableFile
from seq2seq.errors import DataError


class Unsized(Corpus):
    """A corpus that overrides no default."""

    name = fingerprint = "plain"
    pairs = tuple(Pair(f"a {number}", f"b {number}") for number in range(30))

    def __iter__(self):
        return iter(self.pairs)


PLAIN = Unsized()
LARGE = BuiltinCorpus(BuiltinConfig(train_size=40), "train")


def test_by_default_a_corpus_is_read_from_its_start_and_is_its_own_vocabulary_sample(tmp_path):
    assert PLAIN.expected_pairs() is None
    assert list(PLAIN.pairs_after(28, tmp_path)) == list(PLAIN.pairs[28:])
    sample = PLAIN.vocabulary_sample(9)
    assert (list(sample.pairs), sample.expected) == (list(PLAIN.pairs), None)


@pytest.mark.parametrize("wrap", [lambda corpus: TaggedCorpus(corpus, "<2de>"), TargetSide])
def test_a_mapped_corpus_has_the_properties_of_the_original(wrap, tmp_path):
    corpus, pairs = wrap(LARGE), [wrap(LARGE).map_pair(pair) for pair in LARGE]
    assert pairs[0] != next(iter(LARGE))
    assert list(corpus) == pairs
    assert corpus.expected_pairs() == 40
    assert list(corpus.pairs_after(35, tmp_path)) == pairs[35:]
    sample = corpus.vocabulary_sample(10)
    sentences = 10 if isinstance(corpus, TaggedCorpus) else 20  # one side has twice the pairs
    assert (list(sample.pairs), sample.expected) == (pairs[:sentences], sentences)
    assert wrap(PLAIN).expected_pairs() is None


def test_a_mixture_samples_slow_corpora_and_reads_the_others_completely():
    mixture = MixedCorpus([WeightedCorpus(LARGE), WeightedCorpus(PLAIN), WeightedCorpus(LARGE)])
    sample = mixture.vocabulary_sample(10)
    first = list(islice(LARGE, 10))
    assert (list(sample.pairs), sample.expected) == ([*first, *PLAIN.pairs, *first], None)
    assert mixture.expected_pairs() is None
    two = MixedCorpus([WeightedCorpus(LARGE), WeightedCorpus(LARGE)])
    assert (two.vocabulary_sample(10).expected, two.expected_pairs()) == (20, 80)


def test_progress_changes_nothing_and_is_hidden_for_short_corpora(capsys):
    assert list(pairs_with_progress(iter(PLAIN.pairs), "reading", 30)) == list(PLAIN.pairs)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "rows",
    [
        [("a", "b"), ("c", "d")],
        iter([["a", "b"], ["c", "d"]]),
        np.array([["a", "b"], ["c", "d"]]),
        np.array([["a", "b"], ["c", "d"]], dtype=object),
        zip(["a", "c"], ["b", "d"], strict=True),
    ],
    ids=["tuples", "iterator", "array", "objects", "zip"],
)
def test_a_corpus_is_made_of_any_pairs_of_strings(rows):
    corpus = Corpus.from_pairs("own", rows)
    assert list(corpus) == list(corpus) == [Pair("a", "b"), Pair("c", "d")]
    assert (corpus.name, corpus.expected_pairs()) == ("own", 2)
    assert corpus.fingerprint == PairList("other", [Pair("a", "b"), Pair("c", "d")]).fingerprint
    assert corpus.fingerprint != PairList("own", [("a", "b")]).fingerprint


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("ab", r"own, pair 2: 'ab' is not a pair of strings: pass \(source, target\)"),
        (("a", "b", "c"), "own, pair 2: .* is not a pair of strings"),
        (("a", None), "own, pair 2: .* is not a pair of strings"),
        (7, "own, pair 2: 7 is not a pair of strings"),
        ({"en": "a", "de": "b"}, "own, pair 2: a mapping with the keys 'en', 'de': pass"),
    ],
)
def test_a_row_that_is_not_two_strings_is_one_line(row, message):
    with pytest.raises(DataError, match=message):
        Corpus.from_pairs("own", [("a", "b"), row])


def test_one_file_is_read_by_its_content(tmp_path: Path):
    (tmp_path / "a.tsv").write_text("a\tb\n")
    (tmp_path / "a.jsonl").write_text('{"fr": "b", "en": "a"}\n')
    table = Corpus.read(tmp_path / "a.tsv")
    assert isinstance(table, TableFile)
    lines = Corpus.read(str(tmp_path / "a.jsonl"), "en", "fr")
    assert isinstance(lines, JsonLinesFile)
    assert list(table) == list(lines) == [Pair("a", "b")]
    with pytest.raises(DataError, match=r"no column 'de'"):
        list(Corpus.read(tmp_path / "a.jsonl"))


def test_a_parquet_file_is_read_by_its_columns(tmp_path: Path):
    from rows import write_parquet

    path = write_parquet(tmp_path / "a.parquet", [{"en": "a", "fr": "b"}])
    corpus = Corpus.read(path, target_language="fr")
    assert isinstance(corpus, ParquetFile)
    assert list(corpus) == [Pair("a", "b")]
