"""Draws semantically plausible noun phrases and clauses: subject, verb, object, tense, time and place."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from random import Random
from typing import TypeVar

from seq2seq.grammar.clause import Clause, Gap, Nominal, NounPhrase, Phrase, Pronoun, person
from seq2seq.grammar.lexicon import ADJECTIVES, BE, FREQUENCIES, MODALS, NOUNS, NUMBERS, POSSESSIVES, TIMES, VERBS
from seq2seq.grammar.words import Adjective, Adverb, Case, Modal, Noun, Tense, Verb

T = TypeVar("T")
_NUMBERS, _OWNERS = tuple(NUMBERS), tuple(POSSESSIVES)
# *I* and *you* are twice as frequent, because only they have their verb forms.
_SPEAKERS = ("I", "I", "you", "you", "he", "she", "we", "they")


@cache
def nouns_tagged(tags: frozenset[str]) -> tuple[Noun, ...]:
    """Nouns with at least one of the tags, in the lexicon's order."""
    return tuple(noun for noun in NOUNS if noun.tags & tags)


@cache
def adjectives_of(noun: Noun) -> tuple[Adjective, ...]:
    """Adjectives that suit a noun."""
    return tuple(adjective for adjective in ADJECTIVES if adjective.tags & noun.tags)


@cache
def verbs_for(noun: Noun) -> tuple[Verb, ...]:
    """Verbs with an accusative object, without preposition, that a person can do to this noun."""
    simple = (verb for verb in VERBS if not verb.german_preposition and verb.case is Case.accusative)
    return tuple(verb for verb in simple if verb.tags & noun.tags and not verb.flags & {"recipient", "makes"})


@cache
def _times(tense: str, habitual: bool) -> tuple[Adverb, ...]:
    return tuple(time for time in TIMES if tense in time.tenses and (habitual or not time.habitual))


def tags(*names: str) -> frozenset[str]:
    """A set of tags, for `nouns_tagged`."""
    return frozenset(names)


