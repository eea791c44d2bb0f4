"""Training vocabularies with SentencePiece (Kudo & Richardson 2018): joint or one per language, and cached."""

import hashlib
import io
import itertools
import logging
import math
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import sentencepiece

from seq2seq.corpora.corpus import Corpus, Pair, pairs_with_progress
from seq2seq.errors import ConfigError, DataError
from seq2seq.system.hub import local_folder
from seq2seq.system.lock import locked
from seq2seq.tokenizer.config import (
    SENTENCEPIECE_COVERAGE,
    SMALLEST,
    Algorithm,
    TokenizerConfig,
    check_tag,
    check_vocabulary,
)
from seq2seq.tokenizer.normalization import Normalization, normalize
from seq2seq.tokenizer.tokenizer import (
    BOS,
    EOS,
    PAD,
    UNK,
    Tokenizer,
    Tokenizers,
    has_tokenizers,
    load_tokenizers,
    save_tokenizers,
)

MAX_CHARACTERS = 1_000  # SentencePiece ignores sentences over 4,192 bytes, so longer ones are split

log = logging.getLogger("seq2seq")


UNCOVERED = "\x1f"
"""Stands for rare characters in training text: white space, which normalized text has only as spaces."""

SHARE_OF_CHARACTERS = 0.5
"""Share of a vocabulary for single characters in the ``character_coverage`` that a message proposes."""


def train_tokenizer(
    sentences: Iterable[str], config: TokenizerConfig, label: str, size_setting: str = "tokenizer.size"
) -> Tokenizer:
    """Train a vocabulary. The same sentences and settings give the same model, byte for byte.

    If the text supports fewer tokens than ``config.size``, the vocabulary is as large as possible and a warning is
    logged.

    Args:
        sentences: the text; ``training_sentences`` of them are sampled if there are more.
        config: the settings; ``joint``, the model files and the settings of the target are ignored.
        label: identifies the text in messages.
        size_setting: the setting that ``config.size`` is from, for messages.

    Raises:
        ConfigError: the size is too small for the bytes, or for the characters of the text.
        DataError: every sentence is blank.
    """
    check_vocabulary(config)
    model, text = io.BytesIO(), _sample(sentences, config.training_sentences)
    few = config.character_coverage < SENTENCEPIECE_COVERAGE
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=_covered(text, config) if few else _split(text, config.normalization),
            model_writer=model,
            model_type=config.algorithm.value,
            vocab_size=config.size,
            hard_vocab_limit=False,  # the size is an upper limit
            **({"pretokenization_delimiter": UNCOVERED} if few else {"character_coverage": config.character_coverage}),
            byte_fallback=config.algorithm is not Algorithm.word,
            unk_surface=" <unk> ",  # separated by spaces
            user_defined_symbols=list(config.tags),
            normalization_rule_name="identity",  # `normalize` is applied before
            remove_extra_whitespaces=False,
            unk_id=UNK,
            bos_id=BOS,
            eos_id=EOS,
            pad_id=PAD,
            num_threads=4,  # fixed: the result of unigram depends on it
            minloglevel=2,
        )
    except RuntimeError as error:
        raise _training_error(str(error), text, config, label, size_setting) from None
    tokenizer = Tokenizer.from_bytes(model.getvalue(), config.normalization)
    _report_smaller(tokenizer, config, label, size_setting)
    return tokenizer


def _report_smaller(tokenizer: Tokenizer, config: TokenizerConfig, label: str, size_setting: str) -> None:
    """Warn if the vocabulary is smaller than the settings ask for."""
    if tokenizer.size < config.size:
        used = f"{tokenizer.size:,} tokens"
        log.warning("%s=%d is more than %s supports; using %s", size_setting, config.size, label, used)


