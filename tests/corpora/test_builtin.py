"""The built-in corpus: the same pairs for any number of processes and any start."""

import itertools
from contextlib import closing

import pytest

from seq2seq.corpora import builtin
from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.config import BuiltinConfig
from seq2seq.corpora.corpus import Pair
from seq2seq.errors import ConfigError
from seq2seq.grammar import sentences as grammar
from seq2seq.grammar.sentences import draw_sentences

CONFIG = BuiltinConfig(train_size=1500, test_size=20)


@pytest.fixture
def small(monkeypatch):
    """Blocks of 400 draws, and no more than ten pairs in memory."""
    monkeypatch.setattr(grammar, "DRAWS", 400)
    monkeypatch.setattr(builtin, "IN_MEMORY", 10)


@pytest.fixture
def pairs(small):
    return [Pair(*texts) for _, texts in draw_sentences(CONFIG.seed, "train", CONFIG.train_size)]


@pytest.mark.usefixtures("small")
def test_a_corpus_generated_in_blocks_is_the_sequential_one(pairs):
    assert list(BuiltinCorpus(CONFIG, "train", processes=1)) == pairs
    assert len(set(pairs)) == len({pair.source for pair in pairs}) == 1500


@pytest.mark.usefixtures("small")
def test_processes_change_nothing(pairs):
    assert list(BuiltinCorpus(CONFIG, "train", processes=2)) == pairs


def test_a_small_corpus_is_generated_once(monkeypatch):
    corpus = BuiltinCorpus(BuiltinConfig(train_size=50), "train")
    first = list(corpus)
    monkeypatch.setattr(builtin, "draw_sentences", None)
    assert list(corpus) == first == list(corpus.vocabulary_sample(99).pairs)
    assert (corpus.expected_pairs(), len(first)) == (50, 50)


@pytest.mark.parametrize("stop", [0, 1, 399, 700, 1500])
def test_reading_resumes_without_generating_finished_blocks_again(pairs, tmp_path, monkeypatch, stop):
    corpus = BuiltinCorpus(CONFIG, "train", processes=1)
    with closing(corpus.pairs_after(0, tmp_path)) as reading:
        assert list(itertools.islice(reading, stop)) == pairs[:stop]
    drawn = []
    real = grammar.draw_block
    monkeypatch.setattr(grammar, "draw_block", lambda *block: drawn.append(block[2]) or real(*block))
    done = max(0, stop - 30)
    assert list(corpus.pairs_after(done, tmp_path)) == pairs[done:]
    whole = len(list(tmp_path.iterdir()))
    assert drawn[0] >= (done - 1) // 400
    assert drawn == list(range(drawn[0], drawn[-1] + 1))
    assert whole == drawn[-1], "the incomplete last block is not saved"


def test_saved_hashes_beyond_the_pairs_read_are_ignored(pairs, tmp_path):
    corpus = BuiltinCorpus(CONFIG, "train", processes=1)
    assert list(corpus.pairs_after(0, tmp_path)) == pairs
    for done in (0, 5, 1000):
        assert list(corpus.pairs_after(done, tmp_path)) == pairs[done:]


def test_the_vocabulary_sample_is_the_first_pairs(pairs):
    start = BuiltinCorpus(CONFIG, "train", processes=1).vocabulary_sample(600)
    assert start.expected == 600
    assert list(start.pairs) == pairs[:600]


def test_the_fingerprint_follows_size_seed_and_split():
    result = {
        BuiltinCorpus(config, split).fingerprint
        for config in (CONFIG, BuiltinConfig(train_size=1501, test_size=20), BuiltinConfig(test_size=20, seed=2))
        for split in ("train", "test")
    }
    assert len(result) == 5, "the test set does not depend on the size of the training set"
    assert BuiltinCorpus(CONFIG, "train").fingerprint == BuiltinCorpus(CONFIG, "train", 7).fingerprint


def test_a_size_beyond_the_grammar_is_one_line(small, monkeypatch):
    one = next(draw_sentences(CONFIG.seed, "train", 1))
    monkeypatch.setattr(grammar, "draw_block", lambda *_: iter([one, None, one]))
    with pytest.raises(ConfigError, match=r"^data\.builtin\.train_size is 1,500, but .* after 1: [^\n]*$"):
        list(BuiltinCorpus(CONFIG, "train", processes=1))


def test_an_unknown_split_is_named():
    with pytest.raises(ConfigError, match="'dev': set one of train, validation, test"):
        BuiltinCorpus(CONFIG, "dev")
