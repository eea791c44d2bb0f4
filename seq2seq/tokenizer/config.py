"""Settings of tokenizers: how text is split into tokens, and which tokens are never split."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from seq2seq.errors import ConfigError
from seq2seq.portable.placeholders import SYMBOLS, PlaceholderKind, Placeholders
from seq2seq.settings import Settings, setting
from seq2seq.tokenizer.normalization import Normalization, normalize

SMALLEST = 4 + 256  # the special tokens and one token per byte
SMALLEST_OF_WORDS = 4 + 1

SENTENCEPIECE_COVERAGE = 0.98
"""SentencePiece's lowest ``character_coverage``; below it, rare characters are left out before it reads the text."""


class Algorithm(StrEnum):
    """How the tokens of a vocabulary are chosen.

    ``unigram``: a unigram language model (Kudo 2018); ``bpe``: byte-pair merges (Sennrich et al. 2016); ``word``: the
    most frequent words separated by white space; ``char``: characters. A word vocabulary is closed: any other word is
    ``<unk>``.
    """

    unigram = "unigram"
    bpe = "bpe"
    word = "word"
    char = "char"

    @property
    def samples(self) -> bool:
        """Whether a text has several segmentations to sample from."""
        return self in (Algorithm.unigram, Algorithm.bpe)


@dataclass(kw_only=True)
class TokenizerConfig(Settings):
    """How text is split into tokens; trained on the training split unless a trained model is named."""

    algorithm: Algorithm = setting(Algorithm.unigram, "unigram, bpe, word or char")
    size: int = setting(
        8000,
        f"tokens in each vocabulary, tags included; at least {SMALLEST} unless the algorithm is word",
        at_least=SMALLEST_OF_WORDS,
    )
    joint: bool = setting(True, "one vocabulary for both languages")
    target_algorithm: Algorithm | None = setting(
        None, "algorithm of the target vocabulary if joint=false; null: the same"
    )
    target_size: int | None = setting(
        None, "size of the target vocabulary if joint=false; null: the same", at_least=SMALLEST_OF_WORDS
    )
    source_model: str | None = setting(
        None, "trained SentencePiece file, or a run folder with one, to use instead of training"
    )
    target_model: str | None = setting(None, "the same for the target vocabulary if joint=false")
    normalization: Normalization = setting(
        Normalization.nfc,
        "Unicode form of all text, of both sides, in training, translation and scores: nfc, nfkc or none",
    )
    tags: list[str] = setting(factory=list, help="tokens that are never split, such as <2de>; each is a separate word")
    placeholders: list[PlaceholderKind] = setting(
        factory=list,
        help="kinds of text that translations copy from the source: printf, braces, variables, tags, urls, emails, "
        "numbers",
    )
    sampling: float = setting(
        0.0,
        "resegment training text randomly each epoch; 0: off; bpe: dropout probability of merges, such as 0.1; "
        "unigram: exponent of the probabilities, such as 0.2, smaller is more random",
        at_least=0,
        at_most=1,
    )
    sampling_until: float = setting(
        1.0,
        "share of the updates that resegment text; the others train on the usual segmentation, as in translation",
        above=0,
        at_most=1,
    )
    sample_target: bool = setting(True, "resegment the target too if sampling is above 0")
    character_coverage: float = setting(
        1.0, "share of the text's characters that become tokens; the rest is spelled in bytes", above=0, at_most=1
    )
    training_sentences: int = setting(
        1_000_000, "maximum number of sentences sampled for training the vocabulary", at_least=1
    )

    def check(self) -> None:
        """Check that the settings are consistent.

        Raises:
            ConfigError: names the settings that contradict each other.
        """
        if self.joint and (self.target_algorithm is not None or self.target_size is not None):
            raise ConfigError(
                "tokenizer.target_algorithm and tokenizer.target_size need a separate target vocabulary: set "
                "tokenizer.joint=false"
            )
        check_vocabulary(self.source_side())
        check_vocabulary(self.target_side())
        for tag in self.tags:
            check_tag(tag, self.normalization)
        sampled = [self.algorithm, *([self.target_side().algorithm] if self.sample_target else [])]
        fixed = [algorithm for algorithm in sampled if not algorithm.samples]
        if self.sampling and fixed:
            raise ConfigError(
                f"tokenizer.sampling={self.sampling:g} needs several segmentations of a text, but a {fixed[0]} "
                "vocabulary has one: set tokenizer.sampling=0, or the algorithm to bpe or unigram"
            )

    def protection(self, source_tags: Sequence[str] = ()) -> Placeholders | None:
        """What is protected as a placeholder; None for nothing."""
        if not self.placeholders:
            return None
        whole_words = Algorithm.word in (self.algorithm, self.target_side().algorithm)
        tags = [*self.tags, *source_tags]
        return Placeholders(self.placeholders, tags, whole_words=whole_words, normalization=self.normalization)

    def with_symbols(self) -> "TokenizerConfig":
        """The same settings with the symbols of placeholders as tags, if there are placeholders."""
        return replace(self, tags=list(dict.fromkeys([*self.tags, *SYMBOLS]))) if self.placeholders else self

    def source_side(self) -> "TokenizerConfig":
        """The settings of the source vocabulary, or of the joint one."""
        return replace(self, target_algorithm=None, target_size=None)

    def target_side(self) -> "TokenizerConfig":
        """The settings of the target vocabulary."""
        algorithm, size = self.target_algorithm or self.algorithm, self.target_size or self.size
        return replace(self.source_side(), algorithm=algorithm, size=size)

    def monolingual(self) -> "TokenizerConfig":
        """The settings of a language model's only vocabulary: those of the target side."""
        side = self if self.joint else replace(self.target_side(), source_model=None)
        return replace(side, joint=True)


def check_tag(tag: str, normalization: Normalization = Normalization.nfc) -> None:
    """Check that a tag can be a token.

    Raises:
        ConfigError: the tag is blank, contains white space or a comma, is not in normal form, or is a special token.
    """
    special = tag in ("<unk>", "<s>", "</s>", "<pad>") or re.fullmatch("<0x[0-9A-F]{2}>", tag)
    if special or not tag or "," in tag or normalize(tag, normalization) != tag or len(tag.split()) != 1:
        raise ConfigError(
            f"{tag!r} is not a valid tag (tokenizer.tags, data.source_tag): choose one word without commas, in the "
            f"form tokenizer.normalization={normalization}, such as <2de>, and none of <unk>, <s>, </s>, <pad> or "
            "<0x00> to <0xFF>"
        )


def check_vocabulary(config: TokenizerConfig) -> None:
    """Check that a vocabulary has room for the special tokens and, unless it has words, for every byte.

    Raises:
        ConfigError: it is too small, or only subwords can cover as few of the characters.
    """
    if config.character_coverage < SENTENCEPIECE_COVERAGE and not config.algorithm.samples:
        raise ConfigError(
            f"tokenizer.character_coverage={config.character_coverage:g} needs tokenizer.algorithm=unigram or bpe: set "
            f"one of them, or at least {SENTENCEPIECE_COVERAGE:g}"
        )
    if config.algorithm is not Algorithm.word and config.size < SMALLEST:
        raise ConfigError(
            f"tokenizer.size must be at least {SMALLEST} (4 special tokens and 256 bytes), got {config.size}"
        )
