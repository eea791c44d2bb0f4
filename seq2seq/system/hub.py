"""Models of the Hugging Face hub: ``hf://USER/NAME[@REVISION]`` in place of a run folder, and sending files there.

`huggingface_hub` downloads, caches and authenticates. Only the files of a model are downloaded; nothing is executed.
"""

import contextlib
import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.errors import ConfigError, RunError, install_hint

SETTINGS = ("config.yaml", "config.json")
"""The settings of a run folder and of an exported model; at least one is in every model."""

FILES = (
    *SETTINGS,
    *("model.safetensors", "shortlist.safetensors"),
    *("tokenizer.model", "tokenizer.source.model", "tokenizer.target.model"),
    *("encoder.onnx", "step.onnx", "check.json", "README.md"),
)
"""All files that are downloaded."""

PART = r"[\w-][\w.-]*"
"""A user or a model. It cannot be ``..``: results are written to ``runs/hub/USER/NAME``."""

SCHEME = re.compile(r"hf:[/\\]+")  # `Path` keeps one of two slashes, and turns them round on Windows
REVISION = r"(?!.*\.\.)\w[\w./\\-]*"  # a path in the cache
ADDRESS = re.compile(rf"{SCHEME.pattern}({PART})[/\\]({PART})(?:@({REVISION}))?[/\\]?", re.ASCII)
REPOSITORY = re.compile(f"{PART}/{PART}", re.ASCII)
SNAPSHOT = re.compile(rf"[/\\]models--({PART}?)--({PART})[/\\]snapshots[/\\][^/\\]+[/\\]?$", re.ASCII)
"""The end of the path of a model in the cache of `huggingface_hub`."""

LOGIN = "run hf auth login, or set HF_TOKEN"


class HubModel(NamedTuple):
    """A model of the hub."""

    repository: str
    """``USER/NAME``."""
    revision: str | None = None
    """Branch, tag or commit; None: the newest."""

    @classmethod
    def parse(cls, name: str | os.PathLike[str]) -> "HubModel":
        """Read ``hf://USER/NAME[@REVISION]``.

        Raises:
            ConfigError: it has another form.
        """
        match = ADDRESS.fullmatch(os.fspath(name))
        if match is None:
            raise ConfigError(f"{name} is not a model of the hub: write hf://USER/NAME or hf://USER/NAME@REVISION")
        return cls(f"{match[1]}/{match[2]}", match[3] and match[3].replace("\\", "/"))

    def __str__(self) -> str:
        return f"hf://{self.repository}{f'@{self.revision}' if self.revision else ''}"


def is_hub(name: str | os.PathLike[str]) -> bool:
    """Whether the name of a run folder is that of a model of the hub."""
    return SCHEME.match(os.fspath(name)) is not None


def local_folder(name: str | os.PathLike[str]) -> Path:
    """The folder of a run: a path as it is, for a model of the hub its folder in the cache, downloaded if needed.

    Without a network, or with ``HF_HUB_OFFLINE=1``, what is in the cache is used.

    Raises:
        ConfigError: the name is not valid, or `huggingface_hub` is not installed.
        RunError: the model does not exist, is not accessible, is of another program, or cannot be downloaded.
    """
    if not is_hub(name):
        return Path(name).expanduser()
    model = HubModel.parse(name)
    with _client(str(model)) as hub:
        settings = Path(hub.snapshot_download(model.repository, revision=model.revision, allow_patterns=[*SETTINGS]))
        if not is_model_folder(settings):  # before gigabytes of another kind of model
            raise RunError(f"{model} is not a model of seq2seq ({' or '.join(SETTINGS)} is missing): check the name")
        # The snapshot is named by its commit: what is downloaded now belongs to the same one.
        return Path(hub.snapshot_download(model.repository, revision=settings.name, allow_patterns=[*FILES]))


