"""Lexical entries in both languages, and the reader of the lexicon's tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Gender(StrEnum):
    """Grammatical gender of a German noun."""

    masculine = "m"
    feminine = "f"
    neuter = "n"


class Case(StrEnum):
    """The German cases in use, without the genitive."""

    nominative = "nom"
    accusative = "acc"
    dative = "dat"


class Tense(StrEnum):
    """Time of a clause. The English simple past is the German perfect, or the preterite if the verb has one here."""

    present = "present"
    past = "past"
    future = "future"


@dataclass(frozen=True, eq=False)
class Noun:
    """A noun in both languages; ``weak`` marks the n-declension (*der Junge, den Jungen*)."""

    english: str
    english_plural: str
    german: str
    german_plural: str
    gender: Gender
    weak: bool
    tags: frozenset[str]


@dataclass(frozen=True, eq=False)
class Adjective:
    """An adjective.

    Endings are added to ``stem`` (*teuer, teur-*). Only ``passing`` states go with *yesterday*, and only ``gradable``
    adjectives with *very*.
    """

    english: str
    german: str
    stem: str
    passing: bool
    gradable: bool
    tags: frozenset[str]


@dataclass(frozen=True, eq=False)
class Verb:
    """A verb in both languages.

    English has a particle (*turn it on*) or a preposition (*wait for it*). German has a separable ``prefix``, a
    ``changed`` stem for *du* and *er* (*sieh-*), a participle without prefix, optionally a ``preterite`` that replaces
    the perfect, and governs its object by ``case``, optionally after ``german_preposition``.
    """

    base: str
    past: str
    particle: str
    preposition: str
    german: str
    prefix: str
    changed: str
    participle: str
    preterite: str
    moves: bool  # perfect with sein
    case: Case
    german_preposition: str
    tags: frozenset[str]  # of its objects
    flags: frozenset[str]


@dataclass(frozen=True, eq=False)
class Modal:
    """A modal verb: English ``finite`` + ``rest``, its negated form, and the keys of its German forms."""

    finite: str
    rest: str
    denied: str
    german: str
    german_denied: str


@dataclass(frozen=True, eq=False)
class Adverb:
    """An adverb of time with its compatible tenses; ``modal`` among them: compatible with modal verbs."""

    english: str
    german: str
    tenses: frozenset[str]
    habitual: bool = False


def _rows(table: str) -> Iterator[list[list[str]]]:
    """Lines of a table as columns of words."""
    for line in table.strip().splitlines():
        yield [column.split() for column in line.split("|")]


def read_nouns(table: str) -> Iterator[Noun]:
    """Lines ``singular plural | Singular Plural gender [weak] | tags``; a dash is a plural that is not used."""
    for (english, plural), (german, german_plural, gender, *weak), tags in _rows(table):
        yield Noun(english, plural, german, german_plural, Gender(gender), bool(weak), frozenset(tags))


def read_adjectives(table: str) -> Iterator[Adjective]:
    """Lines ``English | German [stem] | tags [passing] [absolute]``."""
    for english, german, tags in _rows(table):
        kinds = frozenset(tags) - {"passing", "absolute"}
        yield Adjective(english[0], german[0], german[-1], "passing" in tags, "absolute" not in tags, kinds)


def read_verbs(table: str) -> Iterator[Verb]:
    """Lines of five columns, as the lexicon describes them above its verbs."""
    for (english, past), (infinitive, *forms), (case, *preposition), tags, *flags in _rows(table):
        particle = english.partition("~")[2]
        base, _, english_preposition = english.partition("~")[0].partition("_")
        prefix, _, german = infinitive.rpartition("+")
        marked = {form[0]: form[1:] for form in forms if form[0] in "*="}
        plain = [form for form in forms if form[0] not in "*=" and form != "sein"]
        yield Verb(
            base, past, particle, english_preposition, german, prefix, marked.get("*", ""), "".join(plain),
            marked.get("=", ""), "sein" in forms, Case(case), "".join(preposition), frozenset(tags),
            frozenset(*flags),
        )  # fmt: skip
