from random import Random

from seq2seq.grammar.clause import Interrogative, NounPhrase, Pronoun
from seq2seq.grammar.lexicon import NOUNS, VERBS
from seq2seq.grammar.phrases import Sampler, adjectives_of, nouns_tagged, tags, verbs_for
from seq2seq.grammar.words import Tense

NOUN = {noun.english: noun for noun in NOUNS}


def drawn(count=3000):
    sampler = Sampler(Random(3))
    return [sampler.clause() for _ in range(count)]


def test_verbs_reject_unsuitable_objects():
    table = NOUN["table"]
    assert {verb.base for verb in verbs_for(table)} >= {"buy", "sell"}
    assert not {verb.base for verb in verbs_for(table)} & {"eat", "drink", "read", "write", "wear"}
    assert "sweet" not in {adjective.english for adjective in adjectives_of(table)}
    assert table not in nouns_tagged(tags("person", "food"))


def test_objects_suit_their_verbs_and_differ_from_subjects():
    for clause in drawn():
        if isinstance(clause.object, NounPhrase):
            assert clause.object.noun.tags & clause.verb.tags
            assert clause.object.noun is not getattr(clause.subject, "noun", None)


def test_negated_objects_are_definite():
    for clause in drawn():
        if clause.negated:
            assert isinstance(clause.subject, Pronoun) or clause.subject.definite
            assert not (isinstance(clause.object, NounPhrase) and clause.object.number and not clause.object.definite)


def test_adverbs_go_with_the_tense():
    for clause in drawn():
        if clause.time is not None:
            assert ("modal" if clause.modal else clause.tense.value) in clause.time.tenses
            assert not (clause.negated and clause.time.habitual)
        assert not (clause.time and clause.frequency)


def test_we_read_is_never_past():
    sampler, read = Sampler(Random(1)), next(verb for verb in VERBS if verb.base == "read")
    assert {sampler.mood(read, Pronoun("we"))[0] for _ in range(200)} == {Tense.present, Tense.future}
    assert Tense.past in {sampler.mood(read, Interrogative("who"))[0] for _ in range(200)}


def test_mass_nouns_have_no_plural_and_no_number():
    sampler = Sampler(Random(2))
    phrases = [sampler.noun_phrase(NOUN["milk"], bare=True) for _ in range(200)]
    assert not any(phrase.plural or phrase.number or phrase.determiner == "a" for phrase in phrases)
    assert any(not phrase.determiner for phrase in phrases)
