"""The built-in corpus: English–German sentences of a synchronous grammar, so that a run needs no download.

It is synthetic: about 170 content words, sentences of 2 to 20 words, one right translation each. A score on it says
that a model learned this grammar's agreement and word order; it says nothing about translating real text.

What the test set measures is new combinations, not merely new sentences. Every (verb, object noun) pair, such as
(repair, radio), belongs to one split, by a hash of the seed: about 1 in 20 to test, 1 in 20 to validation, the rest to
training. A training sentence holds training combinations only. A test sentence holds at least one of test's and none
of validation's; a validation sentence at least one of validation's and none of test's. The noun counts wherever it
stands: as the object, before a relative clause (*the radio that he repairs*), or behind a pronoun (*The radio is old,
but he repairs it*). The sets are disjoint therefore, though each single word of the test set also occurs in training.

Sentences are drawn in blocks, each from a random state of its own, so that several processes can draw a large corpus.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b, sha256
from itertools import chain, count
from random import Random

from seq2seq.corpora.pair import Pair
from seq2seq.errors import ConfigError
from seq2seq.grammar.clause import Combination, Sentence, combinations
from seq2seq.grammar.sampler import draw_sentence
from seq2seq.grammar.to_english import english
from seq2seq.grammar.to_german import german
from seq2seq.settings import setting

SPLITS = ("train", "validation", "test")
_ONE_IN = 20
DRAWS = 1 << 17
"""Draws in a block: the usual corpora need no more than one."""
PATIENCE = 20_000
"""Draws without a single new sentence after which a split counts as exhausted."""


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


def drawn_block(seed: int, split: str, number: int, draws: int) -> Iterator[tuple[Sentence, Pair] | None]:
    """The draws of a block one by one: a sentence of the split with its text, or None where it is another's."""
    # a string seeds through SHA-512: the same on every platform
    random = Random(f"{seed} {split} {number}" if number else f"{seed} {split}")
    for _ in range(draws):
        sentence = draw_sentence(random)
        own = split_of(sentence, seed) == split
        yield (sentence, Pair(english(sentence), german(sentence))) if own else None


def builtin_sentences(config: BuiltinConfig, split: str) -> Iterator[tuple[Sentence, Pair]]:
    """The sentences of a split as the grammar drew them, each with its text. Arguments and errors: `builtin_corpus`."""
    size = size_of(config, split)
    seen = Seen(2 * size)
    found = idle = 0
    for drawn in chain.from_iterable(drawn_block(config.seed, split, number, DRAWS) for number in count()):
        idle += 1
        if idle > PATIENCE:
            raise exhausted(split, size, found)
        if drawn is not None and seen.add(*(hashed(text) for text in drawn[1])):
            found, idle = found + 1, 0
            yield drawn
            if found == size:
                return


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


def size_of(config: BuiltinConfig, split: str) -> int:
    """How many pairs are asked for.

    Raises:
        ConfigError: unknown split.
    """
    if split not in SPLITS:
        raise ConfigError(f"the built-in corpus has no split {split!r}: ask for one of {', '.join(SPLITS)}")
    return {"train": config.train_size, "validation": config.validation_size, "test": config.test_size}[split]


def exhausted(split: str, size: int, found: int) -> ConfigError:
    """The error for more pairs than the grammar yields."""
    return ConfigError(
        f"data.builtin.{split}_size is {size:,}, but the built-in grammar runs out of new sentences "
        f"after {found:,}: ask for at most that many"
    )


def hashed(text: str) -> int:
    """64 bits that stand for a text; among ten million pairs one is taken for another with a chance of 1 in 100,000."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") or 1


class Seen:
    """A set of 64-bit numbers but 0, in 12 bytes each where Python's own takes 70 (open addressing, linear probing).

    Args:
        most: how many numbers it will hold at most.
    """

    def __init__(self, most: int) -> None:
        self._slots = array("Q", [0]) * (most * 3 // 2 + 2)

    def add(self, *numbers: int) -> bool:
        """Take all numbers in, if it has none of them; whether it had none."""
        slots, size, free = self._slots, len(self._slots), []
        for number in numbers:
            place = number % size
            while held := slots[place]:
                if held == number:
                    return False
                place = (place + 1) % size
            free.append(place)
        for number, place in zip(numbers, free, strict=True):
            while slots[place]:  # the one before may have taken it
                place = (place + 1) % size
            slots[place] = number
        return True
