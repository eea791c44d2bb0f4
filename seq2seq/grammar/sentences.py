"""The sentences of the built-in corpus: English and German from one synchronous grammar.

The corpus is synthetic: about 170 content words, sentences of 2 to 20 words, one correct translation each. A score on
it shows that a model has learned the agreement and word order of this grammar. It does not predict the quality on real
text.

The test set measures generalisation to new combinations of known words. A hash of the seed assigns every (verb, object
noun) pair, such as (repair, radio), to one split: about 1 in 20 to test, 1 in 20 to validation, the rest to training. A
training sentence contains training combinations only. A test sentence contains at least one test combination and no
validation combination, and vice versa. The noun counts in every position: as the object, before a relative clause (*the
radio that he repairs*), or as the antecedent of a pronoun (*The radio is old, but he repairs it*). The three sets are
therefore disjoint, but every single word of the test set also occurs in training.

Sentences are drawn in blocks with one random state each, so that several processes can generate a large corpus.
"""

from array import array
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b, sha256
from itertools import chain, count
from random import Random

from seq2seq.errors import ConfigError
from seq2seq.grammar.clause import Combination, Sentence, combinations
from seq2seq.grammar.sampler import draw_sentence
from seq2seq.grammar.to_english import english
from seq2seq.grammar.to_german import german

SPLITS = ("train", "validation", "test")
_ONE_IN = 20
DRAWS = 1 << 17
"""Draws per block: the default sizes need one block."""
PATIENCE = 20_000
"""Draws without a new sentence after which a split counts as exhausted."""

Texts = tuple[str, str]
"""English and German."""


@cache
def reserved_for(combination: Combination, seed: int) -> str:
    """The split that a (verb, object noun) combination belongs to."""
    digest = sha256(f"{seed} {' '.join(combination)}".encode()).digest()
    return {0: "test", 1: "validation"}.get(int.from_bytes(digest[:4], "big") % _ONE_IN, "train")


def split_of(sentence: Sentence, seed: int) -> str | None:
    """The split a sentence belongs to; None if it contains combinations of both test and validation."""
    splits = {reserved_for(combination, seed) for combination in combinations(sentence)} - {"train"}
    if len(splits) > 1:
        return None
    return splits.pop() if splits else "train"


def draw_block(seed: int, split: str, number: int, draws: int) -> Iterator[tuple[Sentence, Texts] | None]:
    """Draw the sentences of a block: each with its texts, or None if it belongs to another split."""
    # a string seeds through SHA-512: the same on every platform
    random = Random(f"{seed} {split} {number}" if number else f"{seed} {split}")
    for _ in range(draws):
        sentence = draw_sentence(random)
        own = split_of(sentence, seed) == split
        yield (sentence, (english(sentence), german(sentence))) if own else None


def draw_sentences(seed: int, split: str, size: int) -> Iterator[tuple[Sentence, Texts]]:
    """The sentences of one split with their texts, distinct in either language, in random order.

    They depend on the seed and the split alone: a larger size adds sentences at the end.

    Args:
        seed: of the sentences, and of the combinations that are reserved for a split.
        split: ``train``, ``validation`` or ``test``.
        size: number of sentences.

    Raises:
        ConfigError: the grammar has fewer sentences.
    """
    seen = HashSet(2 * size)
    found = idle = 0
    for drawn in chain.from_iterable(draw_block(seed, split, number, DRAWS) for number in count()):
        idle += 1
        if idle > PATIENCE:
            raise exhausted(split, size, found)
        if drawn is not None and seen.add(*map(text_hash, drawn[1])):
            found, idle = found + 1, 0
            yield drawn
            if found == size:
                return


def exhausted(split: str, size: int, found: int) -> ConfigError:
    """The error for more sentences than the grammar has."""
    return ConfigError(
        f"data.builtin.{split}_size is {size:,}, but the built-in grammar runs out of new sentences after {found:,}: "
        "set at most that many"
    )


def text_hash(text: str) -> int:
    """A 64-bit hash of a text, not 0. The chance of any collision among ten million pairs is 1 in 100,000."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") or 1


class HashSet:
    """A set of 64-bit numbers other than 0, with 12 bytes per number where `set` takes 70.

    It uses open addressing with linear probing.

    Args:
        capacity: the largest number of elements.
    """

    def __init__(self, capacity: int) -> None:
        self._slots = array("Q", [0]) * (capacity * 3 // 2 + 2)

    def add(self, *numbers: int) -> bool:
        """Add all numbers if none of them is in the set; returns whether they were added."""
        slots, size, free = self._slots, len(self._slots), []
        for number in numbers:
            slot = number % size
            while stored := slots[slot]:
                if stored == number:
                    return False
                slot = (slot + 1) % size
            free.append(slot)
        for number, slot in zip(numbers, free, strict=True):
            while slots[slot]:  # the previous number may have taken it
                slot = (slot + 1) % size
            slots[slot] = number
        return True
