"""What other programs leave in text: HTML entities, special tokens, quotation marks of CSV files, header rows."""

import html
import html.entities
import re

import numpy as np

from seq2seq.corpora.table_titles import header_columns
from seq2seq.doctor.arrays import PairArrays, PairStatistics, SentenceArray
from seq2seq.doctor.findings import Finding
from seq2seq.doctor.quotes import DOUBLED, QUOTED, UNQUOTED
from seq2seq.doctor.reasons import Reason

ENTITY = re.compile("&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")

SPECIAL_TOKENS = re.compile(r"</?s>|</?(?:unk|pad|bos|eos|sos|mask)>|\[(?:UNK|PAD|CLS|SEP|MASK)\]", re.IGNORECASE)

CONTRADICTIONS = 0.01
"""Largest share of sentences with quotation marks that no CSV file could contain, if it is one."""


def unescape(text: str) -> str:
    """Replace HTML entities by their characters, also those that were escaped twice."""
    for _ in range(2):
        text = ENTITY.sub(_character, text)
    return text


def _character(entity: re.Match[str]) -> str:
    name = entity[0][1:]
    character = html.unescape(entity[0]) if name.startswith("#") else html.entities.html5.get(name, entity[0])
    return entity[0] if "\ufffd" in character or not character else character


class Markup:
    """Finds HTML entities and special tokens."""

    def find(self, data: PairArrays) -> list[Finding]:
        """Return at most two findings per side."""
        findings = []
        for side, sentences in data.sides.items():
            escaped = [row for row in rows_with(sentences, "&") if unescape(text := sentences.sentences[row]) != text]
            special = [row for row in rows_with(sentences, "<[") if SPECIAL_TOKENS.search(sentences.sentences[row])]
            for reason, rows in ((Reason.html_entities, escaped), (Reason.special_tokens, special)):
                findings += [Finding(reason, np.array(rows, np.int64), side)] if rows else []
        return findings


def rows_with(sentences: SentenceArray, characters: str) -> list[int]:
    """The sentences that contain one of some characters."""
    rows: list[int] = sentences.rows_at(np.flatnonzero(np.isin(sentences.codes, [*map(ord, characters)]))).tolist()
    return rows


class CsvQuotes:
    """Finds the quotation marks of CSV files.

    A quoted cell can also be a quotation. But in a CSV file that doubles marks, every cell with marks is a quoted one.
    """

    def find(self, data: PairStatistics) -> list[Finding]:
        """Return at most one finding."""
        flags = np.stack([data.source_quotes, data.target_quotes])
        doubled, unquoted = (np.count_nonzero(flags & flag) for flag in (DOUBLED, UNQUOTED))
        if not doubled or unquoted > CONTRADICTIONS * np.count_nonzero(flags):
            return []
        return [Finding(Reason.csv_quotes, np.flatnonzero((flags & QUOTED).any(0)))]


def find_header(source: str, target: str, languages: tuple[str, str]) -> list[Finding]:
    """Return a finding if the first pair of a corpus is a header row."""
    header = header_columns([source, target], *languages)
    return [] if header is None else [Finding(Reason.header, np.zeros(1, np.int64))]
