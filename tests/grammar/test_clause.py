from seq2seq.grammar.clause import (
    Clause,
    Gap,
    NounPhrase,
    Pronoun,
    Sentence,
    clauses,
    combinations,
    person,
    pronoun_for,
)
from seq2seq.grammar.lexicon import NOUNS, VERBS

NOUN = {noun.english: noun for noun in NOUNS}
VERB = {verb.base: verb for verb in VERBS}
MAN, BOOK = NounPhrase(NOUN["man"]), NounPhrase(NOUN["book"])


def test_person_and_number():
    assert [person(Pronoun(word)) for word in ("I", "you", "she", "we", "they")] == (
        [(1, False), (2, False), (3, False), (1, True), (3, True)]
    )
    assert person(NounPhrase(NOUN["man"], plural=True)) == (3, True)


def test_a_noun_is_referred_to_by_the_pronoun_of_its_kind():
    phrases = [MAN, NounPhrase(NOUN["woman"]), BOOK, NounPhrase(NOUN["book"], plural=True)]
    assert [pronoun_for(phrase).word for phrase in phrases] == ["he", "she", "it", "they"]


def test_combinations_include_objects_gaps_and_pronouns():
    inner = Clause(subject=Pronoun("she"), verb=VERB["lose"], object=Gap(BOOK.noun))
    main = Clause(subject=MAN, verb=VERB["find"], object=NounPhrase(BOOK.noun, relative=inner))
    second = Clause(subject=Pronoun("I"), verb=VERB["give"], object=pronoun_for(BOOK), recipient=MAN)
    sentence = Sentence(main=main, conjunction="but", second=second)
    assert list(clauses(sentence)) == [main, inner, second]
    assert combinations(sentence) == {("find", "book"), ("lose", "book"), ("give", "book"), ("give", "man")}


def test_combinations_name_verbs_with_their_particles():
    main = Clause(subject=MAN, verb=VERB["throw"], object=BOOK)
    assert combinations(Sentence(main=main)) == {("throw away", "book")}
    assert combinations(Sentence(main=Clause(subject=MAN, verb=VERB["help"], object=Pronoun("she")))) == set()
