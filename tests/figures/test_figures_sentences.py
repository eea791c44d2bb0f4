"""Which sentences are looked at."""

import pytest

from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.config import BuiltinConfig, Split
from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.errors import ConfigError, DataError
from seq2seq.figures.config import ContextsConfig, InterpolationConfig
from seq2seq.figures.sentences import ENDS, ORDERS, ROLES, ends, panels, parted

BUILTIN = BuiltinCorpus(BuiltinConfig(test_size=5), Split.test, None)
OTHER = PairList("other", [Pair(f"sentence number {number % 20}", "") for number in range(40)])


def test_what_is_named_comes_first(tmp_path):
    assert panels(ContextsConfig(sentences=["a", "b", "c"]), BUILTIN) == [["a", "b", "c"]]
    path = tmp_path / "sentences.txt"
    path.write_text("\none\ntwo\n three \n\n \n1\n2\n3\n4\n\n", encoding="utf-8")
    assert panels(ContextsConfig(input=str(path)), BUILTIN) == [["one", "two", "three"], ["1", "2", "3", "4"]]
    assert ends(InterpolationConfig(sentences=["a", "b", "c"]), BUILTIN) == [("a", "b"), ("b", "c")]


def test_the_built_in_corpus_has_a_set_of_its_own_of_words_it_knows():
    assert panels(ContextsConfig(), BUILTIN) == [ROLES, ORDERS]
    assert ends(InterpolationConfig(), BUILTIN) == [(ENDS[0], ENDS[1]), (ENDS[1], ENDS[2])]
    known = {
        word for pair in BuiltinCorpus(BuiltinConfig(train_size=4000), Split.train) for word in pair.source.split()
    }
    assert {word for sentence in (*ROLES, *ORDERS, *ENDS) for word in sentence.split()} <= known
    bags = [sorted(sentence.lower().strip(".").split()) for sentence in (*ROLES, *ORDERS)]
    assert all(bags[number] == bags[number + 1] for number in range(0, len(bags), 2)), "order alone tells them apart"


def test_another_corpus_gives_its_first_different_sentences():
    (panel,) = panels(ContextsConfig(), OTHER)
    assert panel == [f"sentence number {number}" for number in range(12)]
    assert ends(InterpolationConfig(), OTHER) == [(panel[0], panel[1]), (panel[1], panel[2])]


def test_too_little_is_refused_in_a_line(tmp_path):
    with pytest.raises(ConfigError, match=r"contexts\.sentences or contexts\.input=FILE$"):
        panels(ContextsConfig(), None)
    with pytest.raises(ConfigError, match=r"interpolation\.sentences$"):
        ends(InterpolationConfig(), PairList("long", [Pair("word " * 20, "")]))
    with pytest.raises(DataError, match="fewer than three"):
        panels(ContextsConfig(sentences=["a", "b"]), BUILTIN)
    (tmp_path / "empty").write_text("\n \n")
    with pytest.raises(DataError, match="fewer than three"):
        panels(ContextsConfig(input=str(tmp_path / "empty")), BUILTIN)
    assert parted([]) == []
