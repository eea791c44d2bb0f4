"""Hand-checked sentences, each for one thing that is not word by word."""

from dataclasses import replace

import pytest

from seq2seq.grammar import lexicon
from seq2seq.grammar.clause import (
    Clause,
    Gap,
    Interrogative,
    NounPhrase,
    Phrase,
    Pronoun,
    Question,
    Sentence,
    There,
    pronoun_for,
)
from seq2seq.grammar.to_english import english
from seq2seq.grammar.to_german import german
from seq2seq.grammar.words import Case, Tense

PAST, FUTURE = Tense.past, Tense.future


def np(words, **more):
    """``np("the old man")`` looks up determiner, number, adjective and noun; a dash means no determiner."""
    determiner, *rest = words.split()
    noun = next(n for n in lexicon.NOUNS if rest[-1] in (n.english, n.english_plural))
    adjective = next((a for a in lexicon.ADJECTIVES if a.english in rest[:-1]), None)
    number = next((word for word in rest if word in lexicon.NUMBERS), "")
    return NounPhrase(noun, determiner.replace("-", ""), rest[-1] != noun.english, adjective, number, **more)


def gap(word):
    phrase = np(f"the {word}")
    return Gap(phrase.noun, phrase.plural)


def say(subject, verb, object=None, **more):
    """A clause; subject and object are pronouns where they are single words; time, modal, … are English words."""

    def nominal(value):
        if not isinstance(value, str):
            return value
        return np(value) if " " in value else Pronoun(value)

    verbs = (*lexicon.VERBS, *lexicon.REPORTS, lexicon.BE)
    result = next(v for v in verbs if " ".join(filter(None, (v.base, v.particle, v.preposition))) == verb)
    tables = {"time": lexicon.TIMES, "frequency": lexicon.FREQUENCIES, "predicate": lexicon.ADJECTIVES}
    for name, table in tables.items():
        if name in more:
            more[name] = next(word for word in table if word.english == more[name])
    if "modal" in more:
        more["modal"] = next(modal for modal in lexicon.MODALS if modal.finite == more["modal"])
    if "recipient" in more:
        more["recipient"] = nominal(more["recipient"])
    return Clause(subject=nominal(subject), verb=result, object=nominal(object), **more)


def in_(words):
    return Phrase("in", "in", Case.dative, np(words))


