"""Learning a vocabulary: unigram, byte-pair, word or character pieces, of both languages or of each.

SentencePiece learns them all (Kudo & Richardson 2018); what is learnt is a `seq2seq.text.tokenizer.Tokenizer`.
"""

import io
import itertools
import logging
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from sentencepiece import SentencePieceTrainer

from seq2seq.errors import ConfigError, DataError
from seq2seq.settings import setting
from seq2seq.text.tokenizer import BOS, EOS, PAD, UNK, Tokenizer, Tokenizers, load_tokenizers, normalize

if TYPE_CHECKING:  # keeps pyarrow out of programs that only translate
    from seq2seq.text.corpus import Corpus

SMALLEST = 4 + 256  # the special pieces and one piece for each byte
SMALLEST_OF_WORDS = 4 + 1
LONGEST = 1_000  # characters: SentencePiece learns nothing from a sentence over 4,192 bytes, so they are cut

log = logging.getLogger("seq2seq")


class Algorithm(StrEnum):
    """How pieces are chosen.

    A unigram language model (Kudo 2018); byte-pair merges (Sennrich et al. 2016); the most frequent words, as white
    space parts them; or all characters. The words alone are a closed vocabulary: another word is ``<unk>``.
    """

    unigram = "unigram"
    bpe = "bpe"
    word = "word"
    char = "char"

    @property
    def samples(self) -> bool:
        """Whether there is more than one way to cut a text, so that one may be drawn."""
        return self in (Algorithm.unigram, Algorithm.bpe)


@dataclass(kw_only=True)
class TokenizerConfig:
    """How text is cut into pieces; learnt from the training split unless a trained model is named."""

    algorithm: Algorithm = setting(Algorithm.unigram, "how pieces are chosen: unigram, bpe, word or char")
    size: int = setting(
        8000, f"pieces in each vocabulary, tags included; {SMALLEST} or more, but for words", at_least=SMALLEST_OF_WORDS
    )
    joint: bool = setting(True, "one vocabulary for both languages")
    target_algorithm: Algorithm | None = setting(None, "another algorithm for the target side, where joint=false")
    target_size: int | None = setting(
        None, "another size for the target side, where joint=false", at_least=SMALLEST_OF_WORDS
    )
    source_model: str | None = setting(
        None, "a trained SentencePiece file, or the run folder that holds one, to use instead of training one"
    )
    target_model: str | None = setting(None, "the same for the target side, where joint=false")
    tags: list[str] = setting(factory=list, help="pieces that are never split, such as <2de>; each a word of its own")
    sampling: float = setting(
        0.0,
        "cut training text at random, anew in each epoch; 0: never; bpe: the chance that a merge is left out, such as "
        "0.1; unigram: the exponent on the probabilities, such as 0.2, smaller is freer",
        at_least=0,
        at_most=1,
    )
    sample_target: bool = setting(True, "where sampling is above 0, cut the target side at random too")
    character_coverage: float = setting(
        1.0, "share of the text's characters that become pieces; the rest is spelt in bytes", above=0, at_most=1
    )
    training_sentences: int = setting(1_000_000, "at most so many sentences are sampled for training", at_least=1)

    def check(self) -> None:
        """Hold what one setting demands of another.

        Raises:
            ConfigError: names the settings that contradict each other.
        """
        if self.joint and (self.target_algorithm is not None or self.target_size is not None):
            raise ConfigError(
                "tokenizer.target_algorithm and tokenizer.target_size are for a target side with a vocabulary of its "
                "own: set tokenizer.joint=false"
            )
        _check_size(self.source_side())
        _check_size(self.target_side())
        for tag in self.tags:
            check_tag(tag)
        sampled = [self.algorithm, *([self.target_side().algorithm] if self.sample_target else [])]
        fixed = [algorithm for algorithm in sampled if not algorithm.samples]
        if self.sampling and fixed:
            raise ConfigError(
                f"tokenizer.sampling={self.sampling:g} needs more than one way to cut a text, and a vocabulary of "
                f"{fixed[0]}s has one: set tokenizer.sampling=0, or the algorithm to bpe or unigram"
            )

    def source_side(self) -> "TokenizerConfig":
        """The settings of the source's vocabulary, or of the one of both."""
        return replace(self, target_algorithm=None, target_size=None)

    def target_side(self) -> "TokenizerConfig":
        """The settings of the target's vocabulary."""
        algorithm, size = self.target_algorithm or self.algorithm, self.target_size or self.size
        return replace(self.source_side(), algorithm=algorithm, size=size)


