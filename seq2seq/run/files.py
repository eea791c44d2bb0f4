"""The text files of a run, as config.yaml records them: where they are, how large they are, and a hash of each.

Settings name files as the user did, mostly relative to the folder of that command. In another folder, the same name can
be another file: the record tells.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from seq2seq.corpora.config import DataConfig, FilesConfig, Split
from seq2seq.corpora.corpus import Corpus
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.reading import check_named, names_corpus, text_for_run
from seq2seq.errors import DataError, RunError
from seq2seq.run.folder import CONFIG, RunFolder

log = logging.getLogger("seq2seq")

FILES = "files"
"""The section of config.yaml with a record for each setting that names a file; older folders have none."""

OTHERS = {"embeddings": ("source", "target"), "tokenizer": ("source_model", "target_model"), "training": ("start",)}
"""Settings outside ``data`` that name files or folders; only their places are recorded."""


@dataclass(frozen=True)
class FileRecord:
    """A file or folder that a setting names."""

    path: str
    """Its absolute path."""
    in_run: str | None = None
    """Its path relative to the run folder; None if there is none, as on another drive."""
    bytes: int | None = None
    """Size of a file that was read; None for others."""
    hash: str | None = None
    """`CorpusFile.content` of a file that was read."""

    def is_at(self, path: str) -> bool:
        """Whether this file is at a path; only the existence of what was not read is checked."""
        if not os.path.exists(path) or self.hash is None:
            return os.path.exists(path)
        status = os.stat(path)
        return status.st_size == self.bytes and _hash(path, status.st_size, status.st_mtime_ns) == self.hash

    def find(self, given: str, folder: Path) -> str:
        """The path of this file today.

        A file in the run folder stays there. For others the absolute path comes first, as the user wrote it if that
        means the same. Where nothing is at this path, the run may have moved with its data: the file may be at the
        given path, or at its place relative to the run folder.
        """
        given = os.path.expanduser(given)
        beside = [] if self.in_run is None else [os.path.abspath(folder / self.in_run)]
        inside = beside if self.in_run and not self.in_run.startswith("..") else []
        for path in (*inside, self.path):
            if os.path.exists(path):
                return given if os.path.abspath(given) == path else path
        return next(filter(self.is_at, [given, *beside]), self.path)


@lru_cache(maxsize=64)
def _hash(path: str, size: int, modified: int) -> str:
    """The hash of a file, computed again if its size or its time of modification changes."""
    return CorpusFile(Path(path)).content


def record_files(config: Any, folder: Path, corpora: Iterable[Corpus | None]) -> dict[str, FileRecord]:
    """A record for each setting of a training command that names an existing file or folder.

    Args:
        config: all settings of the command.
        folder: the run folder.
        corpora: the text that the settings name; each file of it is hashed once.
    """
    read = {file.path: file for corpus in corpora if corpus is not None for file in corpus.files}
    records = {}
    for name, part, field in _all_settings(config):
        value = getattr(part, field)
        path = None if value is None else Path(value).expanduser()
        if path is not None and path.exists():  # else it is a data set of the hub, or a side that is not read
            size, content = (path.stat().st_size, read[path].content) if path in read else (None, None)
            records[name] = FileRecord(os.path.abspath(path), _relative(path, folder), size, content)
    return records


def _settings(data: DataConfig) -> Iterator[tuple[str, Any, str]]:
    """Each setting of text that may name a file: its dotted path, its section, its name there."""
    parts: dict[str, FilesConfig] = {f"data.{split}": part for split, part in data.splits.items()}
    parts |= {f"data.more[{number}]": more for number, more in enumerate(data.more)}
    for place, part in parts.items():
        for item in fields(FilesConfig):
            yield f"{place}.{item.name}", part, item.name
    yield "data.hub.name", data.hub, "name"


def _all_settings(config: Any) -> Iterator[tuple[str, Any, str]]:
    """As `_settings`, for all settings of a training command."""
    yield from _settings(config.data)
    for section, names in OTHERS.items():
        for name in names:
            yield f"{section}.{name}", getattr(config, section), name


def _relative(path: Path, folder: Path) -> str | None:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive of Windows
        return None


def recorded_files(run: RunFolder) -> dict[str, FileRecord]:
    """The records in config.yaml; none in an older run folder.

    Raises:
        RunError: the section is not valid.
    """
    section = run.settings.get(FILES, {})
    try:
        return {str(name): _record(**entry) for name, entry in section.items()}
    except (TypeError, AttributeError, ValueError):
        raise RunError(f"{run.path / CONFIG}: section {FILES} is not usable: restore it or retrain") from None


def _record(path: str, in_run: str | None = None, bytes: int | None = None, hash: str | None = None) -> FileRecord:
    if not all(value is None or type(value) is str for value in (in_run, hash)) or type(path) is not str:
        raise ValueError
    if "\0" in path + (in_run or "") or not (bytes is None or type(bytes) is int):
        raise ValueError
    return FileRecord(path, in_run, bytes, hash)


def run_data(run: RunFolder) -> DataConfig:
    """The data settings of a run, with each file where it is today: see `FileRecord.find`.

    Raises:
        RunError: the settings are not valid.
    """
    data = run.section("data", DataConfig)
    _locate(_settings(data), run)
    return data


def locate_files(config: Any, run: RunFolder) -> None:
    """Change all settings of a run that name files, to where these are today: see `FileRecord.find`.

    Raises:
        RunError: the records are not valid.
    """
    _locate(_all_settings(config), run)


def _locate(settings: Iterable[tuple[str, Any, str]], run: RunFolder) -> None:
    records = recorded_files(run)
    for name, part, field in settings:
        value = getattr(part, field)
        if value is not None and name in records:
            setattr(part, field, records[name].find(value, run.path))


def run_text(run: RunFolder, given: DataConfig, split: Split) -> DataConfig:
    """The settings of the text for a run's model: see `text_for_run`.

    If it is the run's own text and a file has changed since training, one line is logged.

    Raises:
        ConfigError: a given setting would have no effect: see `check_named`.
        DataError: a file of the run is missing, also at the places of `FileRecord.find`.
        RunError: the settings of the run are not valid.
    """
    check_named(given, split)
    own = run_data(run)
    if not names_corpus(given, split):
        for name, path, record in _recorded(own, recorded_files(run), split):
            if not os.path.exists(path):
                here = os.path.expanduser(str(run.flat_settings.get(name)))
                other = f" ({os.path.abspath(here)} is another file)" if os.path.exists(here) else ""
                raise DataError(f"{path}, which {run.path} was trained with, is missing{other}: set {name}=PATH")
            if not record.is_at(path):
                log.warning("%s has changed since %s was trained", path, run.path)
    return text_for_run(given, own, split)


def _recorded(
    data: DataConfig, records: Mapping[str, FileRecord], split: Split
) -> Iterator[tuple[str, str, FileRecord]]:
    """The files of a split that were read in training: setting, path, record."""
    for name, part, field in _settings(data):
        path = getattr(part, field)
        if name.startswith(f"data.{split}.") and path is not None and name in records and records[name].hash:
            yield name, path, records[name]


def check_same_files(run: RunFolder, files: Mapping[str, FileRecord]) -> set[str]:
    """Compare the files of a command that resumes a run with those of the run.

    A changed test set is only logged.

    Returns:
        The settings that name the same file, perhaps by another path.

    Raises:
        RunError: a file that the run trains on or validates on has changed.
    """
    same = set()
    for name, old in recorded_files(run).items():
        new = files.get(name)
        if new is None or None in (old.hash, new.hash):
            continue
        if old.hash == new.hash:
            same.add(name)
        elif name.startswith(f"data.{Split.test}."):
            log.warning("%s has changed since %s was trained", new.path, run.path)
        else:
            raise RunError(
                f"{new.path} ({name}, {new.bytes:,} bytes) is not the file that {run.path} was trained with "
                f"({old.bytes:,} bytes): restore the file, or choose another folder with run=PATH"
            )
    return same
