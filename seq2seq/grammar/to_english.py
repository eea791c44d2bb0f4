"""Realizes a sentence in English: do-support, agreement, *a* or *an*, particles, relative clauses with stranding."""

from functools import cache

from seq2seq.grammar.clause import (
    Clause,
    Gap,
    Interrogative,
    Nominal,
    NounPhrase,
    Pronoun,
    Question,
    Sentence,
    There,
    person,
)
from seq2seq.grammar.german import Person
from seq2seq.grammar.words import Tense

_OBJECTIVE = {"I": "me", "he": "him", "she": "her", "we": "us", "they": "them", "who": "whom"}


def english(sentence: Sentence) -> str:
    """The text of a sentence, with capital, and full stop or question mark."""
    main = _clause(sentence.main)
    asks = sentence.main.question or any(
        isinstance(n, Interrogative) for n in (sentence.main.subject, sentence.main.object)
    )
    words = main
    if sentence.second is not None:
        second = [sentence.conjunction, *_clause(sentence.second)]
        comma = [","] if sentence.conjunction in ("but", "and") else []
        words = [*second, ",", *main] if sentence.first else [*main, *comma, *second]
    text = " ".join(words).replace(" ,", ",")
    return text[0].upper() + text[1:] + ("?" if asks else ".")


def third_singular(base: str) -> str:
    """*buys, washes, cries, goes*."""
    if base == "have":
        return "has"
    if base.endswith("y") and base[-2] not in "aeiou":
        return base[:-1] + "ies"
    return base + ("es" if base.endswith(("s", "sh", "ch", "x", "o")) else "s")


def _be(tense: Tense, who: Person) -> str:
    plural = who.plural or who.person == 2
    if tense is Tense.past:
        return "were" if plural else "was"
    return "are" if plural else "am" if who.person == 1 else "is"


def _do(tense: Tense, who: Person) -> str:
    return "did" if tense is Tense.past else "does" if who == (3, False) else "do"


def _verb_group(clause: Clause, inverted: bool) -> tuple[str, list[str], bool]:
    """Finite verb, the rest of the verb group, and whether the finite verb is an auxiliary (or *be*)."""
    verb, tense, modal = clause.verb, clause.tense, clause.modal
    agrees = clause.object if isinstance(clause.subject, There) and clause.object else clause.subject
    who = person(agrees)
    denial = ["not"] if clause.negated else []
    if modal is not None and modal.finite != "want":
        finite = modal.denied if clause.negated else modal.finite
        return finite, [*denial, *modal.rest.split(), verb.base], True
    if tense is Tense.future:
        return "will", [*denial, verb.base], True
    if verb.base == "be":
        return _be(tense, who), denial, True
    base, rest = (modal.finite, [modal.rest, verb.base]) if modal else (verb.base, [])
    if inverted or clause.negated:
        return _do(tense, who), [*denial, base, *rest], True
    if tense is Tense.past:
        return verb.past, rest, False
    return third_singular(base) if who == (3, False) else base, rest, False


def _clause(clause: Clause) -> list[str]:
    """The words of a clause in the order of its type."""
    front: list[str] = []
    if clause.question not in (None, Question.polar):
        front = [str(clause.question)]
    elif isinstance(clause.object, Gap | Interrogative):
        front = _nominal(clause.object, objective=True)
    elif clause.fronted == "time" and clause.time is not None:
        front = [clause.time.english]
    elif clause.fronted == "phrase":
        front = _phrase(clause)
    inverted = clause.question is not None or isinstance(clause.object, Interrogative)
    finite, rest, auxiliary = _verb_group(clause, inverted)
    subject = _nominal(clause.subject, objective=False)
    often = [clause.frequency.english] if clause.frequency is not None else []
    if inverted:
        words = [finite, *subject, *often, *rest]
    else:
        words = [*subject, finite, *often, *rest] if auxiliary else [*subject, *often, finite, *rest]
    text = " ".join([*front, *words, *_complements(clause)])
    return text.replace("can not", "cannot").split()


def _complements(clause: Clause) -> list[str]:
    """Everything after the verb: objects, predicate, phrase, time."""
    verb, words = clause.verb, []
    particle = [verb.particle] if verb.particle else []
    given = clause.object
    moved = given is None or isinstance(given, Gap | Interrogative)
    objects = [] if given is None or moved else _nominal(given, objective=True)
    if verb.preposition:
        words += [verb.preposition, *objects]
    elif clause.recipient is not None:
        recipient = _nominal(clause.recipient, objective=True)
        short = moved or isinstance(given, Pronoun)
        words += [*objects, "to", *recipient] if short else [*recipient, *objects]
    else:
        words += [*objects, *particle] if isinstance(given, Pronoun) else [*particle, *objects]
    if clause.predicate is not None:
        words += [clause.degree, clause.predicate.english] if clause.degree else [clause.predicate.english]
    if clause.phrase is not None and clause.fronted != "phrase":
        words += _phrase(clause)
    if clause.time is not None and clause.fronted != "time":
        words.append(clause.time.english)
    return words


def _phrase(clause: Clause) -> list[str]:
    assert clause.phrase is not None
    return [clause.phrase.preposition, *_nominal(clause.phrase.nominal, objective=True)]


def _nominal(nominal: Nominal, objective: bool) -> list[str]:
    match nominal:
        case NounPhrase():
            return _noun_phrase(nominal)
        case Gap():
            word = "who" if "person" in nominal.noun.tags else "that"
        case There():
            word = "there"
        case Pronoun() | Interrogative():
            word = nominal.word
    return [_OBJECTIVE.get(word, word) if objective else word]


def _noun_phrase(phrase: NounPhrase) -> list[str]:
    noun = phrase.noun.english_plural if phrase.plural else phrase.noun.english
    determiner = "these" if phrase.determiner == "this" and phrase.plural else phrase.determiner
    adjective = phrase.adjective.english if phrase.adjective is not None else ""
    words = list(filter(None, (determiner, phrase.number, adjective, noun)))
    if determiner == "a":
        words[0] = indefinite_article(words[1])
    return words + (_clause(phrase.relative) if phrase.relative is not None else [])


@cache
def indefinite_article(word: str) -> str:
    """*a* or *an*, by the first letter; in this lexicon spelling and pronunciation agree."""
    return "an" if word[0] in "aeiou" else "a"
