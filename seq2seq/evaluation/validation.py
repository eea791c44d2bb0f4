"""Validation during training: loss, and BLEU of greedy translations."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from seq2seq.corpora.corpus import Pair
from seq2seq.data.batch import Batch, make_batch
from seq2seq.data.batch_sampler import BatchSampler
from seq2seq.data.config import BatchConfig
from seq2seq.data.table import Table
from seq2seq.errors import counted
from seq2seq.inference.member import Member
from seq2seq.metrics.score import bleu, chrf, warn_of_misfit
from seq2seq.model import Network
from seq2seq.portable.placeholders import Placeholders
from seq2seq.search import SearchConfig
from seq2seq.system.device import autocast
from seq2seq.system.out_of_memory import halve_if_out_of_memory
from seq2seq.system.precision import Precision
from seq2seq.system.processes import all_reduce, broadcast_object, is_first, rank, world_size
from seq2seq.tokenizer.tokenizer import Tokenizers
from seq2seq.training.config import Criterion
from seq2seq.training.loss import loss_sums
from seq2seq.training.progress import Validation
from seq2seq.training.samples import Sample, choose
from seq2seq.translation.distributed import translate_distributed
from seq2seq.translation.translator import Translator
from seq2seq.translation.types import Translation


class Validator:
    """Measures a network on a validation set: loss per target token and, for a translator, BLEU.

    Several processes share the batches. All get the same result, which does not depend on their number.

    Args:
        table: the encoded pairs.
        pairs: the same pairs as text.
        tokenizers: the tokenizers of the run.
        batch: how pairs are batched for the loss.
        precision: of the forward pass that computes the loss.
        search: the search settings of the run; validation searches greedily within their length limits.
        target_language: language code that selects the tokenization of BLEU.
        criterion: chrF is computed only if this is chrf.
        placeholders: what translations copy from the source.
        samples: number of translations that are kept for `samples`.
        draw: draws the attention weights of a sample; None if the model has no attention.

    Attributes:
        samples: sentences of the set, the same ones each time, with their translations in the last validation; only in
            the first process, and none for a language model.
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
        samples: int = 0,
        draw: Callable[[Translation], bytes] | None = None,
        placeholders: Placeholders | None = None,
    ) -> None:
        order = BatchSampler(table.source_lengths, table.target_lengths, batch, seed=0)
        self.batches = [make_batch(*table.rows(rows)) for rows in order.epoch(0)]
        self.pairs = pairs
        self.tokenizers = tokenizers
        self.precision = precision
        self.search = (search or SearchConfig()).beam(1)
        self.target_language = target_language
        self.criterion = criterion
        self.chosen = choose(pairs, samples)
        self.draw = draw
        self.samples: list[Sample] = []
        self.placeholders = placeholders
        if is_first():
            warn_of_misfit(target_language, [pair.target for pair in pairs])

    def __call__(self, network: Network, update: int) -> Validation:
        """Validate a network in evaluation mode after ``update`` updates."""
        device = next(network.parameters()).device
        if network.config.is_language_model:
            return Validation(update, self._loss(network, device), None)
        member = Member.prepare(network, self.tokenizers, device, placeholders=self.placeholders)
        translator = Translator([member], self.search)
        translations = translate_distributed(translator, (pair.source for pair in self.pairs))
        texts = [str(translation) for translation in translations]
        scores = broadcast_object(self._scores(texts) if is_first() else (0.0, None))
        if is_first():
            self.samples = self._samples(translator, texts)
        return Validation(update, self._loss(network, device), *scores)

    def _samples(self, translator: Translator, texts: Sequence[str]) -> list[Sample]:
        """The samples with their translations; a logger that shows pictures has them drawn."""
        rows = [(*self.pairs[row], texts[row]) for row in self.chosen]
        if self.draw is None:
            return [Sample(*row) for row in rows]
        return [Sample(*row, partial(_picture, translator, row[0], self.draw)) for row in rows]

    def _scores(self, texts: Sequence[str]) -> tuple[float, float | None]:
        """BLEU, and chrF if it is the criterion."""
        references = [self.tokenizers.target.normalize(pair.target) for pair in self.pairs]
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
        """Summed cross entropy; the batch is halved if memory runs out."""

        def loss(parts: Sequence[Batch]) -> Tensor:
            sums = []
            for source_BS, lengths_B, target_BT, positions_P, labels_P in (part.to(device) for part in parts):
                with autocast(self.precision, device):
                    logits_PV = network(source_BS, lengths_B, target_BT, positions_P)
                sums.append(loss_sums(logits_PV, labels_P, smoothing=0).cross_entropy)
            return torch.stack(sums).sum()

        what = f"a validation batch of {counted(len(batch.source_BS), 'pair')}"
        return halve_if_out_of_memory(lambda: loss([batch]), lambda: loss(batch.halves()), what, "batch.tokens")


def _picture(translator: Translator, source: str, draw: Callable[[Translation], bytes]) -> bytes | None:
    """Translate once more, with attention weights, and draw them; None for a long text, which has none."""
    [translation] = translator.translate_all([source], attention=True)
    return None if translation.attention is None else draw(translation)
