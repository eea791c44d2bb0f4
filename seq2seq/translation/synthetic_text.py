"""Parallel text that a model wrote: a teacher's translations to train a student on, or back-translations.

Sequence-level knowledge distillation and interpolation: Kim & Rush (2016, §3.2 and §3.3). Back-translation: Sennrich
et al. (2016), "Improving neural machine translation models with monolingual data", §3.2.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import tee
from pathlib import Path
from typing import NamedTuple

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.mixture import tagged
from seq2seq.errors import ConfigError, DataError, RunError
from seq2seq.metrics.score import sentence_bleu
from seq2seq.search import Method, SearchConfig
from seq2seq.system.atomic import atomic_folder, atomic_write
from seq2seq.system.lock import locked_output
from seq2seq.tokenizer.tokenizer import normalize
from seq2seq.translation.progress import with_bar
from seq2seq.translation.translator import Translator

SOURCE, TARGET = "source.txt", "target.txt"
"""The two files of a folder of synthetic text, aligned line by line."""


class Synthetic(NamedTuple):
    """What comes of one sentence."""

    pairs: list[Pair]
    unfinished: int = 0
    """Translations that were left out: the search was cut at the maximum length before they ended."""


def distill(
    teacher: Translator,
    pairs: Iterable[Pair],
    *,
    search: SearchConfig,
    n_best: int = 1,
    closest: bool = False,
    tag: str | None = None,
) -> Iterator[Synthetic]:
    """For each pair, its source with the teacher's translations in place of the target; none where there are none.

    Args:
        teacher: a model, or an ensemble.
        pairs: read some thousand ahead, never all at once.
        search: how the teacher translates.
        n_best: at most so many different translations of each source, best first.
        closest: of all in the beam, or all that were drawn, take those most similar to the target, by sentence BLEU,
            instead of the likeliest.
        tag: what the teacher reads in front of each source; it is not in the pairs that come out.

    Raises:
        ConfigError: ``n_best`` above the number of hypotheses.
    """
    every = replace(search, n_best=max(n_best, search.n_best)).rows  # of a sample, as many as are asked for
    if n_best > every:
        name = "search.samples" if search.method == Method.minimum_bayes_risk else "beam_size"
        raise ConfigError(f"n_best must be at most {name}, {every}, got {n_best}: set {name}={n_best} or more")
    ahead, behind = tee(pairs)
    sources = (tagged(pair.source, tag) for pair in ahead)
    found = _translations(teacher, sources, replace(search, n_best=every if closest else n_best))
    language = teacher.members[0].target_language
    for pair, (texts, unfinished) in zip(behind, found, strict=True):
        ranked = closest_first(texts, pair.target, language) if closest else texts
        yield Synthetic([Pair(pair.source, text) for text in ranked[:n_best]], unfinished)


def back_translate(
    reverse: Translator, targets: Iterable[str], search: SearchConfig, *, tag: str | None = None
) -> Iterator[Synthetic]:
    """For each target sentence, pairs of its translations back into the source language and itself; or none.

    Args:
        reverse: translates from the target language into the source language.
        targets: authentic text; read some thousand ahead, never all at once.
        search: how. Sources that were drawn at random teach more than the likeliest, where there is text enough (Edunov
            et al. 2018).
        tag: what the model reads in front of each sentence; it is not in the pairs that come out.

    Raises:
        ConfigError: settings contradict each other.
    """
    ahead, behind = tee(targets)
    found = _translations(reverse, (tagged(target, tag) for target in ahead), search)
    for target, (sources, unfinished) in zip(behind, found, strict=True):
        yield Synthetic([Pair(source, target) for source in sources], unfinished)


def _translations(
    translator: Translator, texts: Iterator[str], search: SearchConfig
) -> Iterator[tuple[list[str], int]]:
    """The different translations of each text, likeliest first, and how many were cut off, which are left out.

    There are none of blank text, and no empty ones.
    """
    for translation in translator.translate(texts, search=search):
        found = translation.n_best or (translation,)
        texts_found = dict.fromkeys(one.text for one in found if one.text and one.finished)
        yield list(texts_found), sum(not one.finished for one in found)


def closest_first(texts: Iterable[str], reference: str, language: str = "") -> list[str]:
    """The texts by falling sentence BLEU (smoothed, of as many orders as there are) against a reference."""
    bleu = sentence_bleu(language)
    return sorted(texts, key=lambda text: -bleu.sentence_score(text, [reference]).score)


def write_pairs(groups: Iterable[Synthetic], folder: Path, sentences: int | None = None) -> str:
    """Write pairs into a new folder, `SOURCE` and `TARGET`, which is there when both are complete and not before.

    White space within a sentence becomes single spaces, as a model sees it: no line end can shift the two files.

    Args:
        groups: the pairs of each sentence that was read; drawn some thousand at a time, with progress on stderr.
        folder: must not exist, or be empty.
        sentences: how many there are, where that is known, for the time left.

    Returns:
        one line with the counts of pairs, sentences, sentences without a pair and translations that did not end.

    Raises:
        RunError: the folder holds something, cannot be written, or another process is writing it.
        DataError: there was no pair.
    """
    folder = Path(os.path.realpath(folder)) if folder.is_symlink() else folder  # the link stays
    with locked_output(folder), _new_folder(folder) as made:
        with atomic_write(made / SOURCE) as sources, atomic_write(made / TARGET) as targets:
            pairs, read, without, unfinished = _write_lines(
                with_bar(groups, sentences, "translating"), sources, targets
            )
        if not pairs:
            cut = f" that ends within the maximum length ({unfinished:,} do not)" if unfinished else ""
            raise DataError(f"none of {read:,} sentences has a translation{cut}: check the text and the model")
    dropped = f"; dropped {without:,} that are blank or have no translation" if without else ""
    cut = f"; left out {unfinished:,} translations that did not end within the maximum length" if unfinished else ""
    return f"{pairs:,} pairs from {read:,} sentences{dropped}{cut}"


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """As `atomic_folder`; what is in the folder stays, and is an error at once."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder} is there already: delete it, or choose another folder with output=PATH")
    with atomic_folder(folder) as made:
        yield made


def _write_lines(groups: Iterable[Synthetic], sources: Path, targets: Path) -> tuple[int, int, int, int]:
    """Counts of pairs written, of groups, of groups without a pair, and of translations that did not end."""
    pairs = sentences = without = unfinished = 0
    with (
        sources.open("w", encoding="utf-8", newline="\n") as source_file,
        targets.open("w", encoding="utf-8", newline="\n") as target_file,
    ):
        for group in groups:
            kept = [(normalize(source), normalize(target)) for source, target in group.pairs]
            kept = [(source, target) for source, target in kept if source and target]
            source_file.writelines(f"{source}\n" for source, _ in kept)
            target_file.writelines(f"{target}\n" for _, target in kept)
            pairs, sentences, without = pairs + len(kept), sentences + 1, without + (not kept)
            unfinished += group.unfinished
    return pairs, sentences, without, unfinished
