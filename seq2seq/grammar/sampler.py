"""Draws whole sentences: statements, questions, relative and subordinate clauses, anaphoric pronouns."""

from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from random import Random

from seq2seq.grammar.clause import Clause, Gap, Interrogative, Nominal, Pronoun, Question, Sentence, There, pronoun_for
from seq2seq.grammar.lexicon import BE, REPORTS, THERE_IS, VERBS
from seq2seq.grammar.phrases import Sampler, adjectives_of, nouns_tagged, tags, verbs_for
from seq2seq.grammar.words import Case, Gender, Tense, Verb

_POSITIONS = (("on", "auf"), ("under", "unter"), ("behind", "hinter"), ("beside", "neben"))
_PEOPLE = nouns_tagged(tags("person"))
# Without *the girl … she*, for which German has two pronouns, es and sie.
_REFERABLE = tuple(noun for noun in _PEOPLE if noun.gender is not Gender.neuter)
_THINGS = nouns_tagged(tags("thing", "animal", "food", "drink", "text", "work", "goods", "asked"))
_DESCRIBED = tuple(noun for noun in (*_PEOPLE, *_THINGS, *nouns_tagged(tags("place"))) if len(adjectives_of(noun)) > 1)
_HANDLED = tuple(noun for noun in _THINGS if len(adjectives_of(noun)) > 1 and len(verbs_for(noun)) > 1)
_PLACED = tuple(verb for verb in VERBS if "place" in verb.flags)
_TIMED = tuple(verb for verb in VERBS if "stative" not in verb.flags)
_PERSONAL = tuple(verb for verb in VERBS if "thing" not in verb.flags)
_DONE_TO_PEOPLE = tuple(verb for verb in VERBS if "person" in verb.tags and not verb.german_preposition)
_DONE_TO_THINGS = tuple(verb for verb in VERBS if verb.tags - {"person"} and not verb.german_preposition
                        and verb.case is Case.accusative and "recipient" not in verb.flags)  # fmt: skip
_LAST_OBJECT = tuple(verb for verb in _PERSONAL if verb.tags and not verb.prefix and "recipient" not in verb.flags)


def draw_sentence(random: Random) -> Sentence:
    """One sentence of the grammar, as a function of the random state."""
    draw = random.random() * _EDGES[-1]
    pattern = next(pattern for (pattern, _), edge in zip(_PATTERNS, _EDGES, strict=True) if draw < edge)
    return pattern(Sampler(random))


def _statement(sampler: Sampler) -> Sentence:
    """*Yesterday the woman did not buy a book. In the garden the children sing.*"""
    clause = sampler.clause()
    if clause.time is not None and sampler.chance(0.4):
        clause = replace(clause, fronted="time")
    elif clause.phrase is not None and clause.phrase.preposition == "in" and sampler.chance(0.3):
        clause = replace(clause, fronted="phrase")
    return Sentence(main=clause)


def _description(sampler: Sampler) -> Sentence:
    """*The old house is very beautiful. We were not tired yesterday. Is the soup hot?*"""
    if sampler.chance(0.3):
        pronoun = Pronoun(sampler.pick(("I", "you", "he", "she", "we", "they")))
        return Sentence(main=sampler.copula(pronoun, sampler.pick(_PEOPLE)))
    noun = sampler.pick(_DESCRIBED)
    clause = sampler.copula(sampler.noun_phrase(noun, definite=True, adjectives=0.15), noun)
    return Sentence(main=replace(clause, question=Question.polar, negated=False) if sampler.chance(0.25) else clause)


def _location(sampler: Sampler) -> Sentence:
    """*The key is under the old table. Are your letters in the office?*"""
    thing = sampler.noun_phrase(sampler.pick(nouns_tagged(tags("portable"))), definite=True)
    if sampler.chance(0.5):
        phrase = sampler.place("room", "in", "in", Case.dative)
    else:
        phrase = sampler.place("surface", *sampler.pick(_POSITIONS), Case.dative)
    is_question = sampler.chance(0.3)
    return Sentence(main=Clause(
        subject=thing, verb=BE, tense=Tense.past if sampler.chance(0.3) else Tense.present, phrase=phrase,
        negated=not is_question and sampler.chance(0.25), question=Question.polar if is_question else None,
    ))  # fmt: skip


