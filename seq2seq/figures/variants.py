"""Runs like another one but for a single choice, trained in folders of their own: what a figure's comparison needs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from seq2seq.config.recipes import TrainConfig
from seq2seq.errors import ConfigError, RunError
from seq2seq.figures.config import Figure, SweepConfig
from seq2seq.model import AttentionKind, BridgeKind, Direction, ModelConfig
from seq2seq.run.folder import CONFIG, FROZEN, MODEL, RunFolder
from seq2seq.run.resume import CHOICES
from seq2seq.settings import validate
from seq2seq.system.atomic import atomic_write
from seq2seq.system.lock import locked
from seq2seq.training import OptimizerConfig, ScheduleConfig

FINISHED = "finished.yaml"
"""In a sibling's folder: the settings that it was trained with to the end."""

Choice = TypeVar("Choice")

Train = Callable[[TrainConfig, Path], object]
"""Trains in a folder, or goes on there: that of recipes/train.py."""


@dataclass(frozen=True)
class Sibling:
    """A run that is to be compared."""

    name: str
    """What it is, such as ``width 64``."""
    folder: Path
    config: TrainConfig | None
    """What it is trained with; None for the run itself."""


def settings_of(run: Path) -> TrainConfig:
    """All settings that a run was made with.

    Raises:
        RunError: there is no run in the folder, or its settings are not usable.
    """
    values = dict(RunFolder.open(run).settings)
    chosen = values.pop(CHOICES, None) or {}
    values.pop(FROZEN, None)
    try:
        schema = TrainConfig(
            optimizer=_named(OptimizerConfig, chosen.get("optimizer"))(),
            schedule=_named(ScheduleConfig, chosen.get("schedule"))(),
        )
        config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), values))
    except (OmegaConfBaseException, ValueError, TypeError, AttributeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunError(f"{run / CONFIG} is not usable ({reason}): restore it or train anew") from None
    assert isinstance(config, TrainConfig)
    validate(config)
    return config


def siblings(figure: Figure, run: Path, folder: Path, sweep: SweepConfig, device: str) -> list[Sibling]:
    """The runs that a figure compares, each in a folder of its own below ``folder``; one may be the run itself.

    They have the run's vocabulary, its data, its seed and all of its settings but the one.

    Raises:
        RunError: the run's settings are not usable, or it began with another run's weights.
        ConfigError: what is to be changed contradicts the rest of the run's settings; the run is a language model.
    """
    config = settings_of(run)
    if not config.translates:
        raise ConfigError(f"{run} is a language model, which has no encoder to change: name a translator with run=PATH")
    if config.training.start is not None:
        raise RunError(
            f"{run} began with the weights of {config.training.start} (training.start), and no other architecture can: "
            f"name a run that began from nothing with run=PATH"
        )
    found = []
    for name, model in _models(figure, config.model, run, sweep).items():
        training = replace(config.training, updates=sweep.updates or config.training.updates)
        if (model, training) == (config.model, config.training) and (run / MODEL).exists():
            found.append(Sibling(name, run, None))
            continue
        place = folder / name.replace(" ", "-")
        changed = replace(config, run=str(place), model=model, training=replace(training, device=device))
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
        found.append(Sibling(name, place, changed))
    return found


def train_sibling(sibling: Sibling, train: Train) -> None:
    """Train one to its end, from where it was stopped; nothing is done for one that is finished.

    Raises:
        RunError: the folder holds a run with other settings.
    """
    if sibling.config is None:
        return
    told = OmegaConf.to_yaml(OmegaConf.structured(sibling.config))
    marker = sibling.folder / FINISHED
    if marker.exists() and marker.read_text(encoding="utf-8") == told and (sibling.folder / MODEL).exists():
        return
    with locked(sibling.folder):
        train(sibling.config, sibling.folder)
    with atomic_write(marker) as temporary:
        temporary.write_text(told, encoding="utf-8")


def _named(base: type[Choice], name: str | None) -> type[Choice]:
    """The class of that name among a choice's; the choice's own where none is named."""
    return next((kind for kind in _below(base) if kind.__name__ == name), base)


def _below(kind: type[Choice]) -> list[type[Choice]]:
    nearest: list[type[Choice]] = kind.__subclasses__()
    return [one for below in nearest for one in (below, *_below(below))]


def _models(figure: Figure, model: ModelConfig, run: Path, sweep: SweepConfig) -> dict[str, ModelConfig]:
    if figure is Figure.attention:
        return _with_and_without_attention(model)
    if figure is Figure.reversal:
        return _directions(model)
    if figure is Figure.width:
        return {f"width {width}": _of_width(model, width, run, sweep.decoder) for width in sweep.widths}
    raise ConfigError(f"figure {figure} compares the runs that are named: it trains none")


def _with_and_without_attention(model: ModelConfig) -> dict[str, ModelConfig]:
    """With attention as conf/model/attention.yaml has it, without as conf/model/context.yaml has it."""
    fed = replace(model.decoder, feed_context=True, input_feeding=False)
    without = replace(
        model,
        attention=AttentionKind.none,
        attention_heads=1,
        attention_size=None,
        attention_window=None,
        coverage=False,
        decoder=fed,
    )
    attends = replace(model, attention=AttentionKind.general, decoder=replace(model.decoder, feed_context=False))
    if model.attention is AttentionKind.none:
        return {"one context vector": model, f"{attends.attention} attention": attends}
    return {"one context vector": without, f"{model.attention} attention": model}


def _directions(model: ModelConfig) -> dict[str, ModelConfig]:
    """Reading forward and reversed, with a context vector as wide as the run's; and the run's own direction."""
    one_way = replace(model.encoder, size=model.encoder.width)
    found = {
        str(direction): replace(model, encoder=replace(one_way, direction=direction))
        for direction in (Direction.forward, Direction.reversed)
    }
    return found | {str(model.encoder.direction): model}


def _of_width(model: ModelConfig, width: int, run: Path, decoder: bool) -> ModelConfig:
    """The model with a context vector of so many numbers; the decoder's size follows where it must, or is asked to."""
    encoder = model.encoder
    ways = model.context_width // encoder.size
    if width % ways:
        raise ConfigError(
            f"sweep.widths has {width}, and the context of {run} has a width that {ways} divides: "
            f"name {width + ways - width % ways}"
        )
    follows = decoder or model.bridge is BridgeKind.copy or model.attention is AttentionKind.dot
    size = max(1, round(model.decoder.size * width / model.context_width)) if follows else model.decoder.size
    return replace(model, encoder=replace(encoder, size=width // ways), decoder=replace(model.decoder, size=size))