def is_model_folder(path: Path) -> bool:
    """Whether a path is a run folder or an exported model: one with settings."""
    return any(os.path.isfile(path / file) for file in SETTINGS)  # `Path.is_file` refuses some names with an error


def results_folder(run: str | os.PathLike[str]) -> Path:
    """Where commands write what belongs to a run: its folder, or ``runs/hub/USER/NAME`` for a model of the hub.

    Args:
        run: a run folder, a model of the hub, or its folder in the cache, which stays as it was downloaded.
    """
    cached = SNAPSHOT.search(os.fspath(run))
    if is_hub(run):
        return Path("runs/hub", HubModel.parse(run).repository)
    return Path("runs/hub", cached[1], cached[2]) if cached else Path(run)


def check_repository(repository: str) -> None:
    """Check the name of a repository to send a model to.

    Raises:
        ConfigError: it is not ``USER/NAME``.
    """
    if not REPOSITORY.fullmatch(repository):
        raise ConfigError(f"repository={repository} is not a name on the hub: write repository=USER/NAME")


def upload(repository: str, files: Mapping[str, Path | bytes], *, private: bool, message: str) -> str:
    """Send files to a repository of the hub in one commit; it is created if it is missing.

    Args:
        repository: ``USER/NAME``.
        files: path or content of each file, by its name there.
        private: whether the repository must be private.
        message: of the commit.

    Returns:
        The address of the commit.

    Raises:
        ConfigError: `huggingface_hub` is not installed.
        RunError: nobody is logged in, access is denied, the hub cannot be reached, or the repository is public and must
            be private.
    """
    with _client(repository) as hub:
        if hub.get_token() is None:
            raise RunError(f"{repository} cannot be written: nobody is logged in; {LOGIN}")
        api = hub.HfApi(library_name="recurrent-translation")
        api.create_repo(repository, private=private, exist_ok=True)
        if private and not api.repo_info(repository).private:  # an existing one stays as it is
            raise RunError(
                f"{repository} exists and is public, so nothing was sent: make it private on its page of the hub, name "
                f"another repository, or set private=false"
            )
        added = [hub.CommitOperationAdd(name, content) for name, content in files.items()]
        return str(api.create_commit(repository, added, commit_message=message).commit_url)


@contextlib.contextmanager
def _client(model: str) -> Iterator[Any]:
    """The module `huggingface_hub`, without its messages; progress bars appear on a terminal only.

    Raises:
        ConfigError: it is not installed.
        RunError: instead of any of its errors, with advice in one line.
    """
    try:
        import huggingface_hub as hub
        from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    except ImportError:
        raise ConfigError(f"{model} needs the package huggingface_hub: {install_hint('hub')}") from None
    logger, bars = logging.getLogger("huggingface_hub"), are_progress_bars_disabled()
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    if not sys.stderr.isatty():
        disable_progress_bars()
    try:
        yield hub
    except (RunError, ConfigError):
        raise
    except Exception as error:  # the network and files raise many types
        raise RunError(f"{model} {_explained(error)}") from None
    finally:
        logger.setLevel(level)
        if not bars:
            enable_progress_bars()


def _explained(error: Exception) -> str:
    """What went wrong, after the name of the model, and what to do."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return f"has conditions: accept them on its page of the hub, then {LOGIN}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"is not on the hub, or is private: check the name; if it is private, {LOGIN}"
    if isinstance(error, errors.RevisionNotFoundError):
        return "has no such revision: name a branch, a tag or a commit after @, or leave it out"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return "is not in the cache, and the hub cannot be reached: check the connection and HF_HUB_OFFLINE"
    if type(error) is RuntimeError and isinstance(error.__cause__, Exception):  # "Error while uploading"
        return _explained(error.__cause__)
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return f"is not open to this account (status {status}): {LOGIN} of an account with access"
    reason = " ".join(str(error).split()) or type(error).__name__
    return f"failed ({reason}): check the connection and the free space, and rerun the same command"
