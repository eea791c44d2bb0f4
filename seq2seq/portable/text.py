"""Text to source tokens, and target tokens to text, as seq2seq.tokenizer does it."""

import re
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import Any

from sentencepiece import SentencePieceProcessor

from seq2seq.portable.errors import PortableError
from seq2seq.portable.folder import MAX_TOKENIZER, read_bytes
from seq2seq.portable.normalization import SPACE, Normalization, normalize
from seq2seq.portable.placeholders import SYMBOLS, PlaceholderKind, Placeholders
from seq2seq.portable.segmentation import split_long_text

BYTE = re.compile(r"<0x([0-9A-F]{2})>")

TOKENIZER_FILE = re.compile(r"tokenizer[\w.-]*\.model", re.ASCII)
"""The names that the files of tokenizers can have."""


class Tokenizer:
    """A SentencePiece model.

    Args:
        path: its file.
        config: its section of config.json.
        special: the ids of the special tokens by name.
        normalization: the form of the text that it reads and writes.

    Raises:
        PortableError: the file is missing or damaged.
    """

    def __init__(self, path: Path, config: dict[str, Any], special: dict[str, int], normalization: str) -> None:
        try:
            content = read_bytes(path, MAX_TOKENIZER)
            if not content:  # SentencePiece accepts it, and logs an error at every call
                raise RuntimeError("it is empty")
            self._processor = SentencePieceProcessor(model_proto=content)
        except RuntimeError as error:
            raise PortableError(f"{path} cannot be read ({error}): copy or export it again") from None
        self.size: int = self._processor.get_piece_size()
        self.word_level: bool = config["word_level"]
        self.normalization = Normalization(normalization)
        self.special = frozenset(special.values())
        if not self.special <= set(range(self.size)):
            raise ValueError(f"{path.name} has {self.size} tokens, and special has the ids {sorted(self.special)}")
        self._silent = {id for name, id in special.items() if name != "unk" or not self.word_level}
        self._bytes = byte_values(self.all_tokens())

    def encode(self, text: str) -> list[int]:
        """Token ids without EOS; blank text has none."""
        text = normalize(text, self.normalization)
        if self.word_level:  # SentencePiece joins consecutive unknown words
            return [self.id_of(SPACE + word) for word in text.split()]
        ids: list[int] = self._processor.encode(text)
        return ids

    def decode(self, ids: Iterable[int], *, finished: bool = True) -> str:
        """The text of token ids; an unfinished text loses the bytes of an incomplete last character."""
        shown = [int(id) for id in ids]
        if not finished:
            shown = list(complete_characters(shown, self._bytes))
        text = self._processor.decode([id for id in shown if id not in self._silent])
        return normalize(text, self.normalization)

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """The tokens of ids as strings; U+2581 marks the start of a word."""
        return [self._processor.id_to_piece(int(id)) for id in ids]

    def all_tokens(self) -> list[str]:
        """The vocabulary in the order of ids."""
        return self.tokens(range(self.size))

    def id_of(self, token: str) -> int:
        """The id of a token; that of UNK if there is no such token."""
        id: int = self._processor.piece_to_id(token)
        return id

    def id_of_tag(self, tag: str) -> int:
        """The id of a token that is never split."""
        return self.id_of(SPACE + tag if self.word_level else tag)


class Text:
    """The text of both sides of an exported model.

    Args:
        folder: with the files of the tokenizers.
        config: the content of config.json.

    Raises:
        PortableError: a file is missing or damaged.
        ValueError: the config does not fit it.
    """

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        text, special = config["text"], config["special"]
        for side in ("source", "target"):
            if not TOKENIZER_FILE.fullmatch(text[side]["file"]):  # a path may lead to any file of this machine
                raise ValueError(f"text.{side}.file is not the name of a tokenizer")
        sides = {side: (text[side], special, text["normalization"]) for side in ("source", "target")}
        self.source = Tokenizer(folder / text["source"]["file"], *sides["source"])
        joint = text["source"]["file"] == text["target"]["file"]
        self.target = self.source if joint else Tokenizer(folder / text["target"]["file"], *sides["target"])
        for side, tokenizer in (("source", self.source), ("target", self.target)):
            if tokenizer.size != config["vocabulary"][side]:
                raise ValueError(f"{text[side]['file']} has {tokenizer.size} tokens")
        self._tags = frozenset(text["source"]["tags"])
        self._placeholders = None
        if (found := text["placeholders"]) is not None:
            self._placeholders = Placeholders(
                [PlaceholderKind(kind) for kind in found["kinds"]],
                found["tags"],
                whole_words=found["whole_words"],
                normalization=self.source.normalization,
            )

    def segments(self, text: str) -> list[str]:
        """A text in sentences of at most 1,000 characters: one for most texts, none for blank text."""
        return split_long_text(text, self._tags, placeholders=self._placeholders)

    def encode(self, text: str) -> list[int]:
        """Source token ids without EOS; symbols stand for placeholders."""
        found = self._placeholders
        return self.source.encode(text if found is None else found.replace(text, found.symbols(text)))

    def decode(self, tokens: Iterable[int], source: str, *, finished: bool) -> str:
        """The translation that target tokens write, with the placeholders of its source."""
        text, found = self.target.decode(tokens, finished=finished), self._placeholders
        return text if found is None else found.restore(text, found.symbols(source))

    def excluded(self, source: Sequence[int]) -> list[int]:
        """The target tokens that a translation of these source tokens must not have: symbols that the source lacks."""
        if self._placeholders is None:
            return []
        return [self.target.id_of_tag(symbol) for symbol in SYMBOLS if self.source.id_of_tag(symbol) not in source]

    def difference(self, source: str, translation: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The placeholders that a translation has lost, and those that it has added."""
        return ((), ()) if self._placeholders is None else self._placeholders.compare(source, translation)

    def copies(self) -> list[int]:
        """For each source token the equal target token; -1 if there is none, and for special tokens."""
        return equal_tokens(self.source.all_tokens(), self.target.all_tokens(), self.source.special)


def byte_values(tokens: Iterable[str]) -> list[int | None]:
    """The value of each token that stands for a single byte; None for all other tokens."""
    return [None if byte is None else int(byte[1], 16) for byte in map(BYTE.fullmatch, tokens)]


def equal_tokens(source: Iterable[str], target: Iterable[str], special: Container[int]) -> list[int]:
    """For each token of the source vocabulary the id of the equal target token; -1 if there is none.

    Args:
        source: its tokens in the order of ids.
        target: those of the target vocabulary.
        special: ids that have no equal token.
    """
    ids = {token: id for id, token in enumerate(target)}
    return [-1 if id in special else ids.get(token, -1) for id, token in enumerate(source)]


def complete_characters(tokens: Sequence[int], values: Sequence[int | None]) -> Sequence[int]:
    """The tokens of a truncated text without the bytes of an incomplete character at its end.

    Args:
        tokens: of the text.
        values: the byte of each token that stands for a single byte; None for all other tokens.
    """
    for back in range(1, min(4, len(tokens) + 1)):
        byte = values[tokens[-back]]
        if byte is None or byte < 0x80:
            break
        if byte >= 0xC0:
            length = 2 + (byte >= 0xE0) + (byte >= 0xF0)
            return tokens[:-back] if back < length else tokens
    return tokens
