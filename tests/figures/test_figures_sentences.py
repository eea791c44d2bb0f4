"""The sentences of the figures contexts and interpolation."""

import pytest

from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.config import BuiltinConfig, Split
from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.errors import ConfigError, DataError
from seq2seq.figures.config import ContextsConfig, InterpolationConfig
from seq2seq.figures.sentences import ENDS, ORDERS, ROLES, context_panels, interpolation_ends, split_at_blank_lines

BUILTIN = BuiltinCorpus(BuiltinConfig(test_size=5), Split.test, None)
OTHER = PairList("other", [Pair(f"sentence number {number % 20}", "") for number in range(40)])


def test_sentences_of_the_settings_come_first(tmp_path):
    assert context_panels(ContextsConfig(sentences=["a", "b", "c"]), BUILTIN) == [["a", "b", "c"]]
    path = tmp_path / "sentences.txt"
    path.write_text("\none\ntwo\n three \n\n \n1\n2\n3\n4\n\n", encoding="utf-8")
    assert context_panels(ContextsConfig(input=str(path)), BUILTIN) == [["one", "two", "three"], ["1", "2", "3", "4"]]
    assert interpolation_ends(InterpolationConfig(sentences=["a", "b", "c"]), BUILTIN) == [("a", "b"), ("b", "c")]


def test_the_built_in_corpus_has_a_default_set_in_its_vocabulary():
    assert context_panels(ContextsConfig(), BUILTIN) == [ROLES, ORDERS]
    assert interpolation_ends(InterpolationConfig(), BUILTIN) == [(ENDS[0], ENDS[1]), (ENDS[1], ENDS[2])]
    known = {
        word for pair in BuiltinCorpus(BuiltinConfig(train_size=4000), Split.train) for word in pair.source.split()
    }
    assert {word for sentence in (*ROLES, *ORDERS, *ENDS) for word in sentence.split()} <= known
    bags = [sorted(sentence.lower().strip(".").split()) for sentence in (*ROLES, *ORDERS)]
    assert all(bags[number] == bags[number + 1] for number in range(0, len(bags), 2)), "they differ in word order only"


def test_another_corpus_gives_its_first_distinct_sentences():
    (panel,) = context_panels(ContextsConfig(), OTHER)
    assert panel == [f"sentence number {number}" for number in range(12)]
    assert interpolation_ends(InterpolationConfig(), OTHER) == [(panel[0], panel[1]), (panel[1], panel[2])]


def test_too_few_sentences_are_rejected_in_a_line(tmp_path):
    with pytest.raises(ConfigError, match=r"contexts\.sentences or contexts\.input=FILE$"):
        context_panels(ContextsConfig(), None)
    with pytest.raises(ConfigError, match=r"interpolation\.sentences$"):
        interpolation_ends(InterpolationConfig(), PairList("long", [Pair("word " * 20, "")]))
    with pytest.raises(DataError, match="fewer than three"):
        context_panels(ContextsConfig(sentences=["a", "b"]), BUILTIN)
    (tmp_path / "empty").write_text("\n \n")
    with pytest.raises(DataError, match="fewer than three"):
        context_panels(ContextsConfig(input=str(tmp_path / "empty")), BUILTIN)
    assert split_at_blank_lines([]) == []