def check_tag(tag: str) -> None:
    """Check that a piece that is never split can be one.

    Raises:
        ConfigError: it is blank, has white space or a comma in it, is not in normal form, or is spelt like a special.
    """
    special = tag in ("<unk>", "<s>", "</s>", "<pad>") or re.fullmatch("<0x[0-9A-F]{2}>", tag)
    if special or not tag or "," in tag or normalize(tag) != tag or len(tag.split()) != 1:
        raise ConfigError(
            f"{tag!r} can be no tag (tokenizer.tags, data.source_tag): choose one word without commas, in Unicode NFC, "
            "such as <2de>, and none of <unk>, <s>, </s>, <pad> or <0x00> to <0xFF>"
        )


def _check_size(config: TokenizerConfig) -> None:
    if config.algorithm is not Algorithm.word and config.size < SMALLEST:
        raise ConfigError(f"tokenizer.size must be at least {SMALLEST} (4 specials and 256 bytes), got {config.size}")


def train_tokenizer(sentences: Iterable[str], config: TokenizerConfig, label: str) -> Tokenizer:
    """Learn a vocabulary. The same sentences and settings give the same model, byte for byte.

    If the text supports fewer pieces than asked for, the model has as many as it does, and a warning says so.

    Args:
        sentences: the text; a sample drawn from all of it where there is more than ``training_sentences``.
        config: the settings; ``joint``, the model files and what is for the target side alone are not looked at.
        label: what to call the text in messages.

    Raises:
        ConfigError: the size is too small for the bytes, or for the characters the text contains.
        DataError: there is nothing to learn from.
    """
    _check_size(config)
    model = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=_cut(_sample(sentences, config.training_sentences)),
            model_writer=model,
            model_type=config.algorithm.value,
            vocab_size=config.size,
            hard_vocab_limit=False,  # a size that is too large then gives the largest that works
            character_coverage=config.character_coverage,
            byte_fallback=config.algorithm is not Algorithm.word,
            unk_surface=" <unk> ",  # a word of its own
            user_defined_symbols=list(config.tags),
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


def build_tokenizers(config: TokenizerConfig, corpus: "Corpus", source_tags: Sequence[str] = ()) -> Tokenizers:
    """Load the model files that are named, and train what is not named on the corpus (the training split).

    Args:
        config: the settings; its tags are pieces on both sides.
        corpus: what to learn from.
        source_tags: further tags, on the source side alone where the vocabularies are two.

    Raises:
        ConfigError: settings contradict each other; two different model files are named for one joint vocabulary; a tag
            cannot be one; the size is too small.
        DataError: a model file or the corpus cannot be used, or a model file lacks a tag.
    """
    config.check()
    for tag in source_tags:
        check_tag(tag)
    source = replace(config.source_side(), tags=list(dict.fromkeys([*config.tags, *source_tags])))
    if not config.joint:
        sources, targets = (pair.source for pair in corpus), (pair.target for pair in corpus)
        return Tokenizers(
            _load_or_train(config.source_model, sources, source, f"{corpus.name}, source side", "source"),
            _load_or_train(
                config.target_model, targets, config.target_side(), f"{corpus.name}, target side", "target"
            ),
        )
    named = {name for name in (config.source_model, config.target_model) if name is not None}
    if len(named) > 1:
        raise ConfigError("tokenizer.source_model and tokenizer.target_model differ; set tokenizer.joint=false")
    path, side = named.pop() if named else None, "source" if config.target_model is None else "target"
    texts = (text for pair in corpus for text in pair if text)  # in text of one language, sources are empty
    both = _load_or_train(path, texts, source, corpus.name, side)
    return Tokenizers(both, both)


def _load_or_train(
    path: str | None, sentences: Iterable[str], config: TokenizerConfig, label: str, side: str
) -> Tokenizer:
    """The tokenizer of a file, or that of this side of a run folder; without a path one learnt from the sentences."""
    if path is None:
        return train_tokenizer(sentences, config, label)
    found = Path(path).expanduser()
    tokenizer: Tokenizer = getattr(load_tokenizers(found), side) if found.is_dir() else Tokenizer.load(found)
    try:
        tokenizer.ids_of_tags(config.tags)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return tokenizer
