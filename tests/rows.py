"""Rows with unusual characters, their pairs, and files of them."""

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from seq2seq.corpora.corpus import Pair

HOSTILE = "a\u2028b\u2029c\u0085d\x0be\x0cf\rg\nh"
ROWS = [
    {"en": HOSTILE, "de": '"eins'},
    {"en": "2020-01-01", "de": "2020-01-02"},
    {"en": None, "de": ""},
]
PAIRS = [Pair(HOSTILE, '"eins'), Pair("2020-01-01", "2020-01-02"), Pair("", "")]


def nested(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": str(number), "translation": row} for number, row in enumerate(rows)]


def write_json(path: Path, rows: list[Any], end: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(json.dumps(row, ensure_ascii=False) + end for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), path, row_group_size=2)
    return path
