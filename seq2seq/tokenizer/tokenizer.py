"""Text to piece ids and back, with SentencePiece (Kudo & Richardson 2018).

``decode(encode(text)) == normalize(text)`` for every string: what is no piece is spelt in bytes. Word-level
vocabularies alone are closed: a word they do not have comes back as ``<unk>``.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from sentencepiece import SentencePieceProcessor

from seq2seq.errors import DataError
from seq2seq.system.atomic import atomic_write
from seq2seq.tokenizer.sentencepiece_model import ModelType, Piece, PieceType, read_pieces

UNK, BOS, EOS, PAD = 0, 1, 2, 3
LARGEST = 100_000_000
"""Bytes of a model file: one of a million tokens has a fifth of it."""
SPACE = "\u2581"  # what SentencePiece writes for a space


def normalize(text: str) -> str:
    """The text as the model sees it.

    Unicode NFC; a lone surrogate becomes U+FFFD; any run of white space (as `str.split` has it, and U+2581,
    which SentencePiece writes for a space) becomes one space, and none is left at the ends.
    """
    text = re.sub("[\ud800-\udfff]", "\ufffd", text).replace(SPACE, " ")
    return " ".join(unicodedata.normalize("NFC", text).split())


class Tokenizer:
    """One SentencePiece model. Threads may share it: nothing changes after loading.

    Args:
        model: the serialized model.
        name: what to call it in messages.

    Raises:
        DataError: the bytes are no SentencePiece model, or its special pieces lie elsewhere than ours.

    Attributes:
        size: pieces, specials included.
        word_level: the pieces are whole words, as white space parts them, and there is no other way to spell one.
    """

    def __init__(self, model: bytes, name: str = "tokenizer") -> None:
        try:
            if not model:  # SentencePiece itself takes no bytes for a model
                raise RuntimeError
            self._processor = SentencePieceProcessor(model_proto=model)
            self._processor.id_to_piece(list(range(self._processor.get_piece_size())))  # all of them are text
        except (RuntimeError, UnicodeDecodeError):
            raise DataError(f"{name} is damaged or is no SentencePiece model; train or fetch it again") from None
        found = tuple(getattr(self._processor, f"{special}_id")() for special in ("unk", "bos", "eos", "pad"))
        if found != (UNK, BOS, EOS, PAD):
            raise DataError(
                f"{name}: unk, bos, eos, pad have the ids {found}; train it with "
                f"--unk_id={UNK} --bos_id={BOS} --eos_id={EOS} --pad_id={PAD}, or let this program train one"
            )
        self.size: int = self._processor.get_piece_size()
        self.word_level = _word_level(self._processor)

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Read a model file.

        Raises:
            DataError: the file is missing, unreadable, damaged, or its special pieces lie elsewhere than ours.
        """
        try:
            if path.exists() and not path.is_file():  # a pipe, say, that would be waited for
                raise OSError(None, "it is no file")
            if path.stat().st_size > LARGEST:  # before memory is taken for it
                raise OSError(None, f"it has more than {LARGEST:,} bytes")
            return cls(path.read_bytes(), str(path))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise DataError(f"{path} cannot be read: {reason}; check the path") from None

    @classmethod
    def from_bytes(cls, model: bytes) -> "Tokenizer":
        """The tokenizer that `to_bytes` wrote."""
        return cls(model)

    def to_bytes(self) -> bytes:
        """The serialized model: what a ``tokenizer.model`` file holds."""
        model: bytes = self._processor.serialized_model_proto()
        return model

    def __reduce__(self) -> tuple[type["Tokenizer"], tuple[bytes]]:
        """How a tokenizer goes to another process."""
        return Tokenizer, (self.to_bytes(),)

    def encode(self, text: str) -> list[int]:
        """Piece ids of one sentence, without begin or end marks; blank text has none."""
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str], threads: int | None = None) -> list[list[int]]:
        """Piece ids of many sentences, on all cores unless ``threads`` says on how many; a single one on this one."""
        normal = [normalize(text) for text in texts]
        if self.word_level:  # SentencePiece itself makes one piece of several unknown words in a row
            return [self._processor.piece_to_id([SPACE + word for word in text.split()]) for text in normal]
        if len(normal) == 1:
            return [self._processor.encode(normal[0])]
        ids: list[list[int]] = self._processor.encode(normal, num_threads=threads or -1)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of piece ids: specials are dropped, but a word-level vocabulary's ``<unk>``; one normalised line.

        Raises:
            IndexError: an id is outside the vocabulary.
        """
        return normalize(self._processor.decode([int(i) for i in ids if i > PAD or (i == UNK and self.word_level)]))

    def words(self) -> dict[str, int]:
        """Every word of a word-level vocabulary with its id, specials left out; of other vocabularies, nothing."""
        pieces = enumerate(self.pieces(range(self.size))) if self.word_level else ()
        return {piece.removeprefix(SPACE): number for number, piece in pieces if piece.startswith(SPACE)}

    def vocabulary(self) -> tuple[ModelType, list[Piece]]:
        """The kind of the model, and what it says of its pieces.

        Raises:
            DataError: it says what no SentencePiece model does: it was tampered with.
        """
        try:
            return read_pieces(self.to_bytes())
        except ValueError as error:
            raise DataError(f"the tokenizer model is damaged ({error}); train or fetch it again") from None

    @cached_property
    def tags(self) -> frozenset[str]:
        """The pieces that are never split."""
        _, pieces = self.vocabulary()
        return frozenset(one.text.removeprefix(SPACE) for one in pieces if one.type is PieceType.user_defined)

    def ids_of_tags(self, tags: Iterable[str]) -> frozenset[int]:
        """The ids of pieces that are never split.

        Raises:
            DataError: names the first that the vocabulary has no piece for, or splits.
        """
        ids = {tag: self._processor.piece_to_id(SPACE + tag if self.word_level else tag) for tag in tags}
        for tag, number in ids.items():
            if number == UNK or number not in self.encode(tag):
                raise DataError(
                    f"the tokenizer model has no piece {tag}: train it with --user_defined_symbols={tag}, or let this "
                    "program train one"
                )
        return frozenset(ids.values())

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """The pieces as written in the vocabulary, specials included; U+2581 marks the start of a word."""
        return [self._processor.id_to_piece(int(i)) for i in ids]


def _word_level(processor: SentencePieceProcessor) -> bool:
    """Whether all pieces are whole words: none is a byte, and all but specials and tags (score 0) start one."""
    numbers = range(PAD + 1, processor.get_piece_size())
    return not any(map(processor.is_byte, numbers)) and all(
        processor.id_to_piece(number).startswith(SPACE) for number in numbers if processor.get_score(number) < 0
    )


class Tokenizers(NamedTuple):
    """The tokenizers of the two sides: one and the same where the vocabulary is joint."""

    source: Tokenizer
    target: Tokenizer

    @property
    def joint(self) -> bool:
        """Whether both sides share one vocabulary."""
        return self.source is self.target


def save_tokenizers(tokenizers: Tokenizers, folder: Path) -> None:
    """Write ``tokenizer.model``, or ``tokenizer.source.model`` and ``tokenizer.target.model``, into a folder.

    The source's comes last: `load_tokenizers` takes it as the sign that both are there.

    Raises:
        RunError: a file cannot be written.
    """
    source, target = tokenizers
    files = {"": source} if tokenizers.joint else {".target": target, ".source": source}
    for side, tokenizer in files.items():
        with atomic_write(folder / f"tokenizer{side}.model") as temporary:
            temporary.write_bytes(tokenizer.to_bytes())


def load_tokenizers(folder: Path) -> Tokenizers:
    """Read what `save_tokenizers` wrote.

    Raises:
        DataError: a file is missing or damaged.
    """
    paths = tokenizer_paths(folder)
    if len(paths) == 1:
        both = Tokenizer.load(paths[0])
        return Tokenizers(both, both)
    return Tokenizers(*map(Tokenizer.load, paths))


def tokenizer_paths(folder: Path) -> list[Path]:
    """The files that `load_tokenizers` reads: the source's and the target's, or the one of both sides."""
    if (folder / "tokenizer.source.model").exists():
        return [folder / "tokenizer.source.model", folder / "tokenizer.target.model"]
    return [folder / "tokenizer.model"]
