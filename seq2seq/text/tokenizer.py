"""Text to piece ids and back, with SentencePiece (Kudo & Richardson 2018).

``decode(encode(text)) == normalize(text)`` for every string: what is no piece is spelt in bytes.
"""

import io
import itertools
import logging
import random
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

from seq2seq.errors import ConfigError, DataError
from seq2seq.settings import setting

if TYPE_CHECKING:  # keeps pyarrow out of programs that only translate
    from seq2seq.text.corpus import Corpus

UNK, BOS, EOS, PAD = 0, 1, 2, 3
SMALLEST = 4 + 256  # the special pieces and one piece for each byte
LONGEST = 1_000  # characters: SentencePiece learns nothing from a sentence over 4,192 bytes, so they are cut

log = logging.getLogger("seq2seq")


class Algorithm(StrEnum):
    """How pieces are chosen: a unigram language model (Kudo 2018) or byte-pair merges (Sennrich et al. 2016)."""

    unigram = "unigram"
    bpe = "bpe"


@dataclass(kw_only=True)
class TokenizerConfig:
    """How text is cut into pieces; learnt from the training split unless a trained model is named."""

    algorithm: Algorithm = setting(Algorithm.unigram, "how pieces are chosen: unigram or bpe")
    size: int = setting(8000, f"pieces in each vocabulary, at least {SMALLEST}", at_least=SMALLEST)
    joint: bool = setting(True, "one vocabulary for both languages")
    source_model: str | None = setting(None, "a trained SentencePiece file to use instead of training one")
    target_model: str | None = setting(None, "the same for the target side, where joint=false")
    character_coverage: float = setting(
        1.0, "share of the text's characters that become pieces; the rest is spelt in bytes", above=0, at_most=1
    )
    training_sentences: int = setting(1_000_000, "at most so many sentences are sampled for training", at_least=1)


def normalize(text: str) -> str:
    """The text as the model sees it.

    Unicode NFC; a lone surrogate becomes U+FFFD; any run of white space (as `str.split` has it, and U+2581,
    which SentencePiece writes for a space) becomes one space, and none is left at the ends.
    """
    text = re.sub("[\ud800-\udfff]", "\ufffd", text).replace("\u2581", " ")
    return " ".join(unicodedata.normalize("NFC", text).split())


class Tokenizer:
    """One SentencePiece model. Threads may share it: nothing changes after loading.

    Args:
        model: the serialized model.
        name: what to call it in messages.

    Raises:
        DataError: the bytes are no SentencePiece model, or its special pieces lie elsewhere than ours.
    """

    def __init__(self, model: bytes, name: str = "tokenizer") -> None:
        try:
            if not model:  # SentencePiece itself takes no bytes for a model
                raise RuntimeError
            self._processor = SentencePieceProcessor(model_proto=model)
        except RuntimeError:
            raise DataError(f"{name} is damaged or is no SentencePiece model; train or fetch it again") from None
        found = tuple(getattr(self._processor, f"{special}_id")() for special in ("unk", "bos", "eos", "pad"))
        if found != (UNK, BOS, EOS, PAD):
            raise DataError(
                f"{name}: unk, bos, eos, pad have the ids {found}; train it with "
                f"--unk_id={UNK} --bos_id={BOS} --eos_id={EOS} --pad_id={PAD}, or let this program train one"
            )
        self.size: int = self._processor.get_piece_size()

    @classmethod
    def load(cls, path: Path) -> "Tokenizer":
        """Read a model file.

        Raises:
            DataError: the file is missing, unreadable, damaged, or its special pieces lie elsewhere than ours.
        """
        try:
            return cls(path.read_bytes(), str(path))
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}; check the path") from None

    @classmethod
    def from_bytes(cls, model: bytes) -> "Tokenizer":
        """The tokenizer that `to_bytes` wrote."""
        return cls(model)

    def to_bytes(self) -> bytes:
        """The serialized model: what a ``tokenizer.model`` file holds."""
        model: bytes = self._processor.serialized_model_proto()
        return model

    def encode(self, text: str) -> list[int]:
        """Piece ids of one sentence, without begin or end marks; blank text has none."""
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """Piece ids of many sentences, on all cores; a single one without waiting for threads to start."""
        if len(texts) == 1:
            return [self._processor.encode(normalize(texts[0]))]
        ids: list[list[int]] = self._processor.encode([normalize(text) for text in texts])
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of piece ids: specials are dropped, the result is one normalised line.

        Raises:
            IndexError: an id is outside the vocabulary.
        """
        return normalize(self._processor.decode([int(i) for i in ids if i > PAD]))

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """The pieces as written in the vocabulary, specials included; U+2581 marks the start of a word."""
        return [self._processor.id_to_piece(int(i)) for i in ids]


def train_tokenizer(sentences: Iterable[str], config: TokenizerConfig, label: str) -> Tokenizer:
    """Learn a vocabulary. The same sentences and settings give the same model, byte for byte.

    If the text supports fewer pieces than asked for, the model has as many as it does, and a warning says so.

    Args:
        sentences: the text; a sample drawn from all of it where there is more than ``training_sentences``.
        config: the settings; ``joint`` and the model files are not looked at.
        label: what to call the text in messages.

    Raises:
        ConfigError: the size is too small for the bytes, or for the characters the text contains.
        DataError: there is nothing to learn from.
    """
    if config.size < SMALLEST:
        raise ConfigError(f"tokenizer.size must be at least {SMALLEST} (4 specials and 256 bytes), got {config.size}")
    model = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=_cut(_sample(sentences, config.training_sentences)),
            model_writer=model,
            model_type=config.algorithm.value,
            vocab_size=config.size,
            hard_vocab_limit=False,  # a size that is too large then gives the largest that works
            character_coverage=config.character_coverage,
            byte_fallback=True,
            normalization_rule_name="identity",  # `normalize` has done it
            remove_extra_whitespaces=False,
            unk_id=UNK,
            bos_id=BOS,
            eos_id=EOS,
            pad_id=PAD,
            num_threads=4,  # fixed: unigram sums in as many parts, so the result depends on it
            minloglevel=2,
        )
    except RuntimeError as error:
        raise _training_error(str(error), config, label) from None
    tokenizer = Tokenizer.from_bytes(model.getvalue())
    if tokenizer.size < config.size:
        pieces = f"{tokenizer.size:,}"
        log.warning("tokenizer.size=%d is more than %s supports; using %s pieces", config.size, label, pieces)
    return tokenizer


def _training_error(message: str, config: TokenizerConfig, label: str) -> ConfigError | DataError:
    """SentencePiece's error in our words."""
    if needed := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        return ConfigError(
            f"tokenizer.size={config.size} is less than the characters of {label} need; set tokenizer.size to at least "
            f"{needed[1]}, or tokenizer.character_coverage below {config.character_coverage:g}"
        )
    if "sentences_.empty()" in message:
        return DataError(f"{label} has no text to learn a vocabulary from; every sentence is blank")
    return DataError(f"no vocabulary can be learnt from {label}: {' '.join(message.split())}")


