"""Variants of a run: the same settings except for one choice, each trained in its own folder."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seq2seq.config.recipes import TrainConfig
from seq2seq.errors import ConfigError, RunError
from seq2seq.figures.config import Figure, SweepConfig
from seq2seq.model import AttentionKind, BridgeKind, CopyKind, Direction, ModelConfig
from seq2seq.run.files import FILES, locate_files
from seq2seq.run.folder import CONFIG, FROZEN, MODEL, RunFolder
from seq2seq.run.resume import CHOICES
from seq2seq.settings import validate
from seq2seq.system.atomic import atomic_write
from seq2seq.training import OptimizerConfig, ScheduleConfig

FINISHED = "finished.yaml"
"""File in the folder of a variant: the settings of its finished training."""

Choice = TypeVar("Choice")

Train = Callable[[TrainConfig, Path], object]
"""Train in a folder, or resume there, as recipes/train.py does."""


@dataclass(frozen=True)
class Variant:
    """A run to compare."""

    name: str
    """Name of the choice, such as ``width 64``."""
    folder: Path
    config: TrainConfig | None
    """Settings to train with; None for the run itself."""


def settings_of(run: Path) -> TrainConfig:
    """Return all settings of a run.

    Raises:
        RunError: the folder is not a run folder, or its settings are invalid.
    """
    folder = RunFolder.open(run)
    values = dict(folder.settings)
    chosen = values.pop(CHOICES, None) or {}
    for other in (FROZEN, FILES):
        values.pop(other, None)
    try:
        schema = TrainConfig(
            optimizer=_subclass(OptimizerConfig, chosen.get("optimizer"))(),
            schedule=_subclass(ScheduleConfig, chosen.get("schedule"))(),
        )
        config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), values))
    except (OmegaConfBaseException, ValueError, TypeError, AttributeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(f"{run / CONFIG} is not valid ({reason}): restore the file or train again") from None
    assert isinstance(config, TrainConfig)
    validate(config)
    locate_files(config, folder)
    return config


def run_variants(figure: Figure, run: Path, folder: Path, sweep: SweepConfig, device: str) -> list[Variant]:
    """Return the runs that a figure compares; one of them may be the run itself.

    They share the run's vocabulary, data, seed and all other settings.

    Args:
        figure: attention, reversal or width.
        run: the run to vary.
        folder: variants get folders in this one.
        sweep: widths and length of training.
        device: the device to train on.

    Raises:
        RunError: the run's settings are invalid, or it started from another run's weights.
        ConfigError: a variant's settings contradict each other, or the run is a language model.
    """
    config = settings_of(run)
    if not config.translates:
        raise ConfigError(f"{run} is a language model and has no encoder: give a translation model as run=PATH")
    if config.training.start is not None:
        raise RunError(
            f"{run} started from the weights of {config.training.start} (training.start), which fit no other "
            f"architecture: give a run trained from scratch as run=PATH"
        )
    variants = []
    for name, model in _models(figure, config.model, run, sweep).items():
        training = replace(config.training, updates=sweep.updates or config.training.updates)
        if (model, training) == (config.model, config.training) and (run / MODEL).exists():
            variants.append(Variant(name, run, None))
            continue
        subfolder = folder / name.replace(" ", "-")
        changed = replace(config, run=str(subfolder), model=model, training=replace(training, device=device))
        changed.schedule = replace(config.schedule, warmup=min(config.schedule.warmup, training.updates))
        changed.tokenizer = replace(
            config.tokenizer,
            source_model=str(run.resolve()),
            target_model=None if config.tokenizer.joint else str(run.resolve()),
        )
        try:
            changed.check()
        except ConfigError as error:
            raise ConfigError(f"{name} of {run}: {error}") from None
        variants.append(Variant(name, subfolder, changed))
    return variants


def train_variant(variant: Variant, train: Train) -> None:
    """Train a variant to the end; resume an interrupted one, and skip a finished one.

    Raises:
        RunError: the folder contains a run with other settings.
    """
    if variant.config is None:
        return
    settings = OmegaConf.to_yaml(OmegaConf.structured(variant.config))
    marker = variant.folder / FINISHED
    if marker.exists() and marker.read_text(encoding="utf-8") == settings and (variant.folder / MODEL).exists():
        return
    train(variant.config, variant.folder)  # which locks the folder
    with atomic_write(marker) as temporary:
        temporary.write_text(settings, encoding="utf-8")


def _subclass(base: type[Choice], name: str | None) -> type[Choice]:
    """Return the subclass of that name, or the base class if there is none."""
    return next((kind for kind in _subclasses(base) if kind.__name__ == name), base)


def _subclasses(base: type[Choice]) -> list[type[Choice]]:
    direct: list[type[Choice]] = base.__subclasses__()
    return [kind for child in direct for kind in (child, *_subclasses(child))]


def _models(figure: Figure, model: ModelConfig, run: Path, sweep: SweepConfig) -> dict[str, ModelConfig]:
    if figure is Figure.attention:
        return _with_and_without_attention(model)
    if figure is Figure.reversal:
        return _directions(model)
    if figure is Figure.width:
        return {f"width {width}": _of_width(model, width, run, sweep.decoder) for width in sweep.widths}
    raise ConfigError(f"figure {figure} trains no variants: it compares the given runs")


def _with_and_without_attention(model: ModelConfig) -> dict[str, ModelConfig]:
    """Attention as in conf/model/attention.yaml; without it the run's context vector is fed to every step."""
    decoder = replace(model.decoder, feed_context=True, input_feeding=False)
    without = replace(
        model,
        attention=AttentionKind.none,
        attention_heads=1,
        attention_size=None,
        attention_window=None,
        coverage=False,
        copy=CopyKind.none,
        decoder=decoder,
    )
    attends = replace(model, attention=AttentionKind.general, decoder=replace(model.decoder, feed_context=False))
    if model.attention is AttentionKind.none:
        return {"one context vector": model, f"{attends.attention} attention": attends}
    return {"one context vector": without, f"{model.attention} attention": model}


def _directions(model: ModelConfig) -> dict[str, ModelConfig]:
    """Forward and reversed encoders whose context vector is as wide as the run's; and the run's own direction."""
    one_directional = replace(model.encoder, size=model.encoder.width)
    models = {
        str(direction): replace(model, encoder=replace(one_directional, direction=direction))
        for direction in (Direction.forward, Direction.reversed)
    }
    return models | {str(model.encoder.direction): model}


def _of_width(model: ModelConfig, width: int, run: Path, decoder: bool) -> ModelConfig:
    """Set the width of the context vector; scale the decoder too if asked to or if the model requires it."""
    encoder = model.encoder
    directions = model.context_width // encoder.size
    if width % directions:
        raise ConfigError(
            f"sweep.widths has {width}, which is not a multiple of {directions} as the context width of {run} must be: "
            f"use {width + directions - width % directions}"
        )
    scaled = decoder or model.bridge is BridgeKind.copy or model.attention is AttentionKind.dot
    size = max(1, round(model.decoder.size * width / model.context_width)) if scaled else model.decoder.size
    return replace(model, encoder=replace(encoder, size=width // directions), decoder=replace(model.decoder, size=size))
