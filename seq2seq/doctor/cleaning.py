"""Write a cleaned copy next to the original: drop, repair or keep each pair, and count what changed by reason."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from seq2seq.corpora.archives import split_path
from seq2seq.corpora.corpus import Corpus
from seq2seq.corpora.files import TextFiles
from seq2seq.corpora.lines import open_output
from seq2seq.doctor.arrays import Mask
from seq2seq.doctor.characters import fold, repair_mojibake
from seq2seq.doctor.diagnosis import Diagnosis
from seq2seq.doctor.markup import unescape
from seq2seq.doctor.quotes import unquoted
from seq2seq.doctor.reading import PairBlock, read_blocks
from seq2seq.doctor.reasons import Reason, Remedy
from seq2seq.errors import ConfigError, DataError
from seq2seq.portable.normalization import is_blank
from seq2seq.system.atomic import atomic_write
from seq2seq.system.lock import locked_output

NEVER_KEPT = frozenset({Reason.unreadable, Reason.invalid_utf8, Reason.separators})
"""Reasons that ``keep`` may not name: a text file cannot hold such pairs."""

PACKED = (".gz", ".xz", ".bz2")
"""Endings of compressed files. Cleaned copies are compressed with gzip if the original is, and else not."""

REPAIRS: Mapping[Reason, Callable[[str], str]] = {
    Reason.mojibake: repair_mojibake,
    Reason.csv_quotes: unquoted,
    Reason.html_entities: unescape,
    Reason.not_nfc: partial(unicodedata.normalize, "NFC"),
}
"""What repairs each side of a pair."""


@dataclass(frozen=True)
class CleaningResult:
    """The outcome of cleaning.

    Args:
        paths: the new files: source and target, or one with both.
        pairs, kept: pairs before and after.
        dropped: dropped pairs, by their first reason.
        changed: kept pairs that were changed, by reason.
    """

    paths: tuple[Path, ...]
    pairs: int
    kept: int
    dropped: dict[Reason, int]
    changed: dict[Reason, int]


def clean_paths(corpus: Corpus, name: str) -> tuple[Path, ...]:
    """Return the paths of the cleaned copy: two text files, or a tab-separated one if the original has both sides.

    ``train.en`` becomes ``train.clean.en``, ``train.en.gz`` becomes ``train.clean.en.gz``, and ``pairs.xlsx`` becomes
    ``pairs.clean.tsv``. A copy of a file in an archive is beside the archive.

    Raises:
        ConfigError: the corpus is not in files, both sides are one file, or a copy already exists.
    """
    paths: tuple[Path, ...]
    if isinstance(corpus, TextFiles):
        paths = source, target = _clean_path(corpus.source), _clean_path(corpus.target)
        if source == target:
            raise ConfigError(f"{name} has {corpus.name} on both sides: name a source file and a target file")
        if target.exists() and not source.exists():
            raise ConfigError(
                f"{target} already exists without {source}, as an interrupted command leaves it: remove it"
            )
    elif len(corpus.files) == 1:
        path = _without_packing(corpus.files[0].path)
        paths = (path.with_name(f"{path.stem}.clean.tsv"),)
    else:
        raise ConfigError(f"fix=true needs files, and {name} is {corpus.name}: leave fix out, or name files")
    for path in paths:
        if path.exists():
            raise ConfigError(f"{path} already exists: remove it, or name it in place of the original")
    return paths


def _clean_path(path: Path) -> Path:
    compressed = ".gz" if path.suffix == ".gz" else ""
    path = _without_packing(path)
    stem, dot, language = path.name.rpartition(".")
    return path.with_name(f"{stem}.clean.{language}{compressed}" if dot else f"{language}.clean{compressed}")


def _without_packing(path: Path) -> Path:
    """The path of a file without the ending of its compression; beside the archive for a file in one."""
    place, member = split_path(path)
    path = place.with_name(Path(member).name) if member else place
    return path.with_suffix("") if path.suffix in PACKED else path


class Cleaner:
    """Applies the remedies to the pairs of a corpus, block by block.

    Args:
        diagnosis: the findings in the corpus.
        keep: reasons to ignore.

    Attributes:
        dropped, changed: pairs by reason, complete after the last block.
    """

    def __init__(self, diagnosis: Diagnosis, keep: Collection[Reason]) -> None:
        self.dropped: Counter[Reason] = Counter()
        self.changed: Counter[Reason] = Counter()
        self._start = 0
        reasons = list(Reason)
        self._dropped = np.zeros(diagnosis.pairs, np.uint8)  # 1 + the index of the first reason
        self._changed: dict[Reason, Mask] = {}
        for finding in reversed(diagnosis.findings):
            if finding.reason in keep:
                continue
            if finding.reason.remedy is Remedy.drop:
                self._dropped[finding.rows] = 1 + reasons.index(finding.reason)
            elif finding.reason.remedy is not Remedy.none:
                mask = self._changed.setdefault(finding.reason, np.zeros(diagnosis.pairs, np.bool_))
                mask[finding.rows] = True
        for number, count in enumerate(np.bincount(self._dropped, minlength=len(reasons) + 1)[1:]):
            if count:
                self.dropped[reasons[number]] = int(count)

    def clean_block(self, block: PairBlock) -> tuple[list[str], list[str]]:
        """Return sources and targets of the kept pairs of the next block."""
        sources, targets = list(block.source), list(block.target)
        window = slice(self._start, self._start + len(sources))
        kept = self._dropped[window] == 0
        for reason, mask in self._changed.items():
            for row in np.flatnonzero(mask[window] & kept):
                source, target = sources[row], targets[row] = _remedied(reason, sources[row], targets[row])
                lost = reason is Reason.mojibake and "\ufffd" in source + target
                if not (is_blank(source) or is_blank(target) or lost):
                    self.changed[reason] += 1
                else:
                    kept[row] = False
                    self.dropped[Reason.lost_characters if lost else Reason.blank] += 1
        self._start += len(sources)
        rows = np.flatnonzero(kept)
        return [sources[row] for row in rows], [targets[row] for row in rows]


def _remedied(reason: Reason, source: str, target: str) -> tuple[str, str]:
    if reason.remedy is Remedy.swap:
        return target, source
    repair = REPAIRS.get(reason, str)  # which may restore line separators
    return fold(repair(source)), fold(repair(target))


def check_fix(training: Mapping[str, Corpus], keep: Collection[Reason]) -> None:
    """Check, before anything is read, that cleaned copies can be written.

    Raises:
        ConfigError: there is no training corpus, ``keep`` names a reason of `NEVER_KEPT`, or `clean_paths` raises it.
    """
    if not training:
        raise ConfigError("fix=true needs a training corpus: name it with data.train.source=… data.train.target=…")
    if impossible := sorted(NEVER_KEPT & set(keep)):
        raise ConfigError(f"keep={impossible[0]} is impossible, since a text file cannot hold such pairs: leave it out")
    for name, corpus in training.items():
        clean_paths(corpus, name)


def check_complete(diagnoses: Iterable[Diagnosis]) -> None:
    """Check that each cleaned copy would have all pairs that are right, since one that lacks some looks complete.

    Raises:
        DataError: one would not.
    """
    for diagnosis in diagnoses:
        if diagnosis.incomplete:
            raise _incomplete(diagnosis.incomplete)


def _incomplete(reason: str) -> DataError:
    return DataError(f"{reason}; fix=true wrote nothing, because the copy would lack pairs that are right")


def clean(diagnosis: Diagnosis, keep: Collection[Reason]) -> CleaningResult:
    """Write the cleaned copy of a corpus, completely or not at all.

    The target file gets its name first. A process killed at that moment leaves a target without a source. Nobody
    mistakes that for a pair of files, and `clean_paths` refuses to complete it.

    Raises:
        ConfigError: as in `clean_paths`.
        DataError: the corpus cannot be read to its end or has changed since the diagnosis, or no pair would be left.
        RunError: a file cannot be written, or another process is writing it.
    """
    check_complete([diagnosis])
    paths = clean_paths(diagnosis.corpus, diagnosis.name)
    cleaner, kept = Cleaner(diagnosis, keep), 0
    with ExitStack() as stack:
        for path in paths:
            stack.enter_context(locked_output(path))
        clean_paths(diagnosis.corpus, diagnosis.name)  # another process may have just written them
        temporary = [stack.enter_context(atomic_write(path)) for path in paths]
        with ExitStack() as opened:  # closing can fail on a full disk: both files are closed before one gets its name
            files = [
                opened.enter_context(open_output(partial, like=path))
                for partial, path in zip(temporary, paths, strict=True)
            ]
            if len(files) == 1 and diagnosis.corpus.titles:  # settings that name columns read the copy too
                titles = (" ".join(title.split()) for title in diagnosis.corpus.titles)
                files[0].write(("\t".join(titles) + "\n").encode())
            for block in read_blocks(diagnosis.corpus):
                if block.stopped:  # as a file that has changed since the diagnosis
                    raise _incomplete(block.stopped)
                sides = cleaner.clean_block(block)
                kept += len(sides[0])
                for file, lines in zip(files, sides if len(files) == 2 else [_rows(*sides)], strict=True):
                    file.write("".join(f"{line}\n" for line in lines).encode())
        if not diagnosis.pairs:  # before the files get their names
            reason = "; ".join(diagnosis.notes)
            raise DataError(f"{diagnosis.corpus.name}: there is no pair to clean ({reason}): name the right file")
        if not kept:
            raise _nothing_left(diagnosis, sorted(cleaner.dropped))
    dropped, changed = (
        {reason: count[reason] for reason in Reason if count[reason]} for count in (cleaner.dropped, cleaner.changed)
    )
    return CleaningResult(paths, diagnosis.pairs, kept, dropped, changed)


def _nothing_left(diagnosis: Diagnosis, reasons: list[Reason]) -> DataError:
    """The error for a corpus of which every pair would be dropped."""
    notes = {finding.reason: finding.note for finding in diagnosis.findings if finding.note}
    example = f"; {notes[Reason.unreadable]}" if Reason.unreadable in set(reasons) & set(notes) else ""
    kept = ", ".join(reason for reason in reasons if reason not in NEVER_KEPT)
    return DataError(
        f"{diagnosis.corpus.name}: fix=true would drop every pair ({', '.join(reasons)}{example}): correct the files"
        f"{f', or set keep=[{kept}]' if kept else ''}"
    )


def _rows(sources: list[str], targets: list[str]) -> list[str]:
    """Pairs as tab-separated rows; a tab within a sentence becomes a space."""
    return ["\t".join(side.replace("\t", " ") for side in pair) for pair in zip(sources, targets, strict=True)]
