"""Finding the translations that are compared, and refusing those that do not compare."""

import glob
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2seq.comparison.config import Searched
from seq2seq.comparison.types import Output, System
from seq2seq.corpora.lines import read_lines
from seq2seq.errors import DataError, RunError
from seq2seq.report.help import command
from seq2seq.run.folder import CONFIG, RunFolder
from seq2seq.run.provenance import comparable, model_hash, read_scores, text_hash

OF_A_SEED = (
    "run",
    "seed",
    "training.start",
    "training.device",
    "training.save_minutes",
    "training.accumulate",
    "data.cache",
    "data.workers",
)
"""Settings in which several seeds of one system may differ."""


@dataclass(frozen=True)
class Common:
    """What all outputs must have in common."""

    references: str
    """`text_hash` of the references."""
    sentences: int
    signatures: Mapping[str, str]
    """sacrebleu's, by metric as scores.json names them."""
    entry: str
    """Which entry of scores.json, such as ``test``."""
    search: str
    """Which translations of the entry (`Searched`)."""


def read_systems(names: Sequence[str], common: Common) -> list[System]:
    """Every system with its translations.

    Raises:
        DataError: a name stands for nothing, or a file has another number of lines.
        RunError: a run has no saved translations, or other ones than were scored; they were scored against other
            references or with another signature; or runs taken for seeds of one system are not.
    """
    return [_system(name, common) for name in names]


def outputs_of(name: str) -> list[Path]:
    """The run folders and files that a name stands for: itself, what matches a pattern, or the runs in a folder.

    Raises:
        DataError: there are none.
    """
    path = Path(name).expanduser()
    if path.is_dir() and not (path / CONFIG).is_file():
        found = [inner for inner in path.iterdir() if (inner / CONFIG).is_file()]
        if not found:
            raise DataError(f"{path} is no run folder and there is none in it: name run folders or text files")
    elif path.exists():
        return [path]
    else:
        found = [Path(match) for match in glob.glob(str(path))]
        if not found:
            raise DataError(f"{path}: no such run folder or file, and nothing matches it as a pattern; check the path")
    return sorted(found, key=lambda one: (len(str(one)), str(one)))  # 2 before 10


def _system(name: str, common: Common) -> System:
    paths = outputs_of(name)
    outputs = [_run_output(path, common) if path.is_dir() else _file_output(path, common) for path in paths]
    _hold_seeds(paths, outputs)
    return System(name, outputs)


def _file_output(path: Path, common: Common) -> Output:
    lines = list(read_lines(path))
    if len(lines) != common.sentences:
        raise DataError(
            f"{path} has {len(lines):,} lines and the test set {common.sentences:,} sentences: "
            f"name translations of this test set, one a line"
        )
    return Output(str(path), lines, {"hypotheses": text_hash(lines)})


def _run_output(folder: Path, common: Common) -> Output:
    """Translations that evaluate.py has left, if they are still what it scored and compare with the others."""
    again = f"evaluate it on this test set: {command('evaluate')} run={folder}"
    record = _record(folder, common, again)
    if record["references"] != common.references:
        raise RunError(
            f"{folder} was scored against other references ({record['references'][:12]}, here "
            f"{common.references[:12]}), and such scores do not compare: {again}"
        )
    for metric, signature in common.signatures.items():
        saved = comparable(record[metric]["signature"])
        if saved != signature:
            raise RunError(
                f"{folder} was scored with {saved}, this comparison has {signature}: set the same, or {again}"
            )
    if record["models"][0] not in (None, model_hash(folder)):
        raise RunError(f"{folder} has another model than was scored: {again}")
    path = folder / f"hypotheses.{common.entry}.{common.search}.txt"
    lines = list(read_lines(path))
    if text_hash(lines) != record["hypotheses"]:
        raise RunError(f"{path} is not the text that was scored: {again}")
    return Output(str(folder), lines, record)


def _record(folder: Path, common: Common, again: str) -> dict[str, Any]:
    """What scores.json says of an entry and one of its searches, together."""
    path = folder / "scores.json"
    entry = read_scores(path).get(common.entry, {})
    searched = entry.get(common.search)
    if not isinstance(searched, dict):
        raise RunError(f"{folder} has no {common.search} translations of {common.entry} in scores.json: {again}")
    needed = {"references", "models", "hypotheses", "search", *common.signatures}
    if missing := sorted(needed - {*entry, *searched}):
        raise RunError(f"{path} was written by an older version and does not say {missing[0]}: {again}")
    shared: dict[str, Any] = {name: value for name, value in entry.items() if name not in list(Searched)}
    record = {**shared, **searched}
    if wrong := next(_of_wrong_kind(record, common.signatures), None):
        raise RunError(f"{path} is damaged ({wrong}): delete it, and {again}")
    return record


def _of_wrong_kind(record: dict[str, Any], metrics: Iterable[str]) -> Iterator[str]:
    """What `evaluate` would not have written."""
    for name in ("references", "hypotheses"):
        if not isinstance(record[name], str):
            yield f"{name} is not text"
    if not (isinstance(record["search"], dict) and isinstance(record["search"].get("beam_size", 1), int)):
        yield "search has no settings"
    models = record["models"]
    if not (isinstance(models, list) and models and all(one is None or isinstance(one, str) for one in models)):
        yield "models is not a list of hashes"
    for name in metrics:
        if not (isinstance(record[name], dict) and isinstance(record[name].get("signature"), str)):
            yield f"{name} has no signature"


def _hold_seeds(paths: Sequence[Path], outputs: Sequence[Output]) -> None:
    """Refuse to average runs that differ in more than chance, or that are one model twice."""
    runs = [path for path in paths if path.is_dir()]
    settings = [RunFolder.open(run).flat_settings for run in runs]
    for run, other in zip(runs[1:], settings[1:], strict=True):
        for name in sorted(settings[0].keys() & other.keys()):
            if name not in OF_A_SEED and settings[0][name] != other[name]:
                raise RunError(
                    f"{runs[0]} and {run} are no seeds of one system: {name} is {settings[0][name]} in one, "
                    f"{other[name]} in the other; name them as systems of their own"
                )
    known: dict[str, str] = {}
    for output in outputs:
        for model in output.record.get("models", [])[:1]:
            if model in known:
                raise RunError(f"{known[model]} and {output.name} are the same model: name runs of different seeds")
            known |= {model: output.name} if model else {}
