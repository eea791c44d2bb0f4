"""Create a run folder for the settings of a command, or resume the run of a folder that has the same settings."""

from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from seq2seq.errors import ConfigError, RunError, Seq2SeqError
from seq2seq.run.files import FILES, FileRecord, check_same_files
from seq2seq.run.folder import CONFIG, FROZEN, PAIRS, RunFolder
from seq2seq.settings import plain_value, walk
from seq2seq.system.atomic import atomic_write, is_temporary, make_folder
from seq2seq.system.lock import LOCK
from seq2seq.system.plain_yaml import INTERPOLATION
from seq2seq.system.processes import is_first, rank

CHOICES = "choices"
"""The section of config.yaml with the class of each section that has several, such as optimizer: Adam."""

SPLIT = "split.json"
"""The file in a run folder that says how one corpus was split into sets."""

AUTO = "auto.yaml"
"""The file in a run folder with the settings that ``experiment=auto`` has chosen."""

# Settings that a resumed run may change: the length of training and everything after it.
CHANGEABLE = (
    "run",
    "licence",
    "training.updates",
    "training.epochs",
    "training.time",
    "training.time_limit",
    "training.accumulate",  # another number of processes can make the same update
    "training.patience",
    "training.device",
    "training.threads",
    "training.smaller",
    "training.save_minutes",
    "training.samples",
    "logger",
    "data.cache",
    "data.workers",
    "search.",
    "shortlist.",
)

MACHINE = (
    *("run", "data.cache", "data.workers"),
    *("training.device", "training.threads", "training.save_minutes", "training.smaller"),
)
"""Settings that say where and how a run is computed, not what is trained."""


@contextmanager
def run_setup(
    folder: Path, config: Any, frozen: Sequence[str] = (), files: Mapping[str, FileRecord] | None = None
) -> Iterator[None]:
    """Open a run folder as `open_run` does, for the caller to add what training needs, such as tokenizers.

    If the context ends with a user error, a new folder is removed again, so that it can be used with other settings. A
    resumed folder and what an interrupted program has made stay. With several processes, the first opens the folder
    before the others (`first_before_others`).

    Raises:
        RunError: as `open_run`; or a process on another machine does not see the folder.
    """
    if not is_first():
        if not (folder / CONFIG).exists():
            raise RunError(
                f"process {rank() + 1} finds no {folder / CONFIG}: set run=PATH to a folder that all machines share"
            )
        yield
        return
    existed, resumed = folder.exists(), (folder / CONFIG).exists()
    open_run(folder, config, frozen, files)
    try:
        yield
    except Seq2SeqError:
        if not resumed:
            for path in (folder / CONFIG, folder / SPLIT, *folder.glob("tokenizer*.model")):
                path.unlink(missing_ok=True)
        if not existed:
            with suppress(OSError):  # another program has put a file there
                folder.rmdir()
        raise


def open_run(
    folder: Path, config: Any, frozen: Sequence[str] = (), files: Mapping[str, FileRecord] | None = None
) -> None:
    """Create a run folder for these settings, or check that an existing run has the same and can be resumed.

    Args:
        folder: the run folder.
        config: all settings of the command.
        frozen: the embedding tables that are not trained; a run that starts from this one inherits them.
        files: the files that the settings name, by setting.

    Raises:
        ConfigError: a value contains an interpolation.
        RunError: the folder belongs to a run with other settings or files, or has other content, or contains a link to
            a folder.
    """
    path = folder / CONFIG
    try:
        if path.exists():
            run = RunFolder.open(folder)
            _check_same_settings(run, config, check_same_files(run, files or {}))
        elif folder.exists() and not (folder.is_dir() and all(_may_precede_a_run(place) for place in folder.iterdir())):
            raise RunError(f"{folder} is not empty and not a run folder: choose another with run=PATH")
        _check_no_linked_folder(folder)
    except OSError as error:
        raise _not_writable(folder, error) from None
    # A resumed run writes its settings as well, because some may have changed.
    write_settings(folder, config, frozen, files)


