"""Find the translations to compare, and refuse those that are not comparable."""

import glob
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seq2seq.comparison.config import Searched
from seq2seq.corpora.lines import read_lines
from seq2seq.errors import DataError, RunError, counted
from seq2seq.report.help import assignment, command
from seq2seq.run.files import FILES
from seq2seq.run.folder import RunFolder
from seq2seq.run.provenance import SCORES, comparable, model_hash, read_scores, text_hash
from seq2seq.run.resume import MACHINE
from seq2seq.settings import differing
from seq2seq.system.hub import is_model_folder, local_folder, results_folder
from seq2seq.tokenizer.normalization import Normalization, normalize

SEED_SETTINGS = (
    "run",
    "seed",
    "licence",
    "training.start",
    "training.device",
    "training.save_minutes",
    "training.accumulate",
    "data.cache",
    "data.workers",
)
"""Settings that may differ between seeds of one system."""


@dataclass(frozen=True)
class Output:
    """Translations of the whole test set by one model, or from a file."""

    name: str
    """The run folder or the text file."""
    lines: list[str]
    """One translation for each sentence of the test set."""
    record: dict[str, Any]
    """Hashes, search settings and version from scores.json; for a file only its hash."""
    settings: dict[str, Any] | None = None
    """All settings of the run by dotted path; None for a file."""


@dataclass(frozen=True)
class System:
    """A system with one output, or with one output for each of several seeds."""

    name: str
    outputs: list[Output]

    @property
    def first(self) -> Output:
        """The output that represents the system in comparisons of sentences."""
        return self.outputs[0]


@dataclass(frozen=True)
class ComparisonKey:
    """Values that outputs must share to be comparable."""

    references: str
    """`text_hash` of the references."""
    sentences: int
    signatures: Mapping[str, str]
    """sacreBLEU signatures by the names of metrics in scores.json."""
    entry: str
    """The entry of scores.json, such as ``test``."""
    search: str
    """The translations of the entry (`Searched`)."""


def read_systems(names: Sequence[str], common: ComparisonKey) -> list[System]:
    """Read every system with its translations.

    Raises:
        DataError: a name matches nothing, or a file has another number of lines than the test set.
        RunError: a run has no saved translations, or they have changed since they were scored; they were scored with
            other references or another signature; or runs given as seeds of one system differ in other settings.
    """
    return [_system(name, common) for name in names]


def with_normal_lines(systems: Iterable[System], normalization: Normalization) -> list[System]:
    """The systems with all translations in one Unicode form."""
    return [
        replace(
            system,
            outputs=[
                replace(output, lines=[normalize(line, normalization) for line in output.lines])
                for output in system.outputs
            ],
        )
        for system in systems
    ]


def outputs_of(name: str) -> list[Path]:
    """The run folders and files of a name: the path itself, matches of a pattern, or the runs in a folder.

    Raises:
        DataError: nothing matches.
    """
    path = local_folder(name)
    if path.is_dir() and not is_model_folder(path):
        paths = [inner for inner in path.iterdir() if is_model_folder(inner)]
        if not paths:
            raise DataError(f"{path} is not a run folder and contains none: name run folders or text files")
    elif path.exists():
        return [path]
    else:
        paths = [Path(match) for match in glob.glob(str(path))]
        if not paths:
            raise DataError(f"{path}: no such run folder or file, and no match as a pattern: check the path")
    return sorted(paths, key=lambda path: (len(str(path)), str(path)))  # 2 before 10


def _system(name: str, common: ComparisonKey) -> System:
    paths = outputs_of(name)
    outputs = [_run_output(path, common) if path.is_dir() else _file_output(path, common) for path in paths]
    _check_seeds(outputs)
    return System(name, outputs)


def _file_output(path: Path, common: ComparisonKey) -> Output:
    lines = list(read_lines(path))
    if len(lines) != common.sentences:
        raise DataError(
            f"{path} has {counted(len(lines), 'line')} and the test set {counted(common.sentences, 'sentence')}: "
            f"name translations of this test set, one per line"
        )
    return Output(str(path), lines, {"hypotheses": text_hash(lines)})


