from collections import Counter

from seq2seq.grammar.lexicon import ADJECTIVES, MODALS, NOUNS, REPORTS, TIMES, VERBS


def test_every_word_has_one_translation_in_either_direction():
    for words in ([noun.english for noun in NOUNS], [noun.german for noun in NOUNS],
                  [adjective.english for adjective in ADJECTIVES], [adjective.german for adjective in ADJECTIVES],
                  [(verb.base, verb.particle, verb.preposition) for verb in (*VERBS, *REPORTS)],
                  [(verb.prefix, verb.german) for verb in (*VERBS, *REPORTS)],
                  [time.english for time in TIMES], [time.german for time in TIMES]):  # fmt: skip
        assert [word for word, count in Counter(words).items() if count > 1] == []


def test_every_tag_required_by_a_verb_or_adjective_belongs_to_a_noun():
    tags = frozenset[str]().union(*(noun.tags for noun in NOUNS))
    for word in (*ADJECTIVES, *VERBS):
        assert word.tags <= tags, word


def test_the_lexicon_is_small_enough_for_a_small_model():
    assert 60 <= len(NOUNS) <= 110
    assert 40 <= len(VERBS) <= 70
    assert 20 <= len(ADJECTIVES) <= 35


def test_verbs_have_several_objects_so_that_some_stay_in_training():
    for verb in VERBS:
        objects = sum(1 for noun in NOUNS if noun.tags & verb.tags)
        assert objects == 0 or objects >= 4, verb


def test_verbs_have_a_past_and_negated_modals_have_a_translation():
    assert all(verb.participle or verb.preterite for verb in VERBS)
    assert all(bool(modal.denied) == bool(modal.german_denied) for modal in MODALS)


def test_only_german_nouns_are_capitalized():
    assert all(noun.german[0].isupper() for noun in NOUNS)
    assert all(word.german[0].islower() for word in (*ADJECTIVES, *VERBS))
