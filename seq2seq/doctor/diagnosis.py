"""All checks on all corpora: one pass for statistics of both sides, one for the checks, one for examples."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np

from seq2seq.corpora.config import Split
from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.files import PairPerLine, RowFile, TextFiles
from seq2seq.corpora.languages import EXAMPLES, detect_segmentation, lacks_spaces, mismatched_segmentation, script
from seq2seq.corpora.table import TableFile
from seq2seq.doctor.arrays import PairArrays, PairStatistics, SentenceArray, concatenated, pair_statistics
from seq2seq.doctor.characters import OddCharacters
from seq2seq.doctor.copying import copying_notes
from seq2seq.doctor.drift import find_drift
from seq2seq.doctor.duplicates import Duplicates, Overlap
from seq2seq.doctor.encodings import Encodings
from seq2seq.doctor.findings import Check, Finding
from seq2seq.doctor.language import BUCKETS, TrigramModel, WrongLanguages, count_trigrams
from seq2seq.doctor.lengths import BlankSentences, LengthRatios, LongSentences, UnreadableRows
from seq2seq.doctor.markup import CsvQuotes, Markup, find_header
from seq2seq.doctor.near import find_near_copies
from seq2seq.doctor.reading import BLOCK_PAIRS, read_blocks
from seq2seq.doctor.reasons import Reason
from seq2seq.doctor.scripts import SCRIPTS, RareScripts, count_scripts
from seq2seq.doctor.third_language import find_third_language
from seq2seq.errors import DataError

SAMPLE_PAIRS = 100_000
"""First pairs of each corpus from which language and script statistics are estimated."""

BROKEN = 0.1
"""Share of sentences that are not UTF-8, among those that are not ASCII, up to which they are broken.

