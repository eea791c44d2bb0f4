"""Evaluation on a test set: translate, score, and save the scores with what is needed to reproduce them."""

import json
import logging
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from seq2seq import __version__
from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.corpora.mixture import without_tags
from seq2seq.errors import counted, shown
from seq2seq.metrics.copied_source import copied_source_report, copied_source_score
from seq2seq.metrics.score import Score, score
from seq2seq.metrics.suspicious import blank_report, count_outputs
from seq2seq.portable.normalization import is_blank
from seq2seq.run.card import write_card
from seq2seq.run.folder import CARD, CONFIG, SHORTLIST, RunFolder
from seq2seq.run.provenance import SCORES, file_hash, hash_if_run, read_scores, text_hash
from seq2seq.search import Method, SearchConfig
from seq2seq.system.atomic import atomic_write
from seq2seq.system.hub import is_model_folder
from seq2seq.system.lock import locked_output
from seq2seq.system.processes import is_first
from seq2seq.translation.distributed import translate_distributed
from seq2seq.translation.language_model import LanguageModel, Perplexity
from seq2seq.translation.translator import Translator
from seq2seq.translation.types import Translation

log = logging.getLogger("seq2seq")


def evaluate_on_test(folder: Path, test: Corpus, device: str) -> str:
    """Score the best model of a run on a test set and save the result as the entry ``test`` of scores.json.

    Args:
        folder: the run folder of a translator, which searches with the settings of the run, or of a language model.
        test: the test set.
        device: auto, cpu or cuda.

    Returns:
        A table of the scores; for a translator also five example translations.
    """
    if RunFolder.open(folder).is_language_model:
        model, texts = LanguageModel.load(folder, device), (pair.target for pair in test)
        result = evaluate_language_model(model, texts, folder=folder, name="test", corpus=test.name)
        return f"{test.name}, {counted(result.sentences, 'sentence')}\n{result.table()}\n"
    translator, pairs = Translator.load(folder, device), list(test)
    scores = evaluate(translator, pairs, translator.search, folder=folder, name="test", corpus=test.name)
    examples = []
    for source, target in pairs[:: max(1, len(pairs) // 5)][:5]:
        translation = shown(str(translator.translate(source)))
        examples.append(f"source     {shown(source)}\nreference  {shown(target)}\nmodel      {translation}\n")
    return "\n".join([f"{test.name}, {counted(len(pairs), 'sentence')}", score_table(scores), "", *examples])


def translate_all(translator: Translator, sources: Sequence[str], search: SearchConfig) -> list[Translation]:
    """Translate with a progress bar on stderr; only the first of several processes returns the translations."""
    stream = translate_distributed(translator, sources, search=search)
    quiet = not sys.stderr.isatty()
    label = f"beam {search.beam_size}" if search.method == Method.beam else str(search.method)
    return list(tqdm(stream, total=len(sources), unit="sentence", desc=label, disable=quiet, leave=False))


def searches(search: SearchConfig) -> dict[str, SearchConfig]:
    """The searches to score: greedy search, and the given one under the name of its method."""
    usual = replace(search, n_best=1)
    return {"greedy": search.beam(1), **({} if usual == search.beam(1) else {str(search.method): usual})}


def evaluate(
    translator: Translator,
    pairs: Sequence[Pair],
    search: SearchConfig,
    *,
    folder: Path,
    name: str,
    corpus: str,
    target_language: str | None = None,
    lowercase: bool = False,
    bootstrap: int = 1000,
) -> dict[str, Score]:
    """Translate a test set with greedy search and with ``search``, score both and save the result.

    Writes ``hypotheses.NAME.greedy.txt``, ``hypotheses.NAME.METHOD.txt`` (METHOD is beam for beam search) and the entry
    NAME of ``scores.json``, with the origin of the scores (`provenance`). The model card is updated. References are
    scored in the form of the translations (``tokenizer.normalization``); if that changes any, ``references.NAME.txt``
    has the text that was scored. What the source left unchanged scores is reported too. Several processes share the
    translating; only the first writes.

    Args:
        translator: the model or ensemble.
        pairs: sources and references.
        search: settings of the second search.
        folder: where the files go.
        name: of the test set in file names and in scores.json.
        corpus: description of the test set.
        target_language: language code that selects the tokenization of BLEU; None: the language of the run.
        lowercase: ignore case in BLEU and chrF.
        bootstrap: resamples for confidence intervals.

    Returns:
        A score for each search, by its name; empty in all processes but the first.

    Raises:
        RunError: scores.json is damaged or a file cannot be written.
    """
    if is_first():
        read_scores(folder / SCORES)  # reports a damaged file before any work
    language = translator.members[0].target_language if target_language is None else target_language
    given = [pair.target for pair in pairs]
    references = [translator.ensemble.target.normalize(target) for target in given]
    scores: dict[str, Score] = {}
    texts: dict[str, list[str]] = {}
    entry = {"corpus": corpus, **(provenance(translator, given) if is_first() else {})}
    for label, config in searches(search).items():
        translations = translate_all(translator, [pair.source for pair in pairs], config)
        if is_first():
            hypotheses = texts[f"hypotheses.{name}.{label}.txt"] = [str(translation) for translation in translations]
            _report_outputs(label, translations, references)
            scores[label] = score(hypotheses, references, language=language, lowercase=lowercase, bootstrap=bootstrap)
            origin = {"beam_size": config.beam_size, "search": asdict(config), "hypotheses": text_hash(hypotheses)}
            entry[label] = {**scores[label].as_dict(), **origin}
    if is_first():
        copied = copied_source_score(_sources(translator, pairs), references, language=language, lowercase=lowercase)
        copies = any(member.network.pointer is not None for member in translator.members)
        report_copied_source(copied, *scores.values(), copies=copies)
        entry |= {"normalization": str(translator.normalization), "copied_source": copied.as_dict()}
        if references != given:
            texts[f"references.{name}.txt"] = references
            entry["scored_references"] = text_hash(references)
        _write_texts_and_scores(folder, name, texts, entry)
    return scores


def _report_outputs(label: str, translations: Sequence[Translation], references: Sequence[str]) -> None:
    """Warn of blank, unfinished and otherwise suspicious translations of a search."""
    counts = count_outputs(
        (each.source, each.text, each.finished, each.lost_placeholders, each.added_placeholders)
        for each in translations
    )
    blank = blank_report(references, [str(translation) for translation in translations])
    for line in filter(None, (blank, counts.report(), counts.placeholder_report())):
        log.warning("%s: %s", label, line)


def _write_texts_and_scores(folder: Path, name: str, texts: dict[str, list[str]], entry: dict[str, Any]) -> None:
    """Write the lines of each file, and the entry of scores.json; both come from the same command."""
    with locked_output(folder / SCORES, wait=True):
        (folder / f"references.{name}.txt").unlink(missing_ok=True)  # of an earlier command
        for file, lines in texts.items():
            with atomic_write(folder / file) as temporary:
                temporary.write_text("".join(f"{line}\n" for line in lines), "utf-8")
        _set_entry(folder / SCORES, name, entry)


def _sources(translator: Translator, pairs: Sequence[Pair]) -> list[str]:
    """The sources in the form of the translations, without the tags at their start."""
    source, target = translator.ensemble.source_tokenizers[0], translator.ensemble.target
    return [target.normalize(without_tags(pair.source, source.tags)) for pair in pairs]


def report_copied_source(copied: Score, *translated: Score, copies: bool = False) -> None:
    """Log what the source left unchanged scores: a warning if the translations are below it."""
    below = translated and copied.bleu.score > max(each.bleu.score for each in translated)
    if line := copied_source_report(copied, *translated, copies=copies):
        log.log(logging.WARNING if below else logging.INFO, "%s", line)


def provenance(translator: Translator, references: Sequence[str]) -> dict[str, Any]:
    """The origin of scores: hashes, version, and how the models ran.

    ``models`` has a hash for each ensemble member; None for a network that does not come from a run folder.
    """
    members, language_model = translator.members, translator.language_model
    entry: dict[str, Any] = {
        "version": __version__,
        "references": text_hash(references),
        "models": [hash_if_run(member.name) for member in members],
        "precision": str(members[0].precision),
        "device": translator.device.type,
        "shortlist": None if translator.shortlist is None else file_hash(Path(members[0].name) / SHORTLIST),
    }
    if len(members) > 1:
        entry["ensemble"] = [member.name for member in members]
    if language_model is not None:
        entry["language_model"] = language_model.name
        entry["language_model_hash"] = hash_if_run(language_model.name)
        entry["language_model_weight"] = translator.language_model_weight
    return entry


def evaluate_language_model(
    model: LanguageModel, texts: Iterable[str], *, folder: Path, name: str, corpus: str
) -> Perplexity:
    """Measure the perplexity of sentences and save it as the entry NAME of ``scores.json`` in ``folder``."""
    if is_first():
        read_scores(folder / SCORES)  # reports a damaged file before any work
    lines = list(texts)
    if blank := sum(map(is_blank, lines)):
        log.warning("blank: %s of %s, which are not scored", f"{blank:,}", counted(len(lines), "sentence"))
    result = model.perplexity(lines)
    origin = {
        "version": __version__,
        "references": text_hash(lines),
        "models": [hash_if_run(model.member.name)],
        "normalization": str(model.tokenizer.normalization),
    }
    write_scores(folder / SCORES, name, {"corpus": corpus, **origin, "perplexity": result.as_dict()})
    return result


def write_scores(path: Path, name: str, entry: dict[str, Any]) -> None:
    """Set one entry of a scores.json and keep the others; only the first of several processes writes.

    Raises:
        RunError: the file is damaged.
    """
    with locked_output(path, wait=True):
        if is_first():
            _set_entry(path, name, entry)


def _set_entry(path: Path, name: str, entry: dict[str, Any]) -> None:
    """Set an entry of a scores.json that the caller has locked, and update the model card beside it."""
    entries = read_scores(path)
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(entries | {name: entry}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    folder = path.parent
    if (folder / CONFIG).is_file():
        write_card(folder)
    elif is_model_folder(folder):  # its settings are too few for a new card, and its page shows the card
        log.info(
            "%s and the page state the scores that the run had when it was exported, not these: evaluate a run with "
            "these weights (of int8: recipes/quantize.py makes it) and export it again",
            folder / CARD,
        )


def score_table(scores: dict[str, Score]) -> str:
    """One line for each metric, under the name of each search."""
    return "\n".join(f"{label}\n  " + score.table().replace("\n", "\n  ") for label, score in scores.items())
