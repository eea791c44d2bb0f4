"""Realizes a sentence in German: the position of the verb and the order of the other elements.

Main clauses have the finite verb second (first in yes/no questions), subordinate and relative clauses last. The order
of the elements between the two parts of the verb is: subject, object pronouns (accusative, dative), definite objects
(dative, accusative), time, frequency, *nicht*, place or company, indefinite objects, the beneficiary, prepositional
object, direction, predicate.
"""

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
from seq2seq.grammar.german import (
    contracted,
    declined_adjective,
    declined_determiner,
    declined_noun,
    definite_article,
    infinitive,
    irregular_present,
    participle,
    present,
    preterite,
    pronoun,
    relative_pronoun,
)
from seq2seq.grammar.lexicon import CONJUNCTIONS, DEGREES, NUMBERS, POSSESSIVES
from seq2seq.grammar.words import Case, Gender, Tense

_ASKING = {Question.where: "wo", Question.when: "wann", Question.why: "warum"}
_LATE = ("für", "zu")  # prepositions of phrases after an indefinite object, like *in* with accusative


def german(sentence: Sentence) -> str:
    """The text of a sentence, with capital, commas around subordinate and relative clauses, and final punctuation."""
    main, conjunction = sentence.main, CONJUNCTIONS.get(sentence.conjunction, "")
    asks = main.question or any(isinstance(nominal, Interrogative) for nominal in (main.subject, main.object))
    if sentence.second is None:
        words = _verb_second(main)
    elif sentence.conjunction in ("but", "and"):
        words = [*_verb_second(main), ",", conjunction, *_verb_second(sentence.second)]
    elif sentence.first:
        words = [conjunction, *_verb_final(sentence.second), ",", *_inverted(main)]
    else:
        words = [*_verb_second(main), ",", conjunction, *_verb_final(sentence.second)]
    text = " ".join([*words, "?" if asks else "."]).replace(" ,", ",").replace(",,", ",")
    text = text.replace(", .", ".").replace(", ?", "?").replace(" .", ".").replace(" ?", "?")
    return text[0].upper() + text[1:]


def _verbs(clause: Clause) -> tuple[str, list[str], str]:
    """Finite verb without prefix, verbs at the end of the clause, separable prefix of the finite verb."""
    verb, who = clause.verb, person(clause.subject)
    if clause.modal is not None:
        modal = clause.modal.german_denied if clause.negated else clause.modal.german
        return irregular_present(modal, who), [infinitive(verb)], ""
    if clause.tense is Tense.future:
        return irregular_present("werden", who), [infinitive(verb)], ""
    if clause.tense is Tense.present:
        return present(verb, who), [], verb.prefix
    if verb.preterite:
        return preterite(verb, who), [], verb.prefix
    return irregular_present("sein" if verb.moves else "haben", who), [participle(verb)], ""


def _verb_second(clause: Clause) -> list[str]:
    """Statement or question: one element, the finite verb, the rest, the end of the verb."""
    if clause.question is Question.polar:
        return _inverted(clause)
    if clause.question is not None:
        return [_ASKING[clause.question], *_inverted(clause)]
    if isinstance(clause.object, Interrogative):
        return [pronoun(clause.object.word, clause.verb.case), *_inverted(clause)]
    if clause.fronted == "time" and clause.time is not None:
        return [clause.time.german, *_inverted(clause, "time")]
    if clause.fronted == "phrase":
        return [*_phrase(clause), *_inverted(clause, "phrase")]
    return [*_nominal(clause.subject, Case.nominative), *_inverted(clause, "subject")]


def _inverted(clause: Clause, without: str = "") -> list[str]:
    """The clause from its finite verb on; ``without`` names the elements before the verb."""
    finite, end, prefix = _verbs(clause)
    subject = [] if without == "subject" else _nominal(clause.subject, Case.nominative)
    return [finite, *subject, *_middle(clause, without), *end, *([prefix] if prefix else [])]