If there are more, the text is in another encoding, and dropping them would lose sentences that are right.
"""

SMALL = 200_000
"""Pairs of all corpora up to which all text is kept in memory, for the checks that need it."""

HELD_OUT = (str(Split.test), str(Split.validation))
"""Corpora that are checked first, and then compared with the others."""

WHOLE = "file"
"""The corpus that is not split yet: it contains the sets of ``parts`` in `diagnose`, and is not compared with them."""


@dataclass(frozen=True)
class Diagnosis:
    """The findings in one corpus.

    Args:
        name: its split, or ``more[0]``, ….
        corpus: the corpus, for reading it again.
        pairs: number of pairs.
        notes: problems of whole files.
        findings: at most one per reason, side and partner corpus, in the order of `Reason`.
        incomplete: why a cleaned copy would lack pairs that are right: the corpus was not read to its end, or a file
            is in another encoding; empty: it would not.
    """

    name: str
    corpus: Corpus
    pairs: int
    notes: list[str]
    findings: list[Finding]
    incomplete: str = ""


def diagnose(
    corpora: Mapping[str, Corpus],
    *,
    max_length: int,
    max_ratio: float,
    codes: Mapping[str, str] | None = None,
    parts: Mapping[str, Corpus] | None = None,
) -> list[Diagnosis]:
    """Run every check on corpora of one language pair.

    Args:
        corpora: by name. Those named validation and test are compared with the others and with each other.
        max_length: longest sentence, in characters.
        max_ratio: largest multiple of the median length ratio.
        codes: language codes of ``source`` and ``target``; None: unknown, and not checked.
        parts: validation and test sets of the corpus ``file``. The others are compared with them; their own findings
            are those of ``file``.

    Raises:
        DataError: a file cannot be read, can be read only once, or changes meanwhile.
    """
    parts = parts or {}
    unreadable = unreadable_corpora(corpora)
    unread = [Diagnosis(name, corpora[name], 0, [note], [], note) for name, note in unreadable.items()]
    corpora = {name: corpus for name, corpus in corpora.items() if name not in unreadable}
    trigrams, scripts = sample_statistics(corpora.values())
    corpora |= parts
    pair_checks: list[Check[PairArrays]] = [
        *(UnreadableRows(), BlankSentences(), OddCharacters(), Markup(), Encodings()),
        *(RareScripts(scripts), WrongLanguages(trigrams)),
    ]
    corpus_checks: list[Check[PairStatistics]] = [
        *(LongSentences(max_length), LengthRatios(max_ratio), Duplicates(), CsvQuotes())
    ]
    statistics: dict[str, PairStatistics] = {}
    incomplete: dict[str, str] = {}
    notes: dict[str, list[str]] = {}
    findings: dict[str, list[Finding]] = {}
    for name in sorted(corpora, key=lambda name: HELD_OUT.index(name) if name in HELD_OUT else len(HELD_OUT)):
        data, notes[name], findings[name], incomplete[name] = check_pairs(corpora[name], pair_checks, codes or {})
        held_out = {other: statistics[other] for other in HELD_OUT if other in statistics and name != WHOLE}
        for check in (*corpus_checks, Overlap(held_out)):
            findings[name] += check.find(data)
        if not trigrams.separable:
            equal = 2 * (data.source_hashes == data.target_hashes).sum() > len(data.filled)
            exchanged = "" if equal else "; if their languages are not, many pairs have source and target exchanged"
            notes[name].append(f"languages are not checked: the two sides are too similar{exchanged}")
        statistics[name] = data
    check_texts(corpora, statistics, notes, findings, (codes or {}).get("target", ""))
    return [
        Diagnosis(
            name,
            corpus,
            len(statistics[name].filled),
            notes[name],
            merge_findings(findings[name] if name not in parts else []),
            incomplete[name],
        )
        for name, corpus in corpora.items()
    ] + unread


def unreadable_corpora(corpora: Mapping[str, Corpus]) -> dict[str, str]:
    """Open each corpus, and return why some cannot be read: they are no text, or in another encoding.

    Raises:
        DataError: none can be read.
    """
    errors: dict[str, DataError] = {}
    for name, corpus in corpora.items():
        try:
            _ = corpus.fingerprint  # after the fingerprint, reading a changed file is an error
            next(read_blocks(corpus), None)
        except DataError as error:
            errors[name] = error
    if errors and len(errors) == len(corpora):
        raise next(iter(errors.values()))
    return {name: str(error) for name, error in errors.items()}


def text_files(corpus: Corpus) -> list[CorpusFile]:
    """The files of a corpus whose encoding does not stand in them; each once."""
    return [*dict.fromkeys(corpus.files)] if isinstance(corpus, TextFiles | PairPerLine | RowFile) else []


def file_notes(corpus: Corpus) -> list[str]:
    """Return one line for each file that is converted while it is read."""
    notes = [corpus.note] if corpus.note else []
    for file in text_files(corpus):
        how = ["lines end in carriage returns"] if file.carriage_returns else []
        how += [f"text in {file.encoding}"] if file.encoding else []
        notes += [f"{file.path}: {' and '.join(how)}; fix=true writes UTF-8 with line feeds"] if how else []
    return notes


def encoding_notes(corpus: Corpus) -> list[str]:
    """Return one line for each text file with bytes that are not UTF-8: where, and what to do."""
    notes = []
    for file in text_files(corpus):
        try:
            for _ in file.blocks():
                pass
        except DataError as error:
            notes.append(str(error))
    return notes


def check_texts(
    corpora: Mapping[str, Corpus],
    statistics: Mapping[str, PairStatistics],
    notes: Mapping[str, list[str]],
    findings: Mapping[str, list[Finding]],
    language: str,
) -> None:
    """Run the checks that need all sentences at once, if there are at most `SMALL` pairs; else say what is left out."""
    pairs = sum(len(data.filled) for data in statistics.values())
    texts = {name: read_pairs(corpora[name]) for name in statistics} if pairs <= SMALL else {}
    held_out = [name for name in HELD_OUT if name in texts]
    scored = next(iter([*held_out, *texts]), "")
    for name, data in statistics.items():
        findings[name].extend(find_drift(data, texts.get(name)))
        if name in texts:
            foreign, unchecked = find_third_language(texts[name])
            findings[name].extend(foreign)
            notes[name].extend([*unchecked, *(copying_notes(name, texts[name], language) if name == scored else [])])
        else:
            notes[name].append(
                f"near copies, third languages and copying are not checked, and drift only by lengths: {pairs:,} pairs "
                f"are more than {SMALL:,}"
            )
    if texts:
        for name, near in find_near_copies(texts, statistics, held_out, WHOLE).items():
            findings[name].extend(near)


def read_pairs(corpus: Corpus) -> list[Pair]:
    """All pairs of a corpus."""
    return [Pair(*pair) for block in read_blocks(corpus) for pair in zip(block.source, block.target, strict=True)]


def sample_statistics(corpora: Iterable[Corpus]) -> tuple[TrigramModel, dict[str, np.ndarray]]:
    """Count trigrams, and letters of each script by side, in the first `SAMPLE_PAIRS` pairs of each corpus."""
    trigrams = {side: np.zeros(BUCKETS, np.int64) for side in ("source", "target")}
    letters = {side: np.zeros(len(SCRIPTS) + 1, np.int64) for side in trigrams}
    for corpus in corpora:
        for block in islice(read_blocks(corpus), SAMPLE_PAIRS // BLOCK_PAIRS):
            for side, lines in (("source", block.source), ("target", block.target)):
                sentences = SentenceArray(lines)
                trigrams[side] += count_trigrams(sentences)
                letters[side] += count_scripts(sentences)
    return TrigramModel(trigrams["source"], trigrams["target"]), letters


def check_pairs(
    corpus: Corpus, checks: list[Check[PairArrays]], codes: Mapping[str, str]
) -> tuple[PairStatistics, list[str], list[Finding], str]:
    """Read a corpus and check its pairs.

    Returns:
        The statistics of the pairs, notes on whole files, the findings, and `Diagnosis.incomplete`.
    """
    parts, unpaired, start = [pair_statistics(PairArrays(SentenceArray([]), SentenceArray([]), {}))], (0, 0), 0
    incomplete = ""
    notes = file_notes(corpus)
    findings: list[Finding] = []
    special = Counter[str]()
    for block in read_blocks(corpus):
        notes += block.notes
        incomplete = incomplete or block.stopped
        if not start:
            notes += language_notes({"source": block.source, "target": block.target}, codes)
            if block.source:
                languages = codes.get("source", ""), codes.get("target", "")
                findings += find_header(block.source[0], block.target[0], languages)
        if any(block.unpaired):
            unpaired = block.unpaired
        if block.source:
            pairs = PairArrays(SentenceArray(block.source), SentenceArray(block.target), block.errors)
            parts.append(pair_statistics(pairs))
            for side, sentences in pairs.sides.items():
                special[side] += sum(not text.isascii() for text in sentences.sentences)
            for check in checks:
                findings += [finding._replace(rows=finding.rows + start) for finding in check.find(pairs)]
            start += len(block.source)
    if isinstance(corpus, TableFile):
        notes += corpus.reading_notes
    if not start:
        notes.append(f"{corpus.name} has no lines: check that this is the right file")
    if any(finding.reason is Reason.invalid_utf8 for finding in findings):
        encodings = encoding_notes(corpus)
        notes += encodings
        if in_another_encoding(findings, special) and not incomplete:
            incomplete = [*encodings, f"{corpus.name} is in another encoding: convert it to UTF-8"][0]
    return concatenated(parts, unpaired), notes, findings, incomplete


def in_another_encoding(findings: Iterable[Finding], special: Mapping[str, int]) -> bool:
    """Whether more sentences of a side are not UTF-8 than can be broken.

    Args:
        findings: of all reasons.
        special: the number of sentences of each side that are not ASCII.
    """
    invalid = Counter[str]()
    for finding in findings:
        if finding.reason is Reason.invalid_utf8:
            invalid[finding.side] += len(finding.rows)
    return any(count > max(1, BROKEN * special[side]) for side, count in invalid.items())


def language_notes(sides: Mapping[str, list[str]], codes: Mapping[str, str]) -> list[str]:
    """Return one line for each side with an invalid language code, with text in another script, or without spaces."""
    notes = [
        f"the {side} side has no spaces between words: lengths are in characters, and BLEU needs the language to split "
        f"text (data.{side}_language=ja, zh, ko, th, …; else compare chrF)"
        for side, sentences in sides.items()
        if lacks_spaces(sentences, detect_segmentation(filter(str.strip, sentences)))
    ]
    for side, code in codes.items():
        if script(code) is None:
            notes.append(
                f"data.{side}_language={code} is not a language code: set an ISO 639 or BCP 47 code, such as de, deu "
                f"or zh-Hant (data.{side}_column selects a column)"
            )
        elif (other := mismatched_segmentation(code, sides[side])) is not None:
            notes.append(
                f"the {side} side looks like {EXAMPLES[other]}, but data.{side}_language={code}: set the right code"
            )
    return notes


def merge_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Join findings with equal reason, side and partner corpus, in the order of `Reason`. The first note is kept."""
    groups: dict[tuple[Reason, str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.reason, finding.side, finding.partner_corpus), []).append(finding)
    order = list(Reason)
    return [
        group[0]._replace(rows=np.concatenate([finding.rows for finding in group]))
        for _, group in sorted(groups.items(), key=lambda item: (order.index(item[0][0]), item[0][1:]))
    ]
