from seq2seq.grammar.words import Case, Gender, read_adjectives, read_nouns, read_verbs


def test_a_noun_line_gives_both_languages_gender_declension_and_tags():
    (noun,) = read_nouns("boy boys | Junge Jungen m weak | person child")
    assert (noun.english, noun.english_plural, noun.german, noun.german_plural) == ("boy", "boys", "Junge", "Jungen")
    assert noun.gender is Gender.masculine
    assert noun.weak
    assert noun.tags == {"person", "child"}


def test_an_adjective_line_may_give_another_stem_and_marks():
    table = "expensive | teuer teur | a\ntired | müde müd | b passing\nred | rot | absolute"
    expensive, tired, red = read_adjectives(table)
    assert (expensive.german, expensive.stem, expensive.gradable) == ("teuer", "teur", True)
    assert tired.passing
    assert tired.tags == {"b"}
    assert (red.stem, red.gradable, red.passing) == ("rot", False, False)


def test_a_verb_line_gives_particle_preposition_prefix_and_forms():
    (invite, wait, put) = read_verbs(
        "invite invited | ein+laden *läd geladen | acc | person |\n"
        "wait_for waited | warten gewartet | acc auf | person | place\n"
        "put~on put | an+ziehen gezogen | acc | clothing |"
    )
    assert (invite.prefix, invite.german, invite.changed, invite.participle) == ("ein", "laden", "läd", "geladen")
    assert (wait.base, wait.preposition, wait.case, wait.german_preposition) == ("wait", "for", Case.accusative, "auf")
    assert (put.base, put.particle, put.moves) == ("put", "on", False)
    (follow,) = read_verbs("follow followed | folgen gefolgt sein | dat | person | animal")
    assert follow.moves
    assert follow.participle == "gefolgt"
