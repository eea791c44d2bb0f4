"""What corpora can do besides being read, and what stands in where they cannot."""

from itertools import islice

import pytest

from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.corpus import PairList
from seq2seq.corpora.mixture import Mix, Part, Tagged
from seq2seq.corpora.monolingual import TargetSide
from seq2seq.corpora.pair import Pair
from seq2seq.corpora.reading import expected_pairs, pairs_after, pairs_to_learn_from, with_progress
from seq2seq.grammar.sentences import BuiltinConfig

PLAIN = PairList("plain", [Pair(f"a {number}", f"b {number}") for number in range(30)])
LARGE = BuiltinCorpus(BuiltinConfig(train_size=40), "train")


def test_any_corpus_can_be_read_from_the_middle_and_learnt_from(tmp_path):
    assert expected_pairs(PLAIN) is None
    assert list(pairs_after(PLAIN, 28, tmp_path)) == PLAIN.pairs[28:]
    start = pairs_to_learn_from(PLAIN, 9)
    assert (list(start.pairs), start.expected) == (PLAIN.pairs, None)


@pytest.mark.parametrize("wrap", [lambda corpus: Tagged(corpus, "<2de>"), TargetSide])
def test_a_changed_corpus_can_do_what_the_other_can(wrap, tmp_path):
    corpus, pairs = wrap(LARGE), [wrap(LARGE).change(pair) for pair in LARGE]
    assert pairs[0] != next(iter(LARGE))
    assert list(corpus) == pairs
    assert expected_pairs(corpus) == 40
    assert list(pairs_after(corpus, 35, tmp_path)) == pairs[35:]
    start = pairs_to_learn_from(corpus, 10)
    sentences = 10 if isinstance(corpus, Tagged) else 20  # of one side twice the pairs
    assert (list(start.pairs), start.expected) == (pairs[:sentences], sentences)
    assert expected_pairs(wrap(PLAIN)) is None


def test_a_mix_reads_little_of_what_is_costly_and_all_of_the_rest():
    start = pairs_to_learn_from(Mix([Part(LARGE), Part(PLAIN), Part(LARGE)]), 10)
    first = list(islice(LARGE, 10))
    assert (list(start.pairs), start.expected) == ([*first, *PLAIN.pairs, *first], None)
    assert pairs_to_learn_from(Mix([Part(LARGE), Part(LARGE)]), 10).expected == 20


def test_progress_changes_nothing_and_is_silent_where_it_is_short(capsys):
    assert list(with_progress(iter(PLAIN.pairs), "reading", 30)) == PLAIN.pairs
    assert capsys.readouterr() == ("", "")
