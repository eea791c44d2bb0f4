"""The rules of ``experiment=auto``: numbers in tables, then one function per kind of choice, in order.

They start from systems for few sentence pairs: Sennrich & Zhang (2019, ACL) for recurrent networks, and Araabi & Monz
(2020, COLING) for the size of vocabularies and regularization. The point from which other sizes are scaled has 14,000
pairs; figures are in recipes/RESULTS.md. Every rule is a function of the counts of the training text and of settings
that are chosen already, so that the same text gives the same choices on every machine.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from seq2seq.auto.statistics import COVERED, Statistics
from seq2seq.corpora.copied_words import POINTER_FROM
from seq2seq.corpora.filters import FilterConfig

Steps = dict[float, Any]
"""A value for each number of training pairs: the first whose key is at least that number."""

MORE = math.inf
"""The last key of `Steps`."""

# ---- Numbers by training pairs -----------------------------------------------------------------------------------

VOCABULARY: Steps = {3_000: 2000, 25_000: 5000, 60_000: 8000, 200_000: 10_000, MORE: 16_000}
"""Tokens of a vocabulary. Sennrich & Zhang: 2,000 for the smallest; Araabi & Monz: 5,000 to 12,000 up to 80,000."""

WIDTH: Steps = {3_000: 192, MORE: 256}
"""Embeddings, and encoder units per direction; the decoder has twice as many. An hour (`TIME_LIMIT`) is too short for
larger networks, however many pairs there are."""

DECODER_LAYERS: Steps = {20_000: 1, 100_000: 2, MORE: 1}
"""Of very many pairs an hour has few passes, and more updates of one layer learn more than fewer of two."""

DROPOUT: Steps = {25_000: 0.4, 100_000: 0.3, 500_000: 0.2, MORE: 0.1}
"""Sennrich & Zhang: 0.5 for 5,000 pairs, with networks of four times this width."""

GUIDED_ATTENTION: Steps = {50_000: 1.0, MORE: 0.0}
"""Weight of the links of IBM Model 1 at first (Chen et al. 2016): attention finds words sooner."""

BATCH: Steps = {10_000: 1024, 300_000: 2048, MORE: 4096}
"""Tokens per batch. Sennrich & Zhang: 1,000 for few pairs."""

# ---- Other numbers -----------------------------------------------------------------------------------------------

WORD_DROPOUT, BPE_DROPOUT, LABEL_SMOOTHING = 0.0, 0.0, 0.1
"""Sennrich & Zhang (2019) and Provilkov et al. (2020) have more, and train for longer than an hour."""

TOKENS_PER_CHARACTER = 2
"""A vocabulary has at least so many tokens per character of its alphabet, so that there are words in it."""

LARGEST_VOCABULARY = 32_000

SPECIAL = 260
"""Special tokens and bytes, which every vocabulary has."""

LONGEST_SENTENCE = 1000
"""Tokens of the longest sentences that are trained on, if many are longer than the default."""

MOST_CHARACTERS = 1000
"""Rare characters of a larger alphabet are spelled in bytes."""

PASSES = 50, 14_000
"""Passes through so many pairs; fewer through more, by the square root."""

FEWEST_UPDATES, MOST_UPDATES = 1_500, 30_000
VALIDATIONS = 12
PATIENCE = 6
FLOOR = 0.02
WARMUP = 200
TIME_LIMIT = "1h"


class Choice(NamedTuple):
    """A setting that is chosen."""

    name: str
    value: Any
    reason: str


Settings = Mapping[str, Any]
"""Every setting by dotted path: the user's, those chosen before, and defaults."""

Rule = Callable[[Statistics, Settings], Iterator[Choice]]


def by_pairs(table: Steps, pairs: int) -> Any:
    """The value of a table for this number of training pairs."""
    return next(value for limit, value in table.items() if pairs <= limit)


