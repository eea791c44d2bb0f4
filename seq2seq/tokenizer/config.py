"""Settings of tokenizers: how text is cut into pieces, and which pieces are never split."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from seq2seq.errors import ConfigError
from seq2seq.settings import Settings, setting
from seq2seq.tokenizer.tokenizer import normalize

SMALLEST = 4 + 256  # the special pieces and one piece for each byte
SMALLEST_OF_WORDS = 4 + 1


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
class TokenizerConfig(Settings):
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
        1.0, "share of the text's characters that become pieces; the rest is spelt in bytes", at_least=0.98, at_most=1
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
        check_size(self.source_side())
        check_size(self.target_side())
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

    def monolingual(self) -> "TokenizerConfig":
        """The settings of a language model's only vocabulary: those of the target side."""
        side = self if self.joint else replace(self.target_side(), source_model=None)
        return replace(side, joint=True)


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


def check_size(config: TokenizerConfig) -> None:
    """Check that a vocabulary has room for the special pieces and, but for one of words, for every byte.

    Raises:
        ConfigError: it has none.
    """
    if config.algorithm is not Algorithm.word and config.size < SMALLEST:
        raise ConfigError(f"tokenizer.size must be at least {SMALLEST} (4 specials and 256 bytes), got {config.size}")
