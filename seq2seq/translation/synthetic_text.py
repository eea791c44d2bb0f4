"""Synthetic parallel text: a teacher's translations for knowledge distillation, and back-translations.

Sequence-level knowledge distillation and interpolation: Kim & Rush (2016, §3.2 and §3.3). Back-translation: Sennrich
et al. (2016), "Improving neural machine translation models with monolingual data", §3.2.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import tee
from pathlib import Path
from typing import NamedTuple

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.mixture import add_tag
from seq2seq.errors import ConfigError, DataError, counted
from seq2seq.metrics.score import sentence_bleu
from seq2seq.search import Method, SearchConfig
from seq2seq.system.atomic import atomic_write, new_folder
from seq2seq.system.lock import locked_output
from seq2seq.tokenizer.normalization import Normalization, normalize
from seq2seq.translation.translator import Translator

SOURCE, TARGET = "source.txt", "target.txt"
"""The two files of a folder of synthetic text, aligned line by line."""


class SyntheticPairs(NamedTuple):
    """The synthetic pairs of one sentence."""

    pairs: list[Pair]
    unfinished: int = 0
    """Number of translations that were dropped because the search reached the maximum length."""


def distill(
    teacher: Translator,
    pairs: Iterable[Pair],
    *,
    search: SearchConfig,
    n_best: int = 1,
    closest: bool = False,
    tag: str | None = None,
) -> Iterator[SyntheticPairs]:
    """Yield for each pair its source with the teacher's translations in place of the target; possibly no pairs.

    Args:
        teacher: a model or an ensemble.
        pairs: read some thousand ahead.
        search: how the teacher translates.
        n_best: maximum number of different translations per source, best first.
        closest: of the whole beam, or all samples, take those most similar to the target by sentence BLEU instead of
            the most probable ones.
        tag: prepended to each source for the teacher; not part of the yielded pairs.

    Raises:
        ConfigError: ``n_best`` exceeds the number of hypotheses.
    """
    available = replace(search, n_best=max(n_best, search.n_best)).rows  # sampling draws as many as requested
    if n_best > available:
        name = "search.samples" if search.method == Method.minimum_bayes_risk else "beam_size"
        raise ConfigError(f"n_best must be at most {name}, {available}, got {n_best}: set {name}={n_best} or more")
    for_teacher, for_output = tee(pairs)
    sources = (add_tag(pair.source, tag) for pair in for_teacher)
    translations = _translations(teacher, sources, replace(search, n_best=available if closest else n_best))
    language, normal = teacher.members[0].target_language, teacher.ensemble.target.normalize
    for pair, (texts, unfinished) in zip(for_output, translations, strict=True):
        ranked = rank_by_bleu(texts, normal(pair.target), language) if closest else texts
        yield SyntheticPairs([Pair(pair.source, text) for text in ranked[:n_best]], unfinished)


def back_translate(
    reverse: Translator, targets: Iterable[str], search: SearchConfig, *, tag: str | None = None
) -> Iterator[SyntheticPairs]:
    """Yield for each target sentence the pairs of its back-translations and itself; possibly no pairs.

    Args:
        reverse: translates from the target language into the source language.
        targets: authentic text; read some thousand ahead.
        search: how to translate. With enough text, sampled sources train better than the most probable ones (Edunov et
            al. 2018).
        tag: prepended to each sentence for the model; not part of the yielded pairs.

    Raises:
        ConfigError: settings contradict each other.
    """
    for_model, for_output = tee(targets)
    translations = _translations(reverse, (add_tag(target, tag) for target in for_model), search)
    for target, (sources, unfinished) in zip(for_output, translations, strict=True):
        yield SyntheticPairs([Pair(source, target) for source in sources], unfinished)


def _translations(
    translator: Translator, texts: Iterator[str], search: SearchConfig
) -> Iterator[tuple[list[str], int]]:
    """Yield the different finished, non-empty translations of each text, best first, and the number of unfinished."""
    for translation in translator.translate_all(texts, search=search):
        n_best = translation.n_best or (translation,)
        finished = dict.fromkeys(each.text for each in n_best if each.text and each.finished)
        yield list(finished), sum(not each.finished for each in n_best)


def rank_by_bleu(texts: Iterable[str], reference: str, language: str = "") -> list[str]:
    """Sort texts by sentence BLEU against a reference, best first (smoothed, with effective order)."""
    bleu = sentence_bleu(language)
    return sorted(texts, key=lambda text: -bleu.sentence_score(text, [reference]).score)


def write_pairs(
    groups: Iterable[SyntheticPairs], folder: Path, normalization: Normalization = Normalization.nfc
) -> str:
    """Write pairs into a new folder as `SOURCE` and `TARGET`; the folder appears once both are complete.

    White space within a sentence becomes single spaces, as models see it, so no line end can shift the two files.

    Args:
        groups: the pairs of each sentence.
        folder: must not exist, or be empty.
        normalization: the form of the written text, that of the model.

    Returns:
        one line with the counts of pairs, sentences, sentences without a pair and unfinished translations.

    Raises:
        RunError: the folder is not empty, cannot be written, or another process is writing it.
        DataError: there is no pair.
    """
    folder = Path(os.path.realpath(folder)) if folder.is_symlink() else folder  # keep the link
    with locked_output(folder), new_folder(folder) as new:
        with atomic_write(new / SOURCE) as sources, atomic_write(new / TARGET) as targets:
            pairs, sentences, without, unfinished = _write_lines(groups, sources, targets, normalization)
        if not pairs:
            reason = f" that ends within the maximum length ({unfinished:,} do not)" if unfinished else ""
            raise DataError(
                f"none of {counted(sentences, 'sentence')} has a translation{reason}: check the text and the model"
            )
    dropped = f"; dropped {without:,} that are blank or have no translation" if without else ""
    left_out = counted(unfinished, "translation")
    cut = f"; left out {left_out} that did not end within the maximum length" if unfinished else ""
    return f"{counted(pairs, 'pair')} from {counted(sentences, 'sentence')}{dropped}{cut}"


def _write_lines(
    groups: Iterable[SyntheticPairs], sources: Path, targets: Path, normalization: Normalization
) -> tuple[int, int, int, int]:
    """Write the pairs; return the counts of pairs, groups, groups without a pair and unfinished translations."""
    pairs = sentences = without = unfinished = 0
    with (
        sources.open("w", encoding="utf-8", newline="\n") as source_file,
        targets.open("w", encoding="utf-8", newline="\n") as target_file,
    ):
        for group in groups:
            kept = [tuple(normalize(text, normalization) for text in pair) for pair in group.pairs]
            kept = [(source, target) for source, target in kept if source and target]
            source_file.writelines(f"{source}\n" for source, _ in kept)
            target_file.writelines(f"{target}\n" for _, target in kept)
            pairs, sentences, without = pairs + len(kept), sentences + 1, without + (not kept)
            unfinished += group.unfinished
    return pairs, sentences, without, unfinished