class Sampler:
    """Draws phrases and clauses from one stream of random numbers."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.random.random() < probability

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, with equal probabilities."""
        return options[int(self.random.random() * len(options))]

    def noun_phrase(
        self, noun: Noun, *, definite: bool = False, bare: bool = False, plurals: bool = True, adjectives: float = 0.3
    ) -> NounPhrase:
        """A noun with determiner and perhaps number and adjective; ``bare`` also allows *books* and *fresh milk*."""
        adjective = self.pick(adjectives_of(noun)) if adjectives_of(noun) and self.chance(adjectives) else None
        owned = bool(noun.tags & {"owned", "known", "family"})
        own = self.pick(_OWNERS) if owned and self.chance(0.3) else ""
        known = own or ("this" if self.chance(0.12) else "the")
        if "family" in noun.tags:
            plural = "one" not in noun.tags and plurals and self.chance(0.15)
            return NounPhrase(noun, own or self.pick(_OWNERS), plural, adjective)
        if "mass" in noun.tags:
            return NounPhrase(noun, known if definite or not bare or self.chance(0.4) else "", False, adjective)
        if not (plurals and self.chance(0.22)):
            return NounPhrase(noun, known if definite or self.chance(0.65) else "a", False, adjective)
        if definite or self.chance(0.55):
            return NounPhrase(noun, known, True, adjective)
        number = "" if bare and self.chance(0.5) else self.pick(_NUMBERS)
        determiner = "" if bare or number else known
        return NounPhrase(noun, determiner, True, adjective, number)

    def subject(self, verb: Verb, *, definite: bool = False, pronouns: float = 0.33) -> Nominal:
        """A subject that suits the verb."""
        if "thing" in verb.flags:
            return self.noun_phrase(self.pick(nouns_tagged(tags("portable", "vehicle"))), definite=True)
        if self.chance(pronouns):
            return Pronoun(self.pick(_SPEAKERS))
        kinds = tags("person", "animal") if "animal" in verb.flags and self.chance(0.3) else tags("person")
        return self.noun_phrase(self.pick(nouns_tagged(kinds)), definite=definite)

    def object(self, verb: Verb, subject: Nominal, *, negated: bool = False) -> Nominal:
        """An object that suits the verb and differs from the subject."""
        if "person" in verb.tags and self.chance(0.12):
            spoken = isinstance(subject, Pronoun) and subject.word in ("I", "you", "we")
            return Pronoun(self.pick(("he", "she", "they") if spoken else ("I", "you", "he", "she", "we", "they")))
        options = nouns_tagged(verb.tags)
        noun = self.pick(options)
        while noun is getattr(subject, "noun", None):
            noun = self.pick(options)
        phrase = self.noun_phrase(
            noun,
            definite="definite" in verb.flags or (negated and bool(verb.german_preposition)),
            bare=not verb.german_preposition,
            plurals=not (verb.german_preposition and "place" in noun.tags),
        )
        return replace(phrase, number="") if negated and phrase.number and not phrase.definite else phrase

    def mood(self, verb: Verb, subject: Nominal) -> tuple[Tense, Modal | None]:
        """A tense, or a modal verb in the present. *We read it* is always present, because its past looks the same."""
        draw = self.random.random()
        past = verb.past != verb.base or person(subject) == (3, False)
        if "stative" in verb.flags:
            return (Tense.past if draw < 0.3 and past else Tense.present), None
        if draw < 0.36 or (draw < 0.66 and not past) or (draw >= 0.66 and "unwilled" in verb.flags):
            return Tense.present, None
        if draw < 0.66:
            return Tense.past, None
        return (Tense.future, None) if draw < 0.76 else (Tense.present, self.pick(MODALS))

    def when(self, clause: Clause, probability: float = 0.4) -> Clause:
        """The clause with an adverb of time or frequency, or neither."""
        if "stative" in clause.verb.flags:
            return clause
        if self.chance(probability):
            habitual = not clause.negated and "once" not in clause.verb.flags
            tense = "modal" if clause.modal is not None else clause.tense.value
            return replace(clause, time=self.pick(_times(tense, habitual)))
        often = clause.modal is None and clause.tense is not Tense.future and not clause.negated
        return replace(clause, frequency=self.pick(FREQUENCIES)) if often and self.chance(0.2) else clause

    def phrase(self, verb: Verb, subject: Nominal) -> Phrase | None:
        """A prepositional phrase that the verb allows, or none."""
        draw, flags = self.random.random(), verb.flags
        if "goal" in flags or ("direction" in flags and draw < 0.4):
            return self.place("goal", "to", "zu", Case.dative)
        if "direction" in flags:
            return self.place("inside", "into", "in", Case.accusative)
        if draw < 0.15 and flags & {"for", "with"}:
            other = self.pick(nouns_tagged(tags("person")))
            if other is getattr(subject, "noun", None):
                return None
            nominal = self.noun_phrase(other, definite=True)
            if "for" in flags:
                return Phrase("for", "für", Case.accusative, nominal)
            return Phrase("with", "mit", Case.dative, nominal)
        if draw < 0.4 and "place" in flags:
            return self.place("inside", "in", "in", Case.dative)
        return None

    def place(self, tag: str, preposition: str, german: str, case: Case) -> Phrase:
        """A preposition before one definite place."""
        noun = self.pick(nouns_tagged(tags(tag)))
        return Phrase(preposition, german, case, self.noun_phrase(noun, definite=True, plurals=False, adjectives=0.2))

    def clause(
        self,
        *,
        verb: Verb | None = None,
        subject: Nominal | None = None,
        object: Nominal | None = None,
        deniable: bool = True,
        plain: bool = False,
        pronouns: float = 0.33,
    ) -> Clause:
        """A clause with the subject first.

        Args:
            verb, subject, object: fixed parts; None: drawn.
            deniable: allows negation.
            plain: leaves out most prepositional phrases.
            pronouns: share of pronouns among subjects.
        """
        verb = verb or self.pick(VERBS)
        negated = deniable and self.chance(0.2)
        subject = subject or self.subject(verb, definite=negated, pronouns=pronouns)
        tense, modal = self.mood(verb, subject)
        if negated and modal is not None and not modal.denied:
            negated = False
        if object is None and verb.tags:
            object = self.object(verb, subject, negated=negated)
        clause = Clause(subject=subject, verb=verb, tense=tense, modal=modal, negated=negated, object=object)
        if "recipient" in verb.flags:
            clause = replace(clause, recipient=self.recipient(subject, negated))
        if plain and not verb.flags & {"direction", "goal"}:
            return self.when(clause, 0.25)
        return self.when(replace(clause, phrase=self.phrase(verb, subject)))

    def recipient(self, subject: Nominal, negated: bool) -> Nominal:
        """The indirect object: a person other than the subject."""
        spoken = isinstance(subject, Pronoun) and subject.word in ("I", "you", "we")
        if self.chance(0.25):
            return Pronoun(self.pick(("he", "she", "they") if spoken else ("I", "you", "he", "she", "we", "they")))
        options = nouns_tagged(tags("person"))
        noun = self.pick(options)
        while noun is getattr(subject, "noun", None):
            noun = self.pick(options)
        return self.noun_phrase(noun, definite=negated)

    def copula(self, subject: Nominal, noun: Noun) -> Clause:
        """*The house is (not) (very) old*, with an adjective that suits the subject's noun."""
        used = subject.adjective if isinstance(subject, NounPhrase) else None
        adjective = self.pick([option for option in adjectives_of(noun) if option is not used])
        tense = Tense.past if self.chance(0.25) else Tense.present
        degree = self.pick(("very", "too")) if adjective.gradable and self.chance(0.25) else ""
        clause = Clause(subject=subject, verb=BE, tense=tense, predicate=adjective, degree=degree)
        if self.chance(0.15):
            clause = replace(clause, negated=True)
        times = _times(tense.value, habitual=False)
        return replace(clause, time=self.pick(times)) if adjective.passing and self.chance(0.3) else clause

    def relative(self, head: NounPhrase, main: Verb) -> NounPhrase:
        """The noun phrase with a relative clause in which it is the subject or an object.

        The clause's verb differs from the ``main`` one, to avoid *the man whom she helps helps her*.
        """
        head, gap = replace(head, determiner="the"), Gap(head.noun, head.plural)
        if "person" in head.noun.tags and self.chance(0.5):
            verb = self.pick([option for option in VERBS if "thing" not in option.flags and option is not main])
            return replace(head, relative=self.clause(verb=verb, subject=gap, deniable=False, plain=True))
        fitting = (verb for verb in VERBS if verb.tags & head.noun.tags and "recipient" not in verb.flags)
        verb = self.pick([verb for verb in fitting if verb is not main])
        subject = self.subject(verb, definite=True, pronouns=0.5)
        while getattr(subject, "noun", None) is head.noun:
            subject = self.subject(verb, definite=True, pronouns=0.5)
        return replace(head, relative=self.clause(verb=verb, subject=subject, object=gap, deniable=False, plain=True))
