"""Train and evaluate from Python: `train`, `evaluate` and `Run`.

These functions use every package, so they belong to none. recipes/train.py is a program around `train`.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seq2seq.auto.choice import automatic_settings
from seq2seq.config.hydra import compose_train
from seq2seq.config.ignored_settings import refuse_ignored
from seq2seq.config.recipes import TrainConfig
from seq2seq.corpora.config import DataConfig, Split
from seq2seq.corpora.corpus import Corpus
from seq2seq.corpora.mixture import TaggedCorpus
from seq2seq.corpora.monolingual import read_target_split
from seq2seq.corpora.reading import read_split, whole_file
from seq2seq.corpora.splitting import SplitCorpus
from seq2seq.errors import ConfigError
from seq2seq.evaluation import evaluate as evaluation
from seq2seq.metrics.score import Metric, Score
from seq2seq.model.weights import read_metadata
from seq2seq.pipeline.training_run import OnValidation, train_run
from seq2seq.run.files import run_text
from seq2seq.run.folder import CONFIG, MODEL, RunFolder
from seq2seq.run.pairs import Pairs, as_corpus, as_pairs, saved_data, saved_pairs
from seq2seq.run.push import push_to_hub
from seq2seq.settings import override_value, validate, with_members
from seq2seq.system.hub import results_folder
from seq2seq.system.lock import locked
from seq2seq.training import Progress, TrainingConfig, Validation
from seq2seq.training.config import Criterion
from seq2seq.training.log import read_validations
from seq2seq.training.run_log import run_log
from seq2seq.translation.language_model import LanguageModel
from seq2seq.translation.translator import Translator

log = logging.getLogger("seq2seq")


class Scores(dict[str, Score]):
    """A score for each search: ``greedy``, and the method of the run, mostly ``beam``.

    Attributes:
        bleu, chrf, ter: the metrics of the run's own search.
    """

    @property
    def own(self) -> Score:
        """The score of the run's own search."""
        return [*self.values()][-1]

    @property
    def bleu(self) -> Metric:
        """BLEU of the run's own search."""
        return self.own.bleu

    @property
    def chrf(self) -> Metric:
        """Character F-score of the run's own search."""
        return self.own.chrf

    @property
    def ter(self) -> Metric | None:
        """Translation edit rate of the run's own search; None if it is not computed (`why_no_ter`)."""
        return self.own.ter


@dataclass(frozen=True)
class Run:
    """A run folder with a trained model.

    Attributes:
        folder: the run folder.
        curve: the result of each validation, in the order of updates.
        criterion: the metric that selects the best model.
    """

    folder: Path
    curve: list[Validation]
    criterion: Criterion

    @classmethod
    def open(cls, folder: str | Path) -> "Run":
        """Open a run folder, or ``hf://USER/NAME``, a model of the Hugging Face hub.

        Raises:
            RunError: there is no run in the folder, or a file of it is damaged.
        """
        run = RunFolder.open(folder)
        curve = read_validations(run.path / "metrics.jsonl")
        return cls(run.path, curve, run.section("training", TrainingConfig).criterion)

    @property
    def best(self) -> Validation | None:
        """The best validation; None if there was none."""
        return Progress(validations=self.curve).best(self.criterion)

    @property
    def best_score(self) -> float:
        """BLEU, chrF or negative loss of the best validation, by the criterion; NaN if there was no validation."""
        return Progress(validations=self.curve).best_value(self.criterion)

    @property
    def metadata(self) -> dict[str, str]:
        """What the weights say about the model: version, languages, licence, settings, SHA-256 of its tokenizers.

        Raises:
            RunError: there is no trained model in the folder.
        """
        return read_metadata(self.folder / MODEL)

    @property
    def is_language_model(self) -> bool:
        """Whether the model has no encoder: use `language_model` in place of `translator`."""
        return RunFolder.open(self.folder).is_language_model

    def corpus(self, split: str = "test") -> Corpus | None:
        """The text of a split (train, validation, test) of the run's data; None if the data has no test split.

        Raises:
            ConfigError: there is no such split.
            DataError: the text cannot be read.
        """
        if split not in list(Split):
            raise ConfigError(f"{split!r} is not a split: name one of {', '.join(Split)}")
        run = RunFolder.open(self.folder)
        read = read_target_split if run.is_language_model else read_split
        return read(run_text(run, DataConfig(), Split(split)), Split(split))

    def translator(self, device: str = "auto", precision: str = "auto") -> Translator:
        """The best model as a translator: see `Translator.load`."""
        return Translator.load(self.folder, device, precision)

    def language_model(self, device: str = "auto") -> LanguageModel:
        """The best model of a run without an encoder: see `LanguageModel.load`."""
        return LanguageModel.load(self.folder, device)

    def push_to_hub(self, repository: str, *, private: bool = False) -> str:
        """Send the model to the Hugging Face hub, and return the address of the commit: see `push_to_hub`."""
        return push_to_hub(self.folder, repository, private=private)

    def evaluate(self, on: str | Pairs = Split.test, device: str = "auto") -> Scores:
        """Score the translations of a test set: see `evaluate`."""
        return evaluate(self, on, device)


