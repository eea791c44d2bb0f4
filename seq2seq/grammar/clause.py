"""The abstract syntax of a sentence, shared by its English and its German form.

`seq2seq.grammar.sampler` draws these structures; `seq2seq.grammar.to_english` and `seq2seq.grammar.to_german` realize
them as text.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from seq2seq.grammar.german import Person
from seq2seq.grammar.words import Adjective, Adverb, Case, Gender, Modal, Noun, Tense, Verb

Combination = tuple[str, str]  # English verb with its particle or preposition, English object noun


class Question(StrEnum):
    """Yes-no questions and adverbial questions; for questions about subject or object see `Interrogative`."""

    polar = "polar"
    where = "where"
    when = "when"
    why = "why"


@dataclass(frozen=True, slots=True)
class NounPhrase:
    """A noun with its modifiers.

    ``determiner`` is an English word (the, this, a, a possessive) or empty; ``number`` is an English numeral.
    """

    noun: Noun
    determiner: str = "the"
    plural: bool = False
    adjective: Adjective | None = None
    number: str = ""
    relative: "Clause | None" = None

    @property
    def definite(self) -> bool:
        """Whether the phrase is definite: German puts such objects early and does not negate them with *kein*."""
        return self.determiner not in ("", "a")


@dataclass(frozen=True, slots=True)
class Pronoun:
    """A personal pronoun by its English subject form; ``noun`` is its antecedent, required for *it*."""

    word: str
    noun: Noun | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """The gap in a relative clause that its head noun fills."""

    noun: Noun
    plural: bool = False


@dataclass(frozen=True, slots=True)
class Interrogative:
    """*who* or *what* as subject or object."""

    word: str


@dataclass(frozen=True, slots=True)
class There:
    """The subject of *there is*, *es gibt*."""


Nominal = NounPhrase | Pronoun | Gap | Interrogative | There


@dataclass(frozen=True, slots=True)
class Phrase:
    """A prepositional phrase: *in the garden, into the house, to the station, for my son, with us, on the table*."""

    preposition: str
    german: str
    case: Case
    nominal: Nominal


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """A verb with its arguments and adjuncts; ``fronted`` is what a statement starts with: subject, time or phrase."""

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
    """A main clause, optionally with a second one after ``conjunction``; ``first``: it comes first."""

    main: Clause
    conjunction: str = ""
    second: Clause | None = None
    first: bool = False


def person(nominal: Nominal) -> Person:
    """Person and number, with which the finite verb agrees."""
    if isinstance(nominal, Pronoun):
        number = {"I": 1, "we": 1, "you": 2}.get(nominal.word, 3)
        return Person(number, nominal.word in ("we", "they"))
    return Person(3, nominal.plural if isinstance(nominal, NounPhrase | Gap) else False)


def pronoun_for(phrase: NounPhrase) -> Pronoun:
    """The pronoun that refers to a noun phrase: *they*, *he*, *she*, or *it* with the noun's gender."""
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
    """Every (verb, object noun) of a sentence.

    The noun is the object itself, the head of a relative clause whose gap is the object, or the antecedent of an object
    pronoun. Both objects of *give* count.
    """
    pairs = set()
    for clause in clauses(sentence):
        verb = " ".join(filter(None, (clause.verb.base, clause.verb.particle, clause.verb.preposition)))
        for nominal in (clause.object, clause.recipient):
            if isinstance(nominal, NounPhrase | Pronoun | Gap) and nominal.noun is not None:
                pairs.add((verb, nominal.noun.english))
    return pairs
