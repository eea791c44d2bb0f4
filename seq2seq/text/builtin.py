"""The built-in corpus: English–German sentences of a synchronous grammar, so that a run needs no download.

It is synthetic: about 170 content words, sentences of 2 to 20 words, one right translation each. A score on it says
that a model learned this grammar's agreement and word order; it says nothing about translating real text.

What the test set measures is new combinations, not merely new sentences. Every (verb, object noun) pair, such as
(repair, radio), belongs to one split, by a hash of the seed: about 1 in 20 to test, 1 in 20 to validation, the rest to
training. A training sentence holds training combinations only. A test sentence holds at least one of test's and none
of validation's; a validation sentence at least one of validation's and none of test's. The noun counts wherever it
stands: as the object, before a relative clause (*the radio that he repairs*), or behind a pronoun (*The radio is old,
but he repairs it*). The sets are disjoint therefore, though each single word of the test set also occurs in training.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from random import Random

from seq2seq.errors import ConfigError
from seq2seq.settings import setting
from seq2seq.text.clause import Combination, Sentence, combinations
from seq2seq.text.grammar import draw_sentence
from seq2seq.text.to_english import english
from seq2seq.text.to_german import german
from seq2seq.text.types import Pair

SPLITS = ("train", "validation", "test")
_ONE_IN = 20
# Draws without a single new sentence after which a split counts as exhausted.
_PATIENCE = 20_000


@dataclass(kw_only=True)
class BuiltinConfig:
    """How much of the built-in corpus to write."""

    train_size: int = setting(80_000, "sentence pairs to train on", at_least=1)
    validation_size: int = setting(500, "sentence pairs to validate on", at_least=1)
    test_size: int = setting(1_000, "sentence pairs to test on", at_least=1)
    seed: int = setting(1, "which sentences, and which combinations of words are held out")


@cache
def reserved_for(combination: Combination, seed: int) -> str:
    """The split that a (verb, object noun) combination belongs to."""
    digest = sha256(f"{seed} {' '.join(combination)}".encode()).digest()
    return {0: "test", 1: "validation"}.get(int.from_bytes(digest[:4], "big") % _ONE_IN, "train")


def split_of(sentence: Sentence, seed: int) -> str | None:
    """The split a sentence belongs to; None where it holds combinations of both test and validation."""
    splits = {reserved_for(combination, seed) for combination in combinations(sentence)} - {"train"}
    if len(splits) > 1:
        return None
    return splits.pop() if splits else "train"


def builtin_sentences(config: BuiltinConfig, split: str) -> Iterator[tuple[Sentence, Pair]]:
    """The sentences of a split as the grammar drew them, each with its text. Arguments and errors: `builtin_corpus`."""
    if split not in SPLITS:
        raise ConfigError(f"the built-in corpus has no split {split!r}: ask for one of {', '.join(SPLITS)}")
    size = {"train": config.train_size, "validation": config.validation_size, "test": config.test_size}[split]
    random = Random(f"{config.seed} {split}")  # a string seeds through SHA-512: the same on every platform
    seen: set[str] = set()
    count = idle = 0
    while count < size:
        sentence, idle = draw_sentence(random), idle + 1
        if idle > _PATIENCE:
            raise ConfigError(
                f"data.builtin.{split}_size is {size:,}, but the built-in grammar runs out of new sentences "
                f"after {count:,}: ask for at most that many"
            )
        if split_of(sentence, config.seed) != split:
            continue
        pair = Pair(english(sentence), german(sentence))
        if pair.source not in seen and pair.target not in seen:
            seen.update(pair)
            count, idle = count + 1, 0
            yield sentence, pair


def builtin_corpus(config: BuiltinConfig, split: str) -> list[Pair]:
    """The pairs (English, German) of one split, distinct on either side, in random order.

    The result depends on the seed, the split and its size alone; a larger size only adds pairs at the end.

    Args:
        config: sizes and seed.
        split: ``train``, ``validation`` or ``test``.

    Raises:
        ConfigError: unknown split, or more pairs than the grammar yields.
    """
    return [pair for _, pair in builtin_sentences(config, split)]
