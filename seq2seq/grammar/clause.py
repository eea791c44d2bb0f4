"""What a sentence says, before it is said: the common ground of its English and its German.

`seq2seq.grammar.to_english` and `seq2seq.grammar.to_german` write these; `seq2seq.grammar.sampler` draws them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from seq2seq.grammar.german import Person
from seq2seq.grammar.words import Adjective, Adverb, Case, Gender, Modal, Noun, Tense, Verb

Combination = tuple[str, str]  # English verb with its particle or preposition, English object noun


class Question(StrEnum):
    """Questions that do not ask for the subject or an object (for those see `Asked`)."""

    polar = "polar"
    where = "where"
    when = "when"
    why = "why"


@dataclass(frozen=True, slots=True)
class NounPhrase:
    """``determiner`` is an English word (the, this, a, a possessive) or empty; ``number`` an English numeral."""

    noun: Noun
    determiner: str = "the"
    plural: bool = False
    adjective: Adjective | None = None
    number: str = ""
    relative: "Clause | None" = None

    @property
    def definite(self) -> bool:
        """Whether hearer and speaker know which: such objects stand early in German and are not denied by *kein*."""
        return self.determiner not in ("", "a")


@dataclass(frozen=True, slots=True)
class Pronoun:
    """A personal pronoun by its English subject form; ``noun`` is what it stands for, which *it* must have."""

    word: str
    noun: Noun | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """The place in a relative clause that the noun before it fills."""

    noun: Noun
    plural: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """*who* or *what*, asked for."""

    word: str


@dataclass(frozen=True, slots=True)
class There:
    """The subject of *there is*, *es gibt*."""


Nominal = NounPhrase | Pronoun | Gap | Asked | There


@dataclass(frozen=True, slots=True)
class Phrase:
    """A prepositional phrase: *in the garden, into the house, to the station, for my son, with us, on the table*."""

    preposition: str
    german: str
    case: Case
    nominal: Nominal


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One verb and what belongs to it. ``fronted`` says what a statement begins with: subject, time or phrase."""

    subject: Nominal
    verb: Verb
    tense: Tense = Tense.present
    modal: Modal | None = None
    negated: bool = False
    object: Nominal | None = None
    recipient: Nominal | None = None
    predicate: Adjective | None = None
    degree: str = ""
    phrase: Phrase | None = None
    time: Adverb | None = None
    frequency: Adverb | None = None
    fronted: str = "subject"
    question: Question | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A main clause, perhaps with a second one behind ``conjunction`` (English), which may come ``first``."""

    main: Clause
    conjunction: str = ""
    second: Clause | None = None
    first: bool = False


def person(nominal: Nominal) -> Person:
    """Person and number, by which the finite verb agrees."""
    if isinstance(nominal, Pronoun):
        number = {"I": 1, "we": 1, "you": 2}.get(nominal.word, 3)
        return Person(number, nominal.word in ("we", "they"))
    return Person(3, nominal.plural if isinstance(nominal, NounPhrase | Gap) else False)


def stand_in(phrase: NounPhrase) -> Pronoun:
    """The pronoun that takes a noun phrase up again: *they*, *he*, *she*, or *it* with the noun's gender."""
    noun = phrase.noun
    if phrase.plural:
        return Pronoun("they", noun)
    if "person" not in noun.tags:
        return Pronoun("it", noun)
    return Pronoun("he" if noun.gender is Gender.masculine else "she", noun)


def clauses(sentence: Sentence) -> Iterator[Clause]:
    """Every clause of a sentence, relative clauses included."""
    for clause in (sentence.main, sentence.second):
        if clause is not None:
            yield clause
            for nominal in (clause.subject, clause.object, clause.recipient):
                if isinstance(nominal, NounPhrase) and nominal.relative is not None:
                    yield nominal.relative


def combinations(sentence: Sentence) -> set[Combination]:
    """Every (verb, object noun) of a sentence; the noun may be the object itself, the head of a relative clause whose
    gap is the object, or what an object pronoun stands for. Both objects of *give* count."""
    found = set()
    for clause in clauses(sentence):
        verb = " ".join(filter(None, (clause.verb.base, clause.verb.particle, clause.verb.preposition)))
        for nominal in (clause.object, clause.recipient):
            if isinstance(nominal, NounPhrase | Pronoun | Gap) and nominal.noun is not None:
                found.add((verb, nominal.noun.english))
    return found