def _existence(sampler: Sampler) -> Sentence:
    """*There are three chairs in the kitchen.*"""
    where, kinds = sampler.pick((("indoor", tags("furniture", "opening")), ("outdoor", tags("animal", "nature"))))
    noun = sampler.pick(nouns_tagged(kinds))
    thing = replace(sampler.noun_phrase(noun, plurals=False), determiner="a")
    if sampler.chance(0.5):
        thing = replace(thing, determiner="", plural=True, number=sampler.pick(("two", "three", "four", "five", "six")))
    return Sentence(main=Clause(
        subject=There(), verb=THERE_IS, tense=Tense.past if sampler.chance(0.25) else Tense.present, object=thing,
        phrase=sampler.place(where, "in", "in", Case.dative),
        question=Question.polar if sampler.chance(0.3) else None,
    ))  # fmt: skip


def _question(sampler: Sampler) -> Sentence:
    """*Did the boy call his mother? Where do you work? Why does she not help him? Where is my key?*"""
    question = sampler.pick((Question.polar, Question.polar, Question.where, Question.when, Question.why))
    if question is Question.where and sampler.chance(0.5):
        noun = sampler.pick(nouns_tagged(tags("portable", "place", "person", "animal")))
        thing = sampler.noun_phrase(noun, definite=True, plurals="place" not in noun.tags)
        tense = Tense.past if sampler.chance(0.25) else Tense.present
        return Sentence(main=Clause(subject=thing, verb=BE, tense=tense, question=question))
    verb = sampler.pick({Question.where: _PLACED, Question.when: _TIMED}.get(question, VERBS))
    clause = sampler.clause(verb=verb, subject=_addressed(sampler, verb), deniable=question is Question.why)
    clause = replace(clause, question=question, frequency=None)
    if question is Question.where:
        clause = replace(clause, phrase=None)
    if question is Question.when:
        clause = replace(clause, time=None)
    return Sentence(main=clause)


def _addressed(sampler: Sampler, verb: Verb) -> Nominal:
    """A definite subject for a question, except *I*."""
    subject = sampler.subject(verb, definite=True)
    return Pronoun("you") if isinstance(subject, Pronoun) and subject.word == "I" else subject


def _who_or_what(sampler: Sampler) -> Sentence:
    """*Who bought the house? Whom does she help? What do they sell?*"""
    draw = sampler.random.random()
    if draw < 0.4:
        clause = sampler.clause(verb=sampler.pick(_PERSONAL), subject=Interrogative("who"), deniable=False)
    else:
        word, verbs = ("who", _DONE_TO_PEOPLE) if draw < 0.7 else ("what", _DONE_TO_THINGS)
        verb = sampler.pick(verbs)
        subject = _addressed(sampler, verb)
        clause = sampler.clause(verb=verb, subject=subject, object=Interrogative(word), deniable=False)
    return Sentence(main=replace(clause, frequency=None))


def _subject_with_relative(sampler: Sampler) -> Sentence:
    """*The man who bought the house yesterday is very rich. The book that he lost belongs to me.*"""
    if sampler.chance(0.5):
        noun = sampler.pick(_DESCRIBED)
        head = sampler.noun_phrase(noun, definite=True, adjectives=0.2)
        clause = sampler.copula(head, noun)
    else:
        head = sampler.noun_phrase(sampler.pick(_PEOPLE), definite=True, adjectives=0.2)
        clause = sampler.clause(verb=sampler.pick(_PERSONAL), subject=head, plain=True)
    return Sentence(main=replace(clause, subject=sampler.relative(head, clause.verb)))


def _object_with_relative(sampler: Sampler) -> Sentence:
    """*We know the man whom she helps*: in the simple present, where nothing follows the object."""
    verb = sampler.pick(_LAST_OBJECT)
    subject = sampler.subject(verb, definite=True)
    noun = sampler.pick(nouns_tagged(verb.tags))
    while noun is getattr(subject, "noun", None):
        noun = sampler.pick(nouns_tagged(verb.tags))
    head = sampler.noun_phrase(noun, definite=True, adjectives=0.2)
    return Sentence(main=Clause(subject=subject, verb=verb, object=sampler.relative(head, verb)))


