"""Vocabularies read from model files."""

import pytest

from seq2seq.errors import DataError
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.sentencepiece_model import ModelType, PieceType, read_pieces
from seq2seq.tokenizer.tokenizer import BOS, EOS, PAD, UNK, Tokenizer
from seq2seq.tokenizer.vocabulary import train_tokenizer

TEXT = ["the small dog sees a cat", "a cat sees the dogs", "die kleine Katze <2de> 日本"]


@pytest.fixture(scope="module", params=list(Algorithm))
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    size = 12 if request.param is Algorithm.word else 300
    return train_tokenizer(TEXT * 3, TokenizerConfig(algorithm=request.param, size=size, tags=["<2de>"]), "the text")


def test_pieces_are_those_of_the_package(tokenizer: Tokenizer) -> None:
    _, pieces = read_pieces(tokenizer.to_bytes())
    processor = tokenizer._processor
    numbers = range(tokenizer.size)
    assert [piece.text for piece in pieces] == tokenizer.tokens(numbers)
    assert [piece.score for piece in pieces] == [processor.get_score(number) for number in numbers]
    for kind, reported in (
        (PieceType.byte, processor.is_byte),
        (PieceType.control, processor.is_control),
        (PieceType.unknown, processor.is_unknown),
        (PieceType.unused, processor.is_unused),
    ):
        assert [piece.type is kind for piece in pieces] == [reported(number) for number in numbers]
    assert [pieces[number].type for number in (UNK, BOS, EOS, PAD)] == [PieceType.unknown, *[PieceType.control] * 3]
    assert {piece.text.lstrip("\u2581") for piece in pieces if piece.type is PieceType.user_defined} == {"<2de>"}


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_the_type_of_a_model(algorithm: Algorithm) -> None:
    size = 12 if algorithm is Algorithm.word else 300
    model = train_tokenizer(TEXT, TokenizerConfig(algorithm=algorithm, size=size), "the text").to_bytes()
    assert read_pieces(model)[0] == ModelType[algorithm.value]


@pytest.mark.parametrize("damaged", [b"\x0b\x01", b"\x0a", b"\x80", b"\x0a\x02\x0a"])
def test_other_bytes_are_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match=r"wire type|middle of a (number|value)"):
        read_pieces(damaged)


def test_unknown_fields_are_skipped(tokenizer: Tokenizer) -> None:
    model = tokenizer.to_bytes()
    odd = b"".join((b"\x08\x05", b"\x15\x00\x00\x90\xc1", b"\x7a\x01x"))  # other types, unknown number
    assert Tokenizer(model + odd).tags == tokenizer.tags
    assert read_pieces(model + odd) == read_pieces(model)


def test_a_model_that_only_sentencepiece_can_read_is_refused_in_one_line(tokenizer: Tokenizer) -> None:
    damaged = Tokenizer(tokenizer.to_bytes() + b"\x7b\x7c")  # an empty group, which models do not contain
    with pytest.raises(DataError, match=r"^the tokenizer model is damaged \(wire type 3 at byte \d+\): train or fetch"):
        damaged.vocabulary()
