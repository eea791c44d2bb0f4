"""The text that tokens write, byte by byte, and the tokens of a partly typed text."""

import unicodedata
from collections.abc import Sequence

from seq2seq.corpora.words import ends_between, is_unspaced
from seq2seq.errors import ConfigError, DataError, require_text
from seq2seq.portable.text import BYTE
from seq2seq.tokenizer.normalization import SPACE, Normalization, ends_word, normalize
from seq2seq.tokenizer.tokenizer import BOS, EOS, PAD, UNK, Tokenizer

UNSTABLE_CHARACTERS = 16
"""Characters at the end of a text without spaces whose tokens may still change: SentencePiece's longest piece."""

UNK_BYTES = b" \xff"
"""Bytes of ``<unk>``: a word that is not UTF-8, so that it counts as a word and is never suggested."""


UNWRITTEN = "\U0010fffd"
"""A character for private use, which no token contains: what follows it is encoded as inside a sentence."""


def token_bytes(tokenizer: Tokenizer) -> list[bytes | None]:
    """The bytes that each token writes, with a space before the start of a word; None for BOS, EOS and padding."""
    texts: list[bytes | None] = []
    for token in tokenizer.tokens(range(tokenizer.size)):
        byte = BYTE.fullmatch(token)
        texts.append(bytes.fromhex(byte[1]) if byte else token.replace(SPACE, " ").encode())
    texts[BOS] = texts[EOS] = texts[PAD] = None
    texts[UNK] = UNK_BYTES
    return texts


def non_text_tokens(tokenizer: Tokenizer) -> frozenset[int]:
    """Tokens that a translation cannot contain: BOS, padding, and ``<unk>`` unless the vocabulary is one of words."""
    return frozenset({BOS, PAD} if tokenizer.word_level else {BOS, PAD, UNK})


def stable_prefix_tokens(tokenizer: Tokenizer, prefix: str, texts: Sequence[bytes | None]) -> list[int]:
    """The first tokens of a prefix that do not depend on what follows it: those of its complete words.

    In text without spaces, those that end `UNSTABLE_CHARACTERS` characters or more before the end.

    Args:
        tokenizer: of the target.
        prefix: the text typed so far.
        texts: the bytes of every token (`token_bytes`).
    """
    complete, _ = split_prefix(prefix, tokenizer.normalization)
    text = prefix_bytes(prefix, tokenizer.normalization).decode()
    stable = max(len(f" {complete}".encode()) if complete else 0, len(text[:-UNSTABLE_CHARACTERS].encode()))
    tokens, written = list[int](), 0
    for token in tokenizer.encode(prefix):
        spelled = texts[token] or b""
        written += len(spelled if tokens else b" " + spelled.removeprefix(b" "))
        if written > stable:
            break
        tokens.append(token)
    return tokens


def split_prefix(prefix: str, normalization: Normalization = Normalization.nfc) -> tuple[str, str]:
    """The complete words of a prefix, and the incomplete word at its end, empty after white space.

    Raises:
        DataError: the prefix is not a string.
    """
    require_text(prefix, "prefix")
    text = normalize(prefix, normalization)
    if ends_word(prefix):
        return text, ""
    complete, _, incomplete = text.rpartition(" ")
    return complete, incomplete


def prefix_bytes(prefix: str, normalization: Normalization = Normalization.nfc) -> bytes:
    """The first bytes of a translation with this prefix, after a space; none for a blank prefix.

    A space at the end is kept: the last word is complete and another one follows.
    """
    text = normalize(prefix, normalization)
    return f" {text}{' ' if ends_word(prefix) else ''}".encode() if text else b""


def separates_words(texts: Sequence[bytes | None]) -> bool:
    """Whether text in a script without spaces was split into words: its tokens begin with a space.

    Those of one character (a quarter) and the longer ones (half) must do so: in little text many of the longer ones
    begin sentences, and in Thai every letter may follow one of the spaces between sentences.
    """
    decoded = [text.decode("utf-8", errors="ignore") for text in texts if text]
    own = [text for text in decoded if is_unspaced(text[-1:])]
    letters, longer = ([text for text in own if (len(text.strip()) > 1) is several] for several in (False, True))
    shares = [sum(text.startswith(" ") for text in some) / max(1, len(some)) for some in (letters, longer)]
    return shares[0] > 1 / 4 and shares[1] > 1 / 2


def word_internal_tokens(texts: Sequence[bytes | None], after: str | None = None) -> frozenset[int]:
    """Tokens that continue a word: their first character is a letter, a mark or a digit.

    A byte beyond ASCII counts as such, because its character is not known.

    Args:
        texts: the bytes of every token (`token_bytes`).
        after: the last character of the word, in text without spaces: there a word may end between letters
            (`words.END`), and no byte continues a word of a script without spaces.
    """
    return frozenset(token for token, text in enumerate(texts) if text and _continues_word(text, after))


def _continues_word(text: bytes, after: str | None) -> bool:
    first = text.decode("utf-8", errors="ignore")[:1]
    if after is not None:
        return not ends_between(after, first) if first else not is_unspaced(after)
    return not first or unicodedata.category(first)[0] in "LMN" or first == "\u200d"


def phrase_tokens(tokenizer: Tokenizer, phrase: str, *, after_letter: bool = False) -> tuple[int, ...]:
    """The tokens of a phrase; with ``after_letter`` without the space before it.

    Raises:
        ConfigError: the phrase is blank.
        DataError: the vocabulary cannot write one of its words.
    """
    tokens = tuple(tokenizer.encode(phrase))
    if not tokens:
        raise ConfigError("a phrase is blank: leave it out")
    if UNK in tokens:
        raise DataError(f"the vocabulary cannot write the phrase {phrase!r}: choose other words")
    if not after_letter:
        return tokens
    start = tokenizer.encode(UNWRITTEN)
    return tuple(tokenizer.encode(UNWRITTEN + tokenizer.normalize(phrase))[len(start) :])
