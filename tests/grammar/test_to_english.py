import pytest

from seq2seq.grammar.clause import Clause, Interrogative, NounPhrase, Pronoun, Question, Sentence
from seq2seq.grammar.lexicon import ADJECTIVES, BE, MODALS, NOUNS, VERBS
from seq2seq.grammar.to_english import english, indefinite_article, third_singular
from seq2seq.grammar.words import Tense

NOUN = {noun.english: noun for noun in NOUNS}
VERB = {f"{verb.base} {verb.particle}".strip(): verb for verb in VERBS}
HE, KEY = Pronoun("he"), NounPhrase(NOUN["key"])


@pytest.mark.parametrize(("base", "form"), [
    ("buy", "buys"), ("cry", "cries"), ("wash", "washes"), ("go", "goes"), ("have", "has"), ("close", "closes"),
    ("stay", "stays"),
])  # fmt: skip
def test_third_person(base, form):
    assert third_singular(base) == form


def test_the_article_depends_on_the_next_word():
    assert [indefinite_article(word) for word in ("apple", "old", "house", "green")] == ["an", "an", "a", "a"]
    old = next(adjective for adjective in ADJECTIVES if adjective.english == "old")
    clause = Clause(subject=HE, verb=VERB["see"], object=NounPhrase(NOUN["dog"], "a", adjective=old))
    assert english(Sentence(main=clause)) == "He sees an old dog."


@pytest.mark.parametrize(("words", "text"), [
    ({"tense": Tense.past}, "He lost the key."),
    ({"tense": Tense.past, "negated": True}, "He did not lose the key."),
    ({"tense": Tense.future, "negated": True}, "He will not lose the key."),
    ({"question": Question.polar}, "Does he lose the key?"),
    ({"question": Question.why, "negated": True}, "Why does he not lose the key?"),
    ({"modal": MODALS[1], "negated": True}, "He cannot lose the key."),
    ({"modal": MODALS[0], "question": Question.when}, "When does he want to lose the key?"),
    ({"modal": MODALS[3], "negated": True}, "He would not like to lose the key."),
    ({"subject": Interrogative("who")}, "Who loses the key?"),
])  # fmt: skip
def test_verb_groups(words, text):
    clause = Clause(**{"subject": HE, "verb": VERB["lose"], "object": KEY} | words)
    assert english(Sentence(main=clause)) == text


def test_a_particle_follows_a_pronoun_but_precedes_a_noun():
    lamp = NounPhrase(NOUN["lamp"], "my")
    for thing, text in ((lamp, "He turns off my lamp."), (Pronoun("it", lamp.noun), "He turns it off.")):
        assert english(Sentence(main=Clause(subject=HE, verb=VERB["turn off"], object=thing))) == text


def test_be_agrees_and_needs_no_do():
    forms = [english(Sentence(main=Clause(subject=Pronoun(word), verb=BE, question=Question.where, tense=tense)))
             for word in ("I", "you", "she", "they") for tense in (Tense.present, Tense.past)]  # fmt: skip
    assert forms == ["Where am I?", "Where was I?", "Where are you?", "Where were you?", "Where is she?",
                     "Where was she?", "Where are they?", "Where were they?"]  # fmt: skip
