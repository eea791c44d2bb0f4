"""Judging a model: validation while it learns, scores on a test set afterwards."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from seq2seq import __version__
from seq2seq.corpora.corpus import Corpus
from seq2seq.corpora.pair import Pair
from seq2seq.data.batch import Batch, make_batch
from seq2seq.data.batch_sampler import BatchConfig, Order
from seq2seq.data.table import Table
from seq2seq.errors import shown
from seq2seq.inference.member import Member
from seq2seq.metrics.score import Score, bleu, chrf, score, warn_of_misfit
from seq2seq.model import Network
from seq2seq.run.folder import SHORTLIST, is_language_model
from seq2seq.run.provenance import file_hash, hash_if_run, read_scores, text_hash
from seq2seq.search import Method, SearchConfig
from seq2seq.system.atomic import atomic_write
from seq2seq.system.device import Precision, autocast
from seq2seq.system.lock import locked_output
from seq2seq.system.out_of_memory import halve_if_out_of_memory
from seq2seq.system.processes import all_reduce, broadcast_object, is_first, rank, world_size
from seq2seq.tokenizer.tokenizer import Tokenizers
from seq2seq.training.loss import loss_sums
from seq2seq.training.progress import Criterion, Validation
from seq2seq.translation.distributed import translate_together
from seq2seq.translation.language_model import LanguageModel, Perplexity
from seq2seq.translation.translator import Translator
from seq2seq.translation.types import Translation

SCORES = "scores.json"
"""The file of a run folder with all scores, an entry for each test set; read and written again under a lock."""


class Validator:
    """Loss per target piece over a validation set and, but for a language model, BLEU of greedy translations.

    Several processes share its batches, and all learn the same outcome, which does not depend on how many they are.

    Args:
        table: the encoded pairs.
        pairs: their text.
        tokenizers: those of the run.
        batch: how pairs are put together for the loss.
        precision: of the products behind the loss.
        search: the run's search settings, whose limits on the length hold; the search is greedy.
        target_language: code of the language, by which BLEU cuts words.
        criterion: chrF is measured only where it decides.
    """

    def __init__(
        self,
        table: Table,
        pairs: Sequence[Pair],
        tokenizers: Tokenizers,
        batch: BatchConfig,
        precision: Precision,
        *,
        search: SearchConfig | None = None,
        target_language: str = "",
        criterion: Criterion = Criterion.bleu,
    ) -> None:
        order = Order(table.source_lengths, table.target_lengths, batch, seed=0)
        self.batches = [make_batch(*table.rows(rows)) for rows in order.epoch(0)]
        self.pairs = pairs
        self.tokenizers = tokenizers
        self.precision = precision
        self.search = (search or SearchConfig()).beam(1)
        self.target_language = target_language
        self.criterion = criterion
        if is_first():
            warn_of_misfit(target_language, [pair.target for pair in pairs])

    def __call__(self, network: Network, update: int) -> Validation:
        """Validate a network in evaluation mode after ``update`` updates."""
        device = next(network.parameters()).device
        if network.config.encoder.layers == 0:
            return Validation(update, self._loss(network, device), None)
        translator = Translator([Member.prepare(network, self.tokenizers, device)], self.search)
        translations = translate_together(translator, (pair.source for pair in self.pairs))
        texts = [str(translation) for translation in translations]
        scores = broadcast_object(self._scores(texts) if is_first() else (0.0, None))
        return Validation(update, self._loss(network, device), *scores)

    def _scores(self, texts: Sequence[str]) -> tuple[float, float | None]:
        """BLEU, and chrF where it decides."""
        references = [pair.target for pair in self.pairs]
        other = chrf(texts, references) if self.criterion is Criterion.chrf else None
        return bleu(texts, references, self.target_language), other

    @torch.inference_mode()
    def _loss(self, network: Network, device: torch.device) -> float:
        sums = torch.zeros(len(self.batches), dtype=torch.float64, device=device)
        for number in range(rank(), len(self.batches), world_size()):
            sums[number] = self._batch_loss(network, device, self.batches[number])
        total = sum(map(float, all_reduce(sums).tolist()))
        return total / sum(batch.labels_P.numel() for batch in self.batches)

    def _batch_loss(self, network: Network, device: torch.device, batch: Batch) -> Tensor:
        """Cross entropy, summed; in two halves where memory is short."""

        def loss(parts: Sequence[Batch]) -> Tensor:
            sums = []
            for source_BS, lengths_B, target_BT, positions_P, labels_P in (part.to(device) for part in parts):
                with autocast(self.precision, device):
                    logits_PV = network(source_BS, lengths_B, target_BT, positions_P)
                sums.append(loss_sums(logits_PV, labels_P, smoothing=0).cross_entropy)
            return torch.stack(sums).sum()

        what = f"a validation batch of {len(batch.source_BS):,} pairs"
        return halve_if_out_of_memory(lambda: loss([batch]), lambda: loss(batch.halves()), what, "batch.tokens")


def judge(folder: Path, test: Corpus, device: str) -> str:
    """Score a run's best model on a test set, of a translator or a language model, as the entry ``test``.

    A translator searches as the run's settings say.

    Returns:
        What there is to read: a table of the scores; of a translator also five examples.
    """
    if is_language_model(folder):
        model, texts = LanguageModel.load(folder, device), (pair.target for pair in test)
        found = evaluate_language_model(model, texts, folder=folder, name="test", corpus=test.name)
        return f"{test.name}, {found.sentences:,} sentences\n{found.table()}\n"
    translator, pairs = Translator.load(folder, device), list(test)
    scores = evaluate(translator, pairs, translator.search, folder=folder, name="test", corpus=test.name)
    examples = []
    for source, target in pairs[:: max(1, len(pairs) // 5)][:5]:
        translation = shown(str(translator.translate(source)))
        examples.append(f"source     {shown(source)}\nreference  {shown(target)}\nmodel      {translation}\n")
    return "\n".join([f"{test.name}, {len(pairs):,} sentences", score_table(scores), "", *examples])


def translate_all(translator: Translator, sources: Sequence[str], search: SearchConfig) -> list[Translation]:
    """Translate with progress on stderr; of several processes the first gets the translations."""
    stream = translate_together(translator, sources, search=search)
    quiet, what = not sys.stderr.isatty(), f"beam {search.beam_size}" if search.method == Method.beam else search.method
    return list(tqdm(stream, total=len(sources), unit="sentence", desc=what, disable=quiet, leave=False))


def searches(search: SearchConfig) -> dict[str, SearchConfig]:
    """The searches whose translations are scored: greedy, and that of the settings under its method's name."""
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
    """Translate greedily and as ``search`` says, score both, and leave hypotheses and scores in ``folder``.

    Writes ``hypotheses.NAME.greedy.txt``, ``hypotheses.NAME.METHOD.txt`` (beam for beam search) and the entry NAME of
    ``scores.json``, which says what translated and how, and what was scored against what (`provenance`). Of several
    processes, which share the translating, the first does so; the others have no scores.

    ``target_language`` is the code of the language, by which BLEU cuts words; None: as the run says.
    """
    if is_first():
        read_scores(folder / SCORES)  # what is wrong with it is said before any work
    language = translator.members[0].target_language if target_language is None else target_language
    references = [pair.target for pair in pairs]
    scores: dict[str, Score] = {}
    texts: dict[str, list[str]] = {}
    entry = {"corpus": corpus, **(provenance(translator, references) if is_first() else {})}
    for label, how in searches(search).items():
        translations = translate_all(translator, [pair.source for pair in pairs], how)
        if not is_first():
            continue
        hypotheses = texts[label] = [str(translation) for translation in translations]
        scores[label] = score(hypotheses, references, language=language, lowercase=lowercase, bootstrap=bootstrap)
        origin = {"beam_size": how.beam_size, "search": asdict(how), "hypotheses": text_hash(hypotheses)}
        entry[label] = {**scores[label].as_dict(), **origin}
    if is_first():
        with locked_output(folder / SCORES, wait=True):  # the texts and their scores are of one command
            for label, hypotheses in texts.items():
                with atomic_write(folder / f"hypotheses.{name}.{label}.txt") as temporary:
                    temporary.write_text("".join(f"{line}\n" for line in hypotheses), "utf-8")
            _set_entry(folder / SCORES, name, entry)
    return scores


