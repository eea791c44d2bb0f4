"""Refuse settings that would have no effect, before a run begins.

A setting counts as set if its value is not the default. conf/README.md lists exceptions that presets need
(`data.builtin`, and settings that a trained vocabulary replaces).
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

from seq2seq.config.recipes import TrainConfig
from seq2seq.corpora.config import DataConfig
from seq2seq.errors import ConfigError
from seq2seq.model import AttentionKind, BridgeKind, ModelConfig
from seq2seq.model.choices import Initialization
from seq2seq.settings import override_value, walk
from seq2seq.training.config import Average, RiskKind


class Condition(NamedTuple):
    """A condition under which settings have no effect."""

    settings: tuple[str, ...]
    """Dotted paths; a path that ends in a dot stands for its whole section."""
    holds: bool
    why: str
    instead: str
    """The setting that gives them an effect."""


def refuse_ignored(config: TrainConfig) -> None:
    """Refuse settings that are set and have no effect.

    Raises:
        ConfigError: names the first setting, the reason, and what to set.
    """
    _refuse(config, _conditions(config))


def refuse_ignored_data(config: Any) -> None:
    """Refuse settings in the section ``data`` of any recipe that are set and have no effect.

    Raises:
        ConfigError: as `refuse_ignored`.
    """
    _refuse(config, _of_data(config.data))


def _refuse(config: Any, conditions: Iterable[Condition]) -> None:
    defaults = _defaults(type(config))  # type: ignore[arg-type]  # a class is hashable
    changed = {name: value for name, _, value in walk(config) if name in defaults and value != defaults[name]}
    for condition in (condition for condition in conditions if condition.holds):
        for name, value in changed.items():
            if any(_covers(setting, name) for setting in condition.settings):
                raise ConfigError(
                    f"{name}={override_value(value)} does nothing {condition.why}: set {condition.instead}, or "
                    f"{name}={override_value(defaults[name])}"
                )


@cache
def _defaults(schema: Callable[[], Any]) -> dict[str, object]:
    """The default of every setting of a recipe by dotted path."""
    return {name: value for name, _, value in walk(schema())}


def _covers(setting: str, name: str) -> bool:
    return name.startswith(setting) if setting.endswith(".") else name == setting


def _conditions(config: TrainConfig) -> Iterator[Condition]:
    if not config.translates:
        yield from _of_a_language_model()
    yield from _of_the_model(config.model)
    yield from _of_the_vocabulary(config)
    yield from _of_objectives(config)
    yield from _of_data(config.data)
    starts = ("embeddings.unfreeze", "training.start_vocabulary")
    yield Condition(starts, config.training.start is None, "without a start", "training.start=RUN")
    yield Condition(
        ("tokenizer.sample_target", "tokenizer.sampling_until"),
        config.tokenizer.sampling == 0,
        "without sampling",
        "tokenizer.sampling above 0",
    )
    yield Condition(
        ("training.curriculum_start",),
        config.training.curriculum == 0,
        "with training.curriculum=0",
        "training.curriculum above 0",
    )
    time = config.training.time
    yield Condition(("training.time_limit",), time is not None, f"with training.time={time}", "training.time=null")
    yield Condition(
        ("training.average_count",),
        config.training.average is Average.none,
        "with training.average=none",
        "training.average=best",
    )


def _of_a_language_model() -> Iterator[Condition]:
    encoder = tuple(f"model.encoder.{name}" for name in ("cell", "size", "direction", "residual_from"))
    source = ("model.summary", "model.bridge_shared")
    why = "in a language model (model.encoder.layers=0)"
    yield Condition(
        (*encoder, *source, "search.", "shortlist.", "training.samples"), True, why, "model.encoder.layers=1"
    )


def _of_the_model(model: ModelConfig) -> Iterator[Condition]:
    attends, starts_from_zero = model.attention is not AttentionKind.none, model.bridge is BridgeKind.zero
    cells = [part.cell for part in (model.encoder, model.decoder) if part.layers > 0]
    yield Condition(("model.attention_order",), not attends, "without attention", "model.attention=additive")
    yield Condition(
        ("model.summary",), attends and starts_from_zero, "with attention and model.bridge=zero", "model.bridge=tanh"
    )
    yield Condition(("model.bridge_shared",), starts_from_zero, "with model.bridge=zero", "model.bridge=tanh")
    yield Condition(
        ("model.forget_bias",),
        not any(cell.traits.has_forget_gate for cell in cells),
        "in cells without a forget gate",
        "model.decoder.cell=lstm",
    )
    yield Condition(
        ("model.recurrent_dropout",),
        not any(cell.traits.has_recurrent_weights for cell in cells),
        "in cells without recurrent weights",
        "model.decoder.cell=lstm",
    )
    yield Condition(
        ("model.dropout_shared_over_time",), model.dropout == 0, "with model.dropout=0", "model.dropout above 0"
    )


def _of_the_vocabulary(config: TrainConfig) -> Iterator[Condition]:
    tokenizer = config.tokenizer
    models = tokenizer.source_model, tokenizer.target_model
    trained = any(models) if tokenizer.joint else all(models)
    yield Condition(
        ("tokenizer.character_coverage", "tokenizer.training_sentences"),
        trained,
        "with a trained vocabulary",
        "tokenizer.source_model=null tokenizer.target_model=null",
    )
    drawn = config.model.initialization is not Initialization.uniform and config.model.embedding_range is not None
    yield Condition(
        ("model.initial_range",),
        drawn,
        f"with model.initialization={config.model.initialization} and model.embedding_range",
        "model.initialization=uniform",
    )


def _of_objectives(config: TrainConfig) -> Iterator[Condition]:
    model, risk, rate = config.model, config.risk, config.scheduled_sampling.rate
    drops = max(model.dropout, model.recurrent_dropout, model.word_dropout) > 0
    yield Condition(("loss.consistency",), not drops, "without dropout: both passes are equal", "model.dropout above 0")
    no_attention = model.attention is AttentionKind.none
    yield Condition(("loss.guided_attention",), no_attention, "without attention", "model.attention=general")
    unguided = config.loss.guided_attention == 0
    yield Condition(("loss.guided_until",), unguided, "with loss.guided_attention=0", "loss.guided_attention above 0")
    unbagged = config.loss.bag_of_words == 0
    yield Condition(("loss.bag_until",), unbagged, "with loss.bag_of_words=0", "loss.bag_of_words above 0")
    uncut = config.loss.simcut == 0
    yield Condition(("loss.cutoff", "loss.cutoff_span"), uncut, "with loss.simcut=0", "loss.simcut above 0")
    alone = config.training.ema is None
    yield Condition(("training.self_distillation",), alone, "without a moving average", "training.ema=0.999")
    settings = ("kind", "metric", "samples", "temperature", "max_length_ratio", "max_length_offset", "sharpness")
    names = tuple(f"risk.{name}" for name in (*settings, "reference"))
    yield Condition(names, risk.weight == 0, "with risk.weight=0", "risk.weight above 0")
    yield Condition(
        ("risk.sharpness", "risk.reference"),
        risk.kind is RiskKind.reinforce,
        "with risk.kind=reinforce",
        "risk.kind=minimum_risk",
    )
    losses = ("consistency", "simcut", "cutoff", "cutoff_span")
    auxiliary = ("guided_attention", "guided_until", "bag_of_words", "bag_until")
    yield Condition(
        (*(f"loss.{name}" for name in losses + auxiliary), "scheduled_sampling."),
        risk.weight == 1,
        "with risk.weight=1: other objectives have weight 0",
        "risk.weight below 1",
    )
    sampling = tuple(f"scheduled_sampling.{name}" for name in ("schedule", "updates", "prediction", "passes"))
    yield Condition(sampling, rate == 0, "with scheduled_sampling.rate=0", "scheduled_sampling.rate above 0")


def _of_data(data: DataConfig) -> Iterator[Condition]:
    hub = [f"data.hub.{name}" for name in ("subset", "revision", "streaming")]
    hub += [f"data.{name}.hub_split" for name, split in data.splits.items() if split.hub_split is not None]
    yield Condition(tuple(hub), data.hub.name is None, "without a data set of the hub", "data.hub.name=NAME")
    yield Condition(("data.split", "data.split_seed"), data.file is None, "without data.file", "data.file=FILE")
    parts = [*data.splits.values(), *data.more]
    named = data.file is not None or any(part.names_text for part in parts)
    yield Condition(("data.format", "data.encoding"), not named, "without files", "data.file=FILE")
    columns = any(name is not None for name in (data.hub.name, data.file, *(part.file for part in parts)))
    for name, split in data.splits.items():
        own = (f"data.{name}.source_column", f"data.{name}.target_column")
        yield Condition(own, split.file is None, "without a file with both sides", f"data.{name}.file=FILE")
    yield Condition(
        ("data.source_column", "data.target_column"), not columns, "without text in columns", "data.train.file=FILE"
    )
