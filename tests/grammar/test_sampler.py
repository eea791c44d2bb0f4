from collections import defaultdict
from itertools import pairwise
from random import Random

import pytest

from seq2seq.grammar.clause import Clause, Pronoun, clauses
from seq2seq.grammar.lexicon import NOUNS
from seq2seq.grammar.sampler import draw_sentence
from seq2seq.grammar.to_english import english
from seq2seq.grammar.to_german import german


@pytest.fixture(scope="module")
def sentences():
    random = Random(5)
    return [draw_sentence(random) for _ in range(8000)]


@pytest.fixture(scope="module")
def pairs(sentences):
    return [(english(sentence), german(sentence)) for sentence in sentences]


def test_the_same_random_state_gives_the_same_sentences():
    assert [draw_sentence(Random("a")) for _ in range(5)] == [draw_sentence(Random("a"))] * 5


def test_each_english_sentence_has_one_german_translation(pairs):
    targets = defaultdict(set)
    for source, target in pairs:
        targets[source].add(target)
    assert [source for source, known in targets.items() if len(known) > 1] == []


def test_sentences_are_capitalised_and_punctuated(pairs):
    for text in (text for pair in pairs for text in pair):
        assert text[0].isupper()
        assert text[-1] in ".?"
        assert not any(mark in text for mark in (" ,", ",,", ",.", ",?", "  ", " .", " ?", "None"))


def test_words_are_repeated_only_where_german_requires_it(pairs):
    # …, die die Frau kennt; dass sie sie kennt; put on on Sunday
    doubled = {first for pair in pairs for text in pair for first, second in pairwise(text.split()) if first == second}
    assert doubled <= {"der", "die", "das", "sie", "on"}


def test_every_construction_occurs(pairs):
    texts = [f"{source} | {target}" for source, target in pairs]
    conjunctions = (", weil ", ", obwohl ", ", wenn ", ", dass ", ", aber ", ", und ")
    questions = ("Wer ", "Wen ", "Wem ", "Was ", "Wo ", "Wann ", "Warum ")
    words = (" nicht ", " keinen ", " nie ", " wird ", " will ", " darf ", "Es gibt ", " zwölf ", " ins ", "Gestern ")
    for mark in (*conjunctions, *questions, *words, ", dem ", ", der ", ", den ", ", auf den "):
        assert any(mark in text for text in texts), mark


@pytest.mark.parametrize("construction", [
    lambda s: s.main.question and s.main.question == "where" and s.main.verb.base == "be",  # Where is my key?
    lambda s: getattr(s.main.subject, "relative", None) and isinstance(s.main.object, Pronoun) and s.main.negated
    and s.main.modal,  # The old man who bought the house yesterday …
])  # fmt: skip
def test_documented_sentences_have_their_construction(sentences, construction):
    assert any(construction(sentence) for sentence in sentences)


def test_it_always_refers_to_a_noun_of_the_same_sentence(sentences):
    for sentence in sentences:
        parts = list(clauses(sentence))
        named = {id(nominal.noun) for clause in parts for nominal in (clause.subject, clause.object)
                 if not isinstance(nominal, Pronoun) and hasattr(nominal, "noun")}  # fmt: skip
        for nominal in (nominal for clause in parts for nominal in (clause.subject, clause.object)):
            if isinstance(nominal, Pronoun) and nominal.word == "it":
                assert id(nominal.noun) in named


def test_most_sentences_are_short(pairs):
    lengths = sorted(len(source.split()) for source, _ in pairs)
    assert lengths[len(lengths) // 2] <= 9
    assert lengths[-1] <= 25


def test_every_noun_is_drawn(sentences):
    nouns_used = {nominal.noun for sentence in sentences for clause in clauses(sentence)
            for nominal in (clause.subject, clause.object, getattr(clause.phrase, "nominal", None))
            if isinstance(clause, Clause) and hasattr(nominal, "noun")}  # fmt: skip
    assert set(NOUNS) <= nouns_used