def _relative_and_pronoun(sampler: Sampler) -> Sentence:
    """*The old man who bought the house yesterday does not want to sell it.*"""
    head = sampler.noun_phrase(sampler.pick(_PEOPLE), definite=True)
    noun = sampler.pick(_HANDLED)
    thing = sampler.noun_phrase(noun, definite=True, adjectives=0.15)
    gap = Gap(head.noun, head.plural)
    verb = sampler.pick([verb for verb in verbs_for(noun) if "consumes" not in verb.flags])
    inner = sampler.clause(verb=verb, subject=gap, object=thing, deniable=False, plain=True)
    others = [verb for verb in verbs_for(noun) if verb is not inner.verb]
    main = sampler.clause(verb=sampler.pick(others), subject=head, object=pronoun_for(thing), plain=True)
    return Sentence(main=replace(main, subject=replace(head, determiner="the", relative=inner)))


def _but_pronoun(sampler: Sampler) -> Sentence:
    """*The key is old, but I like it.*"""
    noun = sampler.pick(_HANDLED)
    thing = sampler.noun_phrase(noun, definite=True, adjectives=0.0)
    verb = sampler.pick(verbs_for(noun))
    second = sampler.clause(
        verb=verb, object=pronoun_for(thing), subject=sampler.subject(verb, definite=True), plain=True
    )
    return Sentence(main=sampler.copula(thing, noun), conjunction="but", second=second)


def _because_pronoun(sampler: Sampler) -> Sentence:
    """*She washes the shirt because it is dirty. Although he was tired, the man worked.*"""
    conjunction = sampler.pick(("because", "although"))
    if sampler.chance(0.6):
        phrase = sampler.noun_phrase(sampler.pick(_HANDLED), definite=True, adjectives=0.0)
        main = sampler.clause(verb=sampler.pick(verbs_for(phrase.noun)), object=phrase, plain=True)
    else:
        phrase = sampler.noun_phrase(sampler.pick(_REFERABLE), definite=True, adjectives=0.2)
        main = sampler.clause(verb=sampler.pick(_PERSONAL), subject=phrase, plain=True)
    second = replace(sampler.copula(pronoun_for(phrase), phrase.noun), tense=main.tense, time=None)
    if main.tense is Tense.future:
        second = replace(second, tense=Tense.present)
    return Sentence(main=main, conjunction=conjunction, second=second)


def _two_clauses(sampler: Sampler) -> Sentence:
    """*If it …, …*, *because*, *although* and *and* between two independently drawn clauses."""
    conjunction = sampler.pick(("if", "because", "although", "and"))
    main = sampler.clause(plain=True)
    while conjunction == "if" and main.tense is Tense.past:
        main = sampler.clause(plain=True)
    second = sampler.clause(plain=True, pronouns=0.6)
    while not _fits(conjunction, main, second):
        second = sampler.clause(plain=True, pronouns=0.6)
    return Sentence(main=main, conjunction=conjunction, second=second,
                    first=conjunction != "and" and sampler.chance(0.4))  # fmt: skip


def _fits(conjunction: str, main: Clause, second: Clause) -> bool:
    """Whether the tense of the second clause is compatible with the first."""
    if conjunction == "if":
        return second.tense is Tense.present and second.modal is None
    return (second.tense is Tense.past) == (main.tense is Tense.past)


def _report(sampler: Sampler) -> Sentence:
    """*She believes that the boy will not come back.*"""
    subject = sampler.subject(REPORTS[0], definite=True)
    tense = Tense.past if sampler.chance(0.35) else Tense.present
    second = sampler.clause(plain=True, pronouns=0.6)
    while tense is Tense.past and second.tense is not Tense.past:
        second = sampler.clause(plain=True, pronouns=0.6)
    main = Clause(subject=subject, verb=sampler.pick(REPORTS), tense=tense)
    return Sentence(main=main, conjunction="that", second=second)


_PATTERNS: tuple[tuple[Callable[[Sampler], Sentence], int], ...] = (
    (_statement, 31),
    (_description, 8),
    (_location, 4),
    (_existence, 3),
    (_question, 12),
    (_who_or_what, 7),
    (_subject_with_relative, 6),
    (_object_with_relative, 5),
    (_relative_and_pronoun, 3),
    (_but_pronoun, 4),
    (_because_pronoun, 4),
    (_two_clauses, 2),
    (_report, 3),
)
_EDGES = tuple(accumulate(weight for _, weight in _PATTERNS))
