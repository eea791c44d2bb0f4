"""Opening a run folder: made for the settings of a command, or gone on in by a command with the same."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from seq2seq.errors import ConfigError, RunError, Seq2SeqError
from seq2seq.run.folder import CONFIG, INTERPOLATION, read_config
from seq2seq.settings import walk
from seq2seq.system.atomic import atomic_write, is_temporary, make_folder
from seq2seq.system.lock import LOCK
from seq2seq.system.processes import is_first, rank

CHOICES = "choices"
"""The section of config.yaml that names the class of others, such as optimizer: Adam."""

FROZEN = "frozen"
"""The section of config.yaml that lists the frozen embedding tables, if there are any: source, target."""

# Settings that may change when a run goes on: how long it trains and what happens after training.
CHANGEABLE = (
    "run",
    "training.updates",
    "training.accumulate",  # other processes may do the same update
    "training.patience",
    "training.device",
    "training.threads",
    "training.smaller",
    "training.save_minutes",
    "data.cache",
    "data.workers",
    "search.",
    "shortlist.",
)


@contextmanager
def opened_run(folder: Path, config: Any, frozen: Sequence[str] = ()) -> Iterator[None]:
    """A run folder, as `open_run` opens it, to put into what a run cannot begin without, such as its tokenizers.

    A user's error within the context leaves no folder where there was none: other settings may then have it. A folder
    to go on in stays as it is, and so does what a stopped program has made. Of several processes the first opens it;
    the others come after (`first_before_others`) and find it there.

    Raises:
        RunError: as `open_run` does; the folder is not there for a process on another machine.
    """
    if not is_first():
        if not (folder / CONFIG).exists():
            raise RunError(
                f"process {rank() + 1} finds no {folder / CONFIG}: name a folder that all machines share with run=PATH"
            )
        yield
        return
    there, begun = folder.exists(), (folder / CONFIG).exists()
    open_run(folder, config, frozen)
    try:
        yield
    except Seq2SeqError:
        if not begun:
            _empty(folder)
        if not there:
            with suppress(OSError):  # something else was put there meanwhile
                folder.rmdir()
        raise


def frozen_tables(folder: Path) -> list[str]:
    """The embedding tables that a run does not train: source, target, both or none.

    Raises:
        RunError: there is no run in the folder, or its config.yaml is not usable.
    """
    values = read_config(folder)
    embeddings = values.get("embeddings")
    sides = ("source", "target")
    if FROZEN in values:
        named = values[FROZEN]
        if not isinstance(named, list) or not {*map(str, named)} <= {*sides}:
            raise RunError(f"{folder / CONFIG}: section {FROZEN} is not usable ({named}): restore it or train anew")
        return named
    if not isinstance(embeddings, dict) or not embeddings.get("freeze"):
        return []
    return [side for side in sides if embeddings.get(side) is not None]  # an older version wrote no list


def _empty(folder: Path) -> None:
    """Take out what a run has before it begins, and nothing else."""
    for path in (folder / CONFIG, *folder.glob("tokenizer*.model")):
        path.unlink(missing_ok=True)


def open_run(folder: Path, config: Any, frozen: Sequence[str] = ()) -> None:
    """Make a run folder for these settings, or go on in one that was made for the same.

    Args:
        folder: the run folder.
        config: all settings of the command.
        frozen: the embedding tables that are not trained, which a run that begins with this one takes over.

    Raises:
        ConfigError: a value looks like an interpolation.
        RunError: the folder belongs to a run with other settings, or to something else, or a folder in it is a link.
    """
    path = folder / CONFIG
    try:
        if path.exists():
            _hold_same(_flat(read_config(folder)), config, folder)
        elif folder.exists() and not (folder.is_dir() and all(_is_ours(place) for place in folder.iterdir())):
            raise RunError(f"{folder} is not empty and no run folder: choose another with run=PATH")
        _hold_no_linked_folder(folder)
        # Written when going on too: what may change is kept as it is now.
        settings = OmegaConf.to_container(OmegaConf.structured(config), enum_to_str=True)
        assert isinstance(settings, dict)
        kept = {CHOICES: _choices(config), **({FROZEN: list(frozen)} if frozen else {})}
        text = OmegaConf.to_yaml({**settings, **kept})
        if INTERPOLATION in text:
            raise ConfigError(f"a setting has {INTERPOLATION} in its value, which no saved run may have: leave it out")
        make_folder(folder)
        with atomic_write(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"{folder} cannot be written ({error.strerror}): choose another with run=PATH") from None


def _hold_no_linked_folder(folder: Path) -> None:
    """Refuse links to other folders: training writes and deletes files in those of its run."""
    for place in folder.iterdir() if folder.exists() else ():
        if place.is_symlink() and place.is_dir():
            raise RunError(
                f"{place} is a link to a folder, where training would write and delete files: put a folder in its "
                "place, or make the whole run folder a link"
            )


def _is_ours(place: Path) -> bool:
    """Whether this may lie in a run folder that has no settings yet."""
    return place.name == LOCK or is_temporary(place)


def _choices(config: Any) -> dict[str, str]:
    """The class of each section that is a choice: fields alone do not tell Constant from InverseSquareRoot."""
    sections = {item.name: (item.type, type(getattr(config, item.name))) for item in fields(config)}
    return {
        name: kind.__name__
        for name, (declared, kind) in sections.items()
        if is_dataclass(kind) and kind is not declared
    }


def _flat(settings: Any, path: str = "") -> dict[str, Any]:
    """Settings by dotted name."""
    if not isinstance(settings, dict):
        return {path: settings}
    parts = [_flat(value, f"{path}.{name}" if path else str(name)) for name, value in settings.items()]
    return {name: value for part in parts for name, value in part.items()}


def _plain(value: Any) -> Any:
    """A setting as it is saved: in a list, dataclasses are mappings."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _fresh(config: Any) -> Any:
    """Settings of the same class, all as by default."""
    return type(config)()


def _usual(config: Any) -> dict[str, Any]:
    """Every setting's default by dotted name, of the classes that are chosen."""
    parts = {item.name: getattr(config, item.name) for item in fields(config)}
    chosen = {name: _fresh(part) for name, part in parts.items() if is_dataclass(part)}
    return {name: value for name, _, value in walk(replace(_fresh(config), **chosen))}


def _completed(found: Any, value: Any) -> Any:
    """What was saved of a setting, with the defaults of what its list's entries do not say."""
    if not (isinstance(found, list) and isinstance(value, list) and value and is_dataclass(value[0])):
        return found
    usual = asdict(_fresh(value[0]))
    return [usual | entry if isinstance(entry, dict) else entry for entry in found]


def _hold_same(saved: dict[str, Any], config: Any, folder: Path) -> None:
    """Refuse other settings; one that the folder, being older, does not know is taken to have been its default."""
    usual = _usual(config)
    asked = {name: (saved.get(f"{CHOICES}.{name}"), kind) for name, kind in _choices(config).items()}
    asked |= {
        name: (_completed(saved.get(name, usual[name]), value), _plain(value))
        for name, _, value in walk(config)
        if not name.startswith(CHANGEABLE)
    }
    for name, (found, value) in asked.items():
        if found != value:
            raise RunError(
                f"{folder} holds a run with {name}={found}, this command says {name}={value}: "
                f"choose another folder with run=PATH, or delete this one"
            )
