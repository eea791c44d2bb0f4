"""Provenance of scores: hashes of translations, references and models, and reading of scores.json."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seq2seq.errors import RunError
from seq2seq.run.folder import MODEL, RunFolder
from seq2seq.system.hub import is_model_folder
from seq2seq.tokenizer.tokenizer import tokenizer_paths

SCORES = "scores.json"
"""The file of a run folder with all scores: an entry for each test set, updated under a lock."""

SAMPLING = ("bs:", "ar:", "seed:")
"""Parts of a sacreBLEU signature about random samples for intervals and tests; they do not affect the score."""

LARGEST_SCORES = 100_000_000
"""Maximum size of scores.json in bytes; an entry has about 5,000."""


def read_scores(path: Path) -> dict[str, dict[str, Any]]:
    """All entries of a scores.json; none if the file is missing.

    Raises:
        RunError: the file is damaged.
    """
    if not os.path.lexists(path):
        return {}
    try:
        if not path.is_file():  # reading a named pipe would block
            raise ValueError("it is not a file")
        if path.stat().st_size > LARGEST_SCORES:
            raise ValueError(f"it has more than {LARGEST_SCORES:,} bytes")
        scores = json.loads(path.read_text(encoding="utf-8"))
        if not (isinstance(scores, dict) and all(isinstance(entry, dict) for entry in scores.values())):
            raise ValueError("it is not an object of objects")
        json.dumps(scores, ensure_ascii=False).encode("utf-8")  # must be writable again
    except (ValueError, RecursionError, OSError) as error:
        raise RunError(f"{path} is damaged ({error}): delete it and evaluate again") from None
    return scores


def text_hash(lines: Iterable[str]) -> str:
    """SHA-256 of lines of text in hexadecimal; equals ``sha256sum`` of a UTF-8 file with these lines."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(f"{line}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file in hexadecimal.

    Raises:
        RunError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror}): restore it or retrain") from None


def model_hash(folder: Path) -> str:
    """SHA-256 of the model in a run folder (architecture, tokenizers, weights) in hexadecimal.

    It does not depend on the location of the folder, nor on settings that are recorded with each score: search,
    precision, shortlist.

    Raises:
        RunError: there is no model in the folder.
    """
    digest = hashlib.sha256(json.dumps(RunFolder.open(folder).settings.get("model"), sort_keys=True).encode())
    for path in [*tokenizer_paths(folder), folder / MODEL]:
        digest.update(f"{path.name} {file_hash(path)}".encode())
    return digest.hexdigest()


def hash_if_run(name: str) -> str | None:
    """`model_hash` of a run folder or exported model; None for other names, as of a network in memory."""
    folder = Path(name)
    return model_hash(folder) if is_model_folder(folder) else None


def comparable(signature: str) -> str:
    """The part of a sacreBLEU signature that comparable scores share."""
    return "|".join(part for part in signature.split("|") if not part.startswith(SAMPLING))
