"""Text to token ids and back, with SentencePiece (Kudo & Richardson 2018).

``decode(encode(text)) == tokenizer.normalize(text)`` for every string, because text outside the vocabulary is spelled
in bytes. Word-level vocabularies are closed: an unknown word is decoded as ``<unk>``.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

from sentencepiece import SentencePieceProcessor

from seq2seq.errors import DataError
from seq2seq.portable.text import equal_tokens
from seq2seq.system.atomic import atomic_write
from seq2seq.tokenizer.normalization import SPACE, Normalization, normalize
from seq2seq.tokenizer.sentencepiece_model import ModelType, Piece, PieceType, read_normalizer, read_pieces

Result = TypeVar("Result")

UNK, BOS, EOS, PAD = 0, 1, 2, 3
MAX_FILE = 100_000_000
"""Bytes of a model file: five times those of a million tokens."""


class Tokenizer:
    """A SentencePiece model; immutable and safe to share between threads.

    Args:
        model: the serialized model.
        name: identifies the model in messages.
        normalization: the form of the text that it reads and writes.

    Raises:
        DataError: the bytes are not a SentencePiece model, or the special tokens have other ids.

    Attributes:
        size: number of tokens, special ones included.
        normalization: as given.
        word_level: whether all tokens are whole words.
    """

    def __init__(self, model: bytes, name: str = "tokenizer", normalization: Normalization = Normalization.nfc) -> None:
        try:
            if not model:  # SentencePiece accepts empty bytes
                raise RuntimeError
            self._processor = SentencePieceProcessor(model_proto=model)
            self._processor.id_to_piece(list(range(self._processor.get_piece_size())))  # raises if one is not UTF-8
        except (RuntimeError, UnicodeDecodeError):
            raise DataError(f"{name} is damaged or not a SentencePiece model: train or fetch it again") from None
        self.normalization = normalization
        self._model = model  # SentencePiece may serialize it in other bytes
        ids = tuple(getattr(self._processor, f"{special}_id")() for special in ("unk", "bos", "eos", "pad"))
        if ids != (UNK, BOS, EOS, PAD):
            raise DataError(
                f"{name}: unk, bos, eos, pad have the ids {ids}: train it with "
                f"--unk_id={UNK} --bos_id={BOS} --eos_id={EOS} --pad_id={PAD}, or let this program train one"
            )
        self.size: int = self._processor.get_piece_size()
        self.word_level = _word_level(self._processor)

    @classmethod
    def load(cls, path: Path, normalization: Normalization = Normalization.nfc) -> "Tokenizer":
        """Read a model file.

        Raises:
            DataError: the file is missing, unreadable or damaged, or its special tokens have other ids.
        """
        try:
            if path.exists() and not path.is_file():  # such as a pipe, which would block
                raise OSError(None, "it is not a regular file")
            if path.stat().st_size > MAX_FILE:  # before memory is allocated
                raise OSError(None, f"it has more than {MAX_FILE:,} bytes")
            return cls(path.read_bytes(), str(path), normalization)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise DataError(f"{path} cannot be read: {reason}; check the path") from None

    @classmethod
    def from_bytes(cls, model: bytes, normalization: Normalization = Normalization.nfc) -> "Tokenizer":
        """The inverse of `to_bytes`."""
        return cls(model, normalization=normalization)

    def to_bytes(self) -> bytes:
        """The serialized model: the content of a ``tokenizer.model`` file."""
        return self._model

    def __reduce__(self) -> tuple[type["Tokenizer"], tuple[bytes, str, Normalization]]:
        """For pickling."""
        return Tokenizer, (self.to_bytes(), "tokenizer", self.normalization)

    def normalize(self, text: str) -> str:
        """The text in the form that this tokenizer reads and writes."""
        return normalize(text, self.normalization)

    def encode(self, text: str) -> list[int]:
        """Token ids of one sentence, without BOS and EOS; blank text has none."""
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str], threads: int | None = None) -> list[list[int]]:
        """Token ids of many sentences, encoded by ``threads`` threads; None: one per core."""
        normal = [self.normalize(text) for text in texts]
        if self.word_level:  # SentencePiece joins consecutive unknown words
            return [self._processor.piece_to_id([SPACE + word for word in text.split()]) for text in normal]
        if len(normal) == 1:
            return [self._processor.encode(normal[0])]
        ids: list[list[int]] = self._processor.encode(normal, num_threads=threads or -1)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of token ids as one normalized line, without special tokens except a word-level ``<unk>``.

        Raises:
            IndexError: an id is outside the vocabulary.
        """
        return self.normalize(
            self._processor.decode([int(i) for i in ids if i > PAD or (i == UNK and self.word_level)])
        )

    def words(self) -> dict[str, int]:
        """The words of a word-level vocabulary with their ids; empty for other vocabularies."""
        tokens = enumerate(self.tokens(range(self.size))) if self.word_level else ()
        return {token.removeprefix(SPACE): number for number, token in tokens if token.startswith(SPACE)}

    def vocabulary(self) -> tuple[ModelType, list[Piece]]:
        """The model's type, and its pieces with their scores and types.

        Raises:
            DataError: the model is damaged in a way that SentencePiece ignores.
        """
        return self._parsed(read_pieces)

    @property
    def own_rule(self) -> str:
        """The rule by which the model itself changes characters, such as nmt_nfkc; empty for those trained here.

        Raises:
            DataError: the model is damaged in a way that SentencePiece ignores.
        """
        return self._parsed(read_normalizer)

    def _parsed(self, read: Callable[[bytes], Result]) -> Result:
        try:
            return read(self.to_bytes())
        except ValueError as error:
            raise DataError(f"the tokenizer model is damaged ({error}): train or fetch it again") from None

    @cached_property
    def tags(self) -> frozenset[str]:
        """The tokens that are never split."""
        _, pieces = self.vocabulary()
        return frozenset(piece.text.removeprefix(SPACE) for piece in pieces if piece.type is PieceType.user_defined)

    def id_of_tag(self, tag: str) -> int:
        """The id of a tag; errors are those of `ids_of_tags`."""
        [number] = self.ids_of_tags([tag])
        return number

    def ids_of_tags(self, tags: Iterable[str]) -> frozenset[int]:
        """The ids of tags.

        Raises:
            DataError: the vocabulary lacks a tag, or splits it.
        """
        ids = {tag: self._processor.piece_to_id(SPACE + tag if self.word_level else tag) for tag in tags}
        for tag, number in ids.items():
            if number == UNK or number not in self.encode(tag):
                raise DataError(
                    f"the tokenizer model has no token {tag}: train it with --user_defined_symbols={tag}, or let this "
                    "program train one"
                )
        return frozenset(ids.values())

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """The tokens of ids as strings, special ones included; U+2581 marks the start of a word."""
        return [self._processor.id_to_piece(int(i)) for i in ids]


