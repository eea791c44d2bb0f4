"""Split a corpus into training, validation and test sets that share no near copies.

Near copies of a sentence are defined in `near_copies`. A group of pairs that are near copies on either side goes to one
set as a whole, so that no test sentence is in training with another full stop or number.
"""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import compress
from math import isclose, isfinite
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from seq2seq.corpora.columns import JsonFile, JsonLinesFile
from seq2seq.corpora.config import Split
from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.corpora.near_copies import Integers, group_pairs
from seq2seq.corpora.table import TableFile
from seq2seq.errors import ConfigError, DataError, counted
from seq2seq.portable.normalization import is_blank
from seq2seq.system.atomic import atomic_write, new_folder
from seq2seq.system.lock import locked_output

VERSION = 2
"""Part of the fingerprint of every set; a change of the method must raise it."""

SURROGATE = re.compile("[\ud800-\udfff]")
"""Half a character, as JSON may have it; UTF-8 cannot."""


@dataclass(frozen=True)
class SplitReport:
    """What a split did.

    Attributes:
        pairs: of the corpus.
        groups: of pairs that are near copies on either side.
        largest: pairs in the largest group.
        train, validation, test: pairs in each set.
        seed: of the split.
        blank: other pairs, which are left out because a side has no visible character.
        repeated_at_random: test sources that a random split of the same sizes also puts into training (equal without
            case, digits, punctuation and white space); after this split there are none.
    """

    pairs: int
    groups: int
    largest: int
    train: int
    validation: int
    test: int
    seed: int
    repeated_at_random: int
    blank: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the same as plain JSON types."""
        return asdict(self)

    def __str__(self) -> str:
        blank = f" ({counted(self.blank, 'other')} with a blank side left out)" if self.blank else ""
        share = f" ({self.repeated_at_random / self.test:.1%})" if self.test else ""
        return (
            f"split {self.pairs:,} pairs{blank}: {self.train:,} train, {self.validation:,} validation, "
            f"{self.test:,} test, seed {self.seed}; {self.groups:,} groups of near copies, the largest of "
            f"{self.largest:,}; a random split would leave {self.repeated_at_random:,}{share} of the test sources "
            "in train, this one none"
        )


class Assignment(NamedTuple):
    """The set of each pair."""

    parts: npt.NDArray[np.int8]
    """Index in `Split`, or -1 for a pair that is in no set, [pairs]."""
    report: SplitReport


class SplitCorpus:
    """A corpus in three sets that share no near copies; see `Corpus.split` for arguments and errors.

    Unpacks into the three sets: ``train, validation, test = corpus.split()``.

    Attributes:
        train: the training set.
        validation, test: these sets; None if they have size 0.
        report: sizes, groups, and what a random split would have done.
        corpus, sizes, seed: the arguments.
    """

    def __init__(self, corpus: Corpus, sizes: Sequence[float] | None = None, seed: int = 1) -> None:
        self.corpus, self.sizes, self.seed = corpus, None if sizes is None else [float(size) for size in sizes], seed
        check_sizes(self.sizes)
        assignment = _assign(corpus, self.sizes, seed)
        self.report = assignment.report
        self.train: Corpus = SplitPart(self, Split.train, assignment.parts)
        parts = (SplitPart(self, split, assignment.parts) for split in (Split.validation, Split.test))
        self.validation, self.test = (part if part.expected_pairs() else None for part in parts)

    def __iter__(self) -> Iterator[Corpus | None]:
        return iter((self.train, self.validation, self.test))

    def __str__(self) -> str:
        return "\n".join(filter(None, (self.corpus.note, str(self.report))))

    def part(self, split: Split) -> Corpus | None:
        """The set of this name; None if it has size 0."""
        return dict(zip(Split, self, strict=True))[split]


class SplitPart(Corpus):
    """One of the three sets of a split, in the order of the whole corpus."""

    def __init__(self, split: SplitCorpus, part: Split, parts: npt.NDArray[np.int8]) -> None:
        self.corpus, self.languages = split.corpus, split.corpus.languages
        self.name = f"{split.corpus.name} ({part})"
        self._mask = parts == list(Split).index(part)
        blank = f", {split.report.blank} blank left out" if split.report.blank else ""
        self._method = f"{part} set of split {VERSION}, sizes {split.sizes}, seed {split.seed}{blank}"

    @property
    def fingerprint(self) -> str:
        """The whole corpus, and how it is split."""
        return f"{self._method}: {self.corpus.fingerprint}"

    def __iter__(self) -> Iterator[Pair]:
        return compress(self.corpus, self._mask)

    @property
    def note(self) -> str:
        """Same as for the whole corpus."""
        return self.corpus.note

    def expected_pairs(self) -> int:
        """Number of pairs."""
        return int(self._mask.sum())


_ASSIGNMENTS: dict[str, Assignment] = {}
"""The latest splits by fingerprint: a command reads the sets of a run several times."""


def _assign(corpus: Corpus, sizes: list[float] | None, seed: int) -> Assignment:
    """The set of each pair of a corpus.

    Raises:
        DataError: the corpus has too few pairs or too large groups of near copies.
    """
    key = f"{corpus.fingerprint} {sizes} {seed}"
    if key not in _ASSIGNMENTS:
        while len(_ASSIGNMENTS) >= 4:
            _ASSIGNMENTS.pop(next(iter(_ASSIGNMENTS)))
        pairs = list(corpus)
        if corpus.monolingual:  # empty sources are no copies of each other
            pairs = [Pair(target, target) for _, target in pairs]
        filled = np.array([not any(map(is_blank, pair)) for pair in pairs], np.bool_)
        if pairs and not filled.any():
            raise DataError(f"{corpus.name}: every pair has a blank side: check the columns or the file")
        try:
            parts, report = split_groups(*group_pairs(list(compress(pairs, filled))), sizes, seed, corpus.name)
        except DataError as error:  # wrong columns look like too few pairs, or like copies of each other
            raise DataError(f"{error}{f' ({corpus.note})' if corpus.note else ''}") from None
        every = np.full(len(pairs), -1, np.int8)
        every[filled] = parts
        _ASSIGNMENTS[key] = Assignment(every, replace(report, blank=len(pairs) - int(filled.sum())))
    return _ASSIGNMENTS[key]


def split_groups(
    groups: Integers, sources: Integers, sizes: Sequence[float] | None, seed: int, name: str
) -> Assignment:
    """Assign whole groups to the sets at random, as many as fit into the wanted sizes.

    Validation and test get groups of at most a tenth of their size first, so that no group dominates them. Train gets
    all other groups, or as many as fit if it has a wanted number of pairs.

    Args:
        groups: of each pair, from 0, [pairs].
        sources: equal numbers are equal sources, for the report, [pairs].
        sizes: see `Corpus.split`.
        seed: of the order in which groups are assigned.
        name: of the corpus, for messages.

    Raises:
        DataError: a set gets less than half of its wanted size.
    """
    wanted = wanted_pairs(sizes, len(groups), name)
    counts = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(counts))
    part_of_group = np.full(len(counts), 0 if sum(wanted.values()) == len(groups) else -1, np.int8)
    unassigned = dict.fromkeys(order.tolist())
    for split in (Split.validation, Split.test, *([Split.train] if part_of_group[0] < 0 else [])):
        room = wanted[split]
        for limit in (max(1, room // 10), room):
            for group in [group for group in unassigned if counts[group] <= limit]:
                if counts[group] <= room:
                    part_of_group[group] = list(Split).index(split)
                    room -= int(counts[group])
                    del unassigned[group]
                if not room:
                    break
        if 2 * room > wanted[split]:
            raise DataError(
                f"{name} cannot be split into sets without near copies: its {len(groups):,} pairs form "
                f"{counted(len(counts), 'group')}, the largest of {counted(counts.max(), 'pair')}, so {split} gets "
                f"{wanted[split] - room:,} of {counted(wanted[split], 'pair')}: add other pairs, "
                f"{_advice(counts, wanted)}or choose the sets yourself with data.train.file=… data.validation.file=… "
                "data.test.file=… (pairs with an equal or nearly equal sentence on either side are one group, which "
                "goes to one set)"
            )
    parts = part_of_group[groups]
    report = SplitReport(
        pairs=len(groups),
        groups=len(counts),
        largest=int(counts.max()),
        **{str(split): int((parts == index).sum()) for index, split in enumerate(Split)},
        seed=seed,
        repeated_at_random=_repeated_at_random(sources, wanted, seed),
    )
    return Assignment(parts, report)


def _advice(counts: Integers, wanted: dict[Split, int]) -> str:
    """Which sizes may fit where groups of ``counts`` pairs do not; empty if none do."""
    held_out, others = wanted[Split.validation] + wanted[Split.test], int(counts.sum() - counts.max())
    if others >= held_out:
        return "ask for larger sets, "
    return f"ask for smaller sets such as data.split=[{others // 2},{others // 2}], " if others >= 20 else ""


def _repeated_at_random(sources: Integers, wanted: dict[Split, int], seed: int) -> int:
    """Sources of the test set that are in the training set too if pairs are split at random."""
    order = sources[np.random.default_rng(seed).permutation(len(sources))]
    test, train = order[: wanted[Split.test]], order[wanted[Split.test] + wanted[Split.validation] :]
    return int(np.isin(test, train[: wanted[Split.train]]).sum())


def write_sets(split: SplitCorpus, folder: Path, columns: tuple[str, str] | None = None) -> dict[Split, Path]:
    """Write the sets of a split into a new folder, one file each, a pair per row and the source first.

    They have the form of the corpus: JSON lines, also for Parquet, CSV, or tab-separated text without
    quotes; white space within a sentence becomes single spaces.

    Args:
        split: the sets.
        folder: must not exist, or be empty; it appears once all files are complete.
        columns: names of the columns of JSON lines; None: those of the corpus if it is JSON lines, else its languages.

    Returns:
        The file of each set.

    Raises:
        RunError: the folder is not empty, cannot be written, or another process is writing it.
    """
    corpus, sets = split.corpus, {part: text for part in Split if (text := split.part(part)) is not None}
    if columns is None:
        columns = corpus.columns if isinstance(corpus, JsonLinesFile | JsonFile) else corpus.languages
    if columns is None or columns[0] == columns[1]:
        columns = "source", "target"
    kind = "jsonl"
    if isinstance(corpus, TableFile):
        kind = "tsv" if corpus.separator == "\t" else "csv"
    with locked_output(folder), new_folder(folder) as new:
        for part, text in sets.items():
            with atomic_write(new / f"{part}.{kind}") as place, place.open("w", encoding="utf-8", newline="") as file:
                rows = ([SURROGATE.sub("\ufffd", " ".join(side.split())) for side in pair] for pair in text)
                if kind == "csv":
                    # In quotation marks, so that the separator of a few rows is certain.
                    csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
                elif kind == "tsv":
                    file.writelines("\t".join(row) + "\n" for row in rows)
                else:
                    objects = (json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) for row in rows)
                    file.writelines(f"{line}\n" for line in objects)
    return {part: folder / f"{part}.{kind}" for part in sets}


def check_sizes(sizes: Sequence[float] | None) -> None:
    """Check the sizes of a split; `Corpus.split` says what they mean.

    Raises:
        ConfigError: they are neither three percentages nor counts.
    """
    if sizes is None:
        return
    given = f"data.split=[{','.join(f'{size:g}' for size in sizes)}]"
    advice = "give percentages of train, validation and test such as [90,5,5], or counts of validation and test pairs"
    if (
        len(sizes) not in (2, 3)
        or not all(map(isfinite, sizes))
        or min(sizes) < 0
        or (len(sizes) == 3 and sizes[0] == 0)
    ):
        raise ConfigError(f"{given} is not a split: {advice}")
    if len(sizes) == 2 and (isclose(sum(sizes), 100) or isclose(sum(sizes), 1)):
        raise ConfigError(
            f"{given} could be percentages or counts: {advice}; [{sizes[0]:g},{sizes[1]:g},0] has no test"
        )
    if not _are_shares(sizes) and (any(size != int(size) for size in sizes) or (len(sizes) == 3 and max(sizes) <= 100)):
        raise ConfigError(f"{given} are neither percentages, which sum to 100, nor numbers of pairs: {advice}")


def size_of(split: Split, sizes: Sequence[float] | None) -> float:
    """The size that a split gives to a set; 1 if it does not say."""
    return dict(zip(Split, [1.0, *([1.0, 1.0] if sizes is None else sizes)][-3:], strict=True))[split]


def _are_shares(sizes: Sequence[float]) -> bool:
    return len(sizes) == 3 and (isclose(sum(sizes), 100) or isclose(sum(sizes), 1))


def wanted_pairs(sizes: Sequence[float] | None, pairs: int, name: str) -> dict[Split, int]:
    """The number of pairs that each set should have; see `Corpus.split`.

    Raises:
        DataError: there are fewer pairs than are asked for, or fewer than three.
    """
    if pairs < 3:
        raise DataError(
            f"{name}: {counted(pairs, 'pair')} cannot be split into train, validation and test: pass at least 3"
        )
    if sizes is None:
        held_out = max(1, min(max(pairs // 20, 10), 2_000, pairs // 5))
        sizes = [held_out, held_out]
    if _are_shares(sizes):
        sizes = [max(1, round(pairs * size / sum(sizes))) if size else 0 for size in sizes[1:]]
    validation, test = (int(size) for size in sizes[-2:])
    train = int(sizes[0]) if len(sizes) == 3 else pairs - validation - test
    if train < 1 or train + validation + test > pairs:
        raise DataError(
            f"{name} has {pairs:,} pairs, too few for {validation:,} validation and {test:,} test pairs"
            f"{f' beside {train:,} train pairs' if len(sizes) == 3 else ''}: ask for fewer"
        )
    return {Split.train: train, Split.validation: validation, Split.test: test}
