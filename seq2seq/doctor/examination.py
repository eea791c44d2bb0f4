"""Every check on every corpus: one pass to learn how the sides are written, one to look, one for examples."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np

from seq2seq.corpora.config import Split
from seq2seq.corpora.corpus import Corpus
from seq2seq.corpora.languages import EXAMPLES, mismatched_segmentation, script
from seq2seq.doctor.characters import OddCharacters
from seq2seq.doctor.chunk import Chunk, Measures, Side, measure, measures
from seq2seq.doctor.drift import Drift
from seq2seq.doctor.duplicates import Duplicates, Overlap
from seq2seq.doctor.language import BUCKETS, Language, Languages, count_trigrams
from seq2seq.doctor.lengths import Blank, Ratio, TooLong, Unreadable
from seq2seq.doctor.rows import CHUNK, read_rows
from seq2seq.doctor.scripts import SCRIPTS, Scripts, UsualScripts, count_letters
from seq2seq.doctor.types import Check, Found, Reason

SAMPLE = 100_000
"""Pairs of each corpus that languages and scripts are learnt from, the first."""

HELD_OUT = (str(Split.test), str(Split.validation))
"""What is looked at first, and then held against the rest."""


@dataclass(frozen=True)
class Examination:
    """What was found in one corpus.

    Args:
        name: its split, or ``more[0]``, ….
        corpus: as it can be read again.
        pairs: how many it has.
        notes: what is wrong with its files as a whole.
        found: at most one finding a reason, side and place, in the order of the reasons.
    """

    name: str
    corpus: Corpus
    pairs: int
    notes: list[str]
    found: list[Found]


def examine(
    corpora: Mapping[str, Corpus], *, max_length: int, max_ratio: float, codes: Mapping[str, str] | None = None
) -> list[Examination]:
    """Run every check on some corpora of one pair of languages.

    Args:
        corpora: by name; those called validation and test are held against the others and each other.
        max_length: characters a sentence may have.
        max_ratio: how many times the usual ratio of lengths a pair may have.
        codes: those of the languages of ``source`` and ``target``; None: not known, and not checked.

    Raises:
        DataError: a file cannot be read, or only once, or changes meanwhile.
    """
    for corpus in corpora.values():  # read several times: from here on a file that changes is refused
        _ = corpus.fingerprint
    languages, usual = learn(corpora.values())
    lines: list[Check[Chunk]] = [Unreadable(), Blank(), OddCharacters(), Scripts(usual), Language(languages)]
    wholes: list[Check[Measures]] = [TooLong(max_length), Ratio(max_ratio), Drift(), Duplicates()]
    held_out: dict[str, Measures] = {}
    done: dict[str, Examination] = {}
    for name in sorted(corpora, key=lambda name: HELD_OUT.index(name) if name in HELD_OUT else len(HELD_OUT)):
        seen, notes, found = look(corpora[name], lines, codes or {})
        for check in (*wholes, Overlap(held_out)):
            found += check.find(seen)
        if not languages.apart:
            notes.append("both sides are written too much alike to say which sentence belongs to which")
        done[name] = Examination(name, corpora[name], len(seen.filled), notes, merged(found))
        if name in HELD_OUT:
            held_out[name] = seen
    return [done[name] for name in corpora]


def learn(corpora: Iterable[Corpus]) -> tuple[Languages, UsualScripts]:
    """How the two sides are written, from the first `SAMPLE` pairs of each corpus."""
    trigrams = {name: np.zeros(BUCKETS, np.int64) for name in ("source", "target")}
    letters = {name: np.zeros(len(SCRIPTS) + 1, np.int64) for name in trigrams}
    for corpus in corpora:
        for rows in islice(read_rows(corpus), SAMPLE // CHUNK):
            for name, lines in (("source", rows.source), ("target", rows.target)):
                side = Side(lines)
                trigrams[name] += count_trigrams(side)
                letters[name] += count_letters(side)
    return Languages(trigrams["source"], trigrams["target"]), UsualScripts(letters)


def look(
    corpus: Corpus, checks: list[Check[Chunk]], codes: Mapping[str, str]
) -> tuple[Measures, list[str], list[Found]]:
    """Show all pairs to the checks; their measures, what is wrong with the files, and findings."""
    parts, unpaired, start = [measure(Chunk(Side([]), Side([]), {}))], (0, 0), 0
    notes: list[str] = []
    found: list[Found] = []
    for rows in read_rows(corpus):
        notes += rows.notes
        if not start:
            notes += wrong_codes({"source": rows.source, "target": rows.target}, codes)
        if any(rows.unpaired):
            unpaired = rows.unpaired
        if rows.source:
            chunk = Chunk(Side(rows.source), Side(rows.target), rows.broken)
            parts.append(measure(chunk))
            found += [one._replace(rows=one.rows + start) for check in checks for one in check.find(chunk)]
            start += len(rows.source)
    if not start:
        notes.append(f"{corpus.name}: no lines; check that this is the right file")
    return measures(parts, unpaired), notes, found


def wrong_codes(sides: Mapping[str, list[str]], codes: Mapping[str, str]) -> list[str]:
    """One line for each side whose code names no language, or one that is plainly written in another way."""
    notes = []
    for side, code in codes.items():
        if script(code) is None:
            notes.append(
                f"data.{side}_language={code} is no language code: set one of ISO 639 or BCP 47, such as de, deu or "
                f"zh-Hant (data.{side}_column names a column)"
            )
        elif (found := mismatched_segmentation(code, sides[side])) is not None:
            notes.append(
                f"the {side} side looks like {EXAMPLES[found]}, but data.{side}_language={code}: set that code"
            )
    return notes


def merged(found: Iterable[Found]) -> list[Found]:
    """Findings of one reason, side and place as one, in the order of the reasons; notes are those of the first."""
    groups: dict[tuple[Reason, str, str], list[Found]] = {}
    for one in found:
        groups.setdefault((one.reason, one.side, one.place), []).append(one)
    order = list(Reason)
    return [
        group[0]._replace(rows=np.concatenate([one.rows for one in group]))
        for _, group in sorted(groups.items(), key=lambda item: (order.index(item[0][0]), item[0][1:]))
    ]
