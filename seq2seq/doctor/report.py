"""What was found, for people: a table that fits a screen, then examples; and the same for programs."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.doctor.cleaning import Cleaned
from seq2seq.doctor.examination import Examination
from seq2seq.doctor.rows import read_rows
from seq2seq.doctor.types import Found, Numbers, Reason, Remedy
from seq2seq.errors import escaped
from seq2seq.report.aligned import aligned

WIDTH = 100  # characters of a sentence that are shown

REMEDIES = {Remedy.drop: "drops", Remedy.fold: "folds", Remedy.swap: "swaps", Remedy.none: ""}

Texts = Mapping[tuple[str, int], Pair]
"""Pairs by the name of their corpus and their number in it."""


def summary(examinations: Sequence[Examination]) -> str:
    """Pairs of each corpus by reason, what is wrong with files as a whole, and what was not found."""
    counts = {one.name: _counts(one) for one in examinations}
    met = [reason for reason in Reason if any(reason in count for count in counts.values())]
    table = [["", *counts, "fix=true"], ["pairs", *(f"{one.pairs:,}" for one in examinations), ""]]
    for reason in met:
        numbers = (count.get(reason, 0) for count in counts.values())
        table.append([reason, *(f"{number:,}" for number in numbers), REMEDIES[reason.remedy]])
    lines = [f"{one.name}: {one.corpus.name}" for one in examinations]
    lines += [f"  {note}" for note in dict.fromkeys(note for one in examinations for note in _notes(one))]
    lines.append(aligned(table, texts=(0, len(counts) + 1), indent=""))
    absent = [reason for reason in Reason if reason not in met]  # or not judged: the notes say so
    return "\n".join([*lines, textwrap.fill(f"not found: {', '.join(absent)}", WIDTH)] if absent else lines)


def details(examination: Examination, texts: Texts, examples: int) -> str:
    """Each finding with its meaning, numbers of the first lines and their text."""
    lines = []
    for found in examination.found:
        if not len(found.rows):
            continue
        where = f" in {examination.name}{f', {found.side}' if found.side else ''}"
        lines += ["", f"{found.reason}{where}: {len(found.rows):,} ({found.reason.meaning})"]
        lines += [f"  {found.note}"] if found.note else []
        for row, partner in _chosen(found, examples):
            lines += _example(examination.name, row, texts)
            if partner >= 0 and found.reason is not Reason.drift:
                lines += _example(found.place or examination.name, partner, texts, "as ")
    return "\n".join(lines)


def told(cleaned: Cleaned) -> str:
    """What cleaning did, in a line."""
    parts = [f"{cleaned.source} and {cleaned.target}: {cleaned.kept:,} of {cleaned.pairs:,} pairs"]
    if cleaned.dropped:
        parts.append(f"dropped {', '.join(f'{count:,} {reason}' for reason, count in cleaned.dropped.items())}")
    if cleaned.changed:
        parts.append(f"changed {', '.join(f'{count:,} {reason}' for reason, count in cleaned.changed.items())}")
    return "; ".join(parts)


def as_dict(examinations: Sequence[Examination], cleaned: Mapping[str, Cleaned], texts: Texts, examples: int) -> Any:
    """All of it, with every line number, for JSON."""
    return {
        one.name: {
            "corpus": one.corpus.name,
            "pairs": one.pairs,
            "notes": one.notes,
            "findings": [_finding(one.name, found, texts, examples) for found in one.found],
            "cleaned": _cleaned(cleaned[one.name]) if one.name in cleaned else None,
        }
        for one in examinations
    }


def fetch(examinations: Sequence[Examination], examples: int) -> dict[tuple[str, int], Pair]:
    """The text of all pairs that are shown, from one more look at each corpus, as far as the last of them."""
    wanted: dict[str, set[int]] = {one.name: set() for one in examinations}
    for one in examinations:
        for found in one.found:
            for row, partner in _chosen(found, examples):
                wanted[one.name].add(row)
                wanted[found.place or one.name].update([partner] if partner >= 0 else [])
    corpora = {one.name: one.corpus for one in examinations}
    return {(name, row): pair for name in wanted for row, pair in _pairs(corpora[name], wanted[name]).items()}


def shown(text: str) -> str:
    """The text in a line of at most `WIDTH` characters, from shortly before the first that is not printable."""
    marks = [*map(escaped, text)]
    odd = next((place for place, char in enumerate(text) if not char.isprintable()), 0)
    start = max(0, odd - WIDTH // 3) if odd > WIDTH - 20 else 0
    line = "".join(marks[start : start + WIDTH])
    return f"{'…' if start else ''}{line}{'…' if start + WIDTH < len(text) else ''}"


def _notes(examination: Examination) -> list[str]:
    """Of the files as a whole, and of checks that could not judge."""
    return [
        *examination.notes,
        *(
            f"{found.reason} in {examination.name}: {found.note}"
            for found in examination.found
            if found.note and (not len(found.rows) or found.reason is Reason.drift)
        ),
    ]


def _counts(examination: Examination) -> dict[Reason, int]:
    """Pairs by reason; one with both sides wrong counts once."""
    rows: dict[Reason, list[Numbers]] = {}
    for found in examination.found:
        if len(found.rows):
            rows.setdefault(found.reason, []).append(found.rows)
    return {
        reason: len(parts[0]) if len(parts) == 1 else len(np.unique(np.concatenate(parts)))
        for reason, parts in rows.items()
    }


def _chosen(found: Found, examples: int) -> list[tuple[int, int]]:
    """The first pairs of a finding, with their partners or -1; those with a partner where some have one."""
    if found.partners is None:
        return [(row, -1) for row in found.rows[:examples].tolist()]
    pairs = zip(found.rows, found.partners, strict=True)
    if (found.partners >= 0).any():
        has = (found.partners >= 0).nonzero()[0][:examples]
        pairs = zip(found.rows[has], found.partners[has], strict=True)
    return [(int(row), int(partner)) for (row, partner), _ in zip(pairs, range(examples), strict=False)]


def _pairs(corpus: Corpus, wanted: set[int]) -> dict[int, Pair]:
    found: dict[int, Pair] = {}
    start = 0
    for rows in read_rows(corpus):
        if start > max(wanted, default=-1):
            break
        for row in [row for row in wanted if start <= row < start + len(rows.source)]:
            found[row] = Pair(rows.source[row - start], rows.target[row - start])
        start += len(rows.source)
    return found


def _example(name: str, row: int, texts: Texts, before: str = "") -> list[str]:
    pair = texts.get((name, row), Pair("", ""))
    label = f"  {before}{name} {row + 1:,}"
    return [f"{label}: {shown(pair.source)}", f"{' ' * len(label)}  {shown(pair.target)}"]


def _finding(name: str, found: Found, texts: Texts, examples: int) -> dict[str, Any]:
    return {
        "reason": found.reason,
        "side": found.side or None,
        "pairs": len(found.rows),
        "note": found.note or None,
        "lines": (found.rows + 1).tolist(),
        "partners": None if found.partners is None else [row + 1 or None for row in found.partners.tolist()],
        "partners_in": found.place or None,
        "examples": [
            {"line": row + 1, **texts.get((name, row), Pair("", ""))._asdict()} for row, _ in _chosen(found, examples)
        ],
    }


def _cleaned(cleaned: Cleaned) -> dict[str, Any]:
    return {
        "source": str(cleaned.source),
        "target": str(cleaned.target),
        "kept": cleaned.kept,
        "dropped": cleaned.dropped,
        "changed": cleaned.changed,
    }
