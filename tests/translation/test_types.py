"""Requests, glossaries, and joined translations of segments."""

import math
from dataclasses import replace

import pytest
from translators import translator

from seq2seq import Copy, Request, SearchConfig, Translation
from seq2seq.errors import DataError
from seq2seq.portable.translation import join_translations
from seq2seq.translation.types import Glossary

ONE = Translation("The dog.", "Der Hund.", -1.0, -3.0, ("▁Der", "▁Hund."), ("▁The", "▁dog."))
TWO = Translation("A cat.", "Eine Katze.", -2.0, -4.0, ("▁Eine", "▁Katze", "."), ("▁A", "▁cat."))
NONE = Translation("?", "", -5.0, -5.0)


def test_requests_are_accepted_like_strings():
    own = translator()
    assert own.translate(Request("Wir.")) == own.translate("Wir.")
    assert own.translate([Request("Wir.", "Das")]) == [own.translate("Wir.", prefix="Das")]
    assert own.translate("Wir.", phrases=["Haus"]) == own.translate(Request("Wir.", phrases=("Haus",)))
    mixed = own.translate_all(iter(["Wir.", Request("Wir.", "Das")]), prefix="Wo")
    for result, prefix in zip(mixed, ("Wo", "Das"), strict=True):  # a request has its own constraints
        alone = own.translate("Wir.", prefix=prefix)
        assert result.tokens == alone.tokens
        assert result.score == pytest.approx(alone.score, rel=1e-6)  # rounding depends on how many share a batch


def test_str_of_a_translation_and_copy_values():
    assert str(Translation("a", "b", 0.0, 0.0)) == "b"
    assert [Copy(name) for name in ("none", "unknown", "numbers", "all")] == list(Copy)


def test_joining_sums_log_probabilities():
    translation = join_translations(Translation, "The dog. A cat. ?", [ONE, TWO, NONE], 1.0)
    assert (translation.source, translation.text) == ("The dog. A cat. ?", "Der Hund. Eine Katze.")
    assert translation.log_probability == -12
    assert translation.score == pytest.approx(-12 / (2 + 3 + 0 + 3))  # tokens, and EOS of each part
    assert translation.tokens == ONE.tokens + TWO.tokens
    assert translation.source_tokens == ONE.source_tokens + TWO.source_tokens
    assert (translation.attention, translation.n_best) == (None, ())


def test_joining_combines_n_best_lists_by_rank():
    other = Translation("A cat.", "Katze.", -math.inf, -math.inf, ("▁Katze.",))
    parts = [
        Translation("The dog.", "Der Hund.", -1.0, -3.0, n_best=(ONE, NONE)),
        Translation("A cat.", "Eine Katze.", -2.0, -4.0, n_best=(TWO, other)),
    ]
    translation = join_translations(Translation, "The dog. A cat.", parts, 1.0)
    assert [str(alternative) for alternative in translation.n_best] == ["Der Hund. Eine Katze.", "Katze."]
    assert translation.n_best[1].log_probability == -math.inf


def test_joining_takes_the_mean_utility():
    best, second = replace(ONE, utility=0.5), replace(ONE, utility=0.25)
    parts = [replace(best, n_best=(best, second)), replace(TWO, utility=1.0, n_best=(replace(TWO, utility=0.75),) * 2)]
    joined = join_translations(Translation, "The dog. A cat.", parts, 1.0)
    assert joined.utility == 0.75
    assert [each.utility for each in joined.n_best] == [0.625, 0.5]
    assert join_translations(Translation, "The dog. A cat.", [ONE, TWO], 1.0).utility is None


def test_a_long_text_has_a_utility():
    search = SearchConfig(method="minimum_bayes_risk", samples=3, max_length_ratio=0.0, max_length_offset=4, n_best=2)
    long = translator().translate("Wir arbeiten. " * 80, search=search)
    assert 0 < long.utility <= 1
    assert long.n_best[0].utility == pytest.approx(long.utility)


def test_joining_no_parts_gives_empty_text():
    assert join_translations(Translation, " ", [], 1.0) == Translation(" ", "", 0.0, 0.0)


TERMS = Glossary([("key", "Schlüssel"), ("front door key", "Haustürschlüssel"), ("C++", "C++"), ("Man", "Mann")])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Where is my key?", ("Schlüssel",)),
        ("my front  door KEY, man", ("Haustürschlüssel", "Mann")),
        ("keys and monkeys and a woman", ()),
        ("a key and a key", ("Schlüssel",)),
        ("in C++, and C++", ("C++",)),
        ("", ()),
    ],
)
def test_glossary_terms_match_whole_words_in_any_case(source, expected):
    assert TERMS.phrases(source) == expected


@pytest.mark.parametrize(
    ("term", "inside", "alone"),
    [
        ("कल", "कला सुंदर है", "कल आना"),
        ("कम", "इसमें कमी है", "कम पानी"),
        ("বই", "বইটি", "এই বই"),
        ("ọkọ", "Ọkọ̀ náà", "Ọkọ náà"),
        ("മല", "മലയാളം", "മല."),
        ("шалом", "шало́м", "Шалом!"),
    ],
)
def test_glossary_terms_do_not_match_before_marks(term, inside, alone):
    terms = Glossary([(term, "x"), ("y", "z")])
    assert terms.phrases(inside) == ()
    assert terms.phrases(alone) == ("x",)


@pytest.mark.parametrize(
    ("term", "source"),
    [
        ("猫", "猫が好き"),
        ("猫", "私の猫です"),
        ("東京", "東京タワー"),
        ("ราคา", "ตรวจสอบราคาสินค้า"),
        ("NHK", "私はNHKを見る"),
    ],
)
def test_glossary_terms_match_in_scripts_without_spaces(term, source):
    assert Glossary([(term, "x")]).phrases(source) == ("x",)


def test_glossary_file_has_one_term_per_line(tmp_path):
    path = tmp_path / "terms.tsv"
    path.write_text("key\tSchlüssel\n\n the  man \tder Mann\n", encoding="utf-8")
    assert Glossary.load(path).phrases("The man has a key.") == ("der Mann", "Schlüssel")
    assert Glossary([]).phrases("key") == ()
    path.write_text("key\tSchlüssel\nman Mann\n", encoding="utf-8")
    with pytest.raises(
        DataError, match=r"terms.tsv, line 2: a term, a tab and its translation are needed, got 'man Mann'$"
    ):
        Glossary.load(path)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ([("cat", "Katze"), (" ", "X")], "blank term or translation"),
        ([("cat", " ")], "blank term or translation"),
        ([("Polish", "polnisch"), ("polish", "polieren")], r"'polish' as 'polnisch' and as 'polieren' .*keep one"),
    ],
)
def test_a_glossary_with_a_blank_or_ambiguous_term_is_refused(terms, message):
    with pytest.raises(DataError, match=message):
        Glossary(terms)
    assert Glossary([("Cat", "Katze"), ("cat", "Katze")]).phrases("A CAT") == ("Katze",)
