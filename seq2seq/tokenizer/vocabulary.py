"""Learning a vocabulary: unigram, byte-pair, word or character pieces, of both languages or of each.

SentencePiece learns them all (Kudo & Richardson 2018); what is learnt is a `seq2seq.tokenizer.tokenizer.Tokenizer`.
"""

import io
import itertools
import logging
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sentencepiece import SentencePieceTrainer

from seq2seq.corpora.corpus import Corpus, Pair, with_progress
from seq2seq.errors import ConfigError, DataError
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig, check_size, check_tag
from seq2seq.tokenizer.tokenizer import BOS, EOS, PAD, UNK, Tokenizer, Tokenizers, load_tokenizers, normalize

LONGEST = 1_000  # characters: SentencePiece learns nothing from a sentence over 4,192 bytes, so they are cut

log = logging.getLogger("seq2seq")


def train_tokenizer(sentences: Iterable[str], config: TokenizerConfig, label: str) -> Tokenizer:
    """Learn a vocabulary. The same sentences and settings give the same model, byte for byte.

    If the text supports fewer pieces than asked for, the model has as many as it does, and a warning says so.

    Args:
        sentences: the text; a sample drawn from all of it where there is more than ``training_sentences``.
        config: the settings; ``joint``, the model files and what is for the target side alone are not looked at.
        label: what to call the text in messages.

    Raises:
        ConfigError: the size is too small for the bytes, or for the characters the text contains.
        DataError: there is nothing to learn from.
    """
    check_size(config)
    model = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=_cut(_sample(sentences, config.training_sentences)),
            model_writer=model,
            model_type=config.algorithm.value,
            vocab_size=config.size,
            hard_vocab_limit=False,  # a size that is too large then gives the largest that works
            character_coverage=config.character_coverage,
            byte_fallback=config.algorithm is not Algorithm.word,
            unk_surface=" <unk> ",  # a word of its own
            user_defined_symbols=list(config.tags),
            normalization_rule_name="identity",  # `normalize` has done it
            remove_extra_whitespaces=False,
            unk_id=UNK,
            bos_id=BOS,
            eos_id=EOS,
            pad_id=PAD,
            num_threads=4,  # fixed: unigram sums in as many parts, so the result depends on it
            minloglevel=2,
        )
    except RuntimeError as error:
        raise _training_error(str(error), config, label) from None
    tokenizer = Tokenizer.from_bytes(model.getvalue())
    if tokenizer.size < config.size:
        pieces = f"{tokenizer.size:,}"
        log.warning("tokenizer.size=%d is more than %s supports; using %s pieces", config.size, label, pieces)
    return tokenizer


def _training_error(message: str, config: TokenizerConfig, label: str) -> ConfigError | DataError:
    """SentencePiece's error in our words."""
    if needed := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        return ConfigError(
            f"tokenizer.size={config.size} is less than the characters of {label} need; set tokenizer.size to at least "
            f"{needed[1]}, or tokenizer.character_coverage below {config.character_coverage:g}"
        )
    if "sentences_.empty()" in message:
        return DataError(f"{label} has no text to learn a vocabulary from; every sentence is blank")
    return DataError(f"no vocabulary can be learnt from {label}: {' '.join(message.split())}")


def _sample(sentences: Iterable[str], count: int) -> list[str]:
    """At most ``count`` sentences, each with the same chance (reservoir sampling, Vitter 1985, algorithm R)."""
    iterator = iter(sentences)
    sample = list(itertools.islice(iterator, count))
    chance = random.Random(0)
    for seen, sentence in enumerate(iterator, count + 1):
        place = chance.randrange(seen)
        if place < count:
            sample[place] = sentence
    return sample


def _cut(sentences: Iterable[str]) -> Iterator[str]:
    """The sentences, normalised, in stretches short enough for SentencePiece to learn from."""
    for sentence in sentences:
        text = normalize(sentence)
        for start in range(0, len(text), LONGEST):
            yield text[start : start + LONGEST]


def build_tokenizers(config: TokenizerConfig, corpus: Corpus, source_tags: Sequence[str] = ()) -> Tokenizers:
    """Load the model files that are named, and train what is not named on the corpus (the training split).

    Args:
        config: the settings; its tags are pieces on both sides.
        corpus: what to learn from.
        source_tags: further tags, on the source side alone where the vocabularies are two.

    Raises:
        ConfigError: settings contradict each other; two different model files are named for one joint vocabulary; a tag
            cannot be one; the size is too small.
        DataError: a model file or the corpus cannot be used, or a model file lacks a tag.
    """
    config.check()
    for tag in source_tags:
        check_tag(tag)
    source = replace(config.source_side(), tags=list(dict.fromkeys([*config.tags, *source_tags])))
    if not config.joint:
        sources = (pair.source for pair in _pairs(corpus, config.training_sentences))
        targets = (pair.target for pair in _pairs(corpus, config.training_sentences))
        return Tokenizers(
            _load_or_train(config.source_model, sources, source, f"{corpus.name}, source side", "source"),
            _load_or_train(config.target_model, targets, config.target_side(), f"{corpus.name}, target side", "target"),
        )
    named = {name for name in (config.source_model, config.target_model) if name is not None}
    if len(named) > 1:
        raise ConfigError("tokenizer.source_model and tokenizer.target_model differ; set tokenizer.joint=false")
    path, side = named.pop() if named else None, "source" if config.target_model is None else "target"
    pairs = _pairs(corpus, -(-config.training_sentences // 2))
    texts = (text for pair in pairs for text in pair if text)  # in text of one language, sources are empty
    both = _load_or_train(path, texts, source, corpus.name, side)
    return Tokenizers(both, both)


def _pairs(corpus: Corpus, enough: int) -> Iterator[Pair]:
    """The pairs to sample from: all, or ``enough`` of what is costly to read; nothing is read before it is needed."""
    sample = corpus.vocabulary_sample(enough)
    return with_progress(sample.pairs, f"reading {corpus.name}", sample.expected)


def _load_or_train(
    path: str | None, sentences: Iterable[str], config: TokenizerConfig, label: str, side: str
) -> Tokenizer:
    """The tokenizer of a file, or that of this side of a run folder; without a path one learnt from the sentences."""
    if path is None:
        return train_tokenizer(sentences, config, label)
    found = Path(path).expanduser()
    tokenizer: Tokenizer = getattr(load_tokenizers(found), side) if found.is_dir() else Tokenizer.load(found)
    try:
        tokenizer.ids_of_tags(config.tags)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return tokenizer
