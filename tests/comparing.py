"""Fixtures for comparison tests: a test set, translations of it, and run folders as evaluate.py writes them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from seq2seq.comparison.systems import ComparisonKey
from seq2seq.corpora.corpus import Pair
from seq2seq.metrics.score import fresh_metrics, score
from seq2seq.run.provenance import comparable, model_hash, text_hash

REFERENCES = [
    "Der Hund schläft unter dem großen Tisch in der Küche.",
    "Zwei Männer laufen am Strand entlang.",
    "Ein Kind isst heute Morgen einen Apfel, den es gefunden hat.",
    "Die Frau liest ein altes Buch im Garten.",
    "Wir arbeiten.",
]
PAIRS = [Pair(f"source {number}", reference) for number, reference in enumerate(REFERENCES)]
FIRST = [
    "Der Hund schläft unter dem kleinen Tisch in der Küche.",
    "Zwei Männer laufen am Strand entlang.",
    "Ein Kind isst einen Apfel.",
    "Die Frau liest ein Buch.",
    "Wir arbeiten.",
]
SECOND = [
    "Der Hund schläft unter dem großen Tisch in der Küche.",
    "Männer laufen am Strand.",
    "Ein Kind isst heute Morgen einen Apfel.",
    "Eine Frau las ein Heft.",
    "Wir arbeiten.",
]


def common(references: Sequence[str] = REFERENCES, **changes: Any) -> ComparisonKey:
    """Return the values that all systems must share for these references."""
    signatures = score(["a"], ["a"], bootstrap=0)
    expected = {name: comparable(getattr(signatures, name).signature) for name in fresh_metrics()}
    return replace(ComparisonKey(text_hash(references), len(references), expected, "test", "beam"), **changes)


def write_lines(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def scored_run(folder: Path, lines: Sequence[str], *, seed: int = 1, lowercase: bool = False, **settings: Any) -> Path:
    """Write a folder with a placeholder model and the files that evaluate.py writes for beam search."""
    folder.mkdir(parents=True)
    values = {"seed": seed, "run": str(folder), "model": {"layers": 1}, "training": {"updates": 5}, **settings}
    (folder / "config.yaml").write_text(yaml.safe_dump(values), "utf-8")
    (folder / "tokenizer.model").write_bytes(b"pieces")
    (folder / "model.safetensors").write_bytes(f"weights of seed {seed} in {folder.name}".encode())
    write_lines(folder / "hypotheses.test.beam.txt", lines)
    searched = {
        **score(lines, REFERENCES, lowercase=lowercase, bootstrap=20).as_dict(),
        "search": {"beam_size": 5},
        "hypotheses": text_hash(lines),
    }
    entry = {
        "corpus": "five lines",
        "version": "0.1.0",
        "references": text_hash(REFERENCES),
        "models": [model_hash(folder)],
        "precision": "float32",
        "shortlist": None,
        "beam": searched,
    }
    (folder / "scores.json").write_text(json.dumps({"test": entry}), "utf-8")
    return folder