def _run_output(folder: Path, common: ComparisonKey) -> Output:
    """Translations that evaluate.py saved; they must be unchanged and comparable with the others."""
    again = f"evaluate it on this test set: {command('evaluate')} {assignment('run', folder)}"
    record = _record(folder, common, again)
    if record["references"] != common.references:
        raise RunError(
            f"{folder} was scored against other references ({record['references'][:12]}, here "
            f"{common.references[:12]}), so the scores are not comparable: {again}"
        )
    for metric, signature in common.signatures.items():
        if record[metric] is None:  # TER, if a line is too long for it
            continue
        saved = comparable(record[metric]["signature"])
        if saved != signature:
            raise RunError(
                f"{folder} was scored with {saved}, this comparison uses {signature}: set the same, or {again}"
            )
    if record["models"][0] not in (None, model_hash(folder)):
        raise RunError(f"{folder} has another model than the scored one: {again}")
    path = results_folder(folder) / f"hypotheses.{common.entry}.{common.search}.txt"
    lines = list(read_lines(path))
    if text_hash(lines) != record["hypotheses"]:
        raise RunError(f"{path} is not the text that was scored: {again}")
    return Output(str(folder), lines, record, RunFolder.open(folder).flat_settings)


def _record(folder: Path, common: ComparisonKey, again: str) -> dict[str, Any]:
    """The values of an entry of scores.json and of one of its searches."""
    path = results_folder(folder) / SCORES
    entry = read_scores(path).get(common.entry, {})
    searched = entry.get(common.search)
    if not isinstance(searched, dict):
        others = [
            f", or set translations={name}, which it has" for name in Searched if isinstance(entry.get(name), dict)
        ]
        missing = f"{folder} has no {common.search} translations of {common.entry} in scores.json"
        raise RunError(f"{missing}: {again}{others[0] if others else ''}")
    needed = {"references", "models", "hypotheses", "search", *common.signatures}
    if lacking := sorted(needed - {*entry, *searched}):
        raise RunError(f"{path} was written by an older version and lacks {lacking[0]}: {again}")
    shared: dict[str, Any] = {name: value for name, value in entry.items() if name not in list(Searched)}
    record = {**shared, **searched}
    if wrong := next(_invalid_values(record, common.signatures), None):
        raise RunError(f"{path} is damaged ({wrong}): delete it, and {again}")
    return record


def _invalid_values(record: dict[str, Any], metrics: Iterable[str]) -> Iterator[str]:
    """Values of a type that `evaluate` does not write."""
    for name in ("references", "hypotheses"):
        if not isinstance(record[name], str):
            yield f"{name} is not text"
    if not (isinstance(record["search"], dict) and isinstance(record["search"].get("beam_size", 1), int)):
        yield "search has no settings"
    models = record["models"]
    if not (isinstance(models, list) and models and all(model is None or isinstance(model, str) for model in models)):
        yield "models is not a list of hashes"
    for name in metrics:
        if record[name] is not None and not (
            isinstance(record[name], dict) and isinstance(record[name].get("signature"), str)
        ):
            yield f"{name} has no signature"


def setting_differences(systems: Sequence[System]) -> dict[str, dict[str, list[Any]]]:
    """The settings that differ between the systems that are runs: for each the values in the runs of every system.

    Settings of the machine are left out, and those that an older run lacks.
    """
    runs = {system.name: [output.settings for output in system.outputs if output.settings] for system in systems}
    runs = {name: settings for name, settings in runs.items() if settings}
    names = _differing([settings for several in runs.values() for settings in several], MACHINE)
    found = {name: {system: _distinct(name, several) for system, several in runs.items()} for name in names}
    first = next(iter(runs), "")
    return {name: values for name, values in found.items() if any(value != values[first] for value in values.values())}


def _differing(runs: Sequence[Mapping[str, Any]], ignored: Sequence[str]) -> dict[str, list[Any]]:
    """The settings that differ: see `differing`. A file is its hash, wherever it is."""
    settings = differing(runs, ignored)
    hashed = {name for name in settings if all(f"{FILES}.{name}.hash" in run for run in runs)}
    return {
        name: values
        for name, values in settings.items()
        if name not in hashed and (not name.startswith(f"{FILES}.") or name.endswith(".hash"))
    }


def _distinct(name: str, runs: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The values of a setting in several runs, each once."""
    values: list[Any] = []
    for settings in runs:
        if settings[name] not in values:
            values.append(settings[name])
    return values


def _check_seeds(outputs: Sequence[Output]) -> None:
    """Refuse runs that differ in more than the seed, or the same model twice."""
    runs = [(output.name, output.settings) for output in outputs if output.settings is not None]
    for name, settings in runs[1:]:
        for setting, (one, other) in sorted(_differing([runs[0][1], settings], SEED_SETTINGS).items()):
            raise RunError(
                f"{runs[0][0]} and {name} are not seeds of one system: {setting} is {one} in one, "
                f"{other} in the other: name them as separate systems"
            )
    known: dict[str, str] = {}
    for output in outputs:
        for model in output.record.get("models", [])[:1]:
            if model in known:
                raise RunError(f"{known[model]} and {output.name} are the same model: name runs with different seeds")
            known |= {model: output.name} if model else {}