def _word_level(processor: SentencePieceProcessor) -> bool:
    """Whether no token is a byte and all except special tokens and tags (score 0) start a word."""
    numbers = range(PAD + 1, processor.get_piece_size())
    return not any(map(processor.is_byte, numbers)) and all(
        processor.id_to_piece(number).startswith(SPACE) for number in numbers if processor.get_score(number) < 0
    )


class Tokenizers(NamedTuple):
    """The tokenizers of the two sides; the same object if the vocabulary is joint."""

    source: Tokenizer
    target: Tokenizer

    @property
    def joint(self) -> bool:
        """Whether both sides share one vocabulary."""
        return self.source is self.target

    def copies(self) -> list[int]:
        """For each source token the equal target token; -1 if there is none, and for UNK, BOS, EOS and padding."""
        source, target = (side.tokens(range(side.size)) for side in self)
        return equal_tokens(source, target, range(PAD + 1))


def tokenizer_files(tokenizers: Tokenizers) -> dict[str, bytes]:
    """The content of ``tokenizer.model``, or of ``tokenizer.target.model`` and ``tokenizer.source.model``, by name."""
    source, target = tokenizers
    files = {"": source} if tokenizers.joint else {".target": target, ".source": source}
    return {f"tokenizer{side}.model": tokenizer.to_bytes() for side, tokenizer in files.items()}


def save_tokenizers(tokenizers: Tokenizers, folder: Path) -> None:
    """Write the `tokenizer_files` into a folder.

    The source's file is written last: its presence tells `load_tokenizers` that both exist.

    Raises:
        RunError: a file cannot be written.
    """
    for name, content in tokenizer_files(tokenizers).items():
        with atomic_write(folder / name) as temporary:
            temporary.write_bytes(content)


def load_tokenizers(folder: Path, normalization: Normalization = Normalization.nfc) -> Tokenizers:
    """Read what `save_tokenizers` wrote.

    Args:
        folder: with the files.
        normalization: of the text of both sides; that of a run folder is in its settings (`RunFolder.tokenizers`).

    Raises:
        DataError: a file is missing or damaged.
    """
    paths = tokenizer_paths(folder)
    if len(paths) == 1:
        both = Tokenizer.load(paths[0], normalization)
        return Tokenizers(both, both)
    return Tokenizers(*(Tokenizer.load(path, normalization) for path in paths))


def has_tokenizers(folder: Path) -> bool:
    """Whether `save_tokenizers` has written all its files into a folder."""
    return any((folder / f"tokenizer{side}.model").exists() for side in ("", ".source"))


def tokenizer_paths(folder: Path) -> list[Path]:
    """The files that `load_tokenizers` reads: one per side, or one for both."""
    if (folder / "tokenizer.source.model").exists():
        return [folder / "tokenizer.source.model", folder / "tokenizer.target.model"]
    return [folder / "tokenizer.model"]