KEY, HOUSE, SHIRT = np("the key"), np("the house"), np("the shirt")
EXAMPLES = [
    (say(np("the old man", relative=say(gap("man"), "buy", HOUSE, tense=PAST, time="yesterday")), "sell",
         pronoun_for(HOUSE), modal="want", negated=True),
     "The old man who bought the house yesterday does not want to sell it.",
     "Der alte Mann, der das Haus gestern gekauft hat, will es nicht verkaufen."),
    (say("my key", "be", question=Question.where), "Where is my key?", "Wo ist mein Schlüssel?"),
    # verb second, objects before and after the time
    (say("the woman", "buy", "a red dress", tense=PAST, time="yesterday", fronted="time"),
     "Yesterday the woman bought a red dress.", "Gestern hat die Frau ein rotes Kleid gekauft."),
    (say("she", "read", "the newspaper", time="every day"),
     "She reads the newspaper every day.", "Sie liest die Zeitung jeden Tag."),
    (say("the children", "sing", phrase=in_("the big garden"), fronted="phrase"),
     "In the big garden the children sing.", "Im großen Garten singen die Kinder."),
    (say("the boy", "look for", "his cat", tense=PAST, frequency="often"),
     "The boy often looked for his cat.", "Der Junge hat seine Katze oft gesucht."),
    # separable verbs, particles
    (say("the neighbour", "turn on", "the lamp"), "The neighbour turns on the lamp.",
     "Der Nachbar macht die Lampe an."),
    (say("I", "call", "my tired brother", tense=PAST, time="today"),
     "I called my tired brother today.", "Ich habe meinen müden Bruder heute angerufen."),
    # cases
    (say("we", "help", "the old neighbour"), "We help the old neighbour.", "Wir helfen dem alten Nachbarn."),
    (say("a student", "wait for", "you"), "A student waits for you.", "Ein Student wartet auf dich."),
    (say("my father", "give", "a book", recipient="the small child", tense=PAST),
     "My father gave the small child a book.", "Mein Vater hat dem kleinen Kind ein Buch gegeben."),
    (say("you", "show", pronoun_for(KEY), recipient="they", modal="should"),
     "You should show it to them.", "Du solltest ihn ihnen zeigen."),
    (say("the uncle", "talk to", "- three friends"), "The uncle talks to three friends.",
     "Der Onkel spricht mit drei Freunden."),
    # negation
    (say("he", "have", "a car", negated=True), "He does not have a car.", "Er hat kein Auto."),
    (say("they", "drink", "- hot milk", negated=True), "They do not drink hot milk.", "Sie trinken keine heiße Milch."),
    (say("the dog", "be", predicate="old", degree="very", negated=True),
     "The dog is not very old.", "Der Hund ist nicht sehr alt."),
    (say("she", "visit", "we", modal="may", negated=True),
     "She must not visit us.", "Sie darf uns nicht besuchen."),
    (say("she", "work", phrase=in_("the kitchen"), time="today", negated=True),
     "She does not work in the kitchen today.", "Sie arbeitet heute nicht in der Küche."),
    # questions
    (say("the girl", "come back", tense=PAST, question=Question.polar),
     "Did the girl come back?", "Ist das Mädchen zurückgekommen?"),
    (say(Interrogative("who"), "open", "a old door", modal="can"),
     "Who can open an old door?", "Wer kann eine alte Tür aufmachen?"),
    (say("the women", "listen to", Interrogative("who")), "Whom do the women listen to?", "Wem hören die Frauen zu?"),
    (say("you", "invite", Interrogative("who"), tense=FUTURE, time="tomorrow"),
     "Whom will you invite tomorrow?", "Wen wirst du morgen einladen?"),
    (say("my sister", "cook", Interrogative("what"), modal="want"),
     "What does my sister want to cook?", "Was will meine Schwester kochen?"),
    (say("the boy", "cry", question=Question.why, tense=PAST), "Why did the boy cry?", "Warum hat der Junge geweint?"),
    # relative clauses
    (say("I", "know", np("the doctors", relative=say("she", "thank", gap("doctors")))),
     "I know the doctors whom she thanks.", "Ich kenne die Ärzte, denen sie dankt."),
    (say(np("the letter", relative=say("we", "wait for", gap("letter"))), "be", predicate="long"),
     "The letter that we wait for is long.", "Der Brief, auf den wir warten, ist lang."),
]  # fmt: skip
EXAMPLES = [(Sentence(main=clause), *texts) for clause, *texts in EXAMPLES] + [
    # pronouns by gender
    (Sentence(main=say(KEY, "be", predicate="old"), conjunction="but", second=say("I", "like", pronoun_for(KEY))),
     "The key is old, but I like it.", "Der Schlüssel ist alt, aber ich mag ihn."),
    # subordinate clauses
    (Sentence(main=say("he", "wash", SHIRT), conjunction="because",
              second=say(pronoun_for(SHIRT), "be", predicate="dirty")),
     "He washes the shirt because it is dirty.", "Er wäscht das Hemd, weil es schmutzig ist."),
    (Sentence(main=say("we", "sleep"), conjunction="if", second=say("the aunt", "get up"),
              first=True),
     "If the aunt gets up, we sleep.", "Wenn die Tante aufsteht, schlafen wir."),
    (Sentence(main=say("she", "hope"), conjunction="that", second=say("you", "pick up", "he", modal="can")),
     "She hopes that you can pick him up.", "Sie hofft, dass du ihn abholen kannst."),
    (Sentence(main=say("the son", "work", tense=PAST), conjunction="although",
              second=say("he", "be", predicate="sick", tense=PAST)),
     "The son worked although he was sick.", "Der Sohn hat gearbeitet, obwohl er krank war."),
    (Sentence(main=Clause(subject=There(), verb=lexicon.THERE_IS, object=np("- three green chairs"),
                          phrase=in_("your room"))),
     "There are three green chairs in your room.", "Es gibt in deinem Zimmer drei grüne Stühle."),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "source", "target"), EXAMPLES, ids=[source for _, source, _ in EXAMPLES])
def test_hand_checked_pair(sentence, source, target):
    assert english(sentence) == source
    assert german(sentence) == target


def test_direction_is_accusative_and_place_dative():
    into = Phrase("into", "in", Case.accusative, np("the old church"))
    clause = say("the cow", "run", phrase=into, tense=PAST, time="today")
    assert german(Sentence(main=clause)) == "Die Kuh ist heute in die alte Kirche gelaufen."
    clause = replace(clause, phrase=replace(into, preposition="to", german="zu", case=Case.dative))
    assert german(Sentence(main=clause)) == "Die Kuh ist heute zur alten Kirche gelaufen."


def test_indefinite_objects_follow_the_place_and_precede_the_recipient():
    clause = say("he", "draw", "a tree", phrase=in_("the park"))
    assert german(Sentence(main=clause)) == "Er zeichnet im Park einen Baum."
    clause = replace(clause, phrase=Phrase("for", "für", Case.accusative, np("my mother")))
    assert german(Sentence(main=clause)) == "Er zeichnet einen Baum für meine Mutter."
