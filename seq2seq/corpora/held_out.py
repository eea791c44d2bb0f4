"""Sentences of the validation and test sets in further training text (``data.more``).

A split of ``data.file`` leaves no near copy of them in training; a further corpus may contain some. Training reports
them, and reads the corpus as it is.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import chain, islice

import numpy as np

from seq2seq.corpora.config import DataConfig, Split
from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.corpora.mixture import MixedCorpus, without_tag
from seq2seq.corpora.near_copies import near_copies, normalized
from seq2seq.corpora.reading import Corpora, split_file
from seq2seq.errors import DataError, RunError, program

LARGE = 200_000
"""Pairs of a corpus up to which near copies are found; in a larger one, only sentences that are equal but for spaces at
their ends: the search for near copies would take a noticeable time."""


def held_out_warnings(config: DataConfig, corpora: Corpora) -> list[str]:
    """One line for each corpus of ``data.more`` with sentences of the validation or test set, or near copies of them.

    Args:
        config: the settings of the corpora.
        corpora: as `read_corpora` returns them.
    """
    numbers = [number for number, more in enumerate(config.more) if more.weight]
    if config.overfit is not None or not numbers or not isinstance(corpora.train, MixedCorpus):
        return []  # with overfit, every set is the training text
    sets: dict[str, list[Pair]] = {}
    for split, text in ((Split.test, corpora.test), (Split.validation, corpora.validation)):
        with suppress(DataError, RunError):  # reported where the set is used: a test set of the hub may have no targets
            sets |= {str(split): list(without_tag(text))} if text is not None else {}
    warnings = []
    for number, part in zip(numbers, corpora.train.parts[len(corpora.train.parts) - len(numbers) :], strict=True):
        corpus = without_tag(part.corpus)
        if any((counts := count_held_out(corpus, sets)).values()):
            found = " and ".join(f"{count:,} with one of the {name} set" for name, count in counts.items() if count)
            warnings.append(
                f"data.more[{number}] ({corpus.name}) has training pairs with a sentence that is held out, or nearly "
                f"equal to one: {found}. Scores on these sets are too good: delete the pairs, which "
                f"{program('doctor')} lists with the same data settings and json=true"
            )
    return warnings


def count_held_out(corpus: Corpus, sets: Mapping[str, Sequence[Pair]]) -> dict[str, int]:
    """The number of pairs in a corpus with a source or a target that each set has on this side.

    In a corpus of at most `LARGE` pairs, near copies count too, by the rule of `near_copies`. Sentences of digits and
    punctuation alone do not count.
    """
    pairs = iter(corpus)
    first = list(islice(pairs, LARGE + 1))
    if len(first) <= LARGE:
        return _near(first, sets)
    sides = {
        name: tuple({text.strip() for text in side if normalized(text)} for side in zip(*other, strict=True))
        for name, other in sets.items()
    }
    counts = dict.fromkeys(sets, 0)
    for pair in chain(first, pairs):
        for name, (sources, targets) in sides.items():
            counts[name] += pair.source.strip() in sources or pair.target.strip() in targets
    return counts


def _near(pairs: Sequence[Pair], held_out: Mapping[str, Sequence[Pair]]) -> dict[str, int]:
    """The number of pairs with a near copy of a sentence in each set."""
    everything = [*pairs, *chain.from_iterable(held_out.values())]
    found = {name: np.zeros(len(pairs), np.bool_) for name in held_out}
    for side in zip(*everything, strict=True):
        numbers, groups = near_copies([*side, ""])
        filled, end = numbers[: len(pairs)] != numbers[-1], len(pairs)
        for name, others in held_out.items():
            found[name] |= filled & np.isin(groups[: len(pairs)], groups[end : end + len(others)])
            end += len(others)
    return {name: int(rows.sum()) for name, rows in found.items()}


def sets_of_file(config: DataConfig) -> dict[str, Corpus]:
    """The test and validation sets of ``data.file`` if there is ``data.more``, for the doctor to compare it with.

    Empty without both, and if the file cannot be split.
    """
    if config.file is None or not config.more:
        return {}
    try:
        split = split_file(config)
    except DataError:
        return {}
    return {str(name): part for name in (Split.test, Split.validation) if (part := split.part(name)) is not None}