def _sample(sentences: Iterable[str], count: int) -> list[str]:
    """At most ``count`` sentences, each with the same chance (reservoir sampling, Vitter 1985, algorithm R)."""
    iterator = iter(sentences)
    sample = list(itertools.islice(iterator, count))
    chance = random.Random(0)
    for seen, sentence in enumerate(iterator, count + 1):
        place = chance.randrange(seen)
        if place < count:
            sample[place] = sentence
    return sample


def _cut(sentences: Iterable[str]) -> Iterator[str]:
    """The sentences, normalised, in stretches short enough for SentencePiece to learn from."""
    for sentence in sentences:
        text = normalize(sentence)
        for start in range(0, len(text), LONGEST):
            yield text[start : start + LONGEST]


class Tokenizers(NamedTuple):
    """The tokenizers of the two sides: one and the same where the vocabulary is joint."""

    source: Tokenizer
    target: Tokenizer

    @property
    def joint(self) -> bool:
        """Whether both sides share one vocabulary."""
        return self.source is self.target


def build_tokenizers(config: TokenizerConfig, corpus: "Corpus") -> Tokenizers:
    """Load the model files that are named, and train what is not named on the corpus (the training split).

    Raises:
        ConfigError: two different model files are named for one joint vocabulary; the size is too small.
        DataError: a model file or the corpus cannot be used.
    """
    if not config.joint:
        sources, targets = (pair.source for pair in corpus), (pair.target for pair in corpus)
        return Tokenizers(
            _load_or_train(config.source_model, sources, config, f"{corpus.name}, source side"),
            _load_or_train(config.target_model, targets, config, f"{corpus.name}, target side"),
        )
    named = {name for name in (config.source_model, config.target_model) if name is not None}
    if len(named) > 1:
        raise ConfigError("tokenizer.source_model and tokenizer.target_model differ; set tokenizer.joint=false")
    both = _load_or_train(named.pop() if named else None, itertools.chain.from_iterable(corpus), config, corpus.name)
    return Tokenizers(both, both)


def _load_or_train(path: str | None, sentences: Iterable[str], config: TokenizerConfig, label: str) -> Tokenizer:
    return train_tokenizer(sentences, config, label) if path is None else Tokenizer.load(Path(path).expanduser())


def save_tokenizers(tokenizers: Tokenizers, folder: Path) -> None:
    """Write ``tokenizer.model``, or ``tokenizer.source.model`` and ``tokenizer.target.model``, into a folder."""
    if tokenizers.joint:
        (folder / "tokenizer.model").write_bytes(tokenizers.source.to_bytes())
    else:
        (folder / "tokenizer.source.model").write_bytes(tokenizers.source.to_bytes())
        (folder / "tokenizer.target.model").write_bytes(tokenizers.target.to_bytes())


def load_tokenizers(folder: Path) -> Tokenizers:
    """Read what `save_tokenizers` wrote.

    Raises:
        DataError: a file is missing or damaged.
    """
    if (folder / "tokenizer.source.model").exists():
        return Tokenizers(*(Tokenizer.load(folder / f"tokenizer.{side}.model") for side in ("source", "target")))
    both = Tokenizer.load(folder / "tokenizer.model")
    return Tokenizers(both, both)