def write_settings(
    folder: Path, config: Any, frozen: Sequence[str] = (), files: Mapping[str, FileRecord] | None = None
) -> None:
    """Write config.yaml; arguments as of `open_run`.

    Raises:
        ConfigError: a value contains an interpolation.
        RunError: the folder cannot be written.
    """
    settings = saved_settings(config)
    settings |= {FROZEN: list(frozen)} if frozen else {}
    settings |= {FILES: {name: asdict(record) for name, record in files.items()}} if files else {}
    text = OmegaConf.to_yaml(settings)
    if INTERPOLATION in text:
        raise ConfigError(f"a setting has {INTERPOLATION} in its value, which config.yaml must not: leave it out")
    try:
        make_folder(folder)
        with atomic_write(folder / CONFIG) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _not_writable(folder, error) from None


def _not_writable(folder: Path, error: OSError) -> RunError:
    return RunError(f"{folder} cannot be written ({error.strerror}): choose another with run=PATH")


def saved_settings(config: Any) -> dict[str, Any]:
    """All settings of a command as config.yaml has them, with the class of each section that has several."""
    return {**plain_value(config), CHOICES: _choices(config)}


def _check_no_linked_folder(folder: Path) -> None:
    """Refuse links to folders, because training writes and deletes files in the folders of its run."""
    for place in folder.iterdir() if folder.exists() else ():
        if place.is_symlink() and place.is_dir():
            raise RunError(
                f"{place} is a link to a folder, where training would write and delete files: replace it by a folder, "
                "or make the whole run folder a link"
            )


def _may_precede_a_run(place: Path) -> bool:
    """Whether a run folder without settings may contain this."""
    return place.name in (LOCK, PAIRS, SPLIT, AUTO) or is_temporary(place)


def _choices(config: Any) -> dict[str, str]:
    """The class of each section that has several; fields alone do not tell Constant from InverseSquareRoot."""
    sections = {item.name: (item.type, type(getattr(config, item.name))) for item in fields(config)}
    return {
        name: kind.__name__
        for name, (declared, kind) in sections.items()
        if is_dataclass(kind) and kind is not declared
    }


def _check_same_settings(run: RunFolder, config: Any, same_files: Container[str]) -> None:
    """Refuse other settings than those of the run; a setting that an older folder lacks had its default.

    Settings in ``same_files`` name the same file.
    """
    saved, defaults = run.flat_settings, _defaults(config)
    compared = {
        name: (saved.get(f"{CHOICES}.{name}"), kind)
        for name, kind in _choices(config).items()
        if not _may_change(name, config)
    }
    compared |= {
        name: (_with_defaults(saved.get(name, defaults[name]), value), plain_value(value))
        for name, _, value in walk(config)
        if not _may_change(name, config)
    }
    for name, (old, new) in compared.items():
        if old != new and name not in same_files:
            raise RunError(
                f"{run.path} holds a run with {name}={old}, this command says {name}={new}: "
                f"choose another folder with run=PATH, or delete this one"
            )


def _may_change(name: str, config: Any) -> bool:
    """Whether a resumed run may change a setting: `CHANGEABLE`, unless guided attention learns its links with it."""
    return name.startswith(CHANGEABLE) and not (name == "shortlist.pairs" and config.loss.guided_attention > 0)


def _defaults(config: Any) -> dict[str, Any]:
    """The default of every setting by dotted path, with sections of the same classes as in ``config``."""
    sections = {item.name: getattr(config, item.name) for item in fields(config)}
    fresh = {name: _fresh(section) for name, section in sections.items() if is_dataclass(section)}
    return {name: value for name, _, value in walk(replace(_fresh(config), **fresh))}


def _fresh(config: Any) -> Any:
    """An instance of the same class with all defaults."""
    return type(config)()


def _with_defaults(saved: Any, value: Any) -> Any:
    """A saved value; entries of a list of dataclasses are completed with defaults."""
    if not (isinstance(saved, list) and isinstance(value, list) and value and is_dataclass(value[0])):
        return saved
    defaults = asdict(_fresh(value[0]))
    return [defaults | entry if isinstance(entry, dict) else entry for entry in saved]
