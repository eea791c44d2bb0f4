import pytest

from seq2seq.grammar.german import (
    Person,
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
from seq2seq.grammar.lexicon import ADJECTIVES, BE, NOUNS, THERE_IS, VERBS
from seq2seq.grammar.words import Case, Gender

COLUMNS = ((Gender.masculine, False), (Gender.feminine, False), (Gender.neuter, False), (Gender.neuter, True))
SINGULAR_AND_PLURAL = [Person(1, False), Person(2, False), Person(3, False), Person(1, True), Person(3, True)]


def noun(german):
    return next(noun for noun in NOUNS if noun.german == german)


def verb(german):
    return next(verb for verb in VERBS if infinitive(verb) == german)


def table(cell):
    """Nominative, accusative, dative rows; masculine, feminine, neuter, plural columns."""
    return [" ".join(cell(gender, plural, case) for gender, plural in COLUMNS) for case in Case]


def test_articles_and_relative_pronouns():
    assert table(definite_article) == ["der die das die", "den die das die", "dem der dem den"]
    assert table(relative_pronoun) == ["der die das die", "den die das die", "dem der dem denen"]


@pytest.mark.parametrize(("stem", "rows"), [
    ("dies", ["dieser diese dieses diese", "diesen diese dieses diese", "diesem dieser diesem diesen"]),
    ("kein", ["kein keine kein keine", "keinen keine kein keine", "keinem keiner keinem keinen"]),
    ("unser", ["unser unsere unser unsere", "unseren unsere unser unsere", "unserem unserer unserem unseren"]),
])  # fmt: skip
def test_determiners(stem, rows):
    assert table(lambda *cell: declined_determiner(stem, *cell)) == rows


@pytest.mark.parametrize(("declension", "rows"), [
    ("weak", ["alte alte alte alten", "alten alte alte alten", "alten alten alten alten"]),
    ("mixed", ["alter alte altes alten", "alten alte altes alten", "alten alten alten alten"]),
    ("strong", ["alter alte altes alte", "alten alte altes alte", "altem alter altem alten"]),
])  # fmt: skip
def test_adjective_endings(declension, rows):
    old = next(adjective for adjective in ADJECTIVES if adjective.german == "alt")
    assert table(lambda *cell: declined_adjective(old, declension, *cell)) == rows


def test_adjectives_with_another_stem():
    stems = {adjective.german: adjective.stem for adjective in ADJECTIVES if adjective.german != adjective.stem}
    assert stems == {"teuer": "teur", "müde": "müd"}


@pytest.mark.parametrize(("german", "forms"), [
    ("Junge", "Junge Jungen Jungen Jungen Jungen"),
    ("Nachbar", "Nachbar Nachbarn Nachbarn Nachbarn Nachbarn"),
    ("Student", "Student Studenten Studenten Studenten Studenten"),
    ("Mann", "Mann Mann Mann Männer Männern"),
    ("Auto", "Auto Auto Auto Autos Autos"),
    ("Mädchen", "Mädchen Mädchen Mädchen Mädchen Mädchen"),
])  # fmt: skip
def test_nouns(german, forms):
    singular = [declined_noun(noun(german), False, case) for case in Case]
    plural = [declined_noun(noun(german), True, case) for case in (Case.nominative, Case.dative)]
    assert " ".join(singular + plural) == forms


def test_it_has_the_gender_of_its_antecedent():
    assert [pronoun("it", Case.accusative, gender) for gender in Gender] == ["ihn", "sie", "es"]
    assert [pronoun("it", Case.dative, gender) for gender in Gender] == ["ihm", "ihr", "ihm"]
    assert [pronoun("who", case) for case in Case] == ["wer", "wen", "wem"]
    assert [pronoun(word, Case.dative) for word in ("I", "you", "he", "she", "we", "they")] == (
        ["mir", "dir", "ihm", "ihr", "uns", "ihnen"]
    )


def test_prepositions_contract_with_articles_only():
    assert contracted("in", ["dem", "Haus"]) == ["im", "Haus"]
    assert contracted("zu", ["der", "Schule"]) == ["zur", "Schule"]
    assert contracted("in", ["das", "alte", "Haus"]) == ["ins", "alte", "Haus"]
    assert contracted("in", ["meinem", "Haus"]) == ["in", "meinem", "Haus"]


@pytest.mark.parametrize(("german", "forms"), [
    ("kaufen", "kaufe kaufst kauft kaufen kaufen"),
    ("sehen", "sehe siehst sieht sehen sehen"),
    ("lesen", "lese liest liest lesen lesen"),
    ("essen", "esse isst isst essen essen"),
    ("arbeiten", "arbeite arbeitest arbeitet arbeiten arbeiten"),
    ("finden", "finde findest findet finden finden"),
    ("zeichnen", "zeichne zeichnest zeichnet zeichnen zeichnen"),
    ("tanzen", "tanze tanzt tanzt tanzen tanzen"),
    ("waschen", "wasche wäschst wäscht waschen waschen"),
    ("einladen", "lade lädst lädt laden laden"),
    ("fahren", "fahre fährst fährt fahren fahren"),
    ("haben", "habe hast hat haben haben"),
    ("mögen", "mag magst mag mögen mögen"),
])  # fmt: skip
def test_present(german, forms):
    assert " ".join(present(verb(german), who) for who in SINGULAR_AND_PLURAL) == forms


def test_preterite_and_modals():
    assert [preterite(BE, who) for who in SINGULAR_AND_PLURAL] == ["war", "warst", "war", "waren", "waren"]
    assert [preterite(verb("kennen"), who) for who in SINGULAR_AND_PLURAL] == (
        ["kannte", "kanntest", "kannte", "kannten", "kannten"]
    )
    assert preterite(THERE_IS, Person(3, False)) == "gab"
    assert irregular_present("wollen", Person(2, False)) == "willst"
    assert irregular_present("sein", Person(1, True)) == "sind"


def test_separable_verbs_keep_ge_inside():
    assert [participle(verb(german)) for german in ("aufmachen", "abholen", "zurückkommen", "einschlafen")] == (
        ["aufgemacht", "abgeholt", "zurückgekommen", "eingeschlafen"]
    )
    assert participle(verb("verkaufen")) == "verkauft"


def test_verbs_of_motion_and_change_take_sein():
    moving = {infinitive(verb) for verb in VERBS if verb.moves}
    assert moving == {"folgen", "bleiben", "ankommen", "aufstehen", "einschlafen", "zurückkommen", "gehen", "laufen",
                      "fahren"}  # fmt: skip
