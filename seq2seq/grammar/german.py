"""German inflection: articles, adjective endings, nouns, pronouns and verbs, in the tables of a grammar book."""

from functools import cache
from typing import NamedTuple

from seq2seq.grammar.words import Adjective, Case, Gender, Noun, Verb

# Rows are cases; columns are masculine, feminine, neuter, plural. A dash is no ending.
_TABLES = {
    "definite": {"nom": "der die das die", "acc": "den die das die", "dat": "dem der dem den"},
    "relative": {"nom": "der die das die", "acc": "den die das die", "dat": "dem der dem denen"},
    "dieser": {"nom": "er e es e", "acc": "en e es e", "dat": "em er em en"},
    "ein": {"nom": "- e - e", "acc": "en e - e", "dat": "em er em en"},
    "weak": {"nom": "e e e en", "acc": "en e e en", "dat": "en en en en"},
    "mixed": {"nom": "er e es en", "acc": "en e es en", "dat": "en en en en"},
    "strong": {"nom": "er e es e", "acc": "en e es e", "dat": "em er em en"},
}
_PRONOUNS = {
    "I": "ich mich mir", "you": "du dich dir", "he": "er ihn ihm", "she": "sie sie ihr", "we": "wir uns uns",
    "they": "sie sie ihnen", "it m": "er ihn ihm", "it f": "sie sie ihr", "it n": "es es ihm",
    "who": "wer wen wem", "what": "was was -",
}  # fmt: skip
# Present tense of ich, du, er, wir, (ihr is not used), sie.
_IRREGULAR = {
    "sein": "bin bist ist sind sind", "haben": "habe hast hat haben haben", "werden": "werde wirst wird werden werden",
    "mögen": "mag magst mag mögen mögen", "wollen": "will willst will wollen wollen",
    "können": "kann kannst kann können können", "müssen": "muss musst muss müssen müssen",
    "dürfen": "darf darfst darf dürfen dürfen", "sollte": "sollte solltest sollte sollten sollten",
    "möchte": "möchte möchtest möchte möchten möchten",
}  # fmt: skip
_CONTRACTIONS = {"in dem": "im", "in das": "ins", "zu dem": "zum", "zu der": "zur", "von dem": "vom", "an dem": "am"}


class Person(NamedTuple):
    """Grammatical person (1, 2, 3) and number, with which finite verbs agree."""

    person: int
    plural: bool


@cache
def _cell(table: str, gender: Gender, plural: bool, case: Case) -> str:
    column = 3 if plural else "mfn".index(gender.value)
    return _TABLES[table][case.value].split()[column].replace("-", "")


def definite_article(gender: Gender, plural: bool, case: Case) -> str:
    """*der, die, das …*"""
    return _cell("definite", gender, plural, case)


def relative_pronoun(gender: Gender, plural: bool, case: Case) -> str:
    """*der, die, das …*, but *denen* in the dative plural."""
    return _cell("relative", gender, plural, case)


def declined_determiner(stem: str, gender: Gender, plural: bool, case: Case) -> str:
    """*ein, kein, mein …* and *dies-* with their endings."""
    return stem + _cell("dieser" if stem == "dies" else "ein", gender, plural, case)


def declined_adjective(adjective: Adjective, declension: str, gender: Gender, plural: bool, case: Case) -> str:
    """The attributive form; ``declension`` is weak (*der, dieser*), mixed (*ein, kein, mein*) or strong (bare)."""
    return adjective.stem + _cell(declension, gender, plural, case)


def declined_noun(noun: Noun, plural: bool, case: Case) -> str:
    """The noun in its case: n-declension in the singular, *-n* in the dative plural."""
    if plural:
        return noun.german_plural + ("n" if case is Case.dative and noun.german_plural[-1] not in "ns" else "")
    if noun.weak and case is not Case.nominative:
        return noun.german + ("n" if noun.german[-1] in "er" else "en")
    return noun.german


def pronoun(word: str, case: Case, gender: Gender = Gender.neuter) -> str:
    """The German of an English subject pronoun, of *who* or *what*; *it* takes the ``gender`` of its antecedent."""
    key = f"it {gender.value}" if word == "it" else word
    return _PRONOUNS[key].split()[list(Case).index(case)]


def contracted(preposition: str, phrase: list[str]) -> list[str]:
    """A preposition before a phrase, contracted with a following article: *in dem* to *im*."""
    short = _CONTRACTIONS.get(f"{preposition} {phrase[0]}")
    return [short, *phrase[1:]] if short else [preposition, *phrase]


def _column(who: Person) -> int:
    return (3 if who.person == 1 else 4) if who.plural else who.person - 1


@cache
def irregular_present(infinitive: str, who: Person) -> str:
    """Present tense of *sein, haben, werden* and the modal verbs."""
    return _IRREGULAR[infinitive].split()[_column(who)]


def _needs_e(stem: str) -> bool:
    """Whether *-st* and *-t* need an *e* before them: *arbeitet, findet, zeichnet*, but not *weint, lernt, wohnt*."""
    return stem[-1] in "td" or (stem[-1] in "nm" and (stem[-2] not in "aeiouäöülrhnm" or stem[-3:-1] == "ch"))


@cache
def present(verb: Verb, who: Person) -> str:
    """Present tense without separable prefix."""
    if verb.german in _IRREGULAR:
        return irregular_present(verb.german, who)
    stem = verb.german.removesuffix("en")
    if who.plural:
        return verb.german
    if who.person == 1:
        return stem + "e"
    link = "e" if _needs_e(stem) and not verb.changed else ""
    stem = verb.changed or stem
    if who.person == 3:
        return stem + link + "t"
    return stem + link + ("t" if stem[-1] in "sßz" else "st")


@cache
def preterite(verb: Verb, who: Person) -> str:
    """Simple past of the verbs that prefer it to the perfect (*war, hatte, mochte, kannte, gab*)."""
    ending = {(2, False): "st"}.get(who, "")
    if who.plural:
        ending = "n" if verb.preterite.endswith("e") else "en"
    return verb.preterite + ending


def infinitive(verb: Verb) -> str:
    """The infinitive with its separable prefix: *aufmachen*."""
    return verb.prefix + verb.german


def participle(verb: Verb) -> str:
    """The past participle with its separable prefix: *aufgemacht*."""
    return verb.prefix + verb.participle
