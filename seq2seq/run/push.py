"""Send a model folder to the Hugging Face hub: the files of the model, and nothing of its training."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

from omegaconf import OmegaConf

from seq2seq.errors import RunError
from seq2seq.portable.folder import COPY
from seq2seq.run.card import is_generated, model_card, read_card
from seq2seq.run.files import FILES as RECORDS
from seq2seq.run.folder import CARD, CONFIG, MODEL, SHORTLIST, RunFolder
from seq2seq.system.hub import FILES, check_repository, local_folder, upload
from seq2seq.system.plain_yaml import load_plain
from seq2seq.tokenizer.tokenizer import tokenizer_files

log = logging.getLogger("seq2seq")

EXPORTED = {
    *FILES,
    *("index.html", "service_worker.js", "manifest.webmanifest", "translate.py", "requirements.txt"),
}
"""The files of an exported folder, besides `COPY`."""


def push_to_hub(folder: str | Path, repository: str, *, private: bool = False, dry_run: bool = False) -> str:
    """Send a run folder or an exported folder to a repository of the hub; what is sent is logged first.

    Args:
        folder: with a trained model.
        repository: ``USER/NAME``; created if it is missing.
        private: whether the repository must be private: a new one becomes so, and a public one is refused.
        dry_run: log only.

    Returns:
        The address of the commit; empty after a dry run.

    Raises:
        ConfigError: the name of the repository is not valid, or `huggingface_hub` is not installed.
        RunError: the folder has no model, nobody is logged in, access is denied, or the hub cannot be reached.
        DataError: a tokenizer model is missing or damaged.
    """
    check_repository(repository)
    files = files_to_send(local_folder(folder), repository)
    log.info("%s %s%s:", "would send to" if dry_run else "sending to", repository, " (private)" if private else "")
    for name, content in files.items():
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        log.info("  %-24s %14s bytes", name, f"{size:,}")
    if "\n# license:" in str(files[CARD], "utf-8"):
        log.warning("the model card names no licence: fill in license: in %s, at its top", Path(folder, CARD))
    return "" if dry_run else upload(repository, files, private=private, message="Add a seq2seq model")


def files_to_send(folder: Path, repository: str) -> dict[str, Any]:
    """Path or content of each file of a model folder by its name on the hub, the model card as bytes.

    Raises:
        RunError, DataError: the folder has no model, or it is damaged.
    """
    own = read_card(folder) if _is_own_file(folder / CARD) else ""
    if (folder / "config.json").is_file() and not (folder / CONFIG).exists():
        return _exported_files(folder, own)
    run = RunFolder.open(folder)
    tokenizers = run.load().tokenizers  # what is published can be loaded
    card = model_card(run, repository=repository) if not own or is_generated(own) else own
    files: dict[str, Any] = {CARD: card.encode(), CONFIG: public_settings(run.text).encode()}
    files |= {**tokenizer_files(tokenizers), MODEL: folder / MODEL}
    if os.path.lexists(folder / SHORTLIST):
        run.load_shortlist(tokenizers)
        files[SHORTLIST] = folder / SHORTLIST
    return files


def _exported_files(folder: Path, card: str) -> dict[str, Any]:
    """As `files_to_send`, of an exported folder; only what export writes."""
    copied = [] if (folder / COPY).is_symlink() else [*folder.glob(f"{COPY}/*.py"), folder / COPY / "LICENSE"]
    paths = sorted([*(folder / name for name in EXPORTED), *copied])
    sent = {path.relative_to(folder).as_posix(): path for path in paths if _is_own_file(path)}
    if MODEL not in sent:
        raise RunError(f"{folder / MODEL} is missing, or is a link: export the model again")
    return {**sent, CARD: card.encode()}


def _is_own_file(path: Path) -> bool:
    """Whether a path is a file and no link: a folder from somebody else may link to any file of this machine."""
    return path.is_file() and not path.is_symlink()


def public_settings(text: str) -> str:
    """A config.yaml without the records of text files, and with names in place of absolute paths."""
    settings = load_plain(text)
    settings.pop(RECORDS, None)
    return OmegaConf.to_yaml(_without_paths(settings))


def _without_paths(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_paths(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_without_paths(part) for part in value]
    is_path = isinstance(value, str) and (os.path.isabs(value) or PureWindowsPath(value).drive or value[:1] == "~")
    return PureWindowsPath(value).name if is_path else value