def _verb_final(clause: Clause) -> list[str]:
    """Subordinate clause; in a relative one the pronoun comes first."""
    finite, end, prefix = _verbs(clause)
    subject, front = _nominal(clause.subject, Case.nominative), []
    if isinstance(clause.object, Gap):
        front = _nominal(clause.object, clause.verb.case)
        if clause.verb.german_preposition:
            front.insert(0, clause.verb.german_preposition)
    return [*front, *subject, *_middle(clause, ""), *end, prefix + finite]


def _middle(clause: Clause, without: str) -> list[str]:
    """Objects, adverbs, *nicht* and phrases, in the order given at the top of this file."""
    pronouns: list[str] = []
    definite: list[str] = []
    indefinite: list[str] = []
    governed: list[str] = []
    denied, verb = clause.negated, clause.verb
    roles = [(clause.recipient, Case.dative), (clause.object, verb.case)]
    for nominal, case in roles:
        match nominal:
            case NounPhrase() if verb.german_preposition:
                governed = contracted(verb.german_preposition, _nominal(nominal, case))
            case NounPhrase() if nominal.definite:
                definite += _nominal(nominal, case)
            case NounPhrase():
                none = clause.negated and nominal is clause.object
                denied = denied and not none
                indefinite += _noun_phrase(nominal, case, none)
            case Pronoun() if verb.german_preposition:
                governed = [verb.german_preposition, *_nominal(nominal, case)]
            case Pronoun():  # accusative before dative: the recipient comes first in the loop
                pronouns = _nominal(nominal, case) + pronouns
    phrase = _phrase(clause) if clause.phrase is not None and without != "phrase" else []
    late = clause.phrase is not None and (clause.phrase.german in _LATE or clause.phrase.case is Case.accusative)
    words = [*pronouns, *definite]
    if clause.time is not None and without != "time":
        words.append(clause.time.german)
    if clause.frequency is not None:
        words.append(clause.frequency.german)
    words += ["nicht"] if denied else []
    words += [*indefinite, *phrase] if late else [*phrase, *indefinite]
    words += governed
    if clause.predicate is not None:
        words += [DEGREES[clause.degree]] if clause.degree else []
        words.append(clause.predicate.german)
    return words


def _phrase(clause: Clause) -> list[str]:
    assert clause.phrase is not None
    return contracted(clause.phrase.german, _nominal(clause.phrase.nominal, clause.phrase.case))


def _nominal(nominal: Nominal, case: Case) -> list[str]:
    match nominal:
        case NounPhrase():
            return _noun_phrase(nominal, case, none=False)
        case Gap():
            return [relative_pronoun(nominal.noun.gender, nominal.plural, case)]
        case There():
            return ["es"]
        case Interrogative():
            return [pronoun(nominal.word, case)]
        case Pronoun():
            return [pronoun(nominal.word, case, nominal.noun.gender if nominal.noun is not None else Gender.neuter)]


def _noun_phrase(phrase: NounPhrase, case: Case, none: bool) -> list[str]:
    """Determiner, number, adjective, noun, relative clause; ``none`` replaces the indefinite article by *kein*."""
    gender, plural = phrase.noun.gender, phrase.plural
    declension, words = "mixed", []
    if none:
        words = [declined_determiner("kein", gender, plural, case)]
    elif phrase.determiner in ("the", "this"):
        the = phrase.determiner == "the"
        words = [definite_article(gender, plural, case) if the else declined_determiner("dies", gender, plural, case)]
        declension = "weak"
    elif phrase.determiner:
        words = [declined_determiner(POSSESSIVES.get(phrase.determiner, "ein"), gender, plural, case)]
    else:
        declension = "strong"
    if phrase.number:
        words.append(NUMBERS[phrase.number])
    if phrase.adjective is not None:
        words.append(declined_adjective(phrase.adjective, declension, gender, plural, case))
    words.append(declined_noun(phrase.noun, plural, case))
    return words + ([",", *_verb_final(phrase.relative), ","] if phrase.relative is not None else [])
