"""The settings of each recipe and each choice, as Hydra composes them."""

import functools
import hashlib
import importlib.resources
import os
import re
from importlib.resources.abc import Traversable
from pathlib import Path

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from seq2seq.analysis.config import MicroscopeConfig
from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.comparison.config import CompareConfig
from seq2seq.config.automatic import FILE_OPTION
from seq2seq.config.recipes import (
    AverageConfig,
    BacktranslateConfig,
    DistillConfig,
    DoctorConfig,
    EvaluateConfig,
    ExportConfig,
    PushConfig,
    QuantizeConfig,
    SplitFileConfig,
    TrainConfig,
)
from seq2seq.errors import ConfigError
from seq2seq.figures.config import LaboratoryConfig
from seq2seq.serving.config import ServeConfig
from seq2seq.settings import flat
from seq2seq.training import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    Constant,
    Cosine,
    Exponential,
    Halving,
    InverseSquareRoot,
    Muon,
    Plateau,
)
from seq2seq.training.loggers import Csv, LoggerConfig, MLflow, TensorBoard, WeightsAndBiases
from seq2seq.translation.config import DocumentConfig, ScoreConfig, SuggestConfig, TranslateConfig

CHOICES: dict[str, dict[str, type]] = {
    "optimizer": {"adadelta": Adadelta, "adagrad": Adagrad, "adam": Adam, "adamw": AdamW, "muon": Muon, "sgd": SGD},
    "schedule": {
        "constant": Constant,
        "cosine": Cosine,
        "exponential": Exponential,
        "halving": Halving,
        "inverse_square_root": InverseSquareRoot,
        "plateau": Plateau,
    },
    "logger": {
        "csv": Csv,
        "mlflow": MLflow,
        "none": LoggerConfig,
        "tensorboard": TensorBoard,
        "wandb": WeightsAndBiases,
    },
}


RECIPES: dict[str, type] = {
    "train": TrainConfig,
    "evaluate": EvaluateConfig,
    "translate": TranslateConfig,
    "document": DocumentConfig,
    "score": ScoreConfig,
    "suggest": SuggestConfig,
    "quantize": QuantizeConfig,
    "export": ExportConfig,
    "average": AverageConfig,
    "push": PushConfig,
    "distill": DistillConfig,
    "backtranslate": BacktranslateConfig,
    "doctor": DoctorConfig,
    "split": SplitFileConfig,
    "benchmark": BenchmarkConfig,
    "laboratory": LaboratoryConfig,
    "microscope": MicroscopeConfig,
    "compare": CompareConfig,
    "serve": ServeConfig,
}


MULTI_PROCESS = ("train", "evaluate", "translate")
"""Recipes that torchrun may start in several processes."""


@functools.cache
def register(recipe: str) -> None:
    """Register the schema of a recipe, and of the choices that are dataclasses, with Hydra.

    Hydra copies all that is registered each time it composes.
    """
    ConfigStore.instance().store(name=f"{recipe}_schema", node=RECIPES[recipe])
    _register_choices()


@functools.cache
def _register_choices() -> None:
    store = ConfigStore.instance()
    for group, options in CHOICES.items():
        for name, schema in options.items():
            store.store(group=group, name=name, node=schema)


def register_experiments(argument: str) -> str:
    """Register the file of ``experiment=PATH.yaml`` with Hydra; returns the argument with the names of options.

    Raises:
        ConfigError: the file is missing, or is not a YAML mapping.
    """
    if not argument.startswith("experiment=") or ".yaml" not in argument:
        return argument
    _, _, values = argument.partition("=")
    return "experiment=" + ",".join(
        _register_experiment(Path(value)) if value.endswith(".yaml") else value for value in values.split(",")
    )


def _register_experiment(path: Path) -> str:
    """Register one experiment file; returns the name of the option."""
    try:
        node = OmegaConf.load(path.expanduser())
    except (OSError, UnicodeError, YAMLError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise ConfigError(f"experiment={path} cannot be read ({reason}): name a YAML file") from None
    if not isinstance(node, DictConfig):
        raise ConfigError(f"experiment={path} is not a mapping of settings: see conf/experiment for examples")
    if "choices" in node:
        _make_experiment(node)
    if OmegaConf.select(node, "auto.choose"):  # what the file says is the user's
        stated = flat(OmegaConf.to_container(node))
        node.auto.yours = [name for name in stated if name.split(".")[0] not in ("defaults", "auto")]
    place = hashlib.sha256(os.path.abspath(path).encode()).hexdigest()[:8]  # files in several folders share names
    name = f"{FILE_OPTION}{re.sub('[^a-zA-Z0-9]', '_', path.stem)}_{place}"
    ConfigStore.instance().store(group="experiment", name=name, node=node, package="_global_")
    return name


def _make_experiment(node: DictConfig) -> None:
    """Turn the config.yaml of a run into an experiment with the same settings, for another run folder."""
    classes = node.pop("choices")
    for name in ("run", "files", "frozen"):  # of that run only
        node.pop(name, None)
    if "training" in node:  # its number of updates has been measured
        node.training.time = node.training.time_limit = None
    chosen = {
        group: option
        for group, options in CHOICES.items()
        for option, kind in options.items()
        if kind.__name__ == classes.get(group)
    }
    node.defaults = [*({f"override /{group}": option} for group, option in chosen.items()), "_self_"]


def conf_folder() -> Traversable:
    """The folder of YAML files: in the installed package, or next to the library in a clone that is not installed."""
    try:
        return importlib.resources.files("seq2seq.conf")
    except ModuleNotFoundError:
        return Path(__file__).parents[2] / "conf"
