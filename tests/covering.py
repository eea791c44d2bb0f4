"""Pairwise testing of training settings: the tested values, and rows that cover all compatible pairs.

A level is a value of one setting, or values of several settings that depend on each other: ``{"optimizer": "sgd",
"optimizer.momentum": 0.9}``. A row combines levels. A row is legal if
`TrainConfig.check` and `refuse_ignored` accept it.
"""

import copy
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum
from itertools import combinations
from random import Random
from typing import Any, get_args

from seq2seq.config.ignored_settings import refuse_ignored
from seq2seq.config.recipes import TrainConfig
from seq2seq.config.schemas import CHOICES
from seq2seq.errors import ConfigError
from seq2seq.settings import walk

Level = dict[str, Any]
Row = dict[str, Level]
"""One level of each factor."""

BASE: Level = {
    "model": "attention",
    "model.attention": "none",
    "data.builtin.train_size": 24,
    "data.builtin.validation_size": 4,
    "data.builtin.test_size": 4,
    "tokenizer.size": 340,
    "model.embedding_size": 8,
    "model.encoder.size": 6,
    "model.decoder.size": 12,
    "batch.tokens": 100,
    "schedule.warmup": 1,
    "training.updates": 2,
    "search.beam_size": 2,
}
LANGUAGE_MODEL = {"model.encoder.layers": 0, "model.bridge": "zero", "training.criterion": "loss"}
LANGUAGE_MODEL |= {"model.encoder.size": 256, "search.beam_size": 5}
VALUES: dict[str, list[Any]] = {
    "seed": [0, 7], "data.source_tag": ["<2de>"], "data.weight": [0.5, 3.0], "data.builtin.seed": [2],
    "data.filters.max_length": [30, 1000], "data.workers": [1],
    "tokenizer.size": [310, 600], "tokenizer.target_size": [310, 400], "tokenizer.tags": [["<x>"]],
    "tokenizer.placeholders": [["printf"], ["numbers", "tags"]],
    "tokenizer.target_algorithm": ["bpe", "word", "char"], "tokenizer.sampling": [0.1, 0.5],
    "tokenizer.sampling_until": [0.5],
    "tokenizer.character_coverage": [0.98], "tokenizer.training_sentences": [20],
    "model.embedding_size": [2, 12], "model.encoder.layers": [2, 3], "model.encoder.size": [4, 12],
    "model.encoder.residual_from": [2, 3], "model.decoder.layers": [2, 3], "model.decoder.size": [4, 24],
    "model.decoder.residual_from": [2], "model.decoder.readout_size": [3, 16], "model.attention_heads": [2, 3],
    "model.attention_size": [6, 12], "model.attention_window": [1, 50], "model.dropout": [0.0, 0.5],
    "model.recurrent_dropout": [0.3], "model.word_dropout": [0.3], "model.initial_range": [0.01, 1.0],
    "model.forget_bias": [-1.0, 3.0], "model.embedding_range": [0.01, 1.0], "batch.tokens": [40, 300],
    "batch.pool": [1, 1000],
    "loss.label_smoothing": [0.0, 0.9], "loss.consistency": [0.5, 5.0], "loss.simcut": [0.5, 3.0],
    "loss.cutoff": [0.5], "loss.cutoff_span": [3], "loss.guided_attention": [0.5, 2.0], "loss.guided_until": [0.1, 1.0],
    "loss.bag_of_words": [0.5, 2.0], "loss.bag_until": [0.1, 0.5],
    "scheduled_sampling.rate": [0.3, 1.0],
    "scheduled_sampling.updates": [1], "risk.weight": [0.5, 1.0], "risk.samples": [2, 3],
    "risk.temperature": [0.3, 3.0], "risk.max_length_ratio": [0.0, 3.0], "risk.max_length_offset": [1, 20],
    "risk.sharpness": [0.001, 1.0],
    "schedule.warmup": [0, 2], "training.accumulate": [2], "training.bidirectional": [0.5, 1.0],
    "training.curriculum": [0.5, 1.0], "training.curriculum_start": [0.1, 0.9], "training.clip": [None, 0.01],
    "training.validate_every": [1, 100], "training.patience": [1, 9], "training.average_count": [1, 2],
    "training.ema": [0.5, 0.999], "training.self_distillation": [0.3, 2.0],
    "training.save_minutes": [0.0, None], "training.log_every": [1, 100],
    "training.device": ["cpu"], "training.threads": [1], "search.beam_size": [1, 3], "search.n_best": [2, 3],
    "search.length_penalty": [0.0, 2.0], "search.max_length_ratio": [0.0, 3.0], "search.max_length_offset": [1, 20],
    "search.groups": [1, 2],
    "search.no_repeat_ngram": [1, 3], "search.repetition_penalty": [1.2, 5.0],
    "search.diversity_strength": [0.0, 2.0], "search.temperature": [0.2, 5.0], "search.top_k": [1, 3],
    "search.top_p": [0.1, 0.9], "search.seed": [0, 9], "search.samples": [1, 4], "shortlist.translations": [1, 50],
    "shortlist.frequent": [0, 500], "shortlist.pairs": [1, 50],
}  # fmt: skip
"""Low and high values of settings that are neither enums nor booleans."""
CHOSEN: dict[str, list[Level]] = {
    "optimizer": [
        *({"optimizer": name} for name in CHOICES["optimizer"]),
        {"optimizer": "adam", "optimizer.learning_rate": 1e-5},
        {"optimizer": "adam", "optimizer.beta1": 0.0, "optimizer.beta2": 0.5},
        {"optimizer": "adam", "optimizer.epsilon": 0.1},
        {"optimizer": "adamw", "optimizer.weight_decay": 0.5},
        {"optimizer": "adadelta", "optimizer.rho": 0.1},
        {"optimizer": "sgd", "optimizer.learning_rate": 0.1, "optimizer.momentum": 0.9},
    ],
    "schedule": [
        *({"schedule": name} for name in CHOICES["schedule"]),
        {"schedule": "cosine", "schedule.floor": 0.5},
        {"schedule": "exponential", "schedule.start": 1, "schedule.end": 2, "schedule.floor": 0.5},
        {"schedule": "halving", "schedule.start": 1, "schedule.interval": 1},
        {"schedule": "plateau", "schedule.decay": 0.1, "schedule.patience": 9, "schedule.smallest": 0.5},
    ],
    "language model": [LANGUAGE_MODEL],
    "data.filters.max_ratio": [  # ratio of token counts: between words and characters a low value drops every pair
        {"data.filters.max_ratio": 1.1, "tokenizer.algorithm": "unigram", "tokenizer.target_algorithm": None},
        {"data.filters.max_ratio": 100.0},
    ],
}
LEFT_OUT = {
    "run": "where it is kept", "licence": "a name", "training.samples": "shows text: test_samples",
    "data.file": "needs a file", "data.split": "needs a file", "data.split_seed": "needs a file",
    "data.source_language": "a name", "data.target_language": "a name", "data.source_column": "needs a file",
    "data.format": "needs a file", "data.encoding": "needs a file",
    "data.target_column": "needs a file", "data.more": "needs files", "data.cache": "a folder",
    "data.builtin.train_size": "in BASE", "data.builtin.validation_size": "in BASE",
    "data.builtin.test_size": "in BASE", "tokenizer.source_model": "needs a file",
    "tokenizer.target_model": "needs a file",
    "embeddings.source": "needs a file", "embeddings.target": "needs a file", "training.updates": "in BASE",
    "training.start": "needs a run", "training.start_vocabulary": "needs a run",
    "training.epochs": "depends on the number of batches: test_epochs",
    "data.overfit": "shortens the text: test_presets",
    **{f"training.{name}": "depends on the machine: test_duration" for name in ("time", "time_limit")},
    **{f"auto.{name}": "needs own text: test_choice" for name in ("choose", "yours")},
    "training.smaller": "a name in advice", "optimizer.learning_rate": "in CHOSEN",
    **{f"data.{split}.{name}": "needs files" for split in ("train", "validation", "test")
       for name in ("source", "target", "file", "hub_split", "source_column", "target_column")},
    **{f"data.hub.{name}": "needs the hub" for name in ("name", "subset", "revision", "streaming")},
}  # fmt: skip


