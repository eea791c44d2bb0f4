"""Judging a model: validation while it learns, scores on a test set afterwards."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from seq2seq import __version__
from seq2seq.data.batch import Batch, make_batch
from seq2seq.data.order import BatchConfig, Order
from seq2seq.data.table import Table
from seq2seq.errors import RunError
from seq2seq.language_model import LanguageModel, Perplexity
from seq2seq.model import Network
from seq2seq.provenance import file_hash, hash_if_run, text_hash
from seq2seq.run import SHORTLIST, is_language_model
from seq2seq.score import Score, bleu, score
from seq2seq.search import SearchConfig
from seq2seq.sharing import translate_together
from seq2seq.system.atomic import atomic_write
from seq2seq.system.device import Precision, autocast
from seq2seq.system.out_of_memory import whole_or_halves
from seq2seq.system.processes import add_up, count, from_first, is_first, rank
from seq2seq.text.corpus import Corpus
from seq2seq.text.tokenizer import Tokenizers
from seq2seq.text.types import Pair
from seq2seq.train.loss import loss_sums
from seq2seq.train.progress import Validation
from seq2seq.translate import Translator
from seq2seq.translation.member import Member
from seq2seq.translation.types import Translation


class Validator:
    """Loss per target piece over a validation set and, but for a language model, BLEU of greedy translations.

    Several processes share its batches, and all learn the same outcome, which does not depend on how many they are.
    """

    def __init__(
        self, table: Table, pairs: Sequence[Pair], tokenizers: Tokenizers, batch: BatchConfig, precision: Precision
    ) -> None:
        order = Order(table.source_lengths, table.target_lengths, batch, seed=0)
        self.batches = [make_batch(*table.rows(rows)) for rows in order.epoch(0)]
        self.pairs = pairs
        self.tokenizers = tokenizers
        self.precision = precision

    def __call__(self, network: Network, update: int) -> Validation:
        """Validate a network in evaluation mode after ``update`` updates."""
        device = next(network.parameters()).device
        if network.config.encoder.layers == 0:
            return Validation(update, self._loss(network, device), None)
        translator = Translator([Member.prepare(network, self.tokenizers, device)], SearchConfig(beam_size=1))
        translations = translate_together(translator, (pair.source for pair in self.pairs))
        texts = [str(translation) for translation in translations]
        score = bleu(texts, [pair.target for pair in self.pairs]) if is_first() else 0.0
        return Validation(update, self._loss(network, device), from_first(score))

    @torch.inference_mode()
    def _loss(self, network: Network, device: torch.device) -> float:
        sums = torch.zeros(len(self.batches), dtype=torch.float64, device=device)
        for number in range(rank(), len(self.batches), count()):
            sums[number] = self._batch_loss(network, device, self.batches[number])
        total = sum(map(float, add_up(sums).tolist()))
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
        return whole_or_halves(lambda: loss([batch]), lambda: loss(batch.halves()), what, "batch.tokens")


def judge(folder: Path, test: Corpus, beam_size: int, device: str) -> str:
    """Score a run's best model on a test set, of a translator or a language model, as the entry ``test``.

    Returns:
        What there is to read: a table of the scores; of a translator also five examples.
    """
    if is_language_model(folder):
        model, texts = LanguageModel.load(folder, device), (pair.target for pair in test)
        found = evaluate_language_model(model, texts, folder=folder, name="test", corpus=test.name)
        return f"{test.name}, {found.sentences:,} sentences\n{found.table()}\n"
    translator, pairs = Translator.load(folder, device), list(test)
    scores = evaluate(translator, pairs, beam_size, folder=folder, name="test", corpus=test.name)
    examples = [
        f"source     {source}\nreference  {target}\nmodel      {translator.translate(source)}\n"
        for source, target in pairs[:: max(1, len(pairs) // 5)][:5]
    ]
    return "\n".join([f"{test.name}, {len(pairs):,} sentences", score_table(scores), "", *examples])


def translate_all(translator: Translator, sources: Sequence[str], beam_size: int) -> list[Translation]:
    """Translate with progress on stderr; of several processes the first gets the translations."""
    stream = translate_together(translator, sources, search=translator.search.beam(beam_size))
    quiet = not sys.stderr.isatty()
    return list(tqdm(stream, total=len(sources), unit="sentence", desc=f"beam {beam_size}", disable=quiet, leave=False))


def evaluate(
    translator: Translator,
    pairs: Sequence[Pair],
    beam_size: int,
    *,
    folder: Path,
    name: str,
    corpus: str,
    lowercase: bool = False,
    bootstrap: int = 1000,
) -> dict[str, Score]:
    """Translate greedily and with a beam, score both, and leave hypotheses and scores in ``folder``.

    Writes ``hypotheses.NAME.greedy.txt``, ``hypotheses.NAME.beam.txt`` and the entry NAME of ``scores.json``, which
    says what translated and how, and what was scored against what (`provenance`). Of several processes, which share the
    translating, the first does so; the others have no scores.
    """
    references = [pair.target for pair in pairs]
    scores: dict[str, Score] = {}
    entry = {"corpus": corpus, **(provenance(translator, references) if is_first() else {})}
    for label, size in {"greedy": 1, **({"beam": beam_size} if beam_size > 1 else {})}.items():
        translations = translate_all(translator, [pair.source for pair in pairs], size)
        if not is_first():
            continue
        hypotheses = [str(translation) for translation in translations]
        with atomic_write(folder / f"hypotheses.{name}.{label}.txt") as temporary:
            temporary.write_text("".join(f"{line}\n" for line in hypotheses), "utf-8")
        scores[label] = score(hypotheses, references, lowercase=lowercase, bootstrap=bootstrap)
        settings = asdict(translator.search.beam(size))
        origin = {"beam_size": size, "search": settings, "hypotheses": text_hash(hypotheses)}
        entry[label] = {**scores[label].as_dict(), **origin}
    write_scores(folder / "scores.json", name, entry)
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
    lines = list(texts)
    found = model.perplexity(lines)
    origin = {"version": __version__, "references": text_hash(lines), "models": [hash_if_run(model.member.name)]}
    write_scores(folder / "scores.json", name, {"corpus": corpus, **origin, "perplexity": found.as_dict()})
    return found


def write_scores(path: Path, name: str, entry: dict[str, Any]) -> None:
    """Set one entry of a scores.json and leave the others; of several processes the first does.

    Raises:
        RunError: the file is damaged.
    """
    if not is_first():
        return
    try:
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if not isinstance(known, dict):
            raise ValueError("no object")
    except ValueError as error:
        raise RunError(f"{path} is damaged ({error}): delete it, and evaluate again") from None
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(known | {name: entry}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def score_table(scores: dict[str, Score]) -> str:
    """One line a metric, under each search's name."""
    return "\n".join(f"{label}\n  " + score.table().replace("\n", "\n  ") for label, score in scores.items())
