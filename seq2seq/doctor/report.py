"""The report: a table that fits a screen and examples for people, JSON for programs."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.doctor.cleaning import NEVER_KEPT, CleaningResult
from seq2seq.doctor.diagnosis import HELD_OUT, Diagnosis
from seq2seq.doctor.findings import Finding, Integers
from seq2seq.doctor.reading import read_blocks
from seq2seq.doctor.reasons import Reason, Remedy
from seq2seq.errors import counted, escaped
from seq2seq.report.aligned import aligned

WIDTH = 100
"""Characters of a sentence that are shown."""

VERBS = {Remedy.drop: "drops", Remedy.repair: "repairs", Remedy.fold: "replaces", Remedy.swap: "swaps"}

SHIFTED = (Reason.drift, Reason.unaligned)
"""Findings whose note names the lines. Their partners are lines of the target, not pairs."""

Examples = Mapping[tuple[str, int], Pair]
"""Pairs by corpus name and row."""


def summary(diagnoses: Sequence[Diagnosis]) -> str:
    """Return the number of pairs by corpus and reason, the notes on whole files, and the reasons without findings."""
    counts = {diagnosis.name: _counts(diagnosis) for diagnosis in diagnoses}
    present = [reason for reason in Reason if any(reason in count for count in counts.values())]
    table = [["", *counts, "fix=true"], ["pairs", *(f"{diagnosis.pairs:,}" for diagnosis in diagnoses), ""]]
    for reason in present:
        numbers = (count.get(reason, 0) for count in counts.values())
        table.append([reason, *(f"{number:,}" for number in numbers), VERBS.get(reason.remedy, "")])
    lines = [f"{diagnosis.name}: {diagnosis.corpus.name}" for diagnosis in diagnoses]
    lines += [f"  {note}" for note in dict.fromkeys(note for diagnosis in diagnoses for note in _notes(diagnosis))]
    lines.append(aligned(table, texts=(0, len(counts) + 1), indent=""))
    absent = [reason for reason in Reason if reason not in present]  # or not checked, according to the notes
    return "\n".join([*lines, textwrap.fill(f"not found: {', '.join(absent)}", WIDTH)] if absent else lines)


def details(diagnosis: Diagnosis, pairs: Examples, examples: int) -> str:
    """Return each finding with its meaning, and the line numbers and text of its first pairs."""
    lines = []
    for finding in diagnosis.findings:
        if not len(finding.rows):
            continue
        where = f" in {diagnosis.name}{f', {finding.side}' if finding.side else ''}"
        lines += ["", f"{finding.reason}{where}: {len(finding.rows):,} ({finding.reason.meaning})"]
        lines += [f"  {finding.note}"] if finding.note else []
        lines += [f"  next: {next_step(finding.reason, diagnosis.name)}"]
        for row, partner in _example_rows(finding, examples):
            lines += _example(diagnosis.name, row, pairs)
            if partner >= 0 and finding.reason not in SHIFTED:
                lines += _example(finding.partner_corpus or diagnosis.name, partner, pairs, "as ")
    return "\n".join(lines)


def next_step(reason: Reason, name: str) -> str:
    """What to do about a finding in the corpus of this name."""
    if reason.remedy is Remedy.none:
        return reason.advice
    if name in HELD_OUT:
        return f"fix=true never changes the {name} set, which others may compare scores on; correct it by hand"
    advice = f"; {reason.advice}" if reason.advice else ""
    keep = "" if reason in NEVER_KEPT else f", unless keep=[{reason}] is set"
    return f"fix=true {VERBS[reason.remedy]} them{keep}{advice}"


def cleaning_summary(result: CleaningResult) -> str:
    """Return the outcome of cleaning in one line."""
    parts = [f"{' and '.join(map(str, result.paths))}: {result.kept:,} of {counted(result.pairs, 'pair')}"]
    if result.dropped:
        parts.append(f"dropped {', '.join(f'{count:,} {reason}' for reason, count in result.dropped.items())}")
    if result.changed:
        parts.append(f"changed {', '.join(f'{count:,} {reason}' for reason, count in result.changed.items())}")
    return "; ".join(parts)


def as_dict(
    diagnoses: Sequence[Diagnosis], results: Mapping[str, CleaningResult], pairs: Examples, examples: int
) -> Any:
    """Return everything, with all line numbers, for JSON."""
    return {
        diagnosis.name: {
            "corpus": diagnosis.corpus.name,
            "pairs": diagnosis.pairs,
            "notes": diagnosis.notes,
            "findings": [_finding(diagnosis.name, finding, pairs, examples) for finding in diagnosis.findings],
            "cleaned": _result(results[diagnosis.name]) if diagnosis.name in results else None,
        }
        for diagnosis in diagnoses
    }


def read_examples(diagnoses: Sequence[Diagnosis], examples: int) -> dict[tuple[str, int], Pair]:
    """Read all pairs that the report shows. Each corpus is read up to the last of them."""
    rows: dict[str, set[int]] = {diagnosis.name: set() for diagnosis in diagnoses}
    for diagnosis in diagnoses:
        for finding in diagnosis.findings:
            for row, partner in _example_rows(finding, examples):
                rows[diagnosis.name].add(row)
                rows[finding.partner_corpus or diagnosis.name].update([partner] if partner >= 0 else [])
    corpora = {diagnosis.name: diagnosis.corpus for diagnosis in diagnoses}
    return {(name, row): pair for name in rows for row, pair in _read_pairs(corpora[name], rows[name]).items()}


def excerpt(text: str) -> str:
    """Return at most `WIDTH` characters, unprintable ones escaped, starting shortly before the first of these."""
    characters = [*map(escaped, text)]
    odd = next((position for position, char in enumerate(text) if not char.isprintable()), 0)
    start = max(0, odd - WIDTH // 3) if odd > WIDTH - 20 else 0
    line = "".join(characters[start : start + WIDTH])
    return f"{'…' if start else ''}{line}{'…' if start + WIDTH < len(text) else ''}"


def _notes(diagnosis: Diagnosis) -> list[str]:
    """Return the notes on whole files, on drift, and on checks that were impossible."""
    return [
        *diagnosis.notes,
        *(
            f"{finding.reason} in {diagnosis.name}: {finding.note}"
            for finding in diagnosis.findings
            if finding.note and (not len(finding.rows) or finding.reason in SHIFTED)
        ),
    ]


def _counts(diagnosis: Diagnosis) -> dict[Reason, int]:
    """Count pairs by reason. A pair with the same problem on both sides counts once."""
    rows: dict[Reason, list[Integers]] = {}
    for finding in diagnosis.findings:
        if len(finding.rows):
            rows.setdefault(finding.reason, []).append(finding.rows)
    return {
        reason: len(parts[0]) if len(parts) == 1 else len(np.unique(np.concatenate(parts)))
        for reason, parts in rows.items()
    }


def _example_rows(finding: Finding, examples: int) -> list[tuple[int, int]]:
    """Return the first rows with their partners (-1: none). Rows with a partner are preferred."""
    if finding.partners is None:
        return [(row, -1) for row in finding.rows[:examples].tolist()]
    pairs = zip(finding.rows, finding.partners, strict=True)
    if (finding.partners >= 0).any():
        has = (finding.partners >= 0).nonzero()[0][:examples]
        pairs = zip(finding.rows[has], finding.partners[has], strict=True)
    return [(int(row), int(partner)) for (row, partner), _ in zip(pairs, range(examples), strict=False)]


def _read_pairs(corpus: Corpus, rows: set[int]) -> dict[int, Pair]:
    pairs: dict[int, Pair] = {}
    if not rows:
        return pairs
    start = 0
    for block in read_blocks(corpus):
        if start > max(rows):
            break
        for row in [row for row in rows if start <= row < start + len(block.source)]:
            pairs[row] = Pair(block.source[row - start], block.target[row - start])
        start += len(block.source)
    return pairs


def _example(name: str, row: int, pairs: Examples, before: str = "") -> list[str]:
    pair = pairs.get((name, row), Pair("", ""))
    label = f"  {before}{name} {row + 1:,}"
    return [f"{label}: {excerpt(pair.source)}", f"{' ' * len(label)}  {excerpt(pair.target)}"]


def _finding(name: str, finding: Finding, pairs: Examples, examples: int) -> dict[str, Any]:
    return {
        "reason": finding.reason,
        "side": finding.side or None,
        "pairs": len(finding.rows),
        "note": finding.note or None,
        "lines": (finding.rows + 1).tolist(),
        "partners": None if finding.partners is None else [row + 1 or None for row in finding.partners.tolist()],
        "partners_in": finding.partner_corpus or None,
        "examples": [
            {"line": row + 1, **pairs.get((name, row), Pair("", ""))._asdict()}
            for row, _ in _example_rows(finding, examples)
        ],
    }


def _result(result: CleaningResult) -> dict[str, Any]:
    return {
        "files": [str(path) for path in result.paths],
        "kept": result.kept,
        "dropped": result.dropped,
        "changed": result.changed,
    }