def factors() -> dict[str, list[Level]]:
    """Return the levels of every setting by name, with all members of enums and both booleans."""
    result = dict(CHOSEN)
    for name, _, value in walk(TrainConfig()):
        if name in LEFT_OUT or name in result:
            continue
        values = VALUES.get(name)
        if values is None:
            values = [True, False] if isinstance(value, bool) else [str(word) for word in type(value)]
            assert isinstance(value, bool | Enum), f"tests/covering.py has no value for {name}"
        result[name] = [{name: one} for one in values]
    return result


def overrides(settings: Level) -> list[str]:
    """Return the settings as command-line overrides, groups before their fields."""

    def typed(value: Any) -> str:
        if isinstance(value, list):
            return f"[{','.join(map(typed, value))}]"
        if value is None or isinstance(value, bool):
            return {None: "null", True: "true", False: "false"}[value]
        return f"'{value}'" if "<" in str(value) else str(value)

    return [f"{name}={typed(settings[name])}" for name in sorted(settings, key=lambda name: name.count(".") > 0)]


def merged(row: Row) -> Level | None:
    """Return all settings of a row, or None if two of its levels contradict each other."""
    settings: Level = {}
    for level in row.values():
        if any(settings.get(name, value) != value for name, value in level.items()):
            return None
        settings |= level
    return BASE | settings


