"""A cleaned copy beside the original: which pairs stay, what becomes of them, and how many of each reason did not."""

from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seq2seq.corpora.columns import JsonLinesFile, ParquetFile
from seq2seq.corpora.corpus import Corpus
from seq2seq.corpora.files import TextFiles, TsvFile
from seq2seq.corpora.lines import open_output
from seq2seq.doctor.characters import fold
from seq2seq.doctor.chunk import Mask
from seq2seq.doctor.examination import Examination
from seq2seq.doctor.rows import Rows, read_rows
from seq2seq.doctor.types import Reason, Remedy
from seq2seq.errors import ConfigError
from seq2seq.system.atomic import atomic_write
from seq2seq.system.lock import locked_output

ALWAYS = frozenset({Reason.unreadable, Reason.invalid_utf8, Reason.separators})
"""What lines of text cannot hold, and so cannot be kept."""


@dataclass(frozen=True)
class Cleaned:
    """What cleaning did.

    Args:
        source, target: the new files.
        pairs, kept: how many there were and are.
        dropped: pairs left out, by the first reason that each has.
        changed: pairs that stayed and are not as they were, by reason.
    """

    source: Path
    target: Path
    pairs: int
    kept: int
    dropped: dict[Reason, int]
    changed: dict[Reason, int]


def clean_paths(corpus: Corpus, name: str) -> tuple[Path, Path]:
    """Where the cleaned copy goes: two text files, whatever form the original has.

    ``train.en`` becomes ``train.clean.en``, ``train.en.gz`` ``train.clean.en.gz``, and ``pairs.tsv`` the two files
    ``pairs.clean.source.txt`` and ``pairs.clean.target.txt``.

    Raises:
        ConfigError: there is no file to write beside, both sides are one file, or there is a copy already.
    """
    if isinstance(corpus, TextFiles):
        paths = _beside(corpus.source), _beside(corpus.target)
    elif isinstance(corpus, TsvFile | JsonLinesFile | ParquetFile):
        stem = corpus.path.name.removesuffix(".gz").rpartition(".")[0]
        paths = (
            corpus.path.with_name(f"{stem}.clean.source.txt"),
            corpus.path.with_name(f"{stem}.clean.target.txt"),
        )
    else:
        raise ConfigError(f"{name} is {corpus.name}, and fix=true writes beside files: leave fix out, or name files")
    if paths[0] == paths[1]:
        raise ConfigError(f"{name} has {corpus.name} on both sides: name a source and a target")
    source, target = paths
    if target.exists() and not source.exists():
        raise ConfigError(f"{target} is there already and {source} is not, as a killed command leaves them: remove it")
    for path in paths:
        if path.exists():
            raise ConfigError(f"{path} is there already: remove it, or look it over by naming it as data.train")
    return paths


def _beside(path: Path) -> Path:
    packed = ".gz" if path.suffix == ".gz" else ""
    stem, dot, language = path.name.removesuffix(packed).rpartition(".")
    return path.with_name(f"{stem}.clean.{language}{packed}" if dot else f"{language}.clean{packed}")


class Remedies:
    """What becomes of each pair of a corpus.

    Args:
        examination: what was found in it.
        keep: reasons for which nothing is done.

    Attributes:
        dropped, changed: pairs by reason, complete when all have been treated.
    """

    def __init__(self, examination: Examination, keep: Collection[Reason]) -> None:
        self.dropped: Counter[Reason] = Counter()
        self.changed: Counter[Reason] = Counter()
        self._place = 0
        reasons = list(Reason)
        self._dropped = np.zeros(examination.pairs, np.uint8)  # 1 + the number of the first reason
        self._changed: dict[Reason, Mask] = {}
        for found in reversed(examination.found):
            if found.reason in keep:
                continue
            if found.reason.remedy is Remedy.drop:
                self._dropped[found.rows] = 1 + reasons.index(found.reason)
            elif found.reason.remedy is not Remedy.none:
                mask = self._changed.setdefault(found.reason, np.zeros(examination.pairs, np.bool_))
                mask[found.rows] = True
        for number, count in enumerate(np.bincount(self._dropped, minlength=len(reasons) + 1)[1:]):
            if count:
                self.dropped[reasons[number]] = int(count)

    def treat(self, rows: Rows) -> tuple[list[str], list[str]]:
        """Sources and targets of the pairs that stay, of the next some of the corpus."""
        sources, targets = list(rows.source), list(rows.target)
        window = slice(self._place, self._place + len(sources))
        stays = self._dropped[window] == 0
        for reason, mask in self._changed.items():
            for place in np.flatnonzero(mask[window] & stays):
                if reason.remedy is Remedy.swap:
                    sources[place], targets[place] = targets[place], sources[place]
                else:
                    sources[place], targets[place] = fold(sources[place]), fold(targets[place])
                if sources[place].strip() and targets[place].strip():
                    self.changed[reason] += 1
                else:  # there was nothing else
                    stays[place] = False
                    self.dropped[Reason.blank] += 1
        self._place += len(sources)
        left = np.flatnonzero(stays)
        return [sources[place] for place in left], [targets[place] for place in left]


def check_fix(training: Mapping[str, Corpus], keep: Collection[Reason]) -> None:
    """Hold, before anything is read, that cleaned copies can be written.

    Raises:
        ConfigError: there is no training corpus, ``keep`` names what cannot be kept, or as `clean_paths` does.
    """
    if not training:
        raise ConfigError("fix=true cleans training text only: name it with data.train.source=… data.train.target=…")
    if impossible := sorted(ALWAYS & set(keep)):
        raise ConfigError(f"keep={impossible[0]} cannot be: such a pair is no line of text; leave it out of keep")
    for name, corpus in training.items():
        clean_paths(corpus, name)


def clean(examination: Examination, keep: Collection[Reason]) -> Cleaned:
    """Write the cleaned copy of a corpus, whole or not at all.

    The target's file gets its name first. A process that is killed just then leaves it without the source's: no pair of
    files, which nobody takes for one, and which `clean_paths` refuses to complete.

    Raises:
        ConfigError: as `clean_paths` does.
        DataError: the corpus has changed since it was examined.
        RunError: it cannot be written, or another process is writing it.
    """
    paths = clean_paths(examination.corpus, examination.name)
    remedies, kept = Remedies(examination, keep), 0
    with ExitStack() as stack:
        for path in paths:
            stack.enter_context(locked_output(path))
        clean_paths(examination.corpus, examination.name)  # another process may just have written them
        temporary = [stack.enter_context(atomic_write(path)) for path in paths]
        with ExitStack() as opened:  # both are closed, for which the disk may be too full, before one has its name
            files = [
                opened.enter_context(open_output(place, like=path))
                for place, path in zip(temporary, paths, strict=True)
            ]
            for rows in read_rows(examination.corpus):
                sides = remedies.treat(rows)
                kept += len(sides[0])
                for file, lines in zip(files, sides, strict=True):
                    file.write("".join(f"{line}\n" for line in lines).encode())
    dropped, changed = (
        {reason: count[reason] for reason in Reason if count[reason]} for count in (remedies.dropped, remedies.changed)
    )
    return Cleaned(*paths, examination.pairs, kept, dropped, changed)