def vocabulary(text: Statistics, chosen: Settings) -> Iterator[Choice]:
    """Algorithm, size and number of vocabularies, and random segmentation."""
    if _is_trained(chosen):
        return
    yield Choice("tokenizer.algorithm", "bpe", "frequent words stay whole, rare ones are spelled in parts")
    scripts = " and ".join(dict.fromkeys(side.script.title() for side in (text.source, text.target)))
    yield Choice("tokenizer.joint", text.same_script or text.copied >= POINTER_FROM, f"written in {scripts} script")


def _is_trained(chosen: Settings) -> bool:
    """Whether a trained vocabulary is named."""
    return any(chosen[f"tokenizer.{side}_model"] is not None for side in ("source", "target"))


def vocabulary_size(text: Statistics, chosen: Settings) -> Iterator[Choice]:
    """The size of each vocabulary, and characters that are spelled in bytes."""
    if chosen["tokenizer.algorithm"] == "word" or _is_trained(chosen):
        return
    sides = {"size": text} if chosen["tokenizer.joint"] else {"size": text.source, "target_size": text.target}
    least = by_pairs(VOCABULARY, text.pairs)
    for name, side in sides.items():
        needed = -(-TOKENS_PER_CHARACTER * side.alphabet // 1000) * 1000
        size = max(least, min(needed, LARGEST_VOCABULARY), side.alphabet + SPECIAL)
        reason = (
            f"{text.pairs:,} pairs: rare tokens are not learned from so few"
            if size == least
            else (f"{side.alphabet:,} characters need as many tokens, and words some more")
        )
        yield Choice(f"tokenizer.{name}", size, reason)
    if max(side.all_characters for side in sides.values()) > MOST_CHARACTERS:
        reason = f"{text.all_characters:,} different characters: the rarest are spelled in bytes"
        yield Choice("tokenizer.character_coverage", COVERED, reason)


def segmentation(text: Statistics, chosen: Settings) -> Iterator[Choice]:
    """Random segmentation in training."""
    if chosen["tokenizer.algorithm"] == "bpe" and chosen["tokenizer.target_algorithm"] in (None, "bpe"):
        yield Choice("tokenizer.sampling", BPE_DROPOUT, "BPE-dropout needs more updates than an hour has")


def lengths(text: Statistics, chosen: Settings) -> Iterator[Choice]:
    """Longer pairs than the default, if more than one in 20 would be dropped for it."""
    default = FilterConfig().max_length
    if text.longest_tokens > default:
        needed = -(-1.25 * text.longest_tokens // 100) * 100
        reason = f"one pair in 20 has more than about {text.longest_tokens:,.0f} tokens, and shorter ones train better"
        yield Choice("data.filters.max_length", int(min(needed, LONGEST_SENTENCE)), reason)


def network(text: Statistics, chosen: Settings) -> Iterator[Choice]:
    """Widths, depth and shared tables."""
    width, layers = by_pairs(WIDTH, text.pairs), by_pairs(DECODER_LAYERS, text.pairs)
    pays = "pays" if layers > 1 else "does not pay"
    yield Choice("model.embedding_size", width, "a larger network needs more than an hour")
    yield Choice("model.encoder.size", width, "as wide as the embeddings, in each direction")
    yield Choice("model.decoder.size", 2 * width, "as wide as both directions of the encoder")
    yield Choice("model.encoder.layers", 1, "a second layer needs more than an hour")
    yield Choice("model.decoder.layers", layers, f"{text.pairs:,} pairs: a second layer {pays} within an hour")
    joint = chosen["tokenizer.joint"]
    kind = "one table for a joint vocabulary" if joint else "one table for the target's input and output"
    yield Choice("model.tying", "all" if joint else "output", f"{kind}: fewer weights to learn")


def copying(text: Statistics, chosen: Settings) -> Iterator[Choice]:
    """The pointer, where the model has attention."""
    if "model.copy" not in chosen or chosen["model.attention"] == "none":
        return
    points = text.copied >= POINTER_FROM and chosen["tokenizer.joint"]
    reason = f"{text.copied:.0%} of the target's words stand in the source, the pointer pays from {POINTER_FROM:.0%}"
    yield Choice("model.copy", "pointer" if points else "none", reason)


def regularization(text: Statistics, chosen: Settings) -> Iterator[Choice]:
    """Dropout of units and words, label smoothing."""
    rate = by_pairs(DROPOUT, text.pairs)
    yield Choice("model.dropout", rate, f"{text.pairs:,} pairs: fewer need more (Sennrich & Zhang 2019)")
    yield Choice("model.word_dropout", WORD_DROPOUT, "dropout of units helped more")
    yield Choice("loss.label_smoothing", LABEL_SMOOTHING, "the usual value")


def guided_attention(text: Statistics, chosen: Settings) -> Iterator[Choice]:
    """Guided attention, where there are few pairs."""
    used = chosen["model.attention"] != "none" and chosen["risk.weight"] < 1
    if (guided := by_pairs(GUIDED_ATTENTION, text.pairs)) and used:
        yield Choice("loss.guided_attention", guided, f"{text.pairs:,} pairs: a word aligner shows where to look")


def updates(text: Statistics, chosen: Settings) -> Iterator[Choice]:
    """Batches, and the length of training."""
    yield Choice("batch.tokens", by_pairs(BATCH, text.pairs), "small batches make more updates of few pairs")
    batch = chosen["batch.tokens"]
    passes = PASSES[0] * math.sqrt(PASSES[1] / max(1, text.pairs))
    wanted = passes * text.pairs * text.tokens_per_pair / batch / chosen["training.accumulate"]
    fewest = -(-FEWEST_UPDATES // VALIDATIONS // 10) * 10
    every = max(fewest, round(min(MOST_UPDATES, wanted) / VALIDATIONS / 10) * 10)
    if chosen["training.time"] is not None:
        yield Choice("training.updates", every * VALIDATIONS, f"training.time={chosen['training.time']} replaces it")
        return
    most = every * VALIDATIONS * chosen["training.accumulate"]  # an epoch has at least one batch
    made = every * VALIDATIONS * batch * chosen["training.accumulate"] / max(1, text.pairs * text.tokens_per_pair)
    yield Choice(
        "training.updates", every * VALIDATIONS, f"about {min(made, most):,.0f} passes through {text.pairs:,} pairs"
    )
    yield Choice("training.time_limit", TIME_LIMIT, "fewer updates if this machine needs longer")


def during_training(text: Statistics, chosen: Settings) -> Iterator[Choice]:
    """Warm-up, validations and the selection of the model."""
    total = chosen["training.updates"]
    yield Choice("schedule.floor", FLOOR, "the last updates have a low rate")
    yield Choice("schedule.warmup", min(WARMUP, max(1, total // 10)), "attention needs some updates at a low rate")
    yield Choice("training.validate_every", max(1, total // VALIDATIONS), f"{VALIDATIONS} validations")
    yield Choice("training.patience", PATIENCE, "half of the validations without a better one")
    unspaced = not text.target.spaced
    reason = "the target has no spaces, and BLEU counts words" if unspaced else "steadier than BLEU where BLEU is low"
    yield Choice("training.criterion", "chrf", reason)


RULES: tuple[Rule, ...] = (
    *(vocabulary, vocabulary_size, segmentation, lengths, network, copying, regularization, guided_attention),
    *(updates, during_training),
)
"""All rules. Each sees the choices of those before it."""


def choose(text: Statistics, settings: Settings, yours: Callable[[str], bool] = lambda name: False) -> list[Choice]:
    """Choose settings for a training text.

    Args:
        text: its counts.
        settings: every setting by dotted path, as composed.
        yours: whether the user has set a setting, which then keeps its value.

    Returns:
        The choices in order. The reason of the user's own settings is `YOURS`.
    """
    chosen, choices = dict(settings), []
    for rule in RULES:
        for choice in rule(text, chosen):
            if choice.name not in chosen or (choice.name == "training.time_limit" and yours("training.updates")):
                continue  # a setting of another optimizer or schedule; a limit to the user's own number of updates
            if yours(choice.name):
                choice = choice._replace(value=chosen[choice.name], reason=YOURS)
            chosen[choice.name] = choice.value
            choices.append(choice)
    return choices


YOURS = "yours"
"""The reason of a setting that the user has set."""
