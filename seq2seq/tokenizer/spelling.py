"""What the pieces of a vocabulary write, and how a text that is partly typed is told to a search."""

import re
import unicodedata
from collections.abc import Sequence

from seq2seq.errors import ConfigError, DataError
from seq2seq.tokenizer.tokenizer import BOS, EOS, PAD, SPACE, UNK, Tokenizer, normalize

BYTE = re.compile(r"<0x([0-9A-F]{2})>")

HEALED = 16
"""Characters at the end of a text without spaces whose pieces may still change: as many as SentencePiece joins."""

NO_TEXT = b" \xff"
"""What the unknown piece writes: a word of its own that is no UTF-8, so that it counts and is never suggested."""


def spelled(tokenizer: Tokenizer) -> list[bytes | None]:
    """The bytes every piece writes, those of a new word behind a space; None for the marks, which write nothing."""
    written: list[bytes | None] = []
    for piece in tokenizer.pieces(range(tokenizer.size)):
        byte = BYTE.fullmatch(piece)
        written.append(bytes.fromhex(byte[1]) if byte else piece.replace(SPACE, " ").encode())
    written[BOS] = written[EOS] = written[PAD] = None
    written[UNK] = NO_TEXT
    return written


def single_bytes(tokenizer: Tokenizer) -> list[int | None]:
    """The byte that each piece stands for, in which a text is spelt where the vocabulary has no piece for it."""
    found = map(BYTE.fullmatch, tokenizer.pieces(range(tokenizer.size)))
    return [None if byte is None else int(byte[1], 16) for byte in found]


def no_text(tokenizer: Tokenizer) -> frozenset[int]:
    """The pieces that write nothing: the marks, but for the end; ``<unk>`` is a word in vocabularies of words alone."""
    return frozenset({BOS, PAD} if tokenizer.word_level else {BOS, PAD, UNK})


def whole_characters(tokens: Sequence[int], written: Sequence[int | None]) -> Sequence[int]:
    """The tokens without the bytes at their end that only begin a character.

    Args:
        tokens: of a text that was cut off.
        written: the byte that each token stands for (`single_bytes`).
    """
    for back in range(1, min(4, len(tokens) + 1)):
        byte = written[tokens[-back]]
        if byte is None or byte < 0x80:
            break
        if byte >= 0xC0:
            wanted = 2 + (byte >= 0xE0) + (byte >= 0xF0)
            return tokens[:-back] if back < wanted else tokens
    return tokens


def given_pieces(tokenizer: Tokenizer, prefix: str, spelling: Sequence[bytes | None]) -> list[int]:
    """The pieces at the beginning of a prefix that what follows cannot change: those of its complete words.

    In text without spaces, those that end `HEALED` characters or more before the end.

    Args:
        tokenizer: cuts as in training.
        prefix: as it was typed.
        spelling: the bytes that every piece writes (`spelled`).
    """
    complete, _ = split_prefix(prefix)
    text = typed(prefix).decode()
    certain = max(len(f" {complete}".encode()) if complete else 0, len(text[:-HEALED].encode()))
    found, written = list[int](), 0
    for piece in tokenizer.encode(prefix):
        spelt = spelling[piece] or b""
        written += len(spelt if found else b" " + spelt.removeprefix(b" "))
        if written > certain:
            break
        found.append(piece)
    return found


def split_prefix(prefix: str) -> tuple[str, str]:
    """The complete words of a prefix, and what is begun of the next: nothing after white space."""
    text = normalize(prefix)
    if normalize(prefix[-1:]) == "":
        return text, ""
    given, _, begun = text.rpartition(" ")
    return given, begun


def typed(prefix: str) -> bytes:
    """The bytes that a translation with this prefix writes first, behind a space; none where it is blank.

    A space at the end stays: the last word is complete, and another one follows.
    """
    text = normalize(prefix)
    ends = normalize(prefix[-1:]) == ""
    return f" {text}{' ' if ends else ''}".encode() if text else b""


def inner_pieces(pieces: Sequence[bytes | None]) -> frozenset[int]:
    """The pieces that go on in a word: their first character is a letter, a mark or a digit.

    Bytes beyond ASCII count as such, for what character they belong to is not known yet.
    """
    return frozenset(number for number, piece in enumerate(pieces) if piece and _goes_on(piece))


def _goes_on(piece: bytes) -> bool:
    first = piece.decode("utf-8", errors="ignore")[:1]
    return not first or unicodedata.category(first)[0] in "LMN"


def phrase_pieces(tokenizer: Tokenizer, phrase: str) -> tuple[int, ...]:
    """The pieces into which a phrase is cut.

    Raises:
        ConfigError: it is blank.
        DataError: the vocabulary has no pieces for one of its words.
    """
    pieces = tuple(tokenizer.encode(phrase))
    if not pieces:
        raise ConfigError("a phrase is blank: leave it out")
    if UNK in pieces:
        raise DataError(f"no pieces of the vocabulary write the phrase {phrase!r}: choose other words for it")
    return pieces
