"""The Unicode form of text, and lines that show nothing."""

import io
import unicodedata
from dataclasses import replace
from functools import lru_cache

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.errors import ConfigError
from seq2seq.portable.normalization import is_blank
from seq2seq.portable.placeholders import Placeholders
from seq2seq.tokenizer.config import TokenizerConfig, check_tag
from seq2seq.tokenizer.normalization import Normalization, normalize
from seq2seq.tokenizer.token_bytes import prefix_bytes, split_prefix
from seq2seq.tokenizer.tokenizer import Tokenizer
from seq2seq.tokenizer.vocabulary import build_tokenizers, train_tokenizer

FORMS = list(Normalization)
NFD, NFC, WIDE = "e\u0301te\u0301", "\u00e9t\u00e9", "\uff21\ufb01\u00b2"
INVISIBLE = "\u200b\u200c\u200d\u200e\u2060\ufeff\u00ad\u0000\u0007\u001b\u007f\u0085 \t\u00a0\u3000\u2581\U000e0001"
text = st.text(st.characters(exclude_categories=[])) | st.text(f"{INVISIBLE}ae\u0301\ufb01\uff21\u00b4")


@lru_cache
def tokenizer(form: Normalization) -> Tokenizer:
    config = TokenizerConfig(size=290, normalization=form, tags=["<2de>"])
    return train_tokenizer([f"a {NFD} {NFC} {WIDE}", "the cat sat"] * 5, config, "lines")


@given(text, st.sampled_from(FORMS))
def test_every_form_is_reached_at_once_and_begins_visibly(raw, form):
    once = normalize(raw, form)
    assert normalize(once, form) == once
    assert form is Normalization.none or unicodedata.is_normalized(form.upper(), once)
    assert once == "" or not (once[0].isspace() or once[0] == "\ufeff" or once[-1].isspace())
    assert (once == "") == is_blank(once) == is_blank(raw)


@given(st.text(INVISIBLE), st.text(INVISIBLE), st.sampled_from(FORMS))
def test_a_line_of_invisible_characters_is_empty_and_one_visible_character_is_enough(before, after, form):
    assert normalize(before + after, form) == ""
    assert tokenizer(form).encode(before + after) == []
    assert "x" in normalize(f"{before}x{after}", form)


@pytest.mark.parametrize("character", ["\u06dd", "\u0600", "\u0301", "\u200b.", "\u2800", "\ufffd"])
def test_what_is_drawn_is_not_blank(character):
    assert not is_blank(character)
    assert normalize(character)


@pytest.mark.parametrize("form", FORMS)
def test_joiners_inside_text_stay_and_byte_order_marks_before_it_go(form):
    persian, family = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\U0001f469\u200d\U0001f467"
    assert normalize(f"\ufeff \ufeff{persian} {family}", form) == f"{persian} {family}"
    assert prefix_bytes("\u0645\u06cc\u200c", form) == " \u0645\u06cc\u200c".encode()  # the word goes on
    assert split_prefix("a \u0645\u06cc\u200c", form) == ("a", "\u0645\u06cc\u200c")


@pytest.mark.parametrize(
    ("form", "expected"),
    [(Normalization.nfc, f"{NFC} {WIDE}"), (Normalization.nfkc, f"{NFC} Afi2"), (Normalization.none, f"{NFD} {WIDE}")],
)
def test_the_tokenizer_reads_and_writes_its_form_and_sentencepiece_adds_none(form, expected):
    own = tokenizer(form)
    assert own.decode(own.encode(f"{NFD}  {WIDE}")) == own.normalize(f"{NFD}  {WIDE}") == expected
    loaded = Tokenizer.from_bytes(own.to_bytes(), form)
    assert loaded.encode(NFD) == own.encode(NFD)
    restored = own.__reduce__()
    assert restored[0](*restored[1]).normalization is form


@given(text, st.sampled_from(FORMS))
def test_decoding_gives_back_any_text_in_the_form(raw, form):
    own = tokenizer(form)
    assert own.decode(own.encode(raw)) == normalize(raw, form)


def test_a_model_that_changes_characters_by_itself_is_reported(tmp_path, caplog):
    model = io.BytesIO()
    text = iter([f"a {NFD} {WIDE}", "the cat"] * 5)
    ids = {"unk_id": 0, "bos_id": 1, "eos_id": 2, "pad_id": 3}
    options = {"vocab_size": 290, "hard_vocab_limit": False, "byte_fallback": True, "minloglevel": 2, **ids}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=text, model_writer=model, **options)
    (tmp_path / "foreign.model").write_bytes(model.getvalue())
    corpus = PairList("one", [Pair("a", "b")])
    named = TokenizerConfig(source_model=str(tmp_path / "foreign.model"))
    assert build_tokenizers(named, corpus).source.own_rule == "nmt_nfkc"
    assert "changes characters by itself (nmt_nfkc)" in caplog.text
    caplog.clear()
    build_tokenizers(replace(named, normalization=Normalization.nfkc), corpus)
    assert not caplog.text
    assert [tokenizer(form).own_rule for form in FORMS] == ["", "", ""]


def test_tags_have_the_form_of_the_text():
    check_tag("<2\uff24>", Normalization.nfc)
    with pytest.raises(ConfigError, match=r"form tokenizer\.normalization=nfkc, such as <2de>"):
        check_tag("<2\uff24>", Normalization.nfkc)
    check_tag(f"<{NFD}>", Normalization.none)
    with pytest.raises(ConfigError):
        check_tag(f"<{NFD}>", Normalization.nfc)
    own = tokenizer(Normalization.nfkc)
    assert own.id_of_tag("<2de>") in own.encode("<2de> the cat")


@pytest.mark.parametrize("form", FORMS)
def test_placeholders_keep_the_form_of_the_text(form):
    protection = TokenizerConfig(placeholders=["braces"], normalization=form).protection()
    symbols = protection.symbols(f"{{{NFD}}} {WIDE}")
    replaced = protection.replace(f"{{{NFD}}} {WIDE}", symbols)
    assert normalize(NFD, form) not in replaced
    assert protection.restore(replaced, symbols) == normalize(f"{{{NFD}}} {WIDE}", form)
    assert repr(protection) != repr(Placeholders(["braces"], normalization=next(f for f in FORMS if f is not form)))