def train(
    data: TrainConfig | SplitCorpus | Pairs,
    folder: str | Path | None = None,
    experiment: str | None = None,
    overrides: Sequence[str] = (),
    on_validation: OnValidation | None = None,
) -> Run:
    """Train a translator, or resume a training that was interrupted.

    Nothing is printed. Reports go to the logger ``seq2seq`` at level INFO. If that level is enabled, a progress bar
    appears on stderr.

    Args:
        data: sentence pairs, a split of them (`Corpus.split`), or the settings of a run that name its data. Pairs are
            split as by `Corpus.split` with data.split and data.split_seed. The run folder keeps them. The languages of
            a corpus from `Corpus.read` become those of the run.
        folder: the run folder; call again with the same arguments to resume. Required with pairs; with settings,
            None stands for their ``run``.
        experiment: with pairs, a file of conf/experiment without ``.yaml``, or the path of a file of your own. Without
            it, pairs take those of ``experiment=auto``, or of ``data=files model=attention`` if ``overrides`` set
            something of the model, unless they choose others.
        overrides: with pairs, settings as on the command line of recipes/train.py: ``["model=attention", "seed=2"]``.
        on_validation: called after each validation. An exception that it raises ends the training.

    Raises:
        ConfigError: a setting is unknown or invalid.
        DataError: a row is not a pair of strings, or the pairs cannot be split.
        RunError: the folder belongs to another run or to something else.
        Interrupted: training received Ctrl-C or SIGTERM; its state is saved.
    """
    pairs: SplitCorpus | Corpus | None
    if isinstance(data, TrainConfig):
        if experiment is not None or overrides:
            raise ConfigError("experiment and overrides are for training on pairs: change the settings in data instead")
        config = with_members(data if folder is None else replace(data, run=str(folder)))
        validate(config)
        pairs = None if config.data.file is None else whole_file(config.data)
    else:
        if folder is None:
            raise ConfigError("folder is missing: train(pairs, 'runs/mine')")
        if not isinstance(folder, str | Path):
            raise ConfigError(f"a run folder is a path, got {type(folder).__name__}: pass a string or a Path")
        overrides = [*_languages(data), *overrides]
        overrides = [f"run={override_value(str(folder))}", *overrides]  # it may be resumed with a shortened warm-up
        config = replace(compose_train(experiment, overrides, names_text=True), run=str(folder))
        pairs = as_pairs(data, config.data)
    given = config.data
    if pairs is not None:
        config = replace(config, data=saved_data(Path(config.run).expanduser(), pairs, given))
    config.check()
    path = Path(config.run).expanduser()
    if not config.auto.choose and not (path / CONFIG).exists():
        refuse_ignored(config)
    with (
        run_log(path) as kept,
        locked(path),
        saved_pairs(path, pairs, given),
        automatic_settings(config, path) as complete,
    ):
        train_run(complete, path, on_validation, kept)
    return Run.open(path)


def evaluate(run: Run | str | Path, on: str | Pairs = Split.test, device: str = "auto") -> Scores:
    """Translate a test set with greedy search and with the search settings of the run, and score both.

    Scores and translations are saved in the run folder: see `evaluation.evaluate.evaluate`.

    Args:
        run: a run or its folder.
        on: ``"test"`` or another split of the run's data, or sentence pairs.
        device: auto, cpu or cuda.

    Returns:
        A score for each search: ``scores["greedy"]``, and the method of the run, mostly ``scores["beam"]``;
        ``scores.bleu`` is that of the latter.

    Raises:
        ConfigError: the run is a language model, or its data has no such split.
        DataError: the pairs cannot be read.
        RunError: there is no trained model in the folder.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    if run.is_language_model:
        raise ConfigError(f"{run.folder} is a language model: use Run.language_model().perplexity(sentences) instead")
    if isinstance(on, str):
        corpus, name = run.corpus(on), str(on)
        if corpus is None:
            raise ConfigError(f"the data of {run.folder} has no {on} set: pass pairs instead")
    else:
        own = RunFolder.open(run.folder).section("data", DataConfig)
        corpus = as_corpus(on, own)
        name = re.sub(r"\W+", "-", corpus.name).strip("-")
        corpus = TaggedCorpus(corpus, own.source_tag) if own.source_tag else corpus
    translator = run.translator(device)
    return Scores(
        evaluation.evaluate(
            translator,
            list(corpus),
            translator.search,
            folder=results_folder(run.folder),
            name=name,
            corpus=corpus.name,
        )
    )


def _languages(data: SplitCorpus | Pairs) -> list[str]:
    """The overrides that set the languages of a corpus, if it knows them."""
    corpus = data.corpus if isinstance(data, SplitCorpus) else data
    languages = corpus.languages if isinstance(corpus, Corpus) else None
    if languages is None:
        return []
    return [f"data.source_language={languages[0]}", f"data.target_language={languages[1]}"]
