"""The bytes of tokens, and the tokens of a typed prefix."""

import pytest

from seq2seq.errors import ConfigError, DataError
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.token_bytes import (
    phrase_tokens,
    prefix_bytes,
    separates_words,
    token_bytes,
    word_internal_tokens,
)
from seq2seq.tokenizer.tokenizer import BOS, EOS, PAD, UNK
from seq2seq.tokenizer.vocabulary import train_tokenizer

TEXTS = ["Wo ist mein Schlüssel?", "Der Mann arbeitet.", "Das Haus ist alt."] * 5


def tokenizer(algorithm: Algorithm, size: int):
    return train_tokenizer(TEXTS, TokenizerConfig(algorithm=algorithm, size=size), "lines")


def test_a_typed_prefix_starts_a_word_and_keeps_its_final_space():
    assert prefix_bytes("") == prefix_bytes(" \t") == b""
    assert prefix_bytes("Wo  ist me") == b" Wo ist me"
    assert prefix_bytes(" Wo ist\u00a0") == b" Wo ist "
    assert prefix_bytes("Schlu\u0308") == " Schlü".encode()


def test_tokens_that_continue_a_word():
    pieces = [None, b" a", b"a", "ü".encode(), b"7", b".", b"-x", b"\xc3", "\u0301".encode(), b" ", b"", "日".encode()]
    pieces += [b"\xe3\x82", "\u3099".encode(), "\u200ds".encode()]
    assert word_internal_tokens(pieces) == {2, 3, 4, 7, 8, 11, 12, 13, 14}
    assert word_internal_tokens(pieces, after="a") == {2, 3, 4, 7, 8, 12, 13, 14}
    assert word_internal_tokens(pieces, after="猫") == {8, 13}


def test_the_tokens_of_a_text_spell_it():
    pieces = tokenizer(Algorithm.unigram, 300)
    written = token_bytes(pieces)
    assert b"".join(written[one] for one in pieces.encode("Wo ist 中?")) == " Wo ist 中?".encode()
    assert [written[mark] for mark in (BOS, EOS, PAD)] == [None] * 3
    assert written[UNK] == b" \xff"


JAPANESE = ["私は猫が好き。", "猫は私が好き。", "東京の猫。", "NHKの東京タワー。"] * 5


@pytest.mark.parametrize(("algorithm", "size"), [(Algorithm.unigram, 310), (Algorithm.bpe, 310), (Algorithm.char, 300)])
def test_a_phrase_after_a_letter_has_no_space_before_it(algorithm, size):
    pieces = train_tokenizer(JAPANESE, TokenizerConfig(algorithm=algorithm, size=size), "lines")
    written = token_bytes(pieces)
    for phrase in ("猫", " 東京", "「猫」", "NHKの", "犬", "東京 猫"):  # 犬 is spelled in bytes
        tokens = phrase_tokens(pieces, phrase, after_letter=True)
        assert b"".join(written[token] for token in tokens) == phrase.strip().encode()
    assert b"".join(written[token] for token in phrase_tokens(pieces, "NHK")) == b" NHK"


def test_vocabularies_of_text_that_was_split_into_words():
    letters = [None, b" ", b"\xe3", "東".encode(), "京".encode(), "都".encode(), b" Tokyo", " 東京".encode()]
    assert not separates_words(letters)
    letters += [" 東".encode(), " 京".encode()]
    assert separates_words(letters)
    assert not separates_words([*letters, "東都".encode()]), "as in Thai"
    assert not separates_words([b" Der", b" Mann"])
    pieces = train_tokenizer(JAPANESE, TokenizerConfig(algorithm=Algorithm.char, size=300), "lines")
    assert not separates_words(token_bytes(pieces))


def test_a_phrase_is_the_tokens_of_its_words():
    pieces = tokenizer(Algorithm.unigram, 300)
    assert phrase_tokens(pieces, " mein  Schlüssel") == tuple(pieces.encode("mein Schlüssel"))
    with pytest.raises(ConfigError, match="a phrase is blank"):
        phrase_tokens(pieces, " ")
    with pytest.raises(DataError, match="the vocabulary cannot write the phrase 'Katze'"):
        phrase_tokens(tokenizer(Algorithm.word, 20), "Katze")