def refusal(base: TrainConfig, row: Row) -> str | None:
    """Return the error message for a row, or None for a legal row."""
    settings = merged(row)
    if settings is None:
        return "two of its levels contradict each other"
    config = _copied(base)
    for name in sorted(settings, key=lambda name: name.count(".") > 0):
        if name != "model":  # set in BASE
            _set(config, name, settings[name])
    return error_of(config)


def _copied(config: Any) -> Any:
    """Return a copy of a config, faster than `copy.deepcopy`."""
    copied = copy.copy(config)
    for item in fields(config):
        value = getattr(config, item.name)
        if is_dataclass(value):
            setattr(copied, item.name, _copied(value))
    return copied


def error_of(config: TrainConfig) -> str | None:
    """Return the error message of recipes/train.py for settings, or None if they are valid."""
    try:
        config.check()
        refuse_ignored(config)
    except ConfigError as error:
        return str(error)
    return None


def _set(config: TrainConfig, name: str, value: Any) -> None:
    if name in CHOICES:
        warmup = {"warmup": BASE["schedule.warmup"]} if name == "schedule" else {}
        setattr(config, name, CHOICES[name][value](**warmup))
        return
    *parents, last = name.split(".")
    place: Any = config
    for parent in parents:
        place = getattr(place, parent)
    kind = type(place).__dataclass_fields__[last].type
    [enum] = [one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, Enum)] or [None]
    if enum and value is not None:
        value = [enum(part) for part in value] if isinstance(value, list) else enum(value)
    setattr(place, last, value)


Pair = frozenset[tuple[str, int]]


class Covering:
    """Rows that cover every compatible pair of levels (greedy algorithm of Cohen et al. 1997).

    Many settings have an effect only with another setting. ``company`` returns the levels that make a level legal. A
    pair is compatible if it is legal with some company of both levels.
    """

    def __init__(self, base: TrainConfig, seed: int = 1) -> None:
        self.base, self.random, self.factors = base, Random(seed), factors()
        self.levels = [(name, number) for name, levels in self.factors.items() for number in range(len(levels))]
        self.legal_rows: dict[frozenset[tuple[str, int]], bool] = {}
        self.companies: dict[tuple[str, int], list[tuple[tuple[str, int], ...]]] = {}

    def row(self, *levels: tuple[str, int]) -> Row:
        return {name: self.factors[name][number] for name, number in levels}

    def legal(self, *levels: tuple[str, int]) -> bool:
        if len({name for name, _ in levels}) < len({*levels}):
            return False
        key = frozenset(levels)
        if key not in self.legal_rows:
            self.legal_rows[key] = refusal(self.base, self.row(*levels)) is None
        return self.legal_rows[key]

    def company(self, level: tuple[str, int]) -> list[tuple[tuple[str, int], ...]]:
        """Return ``[()]`` if the level is legal alone, or else each single level that makes it legal."""
        if level not in self.companies:
            others = [(other,) for other in self.levels if other[0] != level[0] and self.legal(level, other)]
            self.companies[level] = [()] if self.legal(level) else others
        return self.companies[level]

    def seed_of(self, one: tuple[str, int], other: tuple[str, int]) -> tuple[tuple[str, int], ...] | None:
        """Return the pair with the smallest company that makes it legal, or None if there is none."""
        for mine in self.company(one)[:12]:
            for others in self.company(other)[:12]:
                levels = tuple(dict.fromkeys([one, other, *mine, *others]))
                if self.legal(*levels):
                    return levels
        return None

    def rows(self) -> Iterator[list[tuple[str, int]]]:
        """Yield the levels of each row until all compatible pairs are covered."""
        pairs = [frozenset(pair) for pair in combinations(self.levels, 2) if pair[0][0] != pair[1][0]]
        self.random.shuffle(pairs)
        uncovered = dict.fromkeys(pairs)
        while uncovered:
            seed = self.seed_of(*sorted(next(iter(uncovered))))
            if seed is None:
                del uncovered[next(iter(uncovered))]
                continue
            chosen = list(seed)
            for name in self.random.sample(list(self.factors), len(self.factors)):
                if name in {taken for taken, _ in chosen}:
                    continue
                gains = {
                    (name, number): sum(frozenset([(name, number), other]) in uncovered for other in chosen)
                    for number in range(len(self.factors[name]))
                }
                best = sorted((level for level in gains if gains[level]), key=lambda level: -gains[level])
                chosen += [level for level in best if refusal(self.base, self.row(*chosen, level)) is None][:1]
            for pair in combinations(chosen, 2):
                uncovered.pop(frozenset(pair), None)
            yield chosen
