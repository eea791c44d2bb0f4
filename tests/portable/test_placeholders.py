"""Placeholders: what is found, and that replacing and restoring loses nothing."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.corpora.corpus import PairList
from seq2seq.corpora.mixture import MixedCorpus, WeightedCorpus
from seq2seq.portable.placeholders import SYMBOLS, PlaceholderKind, Placeholders
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.protection import protected_corpus
from seq2seq.tokenizer.tokenizer import UNK, normalize
from seq2seq.tokenizer.vocabulary import train_tokenizer

ALL = Placeholders(list(PlaceholderKind))
SAMPLES = [
    "%s",
    "%(name)s",
    "{0}",
    "${x}",
    "<b>",
    "</b>",
    "https://a.b/c?d=1",
    "me@a.org",
    "$HOME",
    "12",
    "⟨ph2⟩",
    "&nbsp;",
]
texts = st.lists(st.one_of(st.sampled_from(SAMPLES), st.text("ab .<>%{}⟨ph1⟩é", max_size=6)), max_size=14).map(" ".join)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("%s of %(name)s, %1$s: %5.2f and %d%%", ["%s", "%(name)s", "%1$s", "%5.2f", "%d"]),
        ("100% sure, 5%discount", ["100", "5"]),
        ("{} {0} {name:.2f} ${var} {{ user.name }} {a b}", ["{}", "{0}", "{name:.2f}", "${var}", "{{ user.name }}"]),
        ("<b>x</b> <a href='x y'>z</a><br/>", ["<b>", "</b>", "<a href='x y'>", "</a>", "<br/>"]),
        ("3 < 4 &amp; 5 > R&D List", ["3", "4", "&amp;", "5"]),
        ("See https://a.org/x_(y)?z=1. (http://b.de/)!", ["https://a.org/x_(y)?z=1", "http://b.de/"]),
        ("请看https://a.b/c。谢谢 第%d页 “https://a.b/c” https://a.b/A_(b)", ["https://a.b/c", "%d", "https://a.b/c", "https://a.b/A_(b)"]),
        ("1.5kg of %%d, AT&T; „https://ö.de/ä“…", ["https://ö.de/ä"]),
        ("Write to me.too+x@mail.co.uk.", ["me.too+x@mail.co.uk"]),
        ("$HOME costs $5 or 1,000.50 on 2024-01-02 v2", ["$HOME", "5", "1,000.50", "2024", "01", "02"]),
        ("a ⟨ph1⟩ b ⟨ph9⟩", ["⟨ph1⟩"]),
        ("Nothing here.", []),
    ],
)  # fmt: skip
def test_kinds(text, found):
    assert ALL.find(text) == found


def test_only_the_named_kinds_and_no_tags_of_the_model_are_found():
    text = "<bt> %s <b> {x} 7"
    assert Placeholders(["printf", "tags"], ["<bt>"]).find(text) == ["%s", "<b>"]
    assert Placeholders(["braces"]).find(text) == ["{x}"]
    assert Placeholders(["braces", "tags"], whole_words=True).find("{x} a{x} <b>y <b>") == ["{x}", "<b>"]


@given(texts)
def test_a_source_is_restored_and_contains_no_symbol_that_it_does_not_mean(text):
    symbols = ALL.symbols(text)
    replaced = ALL.replace(text, symbols)
    assert normalize(ALL.restore(replaced, symbols)) == normalize(text)
    assert set(re.findall("⟨ph[1-8]⟩", replaced)) == set(symbols.values())
    assert len(set(symbols.values())) == len(symbols) == min(len(SYMBOLS), len(set(ALL.find(text))))


@given(texts, texts)
def test_both_sides_of_a_training_pair_have_the_same_symbols(source, target):
    replaced = ALL.replace_pair(source, target)
    if source:
        first, second = (set(re.findall("⟨ph[1-8]⟩", side)) for side in replaced)
        assert first == second
        assert len(first) == min(len(SYMBOLS), len({*ALL.find(source)} & {*ALL.find(target)}))


def test_equal_strings_share_a_symbol_and_strings_of_one_side_stay():
    source, target = Placeholders(["printf"]).replace_pair("%s and %d and %s, %i", "%d %s %d %x")
    symbols = re.findall("⟨ph[1-8]⟩", source)
    assert source == f"{symbols[0]} and {symbols[1]} and {symbols[0]}, %i"
    assert target == f"{symbols[1]} {symbols[0]} {symbols[1]} %x"
    assert Placeholders(["printf"]).replace_pair("", "%s!")[1][-2:] == "⟩!"


def test_training_uses_every_symbol_and_translation_the_first_ones():
    printf = Placeholders(["printf"])
    targets = [printf.replace_pair(f"word{number} %s", "%s")[1] for number in range(200)]
    assert {*targets} == {*SYMBOLS}
    assert 60 < targets.count(SYMBOLS[0]) < 160
    assert printf.symbols("word %d %s") == {"%d": SYMBOLS[0], "%s": SYMBOLS[1]}


def test_symbols_without_a_string_are_removed_and_differences_are_counted():
    symbols = {"{x}": SYMBOLS[4]}
    assert ALL.restore(f"a {SYMBOLS[4]} b {SYMBOLS[0]} c", symbols) == "a {x} b c"
    difference = ALL.compare("{x} {x} <b>", "{x} {y} {y}")
    assert difference.lost == ("{x}", "<b>")
    assert difference.added == ("{y}", "{y}")


def test_parts_of_a_mixture_are_protected_and_their_fingerprints_change():
    part = PairList("part", [("a %s", "b %s")])
    mixture = protected_corpus(MixedCorpus([WeightedCorpus(part, 2.0)]), Placeholders(["printf"]))
    assert isinstance(mixture, MixedCorpus)
    assert mixture.parts[0].weight == 2.0
    assert "⟨ph" in next(iter(mixture)).source
    assert mixture.fingerprint != part.fingerprint
    assert mixture.fingerprint != protected_corpus(part, Placeholders(["braces"])).fingerprint
    assert protected_corpus(part, None) is part


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_symbol_is_one_token_in_every_vocabulary(algorithm):
    config = TokenizerConfig(
        algorithm=algorithm, size=30 if algorithm is Algorithm.word else 300, placeholders=["braces"]
    )
    protection = config.protection()
    text = ["Open {x} or {y}.", "Open it."] if algorithm is Algorithm.word else ["Open {x}or{y}.", "Open it."]
    corpus = protected_corpus(PairList("x", [(each, each) for each in text]), protection)
    tokenizer = train_tokenizer((pair.source for pair in corpus), config.with_symbols(), "x")
    source = "Open {new} or {z}" if algorithm is Algorithm.word else "Open {new}or{z}!"
    symbols = protection.symbols(source)
    ids = tokenizer.encode(protection.replace(source, symbols))
    assert sum(token.removeprefix("\u2581") in SYMBOLS for token in tokenizer.tokens(ids)) == 2
    if UNK not in ids:
        assert protection.restore(tokenizer.decode(ids), symbols) == source