def provenance(translator: Translator, references: Sequence[str]) -> dict[str, Any]:
    """What every score of these translations comes from: hashes, version, and how the models were run.

    ``models`` has a hash for each member, None for a network that is in no run folder.
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
    """How well the model predicts text, a sentence each: the entry NAME of ``scores.json`` in ``folder``."""
    if is_first():
        read_scores(folder / SCORES)  # what is wrong with it is said before any work
    lines = list(texts)
    found = model.perplexity(lines)
    origin = {"version": __version__, "references": text_hash(lines), "models": [hash_if_run(model.member.name)]}
    write_scores(folder / SCORES, name, {"corpus": corpus, **origin, "perplexity": found.as_dict()})
    return found


def write_scores(path: Path, name: str, entry: dict[str, Any]) -> None:
    """Set one entry of a scores.json and leave the others; of several processes the first does.

    Raises:
        RunError: the file is damaged.
    """
    with locked_output(path, wait=True):
        if is_first():
            _set_entry(path, name, entry)


def _set_entry(path: Path, name: str, entry: dict[str, Any]) -> None:
    """As `write_scores`, for who holds the lock."""
    known = read_scores(path)
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(known | {name: entry}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def score_table(scores: dict[str, Score]) -> str:
    """One line a metric, under each search's name."""
    return "\n".join(f"{label}\n  " + score.table().replace("\n", "\n  ") for label, score in scores.items())