def _training_error(
    message: str, text: Sequence[str], config: TokenizerConfig, label: str, size_setting: str
) -> ConfigError | DataError:
    """The error for a message of SentencePiece."""
    if needed := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        counts = _character_counts(text, config.normalization)
        coverage = _fitting_coverage(counts, config)
        rare = f"tokenizer.character_coverage={coverage:g} (rarer ones are then spelled in bytes), or " * (coverage > 0)
        return ConfigError(
            f"{size_setting}={config.size} is too small for the {len(counts):,} different characters of {label}: set "
            f"{rare}{size_setting} to at least {needed[1]}"
        )
    if "sentences_.empty()" in message:
        return DataError(f"{label}: every sentence is blank, so no vocabulary can be trained")
    return DataError(f"no vocabulary can be trained on {label}: {' '.join(message.split())}; check the text")


def _character_counts(text: Iterable[str], normalization: Normalization) -> Counter[str]:
    """How often the text has each character, without spaces."""
    counts: Counter[str] = Counter()
    for segment in _split(text, normalization):
        counts.update(segment)
    del counts[" "]
    return counts


def _fitting_coverage(counts: Counter[str], config: TokenizerConfig) -> float:
    """The share of the text, with four digits, whose characters take `SHARE_OF_CHARACTERS` of the vocabulary."""
    room = int(SHARE_OF_CHARACTERS * (config.size - SMALLEST - len(config.tags)))
    covered = sum(count for _, count in counts.most_common(max(0, room)))
    return math.floor(10_000 * covered / counts.total()) / 10_000


def _covered(text: Sequence[str], config: TokenizerConfig) -> Iterator[str]:
    """The segments of the text with `UNCOVERED` in place of the characters beyond ``character_coverage``."""
    counts = _character_counts(text, config.normalization)
    missing = config.character_coverage * counts.total()
    rare, in_tags = dict[int, str](), {*"".join(config.tags)}
    for character, count in counts.most_common():
        if missing <= 0 and character not in in_tags:
            rare[ord(character)] = UNCOVERED
        missing -= count
    for segment in _split(text, config.normalization):
        yield segment.translate(rare)


def _sample(sentences: Iterable[str], count: int) -> list[str]:
    """At most ``count`` sentences, sampled uniformly (reservoir sampling, Vitter 1985, algorithm R)."""
    iterator = iter(sentences)
    sample = list(itertools.islice(iterator, count))
    generator = random.Random(0)
    for seen, sentence in enumerate(iterator, count + 1):
        index = generator.randrange(seen)
        if index < count:
            sample[index] = sentence
    return sample


def _split(sentences: Iterable[str], normalization: Normalization) -> Iterator[str]:
    """The normalized sentences in segments that are short enough for SentencePiece."""
    for sentence in sentences:
        text = normalize(sentence, normalization)
        for start in range(0, len(text), MAX_CHARACTERS):
            yield text[start : start + MAX_CHARACTERS]


def build_tokenizers(config: TokenizerConfig, corpus: Corpus, source_tags: Sequence[str] = ()) -> Tokenizers:
    """Load the named model files, and train the other vocabularies on the corpus.

    Args:
        config: the settings; its tags are tokens on both sides.
        corpus: the training split.
        source_tags: further tags, on the source side only if there are two vocabularies.

    Raises:
        ConfigError: settings contradict each other, two model files are named for one joint vocabulary, a tag is
            invalid, or the size is too small.
        DataError: a model file or the corpus cannot be used, or a model file lacks a tag.
    """
    config.check()
    for tag in source_tags:
        check_tag(tag, config.normalization)
    source = replace(config.source_side(), tags=list(dict.fromkeys([*config.tags, *source_tags])))
    labels = _labels(corpus)
    if not config.joint:
        source_size, target_size = _size_settings(config)
        sources = (pair.source for pair in _pairs(corpus, config.training_sentences))
        targets = (pair.target for pair in _pairs(corpus, config.training_sentences))
        return Tokenizers(
            _load_or_train(config.source_model, sources, source, labels[0], "source", source_size),
            _load_or_train(config.target_model, targets, config.target_side(), labels[1], "target", target_size),
        )
    named = {name for name in (config.source_model, config.target_model) if name is not None}
    if len(named) > 1:
        raise ConfigError("tokenizer.source_model and tokenizer.target_model differ; set tokenizer.joint=false")
    path, side = named.pop() if named else None, "source" if config.target_model is None else "target"
    run = None if config.source_model is None else local_folder(config.source_model)
    if run is not None and run.is_dir() and not load_tokenizers(run).joint:
        raise ConfigError(
            f"{path} has two vocabularies, and tokenizer.joint=true has one: set tokenizer.joint=false "
            f"tokenizer.source_model={path} tokenizer.target_model={path}"
        )
    pairs = _pairs(corpus, -(-config.training_sentences // 2))
    texts = (text for pair in pairs for text in pair if text)  # monolingual text has empty sources
    both = _load_or_train(path, texts, source, corpus.name, side)
    return Tokenizers(both, both)


def _size_settings(config: TokenizerConfig) -> tuple[str, str]:
    """The settings that say how large the vocabularies of both sides are."""
    return "tokenizer.size", "tokenizer.size" if config.target_size is None else "tokenizer.target_size"


def _labels(corpus: Corpus) -> tuple[str, str]:
    """What messages call the text of separate vocabularies."""
    return f"{corpus.name}, source side", f"{corpus.name}, target side"


def _pairs(corpus: Corpus, size: int) -> Iterator[Pair]:
    """The pairs to train on, read lazily, with a progress bar."""
    sample = corpus.vocabulary_sample(size)
    return pairs_with_progress(sample.pairs, f"reading {corpus.name}", sample.expected)


def _load_or_train(
    path: str | None,
    sentences: Iterable[str],
    config: TokenizerConfig,
    label: str,
    side: str,
    size_setting: str = "tokenizer.size",
) -> Tokenizer:
    """The tokenizer of a file or of this side of a run folder; without a path, train one on the sentences."""
    if path is None:
        return train_tokenizer(sentences, config, label, size_setting)
    model, form = local_folder(path), config.normalization
    tokenizer: Tokenizer = (
        getattr(load_tokenizers(model, form), side) if model.is_dir() else Tokenizer.load(model, form)
    )
    try:
        tokenizer.ids_of_tags(config.tags)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    if (rule := tokenizer.own_rule) and form is not Normalization.nfkc:
        log.warning(
            "%s changes characters by itself (%s), and references are scored in the form tokenizer.normalization=%s: "
            "set tokenizer.normalization=nfkc, the nearest form, or train a vocabulary here",
            path,
            rule,
            form,
        )
    return tokenizer


def cached_tokenizers(
    config: TokenizerConfig, corpus: Corpus, source_tags: Sequence[str], cache: Path | None
) -> Tokenizers:
    """The result of `build_tokenizers`, trained only once for the same text and settings.

    If another program is training the same vocabulary, this one waits for it.

    Args:
        config, corpus, source_tags: as in `build_tokenizers`. If a model file is named, nothing is cached.
        cache: folder of all vocabularies; None: always train.

    Raises:
        ConfigError, DataError: as `build_tokenizers`.
        RunError: the cache cannot be written.
    """
    if cache is None or config.source_model is not None or config.target_model is not None:
        return build_tokenizers(config, corpus, source_tags)
    settings = asdict(replace(config, sampling=0.0, sample_target=True))  # neither of the two changes the vocabulary
    del settings["placeholders"], settings["sampling_until"]  # the first changes the tags and the text
    facts = f"{sentencepiece.__version__} {corpus.fingerprint} {settings} {list(source_tags)}"
    folder = cache / f"vocabulary-{hashlib.sha256(facts.encode()).hexdigest()[:32]}"
    if not has_tokenizers(folder):
        with locked(folder, wait=True):
            if not has_tokenizers(folder):  # another program may have finished it meanwhile
                save_tokenizers(build_tokenizers(config, corpus, source_tags), folder)
                return load_tokenizers(folder, config.normalization)
    tokenizers = load_tokenizers(folder, config.normalization)
    sides = (
        [(config, corpus.name, "tokenizer.size")]
        if tokenizers.joint
        else zip((config.source_side(), config.target_side()), _labels(corpus), _size_settings(config), strict=True)
    )
    for tokenizer, (side, label, setting) in zip(tokenizers, sides, strict=False):
        _report_smaller(tokenizer, side, label, setting)
    return tokenizers
